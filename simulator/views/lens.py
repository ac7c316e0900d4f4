"""Lenses: what one party can read of a journey. Pure; every view asks here, so that all of them agree.

A listener has the octets of a link, an operator has what passes above TLS at the own host, the receiver has the letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulator.errors import UsageError
from simulator.trace.trace import Trace
from simulator.views.hops import hops
from simulator.views.steps import BOX, Step

Sight = Literal["readable", "hidden", "absent"]
"""hidden: this party sees that octets pass, no words; absent: it does not pass by this party at all."""

KINDS = ("everything", "sender", "receiver", "listener", "operator")


@dataclass(frozen=True, slots=True)
class Lens:
    """Who looks."""

    kind: Literal["everything", "sender", "receiver", "listener", "operator"] = "everything"
    where: str = ""
    """For an operator and the sender, the host; for a listener, the number of the SMTP connection, or "" for all."""

    @property
    def name(self) -> str:
        """How it is written, such as "listener:1"."""
        return f"{self.kind}:{self.where}" if self.where and self.kind != "sender" else self.kind


EVERYTHING = Lens()


def lens_of(text: str | Lens | None, trace: Trace) -> Lens:
    """Return the lens that `text` names: "sender", "receiver", "listener", "listener:2", "operator:mx.bob.example".

    Raises UsageError when there is no such party in the trace.
    """
    if text is None or isinstance(text, Lens):
        return text or EVERYTHING
    kind, _, where = text.partition(":")
    found = {lens.name: lens for lens in lenses(trace)}
    if text in found:
        return found[text]
    if kind in KINDS and not where:
        raise UsageError(f'The lens "{kind}" needs a place; this journey has: {", ".join(found)}.')
    raise UsageError(f'There is no lens "{text}"; this journey has: {", ".join(found)}.')


def lenses(trace: Trace) -> tuple[Lens, ...]:
    """Return every lens through which this trace can be seen."""
    found = [EVERYTHING]
    smtp = hops(trace)
    if smtp:
        found.append(Lens("sender", smtp[0].log.client_host))
        found.append(Lens("receiver"))
    found.append(Lens("listener"))
    found.extend(Lens("listener", str(hop.number)) for hop in smtp)
    ends = dict.fromkeys(host for hop in smtp for host in (hop.log.client_host, hop.log.server_host))
    found.extend(Lens("operator", host) for host in ends)
    return tuple(found)


def sight(lens: Lens, step: Step) -> Sight:
    """Tell what this party has of one step."""
    if lens.kind == "everything":
        return "readable"
    if lens.kind == "receiver":
        return "readable" if step.stored or step.kind == "store" else "absent"
    if lens.kind == "listener":
        return _on_the_wire(lens, step)
    return "readable" if lens.where in (step.from_host, step.to_host) else "absent"


def _on_the_wire(lens: Lens, step: Step) -> Sight:
    if not step.travels and BOX not in (step.from_host, step.to_host):
        return "absent"
    if lens.where and str(step.hop) != lens.where:
        return "absent"
    return "hidden" if step.said and step.tls else "readable"


def seen_lines(lens: Lens, step: Step) -> tuple[str, ...]:
    """Return the words that this party has of a step; for hidden ones, how many octets; for absent ones, nothing."""
    found = sight(lens, step)
    if found == "absent":
        return ()
    if found == "hidden":
        return (f"({step.size_octets} octets inside TLS)",)
    # An end knows its own password; whoever looks at everything is not shown one that travelled protected.
    return step.masked if lens.kind == "everything" else step.lines
