"""The wire as a picture: pages of lines and records, each with its first octets and what it means."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.protocol.tls_records import HEADER_OCTETS
from simulator.trace.trace import ConnectionLog, Trace
from simulator.views.hops import hops
from simulator.views.lettering import PAGE_HEIGHT, PAGE_WIDTH, cut, new_page, wrapped, write
from simulator.views.network_map import GROUND, STYLES
from simulator.views.wire import WireRecord, wire_records

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP_PX, BOTTOM_PX = 76.0, 44.0
LINE_PX, MORE_PX = 47.0, 19.0
"""Of a row with one line of explanation, and of each further line."""
ARROW_PX = (120.0, 194.0)
TEXT_PX, OCTETS_PX = 208.0, 922.0
SHOWN_OCTETS = 10
LETTER_PX = 10.03
"""Width of one monospaced letter of 12 pt at 100 pixels per inch."""
_MOST_LETTERS = 300
"""More of a line would not fit in any case."""


@cache
def _explained(words: str) -> tuple[str, ...]:
    return tuple(wrapped(words, PAGE_WIDTH - TEXT_PX - 16, 3, 12))


def _height(record: WireRecord) -> float:
    return LINE_PX + MORE_PX * (len(_explained(record.explanation)) - 1)


def wire_pages(records: Sequence[WireRecord]) -> tuple[tuple[WireRecord, ...], ...]:
    """Return the records page by page: as many on each as there is room for. Always at least one page."""
    pages: list[list[WireRecord]] = [[]]
    left = room = PAGE_HEIGHT - TOP_PX - BOTTOM_PX
    for record in records:
        height = _height(record)
        if height > left:
            pages.append([])
            left = room
        pages[-1].append(record)
        left -= height
    return tuple(tuple(page) for page in pages)


def alt_text(log: ConnectionLog, records: Sequence[WireRecord], page: int, pages: int) -> str:
    """Describe one page in words."""
    told = "; ".join(f"{record.mark} {record.text[:_MOST_LETTERS]}" for record in records)
    ends = f"{log.client_host} to {log.server_host} port {log.server_port}"
    return f"On the wire from {ends}, page {page} of {pages}: {told}."


def wire_figure(trace: Trace, connection: int | None = None, page: int = 1) -> Figure:
    """Draw one page of a connection's octets, 1280 x 720 pixels; by default the first SMTP connection.

    Raises UsageError for a connection or page that there is not, or without matplotlib.
    """
    if connection is None:
        smtp = hops(trace)
        if not smtp:
            raise UsageError("There is no SMTP connection in this trace. Send a message first, or name a connection.")
        connection = smtp[0].log.number
    records = wire_records(trace, connection)
    pages = wire_pages(records)
    if not 1 <= page <= len(pages):
        raise UsageError(f"These octets fill {len(pages)} page(s); there is no page {page}.")
    log, own = trace.connections[connection], pages[page - 1]
    title = f"On the wire: {log.client_host} to {log.server_host} port {log.server_port}"
    figure, axes = new_page(alt_text(log, own, page, len(pages)), cut(title, PAGE_WIDTH - 180, 17, bold=True))
    write(axes, PAGE_WIDTH - 16, 26, f"page {page} of {len(pages)}", fontsize=13, ha="right")
    headings = (
        (16, "time (ms)"),
        (ARROW_PX[0] - 2, "\N{RIGHTWARDS ARROW} server"),
        (TEXT_PX, "what it is"),
        (OCTETS_PX, "first octets"),
    )
    for x, words in headings:
        write(axes, x, 56, words, fontsize=12, style="italic")
    y = TOP_PX
    for number, record in enumerate(own):
        if number % 2 == 0:
            axes.axhspan(y, y + _height(record), color=GROUND, zorder=0)
        _row(axes, record, y)
        y += _height(record)
    secret = sum(record.encrypted for record in records)
    sealed = f"{secret} are encrypted: only type, version and length can be seen." if secret else "None is encrypted."
    words = f"{len(records)} lines and records. {sealed}"
    write(axes, 20, PAGE_HEIGHT - 21, words if records else "Nothing was put on this wire.", fontsize=12.5)
    return figure


def _row(axes: Any, record: WireRecord, top: float) -> None:
    look = STYLES["protected" if record.encrypted else "readable"]
    middle = top + 13
    write(axes, 94, middle, f"{record.at_s * 1000:.0f}", ha="right", family="monospace", fontsize=12)
    _arrow(axes, record.direction == "c2s", middle, look)
    word = "encrypted" if record.encrypted else "readable"
    write(axes, sum(ARROW_PX) / 2, middle + 20, word, fontsize=12, ha="center", color=look.color)
    text, room = record.text[:_MOST_LETTERS], OCTETS_PX - TEXT_PX - 16
    size = 12.0 if cut(text, room, 13, bold=True).endswith("\N{HORIZONTAL ELLIPSIS}") else 13.0
    bold = size > 12  # rather smaller and lighter than cut off
    text = cut(text, room, size, bold=bold)
    write(axes, TEXT_PX, middle, text, fontsize=size, color=look.color, fontweight="bold" if bold else "normal")
    for number, line in enumerate(_explained(record.explanation)):
        write(axes, TEXT_PX, middle + 20 + number * MORE_PX, line, fontsize=12)
    _octets(axes, record, middle)


def _arrow(axes: Any, to_server: bool, y: float, look: Any) -> None:
    left, right = ARROW_PX
    start, end = (left, right) if to_server else (right, left)
    axes.plot([left, right], [y, y], color=look.color, linestyle=look.line, linewidth=2.2, zorder=3)
    axes.annotate("", xy=(end, y), xytext=(end - (end - start) * 0.15, y), zorder=4,
                  arrowprops={"arrowstyle": "-|>", "color": look.color, "linewidth": 1.0, "mutation_scale": 17,
                              "shrinkA": 0, "shrinkB": 0})  # fmt: skip


def _octets(axes: Any, record: WireRecord, y: float) -> None:
    """Write the first octets; the header of a TLS record, which is never encrypted, stands out."""
    head = record.octets[:HEADER_OCTETS].hex(" ") if not record.readable else ""
    shown = record.octets[:SHOWN_OCTETS].hex(" ")
    more = " ..." if record.size_octets > SHOWN_OCTETS else ""
    if head:
        write(axes, OCTETS_PX, y, head, fontsize=12, family="monospace", fontweight="bold")
    rest = (shown[len(head) :] + more).lstrip()
    write(axes, OCTETS_PX + LETTER_PX * (len(head) + 1 if head else 0), y, rest, fontsize=12, family="monospace")
