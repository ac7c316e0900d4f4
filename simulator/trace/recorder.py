"""The pen: the only thing that writes a trace. Every part of the live half holds one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from simulator.errors import UsageError
from simulator.trace.events import Event, SeenBy, TlsEstablished, TlsFailed
from simulator.trace.trace import ConnectionLog, Trace

EVENT_OCTETS = 300
"""What an event counts for towards a limit: about its length in a saved trace."""
PIECE_OCTETS = 30
"""What a piece of a stream counts for, beside the octets that are kept for it."""


class Recorder:
    """Collects events and octets with their moments; `clock` returns simulated seconds.

    With `limit_octets` it forgets: when what it holds outgrows the limit, the oldest connections that are over go, with
    their events, and the oldest events without a connection. `header["dropped"]` then says how much is missing.
    """

    def __init__(self, clock: Callable[[], float], limit_octets: int | None = None, **header: Any) -> None:
        if limit_octets is not None and limit_octets <= 0:
            raise UsageError(f"A trace cannot be limited to {limit_octets} octets; give a number above 0, or None.")
        self.clock = clock
        self.header: dict[str, Any] = header
        self.limit_octets = limit_octets
        self.connections: dict[int, ConnectionLog] = {}
        self.listeners: list[Callable[[Event], None]] = []
        """Called with every event as it is written, for a live log."""
        self._events: list[Event] = []
        self._by_message: dict[str, list[Event]] = defaultdict(list)
        self._by_connection: dict[int, list[Event]] = defaultdict(list)
        self._connections_of: dict[str, dict[int, ConnectionLog]] = defaultdict(dict)
        self._next = 1
        self._connection_count = 0
        self._size_octets = 0
        self._shrink_at = limit_octets or 0
        self._weights: dict[int, int] = defaultdict(int)
        self._over: dict[int, int] = {}
        """Connections that are over -> number of the moment when they ended."""

    # --- events ------------------------------------------------------------------------------------------------------

    def record(
        self,
        kind: type[Event],
        *,
        host: str,
        seen_by: SeenBy,
        connection: int | None = None,
        message: str | None = None,
        cause: int | None = None,
        **facts: Any,
    ) -> int:
        """Write one event that happens now; return its number."""
        number = self._take(1)
        log = None if connection is None else self.connections.get(connection)
        if connection is not None and log is None:
            if self.limit_octets is None:
                raise KeyError(connection)
            connection = None  # a limited trace has dropped it
        if log is not None and message is None:
            message = log.message
        event = kind(
            number=number,
            at_s=self.clock(),
            host=host,
            seen_by=seen_by,
            connection=connection,
            message=message,
            cause=cause,
            **facts,
        )
        self._events.append(event)
        if message is not None:
            self._by_message[message].append(event)
        elif connection is not None:
            self._by_connection[connection].append(event)
        if isinstance(event, (TlsEstablished, TlsFailed)) and log is not None and seen_by != "wire":
            for way in ("sent", "received"):
                stream = log.stream(f"{seen_by}.{way}")
                if stream.tls_from is None:
                    stream.tls_from = len(stream)
        if self.limit_octets is not None:
            self._weigh(connection, EVENT_OCTETS)
        for tell in self.listeners:
            tell(event)
        return number

    def _take(self, count: int) -> int:
        first, self._next = self._next, self._next + count
        return first

    # --- connections and octets --------------------------------------------------------------------------------------

    def connection(self, **facts: Any) -> ConnectionLog:
        """Start the log of a new connection and return it."""
        self._connection_count += 1
        log = ConnectionLog(number=self._connection_count, opened_s=self.clock(), **facts)
        self.connections[log.number] = log
        return log

    def over(self, log: ConnectionLog) -> None:
        """Say that a connection has ended, so that a limited trace may drop it some day."""
        if self.limit_octets is not None and log.number in self.connections:
            self._over.setdefault(log.number, self._next)
            self._shrink_at = self.limit_octets  # now there is something to drop
            self._weigh(None, 0)

    def label(self, log: ConnectionLog, message: str) -> None:
        """Say that what follows on this connection belongs to `message`."""
        if log.message != message:
            log.labels.append((self._next if log.labels else 0, message))
            if log.number in self.connections:
                self._connections_of[message][log.number] = log

    def wire(self, log: ConnectionLog, name: str, octets: bytes) -> int:
        """Write octets that were put on the wire or came out of it; return the number of that moment."""
        number = self._take(1)
        kept = log.stream(name).append(octets, self.clock(), number)
        if self.limit_octets is not None:
            self._weigh(log.number, kept + PIECE_OCTETS)
        return number

    def spoken(self, log: ConnectionLog, name: str, octets: bytes) -> int:
        """Write octets that an end's program sent or received; every line gets a number of its own.

        Returns the number of the last line.
        """
        lines = octets.count(b"\n")
        first = self._take(lines + 1)
        kept = log.stream(name).append(octets, self.clock(), first)
        if self.limit_octets is not None:
            self._weigh(log.number, kept + PIECE_OCTETS)
        return first + lines - octets.endswith(b"\n")

    # --- forgetting --------------------------------------------------------------------------------------------------

    def _weigh(self, connection: int | None, octets: int) -> None:
        if connection is None:
            self._size_octets += octets
        elif connection in self.connections:
            self._size_octets += octets
            self._weights[connection] += octets
        if self._size_octets > self._shrink_at:
            self._shrink()

    def _shrink(self) -> None:
        """Drop the oldest things that are over, down to three quarters of the limit, so that it is seldom due."""
        assert self.limit_octets is not None
        old = [(ended, self._weights[number], number) for number, ended in self._over.items()]
        old += [(event.number, EVENT_OCTETS, 0) for event in self._events if event.connection is None]
        dropped: set[int] = set()
        until = octets = 0
        for ended, weight, number in sorted(old):
            if self._size_octets - octets <= self.limit_octets * 3 // 4:
                break
            until, octets = ended, octets + weight
            if number:
                dropped.add(number)
        self._forget(dropped, until, octets)
        # What is left may all be in use: then look again only when there is noticeably more.
        self._shrink_at = max(self.limit_octets, self._size_octets + self.limit_octets // 4)

    def _forget(self, connections: set[int], until: int, octets: int) -> None:
        before = len(self._events)

        def kept(events: Iterable[Event]) -> list[Event]:
            return [
                event
                for event in events
                if (event.number > until if event.connection is None else event.connection not in connections)
            ]

        self._events = kept(self._events)
        self._by_message = defaultdict(
            list, {key: left for key, events in self._by_message.items() if (left := kept(events))}
        )
        for number in connections:
            for _, message in self.connections.pop(number).labels:
                self._connections_of.get(message, {}).pop(number, None)
                if not self._connections_of.get(message):
                    self._connections_of.pop(message, None)
            self._by_connection.pop(number, None)
            self._weights.pop(number, None)
            self._over.pop(number, None)
        self._size_octets -= octets
        so_far = self.header.get("dropped", {})
        lost = {"connections": len(connections), "events": before - len(self._events), "octets": octets}
        self.header["dropped"] = {what: so_far.get(what, 0) + count for what, count in lost.items()}

    # --- reading -----------------------------------------------------------------------------------------------------

    def trace(self, message: str | None = None) -> Trace:
        """Return everything so far, or the part that belongs to one message."""
        if message is None:
            return Trace(self.header, self.connections.values(), self._events)
        connections = self._connections_of.get(message, {})
        events = list(self._by_message.get(message, []))
        for number in connections:
            events += self._by_connection.get(number, [])
        return Trace(self.header, connections.values(), events)
