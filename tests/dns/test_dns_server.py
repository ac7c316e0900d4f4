"""The name server on real sockets, asked by a stranger: dnspython's own client."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable
from typing import TypeVar

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest
from support.names import BOB_ZONE

import simulator.dns.server as server_module
from simulator.dns.answering import AnyZone
from simulator.dns.exchange import exchange
from simulator.dns.questions import Ask
from simulator.dns.server import Peer, RunningDns, serve_dns
from simulator.dns.zones import Zone

HOME = "127.0.0.1"
Result = TypeVar("Result")


def zones() -> dict[str, AnyZone]:
    return {"bob.example": Zone("bob.example", BOB_ZONE)}


def serving(use: Callable[[RunningDns], Awaitable[Result]], **options: object) -> Result:
    async def main() -> Result:
        running = await serve_dns(asyncio.get_running_loop(), HOME, zones(), port=0, **options)  # type: ignore[arg-type]
        try:
            async with asyncio.timeout(20):
                return await use(running)
        finally:
            running.close()
    return asyncio.run(main())


def query(name: str = "bob.example", rdtype: str = "MX") -> dns.message.Message:
    return dns.message.make_query(name, rdtype, use_edns=0, payload=1232)


def framed(message: dns.message.Message) -> bytes:
    octets = message.to_wire()
    return len(octets).to_bytes(2, "big") + octets


async def read_reply(reader: asyncio.StreamReader) -> dns.message.Message:
    return dns.message.from_wire(await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big")))


@pytest.mark.parametrize("ask", [dns.query.udp, dns.query.tcp])
def test_a_stranger_gets_its_answer(ask: Callable[..., dns.message.Message]) -> None:
    reply = serving(lambda running: asyncio.to_thread(ask, query(), HOME, 5, running.port))
    assert [rdata.to_text() for rdata in reply.answer[0]] == ["10 mx.bob.example.", "20 backup.provider.test."]
    assert reply.flags & dns.flags.AA


def test_N07_a_stranger_falls_back_to_tcp() -> None:
    reply, by_tcp = serving(lambda running: asyncio.to_thread(
        dns.query.udp_with_fallback, query("big.bob.example", "TXT"), HOME, 5, running.port))
    assert by_tcp
    assert len(reply.answer) == 1


def test_one_tcp_connection_takes_many_questions_however_they_are_cut() -> None:
    async def use(running: RunningDns) -> None:
        questions = [query("bob.example", "MX"), query("mx.bob.example", "A"), query("nothing.bob.example", "A")]
        octets = b"".join(framed(question) for question in questions)
        for size in (1, 2, 3, 7, 50, len(octets)):
            reader, writer = await asyncio.open_connection(HOME, running.port)
            for start in range(0, len(octets), size):
                writer.write(octets[start:start + size])
                await writer.drain()
                await asyncio.sleep(0)
            for question in questions:
                assert question.is_response(await read_reply(reader))
            writer.close()
    serving(use)


def test_malformed_packets_never_stop_the_server() -> None:
    async def use(running: RunningDns) -> None:
        loop = asyncio.get_running_loop()
        dice = random.Random(3)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for size in range(0, 60, 3):
                stranger.sendto(dice.randbytes(size), (HOME, running.port))
        reader, writer = await asyncio.open_connection(HOME, running.port)
        header = b"\xab\xcd\x00\x00\x00\x01" + bytes(6)
        writer.write(b"\x00\x00" + b"\x00\x05hello" + b"\x00\x0e" + header + b"\xff\xff")
        reply = await read_reply(reader)
        assert (reply.id, reply.rcode()) == (0xABCD, dns.rcode.FORMERR)
        writer.write(framed(query()))
        assert (await read_reply(reader)).rcode() == dns.rcode.NOERROR
        writer.close()
        found = await exchange(loop, Ask("bob.example", "MX"), HOME, source_address=HOME, rng=dice, port=running.port)
        assert found is not None
    serving(use)


def test_a_tcp_client_without_questions_is_sent_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "IDLE_S", 0.05)

    async def use(running: RunningDns) -> None:
        reader, writer = await asyncio.open_connection(HOME, running.port)
        writer.write(b"\x00")  # half a question is none
        assert await reader.read() == b""
        writer.close()
    serving(use)


def test_a_client_that_does_not_read_is_not_listened_to() -> None:
    async def use(running: RunningDns) -> None:
        reader, writer = await asyncio.open_connection(HOME, running.port, limit=1024)
        writer.write(framed(query()))
        await read_reply(reader)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        server_end = next(iter(running.connections))._transport
        questions = framed(query("big.bob.example", "TXT")) * 100
        while server_end.is_reading():  # more and more questions, until nobody takes them
            writer.write(questions)
            await asyncio.sleep(0)
        assert server_end.get_write_buffer_size() < 5_000_000
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        while not server_end.is_reading():
            await reader.read(100_000)
        writer.transport.abort()
    serving(use)


def test_closing_ends_the_open_connections() -> None:
    async def use(running: RunningDns) -> None:
        reader, writer = await asyncio.open_connection(HOME, running.port)
        writer.write(framed(query()))
        await read_reply(reader)
        running.close()
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(OSError, match=r"\d"):
            await asyncio.open_connection(HOME, running.port)
    serving(use)


def test_a_view_knows_who_asks() -> None:
    seen: list[Peer] = []

    def view(reply: dns.message.Message, peer: Peer) -> dns.message.Message:
        seen.append(peer)
        reply.answer = [dns.rrset.from_text("mx.bob.example.", 1, "IN", "A", "192.0.2.99")]
        return reply
    question = query("mx.bob.example", "A")
    reply = serving(lambda running: asyncio.to_thread(dns.query.udp, question, HOME, 5, running.port), view=view)
    assert reply.answer[0][0].to_text() == "192.0.2.99"
    assert seen[0][0] == HOME


def test_a_port_that_is_taken_is_told() -> None:
    async def use(running: RunningDns) -> None:
        with pytest.raises(OSError, match=r"\d"):
            await serve_dns(asyncio.get_running_loop(), HOME, zones(), port=running.port)
    serving(use)


def test_a_port_that_is_free_for_tcp_only_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
            holder.bind((HOME, 0))
            taken = holder.getsockname()[1]
            with pytest.raises(OSError, match=r"\d"):
                await serve_dns(loop, HOME, zones(), port=taken)
            listener = await loop.create_server(asyncio.Protocol, HOME, taken)  # TCP was let go again
            listener.close()
    asyncio.run(main())


# --- the exchange ----------------------------------------------------------------------------------------------------

def impostor(replies: Callable[[bytes], list[bytes]]) -> type[asyncio.DatagramProtocol]:
    class Impostor(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
            for octets in replies(data):
                self.transport.sendto(octets, addr)  # type: ignore[attr-defined]
    return Impostor


def ask_impostor(replies: Callable[[bytes], list[bytes]], timeout_s: float = 5.0) -> dns.message.Message | None:
    async def main() -> dns.message.Message | None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(impostor(replies), local_addr=(HOME, 0))
        port = transport.get_extra_info("sockname")[1]
        try:
            return await exchange(loop, Ask("bob.example", "MX"), HOME, source_address=HOME, rng=random.Random(1),
                                  port=port, timeout_s=timeout_s)
        finally:
            transport.close()
    return asyncio.run(main())


def reply_with(octets: bytes, *, ident: int = 0, name: str = "bob.example", address: str = "203.0.113.66") -> bytes:
    asked = dns.message.from_wire(octets)
    other = dns.message.make_query(name, "MX", id=(asked.id + ident) % 0x10000, use_edns=0)
    reply = dns.message.make_response(other)
    reply.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "A", address))
    return reply.to_wire()


def test_N04_only_the_reply_that_matches_is_taken() -> None:
    reply = ask_impostor(lambda octets: [
        b"", b"garbage", octets, reply_with(octets, ident=1), reply_with(octets, name="carol.example"),
        reply_with(octets, address="192.0.2.1"), reply_with(octets, address="192.0.2.2")])
    assert reply is not None
    assert reply.answer[0][0].to_text() == "192.0.2.1"


def test_silence_is_none() -> None:
    assert ask_impostor(lambda octets: [], timeout_s=0.05) is None
    assert ask_impostor(lambda octets: [reply_with(octets, ident=1)], timeout_s=0.05) is None


def test_N04_id_and_port_come_from_the_seed_and_differ() -> None:
    seen: list[tuple[int, int]] = []

    async def main(seed: int) -> None:
        loop = asyncio.get_running_loop()

        class Listener(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
                seen.append((int.from_bytes(data[:2], "big"), addr[1]))
        transport, _ = await loop.create_datagram_endpoint(Listener, local_addr=(HOME, 0))
        dice = random.Random(seed)
        for _ in range(3):
            await exchange(loop, Ask("bob.example", "MX"), HOME, source_address=HOME, rng=dice, timeout_s=0.02,
                           port=transport.get_extra_info("sockname")[1])
        transport.close()
    asyncio.run(main(5))
    asyncio.run(main(5))
    assert len(seen) == 6
    assert [ident for ident, _ in seen[:3]] == [ident for ident, _ in seen[3:]]
    assert len({ident for ident, _ in seen}) == 3
    assert len({port for _, port in seen}) >= 3


@pytest.mark.parametrize("octets", [b"", b"\x00", b"\x00\x20half"])
def test_a_tcp_server_that_hangs_up_early_is_an_error(octets: bytes) -> None:
    async def main() -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(2)
            writer.write(octets)
            writer.close()
        server = await asyncio.start_server(hang_up, HOME, 0)
        with pytest.raises(ConnectionResetError, match="before its reply was complete"):
            await exchange(asyncio.get_running_loop(), Ask("bob.example", "MX"), HOME, source_address=HOME,
                           rng=random.Random(1), transport="tcp", port=server.sockets[0].getsockname()[1])
        server.close()
    asyncio.run(main())
