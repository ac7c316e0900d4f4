"""A small net with a server and a client on raw transports, and programs that note what happens to them."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from simulator.network.loop import NetworkLoop, new_loop
from simulator.trace.events import Event

T = TypeVar("T")
LATENCY_S = 0.02
RTT = 2 * LATENCY_S
SERVER = "192.0.2.25"
CLIENT = "192.0.2.9"
MEDIA = ("memory", "loopback")


class SmallNet:
    """A loop with two hosts. `complaints` holds what went to the exception handler."""

    def __init__(self, medium: str, latency_s: float = LATENCY_S, **options: Any) -> None:
        self.loop: NetworkLoop = new_loop(medium, latency_s=latency_s, **options)
        self.network, self.medium = self.loop.network, medium
        self.network.add_host("mail.example", SERVER)
        self.network.add_host("laptop.example", CLIENT)
        self.complaints: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self.complaints.append(context))

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine as a call: simulated time may pass."""
        with self.loop.clock.call():
            return self.loop.run_until_complete(work)

    async def serve(self, factory: Callable[[], asyncio.BaseProtocol], port: int = 25, **options: Any) -> Any:
        """Listen on the server's host."""
        return await self.loop.create_server(factory, SERVER, port, **options)

    async def dial(
        self, program: asyncio.BaseProtocol | None = None, port: int = 25, **options: Any
    ) -> tuple[Any, Any]:
        """Connect from the laptop; return transport and program."""
        program = program or Noting(self.loop)
        return await self.loop.create_connection(lambda: program, SERVER, port, local_addr=(CLIENT, 0), **options)

    @property
    def events(self) -> tuple[Event, ...]:
        """All that was recorded."""
        return self.loop.recorder.trace().events

    def stream(self, name: str, connection: int = 1) -> bytes:
        """The octets of a stream."""
        return self.loop.recorder.trace().stream(connection, name).octets


class Noting(asyncio.Protocol):
    """Notes what happens and when, in round trips since it was made."""

    keep_open = False
    """What eof_received answers: True keeps the connection half open."""

    def __init__(self, loop: NetworkLoop) -> None:
        self.loop, self.since = loop, loop.time()
        self.notes: list[tuple[float, Any]] = []
        self.received = bytearray()
        self.transport: Any = None
        self.lost: asyncio.Future[Exception | None] = loop.create_future()

    def note(self, what: Any) -> None:
        """Write down that something has happened."""
        self.notes.append((round((self.loop.time() - self.since) / RTT, 6), what))

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.note("made")

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.note(data if len(data) < 100 else len(data))

    def eof_received(self) -> bool:
        self.note("eof")
        return self.keep_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.note(type(exc).__name__ if exc else "lost")
        self.lost.set_result(exc)

    def pause_writing(self) -> None:
        self.note("pause")

    def resume_writing(self) -> None:
        self.note("resume")


class Echo(Noting):
    """Says everything again."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.transport.write(data)


def descriptors() -> int:
    """How many descriptors the process has; 0 where the system does not tell."""
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


@contextmanager
def nothing_left() -> Iterator[None]:
    """Check that no more descriptors are open afterwards than before."""
    before = descriptors()
    yield
    if descriptors() > before:
        gc.collect()  # what is no longer in use may go; what is in use is a leak
        assert descriptors() <= before


def run_while(net: SmallNet, work: Callable[[], T]) -> T:
    """Do blocking work in a thread of its own, as a foreign program would, while the loop runs; return its result."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work)
        future.add_done_callback(lambda _: net.loop.call_soon_threadsafe(net.loop.stop))
        net.loop.run_forever()
        return future.result()


def eventually(true: Callable[[], bool], what: str, patience_s: float = 10.0) -> None:
    """Wait in real time until something is true that another thread brings about."""
    until = time.monotonic() + patience_s
    while not true():
        assert time.monotonic() < until, f"it never came to be: {what}"
        time.sleep(0.002)
