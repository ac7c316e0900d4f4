"""How long a learner waits for the main job, against a Python that only imports what it needs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Line, take_turns

ROOT = Path(__file__).resolve().parent.parent
NEEDED = (
    "aiosmtpd.smtp, argparse, asyncio, cryptography.x509, dns.message, email.message, email.policy, html, json, ssl, "
    "tempfile, tomllib, trustme"
)


def seconds(*arguments: str) -> float:
    """Run Python with these arguments to its end; return how long that took."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def measure(turns: int) -> Iterator[Line]:
    """Measure the cold start of the main job."""
    seconds("-m", "simulator")  # so that the files are in the system's cache, and compiled
    found = take_turns(
        lambda: seconds("-c", f"import {NEEDED}"), {"main job": lambda: seconds("-m", "simulator")}, turns
    )
    figure, ratio = found["main job"]
    base = f"{found['baseline'][0]:.2f} s bare imports of the same libraries"
    yield Line("the main job as a command", f"{figure:.2f} s", base, ratio, "less")
