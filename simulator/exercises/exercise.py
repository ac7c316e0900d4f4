"""An exercise: a question with a check of what happened, hints that do not give it away, and known answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from simulator.errors import SimulatorError, UsageError
from simulator.exercises.verdict import Verdict, answered, unanswered, wrong
from simulator.trace import store
from simulator.trace.trace import Trace

Check = Callable[[Any, Any], Verdict]
"""Takes the answer and the learner's case."""


@dataclass(frozen=True, slots=True)
class Right:
    """An answer that must pass: made from the case."""

    make: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A typical wrong answer, and words that its verdict must contain."""

    make: Callable[[Any], Any]
    hint: str


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise of a unit."""

    name: str
    question: str
    check: Check
    hints: tuple[str, str, str]
    """From a nudge to nearly the way; none of them is the answer."""
    near_example: str
    """A worked example of a similar, different task."""
    variants: Callable[[random.Random], Any] | None = None
    """Makes a learner's own case from a seed."""
    right: tuple[Right, ...] = field(default=())
    wrong: tuple[Wrong, ...] = field(default=())

    def case(self, seed: int) -> Any:
        """Return the case of the learner with this seed: the same for every call."""
        return self.variants(random.Random(f"{seed}/{self.name}")) if self.variants else {}

    def judge(self, answer: Any, seed: int) -> Verdict:
        """Check an answer. A mistake inside an answer is a sentence, never a traceback."""
        if not answered(answer):
            return unanswered(self.question)
        try:
            return self.check(answer, self.case(seed))
        except UsageError as error:
            return wrong(str(error))
        except SimulatorError as error:
            return wrong(f"The simulator says: {error}")
        except Exception as error:
            return wrong(
                f"This answer cannot be checked ({type(error).__name__}: {error}). Is it the kind of answer that the "
                "task asks for?"
            )


def trace_of(answer: Any) -> Trace:
    """Return the trace of an answer: a journey, a trace, or the path of a saved one. Raises UsageError."""
    trace = getattr(answer, "trace", answer)
    if isinstance(trace, Trace):
        return trace
    if isinstance(answer, (str, bytes)) and str(answer).endswith(".jsonl"):
        return store.load(str(answer))
    raise UsageError(
        "The answer has to be a journey (what net.send returns) or the file of a saved one, "
        f"not {type(answer).__name__}."
    )
