"""Round trips on bare wires: whole numbers, exactly, whatever the latency and the medium."""

from __future__ import annotations

import asyncio
import ssl
from fractions import Fraction

import pytest
from support.wires import CLIENT, MEDIA, SERVER, SmallNet

from simulator.tls.authority import Authority
from simulator.tls.contexts import client_context, server_context

NAME = "mail.example"
AUTHORITY = Authority()
EXCHANGES = 5


def contexts(version: str | None) -> tuple[ssl.SSLContext | None, ssl.SSLContext | None]:
    if version is None:
        return None, None
    return server_context(AUTHORITY, (NAME,), versions=(version,)), client_context(AUTHORITY, versions=(version,))


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greet, then answer every line, and all lines that came together."""
    writer.write(b"hello\n")
    while line := await reader.readline():
        writer.write(line)
    writer.close()


async def count(net: SmallNet, version: str | None, pipelined: bool) -> Fraction:
    server_side, client_side = contexts(version)
    async with await asyncio.start_server(serve, SERVER, 25, ssl=server_side):
        reader, writer = await asyncio.open_connection(
            SERVER, 25, local_addr=(CLIENT, 0), ssl=client_side, server_hostname=NAME if client_side else None
        )
        await reader.readline()
        for _ in range(1 if pipelined else EXCHANGES):
            lines = EXCHANGES if pipelined else 1
            writer.writelines([b"x\n"] * lines)
            for _ in range(lines):
                await reader.readline()
        round_trips = Fraction(net.loop.time()).limit_denominator(10**9) / (2 * Fraction(str(net.network.latency_s)))
        writer.close()
        await net.network.quiet()
    return round_trips


@pytest.mark.parametrize("medium", MEDIA)
@pytest.mark.parametrize("latency_s", [0.02, 0.013, 0.1, 1.0 / 1024])
@pytest.mark.parametrize(("version", "handshake"), [(None, 0), ("1.2", 1), ("1.3", 1)])
def test_dialling_and_greeting_two_handshake_one_and_every_exchange_one(
    medium: str, latency_s: float, version: str | None, handshake: int
) -> None:
    """TLS 1.2 needs two round trips, but its server greets in the same flight in which it finishes (RFC 5246 section 7.3)."""
    for pipelined, exchanges in ((False, EXCHANGES), (True, 1)):
        net = SmallNet(medium, latency_s=latency_s)
        assert net.run(count(net, version, pipelined)) == 2 + handshake + exchanges
        net.loop.finish()
        assert net.complaints == []
