"""Programs that are not ours and take part in tests."""

from __future__ import annotations

import os
import shutil

import pytest

PACKAGES = {"dig": "dnsutils"}
"""Debian package of a program, where it is not called like the program."""


def need_tool(name: str) -> str:
    """Return the path of a program. Without it the test is skipped, with the reason; in CI it fails."""
    path = shutil.which(name)
    if path is not None:
        return path
    reason = f"{name} is not installed (on Debian: apt install {PACKAGES.get(name, name)})"
    if os.environ.get("CI"):
        pytest.fail(f"{reason}; in CI every tool has to be there")
    pytest.skip(reason)
