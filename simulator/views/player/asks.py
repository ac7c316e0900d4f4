"""Questions that stop the player: what comes after one is not in the page's tree until it is answered or revealed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from simulator.errors import UsageError
from simulator.views.steps import Step


@dataclass(frozen=True, slots=True)
class Ask:
    """A question before a step.

    It is no secret: what is later lies in the file as base64, so that a look at the source does not give it away at
    first sight. Whoever decodes it can read it. An exam needs a page that does not contain the answer at all.
    """

    at: int | Callable[[Step], bool]
    """The step that waits for the answer: its `Step.number`, or the first step for which a function says True."""
    question: str
    options: tuple[str, ...] = ()
    """Answers to choose from; without any, the learner thinks and then looks."""
    explain: str = ""
    """What is said after the answer."""
    right: int | None = None
    """Index of the right option; None when there is no right or wrong."""


def place_asks(asks: Iterable[Ask], steps: Sequence[Step]) -> tuple[tuple[int, Ask], ...]:
    """Return (index of the step that waits, question), in the order of the steps.

    Raises UsageError for a question that never comes, for a second one at the same step, and for a right answer that
    is none of the options.
    """
    found: list[tuple[int, Ask]] = []
    for ask in asks:
        if ask.right is not None and not 0 <= ask.right < len(ask.options):
            raise UsageError(
                f'The question "{ask.question}" has {len(ask.options)} options; right={ask.right} is none of them.'
            )
        index = next((i for i, step in enumerate(steps) if _is_at(ask, step)), None)
        if index is None:
            where = f"step {ask.at}" if isinstance(ask.at, int) else "the step that it describes"
            raise UsageError(f'The question "{ask.question}" waits for {where}, which this journey does not have.')
        if any(index == other for other, _ in found):
            raise UsageError(f'Two questions wait for one step; the second is "{ask.question}". Make them one.')
        found.append((index, ask))
    return tuple(sorted(found, key=lambda pair: pair[0]))


def _is_at(ask: Ask, step: Step) -> bool:
    return step.number == ask.at if isinstance(ask.at, int) else bool(ask.at(step))
