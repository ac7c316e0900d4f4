"""Programs that are not ours, on real sockets from another thread: whatever they do, nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.wires import SERVER, Echo, Noting, SmallNet, nothing_left, run_while

from simulator.network import foreign, media
from simulator.network.network import FOREIGN_ADDRESS
from simulator.trace.events import ConnectionClosed

Real = tuple[str, int]


@pytest.fixture
def net() -> Iterator[SmallNet]:
    with nothing_left():
        small = SmallNet("loopback")
        yield small
        small.loop.finish()
        assert small.loop.clock.pace == "still"
        assert small.network.foreign_connections == 0
        assert small.complaints == []


def serve(net: SmallNet, factory: Any, port: int = 25) -> Real:
    net.run(net.serve(factory, port))
    real = net.loop.real_address(SERVER, port)
    assert real is not None
    return real


def connect(real: Real) -> socket.socket:
    return socket.create_connection(real, timeout=20)


def reset(sock: socket.socket) -> None:
    linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    sock.close()


def until_gone(net: SmallNet) -> None:
    """Let the loop run until no foreign program is connected."""

    async def wait() -> None:
        async with asyncio.timeout(20):
            while net.network.foreign_connections:
                await asyncio.sleep(0.002)

    net.run(wait())


def test_one_that_talks_and_closes(net: SmallNet) -> None:
    server = Echo(net.loop)
    real = serve(net, lambda: server)

    def work() -> bytes:
        with connect(real) as sock:
            sock.sendall(b"hello")
            answer = sock.recv(100)
            sock.shutdown(socket.SHUT_WR)
            assert sock.recv(100) == b""
            return answer

    assert run_while(net, work) == b"hello"
    until_gone(net)
    assert [what for _, what in server.notes] == ["made", b"hello", "eof", "lost"]
    (log,) = net.loop.recorder.trace().connections.values()
    assert (log.foreign, log.client_host, log.client_address) == (True, "your-computer.example", FOREIGN_ADDRESS)
    assert net.stream("wire.c2s.arrived") == net.stream("wire.s2c.arrived") == b"hello"
    assert [(e.by, e.how) for e in net.events if isinstance(e, ConnectionClosed)] == [("client", "fin")]


def test_one_that_half_closes_and_listens_on(net: SmallNet) -> None:
    class Late(Noting):
        keep_open = True

        def eof_received(self) -> bool:
            super().eof_received()
            self.loop.call_later(0.05, self.transport.write, b"still here")
            self.loop.call_later(0.1, self.transport.close)
            return True

    real = serve(net, lambda: Late(net.loop))

    def work() -> bytes:
        with connect(real) as sock:
            sock.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: sock.recv(100), b""))

    assert run_while(net, work) == b"still here"
    until_gone(net)


def test_a_server_that_half_closes_first(net: SmallNet) -> None:
    class Shy(Noting):
        keep_open = True

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.write(b"read only")
            transport.write_eof()

        def eof_received(self) -> bool:
            super().eof_received()
            self.loop.call_soon(self.transport.close)
            return True

    server = Shy(net.loop)
    real = serve(net, lambda: server)

    def work() -> bytes:
        with connect(real) as sock:
            text = b"".join(iter(lambda: sock.recv(100), b""))
            sock.sendall(b"thanks")
            return text

    assert run_while(net, work) == b"read only"
    until_gone(net)
    assert server.received == b"thanks"


def test_a_server_that_closes_first_and_one_that_resets(net: SmallNet) -> None:
    class Brief(Noting):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.write(b"421 too busy\r\n")
            transport.close()

    class Rude(Noting):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            transport.abort()

    brief, rude = serve(net, lambda: Brief(net.loop)), serve(net, lambda: Rude(net.loop), 26)

    def work() -> None:
        with connect(brief) as sock:
            assert b"".join(iter(lambda: sock.recv(100), b"")) == b"421 too busy\r\n"
        with pytest.raises(ConnectionResetError), connect(rude) as sock:
            sock.recv(100)

    run_while(net, work)
    until_gone(net)


def test_one_that_resets_or_vanishes(net: SmallNet) -> None:
    servers: list[Noting] = []
    real = serve(net, lambda: servers.append(Noting(net.loop)) or servers[-1])  # type: ignore[func-returns-value]

    def work() -> None:
        reset(connect(real))
        sock = connect(real)
        sock.sendall(b"half a li")
        reset(sock)
        connect(real).close()

    run_while(net, work)
    until_gone(net)
    endings = [server.notes[-1][1] for server in servers]
    assert endings[-1] == "lost"
    if sys.platform == "linux":  # elsewhere those that are gone again may never be accepted
        assert endings[:-1] == ["ConnectionResetError"] * 2


def test_five_megabytes_each_way_at_once(net: SmallNet) -> None:
    big = bytes(range(256)) * 4096 * 5

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def start() -> None:
        await asyncio.start_server(talk, SERVER, 25)

    net.run(start())
    real = net.loop.real_address(SERVER, 25)
    assert real is not None

    def work() -> bytes:
        with connect(real) as sock:

            def send() -> None:
                sock.sendall(big)
                sock.shutdown(socket.SHUT_WR)

            sender = threading.Thread(target=send)
            sender.start()
            answer = b"".join(iter(lambda: sock.recv(65536), b""))
            sender.join()
            return answer

    assert run_while(net, work) == big
    until_gone(net)
    trace = net.loop.recorder.trace()
    assert trace.stream(1, "wire.c2s.arrived").own_octets == b""


def test_one_that_never_reads_is_waited_for_and_then_dropped(net: SmallNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "LINGER_S", 0.2)

    class Talker(Noting):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            for _ in range(200):
                transport.write(bytes(100_000))
            transport.close()

    server = Talker(net.loop)
    real = serve(net, lambda: server)
    sock = connect(real)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)

    async def wait() -> None:
        async with asyncio.timeout(20):
            while not net.network.foreign_connections:
                await asyncio.sleep(0.002)

    net.run(wait())
    assert server.notes[1][1] == "pause"
    until_gone(net)
    assert [what for _, what in server.notes] == ["made", "pause", "lost"]
    with pytest.raises(ConnectionResetError):
        sum(iter(lambda: len(sock.recv(2**20)), 0))
    sock.close()


def test_a_server_learns_that_it_must_wait_for_a_slow_reader(net: SmallNet) -> None:
    class Talker(Noting):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.left = 100
            self.go_on()

        def go_on(self) -> None:
            while self.left and self.notes[-1][1] != "pause":
                self.left -= 1
                self.transport.write(bytes(100_000))
            if not self.left:
                self.transport.close()

        def resume_writing(self) -> None:
            super().resume_writing()
            self.go_on()

    server = Talker(net.loop)
    real = serve(net, lambda: server)

    def work() -> int:
        with connect(real) as sock:
            return sum(iter(lambda: len(sock.recv(2**16)), 0))

    assert run_while(net, work) == 10_000_000
    until_gone(net)
    assert "pause" in [what for _, what in server.notes]


def test_two_hundred_at_once(net: SmallNet) -> None:
    real = serve(net, lambda: Echo(net.loop))

    def work() -> None:
        socks = [connect(real) for _ in range(200)]
        for number, sock in enumerate(socks):
            sock.sendall(b"%d" % number)
        for number, sock in enumerate(socks):
            assert sock.recv(10) == b"%d" % number
        for number, sock in enumerate(socks):
            reset(sock) if number % 2 else sock.close()

    run_while(net, work)
    until_gone(net)
    assert len(net.loop.recorder.trace().connections) == 200


def test_strangers_in_the_queue_do_not_keep_our_own_connections_out(net: SmallNet) -> None:
    servers: list[Echo] = []
    real = serve(net, lambda: servers.append(Echo(net.loop)) or servers[-1])  # type: ignore[func-returns-value]
    socks = []
    for _ in range(300):  # the loop does not run, so nobody is accepted yet
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(real)
        socks.append(sock)

    async def main() -> None:
        transport, client = await net.dial()
        transport.write(b"ours")
        while client.received != b"ours":
            await asyncio.sleep(0.001)
        transport.close()

    net.run(main())
    for sock in socks:
        sock.close()
    until_gone(net)


def test_finishing_with_foreign_programs_connected(net: SmallNet) -> None:
    real = serve(net, lambda: Echo(net.loop))
    socks = run_while(net, lambda: [connect(real) for _ in range(20)])
    for sock in socks[:10]:
        sock.sendall(b"x")
    run_while(net, lambda: socks[0].recv(10))
    late = connect(real)  # nobody has accepted it
    net.loop.finish()
    for sock in [*socks, late]:
        with contextlib.suppress(ConnectionResetError):
            while sock.recv(10):
                pass
        sock.close()


def test_closing_without_finishing(net: SmallNet) -> None:
    real = serve(net, lambda: Echo(net.loop))

    async def main() -> None:
        await net.dial()

    net.run(main())
    sock = run_while(net, lambda: connect(real))
    net.loop.close()
    with contextlib.suppress(ConnectionResetError):
        assert sock.recv(10) == b""
    sock.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits on descriptors are a thing of Unix")
def test_no_descriptor_left_for_who_comes(net: SmallNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "REST_S", 0.05)
    real = serve(net, lambda: Echo(net.loop))
    door = net.network.services[SERVER, 25].door
    times = 0

    class Full:
        def __getattr__(self, name: str) -> Any:
            return getattr(door, name)

        def accept(self) -> Any:
            nonlocal times
            times += 1
            if times < 3:
                raise OSError(errno.EMFILE, "Too many open files")
            return door.accept()

    net.network.services[SERVER, 25].door = Full()

    def work() -> bytes:
        with connect(real) as sock:
            sock.sendall(b"x")
            return sock.recv(10)

    with net.loop.clock.call():
        assert run_while(net, work) == b"x"
    until_gone(net)
    assert times == 3
    assert [complaint["exception"].errno for complaint in net.complaints] == [errno.EMFILE] * 2
    net.complaints.clear()
