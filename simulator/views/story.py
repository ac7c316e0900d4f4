"""The story of one message as text: the dialogue of each step, where it could be read, and where it landed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simulator.export.transcript import happening, hop_lines, wrapped
from simulator.protocol.visible import readable
from simulator.trace.events import (
    DnsAnswered,
    FieldsAdded,
    MessageComposed,
    MessageStored,
    Note,
    RecipientResult,
    RouteChosen,
)
from simulator.trace.trace import Trace
from simulator.views.hops import Hop, hops
from simulator.views.listener import ITEMS, exposure

MARKS = "Marks: -> <- readable by anyone on the path   ~> <~ inside TLS   -- not said, but happened"


def story(trace: Trace, letters: Mapping[str, bytes] | None = None) -> str:
    """Tell what happened to the messages of a trace, step by step.

    `letters` maps a mailbox to the octets that lie in it; its header is shown at the end.
    """
    return "\n".join(_story(trace, letters or {}))


def _story(trace: Trace, letters: Mapping[str, bytes]) -> Iterator[str]:
    found = hops(trace)
    for composed in trace.of(MessageComposed):
        yield (
            f"{composed.reverse_path} writes to {', '.join(composed.recipients)} ({composed.size_octets} octets). "
            f"Medium: {trace.header.get('medium')}; {float(trace.header.get('latency_s', 0)) * 1000:g} ms one way."
        )
    for note in trace.of(Note):
        yield f"NOTE: {note.text}"
    yield MARKS
    told: set[int] = set()
    for hop in found:
        if hop.step == 1:
            yield from _headed(f"STEP 1, SUBMISSION: {hop.title.partition(': ')[2]}")
        else:
            yield from _headed(f"STEP 2, RELAY: {hop.log.client_host} looks for the server of the recipient's domain")
            yield from _names(trace, hop, told)
            yield ""
            yield f"  {hop.title}"
        yield from hop_lines(hop, most_data_lines=14)
        yield from _added(trace, hop)
    rest = [e for e in trace.events if isinstance(e, (DnsAnswered, RouteChosen)) and e.number not in told]
    if rest and found:
        yield from _headed("NAMES ASKED AFTERWARDS")
        yield from (f"  {e.at_s:8.3f} s  -- {happening(e)}" for e in rest)
    yield from _headed("STEP 3, INBOUND DELIVERY: what became of it")
    for event in trace.events:
        if isinstance(event, (RecipientResult, MessageStored)):
            yield f"  {event.host}: {happening(event)}"
    for mailbox, octets in letters.items():
        yield ""
        yield f"  The letter in {mailbox}, as it lies there (header):"
        yield from (f"    | {line}" for line in readable(octets.partition(b"\r\n\r\n")[0] + b"\r\n"))
    yield from _headed("WHAT A LISTENER ON THE PATH COULD READ (searched for in the recorded octets)")
    yield from _exposures(found)


def _headed(title: str) -> Iterator[str]:
    yield ""
    yield title
    yield "-" * min(len(title), 100)


def _names(trace: Trace, hop: Hop, told: set[int]) -> Iterator[str]:
    first = hop.events[0].number if hop.events else 0
    for event in trace.events:
        if isinstance(event, (DnsAnswered, RouteChosen)) and event.number < first and event.number not in told:
            told.add(event.number)
            yield from wrapped(f"  {event.at_s:8.3f} s  -- ", happening(event))


def _added(trace: Trace, hop: Hop) -> Iterator[str]:
    for event in trace.of(FieldsAdded, connection=hop.log.number):
        yield f"              -- {event.host} put on top: {', '.join(event.fields)}"


def _exposures(found: tuple[Hop, ...]) -> Iterator[str]:
    words = {True: "READABLE", False: "hidden", None: "-"}
    rows: list[tuple[str, ...]] = [("link", *ITEMS)]
    for hop in found:
        items = exposure(hop).items
        rows.append(
            (
                f"{hop.log.client_host} -> {hop.log.server_host}:{hop.log.server_port} ({hop.how})",
                *(words[items[name]] for name in ITEMS),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
