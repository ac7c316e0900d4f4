"""Datagrams: the same manners on both media."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest
from support.wires import CLIENT, LATENCY_S, SERVER, Echo, SmallNet, nothing_left, run_while

from simulator.errors import UsageError
from simulator.network.datagrams import FINISHED, STRANGERS
from simulator.network.network import dialling
from simulator.trace.events import ConnectionOpened


class Program(asyncio.DatagramProtocol):
    """Notes what arrives; a server answers."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answers: int = 0) -> None:
        self.loop, self.answers = loop, answers
        self.notes: list[tuple[float, Any, Any]] = []
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.notes.append((round(self.loop.time(), 9), data, addr))
        for _ in range(self.answers):
            self.transport.sendto(data.upper(), addr)

    def error_received(self, exc: Exception) -> None:
        self.notes.append((round(self.loop.time(), 9), type(exc).__name__, getattr(exc, "errno", None)))

    def connection_lost(self, exc: Exception | None) -> None:
        self.notes.append((round(self.loop.time(), 9), "lost", exc))


async def serve(net: SmallNet, answers: int = 1, address: str = SERVER) -> Program:
    server = Program(net.loop, answers)
    await net.loop.create_datagram_endpoint(lambda: server, local_addr=(address, 53))
    return server


async def ask(net: SmallNet, address: str = SERVER, port: int = 0) -> Program:
    client = Program(net.loop)
    await net.loop.create_datagram_endpoint(lambda: client, local_addr=(CLIENT, port), remote_addr=(address, 53))
    return client


def test_the_reply_finds_the_client_after_one_round_trip(net: SmallNet) -> None:
    async def main() -> None:
        server, client = await serve(net, answers=2), await ask(net)
        client.transport.sendto(b"question")
        client.transport.sendto(b"")
        await asyncio.sleep(1)
        own, other = client.transport.get_extra_info("sockname"), (SERVER, 53)
        assert server.notes == [(LATENCY_S, b"question", own), (LATENCY_S, b"", own)]
        assert client.notes == [(2 * LATENCY_S, data, other) for data in (b"QUESTION", b"QUESTION", b"", b"")]
        wire = client.transport.get_extra_info("wire")
        wire.label("m1")
        assert (wire.number, wire.message) == (1, "m1")
        for program in (client, server):
            program.transport.close()

    net.run(main())
    trace = net.loop.recorder.trace()
    assert len(trace.connections) == 1
    assert [len(list(trace.stream(1, name).pieces())) for name in ("wire.c2s.arrived", "wire.s2c.arrived")] == [2, 4]


@pytest.mark.parametrize(("case", "expected"), [
    ("no service", [(2 * LATENCY_S, "ConnectionRefusedError", errno.ECONNREFUSED)]), ("nobody", []), ("silent", []),
])  # fmt: skip
def test_nobody_there(net: SmallNet, case: str, expected: list[object]) -> None:
    async def main() -> None:
        if case == "silent":
            await serve(net)
            net.network.host("mail.example").silent = True
        client = await ask(net, "192.0.2.77" if case == "nobody" else SERVER)
        client.transport.sendto(b"x")
        await asyncio.sleep(600)
        assert client.notes == expected
        client.transport.close()
        client.transport.close()
        client.transport.sendto(b"x")
        await asyncio.sleep(0)
        assert client.notes[-1][1] == "lost"

    net.run(main())


def test_too_much_for_one_datagram(net: SmallNet) -> None:
    async def main() -> None:
        server, client = await serve(net), await ask(net)
        client.transport.sendto(bytes(65508))
        client.transport.sendto(bytes(65507))
        await asyncio.sleep(1)
        assert client.notes[0][1:] == ("OSError", errno.EMSGSIZE)
        assert client.notes[1][1] == bytes(65507)
        assert len(server.notes) == 1

    net.run(main())


