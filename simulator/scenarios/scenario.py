"""What a ready story is: a plan, a seed, what to do, and what must be seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.internet.plan import Plan, default_plan


@dataclass(frozen=True, slots=True)
class Expectation:
    """One thing that must be true afterwards, in words and as a check."""

    words: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One ready story."""

    name: str
    title: str
    look_for: str
    """What to look at while reading it."""
    act: Callable[[Any], Any]
    """What happens: takes an internet, returns the journey to show."""
    expect: tuple[Expectation, ...]
    plan: Callable[[], Plan] = field(default=default_plan)
    seed: int = 1
