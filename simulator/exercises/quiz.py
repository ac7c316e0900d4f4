"""Questions with options, each with a reason why it is right or wrong."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from simulator.exercises.verdict import Verdict, right, wrong


@dataclass(frozen=True, slots=True)
class Option:
    """One answer to choose."""

    text: str
    why: str
    right: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a quiz."""

    text: str
    options: tuple[Option, ...]
    outcome: str = ""
    """Learning outcome that it asks for, such as "LO7"."""
    unseen: bool = False
    """True when the unit did not show the answer: it has to be worked out."""

    def judge(self, letter: str) -> Verdict:
        """Return the verdict on the option with this letter."""
        letters = ascii_lowercase[: len(self.options)]
        wanted = str(letter).strip().lower()
        if len(wanted) != 1 or wanted not in letters:
            return wrong(f"Choose one of the letters {', '.join(letters)}.")
        option = self.options[letters.index(wanted)]
        return (right if option.right else wrong)(option.why)


class Quiz:
    """The questions of a unit, to be shown."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self.questions = tuple(questions)

    def __str__(self) -> str:
        lines = []
        for number, question in enumerate(self.questions, 1):
            lines.append(f"{number}. {question.text}")
            lines += [f"   {letter}) {o.text}" for letter, o in zip(ascii_lowercase, question.options, strict=False)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        items = []
        for question in self.questions:
            options = "".join(f"<li>{html.escape(option.text)}</li>" for option in question.options)
            items.append(f'<li>{html.escape(question.text)}<ol type="a">{options}</ol></li>')
        return f"<ol>{''.join(items)}</ol>"
