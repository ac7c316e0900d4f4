"""IP packets for a capture: TCP segments and UDP datagrams with right checksums. Pure; nothing is sent."""

from __future__ import annotations

import struct
from ipaddress import ip_address
from typing import NamedTuple

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10  # RFC 9293 section 3.1
WINDOW = 0xFFFF
MSS = 1460
"""Octets of data in one segment, as on an Ethernet."""
SYN_OPTIONS = struct.pack("!BBH", 2, 4, MSS) + struct.pack("!BBBB", 1, 3, 3, 8)  # MSS; window scale (RFC 7323)


class Place(NamedTuple):
    """One end of a connection."""

    address: str
    port: int


def tcp_packet(source: Place, target: Place, seq: int, ack: int, flags: int, data: bytes = b"") -> bytes:
    """Return an IP packet with one TCP segment."""
    options = SYN_OPTIONS if flags & SYN else b""
    offset = (5 + len(options) // 4) << 4

    def segment(checksum: int) -> bytes:
        ports, numbers = (source.port, target.port), (seq & 0xFFFFFFFF, ack & 0xFFFFFFFF)
        return struct.pack("!HHIIBBHHH", *ports, *numbers, offset, flags, WINDOW, checksum, 0) + options + data

    return ip_packet(source.address, target.address, 6, segment(_transport_checksum(source, target, 6, segment(0))))


def udp_packet(source: Place, target: Place, data: bytes) -> bytes:
    """Return an IP packet with one UDP datagram (RFC 768)."""

    def datagram(checksum: int) -> bytes:
        return struct.pack("!HHHH", source.port, target.port, 8 + len(data), checksum) + data

    # RFC 768: a checksum of zero is sent as all ones, because zero means that there is none
    checksum = _transport_checksum(source, target, 17, datagram(0)) or 0xFFFF
    return ip_packet(source.address, target.address, 17, datagram(checksum))


def ip_packet(source: str, target: str, protocol: int, payload: bytes) -> bytes:
    """Return an IPv4 or IPv6 packet (RFC 791, RFC 8200)."""
    one, other = _packed(source, target)
    if len(one) == 16:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + one + other + payload

    def header(checksum: int) -> bytes:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, checksum)
        return head + one + other

    return header(checksum16(header(0))) + payload


def checksum16(octets: bytes) -> int:
    """Return the Internet checksum (RFC 1071 section 1)."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _transport_checksum(source: Place, target: Place, protocol: int, segment: bytes) -> int:
    one, other = _packed(source.address, target.address)
    if len(one) == 16:  # RFC 8200 section 8.1
        return checksum16(one + other + struct.pack("!II", len(segment), protocol) + segment)
    return checksum16(one + other + struct.pack("!HH", protocol, len(segment)) + segment)


def _packed(source: str, target: str) -> tuple[bytes, bytes]:
    """Return both addresses in one family: where they differ, the IPv4 one is mapped (RFC 4291 section 2.5.5.2)."""
    ends = ip_address(source), ip_address(target)
    if ends[0].version == ends[1].version:
        return ends[0].packed, ends[1].packed
    one, other = (end.packed if end.version == 6 else bytes(10) + b"\xff\xff" + end.packed for end in ends)
    return one, other
