"""The pen: the only thing that writes a trace. Every part of the live half holds one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from simulator.trace.events import Event, SeenBy, TlsEstablished
from simulator.trace.trace import ConnectionLog, Trace


class Recorder:
    """Collects events and octets with their moments; `clock` returns simulated seconds."""

    def __init__(self, clock: Callable[[], float], **header: Any) -> None:
        self.clock = clock
        self.header: dict[str, Any] = header
        self.connections: dict[int, ConnectionLog] = {}
        self._events: list[Event] = []
        self._by_message: dict[str, list[Event]] = defaultdict(list)
        self._by_connection: dict[int, list[Event]] = defaultdict(list)
        self._connections_of: dict[str, list[ConnectionLog]] = defaultdict(list)
        self._next = 1

    # --- events ------------------------------------------------------------------------------------------------------

    def record(self, kind: type[Event], *, host: str, seen_by: SeenBy, connection: int | None = None,
               message: str | None = None, cause: int | None = None, **facts: Any) -> int:
        """Write one event that happens now; return its number."""
        number = self._take(1)
        if message is None and connection is not None:
            message = self.connections[connection].message
        event = kind(number=number, at_s=self.clock(), host=host, seen_by=seen_by, connection=connection,
                     message=message, cause=cause, **facts)
        self._events.append(event)
        if message is not None:
            self._by_message[message].append(event)
        elif connection is not None:
            self._by_connection[connection].append(event)
        if isinstance(event, TlsEstablished) and connection is not None and seen_by != "wire":
            for way in ("sent", "received"):
                stream = self.connections[connection].stream(f"{seen_by}.{way}")
                stream.tls_from = len(stream)
        return number

    def _take(self, count: int) -> int:
        first, self._next = self._next, self._next + count
        return first

    # --- connections and octets --------------------------------------------------------------------------------------

    def connection(self, **facts: Any) -> ConnectionLog:
        """Start the log of a new connection and return it."""
        log = ConnectionLog(number=len(self.connections) + 1, opened_s=self.clock(), **facts)
        self.connections[log.number] = log
        return log

    def label(self, log: ConnectionLog, message: str) -> None:
        """Say that what follows on this connection belongs to `message`."""
        if log.message != message:
            log.labels.append((self._next if log.labels else 0, message))
            self._connections_of[message].append(log)

    def wire(self, log: ConnectionLog, name: str, octets: bytes) -> int:
        """Write octets that were put on the wire or came out of it; return the number of that moment."""
        number = self._take(1)
        log.stream(name).append(octets, self.clock(), number)
        return number

    def spoken(self, log: ConnectionLog, name: str, octets: bytes) -> int:
        """Write octets that an end's program sent or received; every line gets a number of its own.

        Returns the number of the last line.
        """
        lines = octets.count(b"\n")
        first = self._take(lines + 1)
        log.stream(name).append(octets, self.clock(), first)
        return first + lines - octets.endswith(b"\n")

    # --- reading -----------------------------------------------------------------------------------------------------

    def trace(self, message: str | None = None) -> Trace:
        """Return everything so far, or the part that belongs to one message."""
        if message is None:
            return Trace(self.header, self.connections.values(), self._events)
        connections = self._connections_of[message]
        events = list(self._by_message[message])
        for log in connections:
            events += self._by_connection[log.number]
        return Trace(self.header, connections, events)
