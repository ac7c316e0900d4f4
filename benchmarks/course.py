"""How long the notebooks take, and whether a whole class can run one at the same time."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.measure import Line
from simulator.course import NOTEBOOKS, lessons
from simulator.course.run import run_notebook

ONE_S, ALL_S = 10.0, 60.0
"""Aims: for one notebook, and for all of them one after the other."""
KERNELS = 30


def measure() -> Iterator[Line]:
    """Yield one line for each solved notebook, and one for all."""
    os.environ["MAIL_LAB_SEED"] = "1"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MAIL_LAB_PROGRESS"] = folder
        total = 0.0
        for name in lessons():
            began = time.perf_counter()
            ran = run_notebook(NOTEBOOKS / "solved" / f"{name}.ipynb")
            taken = time.perf_counter() - began
            total += taken
            what = f"notebook {name}" + (f": {ran.problem}" if ran.problem else "")
            yield Line(what, f"{taken:.1f} s", f"{ONE_S:g} s", taken / ONE_S, "less")
        yield Line("all notebooks, one after the other", f"{total:.1f} s", f"{ALL_S:g} s", total / ALL_S, "less")


def measure_kernels(name: str = "04_tls_modes") -> Iterator[Line]:
    """Yield a line for many kernels of one unit at once, against one alone."""
    os.environ["MAIL_LAB_SEED"] = "1"
    path = NOTEBOOKS / "solved" / f"{name}.ipynb"
    with tempfile.TemporaryDirectory() as folder:
        os.environ["MAIL_LAB_PROGRESS"] = folder
        began = time.perf_counter()
        run_notebook(path)
        alone = time.perf_counter() - began
        began = time.perf_counter()
        with ThreadPoolExecutor(KERNELS) as pool:
            failed = sum(bool(ran.problem) for ran in pool.map(run_notebook, [path] * KERNELS))
        together = time.perf_counter() - began
    largest_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    what = f"{KERNELS} kernels of {name} at once, {failed} failed, largest {largest_mb:.0f} MB"
    yield Line(what, f"{together:.1f} s", f"{alone:.1f} s alone", together / alone, "less")
