"""What `serve` takes from a real client: messages per second, against a stock aiosmtpd that throws them away."""

from __future__ import annotations

import json
import smtplib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from benchmarks.journeys import BOB
from benchmarks.measure import Line, take_turns

STOCK = """
import asyncio
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP

async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Sink()), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""
MESSAGE = b"Subject: benchmark\r\n\r\n" + b"this line stands for what people write to each other every day.\r\n" * 10


@contextmanager
def stock() -> Iterator[int]:
    """Run aiosmtpd with its Sink in a process of its own; yield its port."""
    with subprocess.Popen([sys.executable, "-c", STOCK], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


@contextmanager
def serving() -> Iterator[int]:
    """Run `serve`; yield the real port of Bob's mail exchanger, which files what it takes."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        command = [sys.executable, "-m", "simulator", "serve", "--quiet", "--ready-file", str(ready)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            try:
                while not ready.exists():
                    assert process.poll() is None, "serve has ended"
                    time.sleep(0.01)
                services = json.loads(ready.read_text())["services"]
                yield next(s["real_port"] for s in services if s["role"] == "mx" and s["host"] == "mx.bob.example")
            finally:
                process.terminate()
                process.wait()


def messages_per_second(port: int, connections: int, count: int) -> float:
    """Send messages over some connections at once; return how many were accepted per second."""

    def one(_: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
            for _ in range(count // connections):
                client.sendmail("anyone@stranger.test", [BOB], MESSAGE)

    with ThreadPoolExecutor(connections) as pool:
        began = time.perf_counter()
        list(pool.map(one, range(connections)))
        return count // connections * connections / (time.perf_counter() - began)


def measure(count: int, turns: int) -> Iterator[Line]:
    """Yield one line for one connection and one for ten."""
    with stock() as plain, serving() as ours:
        for connections in (1, 10):
            found = take_turns(
                lambda n=connections: messages_per_second(plain, n, count),  # type: ignore[misc]
                {"serve": lambda n=connections: messages_per_second(ours, n, count)},  # type: ignore[misc]
                turns,
            )
            base, (figure, ratio) = found["baseline"][0], found["serve"]
            what = f"serve takes messages, {connections} connection{'s' if connections > 1 else ''}"
            stock_words = f"{base:,.0f} per s by a stock aiosmtpd that files nothing"
            yield Line(what, f"{figure:,.0f} per s", stock_words, ratio, "more")
