"""`python -m benchmarks`: one table, every line a ratio to a baseline of the same run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from benchmarks import booting, growth, journeys, looking, serving, startup
from benchmarks.measure import Line, machine, table


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="some seconds, to see that it works; the figures mean little"
    )
    parser.add_argument("--course", action="store_true", help="only the notebooks: seconds of each, and of all")
    parser.add_argument("--kernels", action="store_true", help="only thirty kernels of one unit at once")
    chosen = parser.parse_args()
    if chosen.course or chosen.kernels:
        from benchmarks import course  # it needs Jupyter, and a system that counts the memory of children

        print(f"{machine()}.\n")
        found = list(course.measure()) if chosen.course else []
        print(table([*found, *(course.measure_kernels() if chosen.kernels else ())]))
        return 0
    quick = chosen.quick
    turns, count, messages = (1, 10, 60) if quick else (7, 100, 10_000)
    steps: list[tuple[str, Iterator[Line]]] = [
        ("cold start", startup.measure(turns)),
        ("journeys per second", journeys.measure(count, turns)),
        ("growth", growth.measure(messages)),
        ("boot", booting.measure(100 if quick else 1000)),
        ("serve", serving.measure(20 if quick else 500, turns)),
        ("looking", looking.measure(quick)),
    ]
    lines: list[Line] = []
    for name, step in steps:
        print(f"measuring: {name} ...", file=sys.stderr, flush=True)
        lines += step
    print(f"{machine()}. Median of {turns} turns, {count} messages each.\n")
    print(table(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
