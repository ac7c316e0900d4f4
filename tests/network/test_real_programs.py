"""Real programs on this machine that our hosts dial, and real ports that were asked for."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.wires import CLIENT, SERVER, Echo, Noting, SmallNet, nothing_left

from simulator.errors import UsageError
from simulator.trace.events import ConnectionFailed

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


# --- real servers outside --------------------------------------------------------------------------------------------


class RealServer:
    """An echo server of plain asyncio, in a thread of its own, as somebody else's program."""

    def __init__(self) -> None:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"220 real\r\n")
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
            writer.close()

        async def main() -> None:
            self._stop = asyncio.Event()
            async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
                self.address: Real = server.sockets[0].getsockname()
                ready.set()
                await self._stop.wait()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            await asyncio.wait(left, timeout=5) if left else None

        def run() -> None:
            self._loop.run_until_complete(main())
            self._loop.close()

        self._thread = threading.Thread(target=run)
        self._thread.start()
        assert ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()


def test_dialling_a_real_program_on_this_machine(net: SmallNet) -> None:
    server = RealServer()
    net.network.add_host("postfix.example", "198.51.100.25")
    net.network.external["198.51.100.25", 25] = server.address
    fired: list[float] = []

    async def main() -> None:
        net.loop.call_later(300, lambda: fired.append(net.loop.time()))
        reader, writer = await asyncio.open_connection("198.51.100.25", 25, local_addr=(CLIENT, 0))
        assert await reader.readline() == b"220 real\r\n"
        big = bytes(2_000_000)

        async def send() -> None:
            writer.write(big)
            await writer.drain()

        _, echoed = await asyncio.gather(send(), reader.readexactly(len(big)))
        assert echoed == big
        writer.write_eof()
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()

    net.run(main())
    until_gone(net)
    assert fired == []
    assert net.loop.time() < 60
    server.stop()
    (log,) = net.loop.recorder.trace().connections.values()
    assert (log.foreign, log.server_host, log.latency_s) == (False, "postfix.example", 0.02)


def test_a_real_program_that_is_not_there(net: SmallNet) -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        nobody = placeholder.getsockname()
    net.network.add_host("postfix.example", "198.51.100.25")
    net.network.external["198.51.100.25", 25] = nobody

    async def main() -> None:
        with pytest.raises(ConnectionRefusedError, match=r"postfix\.example refuses"):
            await net.loop.create_connection(lambda: Noting(net.loop), "198.51.100.25", 25)
        net.network.external["198.51.100.25", 26] = ("192.0.2.1", 25)
        with pytest.raises(UsageError, match="only uses loopback addresses"):
            await net.loop.create_connection(lambda: Noting(net.loop), "198.51.100.25", 26)

    net.run(main())
    assert [event.reason for event in net.events if isinstance(event, ConnectionFailed)] == ["refused"] * 2


def test_in_memory_there_is_no_outside() -> None:
    net = SmallNet("memory")
    net.network.external[SERVER, 25] = ("127.0.0.1", 25)

    async def main() -> None:
        with pytest.raises(UsageError, match="only be reached with medium"):
            await net.dial()
        await net.serve(lambda: Noting(net.loop), 26)
        assert net.loop.real_address(SERVER, 26) is None

    net.run(main())
    net.loop.finish()


def test_too_many_sockets_is_said_in_one_sentence(net: SmallNet, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    net.run(net.serve(lambda: Echo(net.loop)))
    monkeypatch.setattr("simulator.network.loopback.socket.socket", full)
    with pytest.raises(UsageError, match="Too many sockets are open"):
        net.run(net.dial())
    monkeypatch.undo()


def test_real_ports_that_were_asked_for(net: SmallNet) -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    net.loop.real_ports = lambda address, logical: ("127.0.0.1", port) if logical == 53 else None  # type: ignore[attr-defined]

    async def main() -> None:
        await net.serve(lambda: Echo(net.loop), 53)
        await net.loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(SERVER, 53))
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            with socket.socket(socket.AF_INET, kind) as taken, pytest.raises(OSError, match="in use"):
                taken.bind(("127.0.0.1", port))
        with pytest.raises(UsageError, match=f"Port {port} on 127.0.0.1 cannot be opened"):
            await net.loop.create_server(lambda: Echo(net.loop), CLIENT, 53)
        with pytest.raises(UsageError, match=f"Port {port} on 127.0.0.1 cannot be opened"):
            await net.loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(CLIENT, 53))

    net.run(main())
    assert net.loop.real_address(SERVER, 53) == net.loop.real_address(SERVER, 53, "udp") == ("127.0.0.1", port)
    assert (CLIENT, 53) not in net.network.services
