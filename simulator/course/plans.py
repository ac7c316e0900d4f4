"""The teachers' plans: what stands in them must add up. Pure but for reading files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CORE_MINUTES, LONG_MINUTES = 40, 85
"""Of a class of 45 minutes, and of one of 90: the rest is for arriving, questions and going."""
_ROW = re.compile(r"^\| *(\d+) *\| *([^|]+?) *\| *(core|if-time|extension) *\|", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a plan.md says."""

    unit: str
    needs: tuple[str, ...]
    outcomes: tuple[str, ...]
    sections: tuple[tuple[int, str, str], ...]
    """(minutes, title, kind)."""

    def minutes(self, *kinds: str) -> int:
        """Return the minutes of all sections of these kinds."""
        return sum(minutes for minutes, _, kind in self.sections if kind in kinds)


def read_plan(path: Path) -> Plan:
    """Read lessons/NN_topic/plan.md."""
    text = path.read_text(encoding="utf-8")
    sections = tuple((int(minutes), title, kind) for minutes, title, kind in _ROW.findall(text))
    return Plan(path.parent.name, _listed(text, "Needs"), _listed(text, "Outcomes"), sections)


def _listed(text: str, name: str) -> tuple[str, ...]:
    found = re.search(rf"^{name}: *(.*)$", text, re.MULTILINE)
    return tuple(part.strip() for part in found[1].split(",") if part.strip()) if found else ()


def faults(plans: Iterable[Plan], units: Iterable[str]) -> list[str]:
    """Return what is wrong with the plans, one sentence each."""
    known, by_unit = set(units), {plan.unit: plan for plan in plans}
    wrong = []
    for plan in by_unit.values():
        core, long = plan.minutes("core"), plan.minutes("core", "if-time")
        if not 0 < core <= CORE_MINUTES:
            wrong.append(f"{plan.unit}: the core has {core} minutes; a class of 45 has room for {CORE_MINUTES}.")
        if long > LONG_MINUTES:
            wrong.append(f"{plan.unit}: core and if-time have {long} minutes; 90 have room for {LONG_MINUTES}.")
        wrong += [f"{plan.unit} needs {need}, which does not exist." for need in plan.needs if need not in known]
        if plan.unit in _all_needs(plan.unit, by_unit):
            wrong.append(f"{plan.unit} needs itself, by way of others.")
    return wrong


def _all_needs(unit: str, plans: dict[str, Plan]) -> set[str]:
    found: set[str] = set()
    waiting = [unit]
    while waiting:
        plan = plans.get(waiting.pop())
        for need in plan.needs if plan else ():
            if need not in found:
                found.add(need)
                waiting.append(need)
    return found
