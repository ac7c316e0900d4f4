"""Strangers: programs on this machine that are not ours. A bridge joins their real socket to a wire of ours."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING, Any, cast

from simulator.network.end import End, Side
from simulator.network.link import Wire
from simulator.network.loopback import new_socket, reset_on_close

if TYPE_CHECKING:
    from simulator.network.hosts import Address
    from simulator.network.loop import NetworkLoop
    from simulator.network.onpath import Box
    from simulator.trace.trace import ConnectionLog

LINGER_S = 30.0
"""How long a foreign program may take to fetch its last octets after our side has closed."""


class Bridge(asyncio.Protocol):
    """Pumps octets between a foreign socket and the end of a wire that stands for the foreign program.

    It is also the carrier of that wire: the octets went through the kernel on the foreign side already. While it is
    there, time is real.
    """

    def __init__(self, loop: NetworkLoop, foreign_socket: socket.socket) -> None:
        self._loop, self._socket = loop, foreign_socket
        self._outside: asyncio.Transport | None = None
        self._inside = _Inside(self)
        self._linger: asyncio.TimerHandle | None = None
        self._joined = self._wire_over = self._foreign_gone = False

    def attach(self, end: End) -> None:
        """Begin to pump, once the wire is there. `end` stands for the foreign program."""
        self._loop.clock.foreign(+1)
        self._end = end
        end.pause_reading()
        end.set_protocol(self._inside)
        self._socket.setblocking(False)
        self._task = self._loop.create_task(self._loop.connect_accepted_socket(self._join, self._socket))
        self._task.add_done_callback(self._started)

    def _join(self) -> Bridge:
        self._joined = True
        return self

    def _started(self, task: asyncio.Task[Any]) -> None:
        if not self._joined:  # cancelled before it began: the loop is being stopped
            self._socket.close()
            self.connection_lost(ConnectionAbortedError("stopped"))
        elif not task.cancelled():
            task.result()

    # --- from the foreign program ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The foreign socket is ours to read."""
        self._outside = cast(asyncio.Transport, transport)
        if self._wire_over or self._end.is_closing():  # our program was quicker and has reset the connection already
            self._outside.abort()
        else:
            self._end.resume_reading()

    def data_received(self, data: bytes) -> None:
        """The foreign program sent something."""
        self._end.write(data)

    def eof_received(self) -> bool:
        """The foreign program will send no more; it may still listen."""
        self._end.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """The foreign program is gone."""
        if self._foreign_gone:
            return
        self._foreign_gone = True
        if self._linger is not None:
            self._linger.cancel()
        if exc is not None:
            self._end.abort()
        else:
            self._end.close()
        self._loop.clock.foreign(-1)
        self._settle()

    def pause_writing(self) -> None:
        """The foreign program does not read: let our program wait."""
        self._end.pause_reading()

    def resume_writing(self) -> None:
        """It reads again."""
        self._end.resume_reading()

    # --- to the foreign program --------------------------------------------------------------------------------------

    @property
    def outside(self) -> asyncio.Transport:
        """The transport of the foreign socket."""
        assert self._outside is not None
        return self._outside

    def end_lost(self, exc: Exception | None) -> None:
        """The end that stands for the foreign program is gone."""
        if self._outside is None or self._foreign_gone:
            return
        if exc is not None:
            self._reset()
        else:
            self._outside.close()

    def _reset(self) -> None:
        """Let the foreign program see a reset, as our program's peer would."""
        if self._outside is not None:
            reset_on_close(self._socket)
            self._outside.abort()

    def _give_up(self) -> None:
        self._reset()
        self._end.abort()

    # --- as the carrier of the wire ----------------------------------------------------------------------------------

    def carry(self, from_client: bool, octets: bytes) -> bytes:
        """The octets came through the kernel, or will go through it."""
        return octets

    def finish(self, from_client: bool) -> None:
        """The pump passes the FIN on."""

    def left(self, side: Side) -> None:
        """When our program is gone, the foreign one may fetch what is left for it, but not for ever."""
        if side == self._end.side or self._foreign_gone:
            return
        if self._inside.finished:  # our program was half closed already and will not speak again
            self._end.close()
        self._linger = self._loop.call_later(LINGER_S, self._give_up)

    def close(self, reset: bool = False) -> None:
        """The wire is over."""
        self._wire_over = True
        if reset:
            self._reset()
        self._settle()

    def _settle(self) -> None:
        if self._wire_over and self._foreign_gone:
            self._loop.network.forget(self._end.wire)


class _Inside(asyncio.Protocol):
    """What our program sends to the foreign one."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self.finished = False

    def data_received(self, data: bytes) -> None:
        self._bridge.outside.write(data)

    def eof_received(self) -> bool:
        self.finished = True
        if self._bridge._end.peer.is_closing():
            return False  # our program is closed for good, not half closed
        outside = self._bridge.outside
        if not outside.is_closing():
            outside.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._bridge.end_lost(exc)

    def pause_writing(self) -> None:
        outside = self._bridge.outside
        if not outside.is_closing():
            outside.pause_reading()

    def resume_writing(self) -> None:
        outside = self._bridge.outside
        if not outside.is_closing():
            outside.resume_reading()


async def dial_external(loop: NetworkLoop, log: ConnectionLog, box: Box | None, real_address: Address) -> Wire:
    """Connect to a real program on this machine and join it to a wire as the server end.

    Raises what connect() raises, and UsageError for an address outside this machine.
    """
    sock = new_socket(real_address[0], socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await loop.sock_connect(sock, real_address)
        if sock.getsockname() == sock.getpeername():  # TCP can meet itself when nobody listens on a dynamic port
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"nothing listens on {real_address}")
    except BaseException:
        sock.close()
        raise
    bridge = Bridge(loop, sock)
    wire = loop.network.join(log, bridge, box)
    bridge.attach(wire.server)
    return wire
