"""Octets over TCP: their order, their pieces, writers that wait; and the same story on both media."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from support.wires import CLIENT, MEDIA, RTT, SERVER, Echo, Noting, SmallNet

from simulator.network.link import WINDOW_OCTETS

# --- octets ----------------------------------------------------------------------------------------------------------


def test_many_small_writes_at_one_instant_keep_their_order_and_pieces(net: SmallNet) -> None:
    pieces = [b"%d," % number for number in range(1000)]

    async def main() -> None:
        server = Noting(net.loop)
        await net.serve(lambda: server)
        transport, _ = await net.dial()
        for piece in pieces:
            transport.write(piece)
        transport.writelines([bytearray(b"a"), memoryview(b"b")])
        transport.write(b"")
        await asyncio.sleep(1)
        assert [what for _, what in server.notes[1:]] == [*pieces, b"ab"]
        with pytest.raises(TypeError, match="octets, not str"):
            transport.write("text")
        with pytest.raises(TypeError, match="octets, not int"):
            transport.write(5)
        transport.close()
        await net.network.quiet()

    net.run(main())


def test_five_megabytes_both_ways_at_once_and_writers_that_wait(net: SmallNet) -> None:
    big = bytes(range(256)) * 4096 * 5

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def write() -> None:
            for start in range(0, len(big), 100_000):
                writer.write(big[start : start + 100_000])
                await writer.drain()
                assert writer.transport.get_write_buffer_size() <= WINDOW_OCTETS + 100_000
            writer.write_eof()

        async def read() -> bytes:
            return await reader.read(-1)

        _, received = await asyncio.gather(write(), read())
        assert received == big
        writer.close()

    async def main() -> None:
        done = net.loop.create_future()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await talk(reader, writer)
            done.set_result(None)

        async with await asyncio.start_server(serve, SERVER, 25):
            await talk(*await asyncio.open_connection(SERVER, 25, local_addr=(CLIENT, 0)))
            await done
        await net.network.quiet()
        # a window of octets for each round trip
        assert RTT * len(big) / (WINDOW_OCTETS + 200_000) < net.loop.time() < 4 * RTT * len(big) / WINDOW_OCTETS

    net.run(main())


def test_a_writer_is_told_to_wait_and_to_go_on(net: SmallNet) -> None:
    async def main() -> None:
        server = Noting(net.loop)
        await net.serve(lambda: server)
        transport, client = await net.dial()
        await asyncio.sleep(RTT)
        server.transport.pause_reading()
        assert not server.transport.is_reading()
        transport.write(bytes(WINDOW_OCTETS))
        assert client.notes == [(1, "made")]
        transport.write(b"x")
        await asyncio.sleep(RTT)
        assert client.notes[1:] == [(2, "pause")]
        assert server.received == b""
        server.transport.resume_reading()
        await asyncio.sleep(RTT)
        assert client.notes[2:] == [(3, "resume")]
        assert len(server.received) == WINDOW_OCTETS + 1
        transport.close()
        await net.network.quiet()

    net.run(main())


def test_pausing_in_the_middle_of_what_arrives(net: SmallNet) -> None:
    class OneAtATime(Noting):
        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self.transport.pause_reading()
            self.loop.call_later(1, self.transport.resume_reading)

    async def main() -> None:
        server = OneAtATime(net.loop)
        await net.serve(lambda: server)
        transport, _ = await net.dial()
        for piece in (b"1", b"2", b"3"):
            transport.write(piece)
        transport.close()
        await net.network.quiet()
        assert [what for _, what in server.notes] == ["made", b"1", b"2", b"3", "eof", "lost"]
        assert server.notes[-1][0] == pytest.approx(1.5 + 3 / RTT)

    net.run(main())


def test_a_buffered_protocol_gets_its_octets_in_its_own_buffer(net: SmallNet) -> None:
    class Buffered(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.buffer, self.received = bytearray(7), bytearray()

        def get_buffer(self, sizehint: int) -> bytearray:
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.received += self.buffer[:nbytes]

    async def main() -> None:
        server = Buffered()
        await net.serve(lambda: server)
        transport, _ = await net.dial()
        transport.write(bytes(range(100)))
        transport.close()
        await net.network.quiet()
        assert server.received == bytes(range(100))

    net.run(main())


# --- both media ------------------------------------------------------------------------------------------------------


def scenario(medium: str) -> list[tuple[object, ...]]:
    """Tell the story of a bit of everything."""
    net = SmallNet(medium, latency_s=0.013)
    net.network.add_host("off.example", "192.0.2.66").silent = True

    async def one(index: int) -> None:
        reader, writer = await asyncio.open_connection(SERVER, 25, local_addr=(CLIENT, 0))
        for size in (1, 10, 70_000, 3):
            writer.write(bytes([index]) * size)
            await reader.readexactly(size)
            await asyncio.sleep(0.001 * index)
        if index % 3:
            writer.close()
        else:
            writer.transport.abort()

    async def main() -> None:
        await net.serve(lambda: Echo(net.loop))
        work: list[Coroutine[Any, Any, Any]] = [one(index) for index in range(10)]
        work += [net.dial(port=26), net.loop.create_connection(lambda: Noting(net.loop), "192.0.2.66", 25)]
        await asyncio.gather(*work, return_exceptions=True)
        transport, _ = await net.loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=(CLIENT, 0), remote_addr=(SERVER, 53)
        )
        transport.sendto(b"question")
        await asyncio.sleep(1)
        transport.close()
        await net.network.quiet()

    net.run(main())
    net.loop.finish()
    assert net.complaints == []
    return net.loop.recorder.trace().story()


def test_the_same_story_from_run_to_run_and_on_both_media() -> None:
    stories = [scenario(medium) for medium in (*MEDIA, *MEDIA)]
    assert all(story == stories[0] for story in stories)
    assert len(stories[0]) > 70
