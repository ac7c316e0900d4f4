"""A unit of the course as its notebook uses it: predictions, observations, exercises, hints, quiz, progress."""

from __future__ import annotations

import html
import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, TypeVar

from simulator.errors import UsageError
from simulator.exercises.exercise import Exercise
from simulator.exercises.prediction import Prediction, Withheld
from simulator.exercises.progress import ROOT, Progress
from simulator.exercises.quiz import Question, Quiz
from simulator.exercises.verdict import Verdict, answered, unanswered

T = TypeVar("T")
LESSONS = ROOT / "lessons"


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a unit with its minutes: "core" in every class, "if-time" in a long one, "extension" at home."""

    title: str
    minutes: int
    kind: Literal["core", "if-time", "extension"] = "core"


def load_exercises(folder: Path) -> ModuleType:
    """Return the module lessons/NN_topic/exercises.py. Raises UsageError when it is missing."""
    file = folder / "exercises.py"
    if not file.is_file():
        raise UsageError(f"There is no unit {folder.name!r}: {file} is missing. Is the whole repository here?")
    spec = importlib.util.spec_from_file_location(f"lessons_{folder.name}_exercises", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by its name
    spec.loader.exec_module(module)
    return module


class Unit:
    """One unit for one learner. With `teach=True` nothing waits for a prediction."""

    def __init__(self, name: str, *, teach: bool = False, folder: Path | None = None) -> None:
        """Raises UsageError when there is no such unit."""
        self.name, self.teach = name, teach
        module = load_exercises(folder or LESSONS / name)
        self.material = module
        """The unit's own exercises.py, with what else it has for its notebook."""
        self.predictions: dict[str, Prediction] = {each.name: each for each in module.PREDICTIONS}
        self.exercises: dict[str, Exercise] = {each.name: each for each in module.EXERCISES}
        self.questions: tuple[Question, ...] = tuple(module.QUIZ)
        self.sections: tuple[Section, ...] = tuple(module.SECTIONS)
        self._kept = Progress(name)
        if self._kept.remark:
            print(self._kept.remark)

    def __repr__(self) -> str:
        core = sum(section.minutes for section in self.sections if section.kind == "core")
        return f"<Unit {self.name}: {core} minutes, your number is {self._kept.seed}>"

    # --- predict, observe --------------------------------------------------------------------------------------------

    def predict(self, name: str, value: Any) -> None:
        """Write a prediction down. It is kept, and shown beside the observation."""
        prediction = self._find(self.predictions, name, "prediction")
        problem = prediction.problem(value)
        if problem:
            print(problem)
            return
        self._kept.predictions[name] = value
        self._save()
        print(f"Your prediction is kept: {value}. Now run the next cell.")

    def observe(self, name: str, run: Callable[[], T], show: Callable[[T], Any] | None = None) -> T | Withheld:
        """Run an experiment, once its prediction is written down; return what it returns.

        `show` makes of that the value which is put beside the prediction.
        """
        prediction = self._find(self.predictions, name, "prediction")
        if not self.teach and name not in self._kept.predictions:
            why = f"Withheld: first write down your prediction. {prediction.question}"
            print(why)
            return Withheld("(withheld until your prediction is written down)")
        result = run()
        if show is not None and not isinstance(result, Withheld):
            seen = show(result)
            predicted = self._kept.predictions.get(name)
            said = f"You predicted: {predicted}. " if answered(predicted) else ""
            same = "As you said." if seen == predicted else "Not as predicted: look closely."
            print(f"{said}Observed: {seen}." + (f" {same}" if said else ""))
            if prediction.explain:
                print(prediction.explain)
        return result

    # --- exercises ---------------------------------------------------------------------------------------------------

    def case(self, exercise: str) -> Any:
        """Return your own values for an exercise; somebody with another number has others."""
        case = self._find(self.exercises, exercise, "exercise").case(self._kept.seed)
        return Case(case) if isinstance(case, dict) else case

    def check(self, exercise: str, answer: Any = ...) -> Verdict:
        """Check an answer by what happened."""
        if isinstance(answer, Withheld):
            return unanswered("Its experiment still waits for a prediction.")
        verdict = self._find(self.exercises, exercise, "exercise").judge(answer, self._kept.seed)
        if verdict.status != "unanswered":
            kept = self._kept.exercise(exercise)
            kept["tries"] += 1
            kept["right"] = kept["right"] or verdict.right
            self._save()
        return verdict

    def hint(self, exercise: str) -> None:
        """Show one more hint: three of them, from a nudge to nearly the way, then a worked example of another task."""
        found = self._find(self.exercises, exercise, "exercise")
        kept = self._kept.exercise(exercise)
        number = kept["hints"]
        if number < len(found.hints):
            print(f"Hint {number + 1} of {len(found.hints)}: {found.hints[number]}")
        else:
            print(f"A worked example of a similar task:\n{found.near_example}")
        kept["hints"] = min(number + 1, len(found.hints))
        self._save()

    # --- quiz --------------------------------------------------------------------------------------------------------

    def quiz(self, number: int | Mapping[int, str] | None = None, letter: str | None = None) -> Quiz | Verdict | None:
        """Show the questions; or answer one, `quiz(1, "b")`, or several, `quiz({1: "b", 2: "a"})`."""
        if number is None:
            return Quiz(self.questions)
        if isinstance(number, Mapping):
            for each, chosen in number.items():
                print(f"{each}. {self._answer(each, chosen)}")
            return None
        if letter is None:
            return unanswered('Answer with a letter, such as quiz(1, "b").')
        return self._answer(number, letter)

    def _answer(self, number: int, letter: str) -> Verdict:
        if not (isinstance(number, int) and 1 <= number <= len(self.questions)):
            raise UsageError(f"This quiz has the questions 1 to {len(self.questions)}.")
        if not answered(letter):
            return unanswered(self.questions[number - 1].text)
        verdict = self.questions[number - 1].judge(letter)
        self._kept.quiz[str(number)] = {"letter": str(letter), "right": verdict.right}
        self._save()
        return verdict

    # --- progress ----------------------------------------------------------------------------------------------------

    def progress(self) -> ProgressTable:
        """Return what is done and what is open."""
        said = self._kept.predictions
        rows = [
            ("prediction", p.question, f"you said {said[name]}" if name in said else "open")
            for name, p in self.predictions.items()
        ]
        for name, exercise in self.exercises.items():
            kept = self._kept.exercises.get(name)
            tries = "" if not kept else f" ({kept['tries']} {'try' if kept['tries'] == 1 else 'tries'})"
            rows.append(("exercise", exercise.question, ("done" if kept and kept["right"] else "open") + tries))
        for number, question in enumerate(self.questions, 1):
            answer = self._kept.quiz.get(str(number))
            state = "open" if answer is None else "right" if answer["right"] else "not yet"
            rows.append((f"quiz {number}", question.text, state))
        return ProgressTable(tuple(rows))

    def _save(self) -> None:
        self._kept.save()
        if self._kept.remark:
            print(self._kept.remark)
            self._kept.remark = ""

    def _find(self, known: Mapping[str, T], name: str, what: str) -> T:
        if name not in known:
            raise UsageError(f"Unit {self.name} has no {what} {name!r}; there are {', '.join(known)}.")
        return known[name]


class Case(dict[str, Any]):
    """A learner's own values, shown one to a line."""

    def __repr__(self) -> str:
        lines = []
        for name, value in self.items():
            if isinstance(value, (list, tuple)) and len(str(value)) > 60:
                lines += [f"{name}:", *(f"  {number}. {each}" for number, each in enumerate(value, 1))]
            else:
                lines.append(f"{name}: {value}")
        return "\n".join(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


@dataclass(frozen=True, slots=True)
class ProgressTable:
    """What a learner has done in a unit."""

    rows: tuple[tuple[str, str, str], ...]
    """(what, question, state)."""

    def __repr__(self) -> str:
        return "\n".join(f"{what:12} {state:18} {question}" for what, question, state in self.rows)

    def _repr_html_(self) -> str:
        def cells(*texts: str) -> str:
            return "".join(f'<td style="text-align:left">{html.escape(text)}</td>' for text in texts)

        body = "".join(f"<tr>{cells(what, state, question)}</tr>" for what, question, state in self.rows)
        head = "".join(f'<th scope="col" style="text-align:left">{cell}</th>' for cell in ("what", "state", "question"))
        return f"<table><caption>Your progress</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
