"""Strangers: programs on this machine that the loop does not own. A bridge joins their real socket to a wire of ours."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, cast

from simulator.network.link import End, Wire
from simulator.network.loopback import LOOPBACK, check_loopback

if TYPE_CHECKING:
    from simulator.network.loop import LoopbackLoop
    from simulator.network.network import Address
    from simulator.network.onpath import Box
    from simulator.trace.trace import ConnectionLog

LINGER_S = 30.0
"""How long a closed connection may still take to deliver its last octets to a foreign program."""


class Bridge(asyncio.Protocol):
    """Pumps octets between a foreign socket and the end of a wire that stands for the foreign program.

    It is also the carrier of that wire: the octets went through the kernel on the foreign side already.
    """

    def __init__(self, loop: LoopbackLoop, accepted: socket.socket) -> None:
        self._loop = loop
        self._socket = accepted
        self._outside: asyncio.Transport | None = None
        self._end: End | None = None
        self._task: asyncio.Task[None] | None = None
        loop.clock.foreign(+1)

    def attach(self, end: End) -> None:
        """Begin to pump, once the wire is there."""
        self._end = end
        end.pause_reading()
        end.set_protocol(_Inside(self))
        self._socket.setblocking(False)
        self._task = self._loop.create_task(self._start())

    async def _start(self) -> None:
        await self._loop.connect_accepted_socket(lambda: self, self._socket)

    # --- from the foreign program ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The foreign socket is ours to read."""
        self._outside = cast(asyncio.Transport, transport)
        assert self._end is not None
        if self._end.is_closing():  # our server was quicker and has closed already
            self._outside.close()
            return
        self._end.get_protocol().connection_made(self._end)
        self._end.resume_reading()

    def data_received(self, data: bytes) -> None:
        """The foreign program sent something."""
        assert self._end is not None
        self._end.write(data)

    def eof_received(self) -> bool:
        """The foreign program will send no more; it may still listen."""
        assert self._end is not None
        self._end.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The foreign program is gone."""
        assert self._end is not None
        if exc is not None:
            self._end.abort()
        else:
            self._end.close()
        self._loop.clock.foreign(-1)

    def pause_writing(self) -> None:
        """The foreign program does not read: let our server wait."""
        assert self._end is not None
        self._end.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        assert self._end is not None
        self._end.resume_reading()

    @property
    def outside(self) -> asyncio.Transport:
        """The transport of the foreign socket."""
        assert self._outside is not None
        return self._outside

    # --- as the carrier of the wire ----------------------------------------------------------------------------------

    def carry(self, from_client: bool, octets: bytes) -> bytes:
        """The octets came through the kernel, or will go through it."""
        return octets

    def finish(self, from_client: bool) -> None:
        """The pump passes the FIN on."""

    def close(self, reset: bool = False) -> None:
        """The wire is over; the pump has closed the socket."""


class _Inside(asyncio.Protocol):
    """What our side sends to the foreign program."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._end: End | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._end = cast(End, transport)

    def data_received(self, data: bytes) -> None:
        self._bridge.outside.write(data)

    def eof_received(self) -> bool:
        outside = self._bridge.outside
        assert self._end is not None
        if self._end.peer.is_closing():
            return False  # our side is closed for good, not half closed
        if outside.can_write_eof() and not outside.is_closing():
            outside.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        outside = self._bridge._outside
        if outside is None:
            return
        if exc is not None:
            outside.abort()
        else:
            outside.close()
            # A stranger that never reads what is left for it must not hold the socket for ever.
            self._bridge._loop.call_later(LINGER_S, outside.abort)

    def pause_writing(self) -> None:
        self._bridge.outside.pause_reading()

    def resume_writing(self) -> None:
        if not self._bridge.outside.is_closing():
            self._bridge.outside.resume_reading()


async def dial_external(loop: LoopbackLoop, log: ConnectionLog, box: Box | None, real_address: Address) -> Wire:
    """Connect to a real program on this machine and join it to a wire as the server end. Raises what connect() raises."""
    check_loopback(real_address[0])
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        sock.bind((LOOPBACK, 0))
        await loop.sock_connect(sock, real_address)
    except BaseException:
        sock.close()
        raise
    bridge = Bridge(loop, sock)
    wire = Wire(loop, loop.recorder, log, bridge, box)
    bridge.attach(wire.server)
    return wire
