"""The octets of one connection as a listener has them: text by lines, TLS by records, each explained. Pure.

Shown is what each end put on the wire; what a box on the path made of it is in the streams "wire.*.arrived".
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from simulator.errors import UsageError
from simulator.protocol.dialogue import Said, read_dialogue
from simulator.protocol.explain import explain
from simulator.protocol.tls_records import tls_records
from simulator.protocol.visible import readable
from simulator.trace.events import Direction
from simulator.trace.streams import Stream
from simulator.trace.trace import ConnectionLog, Trace
from simulator.views.wire_tls import Hellos, tls_words

PREVIEW_OCTETS = 16
_MOST_SHOWN = 2000
"""Octets of one line that are made into text; the octets themselves are all there."""


@dataclass(frozen=True, slots=True)
class WireRecord:
    """One line of text or one TLS record on the wire."""

    at_s: float
    """When its last octet was put on the wire."""
    number: int
    """Number of the piece that it came in, to keep the order of things that happened at the same time."""
    direction: Direction
    start: int
    """Offset in the stream of its direction."""
    octets: bytes
    readable: bool
    """True for text in clear; False for a TLS record."""
    text: str
    """The line, or what the record is."""
    explanation: str
    encrypted: bool = False
    """True for a TLS record of which a listener has type, version and size only. The hellos of TLS are in clear."""

    @property
    def size_octets(self) -> int:
        """How many octets."""
        return len(self.octets)

    @property
    def preview(self) -> str:
        """The first octets in hexadecimal."""
        shown = self.octets[:PREVIEW_OCTETS].hex(" ")
        return f"{shown} ..." if len(self.octets) > PREVIEW_OCTETS else shown

    @property
    def mark(self) -> str:
        """Direction and protection, as in the transcript: `->` `<-` in clear, `~>` `<~` encrypted."""
        return {("c2s", False): "->", ("c2s", True): "~>", ("s2c", False): "<-", ("s2c", True): "<~"}[
            self.direction, self.encrypted
        ]


class _Way(NamedTuple):
    """The octets of one direction, with what finds their moments."""

    direction: Direction
    stream: Stream
    octets: bytes
    ends: list[int]
    moments: list[tuple[float, int]]
    tls_from: int

    def record(self, start: int, end: int, text: str, why: str, tls: bool = False, secret: bool = False) -> WireRecord:
        at_s, number = self.moments[bisect_right(self.ends, end - 1)]
        return WireRecord(at_s, number, self.direction, start, self.octets[start:end], not tls, text, why, secret)


def wire_records(trace: Trace, connection: int) -> tuple[WireRecord, ...]:
    """Return everything that the two ends of one connection put on the wire, in order of time.

    Raises UsageError for a connection that there is not.
    """
    if connection not in trace.connections:
        raise UsageError(f"There is no connection {connection} in this trace.")
    log = trace.connections[connection]
    c2s, s2c = log.stream("wire.c2s.sent"), log.stream("wire.s2c.sent")
    if log.transport == "udp" or log.server_port == 53:
        found = [*_messages("c2s", c2s), *_messages("s2c", s2c)]
    else:
        said = read_dialogue(_clear(trace, log, "wire.c2s.sent"), _clear(trace, log, "wire.s2c.sent"), outside=True)
        ways = [_way(trace, log, direction, said) for direction in ("c2s", "s2c")]
        hellos = Hellos.of(ways[0].octets[ways[0].tls_from :], ways[1].octets[ways[1].tls_from :])
        found = [record for way in ways for record in (*_lines(way, said), *_tls(way, hellos))]
    return tuple(sorted(found, key=lambda record: (record.at_s, record.number, record.start)))


def wire_text(trace: Trace, connection: int) -> str:
    """Return the wire as text, for a terminal; `~>` `<~` are encrypted. Raises UsageError."""
    return "".join(
        f"{record.at_s * 1000:9.1f} ms  {record.mark} {record.text}\n" for record in wire_records(trace, connection)
    )


# --- where text ends and TLS begins ----------------------------------------------------------------------------------


def _clear(trace: Trace, log: ConnectionLog, name: str) -> bytes:
    return log.stream(name).slice(0, _end(trace, log, name))


def _end(trace: Trace, log: ConnectionLog, name: str) -> int:
    offset = trace.tls_offset(log, name)
    return len(log.stream(name)) if offset is None else offset


def _way(trace: Trace, log: ConnectionLog, direction: Direction, said: list[Said]) -> _Way:
    name = f"wire.{direction}.sent"
    stream = log.stream(name)
    octets, tls_from = stream.octets, _end(trace, log, name)
    if trace.tls_offset(log, name) is None:  # nobody told where TLS began: two strangers, or a handshake that failed
        told = max((item.end for item in said if item.direction == direction), default=0)
        tls_from = told if tls_records(octets, told) else len(octets)
    pieces = list(stream.pieces())
    ends, moments = [piece.end for piece in pieces], [(piece.at_s, piece.number) for piece in pieces]
    return _Way(direction, stream, octets, ends, moments, tls_from)


def _messages(direction: Direction, stream: Stream) -> Iterator[WireRecord]:
    """The exchange with a name server: one record for each piece."""
    octets = stream.octets
    for piece in stream.pieces():
        content = octets[piece.start : piece.end]
        # RFC 1035 section 4.1
        text, why = f"DNS message, {len(content)} octets", "A question or an answer of the DNS: everybody can read it."
        yield WireRecord(piece.at_s, piece.number, direction, piece.start, content, True, text, why)


# --- text ------------------------------------------------------------------------------------------------------------

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
_HEADER = "A field of the header: everybody on the path can read it."
_FOLDED = "The field before goes on in this line (RFC 5322 section 2.2.3)."
_EMPTY = "An empty line: the header ends here, and the text begins (RFC 5322 section 2.1)."
_TEXT = "A line of the letter: everybody on the path can read it."
_STUFFED = "A line of the letter that begins with a dot: the dot was doubled for the way (RFC 5321 section 4.5.2)."
_CUT = "It broke off in the middle of a line."
_NO_COMMAND = "This is no command that SMTP knows."
_NO_REPLY = "This is no reply of SMTP, which begins with a code of three digits (RFC 5321 section 4.2)."
_MORE_REPLY = "The same reply goes on: a hyphen behind the code says that more follows (RFC 5321 section 4.2.1)."


def _lines(way: _Way, said: list[Said]) -> Iterator[WireRecord]:
    """Yield the lines before TLS; each is explained by where it stands: in a letter, "Help me" is no command."""
    at = 0
    for item in sorted((item for item in said if item.direction == way.direction), key=lambda item: item.start):
        if item.start > at:
            yield from _plain(way, at, item.start)
        start, end = max(item.start, at), min(item.end, way.tls_from)
        yield from _of_letter(way, item, start, end) if item.kind in ("data", "chunk") else _of(way, item, start, end)
        at = max(at, end)
    yield from _plain(way, at, way.tls_from)


def _cut(way: _Way, start: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield (start, end, line). Only CRLF ends a line of a client's (RFC 5321 section 2.3.8)."""
    mark = b"\r\n" if way.direction == "c2s" else b"\n"
    while start < end:
        found = way.octets.find(mark, start, end)
        stop = end if found < 0 else found + len(mark)
        yield start, stop, way.octets[start:stop]
        start = stop


