"""A learner made of the lessons' own data: right answers pass, typical wrong ones get their hint, nothing else passes."""

import re
from pathlib import Path

import pytest

from simulator.exercises.unit import load_exercises

LESSONS = Path(__file__).resolve().parents[2] / "lessons"
UNITS = [path.parent for path in sorted(LESSONS.glob("[0-9][0-9]_*/exercises.py"))]
MODULES = {folder.name: load_exercises(folder) for folder in UNITS}
EXERCISES = [pytest.param(each, id=f"{name} {each.name}") for name, module in MODULES.items() for each in module.EXERCISES]
QUESTIONS = [
    pytest.param(each, id=f"{name} {number}") for name, module in MODULES.items() for number, each in enumerate(module.QUIZ, 1)
]
PREDICTIONS = [pytest.param(each, id=f"{name} {each.name}") for name, module in MODULES.items() for each in module.PREDICTIONS]
SEEDS = (1, 2, 3)


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("seed", SEEDS)
def test_right_answers_pass(exercise, seed):
    assert exercise.right
    for answer in exercise.right:
        verdict = exercise.judge(answer.make(exercise.case(seed)), seed)
        assert verdict.right, str(verdict)


@pytest.mark.parametrize("exercise", EXERCISES)
@pytest.mark.parametrize("seed", SEEDS)
def test_each_wrong_answer_gets_its_own_hint(exercise, seed):
    assert len(exercise.wrong) >= 2
    for answer in exercise.wrong:
        verdict = exercise.judge(answer.make(exercise.case(seed)), seed)
        assert verdict.status == "wrong", str(verdict)
        assert answer.hint in str(verdict), f"{answer.hint!r} is not in: {verdict}"
        assert "Traceback" not in str(verdict)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_nothing_passes_unanswered_or_by_nonsense(exercise):
    for nothing in (..., None, "", "  "):
        assert exercise.judge(nothing, 1).status == "unanswered"
    for nonsense in (object(), "x", -1, [], {}, float("nan"), b"\xff"):
        verdict = exercise.judge(nonsense, 1)
        assert not verdict.right
        assert "Traceback" not in str(verdict)


@pytest.mark.parametrize("exercise", EXERCISES)
def test_three_hints_and_an_example_that_is_not_the_answer(exercise):
    assert len(exercise.hints) == 3
    assert len(set(exercise.hints)) == 3
    assert all(len(hint) > 20 for hint in exercise.hints)
    assert len(exercise.near_example) > 40


@pytest.mark.parametrize("exercise", [each for each in EXERCISES if each.values[0].variants])
def test_cases_differ_between_learners_and_stay_the_same_for_one(exercise):
    cases = [repr(exercise.case(seed)) for seed in range(30)]
    assert len(set(cases)) > 1
    assert cases == [repr(exercise.case(seed)) for seed in range(30)]


@pytest.mark.parametrize("question", QUESTIONS)
def test_every_question_has_one_right_option_and_a_reason_for_each(question):
    assert sum(option.right for option in question.options) == 1
    assert all(len(option.why) > 10 for option in question.options)
    assert len({option.text for option in question.options}) == len(question.options) >= 3
    assert re.fullmatch(r"LO([1-9]|1[0-5])", question.outcome)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_predictions_ask_and_explain(prediction):
    assert prediction.question.rstrip().endswith("?")
    assert prediction.explain
    assert prediction.problem(...).startswith("Not answered yet")
    assert prediction.problem(object())


@pytest.mark.parametrize("name", MODULES)
def test_every_unit_asks_something_unseen(name):
    if MODULES[name].QUIZ:
        assert any(question.unseen for question in MODULES[name].QUIZ)


def test_right_options_do_not_always_stand_in_the_same_place():
    places = [[option.right for option in question.values[0].options].index(True) for question in QUESTIONS]
    if len(places) > 5:
        assert len(set(places)) > 1
