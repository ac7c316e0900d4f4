"""A trace: everything that happened, to be read and never changed. Views, exports and checks need nothing else."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from simulator.trace.events import Event, Span
from simulator.trace.streams import STREAMS, Stream

E = TypeVar("E", bound=Event)

_BASES = {
    "wire.c2s.arrived": "wire.c2s.sent",
    "wire.s2c.arrived": "wire.s2c.sent",
    "client.sent": "wire.c2s.sent",
    "server.sent": "wire.s2c.sent",
}


@dataclass(slots=True, kw_only=True)
class ConnectionLog:
    """One connection (TCP) or one exchange of datagrams (UDP) between two hosts, with its streams."""

    number: int
    transport: str
    client_host: str
    client_address: str
    client_port: int
    server_host: str
    server_address: str
    server_port: int
    opened_s: float
    """Moment of the SYN, or of the first datagram."""
    latency_s: float
    """One way."""
    foreign: bool = False
    """True when the client is a program that does not belong to the simulator."""
    labels: list[tuple[int, str]] = field(default_factory=list)
    """(event number from which it holds, message label)."""
    streams: dict[str, Stream] = field(default_factory=dict)

    @property
    def message(self) -> str | None:
        """Label of the (last) message that this connection served."""
        return self.labels[-1][1] if self.labels else None

    def message_at(self, number: int) -> str | None:
        """Label of the message that the connection served when event `number` happened."""
        label = self.labels[0][1] if self.labels else None
        for since, name in self.labels:
            if since <= number:
                label = name
        return label

    def stream(self, name: str) -> Stream:
        """Return a stream by its name (see `STREAMS`), empty when nothing was recorded."""
        stream = self.streams.get(name)
        if stream is None:
            if name not in STREAMS:
                raise KeyError(f"no stream is called {name!r}; there are {', '.join(STREAMS)}")
            stream = self.streams[name] = Stream(self._base(name))
        elif stream.empty and name.endswith(".received"):
            stream.base = self._base(name)  # the other end's tap may have come meanwhile
        return stream

    def _base(self, name: str) -> Stream | None:
        """Return the stream that `name` will most likely repeat."""
        base = _BASES.get(name)
        if name.endswith(".received"):
            way, end = ("c2s", "client") if name == "server.received" else ("s2c", "server")
            # What one end received repeats what the other end sent; an end without a tap is only known from the wire.
            tapped = self.streams.get(f"{end}.sent")
            base = f"{end}.sent" if tapped is not None and not tapped.empty else f"wire.{way}.arrived"
        return self.stream(base) if base else None

    def base_name(self, name: str) -> str | None:
        """Return the name of the stream that `name` shares octets with."""
        base = self.stream(name).base
        return next((other for other, stream in self.streams.items() if stream is base), None) if base else None


class Trace:
    """What happened, as recorded events plus the octets of every connection.

    `events` holds the recorded events in order. The spoken ones (commands, replies, message data) are read out of the
    octets by `simulator.protocol.dialogue.read_connection`.
    """

    def __init__(
        self, header: Mapping[str, Any], connections: Iterable[ConnectionLog], events: Iterable[Event]
    ) -> None:
        self.header = dict(header)
        self.connections = {connection.number: connection for connection in connections}
        self.events = tuple(sorted(events, key=lambda event: event.number))
        self._by_connection: dict[int, tuple[Event, ...]] | None = None
        self.spoken: dict[tuple[int, str], tuple[tuple[int, ...], tuple[Any, ...]]] = {}
        """What readers have read out of the octets already: (connection, end) -> (stream lengths, events)."""

    def __repr__(self) -> str:
        return f"<Trace: {len(self.events)} recorded events on {len(self.connections)} connections>"

    def stream(self, connection: int, name: str) -> Stream:
        """Return one stream of one connection."""
        return self.connections[connection].stream(name)

    def octets(self, span: Span) -> bytes:
        """Return the octets that an event points at."""
        return self.stream(span.connection, span.stream).slice(span.start, span.end)

    def of(self, kind: type[E], **wanted: Any) -> list[E]:
        """Return the recorded events of one kind whose fields equal `wanted`."""
        return [
            event
            for event in self.events
            if isinstance(event, kind) and all(getattr(event, name) == value for name, value in wanted.items())
        ]

    def events_of(self, connection: int) -> tuple[Event, ...]:
        """Return the recorded events of one connection."""
        if self._by_connection is None:
            found: dict[int, list[Event]] = {}
            for event in self.events:
                if event.connection is not None:
                    found.setdefault(event.connection, []).append(event)
            self._by_connection = {number: tuple(events) for number, events in found.items()}
        return self._by_connection.get(connection, ())

    def event(self, number: int) -> Event:
        """Return one recorded event by its number. Raises KeyError."""
        index = bisect_left(self.events, number, key=lambda event: event.number)
        if index == len(self.events) or self.events[index].number != number:
            raise KeyError(number)
        return self.events[index]

    @property
    def messages(self) -> tuple[str, ...]:
        """Labels of all messages, in order of appearance."""
        return tuple(dict.fromkeys(event.message for event in self.events if event.message))

    def only(self, message: str) -> Trace:
        """Return the part of the trace that belongs to one message: its events and its connections."""
        own = [c for c in self.connections.values() if any(label == message for _, label in c.labels)]
        numbers = {c.number for c in own}
        return Trace(
            self.header,
            own,
            [e for e in self.events if e.message == message or (e.message is None and e.connection in numbers)],
        )

    def story(self) -> list[tuple[Any, ...]]:
        """Return what has to be equal in two runs that are *the same*: all but the octets and sizes of TLS records.

        The medium is left out too, so that the two carriers can be compared.
        """
        told: list[tuple[Any, ...]] = [
            (e.number, e.kind, e.at_s, e.host, e.seen_by, e.connection, e.message, e.cause, tuple(e.facts().items()))
            for e in self.events
        ]
        for number in sorted(self.connections):
            log = self.connections[number]
            told.append(
                (
                    number,
                    log.transport,
                    log.client_host,
                    log.client_address,
                    log.client_port,
                    log.server_host,
                    log.server_address,
                    log.server_port,
                    log.opened_s,
                    log.latency_s,
                    tuple(log.labels),
                )
            )
            for name in STREAMS:
                stream = log.streams.get(name)
                if stream is None or (stream.empty and stream.tls_from is None):
                    continue  # the same as if nobody had asked for it
                secret_from = self.tls_offset(log, name)
                octets = stream.octets if secret_from is None else stream.slice(0, secret_from)
                told.append(
                    (
                        number,
                        name,
                        octets,
                        stream.tls_from,
                        tuple(
                            (piece.at_s, piece.number) + ((piece.end,) if secret_from is None else ())
                            for piece in stream.pieces()
                        ),
                    )
                )
        return told

    def same_story(self, other: Trace) -> bool:
        """Tell whether the two traces are the same in the sense of `story`."""
        return self.story() == other.story()

    @staticmethod
    def tls_offset(log: ConnectionLog, name: str) -> int | None:
        """Offset from which a *wire* stream carries TLS records, if it does."""
        if not name.startswith("wire."):
            return None
        ends = ["client.sent", "server.received"] if ".c2s." in name else ["server.sent", "client.received"]
        if name.endswith(".arrived"):
            ends.reverse()
        offsets = [log.streams[end].tls_from for end in ends if end in log.streams]
        return next((offset for offset in offsets if offset is not None), None)
