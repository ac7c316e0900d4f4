"""Who is responsible for a message at each instant: the baton passes with the 250 after the dot, and not before.

A server is responsible from the instant at which it answers 250 (RFC 5321 section 4.1.1.4). The client knows only when
that has arrived: in between both have the message, and if the 250 is lost, it is sent twice (RFC 1047).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.trace.events import MessageAccepted, MessageComposed, MessageStored, RecipientResult, Reply
from simulator.trace.trace import Trace
from simulator.views.hops import hops
from simulator.views.lettering import INK, PAGE_HEIGHT, clock, cut, new_page, wrapped, write
from simulator.views.network_map import STYLES
from simulator.views.timeline import ticks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEFT_PX, RIGHT_PX = 330.0, 1130.0
MOST_LANES = 8
SHORTEST_PX = 7.0
"""So that a server that passes a message on at once is still seen."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One party has the message and is responsible for it."""

    holder: str
    """A host, or a mailbox."""
    from_s: float
    to_s: float | None
    """None: it still has it at the end of the trace."""
    ends: str
    """How it ended, in words."""
    mailbox: bool = False


def holdings(trace: Trace) -> tuple[Holding, ...]:
    """Return who had the message when, in order. Raises UsageError when the trace has no message."""
    composed = trace.of(MessageComposed)
    accepted = trace.of(MessageAccepted)
    if not composed and not accepted:
        raise UsageError("Nobody was ever responsible: the trace holds no message.")
    heard = _heard_250(trace)
    found = []
    if composed:
        first = composed[0]
        # The mail program is done when it has heard of the 250.
        arrived = heard.get(accepted[0].connection or 0) if accepted else None
        ends = "has heard the 250" if arrived is not None else "was refused: the user is told"
        if arrived is None:
            results = [e.at_s for e in trace.of(RecipientResult, host=first.host)]
            arrived = results[-1] if results else None
        found.append(Holding(first.host, first.at_s, arrived, ends))
    for event in accepted:
        found.append(_server(trace, event, accepted, heard))
    found += [Holding(e.mailbox, e.at_s, None, "lies in the mailbox", mailbox=True) for e in trace.of(MessageStored)]
    return tuple(sorted(found, key=lambda holding: holding.from_s))


def _heard_250(trace: Trace) -> dict[int, float]:
    """Return for each SMTP connection when the 250 after the dot had arrived at the client."""
    heard = {}
    for hop in hops(trace):
        for event in hop.spoken:
            if isinstance(event, Reply) and event.verb in ("DATA", "BDAT") and event.code == 250:
                late = hop.log.latency_s if hop.seen_by == "server" else 0.0
                heard[hop.log.number] = event.at_s + late
    return heard


def _server(
    trace: Trace, event: MessageAccepted, accepted: list[MessageAccepted], heard: dict[int, float]
) -> Holding:
    stored = [e for e in trace.of(MessageStored, host=event.host) if e.connection == event.connection]
    if stored:
        return Holding(event.host, event.at_s, stored[-1].at_s, "filed it")
    results = {e.recipient: e for e in trace.of(RecipientResult, host=event.host)}
    waiting = [e for e in results.values() if e.result == "deferred"]
    if waiting or not results:
        retry = waiting[0].retry_at_s if waiting else None
        words = f"waits; next try at {clock(retry)}" if retry is not None else "waits in the queue"
        return Holding(event.host, event.at_s, None, words)
    own = [hop.log.number for hop in hops(trace) if hop.log.client_host == event.host]
    passed = [heard[number] for number in own if number in heard]
    end = max(passed) if passed else max(e.at_s for e in results.values())
    failed = [e for e in results.values() if e.result == "failed"]
    words = "failed: the sender is told" if len(failed) == len(results) else "has heard the 250"
    return Holding(event.host, event.at_s, end, words if not failed or len(failed) == len(results) else
                   f"{words}; {len(failed)} failed")  # fmt: skip