def test_a_late_reply_still_belongs_to_its_question(net: SmallNet) -> None:
    async def main() -> None:
        server, client = await serve(net, answers=0), await ask(net, port=5000)
        client.transport.sendto(b"slow?")
        await asyncio.sleep(1)
        client.transport.close()
        server.transport.sendto(b"yes", (CLIENT, 5000))
        await asyncio.sleep(1)
        assert len(server.notes) == 1
        again = await ask(net, port=5000)
        again.transport.sendto(b"new")
        await asyncio.sleep(1)

    net.run(main())
    trace = net.loop.recorder.trace()
    assert [event.connection for event in trace.of(ConnectionOpened)] == [1, 2]
    assert trace.stream(1, "wire.s2c.sent").octets == b"yes"
    assert trace.stream(1, "wire.s2c.arrived").octets == b""
    assert trace.stream(2, "wire.c2s.sent").octets == b"new"


def test_a_connected_endpoint_hears_only_its_remote(net: SmallNet) -> None:
    async def main() -> None:
        client = await ask(net, port=5000)
        stranger = Program(net.loop)
        await net.loop.create_datagram_endpoint(lambda: stranger, local_addr=("192.0.2.66", 53))
        stranger.transport.sendto(b"forged", (CLIENT, 5000))
        net.network.add_host("evil.example", "192.0.2.66")
        await asyncio.sleep(1)
        assert client.notes == []
        assert stranger.notes[0][1] == "ConnectionRefusedError"

    net.run(main())


def test_a_host_is_woken_once_by_whoever_comes_first(net: SmallNet) -> None:
    woken: list[float] = []

    async def wake() -> None:
        woken.append(net.loop.time())
        await asyncio.to_thread(lambda: None)  # it takes a while, but no simulated time
        await serve(net, address="192.0.2.53")
        await net.loop.create_server(lambda: Echo(net.loop), "192.0.2.53", 53)

    async def main() -> None:
        net.network.add_host("ns.example", "192.0.2.53", wake)
        clients = [await ask(net, "192.0.2.53") for _ in range(3)]
        with dialling("m1", 7):
            for client in clients:
                client.transport.sendto(b"x")
        dials = [net.loop.create_connection(lambda: Echo(net.loop), "192.0.2.53", 53) for _ in range(3)]
        for transport, _ in await asyncio.gather(*dials):
            transport.close()
        await asyncio.sleep(1)
        assert [client.notes for client in clients] == [[(2 * LATENCY_S, b"X", ("192.0.2.53", 53))]] * 3

    net.run(main())
    assert len(woken) == 1
    net.loop.run_until_complete(net.loop.shutdown_default_executor())


def test_a_host_that_cannot_start_says_so_each_time(net: SmallNet) -> None:
    async def wake() -> None:
        await asyncio.sleep(0)
        raise UsageError("Port 53 cannot be opened.")

    async def main() -> None:
        net.network.add_host("ns.example", "192.0.2.53", wake)
        for _ in range(2):
            with pytest.raises(UsageError, match="Port 53"):
                await net.loop.create_connection(lambda: Echo(net.loop), "192.0.2.53", 53)
        client = await ask(net, "192.0.2.53")
        client.transport.sendto(b"x")
        await asyncio.sleep(1)

    net.run(main())
    assert [str(complaint["exception"]) for complaint in net.complaints] == ["Port 53 cannot be opened."]
    net.complaints.clear()


def test_who_loses_patience_does_not_leave_a_host_half_awake(net: SmallNet) -> None:
    async def wake() -> None:
        await asyncio.sleep(10)
        await net.loop.create_server(lambda: Echo(net.loop), "192.0.2.53", 53)

    async def main() -> None:
        net.network.add_host("ns.example", "192.0.2.53", wake)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await net.loop.create_connection(lambda: Echo(net.loop), "192.0.2.53", 53)
        transport, _ = await net.loop.create_connection(lambda: Echo(net.loop), "192.0.2.53", 53)
        transport.close()

    net.run(main())


def test_ports(net: SmallNet) -> None:
    async def main() -> None:
        await serve(net)
        with pytest.raises(UsageError, match=r"UDP port 53 on 192\.0\.2\.25 is already taken"):
            await serve(net)
        ports = {(await ask(net)).transport.get_extra_info("sockname")[1] for _ in range(50)}
        assert len(ports) == 50

    net.run(main())


