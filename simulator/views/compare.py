"""One message sent in several ways, side by side as text: what was readable, and what it cost in round trips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulator.protocol.round_trips import round_trips
from simulator.trace.trace import Trace
from simulator.views.hops import hops
from simulator.views.listener import ITEMS, exposure


@dataclass(frozen=True, slots=True)
class Column:
    """One way of sending: facts of its first hop, all counted or searched for in the trace."""

    name: str
    port: int
    tls: str
    readable: Mapping[str, bool | None]
    readable_octets: int
    """Octets of the dialogue that travelled in cleartext."""
    until_mail: int | float
    until_250: int | float


def column(name: str, trace: Trace) -> Column:
    """Return the facts about the submission hop of one trace."""
    hop = hops(trace)[0]
    clear = sum(event.span.end - event.span.start for event in hop.spoken if not event.tls)
    return Column(
        name,
        hop.log.server_port,
        f"{hop.protection} {hop.tls.version}" if hop.tls else hop.protection,
        exposure(hop).items,
        clear,
        round_trips(trace, hop.log.number, "MAIL"),
        round_trips(trace, hop.log.number, "250"),
    )


def compare_text(columns: Sequence[Column]) -> str:
    """Return the table."""
    words = {True: "READABLE", False: "hidden", None: "-"}
    rows: list[tuple[str, ...]] = [
        ("", *(c.name for c in columns)),
        ("port", *(str(c.port) for c in columns)),
        ("protection", *(c.tls for c in columns)),
        *((f"listener: {item}", *(words[c.readable[item]] for c in columns)) for item in ITEMS),
        ("octets of the dialogue in cleartext", *(str(c.readable_octets) for c in columns)),
        ("round trips until MAIL", *(str(c.until_mail) for c in columns)),
        ("round trips until the last 250", *(str(c.until_250) for c in columns)),
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)
