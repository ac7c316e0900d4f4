"""The figures that can be drawn from one trace, by name. Each is made by its own file; nothing is drawn here."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.trace.trace import Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES = {
    "map": ("network_map", "draw_map"),
    "ladder": ("ladder", "draw_ladder"),
    "names": ("names", "names"),
    "wire": ("wire_figure", "wire_figure"),
    "readers": ("readers", "readers"),
    "envelope": ("envelope", "envelope"),
    "timeline": ("timeline", "timeline"),
    "custody": ("custody", "custody"),
}
"""Name -> (file in this folder, function that takes a trace)."""
PICTURES = (".png", ".svg")


def draw(name: str, trace: Trace, **options: Any) -> Figure:
    """Draw one figure by its name. Raises UsageError for an unknown name or option."""
    if name not in FIGURES:
        raise UsageError(f"There is no figure {name!r}; there are {', '.join(FIGURES)}.")
    file, function = FIGURES[name]
    figure: Figure = getattr(import_module(f"simulator.views.{file}"), function)(trace, **options)
    return figure


def figure_and_file(text: str) -> tuple[str, Path]:
    """Read "ladder.png", "readers:slide.svg" or "anything.png" (the map) as (figure, file). Raises UsageError."""
    name, colon, file = text.partition(":")
    if colon and name.isalpha() and len(name) > 1 and name not in FIGURES:
        raise UsageError(f"There is no figure {name!r}; there are {', '.join(FIGURES)}.")
    if not colon or name not in FIGURES:  # a Windows path begins with a letter and a colon
        name, file = Path(text).stem if Path(text).stem in FIGURES else "map", text
    if Path(file).suffix.lower() not in PICTURES:
        raise UsageError(f"A figure is written as .png or .svg, not as {file}.")
    return name, Path(file)
