"""What is hidden when a trace is given away: octets become "*", in every stream that has them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from simulator.trace.events import Span
from simulator.trace.streams import Stream
from simulator.trace.trace import Trace

SHORTEST_SECRET = 4
"""Shorter contents are not searched for in other streams: they would be found everywhere."""

_STARS = bytes(octet if octet in b"\r\n" else ord("*") for octet in range(256))


class Masks:
    """The octets of some spans, hidden where they are kept, and wherever else the connection repeats them.

    Streams that share octets are hidden together. A stream that keeps a copy (because a box on the path interfered) is
    searched for the same octets.
    """

    def __init__(self, trace: Trace, spans: Iterable[Span]) -> None:
        self._runs: dict[int, list[tuple[Stream, int, int]]] = defaultdict(list)
        self._secrets: dict[int, set[bytes]] = defaultdict(set)
        for span in spans:
            stream = trace.stream(span.connection, span.stream)
            secret = trace.octets(span).strip(b"\r\n")
            if len(secret) >= SHORTEST_SECRET:
                self._secrets[span.connection].add(secret)
            start, stop = span.start, min(span.end, len(stream))
            while start < stop:
                owner, there, end = stream.owner(start)
                count = min(end, stop) - start
                self._runs[span.connection].append((owner, there, there + count))
                start += count

    def __bool__(self) -> bool:
        return bool(self._runs)

    def concerns(self, connection: int | None) -> bool:
        """Tell whether anything of a connection is hidden."""
        return connection in self._runs

    def own_octets(self, connection: int, stream: Stream) -> bytes:
        """Return the octets that a stream keeps, without what is to be hidden."""
        octets = bytearray(stream.own_octets)
        for owner, start, end in self._runs.get(connection, ()):
            if owner is stream:
                start, end = start - stream.shared, end - stream.shared
                octets[start:end] = octets[start:end].translate(_STARS)
        for secret in sorted(self._secrets.get(connection, ()), key=len, reverse=True):
            octets = octets.replace(secret, secret.translate(_STARS))
        return bytes(octets)