def test_what_is_remembered_of_closed_endpoints_is_bounded(net: SmallNet) -> None:
    async def main() -> None:
        await serve(net)
        for _ in range(FINISHED + 100):
            client = await ask(net)
            client.transport.sendto(b"x")
            client.transport.close()
        await asyncio.sleep(1)
        assert len(net.loop.datagrams._flows) <= FINISHED + 1

    net.run(main())


# --- foreign programs ------------------------------------------------------------------------------------------------


def foreign_net() -> tuple[SmallNet, Any, Program]:
    net = SmallNet("loopback")
    server = net.run(serve(net, answers=2))
    real = net.loop.real_address(SERVER, 53, "udp")
    return net, real, server


def stop(net: SmallNet) -> None:
    net.loop.finish()
    assert net.complaints == []


def test_a_foreign_question_is_answered_without_time_passing() -> None:
    with nothing_left():
        net, real, _ = foreign_net()

        def work() -> list[bytes]:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.settimeout(10)
                for question in (b"one", b"two"):
                    sock.sendto(question, real)
                    answers.extend(sock.recv(100) for _ in range(2))
            return answers

        answers: list[bytes] = []
        assert run_while(net, work) == [b"ONE", b"ONE", b"TWO", b"TWO"]
        assert net.loop.time() == 0
        stop(net)
    trace = net.loop.recorder.trace()
    assert [(log.foreign, log.client_host) for log in trace.connections.values()] == [
        (True, "your-computer.example")
    ] * 2
    assert trace.stream(2, "wire.s2c.sent").octets == b"TWOTWO"


def test_a_flood_from_outside_neither_leaks_nor_stops_our_own_datagrams() -> None:
    net, real, server = foreign_net()
    server.answers = 0

    async def own() -> None:
        with net.loop.clock.call():
            client = await ask(net)
            for _ in range(20):
                client.transport.sendto(b"ours")
                await asyncio.sleep(1)
            client.transport.close()

    def work() -> int:
        future = asyncio.run_coroutine_threadsafe(own(), net.loop)
        ports = 0
        while not future.done() or ports < 2 * STRANGERS:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                ports += 1
                for _ in range(20):
                    sock.sendto(bytes(1000), real)
        future.result()
        return ports

    assert run_while(net, work) > STRANGERS
    assert sum(data == b"ours" for _, data, _ in server.notes) == 20
    assert len(net.loop.datagrams._strangers) <= STRANGERS
    assert len(net.loop.datagrams._flows) <= STRANGERS + 1
    stop(net)


def test_udp_has_the_same_real_port_as_tcp() -> None:
    net = SmallNet("loopback")

    async def main() -> None:
        await net.serve(lambda: Echo(net.loop), port=53)
        await serve(net)
        tcp, udp = net.loop.real_address(SERVER, 53), net.loop.real_address(SERVER, 53, "udp")
        assert tcp is not None
        assert tcp == udp

    net.run(main())
    stop(net)


def test_strangers_do_not_inherit_the_story_of_who_came_first() -> None:
    net, _, _ = foreign_net()
    tcp = net.run(net.serve(lambda: Echo(net.loop)))

    async def first() -> None:
        with dialling("m1", 7):
            client = await ask(net)
            client.transport.sendto(b"x")
            transport, _ = await net.dial()
        await asyncio.sleep(1)
        transport.close()

    net.run(first())
    real_udp, real_tcp = net.loop.real_address(SERVER, 53, "udp"), net.loop.real_address(SERVER, 25)

    def work() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.sendto(b"x", real_udp)  # type: ignore[arg-type]
            sock.settimeout(10)
            sock.recv(10)
        with socket.create_connection(real_tcp, timeout=10) as sock:  # type: ignore[arg-type]
            sock.sendall(b"x")
            sock.recv(10)

    run_while(net, work)
    labels = [(log.foreign, log.message) for log in net.loop.recorder.trace().connections.values()]
    assert labels == [(False, "m1"), (False, "m1"), (True, None), (True, None)]
    tcp.close()
    stop(net)
