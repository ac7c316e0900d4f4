"""The course: builds notebooks from lessons/, and opens them in JupyterLab."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from simulator.errors import UsageError

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ROOT / "lessons"
NOTEBOOKS = ROOT / "notebooks"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook_text(lesson: Path) -> str:
    """Return the notebook that a lesson becomes: the same text in, the same text out."""
    import jupytext
    import nbformat

    notebook = jupytext.reads(lesson.read_text(encoding="utf-8"), fmt="py:percent")
    notebook.metadata = nbformat.from_dict({"kernelspec": KERNEL, "language_info": {"name": "python"}})  # type: ignore[no-untyped-call]
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number:03}"  # nbformat draws random ones
        cell["metadata"] = {}
    return str(nbformat.writes(notebook, version=nbformat.NO_CONVERT)) + "\n"  # type: ignore[no-untyped-call]


def lessons() -> dict[str, Path]:
    """Return the lessons by name, such as "00_start_here", in order."""
    return {path.parent.name: path for path in sorted(LESSONS.glob("[0-9][0-9]_*/lesson.py"))}


def build(into: Path = NOTEBOOKS) -> list[Path]:
    """Write one notebook per lesson; return the files."""
    into.mkdir(parents=True, exist_ok=True)
    written = []
    for name, lesson in lessons().items():
        target = into / f"{name}.ipynb"
        target.write_text(notebook_text(lesson), encoding="utf-8", newline="\n")
        written.append(target)
    return written


def open_notebooks() -> int:
    """Open JupyterLab on the notebooks; return its exit code."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise UsageError("JupyterLab is missing; install it with: python -m pip install -r requirements.txt")
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(NOTEBOOKS)], cwd=ROOT)
