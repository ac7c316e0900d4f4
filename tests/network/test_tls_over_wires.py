"""asyncio's own TLS over both media: from the first octet, by start_tls, with large transfers, and when it goes wrong."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
from support.wires import CLIENT, RTT, SERVER, Echo, Noting, SmallNet

from simulator.tls.authority import Authority
from simulator.tls.contexts import client_context, server_context
from simulator.trace.events import TlsFailed

NAME = "mail.example"
AUTHORITY = Authority()


def contexts(version: str = "1.3") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return (
        server_context(AUTHORITY, (NAME,), versions=(version,)),
        client_context(AUTHORITY, versions=(version,)),
    )


class Greeter(Echo):
    """Speaks first, as SMTP servers do."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        transport.write(b"220 hello\r\n")


@pytest.mark.parametrize(("version", "round_trips"), [("1.2", 3.0), ("1.3", 2.0)])
def test_implicit_tls_greets_after_the_handshake_and_never_before_the_program_is_there(
    net: SmallNet, version: str, round_trips: float
) -> None:
    server_side, client_side = contexts(version)

    async def main() -> None:
        server = Greeter(net.loop)
        await net.serve(lambda: server, 465, ssl=server_side)
        transport, client = await net.dial(port=465, ssl=client_side, server_hostname=NAME)
        # TLS 1.3: the greeting comes half a round trip behind the handshake; 1.2: in the same moment as its end
        assert client.notes[:1] == [(2 if version == "1.3" else 3, "made")]
        await asyncio.sleep(RTT)
        assert client.notes[1] == (3, b"220 hello\r\n")
        transport.write(b"x")
        await asyncio.sleep(RTT)
        assert client.received == b"220 hello\r\nx"
        assert transport.get_extra_info("wire").number == 1
        assert transport.get_extra_info("ssl_object").version() == f"TLSv{version}"
        transport.close()
        await net.network.quiet()
        assert net.loop.time() < 1
        assert client.lost.result() is None

    net.run(main())
    assert b"220 hello" not in net.stream("wire.s2c.sent")


def test_start_tls_on_both_ends_and_large_transfers_inside(net: SmallNet) -> None:
    server_side, client_side = contexts()
    big = bytes(range(256)) * 8192

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"220 go\r\n")
        await writer.start_tls(server_side)
        while data := await reader.read(50_000):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(serve, SERVER, 587):
            reader, writer = await asyncio.open_connection(SERVER, 587, local_addr=(CLIENT, 0))
            writer.write(b"STARTTLS\r\n")
            assert await reader.readline() == b"220 go\r\n"
            await writer.start_tls(client_side, server_hostname=NAME)

            async def send() -> None:
                for start in range(0, len(big), 100_000):
                    writer.write(big[start : start + 100_000])
                    await writer.drain()

            _, echoed = await asyncio.gather(send(), reader.readexactly(len(big)))
            assert echoed == big
            writer.close()
            await writer.wait_closed()
            await net.network.quiet()

    net.run(main())
    assert net.stream("wire.c2s.sent").startswith(b"STARTTLS\r\n\x16\x03")


def test_a_certificate_that_is_not_trusted_ends_the_connection_at_both_ends(net: SmallNet) -> None:
    server_side, _ = contexts()

    async def main() -> None:
        await net.serve(lambda: Noting(net.loop), 465, ssl=server_side)
        with pytest.raises(ssl.SSLCertVerificationError):
            await net.dial(port=465, ssl=client_context(Authority()), server_hostname=NAME)
        await net.network.quiet()

    net.run(main())
    assert [event.implicit for event in net.events if isinstance(event, TlsFailed)] == [True]


def test_a_plain_client_at_a_tls_port_and_a_tls_client_at_a_plain_port(net: SmallNet) -> None:
    server_side, client_side = contexts()

    async def main() -> None:
        await net.serve(lambda: Noting(net.loop), 465, ssl=server_side, ssl_handshake_timeout=60)
        await net.serve(lambda: Greeter(net.loop), 587)
        _, waiting = await net.dial(port=465)
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
            await net.dial(port=587, ssl=client_side, server_hostname=NAME)
        await waiting.lost
        assert net.loop.time() == pytest.approx(60 + 2 * RTT, abs=RTT)

    net.run(main())
    assert [event.host for event in net.events if isinstance(event, TlsFailed)] == [NAME]


def test_a_client_that_is_cancelled_in_the_handshake(net: SmallNet) -> None:
    _, client_side = contexts()

    async def main() -> None:
        servers = [Noting(net.loop), Noting(net.loop)]
        coming = iter(servers)
        await net.serve(lambda: next(coming), 465)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await net.dial(port=465, ssl=client_side, server_hostname=NAME)
        assert isinstance(await servers[0].lost, ConnectionResetError)
        with pytest.raises(ConnectionAbortedError, match="handshake"):
            await net.dial(port=465, ssl=client_side, server_hostname=NAME, ssl_handshake_timeout=3)

    net.run(main())
