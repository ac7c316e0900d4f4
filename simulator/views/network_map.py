"""The map: who spoke to whom, in which order, and what a listener could read. Drawn with networkx and matplotlib."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

from simulator.errors import UsageError
from simulator.trace.trace import Trace
from simulator.views.picture import new_picture
from simulator.views.place import (
    HEIGHT,
    WIDTH,
    Line,
    lines,
    name_stands_above,
    place_hosts,
    place_labels,
    role_of,
    territories,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#1a1a1a"
HEAD_LENGTH = 9.0
"""Of the piece of line that bears the head of an arrow, in hundredths of the picture's height."""
GROUND = "#f3efe4"


class Style(NamedTuple):
    """How a line looks."""

    color: str
    line: Literal["solid", "dashed", "dotted", "dashdot"]
    width: float


STYLES = {  # told apart by line style and words, not by colour alone
    "protected": Style("#0b5d1e", "solid", 4.0),
    "readable": Style("#a3330a", "dashed", 3.0),
    "dns": Style("#33339a", "dotted", 2.4),
    "failed": Style("#666666", "dashdot", 2.0),
}
LEGEND = (
    ("protected", "protected by TLS"),
    ("readable", "readable by anyone on the path"),
    ("dns", "question to the DNS, readable"),
    ("failed", "no connection"),
)


def kind(line: Line) -> str:
    """Return how a line is drawn: a key of `STYLES`."""
    if line.failed:
        return "failed"
    if line.port == 53:
        return "dns"
    return "protected" if line.protected else "readable"


def alt_text(trace: Trace) -> str:
    """Describe the map in words, for those who cannot see it."""
    told = [f"{line.client} to {line.server}: {' '.join(line.label.split())}" for line in lines(trace)]
    return "Map of who spoke to whom, in order. " + "; ".join(told) + "."


def _draw_head(axes: Axes, start: tuple[float, float], end: tuple[float, float], color: str) -> None:
    """Draw the head of an arrow by itself: at the end of a dotted line it would be dotted, too."""
    share = HEAD_LENGTH / math.dist(start, end)
    near = (end[0] + (start[0] - end[0]) * share, end[1] + (start[1] - end[1]) * share)
    look = {"arrowstyle": "-|>", "color": color, "linewidth": 1.0, "mutation_scale": 26, "shrinkA": 0, "shrinkB": 12}
    axes.annotate("", xy=end, xytext=near, zorder=4, arrowprops=look)


def draw_map(trace: Trace) -> Figure:
    """Draw the hosts in their territories and the connections between them, 1280 x 720 pixels.

    Raises UsageError when the trace has no connections, or when networkx or matplotlib is missing.
    """
    drawn = lines(trace)
    if not drawn:
        raise UsageError("There is nothing to draw: the trace has no connections. Send a message first.")
    try:
        import networkx
        from matplotlib.lines import Line2D
        from matplotlib.patches import FancyBboxPatch
    except ImportError as error:
        raise UsageError(
            f"Pictures need the package {error.name}; install it with: python -m pip install -r requirements.txt"
        ) from error
    figure = new_picture(alt_text(trace))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(0, HEIGHT)
    axes.set_axis_off()
    for territory in territories(trace):
        axes.add_patch(
            FancyBboxPatch(
                (territory.x - 20, 8), 40, 82, boxstyle="round,pad=0,rounding_size=2", fc=GROUND, ec="#b8b09a", zorder=0
            )
        )
        axes.text(
            territory.x, 91.5, territory.name, ha="center", va="bottom", fontsize=17, fontweight="bold", color=INK
        )
    positions = place_hosts(trace)
    graph = networkx.MultiDiGraph()
    graph.add_nodes_from(positions)
    for line in drawn:
        look = STYLES[kind(line)]
        graph.add_edge(line.client, line.server)
        networkx.draw_networkx_edges(
            graph, positions, edgelist=[(line.client, line.server)], ax=axes, edge_color=look.color,
            style=look.line, width=look.width, arrowstyle="-", arrows=True, node_size=620,
        )  # fmt: skip
        _draw_head(axes, positions[line.client], positions[line.server], look.color)
    networkx.draw_networkx_nodes(
        graph, positions, ax=axes, node_size=620, node_color="white", edgecolors=INK, linewidths=2.2
    )
    for host, (x, y) in positions.items():
        box = {"facecolor": GROUND, "edgecolor": "none", "pad": 1.5}
        name_y, role_y = (y + 10.2, y + 5.6) if name_stands_above(y) else (y - 5.6, y - 10.2)
        axes.text(x, name_y, host, ha="center", va="center", fontsize=14, color=INK, zorder=5, bbox=box)
        axes.text(
            x,
            role_y,
            role_of(host, drawn),
            ha="center",
            va="center",
            fontsize=12.5,
            style="italic",
            color=INK,
            zorder=5,
            bbox=box,
        )
    for line in drawn:
        x, y = place_labels(trace)[line.place]
        color = STYLES[kind(line)].color
        frame = {"facecolor": "white", "edgecolor": color, "boxstyle": "round,pad=0.3", "linewidth": 1.4}
        axes.text(
            x, y, line.label, ha="center", va="center", fontsize=13, color=color, zorder=6, bbox=frame, linespacing=1.15
        )
    used = {kind(line) for line in drawn}
    handles = [
        Line2D([], [], color=STYLES[name].color, linestyle=STYLES[name].line, linewidth=STYLES[name].width, label=words)
        for name, words in LEGEND
        if name in used
    ]
    axes.legend(handles=handles, loc="lower center", ncols=len(handles), fontsize=13, frameon=False, handlelength=3.5)
    axes.set_xlim(0, WIDTH)  # networkx changes the limits
    axes.set_ylim(0, HEIGHT)
    return figure
