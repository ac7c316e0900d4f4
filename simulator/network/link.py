"""One connection: two ends, a wire between them with latency and taps, and the manners of TCP (RFC 9293).

The carrier moves the octets (through the kernel or not); the link decides *when* they arrive. Both ends are ordinary
asyncio transports, so that aiosmtpd, ssl and any asyncio client run on them unchanged.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from simulator.network.onpath import Box, Cut, Forward, Inject
from simulator.trace.events import ConnectionClosed, Direction, OnPathAction
from simulator.trace.recorder import Recorder
from simulator.trace.trace import ConnectionLog

if TYPE_CHECKING:
    from simulator.network.loop import NetworkLoop

WINDOW_OCTETS = 256 * 1024
"""How much may be on its way or unread before a sender is told to wait (a receive window with scaling, RFC 7323)."""

Side = Literal["client", "server"]
Ending = Literal["fin", "reset"]


class Carrier(Protocol):
    """What a medium must offer for one connection."""

    def carry(self, from_client: bool, octets: bytes) -> bytes:
        """Move octets to the other end and return them as they came out."""

    def finish(self, from_client: bool) -> None:
        """One end will send no more."""

    def close(self, reset: bool = False) -> None:
        """The connection is over."""


class EndpointTap:
    """Records what the program at one end sends and receives, above TLS."""

    __slots__ = ("_log", "_recorder", "_sent", "_received", "last")

    def __init__(self, recorder: Recorder, log: ConnectionLog, side: Side) -> None:
        self._recorder, self._log = recorder, log
        self._sent, self._received = f"{side}.sent", f"{side}.received"
        self.last: int | None = None
        """Number of the latest line that this end sent or received: the cause of what follows."""

    def sent(self, octets: bytes) -> None:
        """The program has written these octets to its transport (call it after the write)."""
        if octets:
            self.last = self._recorder.spoken(self._log, self._sent, octets)

    def received(self, octets: bytes) -> None:
        """The program has been handed these octets."""
        if octets:
            self.last = self._recorder.spoken(self._log, self._received, octets)


class Wire:
    """What two ends share: the log, the taps, the box on the path, and when it is all over."""

    def __init__(self, loop: NetworkLoop, recorder: Recorder, log: ConnectionLog, carrier: Carrier,
                 box: Box | None = None) -> None:
        self.loop, self.recorder, self.log, self.carrier, self.box = loop, recorder, log, carrier, box
        self.latency_s = log.latency_s
        self.client = End(self, "client")
        self.server = End(self, "server")
        self.client.peer, self.server.peer = self.server, self.client
        self.ended = False
        self._taps: dict[Side, EndpointTap] = {}

    @property
    def number(self) -> int:
        """Number of the connection in the trace."""
        return self.log.number

    @property
    def message(self) -> str | None:
        """Label of the message that this connection serves now."""
        return self.log.message

    def label(self, message: str) -> None:
        """Say which message this connection serves from now on."""
        self.recorder.label(self.log, message)

    def tap(self, side: Side) -> EndpointTap:
        """Return the tap above TLS at one end."""
        if side not in self._taps:
            self._taps[side] = EndpointTap(self.recorder, self.log, side)
        return self._taps[side]

    def record_end(self, by: Literal["client", "server", "path"], how: Literal["fin", "reset", "cut"]) -> None:
        """Record the end of the connection, once."""
        if not self.ended:
            self.ended = True
            host = self.log.server_host if by == "server" else self.log.client_host
            self.recorder.record(ConnectionClosed, host=host, seen_by="wire", connection=self.number, by=by, how=how)

    def cut(self, why: str, direction: Direction) -> None:
        """A box on the path ends the connection: both ends get a reset."""
        self.recorder.record(OnPathAction, host="on the path", seen_by="wire", connection=self.number, action="cut",
                             direction=direction, detail=why)
        self.record_end("path", "cut")
        for end in (self.client, self.server):
            end.deliver("reset")

    def end_closed(self) -> None:
        """Called by each end when it is gone; the second call releases the carrier."""
        if self.client.gone and self.server.gone:
            self.carrier.close()
            self.loop.network.forget(self)


class End(asyncio.Transport):
    """One end of a connection, as its program sees it."""

    _start_tls_compatible = True  # asyncio asks for this before it lays TLS over a transport

    def __init__(self, wire: Wire, side: Side) -> None:
        log = wire.log
        client, server = (log.client_address, log.client_port), (log.server_address, log.server_port)
        own, other = (client, server) if side == "client" else (server, client)
        super().__init__({"sockname": own, "peername": other, "wire": wire})
        self.wire, self.side = wire, side
        self.peer: End = self
        self.gone = False
        self._direction: Direction = "c2s" if side == "client" else "s2c"
        self._loop = wire.loop
        self._protocol: asyncio.BaseProtocol | None = None
        self._on_the_way: deque[bytes | Ending] = deque()
        self._arrived: deque[bytes | Ending] = deque()
        self._closing = self._sent_fin = self._paused = False
        self._reset_error: Exception | None = None
        self._unread_octets = 0
        self._writer_waits = False

    # --- what asyncio expects of a transport -------------------------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what arrives to `protocol` from now on."""
        self._protocol = protocol
        self._loop.call_soon(self._hand_over)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return the program's protocol object."""
        return cast(asyncio.BaseProtocol, self._protocol)

    def is_closing(self) -> bool:
        """Tell whether this end is closed or closing."""
        return self._closing

    def is_reading(self) -> bool:
        """Tell whether arriving octets are handed over."""
        return not self._paused and not self._closing

    def pause_reading(self) -> None:
        """Leave what arrives in the buffer."""
        self._paused = True

    def resume_reading(self) -> None:
        """Hand over what has arrived, and what will."""
        if self._paused:
            self._paused = False
            self._loop.call_soon(self._hand_over)

    def get_write_buffer_size(self) -> int:
        """Return how many octets the other end has not read yet."""
        return self._unread_octets

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the low and the high mark."""
        return WINDOW_OCTETS // 2, WINDOW_OCTETS

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """The window is fixed; the wish is ignored."""

    def can_write_eof(self) -> bool:
        """TCP can be half closed."""
        return True

    def write_eof(self) -> None:
        """Send FIN: no more octets from this end, but it still listens (RFC 9293 section 3.6)."""
        self._send_fin()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Put octets on the wire."""
        if not data or self._closing or self._sent_fin:
            return
        octets = bytes(data)
        wire, peer = self.wire, self.peer
        wire.recorder.wire(wire.log, f"wire.{self._direction}.sent", octets)
        if wire.box is None:
            self._travel(octets, peer)
        else:
            self._ask_box(wire.box.on_octets(wire.log, self._direction, octets), octets)
        if self._unread_octets > WINDOW_OCTETS and not self._writer_waits and self._protocol is not None:
            self._writer_waits = True
            self._protocol.pause_writing()

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Put several pieces on the wire as one."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Close in order: what was written still travels, then FIN."""
        if not self._closing:
            self._send_fin()
            self._leave(None)

    def abort(self) -> None:
        """Close at once: the other end gets a reset."""
        self._force_close(None)

    def _force_close(self, error: BaseException | None) -> None:  # asyncio's TLS layer calls it by this name
        if not self._closing:
            if not self.peer.gone:
                self.wire.record_end(self.side, "reset")
                self.peer.send_off("reset")
            self._leave(error)

    # --- sending -----------------------------------------------------------------------------------------------------

    def _ask_box(self, actions: Iterable[Any], sent: bytes) -> None:
        passed = False
        for action in actions:
            if isinstance(action, Cut):
                self.wire.cut("", self._direction)
                return
            if isinstance(action, Inject):
                self._note("inject back" if action.back else "inject", action.octets)
                self._travel(action.octets, self if action.back else self.peer)
            elif isinstance(action, Forward):
                if action.octets != sent:
                    self._note("change", action.octets)
                self._travel(action.octets, self.peer)
                passed = True
        if not passed:
            self._note("hold", b"")

    def _note(self, action: str, octets: bytes) -> None:
        self.wire.recorder.record(
            OnPathAction, host="on the path", seen_by="wire", connection=self.wire.number, action=action,
            direction=self._direction, detail=octets.decode("ascii", "backslashreplace"))

    def _travel(self, octets: bytes, to: End) -> None:
        to.peer._unread_octets += len(octets)
        to.send_off(self.wire.carrier.carry(to.side == "server", octets))

    def _send_fin(self) -> None:
        if not self._sent_fin and not self._closing:
            self._sent_fin = True
            self.wire.record_end(self.side, "fin")
            self.wire.carrier.finish(self.side == "client")
            self.peer.send_off("fin")

    def send_off(self, item: bytes | Ending) -> None:
        """Let an item travel to this end; it arrives one latency later, in order."""
        self._on_the_way.append(item)
        if self.wire.latency_s:
            self._loop.call_later(self.wire.latency_s, self._arrive)
        else:
            self._loop.call_soon(self._arrive)

    # --- arriving ----------------------------------------------------------------------------------------------------

    def _arrive(self) -> None:
        self.deliver(self._on_the_way.popleft())

    def deliver(self, item: bytes | Ending) -> None:
        """An item has arrived at this end."""
        if isinstance(item, bytes) and not self.gone:
            way = "s2c" if self.side == "client" else "c2s"
            self.wire.recorder.wire(self.wire.log, f"wire.{way}.arrived", item)
        if self._closing:
            if isinstance(item, bytes) and not self.peer.gone:
                self.peer.send_off("reset")  # RFC 9293 section 3.10.7.1: octets for a closed end are answered with a reset
            return
        if item == "reset":
            self._leave(ConnectionResetError("the other side reset the connection"))
            return
        self._arrived.append(item)
        self._hand_over()

    def _hand_over(self) -> None:
        while self._arrived and not self._paused and not self._closing and self._protocol is not None:
            item = self._arrived.popleft()
            try:
                if isinstance(item, bytes):
                    self._feed(item)
                    self.peer._was_read(len(item))
                elif not cast(asyncio.Protocol, self._protocol).eof_received():
                    self.close()
            except Exception as error:  # a broken program must not break the network: its connection ends
                self._loop.call_exception_handler(
                    {"message": "a protocol failed", "exception": error, "transport": self, "protocol": self._protocol})
                self._force_close(error)

    def _feed(self, octets: bytes) -> None:
        protocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            cast(asyncio.Protocol, protocol).data_received(octets)
            return
        while octets and protocol is self._protocol:
            buffer = memoryview(protocol.get_buffer(len(octets)))
            count = min(len(buffer), len(octets))
            buffer[:count] = octets[:count]
            protocol.buffer_updated(count)
            octets = octets[count:]
        if octets:
            self._feed(octets)

    def _was_read(self, octets: int) -> None:
        self._unread_octets -= octets
        if self._writer_waits and self._unread_octets <= WINDOW_OCTETS // 2 and not self._closing:
            self._writer_waits = False
            if self._protocol is not None:
                self._protocol.resume_writing()

    # --- the end -----------------------------------------------------------------------------------------------------

    def _leave(self, error: BaseException | None) -> None:
        self._closing = True
        self._arrived.clear()
        self._loop.call_soon(self._gone, error)

    def _gone(self, error: BaseException | None) -> None:
        self.gone = True
        try:
            if self._protocol is not None:
                self._protocol.connection_lost(cast("Exception | None", error))
        finally:
            self.wire.end_closed()
