"""One letter handed over in several ways, to be put side by side."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.journey import Journey
from simulator.sync import Internet
from simulator.views.compare import Column, column, compare_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from simulator.trace.trace import Trace

LETTER = "Hello Bob,\n\nthis letter takes three steps: submission, relay and delivery.\n\nAlice\n"
WAYS = {
    "cleartext": "cleartext",
    "587, STARTTLS": "starttls",
    "465, implicit TLS": "implicit",
    "587, if offered": "starttls-if-offered",
}
"""Name of a column -> submission mode. 587 with STARTTLS is *required and verified* unless the name says otherwise."""
THREE = tuple(WAYS)[:3]


@dataclass(frozen=True)
class Comparison:
    """Journeys of the same letter by the names of their columns."""

    journeys: Mapping[str, Journey]

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The facts of the submission hop of each."""
        return tuple(column(name, journey.trace) for name, journey in self.journeys.items())

    @property
    def traces(self) -> dict[str, Trace]:
        """The traces by name."""
        return {name: journey.trace for name, journey in self.journeys.items()}

    @property
    def delivered(self) -> bool:
        """True when every letter arrived."""
        return all(journey.delivered for journey in self.journeys.values())

    def figure(self, *, hide_round_trips: bool = False) -> Figure:
        """Draw all of them on one time axis, with what a listener learned; the counts can wait for a prediction."""
        from simulator.views.compare_figure import compare_figure

        return compare_figure(self.traces, hide_round_trips=hide_round_trips)

    def __getitem__(self, name: str) -> Journey:
        if name not in self.journeys:
            raise UsageError(f"There is no column {name!r}; there are {', '.join(self.journeys)}.")
        return self.journeys[name]

    def __str__(self) -> str:
        return compare_text(self.columns)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f'<pre style="line-height:1.3">{html.escape(str(self))}</pre>'


def compare(
    ways: Iterable[str] | None = None, letter: str = LETTER, *, medium: str = "memory", latency_s: float = 0.02,
    **options: Any,
) -> Comparison:  # fmt: skip
    """Send `letter` from Alice to Bob once in each of the `ways` (by default `THREE`), each in a fresh internet.

    The fourth of the `WAYS`, "587, if offered", shows that policy and port are two things: without an attacker it looks
    like the required one.

    `options` are those of `Internet.send`, such as `tls_version="1.2"`. Raises UsageError.
    """
    journeys = {}
    for name in THREE if ways is None else ways:
        if name not in WAYS:
            raise UsageError(f"There is no way {name!r} to hand over a letter; there are {', '.join(WAYS)}.")
        with Internet(medium=medium, latency_s=latency_s) as net:
            journeys[name] = net.send(
                letter, sender="alice@alice.example", to="bob@bob.example", subject="Three ways",
                mode=WAYS[name], **options,
            )  # fmt: skip
    return Comparison(journeys)
