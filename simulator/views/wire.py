"""The octets of one connection as a listener has them: text by lines, TLS by records, each explained. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from simulator.protocol.dialogue import Said, read_dialogue
from simulator.protocol.explain import explain
from simulator.protocol.tls_hellos import client_hello, server_hello, what_is_seen
from simulator.protocol.visible import readable
from simulator.trace.events import Direction
from simulator.trace.streams import Piece
from simulator.trace.trace import ConnectionLog, Trace

PREVIEW_OCTETS = 16


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
    """True when a listener can read the words; False for a TLS record, of which he sees type and size."""
    text: str
    """The line, or what the record is."""
    explanation: str

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
        """Direction and protection, as in the transcript."""
        return {("c2s", True): "->", ("c2s", False): "~>", ("s2c", True): "<-", ("s2c", False): "<~"}[
            self.direction, self.readable
        ]


def wire_records(trace: Trace, connection: int) -> tuple[WireRecord, ...]:
    """Return everything on the wire of one connection in order. Raises KeyError for an unknown connection."""
    log = trace.connections[connection]
    found = [*_direction(trace, log, "c2s"), *_direction(trace, log, "s2c")]
    return tuple(sorted(found, key=lambda record: (record.at_s, record.number, record.start)))


def _direction(trace: Trace, log: ConnectionLog, direction: Direction) -> Iterator[WireRecord]:
    name = f"wire.{direction}.sent"
    stream = log.stream(name)
    octets, pieces = stream.octets, list(stream.pieces())
    tls_from = trace.tls_offset(log, name)
    clear_until = len(octets) if tls_from is None else tls_from
    start = 0
    said = [each for each in _said(log) if each.direction == direction]
    verbs = {each.start: each.verb for each in said if each.kind in ("reply", "command", "auth")}
    letters = [(each.start, each.end) for each in said if each.kind in ("data", "chunk")]
    while start < clear_until:
        end = octets.find(b"\n", start, clear_until) + 1 or clear_until
        line = octets[start:end]
        text = (readable(line) or [""])[0]
        moment = _piece(pieces, end - 1)
        in_letter = any(first <= start < last for first, last in letters)
        meaning = _PART_OF_LETTER if in_letter else explain(line, verb=verbs.get(start)) or _NO_WORDS
        yield WireRecord(moment.at_s, moment.number, direction, start, line, True, text, meaning)
        start = end
    if tls_from is None:
        return
    end = tls_from
    for record, what in what_is_seen(octets, tls_from):
        end = record.end
        content = octets[record.start : record.end]
        moment = _piece(pieces, record.end - 1)
        text, meaning = _record_words(octets, tls_from, record.content_type, what, len(content))
        yield WireRecord(moment.at_s, moment.number, direction, record.start, content, False, text, meaning)
    if end < len(octets):
        moment = _piece(pieces, len(octets) - 1)
        text = (readable(octets[end:]) or [""])[0]
        yield WireRecord(moment.at_s, moment.number, direction, end, octets[end:], True, text, _NO_RECORD)


def _piece(pieces: list[Piece], offset: int) -> Piece:
    """Return the piece in which an octet was put on the wire."""
    return pieces[bisect_right(pieces, offset, key=lambda piece: piece.end)]


_PART_OF_LETTER = "A line of the letter: everybody on the path can read it."
_NO_WORDS = "Text in clear: everybody on the path can read it."
_NO_RECORD = "These octets are no TLS record, although TLS was to begin here."
_ENCRYPTED = "Only type, version and length can be seen; what is inside is for the two ends (RFC 8446 section 5.2)."

_CERTIFICATE = (
    "The server chooses version and cipher. Under TLS 1.2 its certificate travels in clear (RFC 5246 section 7.4.2)."
)
_CHANGE = "Says that what follows is encrypted; under TLS 1.3 it means nothing any more (RFC 8446 appendix D.4)."


def _said(log: ConnectionLog) -> list[Said]:
    """Return what was said in clear, as a listener understands it."""
    c2s, s2c = log.stream("wire.c2s.sent").octets, log.stream("wire.s2c.sent").octets
    return read_dialogue(c2s, s2c, outside=True)


def _record_words(octets: bytes, tls_from: int, content_type: int, what: str, size: int) -> tuple[str, str]:
    if what.startswith("ClientHello"):
        hello = client_hello(octets, tls_from)
        if hello is not None:
            name, versions = hello.server_name or "not sent", ", ".join(hello.versions)
            words = f"ClientHello: server name {name}, {versions}, {len(hello.ciphers)} cipher suites"
            return words, "The client says what it can do, in clear, with the name of the server (RFC 6066 section 3)."
    if what.startswith("ServerHello"):
        answer = server_hello(octets, tls_from)
        if answer is not None:
            words = f"{what}: {answer.version}, {answer.cipher}"
            if answer.certificate:
                return f"{words}; the certificate can be read", _CERTIFICATE
            return words, "The server chooses version and cipher. What follows is encrypted (RFC 8446 section 2)."
    if what == "encrypted":
        return f"TLS record, {size} octets", _ENCRYPTED
    return f"{what}, {size} octets", _CHANGE if what == "ChangeCipherSpec" else _ENCRYPTED


def wire_text(trace: Trace, connection: int) -> str:
    """Return the wire as text, for a terminal."""
    return "".join(
        f"{record.at_s * 1000:9.1f} ms  {record.mark} {record.text}\n" for record in wire_records(trace, connection)
    )
