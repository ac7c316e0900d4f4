"""Captures that Wireshark and tshark open: the octets are those of the trace; IP and TCP around them are made here.

The capture is as if taken in the middle of each link, half a latency after an end has sent. Addresses, ports and host
names are the logical ones. TCP's handshake, acknowledgements and goodbye are put in where a real stack would send them.
The TLS keys of the sessions stand inside (a decryption secrets block), so that the SMTP under TLS can be read.
Wireshark knows 25 and 587 as SMTP; for 465 tell it once: Decode As, TLS port 465 is SMTP; with tshark,
-d tls.port==465,smtp.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import NamedTuple

from simulator.export.frames import ACK, FIN, MSS, PSH, RST, SYN, Place, tcp_packet, udp_packet
from simulator.trace.events import ConnectionClosed, ConnectionFailed, Direction
from simulator.trace.trace import ConnectionLog, Trace

EPOCH_NS = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000
RAW_IP = 101
"""Link type: packets begin with the IP header."""
COMMENT = (
    "Made from a recorded trace of the mail internet simulator: the octets above TCP are real, IP and TCP around them "
    "are synthetic. SMTP on port 465: Decode As TLS port 465 is SMTP, or tshark -d tls.port==465,smtp"
)


class Packet(NamedTuple):
    """One packet of the capture."""

    at_s: float
    octets: bytes


def key_log(trace: Trace) -> str:
    """Return the TLS secrets of the trace in the format that SSLKEYLOGFILE has; "" when there are none."""
    return "".join(f"{line}\n" for line in _key_lines(trace))


def _key_lines(trace: Trace) -> list[str]:
    kept = trace.header.get("keylog") or ()
    lines = kept.splitlines() if isinstance(kept, str) else [str(line) for line in kept]
    return [line for line in lines if line.strip()]


def pcapng(trace: Trace, *, keys: bool = True) -> bytes:
    """Return the whole trace as a pcapng file; with `keys=False` nothing in it can be decrypted."""
    parts = [_section(), _interface(), _names(trace)]
    secrets = key_log(trace).encode() if keys else b""
    if secrets:
        parts.append(_block(10, struct.pack("<II", 0x544C534B, len(secrets)) + _padded(secrets)))
    parts.extend(_packet_block(packet) for packet in packets(trace))
    return b"".join(parts)


def packets(trace: Trace) -> list[Packet]:
    """Return all packets in order of time."""
    found = [packet for log in trace.connections.values() for packet in _of_connection(trace, log)]
    return sorted(found, key=lambda packet: packet.at_s)


# --- blocks ----------------------------------------------------------------------------------------------------------


def _padded(octets: bytes) -> bytes:
    return octets + b"\0" * (-len(octets) % 4)


def _option(code: int, value: bytes) -> bytes:
    return struct.pack("<HH", code, len(value)) + _padded(value)


def _block(kind: int, body: bytes) -> bytes:
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _section() -> bytes:
    options = _option(1, COMMENT.encode()) + _option(4, b"mail internet simulator") + _option(0, b"")
    return _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + options)


def _interface() -> bytes:
    options = _option(2, b"the middle of every link") + _option(9, b"\x09") + _option(0, b"")  # time in nanoseconds
    return _block(1, struct.pack("<HHI", RAW_IP, 0, 0) + options)


def _names(trace: Trace) -> bytes:
    """Return a name resolution block: every address with its host name."""
    hosts = {
        address: name
        for log in trace.connections.values()
        for address, name in ((log.client_address, log.client_host), (log.server_address, log.server_host))
    }
    records = b""
    for address, name in hosts.items():
        packed = ip_address(address).packed
        value = packed + name.encode("ascii", "replace") + b"\0"
        records += struct.pack("<HH", 1 if len(packed) == 4 else 2, len(value)) + _padded(value)
    return _block(4, records + struct.pack("<HH", 0, 0))


def _packet_block(packet: Packet) -> bytes:
    at_ns = EPOCH_NS + round(packet.at_s * 1e9)
    size = len(packet.octets)
    head = struct.pack("<IIIII", 0, at_ns >> 32, at_ns & 0xFFFFFFFF, size, size)
    return _block(6, head + _padded(packet.octets))


# --- packets of one connection ---------------------------------------------------------------------------------------


class _Sent(NamedTuple):
    """Something that one end did."""

    at_s: float
    order: int
    direction: Direction
    flags: int
    data: bytes = b""


def _of_connection(trace: Trace, log: ConnectionLog) -> Iterator[Packet]:
    client, server = Place(log.client_address, log.client_port), Place(log.server_address, log.server_port)
    if log.transport == "udp":
        for sent in _pieces(log):
            ends = (client, server) if sent.direction == "c2s" else (server, client)
            yield Packet(sent.at_s + log.latency_s / 2, udp_packet(*ends, sent.data))
        return
    yield from _Tcp(log, client, server).packets(_deeds(trace, log))


def _pieces(log: ConnectionLog) -> Iterator[_Sent]:
    """Yield what was put on the wire, in both directions."""
    directions: tuple[Direction, Direction] = ("c2s", "s2c")
    for direction in directions:
        stream = log.stream(f"wire.{direction}.sent")
        for piece in stream.pieces():
            yield _Sent(piece.at_s, piece.number, direction, PSH | ACK, stream.slice(piece.start, piece.end))


def _deeds(trace: Trace, log: ConnectionLog) -> list[_Sent]:
    """Return everything that the two ends did, in order: dial, speak, hang up."""
    failed = next((e for e in trace.of(ConnectionFailed, connection=log.number)), None)
    deeds = [_Sent(log.opened_s, -1, "c2s", SYN)]
    if failed is not None:
        if failed.reason != "timed out":
            deeds.append(_Sent(log.opened_s + log.latency_s, 0, "s2c", RST | ACK))
        return deeds
    deeds.append(_Sent(log.opened_s + log.latency_s, 0, "s2c", SYN | ACK))
    deeds += sorted(_pieces(log), key=lambda sent: (sent.at_s, sent.order))
    for event in trace.of(ConnectionClosed, connection=log.number):
        deeds += _goodbye(event, log.latency_s)
    return sorted(deeds, key=lambda sent: (sent.at_s, sent.order))


def _goodbye(event: ConnectionClosed, latency_s: float) -> Iterable[_Sent]:
    direction: Direction = "s2c" if event.by == "server" else "c2s"
    if event.how == "fin":
        yield _Sent(event.at_s, event.number, direction, FIN | ACK)
    elif event.how == "reset":
        yield _Sent(event.at_s, event.number, direction, RST | ACK)
    else:  # a box on the path tells each end that the other one has gone
        yield _Sent(event.at_s, event.number, "c2s", RST | ACK)
        yield _Sent(event.at_s, event.number, "s2c", RST | ACK)


class _Tcp:
    """Counts sequence numbers as the two ends would."""

    def __init__(self, log: ConnectionLog, client: Place, server: Place) -> None:
        self.latency_s = log.latency_s
        self.ends: dict[Direction, tuple[Place, Place]] = {"c2s": (client, server), "s2c": (server, client)}
        # The same in every run; far apart, so that the two directions are not taken for each other.
        self.seq: dict[Direction, int] = {"c2s": 1_000_000 + log.number, "s2c": 3_000_000_000 + log.number}
        self.history: dict[Direction, list[tuple[float, int]]] = {"c2s": [], "s2c": []}
        """When an end's octets have arrived, and the sequence number behind them."""
        self.acked: dict[Direction, int] = {"c2s": 0, "s2c": 0}
        """Highest number of the *other* direction that this one has acknowledged."""
        self.over = False

    def packets(self, deeds: list[_Sent]) -> Iterator[Packet]:
        found: list[Packet] = []
        fins: set[Direction] = set()
        for deed in deeds:
            if self.over or (deed.flags & FIN and deed.direction in fins):
                continue
            found += self._acks_until(deed.at_s, deed.direction)
            found += self._send(deed)
            if deed.flags & FIN:
                fins.add(deed.direction)
            self.over = bool(deed.flags & RST)
        if len(fins) == 1:  # the other end's own goodbye: it comes when it has heard of the first one
            other: Direction = "s2c" if "c2s" in fins else "c2s"
            heard = self.history["c2s" if other == "s2c" else "s2c"][-1][0]
            found += self._send(_Sent(heard, 0, other, FIN | ACK))
        if not self.over and self.history["s2c"]:
            found += self._acks_until(float("inf"), None)
        return iter(sorted(found, key=lambda packet: packet.at_s))

    def _send(self, deed: _Sent) -> list[Packet]:
        made, direction = [], deed.direction
        chunks = [deed.data[i : i + MSS] for i in range(0, len(deed.data), MSS)] or [b""]
        for chunk in chunks:
            made.append(self._packet(deed.at_s, direction, deed.flags, chunk))
            self.seq[direction] += len(chunk) + bool(deed.flags & (SYN | FIN))
        self.history[direction].append((deed.at_s + self.latency_s, self.seq[direction]))
        return made

    def _packet(self, at_s: float, direction: Direction, flags: int, data: bytes = b"") -> Packet:
        ack = self._heard(direction, at_s) if flags & ACK else 0
        if flags & ACK:
            self.acked[direction] = ack
        source, target = self.ends[direction]
        octets = tcp_packet(source, target, self.seq[direction], ack, flags, data)
        return Packet(at_s + self.latency_s / 2, octets)

    def _heard(self, direction: Direction, at_s: float) -> int:
        """Return how far an end has heard the other one by then."""
        other: Direction = "s2c" if direction == "c2s" else "c2s"
        return max((number for when, number in self.history[other] if when <= at_s + 1e-12), default=0)

    def _acks_until(self, at_s: float, speaker: Direction | None) -> list[Packet]:
        """Return the acknowledgements that an end sends for what it hears while it has nothing to say itself."""
        made = []
        ends: tuple[Direction, Direction] = ("c2s", "s2c")
        for direction in ends:
            other: Direction = "s2c" if direction == "c2s" else "c2s"
            for when, number in self.history[other]:
                # What arrives at the very moment of speaking is acknowledged by what is said.
                soon = when < at_s - 1e-12 or (abs(when - at_s) <= 1e-12 and direction != speaker)
                if soon and number > self.acked[direction]:
                    made.append(self._packet(when, direction, ACK))
        return made
