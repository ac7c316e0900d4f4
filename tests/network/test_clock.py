"""Simulated time: when it jumps, when it stands still, when it is real."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from support.wires import SmallNet, eventually

from simulator.errors import UsageError


@contextmanager
def running(net: SmallNet) -> Iterator[None]:
    """Let the loop run in a thread of its own."""
    thread = threading.Thread(target=net.loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        net.loop.call_soon_threadsafe(net.loop.stop)
        thread.join(10)
        assert not thread.is_alive()


def test_five_days_take_no_time(net: SmallNet) -> None:
    async def main() -> None:
        for _ in range(5 * 24 * 60):
            await asyncio.sleep(60)

    start = time.monotonic()
    net.run(main())
    assert time.monotonic() - start < 1
    assert net.loop.time() == 5 * 24 * 3600


def test_timers_for_one_moment_fire_in_the_order_in_which_they_were_set(net: SmallNet) -> None:
    fired: list[int] = []

    async def main() -> None:
        for number in range(1000):
            net.loop.call_at(1.0, fired.append, number)
        await asyncio.sleep(2)

    net.run(main())
    assert fired == list(range(1000))


def test_timers_fire_in_order_and_then_it_is_their_moment(net: SmallNet) -> None:
    fired: list[tuple[float, float]] = []
    rng = random.Random(7)

    async def main() -> None:
        for _ in range(2000):
            when = rng.choice((0.1 + 0.2, 0.3, rng.random() * 10))
            handle = net.loop.call_later(when, lambda when=when: fired.append((round(when, 9), net.loop.time())))
            if rng.random() < 0.3:
                handle.cancel()
        await asyncio.sleep(11)

    net.run(main())
    assert len(fired) > 1000
    assert all(when == now for when, now in fired)
    assert fired == sorted(fired)


@pytest.mark.parametrize("years", [1, 3, 1000])
def test_time_goes_on_after_many_years(net: SmallNet, years: int) -> None:
    async def main() -> None:
        await asyncio.sleep(years * 365 * 86400)
        for _ in range(10):
            await asyncio.sleep(0.02)

    net.run(main())
    assert net.loop.time() == pytest.approx(years * 365 * 86400 + 0.2)


def test_never_is_not_a_moment_to_jump_to(net: SmallNet) -> None:
    async def main() -> None:
        never = net.loop.call_later(float("inf"), net.loop.stop)
        threading.Timer(0.05, net.loop.call_soon_threadsafe, (done.set,)).start()
        await done.wait()
        never.cancel()
        with pytest.raises(UsageError, match="no number"):
            net.loop.call_later(float("nan"), done.set)

    done = asyncio.Event()
    net.run(main())
    assert net.loop.time() == 0


def test_a_helper_thread_holds_the_clock(net: SmallNet) -> None:
    async def main() -> None:
        fired: list[float] = []
        net.loop.call_later(300, lambda: fired.append(net.loop.time()))
        async with asyncio.timeout(100):
            await asyncio.to_thread(time.sleep, 0.1)
            assert net.loop.time() == 0
            with pytest.raises(ZeroDivisionError):
                await net.loop.run_in_executor(None, lambda: 1 // 0)
        assert net.loop.time() == 0
        assert fired == []
        await asyncio.sleep(301)
        assert fired == [300]

    net.run(main())
    net.loop.run_until_complete(net.loop.shutdown_default_executor())


def test_nothing_moves_when_no_call_is_in_progress(net: SmallNet) -> None:
    fired = threading.Event()
    awake = threading.Event()

    async def call() -> float:
        with net.loop.clock.call():
            await asyncio.sleep(10)
            return net.loop.time()

    with running(net):
        net.loop.call_soon_threadsafe(net.loop.call_later, 1, fired.set)
        net.loop.call_soon_threadsafe(awake.set)
        assert awake.wait(10)
        assert not fired.wait(0.1)
        assert net.loop.time() == 0
        assert asyncio.run_coroutine_threadsafe(call(), net.loop).result(10) == 10
        assert fired.is_set()
        assert not threading.Event().wait(0.05)
        assert net.loop.time() == 10


def test_two_calls_at_once_share_the_time(net: SmallNet) -> None:
    async def call(for_s: float) -> None:
        with net.loop.clock.call():
            await asyncio.sleep(for_s)

    with running(net):
        futures = [asyncio.run_coroutine_threadsafe(call(for_s), net.loop) for for_s in (5, 10)]
        for future in futures:
            future.result(10)
    assert 10 <= net.loop.time() <= 15


def test_a_call_from_another_thread_is_heard_at_once(net: SmallNet) -> None:
    with running(net):
        start = time.monotonic()
        for _ in range(200):
            heard = threading.Event()
            net.loop.call_soon_threadsafe(heard.set)
            assert heard.wait(10)
        assert time.monotonic() - start < 2


def test_real_time_is_real() -> None:
    for medium in ("memory", "loopback"):
        net = SmallNet(medium, clock="real")

        async def main(net: SmallNet = net) -> None:
            start, real = net.loop.time(), time.monotonic()
            await asyncio.sleep(0.1)
            assert net.loop.time() - start == pytest.approx(time.monotonic() - real, abs=0.05)
            assert net.loop.time() - start >= 0.1

        net.loop.run_until_complete(main())
        net.loop.finish()


# --- a foreign program makes time real -------------------------------------------------------------------------------


def test_time_is_real_while_a_foreign_program_is_connected_and_jumps_again_afterwards() -> None:
    import socket

    from support.wires import SERVER, Echo

    net = SmallNet("loopback")
    fired: list[float] = []
    net.loop.run_until_complete(net.serve(lambda: Echo(net.loop)))
    real = net.loop.real_address(SERVER, 25)
    assert real is not None

    async def call(for_s: float) -> float:
        with net.loop.clock.call():
            await asyncio.sleep(for_s)
            return net.loop.time()

    with running(net):
        with socket.create_connection(real, timeout=10) as foreign:
            foreign.sendall(b"one")
            assert foreign.recv(100) == b"one"
            start = net.loop.time()
            net.loop.call_soon_threadsafe(net.loop.call_later, 300, lambda: fired.append(net.loop.time()))
            waiting = asyncio.run_coroutine_threadsafe(call(0.2), net.loop)
            time.sleep(0.3)
            foreign.sendall(b"two")
            assert foreign.recv(100) == b"two"
            assert 0.3 <= net.loop.time() - start < 2
            assert waiting.result(10) - start == pytest.approx(0.2, abs=0.15)
            assert fired == []
        eventually(lambda: net.loop.clock.pace == "still", "the foreign program has left")
        stopped = net.loop.time()
        before = time.monotonic()
        assert asyncio.run_coroutine_threadsafe(call(86400), net.loop).result(10) == pytest.approx(stopped + 86400)
        assert time.monotonic() - before < 5
        assert len(fired) == 1
    net.loop.finish()
    assert net.complaints == []