def overlaps(trace: Trace) -> list[tuple[str, str, float]]:
    """Return (giver, taker, for how many seconds) both had the message: from the 250 until it was heard."""
    heard = _heard_250(trace)
    clients = {hop.log.number: hop.log.client_host for hop in hops(trace)}
    return [
        (clients[event.connection], event.host, heard[event.connection] - event.at_s)
        for event in trace.of(MessageAccepted)
        if event.connection in heard
    ]


def alt_text(found: tuple[Holding, ...]) -> str:
    """Describe the figure in words."""
    start = found[0].from_s
    told = [
        f"{each.holder} from {clock(each.from_s - start)} "
        + ("on" if each.to_s is None else f"to {clock(each.to_s - start)}")
        + f" ({each.ends})"
        for each in found
    ]
    return "Who is responsible for the message, and when. " + "; ".join(told) + "."


def custody(trace: Trace) -> Figure:
    """Draw who has the message, 1280 x 720 pixels. Raises UsageError when the trace has no message."""
    found = holdings(trace)
    start = found[0].from_s
    end = max([trace.events[-1].at_s, *(each.to_s or each.from_s for each in found)])
    span = max(end - start, 0.001)
    figure, axes = new_page(alt_text(found), "Who is responsible for the letter?")

    def place(at_s: float) -> float:
        return LEFT_PX + (at_s - start) / span * (RIGHT_PX - LEFT_PX)

    drawn = found[:MOST_LANES]
    gap = min(100.0, 470.0 / len(drawn))
    bottom = 110.0 + gap * len(drawn)
    for at_s in ticks(span):
        x = place(start + at_s)
        axes.plot([x, x], [74, bottom], color="#d8d2c0", linewidth=1.0, zorder=0)
        write(axes, x, bottom + 18, clock(at_s) if span >= 60 else f"{at_s * 1000:g}", fontsize=12, ha="center")
    if span < 60:
        write(axes, RIGHT_PX + 22, bottom + 18, "ms", fontsize=12)
    for index, each in enumerate(drawn):
        _bar(axes, each, 118.0 + gap * index, place, place(end))
    words = [
        f"While the 250 of {taker} was on its way ({seconds * 1000:g} ms), {giver.partition('.')[0]} had it, too: "
        "a lost 250 means two copies."
        for giver, taker, seconds in overlaps(trace)
    ]
    for number, line in enumerate(words[:3]):
        write(axes, 20, bottom + 56 + 26 * number, cut(line, 1240, 14), fontsize=14)
    if len(found) > len(drawn):
        write(axes, 20, PAGE_HEIGHT - 24, f"and {len(found) - len(drawn)} more", fontsize=13)
    return figure


def _bar(axes: Any, each: Holding, y: float, place: Any, end_x: float) -> None:
    from matplotlib.patches import Rectangle

    color = STYLES["protected"].color if each.mailbox else STYLES["dns"].color
    left = place(each.from_s)
    right = max(end_x if each.to_s is None else place(each.to_s), left + SHORTEST_PX)
    write(axes, 20, y - 8, cut(each.holder, LEFT_PX - 40, 14, bold=True), fontsize=14, fontweight="bold")
    write(axes, 20, y + 14, "mailbox" if each.mailbox else "is responsible", fontsize=12, style="italic")
    look: dict[str, Any] = {"facecolor": "white", "hatch": "xx"} if each.mailbox else {"facecolor": color}
    axes.add_patch(Rectangle((left, y - 14), right - left, 28, edgecolor=color, linewidth=2.0, zorder=2, **look))
    room = 1280 - 12 - (right + 10)
    for number, line in enumerate(wrapped(each.ends, max(room, 130), 2, 12) if room > 110 else []):
        write(axes, right + 10, y - 8 + 18 * number, line, fontsize=12, color=INK,
              bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5})  # fmt: skip
