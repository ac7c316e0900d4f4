"""A real browser for tests: Debian's Chromium, driven by Playwright, with the network switched off."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from support.tools import need_tool

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def need_module(name: str) -> Any:
    """Import a module. Without it the test is skipped, with the reason; in CI it fails."""
    return import_module(name) if os.environ.get("CI") else pytest.importorskip(name)


@contextlib.contextmanager
def browsing() -> Iterator[Any]:
    """Start the browser."""
    api = need_module("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=need_tool("chromium"), args=ARGUMENTS)
        yield browser
        browser.close()


@contextlib.contextmanager
def problems_of(
    browser: Any, file: Path, *, width: int = 1280, height: int = 800, scheme: str = "light"
) -> Iterator[tuple[Any, list[str]]]:
    """Open a file; yield the page, and a list of what it asked for or complained about."""
    problems: list[str] = []
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce"
    )
    tab = context.new_page()

    def route(request: Any) -> None:
        if request.request.url.startswith(file.parent.as_uri()):
            request.continue_()
        else:
            problems.append(f"asked for {request.request.url}")
            request.abort()

    tab.route("**/*", route)
    tab.on("console", lambda message: problems.append(message.text))
    tab.on("pageerror", lambda error: problems.append(str(error)))
    tab.goto(file.as_uri())
    try:
        yield tab, problems
    finally:
        context.close()


def axe_problems(page: Any) -> list[str]:
    """Return what axe-core finds that somebody could not use."""
    axe = need_module("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(page).response["violations"]
    return [f"{each['id']}: {each['help']} ({each['nodes'][0]['html'][:120]})" for each in found]
