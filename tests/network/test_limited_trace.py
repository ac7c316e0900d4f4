"""A server that runs for weeks: its trace stays within bounds, on both media, with foreign programs too."""

from __future__ import annotations

import asyncio
import socket

import pytest
from support.wires import CLIENT, MEDIA, SERVER, Echo, SmallNet, run_while

LIMIT = 100_000


@pytest.mark.parametrize("medium", MEDIA)
def test_what_is_over_is_dropped(medium: str) -> None:
    net = SmallNet(medium, limit_octets=LIMIT)

    async def one() -> None:
        reader, writer = await asyncio.open_connection(SERVER, 25, local_addr=(CLIENT, 0))
        writer.write(bytes(2000))
        await reader.readexactly(2000)
        writer.close()

    async def fails() -> None:
        with pytest.raises(ConnectionRefusedError):
            await net.dial(port=26)

    async def asks() -> None:
        transport, _ = await net.loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, local_addr=(CLIENT, 0), remote_addr=(SERVER, 53)
        )
        transport.sendto(bytes(500))
        await asyncio.sleep(1)
        transport.close()

    async def main() -> None:
        await net.serve(lambda: Echo(net.loop))
        for _ in range(100):
            await asyncio.gather(one(), fails(), asks())
        await net.network.quiet()

    net.run(main())
    trace = net.loop.recorder.trace()
    assert 10 < len(trace.connections) < 100
    assert trace.header["dropped"]["connections"] == 300 - len(trace.connections)
    assert max(trace.connections) == 300
    assert sum(len(stream.own_octets) for log in trace.connections.values() for stream in log.streams.values()) < LIMIT
    net.loop.finish()
    assert net.complaints == []


def test_foreign_programs_do_not_fill_it_either() -> None:
    net = SmallNet("loopback", limit_octets=LIMIT)

    async def main() -> None:
        await net.serve(lambda: Echo(net.loop))
        await net.loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(SERVER, 53))

    net.run(main())
    tcp, udp = net.loop.real_address(SERVER, 25), net.loop.real_address(SERVER, 53, "udp")
    assert tcp is not None
    assert udp is not None

    def work() -> None:
        for _ in range(200):
            with socket.create_connection(tcp, timeout=10) as sock:
                sock.sendall(bytes(1000))
                left = 1000
                while left:
                    left -= len(sock.recv(left))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(bytes(1000), udp)

    run_while(net, work)
    trace = net.loop.recorder.trace()
    assert trace.header["dropped"]["connections"] > 100
    assert sum(log.foreign for log in trace.connections.values()) == len(trace.connections) < 400
    net.loop.finish()
    assert net.complaints == []
