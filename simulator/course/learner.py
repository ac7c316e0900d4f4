"""What a learner does with the notebooks: open them, start a unit, begin a unit anew."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from simulator.course.build import NOTEBOOKS, ROOT, lessons, notebook_text
from simulator.errors import UsageError
from simulator.exercises.progress import progress_folder


def unit_named(text: str) -> str:
    """Return the unit that "4", "04" or "04_tls_modes" names. Raises UsageError."""
    known = list(lessons())
    for name in known:
        if text == name or (text.isdigit() and int(text) == int(name[:2])):
            return name
    raise UsageError(f"There is no unit {text!r}; there are {', '.join(known)}.")


def open_notebooks(notebook: Path = NOTEBOOKS) -> int:
    """Open JupyterLab on the notebooks, or on one of them; return its exit code."""
    if importlib.util.find_spec("jupyterlab") is None:
        raise UsageError("JupyterLab is missing; install it with: python -m pip install -r requirements.txt")
    return subprocess.call([sys.executable, "-m", "jupyterlab", str(notebook)], cwd=ROOT)


def start(unit: str) -> int:
    """Open one unit; a notebook that is missing is built first."""
    name = unit_named(unit)
    target = NOTEBOOKS / f"{name}.ipynb"
    if not target.exists():
        _write(target, notebook_text(lessons()[name]))
    return open_notebooks(target)


def reset(unit: str, notebooks: Path = NOTEBOOKS) -> list[str]:
    """Put a unit back to its beginning; return what was done, one sentence each. Nothing that you wrote is lost."""
    name = unit_named(unit)
    target = notebooks / f"{name}.ipynb"
    said = []
    fresh = notebook_text(lessons()[name])
    if target.exists() and target.read_text(encoding="utf-8") != fresh:
        kept = next(
            path for n in range(1, 10_000) if not (path := notebooks / f"{name}.before-reset-{n}.ipynb").exists()
        )
        os.replace(target, kept)
        said.append(f"Your notebook was kept as {kept.name}.")
    _write(target, fresh)
    said.append(f"{target.name} is as it was at the beginning.")
    progress = progress_folder() / f"{name}.json"
    if progress.exists():
        os.replace(progress, progress.with_suffix(".before-reset"))
        said.append("Predictions, exercises and quiz of this unit begin anew.")
    return said


def _write(target: Path, text: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}.") from error
