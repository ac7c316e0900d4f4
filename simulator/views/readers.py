"""The table of who could read what of a letter, as a picture; `reader_table` fills it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from simulator.trace.trace import Trace
from simulator.views.lettering import INK, PAGE_HEIGHT, PAGE_WIDTH, cut, new_page, wrapped, write
from simulator.views.network_map import GROUND, STYLES
from simulator.views.reader_table import ITEMS, Cell, Reader, reader_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["alt_text", "reader_table", "readers"]
_HATCHES = {"reads": "//", "hidden": "..", "not there": ""}


def alt_text(readers: Iterable[Reader]) -> str:
    """Describe the table in words."""
    told = []
    for reader in readers:
        read = [item for item in ITEMS[:-1] if reader.cells[item].sight == "reads"]
        told.append(
            f"{reader.name} ({reader.place}) reads {', '.join(read) or 'nothing but sizes'}."
            if reader.reached
            else f"{reader.name}: {reader.place}."
        )
    return "Who could read what. " + " ".join(told)


def readers(trace: Trace) -> Figure:
    """Draw the table, 1280 x 720 pixels. Raises UsageError without a connection or without matplotlib."""
    table = reader_table(trace)
    figure, axes = new_page(alt_text(table), "Who could read what")
    left, top, row = 236.0, 200.0, 88.0
    width = (PAGE_WIDTH - left - 14) / len(table)
    for number, item in enumerate(ITEMS):
        y = top + (number + 0.5) * row
        if number % 2 == 0:
            axes.axhspan(y - row / 2, y + row / 2, color=GROUND, zorder=0)
        lines = wrapped(item, left - 34, 2, 15)
        for index, line in enumerate(lines):
            write(axes, 20, y + (index - (len(lines) - 1) / 2) * 24, line, fontsize=15, fontweight="bold")
    for index, reader in enumerate(table):
        _column(axes, reader, left + index * width, width, top, row)
    write(axes, 20, PAGE_HEIGHT - 50, "Each cell is a search in the octets that this party has; base64 is decoded. "
          "TLS protects links: at both of its ends the letter is in clear.", fontsize=13)  # fmt: skip
    write(axes, 20, PAGE_HEIGHT - 26, "about: counted from the TLS records of the longest run. TLS hides words, not "
          "lengths.", fontsize=13)  # fmt: skip
    return figure


def _column(axes: Any, reader: Reader, x: float, width: float, top: float, row: float) -> None:
    lines = wrapped(reader.name, width - 14, 2, 13.5)
    for index, line in enumerate(lines):
        write(axes, x + 4, 66 + index * 22, cut(line, width - 8, 13.5, bold=True), fontsize=13.5, fontweight="bold")
    for index, line in enumerate(wrapped(reader.place, width - 14, 4, 12)):
        write(axes, x + 4, 70 + len(lines) * 22 + index * 19, line, fontsize=12, style="italic")
    for number, item in enumerate(ITEMS):
        _cell(axes, reader.cells[item], x, width - 8, top + (number + 0.5) * row, row - 16)


def _cell(axes: Any, cell: Cell, x: float, width: float, y: float, height: float) -> None:
    """Draw one cell: word, sign and hatch say the same, so that the color is not needed."""
    from matplotlib.patches import Rectangle

    color = INK if cell.sight == "not there" else STYLES["readable" if cell.sight == "reads" else "protected"].color
    corner = (x, y - height / 2)
    if cell.sight != "not there":
        axes.add_patch(Rectangle(corner, width, height, facecolor="white", edgecolor=color, linewidth=0, alpha=0.45,
                                 hatch=_HATCHES[cell.sight], zorder=1))  # fmt: skip
        axes.add_patch(Rectangle(corner, width, height, fill=False, edgecolor=color, linewidth=1.4, zorder=2))
    bold = cell.sight == "reads" and not cell.detail
    box = {"facecolor": "white", "edgecolor": "none", "pad": 3.0} if cell.sight != "not there" else None
    write(axes, x + width / 2, y, cut(cell.words, width - 14, 13, bold=bold), fontsize=13, color=color, ha="center",
          fontweight="bold" if bold else "normal", bbox=box, zorder=3)  # fmt: skip
