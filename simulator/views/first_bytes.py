"""Who speaks first: the first octets of both sides, for right and wrong pairs of client and port."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from simulator.errors import UsageError
from simulator.protocol.tls_records import tls_records
from simulator.protocol.visible import readable
from simulator.trace.events import TlsFailed
from simulator.trace.trace import Trace
from simulator.views.hops import hops
from simulator.views.lettering import INK, PAGE_HEIGHT, clock, cut, new_page, write
from simulator.views.network_map import GROUND, STYLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_PAIRS = 6
SHOWN_OCTETS = 12


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


def pair(name: str, trace: Trace) -> Pair:
    """Read the first SMTP connection of a trace. Raises UsageError when there is none."""
    found = hops(trace)
    if not found:
        raise UsageError(f'There is no SMTP connection in "{name}".')
    hop = found[0]
    sides = [_first("client", trace, hop.log.number, "wire.c2s.sent", hop.log.opened_s),
             _first("server", trace, hop.log.number, "wire.s2c.sent", hop.log.opened_s)]  # fmt: skip
    sides.sort(key=lambda first: float("inf") if first.after_s is None else first.after_s)
    failed = any(isinstance(event, TlsFailed) for event in hop.events)
    last_s = max((event.at_s for event in hop.events), default=hop.log.opened_s) - hop.log.opened_s
    if all(first.after_s is None for first in sides):
        waited = f" for {clock(last_s)}" if last_s else ""
        end = f"silence{waited}: each waits for the other"
    elif failed:
        end = "the TLS handshake fails: what came was no TLS"
    elif hop.problem:
        end = hop.problem
    else:
        end = "they understand each other"
    return Pair(name, hop.log.server_port, tuple(sides), end)


def _first(side: Literal["client", "server"], trace: Trace, connection: int, name: str, opened_s: float) -> First:
    stream = trace.stream(connection, name)
    if not len(stream):
        return First(side, None, b"", "says nothing")
    octets = stream.octets
    records = tls_records(octets)
    if records and octets[0] in range(0x14, 0x18):
        words = {"client": "a TLS record: ClientHello", "server": "a TLS record"}[side]
        if records[0].name == "alert":
            words = "a TLS alert"
    else:
        words = (readable(octets) or [""])[0]
    return First(side, stream.moment(0).at_s - opened_s, octets[:SHOWN_OCTETS], words)


def alt_text(pairs: list[Pair]) -> str:
    """Describe the figure in words."""
    told = []
    for each in pairs:
        sides = "; ".join(
            f"{first.side}: {first.words}" + ("" if first.after_s is None else f" after {clock(first.after_s)}")
            for first in each.first
        )
        told.append(f"{each.name}: {sides}; {each.end}.")
    return "Who speaks first. " + " ".join(told)


def first_bytes(traces: Mapping[str, Trace]) -> Figure:
    """Draw one row for each of one to six traces, 1280 x 720 pixels. Raises UsageError for another number."""
    if not 1 <= len(traces) <= MOST_PAIRS:
        raise UsageError(f"One to {MOST_PAIRS} pairs can be shown, not {len(traces)}.")
    pairs = [pair(name, trace) for name, trace in traces.items()]
    figure, axes = new_page(alt_text(pairs), "Who speaks first?")
    gap = (PAGE_HEIGHT - 90) / MOST_PAIRS
    for index, each in enumerate(pairs):
        top = 66 + index * gap
        if index % 2 == 0:
            axes.axhspan(top, top + gap, color=GROUND, zorder=0)
        write(axes, 20, top + 24, cut(each.name, 300, 15, bold=True), fontsize=15, fontweight="bold")
        good = each.end == "they understand each other"
        look = STYLES["protected" if good else "readable"]
        sign = "\N{CHECK MARK}" if good else "\N{MULTIPLICATION SIGN}"
        write(axes, 20, top + 54, cut(f"{sign} {each.end}", 330, 12.5, bold=True), fontsize=12.5, color=look.color,
              fontweight="bold")  # fmt: skip
        for number, first in enumerate(each.first):
            _row(axes, first, top + 22 + number * 42, number)
    return figure


def _row(axes: Any, first: First, y: float, place: int) -> None:
    when = "never" if first.after_s is None else clock(first.after_s)
    write(axes, 370, y, f"{place + 1}. {first.side}" if first.after_s is not None else first.side, fontsize=14,
          fontweight="bold")  # fmt: skip
    write(axes, 480, y, when, fontsize=13)
    write(axes, 590, y, cut(first.words, 670, 13), fontsize=13, color=INK)
    if first.octets:
        write(axes, 590, y + 19, first.octets.hex(" "), fontsize=12, family="monospace", color=INK)
