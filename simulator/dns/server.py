"""A name server on the network: UDP and TCP on one port, both saying what `answering` decides (RFC 7766 section 5)."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import Any

import dns.message

from simulator.dns.answering import Transport, Zones, reply_to

IDLE_S = 30.0
"""How long a TCP connection may go without a whole question (RFC 7766 section 6.2.3)."""
DNS_PORT = 53
_PORT_TRIES = 16

Peer = tuple[Any, ...]
View = Callable[[dns.message.Message, Peer], dns.message.Message]
"""Changes a reply for one peer, for example so that programs outside the simulator get real addresses."""


class DnsServer:
    """What one name server says. `zones` is looked into for each question, so changes count at once."""

    def __init__(self, zones: Zones, view: View | None = None) -> None:
        self.zones, self.view = zones, view

    def reply(self, packet: bytes, peer: Peer, transport: Transport) -> bytes | None:
        """Return the reply to a packet; None when it deserves none."""
        view = self.view
        return reply_to(self.zones, packet, transport, None if view is None else lambda reply: view(reply, peer))


class RunningDns:
    """A name server that is listening. `address` and `port` are where."""

    def __init__(self, server: DnsServer, address: str, port: int) -> None:
        self.server, self.address, self.port = server, address, port
        self._listener: asyncio.AbstractServer | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self.connections: set[_TcpProtocol] = set()

    def close(self) -> None:
        """Stop listening and end the open connections."""
        if self._listener is not None:
            self._listener.close()
        if self._datagrams is not None:
            self._datagrams.close()
        for connection in list(self.connections):
            connection.close()

    async def listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the port for TCP, then the same one for UDP. Raises OSError or UsageError when it is taken."""
        self._listener = await loop.create_server(lambda: _TcpProtocol(self, loop), self.address, self.port)
        if self.port == 0:
            self.port = self._listener.sockets[0].getsockname()[1]
        try:
            self._datagrams, _ = await loop.create_datagram_endpoint(
                lambda: _UdpProtocol(self.server), local_addr=(self.address, self.port))
        except BaseException:
            self._listener.close()
            raise


async def serve_dns(loop: asyncio.AbstractEventLoop, address: str, zones: Zones, port: int = DNS_PORT,
                    view: View | None = None) -> RunningDns:
    """Start a name server for `zones` on a logical address; `port` 0 takes any that is free for both TCP and UDP.

    Raises OSError (or UsageError, in the small internet) when the port is taken.
    """
    tries = _PORT_TRIES if port == 0 else 1
    while True:
        running = RunningDns(DnsServer(zones, view), address, port)
        tries -= 1
        try:
            await running.listen(loop)
            return running
        except OSError as error:  # free for TCP, but another program has it for UDP
            if error.errno not in (errno.EADDRINUSE, errno.EACCES) or tries == 0:
                raise


class _UdpProtocol(asyncio.DatagramProtocol):
    """One datagram, one reply."""

    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to answer on."""
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Answer one question."""
        reply = self._server.reply(data, addr, "udp")
        if reply is not None:
            self._transport.sendto(reply, addr)


class _TcpProtocol(asyncio.Protocol):
    """Any number of questions, each behind its length in two octets, however the stream is cut (RFC 7766 section 8)."""

    def __init__(self, running: RunningDns, loop: asyncio.AbstractEventLoop) -> None:
        self._running, self._loop = running, loop
        self._buffer = bytearray()
        self._idle: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Welcome a client, for as long as it has questions."""
        self._transport: Any = transport
        self._peer: Peer = transport.get_extra_info("peername") or ()
        self._running.connections.add(self)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Answer all questions that are complete; what is kept is never more than one question."""
        self._buffer += data
        while len(self._buffer) >= 2:
            end = 2 + int.from_bytes(self._buffer[:2], "big")
            if len(self._buffer) < end:
                break
            packet = bytes(self._buffer[2:end])
            del self._buffer[:end]
            self._wait()
            reply = self._running.server.reply(packet, self._peer, "tcp")
            if reply is not None:
                self._transport.write(len(reply).to_bytes(2, "big") + reply)

    def pause_writing(self) -> None:
        """The client does not read: take no more questions until it does."""
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._running.connections.discard(self)
        if self._idle is not None:
            self._idle.cancel()

    def close(self) -> None:
        """End the connection; what was answered still goes out."""
        self._transport.close()

    def _wait(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = self._loop.call_later(IDLE_S, self.close)
