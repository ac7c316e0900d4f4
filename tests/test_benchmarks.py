"""The benchmarks still run, and still compare with a baseline that carries mail."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.bare import bare_pipeline
from benchmarks.measure import take_turns

ROOT = Path(__file__).resolve().parent.parent


def test_quick_run_prints_the_whole_table() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    head, _, rows = ended.stdout.partition("------")
    assert re.match(r"Python 3\.\d+.* cores\.", head)
    ratios = [float(ratio) for ratio in re.findall(r"(\d+\.\d\d) +(?:less|more)$", rows, re.MULTILINE)]
    assert len(ratios) == 15
    assert all(ratio > 0 for ratio in ratios)


@pytest.mark.parametrize("tls", [True, False])
def test_the_bare_pipeline_carries_mail_over_both_hops(tls: bool) -> None:
    with bare_pipeline(tls) as bare:
        assert bare.send(2) > 0
        assert bare.mx.taken == 2


def test_turns_are_compared_turn_by_turn() -> None:
    base, candidate = iter([1.0, 10.0, 2.0]), iter([2.0, 20.0, 6.0])
    found = take_turns(lambda: next(base), {"twice": lambda: next(candidate)}, 3)
    assert found == {"baseline": (2.0, 1.0), "twice": (6.0, 2.0)}
