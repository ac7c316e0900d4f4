"""One question to one name server and its answer, over UDP or TCP (RFC 1035 section 4.2). The resolver's only IO."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import dns.exception
import dns.message

from simulator.dns.answering import UDP_PAYLOAD_OCTETS, Transport
from simulator.dns.questions import Ask
from simulator.errors import UsageError
from simulator.network.network import dialling

Loop = asyncio.AbstractEventLoop
OnSent = Callable[[int | None], None]
"""Called when the question leaves, with the number of its connection in the trace (None on an ordinary loop)."""

DNS_PORT = 53
TIMEOUT_S = 5.0
"""How long one server is waited for (RFC 1035 section 4.2.1 suggests 2 to 5 s)."""
_PORT_TRIES = 8


async def exchange(loop: Loop, question: Ask, server_address: str, *, source_address: str, rng: Random,
                   transport: Transport = "udp", timeout_s: float = TIMEOUT_S, port: int = DNS_PORT,
                   message: str | None = None, cause: int | None = None,
                   on_sent: OnSent = lambda _: None) -> dns.message.Message | None:
    """Ask `server_address` from `source_address`; return its reply, or None when none came within `timeout_s`.

    Only a reply with the id and the question that were sent counts; id and source port come from `rng`, so that nobody
    off the path can guess them (RFC 5452 section 9). `message` and `cause` go into the trace.
    Raises OSError when the server's host refuses or cuts the exchange.
    """
    query = dns.message.make_query(question.name or ".", question.rdtype, use_edns=0, payload=UDP_PAYLOAD_OCTETS,
                                   id=rng.randrange(0x10000), flags=0)  # RD off: authoritative servers do not recurse
    ask = _by_tcp if transport == "tcp" else _by_udp
    try:
        async with asyncio.timeout(timeout_s):
            with dialling(message, cause):
                return await ask(loop, query, (server_address, port), source_address, rng, on_sent)
    except TimeoutError:
        return None


class _Waiting(asyncio.DatagramProtocol):
    """Waits for the one datagram that answers the query."""

    def __init__(self, query: dns.message.Message, reply: asyncio.Future[dns.message.Message]) -> None:
        self._query, self._reply = query, reply

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """Take the first reply that matches, and leave all others alone (RFC 5452 section 9.1)."""
        reply = _matching(self._query, data)
        if reply is not None and not self._reply.done():
            self._reply.set_result(reply)

    def error_received(self, exc: Exception) -> None:
        """The host says that nothing listens there (RFC 1122 section 4.1.3.3)."""
        if not self._reply.done():
            self._reply.set_exception(exc)


async def _by_udp(loop: Loop, query: dns.message.Message, server: tuple[str, int], source: str, rng: Random,
                  on_sent: OnSent) -> dns.message.Message:
    reply: asyncio.Future[dns.message.Message] = loop.create_future()
    transport = await _open_udp(loop, _Waiting(query, reply), server, source, rng)
    try:
        transport.sendto(query.to_wire())
        on_sent(_number(transport))
        return await reply
    finally:
        transport.close()


async def _open_udp(loop: Loop, protocol: _Waiting, server: tuple[str, int], source: str,
                    rng: Random) -> asyncio.DatagramTransport:
    for _ in range(_PORT_TRIES):
        local = source, rng.randrange(49152, 65536)  # RFC 5452 section 9.2: an unpredictable source port
        with suppress(OSError, UsageError):  # taken: try another
            return (await loop.create_datagram_endpoint(lambda: protocol, local_addr=local, remote_addr=server))[0]
    return (await loop.create_datagram_endpoint(lambda: protocol, local_addr=(source, 0), remote_addr=server))[0]


async def _by_tcp(loop: Loop, query: dns.message.Message, server: tuple[str, int], source: str, rng: Random,
                  on_sent: OnSent) -> dns.message.Message:
    reader, writer = await asyncio.open_connection(*server, local_addr=(source, 0))
    try:
        writer.write(query.to_wire(prepend_length=True))  # RFC 1035 section 4.2.2: two octets of length first
        on_sent(_number(writer.transport))
        while True:
            length = int.from_bytes(await reader.readexactly(2), "big")
            reply = _matching(query, await reader.readexactly(length))
            if reply is not None:
                return reply
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the name server closed the connection before its reply was complete") from error
    finally:
        writer.close()


def _matching(query: dns.message.Message, octets: bytes) -> dns.message.Message | None:
    """Return the reply when it can be read and belongs to the query."""
    try:
        reply = dns.message.from_wire(octets, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return None
    return reply if query.is_response(reply) else None


def _number(transport: asyncio.BaseTransport) -> int | None:
    wire = transport.get_extra_info("wire")
    return None if wire is None else int(wire.number)
