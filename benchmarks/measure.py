"""Measuring fairly: candidates take turns, each is compared with the baseline of its turn, and the median counts."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from statistics import median

Measurement = Callable[[], float]
"""Does something and returns the figure."""

LETTER = EmailMessage()
"""What everybody sends: composed once, so that only its journey is measured."""
LETTER["From"], LETTER["To"], LETTER["Subject"] = "alice@alice.example", "bob@bob.example", "A letter"
LETTER["Date"], LETTER["Message-ID"] = "Thu, 01 Jan 2026 00:00:00 +0000", "<1@alice.example>"
LETTER.set_content("Hello Bob,\n\n" + "this line stands for what people write to each other every day.\n" * 10)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table."""

    what: str
    measured: str
    baseline: str
    ratio: float
    wish: str
    """Which way is better: "less" or "more"."""


def take_turns(
    baseline: Measurement, candidates: Mapping[str, Measurement], turns: int
) -> dict[str, tuple[float, float]]:
    """Return for each candidate the median figure and the median of its ratios to the baseline of the same turn.

    The key "baseline" has the baseline's own median.
    """
    figures: dict[str, list[float]] = {name: [] for name in ("baseline", *candidates)}
    for _ in range(turns):
        figures["baseline"].append(baseline())
        for name, candidate in candidates.items():
            figures[name].append(candidate())
    bases = figures["baseline"]
    return {
        name: (median(found), median(figure / base for figure, base in zip(found, bases, strict=True)))
        for name, found in figures.items()
    }


def machine() -> str:
    """Describe what all this was measured on."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    python = f"Python {platform.python_version()} ({sys.implementation.name})"
    return f"{python}, {platform.system()}, {platform.machine()}, {cores} cores"


def table(lines: list[Line]) -> str:
    """Return the lines as a table in plain text."""
    rows = [("what", "measured", "baseline", "ratio", "better")]
    rows += [(line.what, line.measured, line.baseline, f"{line.ratio:.2f}", line.wish) for line in lines]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    shown = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([shown[0], "  ".join("-" * width for width in widths), *shown[1:]])
