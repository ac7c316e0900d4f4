"""The factory: what is cut, what is linked, what adds up, and what is kept."""

import json

import pytest

from simulator import UsageError, course
from simulator.course.build import GLOSSARY, LESSONS
from simulator.course.cut import cut, kind_of
from simulator.course.glossary import anchor, link, page, read_glossary, used
from simulator.course.learner import reset, unit_named
from simulator.course.plans import Plan, faults, read_plan
from simulator.exercises.unit import load_exercises

SOURCE = """\
x = 4  # solution
unit.predict("x", x)
# solution begins: answer
for n in range(3):
    answer = n
# solution ends
unit.check("y", answer)"""


def test_answers_are_cut_for_learners_and_marks_for_teachers():
    learner = cut(SOURCE, "learner")
    assert learner == (
        'x = ...  # not answered yet\nunit.predict("x", x)\nanswer = ...  # not answered yet\nunit.check("y", answer)'
    )
    teacher = cut(SOURCE, "teacher")
    assert "solution" not in teacher
    assert "x = 4\n" in teacher
    assert "    answer = n\n" in teacher


@pytest.mark.parametrize(
    "source",
    ["# solution begins\nx", "# solution ends", "# solution begins\n# solution begins\n", "print(4)  # solution"],
)
def test_odd_marks_are_told_with_their_unit(source):
    with pytest.raises(UsageError, match="04_x"):
        cut(source, "learner", "04_x")


def test_no_answer_is_left_in_the_learners_notebooks():
    for name, lesson in course.lessons().items():
        text = (course.NOTEBOOKS / f"{name}.ipynb").read_text(encoding="utf-8")
        assert "# solution" not in text
        assert (text.count("not answered yet") > 0) == ("# solution" in lesson.read_text(encoding="utf-8"))


def test_cells_have_a_kind():
    assert kind_of([]) == "core"
    assert kind_of(["if-time"]) == "if-time"
    with pytest.raises(UsageError, match="'coer'"):
        kind_of(["coer"], "x")


def test_terms_are_linked_and_linked_back():
    terms = read_glossary(GLOSSARY)
    assert len(terms) > 60
    assert link("See [[STARTTLS]].", terms, lambda t: f"g#{t.anchor}", "x") == "See [STARTTLS](g#starttls)."
    assert link("[[sni|the name]]", terms, lambda t: t.anchor, "x") == "[the name](sni)"
    with pytest.raises(UsageError, match="no term 'Nonsense'"):
        link("[[Nonsense]]", terms, lambda t: t.anchor, "x")
    made = page(terms, {"starttls": [("Unit 4", "u4"), ("Unit 4", "u4")]}, "# Glossary")
    assert "Used in: [Unit 4](u4)." in made
    assert used("a [[SNI]] b [[ MX record |mx]]") == ["sni", "mx record"]
    assert anchor("EHLO / HELO") == "ehlo--helo"


def test_every_term_has_a_source():
    for term in read_glossary(GLOSSARY).values():
        assert term.text.rstrip().endswith(")"), f"{term.name}: where does it come from?"


def test_every_unit_links_to_terms_that_exist_and_is_linked_back():
    text = (course.ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    for name in ("01_journey_of_a_message", "03_submission", "04_tls_modes"):
        assert f"../notebooks/{name}.ipynb" in text


PLANS = [read_plan(path) for path in sorted(LESSONS.glob("*/plan.md"))]


def test_plans_add_up_and_need_no_circles():
    assert len(PLANS) == len(course.lessons()) - 1  # the first unit is for everybody alone
    assert faults(PLANS, course.lessons()) == []


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.unit)
def test_a_plan_has_the_sections_of_its_unit(plan):
    sections = load_exercises(LESSONS / plan.unit).SECTIONS
    assert [(s.minutes, s.kind) for s in sections] == [(minutes, kind) for minutes, _, kind in plan.sections]
    assert plan.outcomes
    assert all(outcome.startswith("LO") for outcome in plan.outcomes)


def test_faults_are_found():
    long = Plan("a", ("b",), (), ((41, "x", "core"), (60, "y", "if-time")))
    found = faults([long, Plan("b", ("a",), (), ((10, "x", "core"),)), Plan("c", ("zz",), (), ())], ["a", "b", "c"])
    text = " ".join(found)
    assert "41 minutes" in text
    assert "101 minutes" in text
    assert "needs itself" in text
    assert "needs zz" in text


@pytest.mark.parametrize("words", ["4", "04", "04_tls_modes"])
def test_units_are_found_by_number_and_name(words):
    assert unit_named(words) == "04_tls_modes"


def test_an_unknown_unit_is_told():
    with pytest.raises(UsageError, match="00_start_here"):
        unit_named("99")


def test_reset_keeps_what_was_written(tmp_path, monkeypatch):
    monkeypatch.setenv("MAIL_LAB_PROGRESS", str(tmp_path / "progress"))
    (tmp_path / "progress").mkdir()
    (tmp_path / "progress" / "04_tls_modes.json").write_text("{}")
    mine = tmp_path / "04_tls_modes.ipynb"
    mine.write_text(json.dumps({"cells": ["mine"]}))
    said = " ".join(reset("4", tmp_path))
    assert "before-reset-1" in said
    assert "mine" in (tmp_path / "04_tls_modes.before-reset-1.ipynb").read_text()
    assert mine.read_text() == (course.NOTEBOOKS / "04_tls_modes.ipynb").read_text()
    assert not (tmp_path / "progress" / "04_tls_modes.json").exists()
    assert len(reset("4", tmp_path)) == 1  # nothing to keep now