def _shown(line: bytes) -> str:
    text = " ".join(readable(line[:_MOST_SHOWN]))
    return f"{text} ..." if len(line) > _MOST_SHOWN else text


def _plain(way: _Way, start: int, end: int) -> Iterator[WireRecord]:
    why = _NO_COMMAND if way.direction == "c2s" else _NO_REPLY
    for begin, stop, line in _cut(way, start, end):
        yield way.record(begin, stop, _shown(line), why)


def _of(way: _Way, item: Said, start: int, end: int) -> Iterator[WireRecord]:
    for begin, stop, line in _cut(way, start, end):
        if item.kind == "reply":
            first = explain(line, verb=item.verb) if begin == item.start else ""
            why = first or (explain(line) if item.verb == "EHLO" else "") or _MORE_REPLY
        elif item.kind == "other":
            why = _NO_REPLY
        else:
            why = explain(line, verb="*AUTH" if item.kind == "auth" else None) or _NO_COMMAND
        yield way.record(begin, stop, _shown(line), why if line.endswith(b"\n") else _CUT)


def _of_letter(way: _Way, item: Said, start: int, end: int) -> Iterator[WireRecord]:
    in_header = True
    for begin, stop, line in _cut(way, start, end):
        field = _FIELD.match(line)
        if line == b".\r\n" and item.kind == "data" and stop == item.end:
            why = explain(line)
        elif in_header and line in (b"\r\n", b"\n"):
            why, in_header = _EMPTY, False
        elif in_header and begin > start and line[:1] in (b" ", b"\t"):
            why = _FOLDED
        elif in_header and field:
            why = explain(field[1] + b":") or _HEADER
        else:
            in_header = False
            why = _STUFFED if item.kind == "data" and line.startswith(b"..") else _TEXT
        yield way.record(begin, stop, _shown(line), why if line.endswith(b"\n") else f"{why} {_CUT}")


# --- TLS -------------------------------------------------------------------------------------------------------------

_NO_RECORD = "These octets are no TLS record, although TLS was to go on here."


def _tls(way: _Way, hellos: Hellos) -> Iterator[WireRecord]:
    end = way.tls_from
    for record, text, why, secret in tls_words(way.octets, way.tls_from, hellos):
        end = record.end
        yield way.record(record.start, record.end, text, why, True, secret)
    if end < len(way.octets):
        yield way.record(end, len(way.octets), _shown(way.octets[end:]), _NO_RECORD)
