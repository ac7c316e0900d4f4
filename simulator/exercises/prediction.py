"""A prediction: written down before the experiment, shown beside what was observed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulator.exercises.verdict import answered


@dataclass(frozen=True, slots=True)
class Prediction:
    """One question to be answered before a cell shows its result."""

    name: str
    question: str
    kind: type = str
    """int, float, bool or str."""
    options: tuple[Any, ...] = ()
    """What there is to choose from; empty: any value of the kind."""
    explain: str = ""
    """One or two sentences for afterwards."""

    def problem(self, value: Any) -> str:
        """Say what is wrong with a prediction as a value; "" when it can be taken (right or not)."""
        if not answered(value):
            return f"Not answered yet: {self.question}"
        if self.options and value not in self.options:
            return f"Choose one of {', '.join(repr(option) for option in self.options)}."
        if not self.options and (not isinstance(value, self.kind) or (self.kind is int and isinstance(value, bool))):
            words = {int: "a whole number", float: "a number", str: "a text in quotes", bool: "True or False"}
            return f"Write {words.get(self.kind, self.kind.__name__)}, not {value!r}."
        return ""


class Withheld:
    """Stands for a result that waits for its prediction. Whatever is asked of it, it is still withheld."""

    def __init__(self, why: str) -> None:
        object.__setattr__(self, "_why", why)

    def __getattr__(self, name: str) -> Withheld:
        if name.startswith("_"):  # how notebooks ask for pictures; there are none
            raise AttributeError(name)
        return self

    def __call__(self, *args: Any, **kwargs: Any) -> Withheld:
        return self

    def __getitem__(self, key: Any) -> Withheld:
        return self

    def __iter__(self) -> Any:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return str(object.__getattribute__(self, "_why"))
