"""The ladder: hosts as columns, time downwards, every command and reply, TLS as a band. Drawn with matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.trace.trace import Trace
from simulator.views.ladder_rows import LadderPage, Row, ladder_pages, ladder_text
from simulator.views.lens import Lens
from simulator.views.lettering import cut, shown
from simulator.views.network_map import GROUND, INK, STYLES, Style
from simulator.views.picture import new_picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_PX, HEIGHT_PX = 1280, 720
LEFT, RIGHT = 186.0, 92.0
"""From the edges of the picture to the middle of the first and the last column, in pixels."""
TOP, BOTTOM = 90.0, 40.0
LETTERS_PT = 12.0
LETTER_PX = 10.1
"""Width of one monospaced letter of that size at 100 pixels per inch."""
LOOKS: dict[str, Style] = {
    "readable": STYLES["readable"]._replace(width=2.2),
    "protected": STYLES["protected"]._replace(width=2.6),
    "hidden": STYLES["protected"]._replace(color="#555555", width=2.6),
    "dns": STYLES["dns"]._replace(width=2.0),
    "failed": STYLES["failed"],
    "tls": STYLES["protected"],
    "happened": Style(INK, "solid", 1.0),
    "path": Style("#7a0060", "solid", 1.6),
}
LEGEND = {
    "readable": "-> <- readable on the path",
    "protected": "~> <~ inside TLS",
    "hidden": "inside TLS: only its size is seen",
    "dns": "DNS, readable",
    "failed": "failed",
    "path": "done by the box on the path",
}


def alt_text(page: LadderPage) -> str:
    """Describe one page in words."""
    who = "" if page.lens.kind == "everything" else f", as seen by {page.lens.name}"
    return f"Ladder{who}, page {page.number} of {page.of}. Hosts: {', '.join(page.columns)}.\n{ladder_text([page])}"


def column_places(page: LadderPage) -> dict[str, float]:
    """Return the x of every column, in pixels."""
    if len(page.columns) == 1:
        return {page.columns[0]: WIDTH_PX / 2}
    gap = (WIDTH_PX - LEFT - RIGHT) / (len(page.columns) - 1)
    return {host: LEFT + gap * index for index, host in enumerate(page.columns)}


def row_places(page: LadderPage) -> list[float]:
    """Return the y of every row's line, in pixels from above; order kept, no two closer than a line of text."""
    gap = min(34.0, (HEIGHT_PX - TOP - BOTTOM) / max(1, len(page.rows)))
    return [TOP + gap * (index + 1) for index in range(len(page.rows))]


def words_of(row: Row, room_px: float) -> str:
    """Return the text of a row as far as it fits, with the mark that says what was readable."""
    text = shown(f"{row.mark} {row.text}" if row.mark != "--" else row.text)
    room = int(room_px / LETTER_PX)
    return text if len(text) <= room else text[: max(1, room - 1)] + "…"


def draw_ladder(trace: Trace, lens: str | Lens | None = None, hop: int | None = None, page: int = 1) -> Figure:
    """Draw one page of the ladder, 1280 x 720 pixels.

    `lens` shows what one party has: "sender", "receiver", "listener", "listener:1", "operator:mx.bob.example"; `hop`
    only one SMTP connection. Raises UsageError for a lens, hop or page that there is not, or without matplotlib.
    """
    pages = ladder_pages(trace, lens, hop)
    if not 1 <= page <= len(pages):
        raise UsageError(f"This ladder has {len(pages)} pages; there is no page {page}.")
    return _draw(pages[page - 1])


def _draw(page: LadderPage) -> Figure:
    figure = new_picture(alt_text(page))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, WIDTH_PX)
    axes.set_ylim(HEIGHT_PX, 0)
    axes.set_axis_off()
    _heading(axes, page)
    for host, x in column_places(page).items():
        axes.plot([x, x], [TOP - 4, HEIGHT_PX - BOTTOM + 6], color="#9a927c", linewidth=1.2, zorder=1)
        label, dot, domain = host.partition(".")
        for level, part, weight in ((54, label, "bold"), (74, dot + domain, "normal")):
            axes.text(
                x, level, cut(part, 168), ha="center", va="center", fontsize=13, fontweight=weight, color=INK,
                parse_math=False,
            )  # fmt: skip
    places = column_places(page)
    for row, y in zip(page.rows, row_places(page), strict=True):
        _row(axes, row, places, y)
    _legend(axes, page)
    return figure


def _heading(axes: Any, page: LadderPage) -> None:
    who = "" if page.lens.kind == "everything" else f", as seen by {page.lens.name}"
    axes.text(16, 24, f"Who said what{who}", fontsize=17, fontweight="bold", color=INK, va="center", parse_math=False)
    missing = f"; {page.left_out} steps do not pass by here" if page.left_out else ""
    axes.text(
        WIDTH_PX - 14, 24, f"page {page.number} of {page.of}{missing}", fontsize=13, color=INK, va="center", ha="right"
    )
    axes.text(14, 74, "time (ms)", fontsize=12, style="italic", color=INK, va="center")


def _row(axes: Any, row: Row, places: dict[str, float], y: float) -> None:
    look = LOOKS[row.style]
    axes.text(96, y - 10, f"{row.at_s * 1000:.0f}", ha="right", va="center", fontsize=12, color=INK, family="monospace")
    left = min(places[row.from_host], places[row.to_host])
    right = max(places[row.from_host], places[row.to_host])
    if row.style == "tls":
        from matplotlib.patches import Rectangle

        axes.add_patch(Rectangle((left, y - 21), right - left, 23, facecolor=GROUND, edgecolor=look.color,
                                 hatch="///", linewidth=1.2, zorder=2))  # fmt: skip
    elif row.travels:
        axes.annotate(
            "", xy=(places[row.to_host], y), xytext=(places[row.from_host], y), zorder=6,
            arrowprops={"arrowstyle": "<|-|>" if row.both_ways else "-|>", "color": look.color, "linestyle": look.line,
                        "linewidth": look.width, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 15},
        )  # fmt: skip
    else:
        shape = "s" if row.style == "happened" else "X"
        axes.plot([left], [y - 10], marker=shape, markersize=9, color=look.color, zorder=6)
    # What happened far on the right is written to the left of its host.
    leftwards = not row.travels and left > WIDTH_PX / 2
    x = left - 12 if leftwards else left + 12
    axes.text(
        x, y - 11, words_of(row, x - 110 if leftwards else WIDTH_PX - 10 - x), ha="right" if leftwards else "left",
        va="center", fontsize=LETTERS_PT, family="monospace", color=look.color, zorder=5, parse_math=False,
        fontweight="bold" if row.style in ("path", "failed") else "normal",
        style="italic" if row.style in ("happened", "hidden") else "normal",
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},
    )  # fmt: skip


def _legend(axes: Any, page: LadderPage) -> None:
    from matplotlib.lines import Line2D

    used = {row.style for row in page.rows}
    handles = [
        Line2D([], [], color=LOOKS[name].color, linestyle=LOOKS[name].line, linewidth=LOOKS[name].width, label=words)
        for name, words in LEGEND.items()
        if name in used
    ]
    if handles:
        axes.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize=12, frameon=False,
                    handlelength=3.0, bbox_to_anchor=(0.5, -0.01))  # fmt: skip
