"""Runs notebooks from top to bottom in fresh kernels, and says which cell failed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.course.build import NOTEBOOKS, SOLVED, lessons
from simulator.errors import UsageError

TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Ran:
    """What became of one notebook."""

    path: Path
    problem: str
    """The cell that failed and why; empty when all went well."""
    notebook: Any
    """With its outputs."""


def run_notebook(path: Path, notebook: Any = None) -> Ran:
    """Run one notebook in a fresh kernel, in its own folder. Raises UsageError when nbclient is missing."""
    try:
        import nbclient
        import nbformat
    except ImportError as error:
        raise UsageError(f"The package {error.name} is missing: python -m pip install -r requirements.txt") from error
    made = notebook if notebook is not None else nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    client = nbclient.NotebookClient(
        made, timeout=TIMEOUT_S, kernel_name="python3", resources={"metadata": {"path": str(path.parent)}}
    )
    try:
        asyncio.run(client.async_execute())  # a loop of its own, so that several can run side by side
    except nbclient.exceptions.CellExecutionError as error:
        return Ran(path, f"{error.ename}: {error.evalue}", made)
    return Ran(path, "", made)


def check_notebooks(which: Iterable[Path] | None = None) -> list[Ran]:
    """Run the learners' and the solved notebooks, or those given."""
    if which is None:
        which = [folder / f"{name}.ipynb" for name in lessons() for folder in (NOTEBOOKS, NOTEBOOKS / SOLVED)]
    return [run_notebook(path) for path in which]
