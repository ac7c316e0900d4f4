"""Who speaks first: the first octets of both sides, for right and wrong pairs of client and port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from simulator.errors import UsageError
from simulator.protocol.tls_records import HEADER_OCTETS, TlsRecord, tls_records
from simulator.protocol.visible import readable
from simulator.trace.events import ConnectionClosed, TlsFailed
from simulator.trace.trace import Trace
from simulator.views.hops import Hop, hops
from simulator.views.lettering import INK, PAGE_HEIGHT, clock, cut, new_page, wrapped, write
from simulator.views.network_map import GROUND, STYLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PAIRS = 6
SHOWN_OCTETS = 12
UNDERSTOOD = "they understand each other"
_HANDSHAKES = {1: "ClientHello", 2: "ServerHello"}
"""RFC 8446 section 4."""


@dataclass(frozen=True, slots=True)
class First:
    """What one side put on the wire first."""

    side: Literal["client", "server"]
    after_s: float | None
    """Seconds since the SYN; None when it never said anything."""
    octets: bytes
    words: str


@dataclass(frozen=True, slots=True)
class Pair:
    """One client at one port."""

    name: str
    port: int
    first: tuple[First, ...]
    """Client and server, who spoke first at the front; the silent one last."""
    end: str
    """What came of it."""
    until_s: float
    """Seconds from the SYN to the end of the connection, or to the last thing known of it."""


def pair(name: str, trace: Trace) -> Pair:
    """Read the first SMTP connection of a trace. Raises UsageError when there is none."""
    found = hops(trace)
    if not found:
        raise UsageError(f'There is no SMTP connection in "{name}".')
    hop = found[0]
    until_s = _until_s(hop)
    sides = [_first("client", hop, until_s), _first("server", hop, until_s)]
    sides.sort(key=lambda first: float("inf") if first.after_s is None else first.after_s)
    return Pair(name, hop.log.server_port, tuple(sides), _end(hop, sides, until_s), until_s)


def _until_s(hop: Hop) -> float:
    """Return when the connection ended; while it is open, when something was last heard of it."""
    closed = [event.at_s for event in hop.events if isinstance(event, ConnectionClosed)]
    pieces = [piece.at_s for name in ("wire.c2s.sent", "wire.s2c.sent") for piece in hop.log.stream(name).pieces()]
    heard = [*pieces, *(event.at_s for event in hop.events)]
    return (closed[0] if closed else max(heard, default=hop.log.opened_s)) - hop.log.opened_s


def _end(hop: Hop, sides: list[First], until_s: float) -> str:
    if all(first.after_s is None for first in sides):
        if not hop.events or not any(isinstance(event, ConnectionClosed) for event in hop.events):
            return hop.problem or "silence: each waits for the other"
        return f"{_silence(until_s)}: each waits for the other"
    if any(isinstance(event, TlsFailed) for event in hop.events):
        answer = hop.log.stream("wire.s2c.sent").slice(0, HEADER_OCTETS)
        if len(answer) == HEADER_OCTETS and not tls_records(answer):
            # The client took the text for the header of a record (RFC 8446 section 5.1), with a version in the middle.
            # OpenSSL calls that WRONG_VERSION_NUMBER.
            return f'the TLS handshake fails: WRONG_VERSION_NUMBER ("{readable(answer[1:3])[0]}" is no version)'
        return "the TLS handshake fails"
    return hop.problem or UNDERSTOOD


def _silence(for_s: float) -> str:
    return f"silence for {clock(for_s)}"


def _first(side: Literal["client", "server"], hop: Hop, until_s: float) -> First:
    stream = hop.log.stream("wire.c2s.sent" if side == "client" else "wire.s2c.sent")
    if not len(stream):
        return First(side, None, b"", f"{side}: {_silence(until_s)}" if until_s else f"{side}: says nothing")
    octets = stream.octets
    records = tls_records(octets)
    if records:
        words = f"{side}: {_record_words(records[0], octets)}"
    else:
        line = (readable(octets) or [""])[0]
        words = f"server greets: {line}" if side == "server" and line.startswith("220") else f"{side}: {line}"
    return First(side, stream.moment(0).at_s - hop.log.opened_s, octets[:SHOWN_OCTETS], words)


def _record_words(record: TlsRecord, octets: bytes) -> str:
    parts = ["TLS record", record.name.replace("_", " ")]
    kind = octets[record.start + HEADER_OCTETS : record.start + HEADER_OCTETS + 1]
    if record.name == "handshake" and kind:
        parts.append(_HANDSHAKES.get(kind[0], f"message {kind[0]}"))
    return ", ".join(parts)


def alt_text(pairs: list[Pair]) -> str:
    """Describe the figure in words."""
    told = []
    for each in pairs:
        sides = "; ".join(
            first.words + ("" if first.after_s is None else f" after {clock(first.after_s)}") for first in each.first
        )
        told.append(f"{each.name}: {sides}; {each.end}.")
    return "Who speaks first. " + " ".join(told)


# --- the picture -----------------------------------------------------------------------------------------------------

_LANE_X, _LANE_END = 420.0, 600.0
"""Between them runs the time of one row."""


def first_bytes(traces: Mapping[str, Trace]) -> Figure:
    """Draw one row for each of one to six traces, 1280 x 720 pixels. Raises UsageError for another number."""
    if not 1 <= len(traces) <= MOST_PAIRS:
        raise UsageError(f"One to {MOST_PAIRS} pairs can be shown, not {len(traces)}.")
    pairs = [pair(name, trace) for name, trace in traces.items()]
    figure, axes = new_page(alt_text(pairs), "Who speaks first?")
    gap = (PAGE_HEIGHT - 90) / MOST_PAIRS
    for index, each in enumerate(pairs):
        top = 56 + index * gap
        if index % 2 == 0:
            axes.axhspan(top, top + gap, color=GROUND, zorder=0)
        write(axes, 20, top + 22, cut(each.name, 300, 15, bold=True), fontsize=15, fontweight="bold")
        good = each.end == UNDERSTOOD
        look = STYLES["protected" if good else "readable"]
        sign = "\N{CHECK MARK}" if good else "\N{MULTIPLICATION SIGN}"
        for number, line in enumerate(wrapped(f"{sign} {each.end}", 275, 3, 12.5)):  # bold is wider
            write(axes, 20, top + 47 + number * 20, cut(line, 310, 12.5, bold=True), fontsize=12.5, color=look.color,
                  fontweight="bold")  # fmt: skip
        for number, first in enumerate(each.first):
            _lane(axes, first, each.until_s, top + 20 + number * 50)
    write(axes, 20, PAGE_HEIGHT - 18, "Each line: from the SYN to the end of the connection, or of what is known; "
          "the dot is the first octet. Solid after it, dotted in silence.", fontsize=12.5)  # fmt: skip
    return figure


def _lane(axes: Any, first: First, until_s: float, y: float) -> None:
    from matplotlib.lines import Line2D

    write(axes, 345, y, first.side, fontsize=13, fontweight="bold")
    spoke = first.after_s is not None
    share = first.after_s / until_s if first.after_s is not None and until_s else 0.0
    start = _LANE_X + (_LANE_END - _LANE_X) * min(1.0, share) if spoke else _LANE_END
    silent, said = STYLES["dns"].line, STYLES["protected"].line
    axes.add_line(Line2D([_LANE_X, start], [y, y], color=INK, linestyle=silent, linewidth=2.0, zorder=2))
    if first.after_s is not None:
        axes.add_line(Line2D([start, _LANE_END], [y, y], color=INK, linestyle=said, linewidth=2.4, zorder=2))
        axes.add_line(Line2D([start], [y], color=INK, marker="o", markersize=9, zorder=3))
        write(axes, 620, y, clock(first.after_s), fontsize=13)
        write(axes, 720, y + 20, first.octets.hex(" "), fontsize=12, family="monospace", color=INK)
    axes.add_line(Line2D([_LANE_X, _LANE_X], [y - 6, y + 6], color=INK, linewidth=1.6, zorder=2))
    write(axes, 720, y, cut(first.words, 545, 13), fontsize=13, color=INK)
