"""What looking costs: the page, the ladder, and how both grow with the length of a trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.journeys import ALICE, BOB
from benchmarks.measure import LETTER, Line
from simulator import Internet, Journey
from simulator.export.html import page
from simulator.trace import store
from simulator.trace.trace import Trace
from simulator.views.ladder import draw_ladder
from simulator.views.ladder_rows import ladder_pages
from simulator.views.steps import steps

PAGE_LIMIT_OCTETS = 400_000


def seconds(work: Callable[[], Any]) -> float:
    """Return how long something takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def trace_of(messages: int) -> Trace:
    """Return a trace of many messages, sent one after the other in memory."""
    with Internet(medium="memory") as net:
        for _ in range(messages):
            net.send(LETTER, sender=ALICE, to=BOB, mode="implicit")
        found: Trace = net.trace()
        return found


def measure(quick: bool) -> Iterator[Line]:
    """Yield the lines of this table."""
    one = trace_of(1)
    whole = page(one)
    taken = seconds(lambda: page(one))
    made = f"{len(whole) / 1000:,.0f} kB in {taken * 1000:.0f} ms"
    limit = f"{PAGE_LIMIT_OCTETS // 1000} kB"
    yield Line("page of one journey", made, limit, len(whole) / PAGE_LIMIT_OCTETS, "less")
    per_message = len(steps(one))
    thousand = trace_of(max(1, 1000 // per_message))
    draw_ladder(one)  # matplotlib looks for its fonts the first time
    drawn = seconds(lambda: draw_ladder(thousand).canvas.draw())
    small = seconds(lambda: draw_ladder(one).canvas.draw())
    what, base = f"ladder of {len(steps(thousand)):,} steps", f"{small:.2f} s for one journey"
    yield Line(what, f"{drawn:.2f} s", base, drawn / small, "less")
    sizes = (1_000, 4_000) if quick else (10_000, 100_000)
    few, many = (trace_of(max(1, size // per_message)) for size in sizes)
    for name, work in (("ladder pages", ladder_pages), ("page", page), ("saving and loading", save_and_load)):
        yield growth(name, work, few, many)


def save_and_load(trace: Trace) -> None:
    """Write a trace to a file and read it again."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "t.jsonl"
        Journey(trace).save(file)
        store.load(file)


def growth(name: str, work: Callable[[Trace], Any], few: Trace, many: Trace) -> Line:
    """Compare the time for each step of a long trace with that of a shorter one."""
    counts = len(steps(few)), len(steps(many))
    each = seconds(lambda: work(few)) / counts[0], seconds(lambda: work(many)) / counts[1]
    return Line(
        f"{name}, each of {counts[1]:,} steps", f"{each[1] * 1e6:.0f} µs", f"{each[0] * 1e6:.0f} µs of {counts[0]:,}",
        each[1] / each[0], "less",
    )  # fmt: skip
