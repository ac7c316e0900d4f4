"""The page for teachers says what the plans say."""

import re

import pytest

from simulator.course.build import LESSONS, ROOT
from simulator.course.plans import read_plan

PAGE = (ROOT / "docs/course.md").read_text(encoding="utf-8")
ROWS = dict(
    (int(number), (int(core), int(long), outcomes, needs))
    for number, core, long, outcomes, needs in re.findall(
        r"^\| (\d)\. [^|]+\| (\d+) \| (\d+) \| ([^|]+?) \| ([^|]+?) \|$", PAGE, re.MULTILINE
    )
)
PLANS = [read_plan(path) for path in sorted(LESSONS.glob("*/plan.md"))]


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.unit)
def test_minutes_outcomes_and_needs_are_those_of_the_plan(plan):
    core, long, outcomes, needs = ROWS[int(plan.unit[:2])]
    assert core == plan.minutes("core")
    assert long == plan.minutes("core", "if-time")
    assert outcomes == ", ".join(plan.outcomes)
    assert needs == ", ".join(str(int(need[:2])) for need in plan.needs)


def test_every_outcome_that_a_plan_names_is_explained():
    named = {outcome for plan in PLANS for outcome in plan.outcomes}
    assert named == set(re.findall(r"^- \*\*(LO\d+)\*\*", PAGE, re.MULTILINE))


def test_every_outcome_has_an_unseen_question():
    from simulator.exercises.unit import load_exercises

    asked = {q.outcome for plan in PLANS for q in load_exercises(LESSONS / plan.unit).QUIZ if q.unseen}
    named = {outcome for plan in PLANS for outcome in plan.outcomes}
    assert named - asked == set()
