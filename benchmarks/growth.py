"""What a long life costs: time and memory per message as a trace grows."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator
from statistics import median

from benchmarks.journeys import ALICE, BOB
from benchmarks.measure import LETTER, Line
from simulator import Internet

WINDOW = 100
"""After so many messages an internet counts as young, and so many more are timed."""


def seconds_each(net: Internet, count: int) -> list[float]:
    """Send messages; return how long each of them took."""
    found = []
    for _ in range(count):
        began = time.perf_counter()
        net.send(LETTER, sender=ALICE, to=BOB, mode="implicit")
        found.append(time.perf_counter() - began)
    return found


def time_per_message(messages: int) -> Line:
    """Compare an internet that has carried many messages with a young one; they take turns, message by message."""
    window = min(WINDOW, messages // 3)
    with Internet(medium="memory") as old, Internet(medium="memory") as young:
        seconds_each(old, messages - window)
        seconds_each(young, window)
        pairs = [(seconds_each(young, 1)[0], seconds_each(old, 1)[0]) for _ in range(window)]
    first, last = (median(figures) for figures in zip(*pairs, strict=True))
    base = f"{first * 1000:.1f} ms after {window} messages"
    return Line(f"one message after {messages:,} messages", f"{last * 1000:.1f} ms", base, last / first, "less")


def memory_per_journey(messages: int) -> Line:
    """Compare the memory that a recorded journey takes with the octets that are recorded of it."""
    with Internet(medium="memory") as net:
        seconds_each(net, 10)
        octets_before = recorded_octets(net)
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        seconds_each(net, messages)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        octets = (recorded_octets(net) - octets_before) / messages
    used = (after - before) / messages
    return Line(
        "memory per recorded journey", f"{used:,.0f} octets", f"{octets:,.0f} octets recorded", used / octets, "less"
    )


def recorded_octets(net: Internet) -> int:
    """Return how many octets the trace holds; streams that repeat each other count once."""
    return sum(len(stream.own_octets) for log in net.trace().connections.values() for stream in log.streams.values())


def measure(messages: int) -> Iterator[Line]:
    """Measure growth."""
    yield time_per_message(messages)
    yield memory_per_journey(min(messages, 200))
