"""The wire as a picture: a page of lines and records, each with its first octets and what it means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.trace.trace import Trace
from simulator.views.hops import hops
from simulator.views.lettering import INK, PAGE_HEIGHT, PAGE_WIDTH, cut, new_page, shown, write
from simulator.views.network_map import GROUND, STYLES
from simulator.views.wire import WireRecord, wire_records

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RECORDS_PER_PAGE = 12
TOP_PX = 92.0
ROW_PX = 48.0


def alt_text(records: tuple[WireRecord, ...], page: int, pages: int) -> str:
    """Describe one page in words."""
    told = "; ".join(f"{record.mark} {record.text}" for record in records)
    return f"What a listener has of one connection, page {page} of {pages}: {told}."


def wire_figure(trace: Trace, connection: int | None = None, page: int = 1) -> Figure:
    """Draw one page of a connection's octets, 1280 x 720 pixels; by default the first SMTP connection.

    Raises UsageError for a connection or page that there is not.
    """
    smtp = hops(trace)
    if connection is None:
        if not smtp:
            raise UsageError("There is no SMTP connection in this trace.")
        connection = smtp[0].log.number
    if connection not in trace.connections:
        raise UsageError(f"There is no connection {connection} in this trace.")
    records = wire_records(trace, connection)
    pages = max(1, -(-len(records) // RECORDS_PER_PAGE))
    if not 1 <= page <= pages:
        raise UsageError(f"These octets fill {pages} pages; there is no page {page}.")
    log = trace.connections[connection]
    shown_records = records[(page - 1) * RECORDS_PER_PAGE : page * RECORDS_PER_PAGE]
    title = f"On the wire: {log.client_host} to {log.server_host} port {log.server_port}"
    figure, axes = new_page(alt_text(shown_records, page, pages), title)
    write(axes, PAGE_WIDTH - 16, 58, f"page {page} of {pages}", fontsize=13, ha="right")
    for x, words in ((20, "time (ms)"), (126, "->  client   <-  server   (~ inside TLS)"), (880, "first octets")):
        write(axes, x, 58, words, fontsize=12.5, style="italic")
    for number, record in enumerate(shown_records):
        _row(axes, record, TOP_PX + number * ROW_PX, number)
    left = sum(not record.readable for record in records)
    words = f"{len(records)} lines and records; of {left} of them only type, version and length can be seen."
    write(axes, 20, PAGE_HEIGHT - 22, words, fontsize=12.5)
    return figure


def _row(axes: Any, record: WireRecord, y: float, number: int) -> None:
    look = STYLES["readable" if record.readable else "protected"]
    if number % 2 == 0:
        axes.axhspan(y - 12, y + ROW_PX - 12, color=GROUND, zorder=0)
    write(axes, 96, y, f"{record.at_s * 1000:.0f}", ha="right", family="monospace", fontsize=12)
    text = cut(f"{record.mark} {record.text}", 745, 13, bold=True)
    write(axes, 126, y, text, fontsize=13, color=look.color, fontweight="bold")
    write(axes, 150, y + 22, cut(record.explanation, 1100, 12), fontsize=12, color=INK)
    octets = shown(record.octets[:11].hex(" ")) + (" ..." if record.size_octets > 11 else "")
    write(axes, 880, y, octets, fontsize=12, family="monospace", color=INK)
