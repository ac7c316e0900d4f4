"""What lay on the wire, piece by piece, for the wire pane: octets in clear, or TLS records of which only the size shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from simulator.protocol.tls_records import tls_records
from simulator.trace.trace import ConnectionLog, Trace

MOST_OCTETS = 256
"""How many octets of one record the page carries."""


@dataclass(frozen=True, slots=True)
class WireRecord:
    """Octets that travelled together, in one direction."""

    at_s: float
    """When they were put on the wire."""
    number: int
    """Position in the trace."""
    to_server: bool
    name: str
    """"in clear", "DNS message", or the kind of TLS record."""
    explanation: str
    octets: bytes
    """The first ones, at most `MOST_OCTETS`."""
    size_octets: int
    protected: bool = False


_TLS = {
    "handshake": "Handshake: the hellos are readable, with the name of the server in them (RFC 8446 section 4.1).",
    "application_data": "Sealed: a listener sees this kind and the size, no words (RFC 8446 section 5.2).",
    "change_cipher_spec": "An empty gesture in TLS 1.3, for boxes on the path that expect it (RFC 8446 appendix D.4).",
    "alert": "An alert: the end of the protected part, or a fault (RFC 8446 section 6).",
}


def wire_pieces(trace: Trace, log: ConnectionLog) -> tuple[WireRecord, ...]:
    """Return what both ends put on the wire of one connection, in order."""
    ways: tuple[tuple[Literal["wire.c2s.sent", "wire.s2c.sent"], bool], ...] = (
        ("wire.c2s.sent", True),
        ("wire.s2c.sent", False),
    )
    found = [record for name, to_server in ways for record in _one_way(trace, log, name, to_server)]
    return tuple(sorted(found, key=lambda record: (record.at_s, record.number)))


def _one_way(trace: Trace, log: ConnectionLog, name: str, to_server: bool) -> Iterator[WireRecord]:
    stream = log.stream(name)
    tls_from = trace.tls_offset(log, name)
    for piece in stream.pieces():
        end = piece.end if tls_from is None else min(piece.end, tls_from)
        if piece.start < end:
            octets = stream.slice(piece.start, end)
            yield _clear(log, piece.at_s, piece.number, to_server, octets)
    if tls_from is None:
        return
    octets = stream.octets
    for record in tls_records(octets, tls_from):
        moment = stream.moment(record.start)
        yield WireRecord(
            moment.at_s,
            moment.number,
            to_server,
            f"TLS {record.name.replace('_', ' ')}",
            _TLS[record.name],
            octets[record.start : min(record.end, record.start + MOST_OCTETS)],
            record.size_octets,
            protected=record.name == "application_data",
        )


def _clear(log: ConnectionLog, at_s: float, number: int, to_server: bool, octets: bytes) -> WireRecord:
    if log.server_port == 53:
        name, why = (
            "DNS message",
            "A DNS message travels in clear: everybody on the path reads it (RFC 1035 section 4).",
        )
    else:
        name, why = "in clear", "Octets in clear: everybody on the path can read and change them."
    return WireRecord(at_s, number, to_server, name, why, octets[:MOST_OCTETS], len(octets))
