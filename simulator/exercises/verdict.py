"""What a check says about an answer: right, not yet, or not answered. The message comes first, never a traceback."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Literal


def answered(answer: object) -> bool:
    """Tell whether a learner has written anything: `...`, None and blank text are no answers."""
    return not (answer is ... or answer is None or (isinstance(answer, str) and not answer.strip()))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a check."""

    status: Literal["right", "wrong", "unanswered"]
    message: str
    evidence: tuple[str, ...] = ()
    """Lines out of the trace that show it."""

    @property
    def right(self) -> bool:
        """True for a right answer, and for nothing else."""
        return self.status == "right"

    @property
    def heading(self) -> str:
        """The first words."""
        return {"right": "Right.", "wrong": "Not yet.", "unanswered": "Not answered yet."}[self.status]

    def __str__(self) -> str:
        return "\n".join([f"{self.heading} {self.message}", *(f"    {line}" for line in self.evidence)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        lines = "".join(f"<br><code>{html.escape(line)}</code>" for line in self.evidence)
        sign = {"right": "\N{CHECK MARK}", "wrong": "\N{MULTIPLICATION SIGN}", "unanswered": "?"}[self.status]
        return (
            f'<p role="status"><span aria-hidden="true">{sign}</span> <strong>{self.heading}</strong> '
            f"{html.escape(self.message)}{lines}</p>"
        )


def right(message: str, *evidence: str) -> Verdict:
    """Return the verdict on a right answer."""
    return Verdict("right", message, evidence)


def wrong(message: str, *evidence: str) -> Verdict:
    """Return the verdict on a wrong answer; the message helps without giving the answer away."""
    return Verdict("wrong", message, evidence)


def unanswered(message: str = "") -> Verdict:
    """Return the verdict on no answer."""
    return Verdict("unanswered", message)
