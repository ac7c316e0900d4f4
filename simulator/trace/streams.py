"""Octets of one direction as one observer had them, kept once, with the moment of every piece.

A connection has up to eight streams. Below TLS, the wire: what an end put on it and what came out of it (they differ
only where a box on the path interferes). Above TLS, each end: what its program sent and received. A stream that repeats
another one (in cleartext all of them do) shares that stream's octets instead of keeping a copy.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

STREAMS = (
    "wire.c2s.sent",
    "wire.c2s.arrived",
    "wire.s2c.sent",
    "wire.s2c.arrived",
    "client.sent",
    "client.received",
    "server.sent",
    "server.received",
)
"""Names of the streams of a connection: c2s is client to server, s2c server to client."""


class Moment(NamedTuple):
    """When a piece of a stream was there, and the number of the event that this piece is."""

    at_s: float
    number: int


class Piece(NamedTuple):
    """Octets that were written or arrived together."""

    at_s: float
    number: int
    start: int
    end: int


class Stream:
    """An append-only run of octets with their moments."""

    __slots__ = ("_ends", "_numbers", "_own", "_times", "base", "shared", "tls_from")

    def __init__(self, base: Stream | None = None) -> None:
        self.base = base
        self.shared = 0
        """How many leading octets are those of `base`."""
        self.tls_from: int | None = None
        """Offset from which the octets travelled inside TLS; None where they never did (or on the wire)."""
        self._own = bytearray()
        self._ends = array("Q")
        self._times = array("d")
        self._numbers = array("Q")

    def __len__(self) -> int:
        return self.shared + len(self._own)

    @property
    def empty(self) -> bool:
        """True when nothing was ever there, not even an empty datagram."""
        return not self._ends

    def append(self, octets: bytes, at_s: float, number: int) -> int:
        """Add one piece that was there at `at_s`; return how many octets had to be kept for it."""
        base, shared = self.base, self.shared
        if base is not None and not self._own and base.slice(shared, shared + len(octets)) == octets:
            self.shared += len(octets)
            kept = 0
        else:
            self._own += octets
            kept = len(octets)
        self._ends.append(len(self))
        self._times.append(at_s)
        self._numbers.append(number)
        return kept

    @property
    def octets(self) -> bytes:
        """All octets so far."""
        return self.slice(0, len(self))

    @property
    def own_octets(self) -> bytes:
        """The octets that are not shared with `base`."""
        return bytes(self._own)

    def slice(self, start: int, end: int) -> bytes:
        """Return octets start..end (end excluded), as far as they exist."""
        start, shared = max(start, 0), self.shared
        if start >= shared:
            return bytes(self._own[start - shared : max(end - shared, 0)])
        assert self.base is not None
        head = self.base.slice(start, min(end, shared))
        return head + bytes(self._own[: end - shared]) if end > shared else head

    def owner(self, offset: int) -> tuple[Stream, int, int]:
        """Return the stream that keeps the octet at `offset`, and from where to where it keeps what follows."""
        if offset >= self.shared:
            return self, offset, len(self)
        assert self.base is not None
        stream, there, end = self.base.owner(offset)
        return stream, there, min(end, self.shared)

    def moment(self, offset: int) -> Moment:
        """Return when the octet at `offset` was there. The number counts the line it stands on within its piece.

        Raises IndexError when there is no such octet.
        """
        if not 0 <= offset < len(self):
            raise IndexError(f"no octet {offset} in a stream of {len(self)}")
        index = bisect_right(self._ends, offset)
        start = self._ends[index - 1] if index else 0
        return Moment(self._times[index], self._numbers[index] + self.slice(start, offset).count(b"\n"))

    def pieces(self) -> Iterator[Piece]:
        """Yield the pieces in order."""
        start = 0
        for at_s, number, end in zip(self._times, self._numbers, self._ends, strict=True):
            yield Piece(at_s, number, start, end)
            start = end

    def restore(self, shared: int, own: bytes, tls_from: int | None, pieces: list[tuple[float, int, int]]) -> None:
        """Fill an empty stream from a saved trace: pieces are (at_s, number, end). Raises ValueError."""
        if shared and (self.base is None or shared > len(self.base)):
            raise ValueError("a stream shares octets that are not there")
        if tls_from is not None and tls_from > shared + len(own):
            raise ValueError("TLS begins after the end of a stream")
        self.shared, self._own, self.tls_from = shared, bytearray(own), tls_from
        last = 0
        for at_s, number, end in pieces:
            if not last <= end <= len(self):
                raise ValueError("the pieces of a stream do not follow each other")
            last = end
            self._times.append(at_s)
            self._numbers.append(number)
            self._ends.append(end)
        if last != len(self):
            raise ValueError("the pieces of a stream do not cover the octets")
