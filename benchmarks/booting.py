"""What a big internet costs before anything happens in it: hosts, zones and certificates come at first use."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator

from benchmarks.measure import Line
from simulator import Internet, many_organisations


def boot(count: int) -> tuple[float, float]:
    """Return seconds and octets that an internet of so many organisations takes, plan included."""
    gc.collect()
    began = time.perf_counter()
    with Internet(medium="memory", plan=many_organisations(count)):
        taken = time.perf_counter() - began
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    with Internet(medium="memory", plan=many_organisations(count)):
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken, float(after - before)


def measure(most: int) -> Iterator[Line]:
    """Yield one line for each size: time and memory for each organisation, against those of ten."""
    boot(1)
    base_s, base_octets = (figure / 10 for figure in boot(10))
    for count in (size for size in (100, 1000) if size <= most):
        taken, octets = boot(count)
        yield Line(
            f"boot of {count:,} organisations", f"{taken:.2f} s, {octets / count / 1000:.1f} kB each",
            f"{base_s * 1000:.1f} ms, {base_octets / 1000:.1f} kB each of 10", taken / count / base_s, "less",
        )  # fmt: skip
