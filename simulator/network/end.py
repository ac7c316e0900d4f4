"""One end of a connection: an ordinary asyncio transport, with the manners of TCP (RFC 9293)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from contextvars import Context
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from simulator.network.link import Wire
    from simulator.trace.events import Direction

WINDOW_OCTETS = 256 * 1024
"""How much may be on its way or unread before a sender is told to wait (a receive window with scaling, RFC 7323)."""

Side = Literal["client", "server"]
Ending = Literal["fin", "reset"]


class End(asyncio.Transport):
    """One end of a connection, as its program sees it. What arrives is handed over in the program's own `context`."""

    _start_tls_compatible = True  # asyncio asks for this before it lays TLS over a transport

    def __init__(self, wire: Wire, side: Side, context: Context) -> None:
        log = wire.log
        client, server = (log.client_address, log.client_port), (log.server_address, log.server_port)
        own, other = (client, server) if side == "client" else (server, client)
        super().__init__({"sockname": own, "peername": other, "wire": wire})
        self.wire, self.side = wire, side
        self.peer: End = self
        self.gone = False
        self.direction: Direction = "c2s" if side == "client" else "s2c"
        self._sent, self._came = f"wire.{self.direction}.sent", f"wire.{'s2c' if side == 'client' else 'c2s'}.arrived"
        self._loop, self.context = wire.loop, context
        self._protocol: asyncio.BaseProtocol | None = None
        self._on_the_way: deque[bytes | Ending] = deque()
        self._arrived: deque[bytes | Ending] = deque()
        self._closing = self.sent_fin = self._paused = False
        self._unread_octets = 0
        self._writer_waits = False

    # --- what asyncio expects of a transport -------------------------------------------------------------------------

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Hand what arrives to `protocol` from now on."""
        self._protocol = protocol
        self._hand_over_soon()

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
            self._hand_over_soon()

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
        if self.sent_fin or self._closing:
            return
        self.wire.ask_box_at_end(self)
        self.sent_fin = True
        if not self.wire.was_cut:
            self.wire.record_end(self.side, "fin")
            self.wire.carrier.finish(self.side == "client")
            self.peer.send_off("fin")

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Put octets on the wire."""
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"a transport writes octets, not {type(data).__name__}")
        if self._closing or not data:
            return
        if self.sent_fin:
            raise RuntimeError("Cannot call write() after write_eof()")
        octets = bytes(data)
        wire = self.wire
        wire.recorder.wire(wire.log, self._sent, octets)
        if wire.box is None:
            self.travel(octets)
        elif not wire.was_cut:
            wire.ask_box(self, octets)
        if self._unread_octets > WINDOW_OCTETS and not self._writer_waits and self._protocol is not None:
            self._writer_waits = True
            self._flow(self._protocol.pause_writing)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """Put several pieces on the wire as one."""
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        """Close in order: what was written still travels, then FIN."""
        if self._closing:
            return
        if any(isinstance(item, bytes) for item in self._arrived):
            self._force_close(None)  # RFC 9293 section 3.6.1: a reset shows that data was lost unread
            return
        self.write_eof()
        self._leave(None)

    def abort(self) -> None:
        """Close at once: the other end gets a reset."""
        self._force_close(None)

    def _force_close(self, error: BaseException | None) -> None:  # asyncio's TLS layer calls it by this name
        if not self._closing:
            if not self.peer.is_closing():
                self.wire.record_end(self.side, "reset")
                self.peer.send_off("reset")
            self._leave(error)

    # --- sending -----------------------------------------------------------------------------------------------------

    def travel(self, octets: bytes) -> None:
        """Let octets leave this end for the other one."""
        if octets and not self.sent_fin and not self.wire.was_cut:  # nothing travels behind a FIN
            self._unread_octets += len(octets)
            self.peer.send_off(self.wire.carrier.carry(self.side == "client", octets))

    def send_off(self, item: bytes | Ending) -> None:
        """Let an item travel to this end; it arrives one latency later, in order."""
        self._on_the_way.append(item)
        latency_s = self.wire.latency_s
        if latency_s:
            self._loop.call_later(latency_s, self._arrive, context=self.context)
        else:
            self._loop.call_soon(self._arrive, context=self.context)

    # --- arriving ----------------------------------------------------------------------------------------------------

    def _arrive(self) -> None:
        self.deliver(self._on_the_way.popleft())

    def deliver(self, item: bytes | Ending) -> None:
        """An item has arrived at this end."""
        wire = self.wire
        if isinstance(item, bytes):
            wire.recorder.wire(wire.log, self._came, item)
            if self._closing and not self.peer.is_closing():
                # RFC 9293 section 3.10.7.1: octets for a closed end are answered with a reset
                self.peer.send_off("reset")
        if self._closing:
            return
        if item == "reset":
            self._leave(ConnectionResetError("the other side reset the connection"))
            return
        self._arrived.append(item)
        self._hand_over()

    def _hand_over_soon(self) -> None:
        if self._arrived:
            self._loop.call_soon(self._hand_over, context=self.context)

    def _hand_over(self) -> None:
        while self._arrived and not self._paused and not self._closing and self._protocol is not None:
            item = self._arrived.popleft()
            try:
                if isinstance(item, bytes):
                    self._feed(item)
                elif not cast(asyncio.Protocol, self._protocol).eof_received():
                    self.close()
            except Exception as error:  # a broken program must not break the network: its connection ends
                self._complain(error)
                self._force_close(error)
            if isinstance(item, bytes):
                self.peer._was_read(len(item))

    def _feed(self, octets: bytes) -> None:
        protocol = self._protocol
        if not isinstance(protocol, asyncio.BufferedProtocol):
            cast(asyncio.Protocol, protocol).data_received(octets)
            return
        left = memoryview(octets)
        while left and protocol is self._protocol and not self._closing:
            buffer = memoryview(protocol.get_buffer(len(left)))
            if not buffer:
                raise RuntimeError("get_buffer() returned an empty buffer")
            count = min(len(buffer), len(left))
            buffer[:count] = left[:count]
            protocol.buffer_updated(count)
            left = left[count:]
        if left and not self._closing:  # the program has put another protocol in its place meanwhile
            self._feed(bytes(left))

    def _was_read(self, octets: int) -> None:
        self._unread_octets -= octets
        if self._writer_waits and self._unread_octets <= WINDOW_OCTETS // 2 and not self._closing:
            self._writer_waits = False
            if self._protocol is not None:
                self._flow(self._protocol.resume_writing)

    def _flow(self, tell: Any) -> None:
        try:
            tell()
        except Exception as error:  # as asyncio does: reported, and the connection goes on
            self._complain(error)

    def _complain(self, error: Exception) -> None:
        self._loop.call_exception_handler(
            {"message": "a protocol failed", "exception": error, "transport": self, "protocol": self._protocol}
        )

    # --- the end -----------------------------------------------------------------------------------------------------

    def _leave(self, error: BaseException | None) -> None:
        self._closing = True
        self._arrived.clear()
        self._loop.call_soon(self._gone, error, context=self.context)

    def _gone(self, error: BaseException | None) -> None:
        self.gone = True
        protocol, self._protocol = self._protocol, None
        try:
            if protocol is not None:
                protocol.connection_lost(cast("Exception | None", error))
        finally:
            self.wire.end_closed(self.side)
