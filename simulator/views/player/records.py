"""What the wire pane shows of a connection, with few enough octets for a page, and which record carried a step."""

from __future__ import annotations

import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Literal

from simulator.protocol.dialogue import read_dialogue
from simulator.protocol.tls_records import CONTENT_TYPES
from simulator.trace.trace import ConnectionLog, Trace
from simulator.views.steps import Step
from simulator.views.wire import WireRecord, wire_records

MOST_OCTETS = 256
"""How many octets of one record the page carries."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Octets that travelled together, in one direction."""

    at_s: float
    """When they were put on the wire."""
    to_server: bool
    kind: Literal["clear", "dns", "hello", "locked"]
    """"hello" is what TLS shows in clear or says before anything is sealed; of "locked" a listener has the size."""
    name: str
    """The line, or what the record is."""
    explanation: str
    octets: bytes
    """The first ones, at most `MOST_OCTETS`."""
    size_octets: int

    @property
    def sealed(self) -> bool:
        """True when it is one of the records that carry words inside TLS."""
        return self.kind == "locked"


def wire_pieces(trace: Trace, log: ConnectionLog) -> tuple[Shown, ...]:
    """Return what both ends put on the wire of one connection, in order."""
    if log.server_port == 53:
        return tuple(sorted(_dns(log), key=lambda shown: shown.at_s))
    letters = _letters(log)
    found: list[Shown] = []
    for letter, group in groupby(wire_records(trace, log.number), key=lambda record: _letter_of(record, letters)):
        records = list(group)
        if letter is None:
            found.extend(_shown(record, record.octets) for record in records)
        else:  # its lines are one record here: it may have ten thousand of them, and none is a command
            whole = _shown(records[0], b"".join(record.octets for record in records))
            found.append(replace(whole, name="the letter", explanation=_LETTER))
    return tuple(found)


_LETTER = "The letter in clear: everybody on the path can read it, and change it."


def _letters(log: ConnectionLog) -> list[tuple[int, int]]:
    """Return from where to where a listener sees letters in what the client sent."""
    c2s, s2c = log.stream("wire.c2s.sent").octets, log.stream("wire.s2c.sent").octets
    said = read_dialogue(c2s, s2c, outside=True)
    return [(one.start, one.end) for one in said if one.kind in ("data", "chunk")]


def _letter_of(record: WireRecord, letters: Sequence[tuple[int, int]]) -> int | None:
    if record.direction != "c2s" or not record.readable:
        return None
    place = bisect_right(letters, (record.start, sys.maxsize)) - 1
    return place if place >= 0 and record.start < letters[place][1] else None


def _shown(record: WireRecord, octets: bytes) -> Shown:
    kind: Literal["clear", "hello", "locked"] = "clear"
    if not record.readable:
        kind = "locked" if CONTENT_TYPES.get(octets[0]) == "application_data" else "hello"
    return Shown(
        record.at_s,
        record.direction == "c2s",
        kind,
        # The size stands beside the name.
        "TLS record" if kind == "locked" else record.text[:MOST_OCTETS].removesuffix(f", {len(octets)} octets"),
        record.explanation,
        octets[:MOST_OCTETS],
        len(octets),
    )


def _dns(log: ConnectionLog) -> Iterator[Shown]:
    why = "A DNS message travels in clear: everybody on the path reads it (RFC 1035 section 4)."
    for name, to_server in (("wire.c2s.sent", True), ("wire.s2c.sent", False)):
        stream = log.stream(name)
        for piece in stream.pieces():
            octets = stream.slice(piece.start, piece.end)
            yield Shown(piece.at_s, to_server, "dns", "DNS message", why, octets[:MOST_OCTETS], len(octets))


SEAL_OCTETS = 22
"""What a record of TLS 1.3 adds: header, content type and tag (RFC 8446 section 5.2)."""
TICK_S = 1e-9
"""Times are computed from latencies; less than this is no difference."""


class Wires:
    """The records of all connections of a trace, and which of them carried a step."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.found: dict[int, tuple[Shown, ...]] = {}
        self.lanes: dict[tuple[int, bool, bool, bool], tuple[list[float], list[int]]] = {}

    def records(self, number: int) -> tuple[Shown, ...]:
        """Return the records of one connection, in order; none of a connection that is not in the trace."""
        if number not in self.found:
            log = self.trace.connections.get(number)
            self.found[number] = wire_pieces(self.trace, log) if log else ()
        return self.found[number]

    def carrier(self, step: Step) -> int | None:
        """Return which record of its connection carried a step (or, for a handshake, began it)."""
        if step.connection is None:
            return None
        log = self.trace.connections.get(step.connection)
        if log is None or step.kind in ("open", "close", "failed"):
            return None
        to_server = step.from_host == log.client_host or step.to_host == log.server_host
        times, indexes = self._lane(step.connection, to_server, step.tls, step.kind == "tls")
        if not times:
            return None
        start = bisect_left(times, step.from_s - TICK_S)
        if start == len(times) or (start and times[start] - step.from_s > step.from_s - times[start - 1]):
            return indexes[start - 1]
        end = bisect_right(times, times[start] + TICK_S)
        return indexes[start] if step.kind == "tls" else self._carrier(step, indexes[start:end])

    def _carrier(self, step: Step, together: Sequence[int]) -> int:
        """Return which of the records of one moment carried a step, or the first of those that did."""
        assert step.connection is not None
        records = self.records(step.connection)
        if not step.tls:
            line = step.lines[0].encode() if step.lines else b""
            return next((i for i in together if line in records[i].octets), together[0])
        # In TLS 1.3 the end of a handshake and tickets look like what is said, and travel before it.
        carried = 0
        for i in reversed(together):
            carried += records[i].size_octets - SEAL_OCTETS
            if carried >= step.size_octets:
                return i
        return together[0]

    def _lane(self, connection: int, to_server: bool, tls: bool, greeting: bool) -> tuple[list[float], list[int]]:
        """Return times and indexes of the records of one direction that can be meant."""
        key = connection, to_server, tls, greeting
        if key not in self.lanes:
            meant = [
                (record.at_s, i)
                for i, record in enumerate(self.records(connection))
                if record.to_server == to_server and (record.sealed == tls or greeting)
            ]
            if greeting:
                meant = [(at_s, i) for at_s, i in meant if self.records(connection)[i].kind in ("hello", "locked")]
            self.lanes[key] = [at_s for at_s, _ in meant], [i for _, i in meant]
        return self.lanes[key]
