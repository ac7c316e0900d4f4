"""The map: who spoke to whom, in which order, and what a listener could have read. Drawn with networkx and matplotlib."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simulator.errors import UsageError
from simulator.trace.trace import Trace
from simulator.views.place import Line, lines, place_hosts, territories

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROTECTED = "#0b5d1e"
READABLE = "#a3330a"
NAMES = "#3a3a8c"
INK = "#1a1a1a"


def label(line: Line) -> str:
    """Return the text on a line: order, service, port, protection, and how often."""
    what = "DNS" if line.port == 53 else line.service
    times = f" ×{line.count}" if line.count > 1 else ""
    if line.failed:
        return f"{line.first}. {what} {line.port}{times}: no connection"
    protection = "" if line.port == 53 else f", {line.protection}"
    return f"{line.first}. {what} {line.port}{times}{protection}"


def alt_text(trace: Trace) -> str:
    """Describe the map in words, for those who cannot see it."""
    told = [f"{line.client} to {line.server}: {label(line)}" for line in lines(trace)]
    return "Map of the connections, in order. " + "; ".join(told) + "."


def draw_map(trace: Trace) -> Figure:
    """Draw the hosts in their territories and the connections between them.

    Solid thick lines are protected by TLS, dashed ones readable, dotted thin ones DNS (always readable); every line says
    so in words too. Raises UsageError when the trace has no connections or a drawing library is missing.
    """
    try:
        import networkx
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError(f"Pictures need the package {error.name}; install it with: "
                         f"python -m pip install -r requirements.txt") from error
    drawn = lines(trace)
    if not drawn:
        raise UsageError("There is nothing to draw: the trace has no connections. Send a message first.")
    positions = place_hosts(trace)
    graph = networkx.MultiDiGraph()
    graph.add_nodes_from(positions)
    figure = Figure(figsize=(12.8, 7.2), dpi=100, layout="constrained")
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_title("Who spoke to whom", fontsize=20, color=INK, loc="left")
    for territory in territories(trace):
        axes.text(territory.x, max(y for _, y in positions.values()) + 0.95, territory.name, ha="center", va="bottom",
                  fontsize=16, fontweight="bold", color=INK)
    networkx.draw_networkx_nodes(graph, positions, ax=axes, node_size=900, node_color="#f4f1e6", edgecolors=INK, linewidths=1.8)
    for host, (x, y) in positions.items():
        axes.text(x, y - 0.36, host, ha="center", va="top", fontsize=13, color=INK, zorder=5,
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.9})
    for line in drawn:
        color, style, width = ((NAMES, "dotted", 1.6) if line.port == 53 else
                               (PROTECTED, "solid", 3.4) if line.protected else (READABLE, "dashed", 2.6))
        bend = 0.0 if line.port != 53 else 0.12
        networkx.draw_networkx_edges(
            graph, positions, edgelist=[(line.client, line.server)], ax=axes, edge_color=color, style=style, width=width,
            arrowsize=22, node_size=900, connectionstyle=f"arc3,rad={bend}")
        (x0, y0), (x1, y1) = positions[line.client], positions[line.server]
        share = 0.5 if line.port != 53 else 0.62
        axes.text(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share, label(line), ha="center", va="center", fontsize=12,
                  color=color, zorder=6, bbox={"facecolor": "white", "edgecolor": color, "boxstyle": "round,pad=0.25", "lw": 0.8})
    axes.margins(0.12)
    figure.set_gid(alt_text(trace))
    return figure
