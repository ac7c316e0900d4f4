"""One message or many over simulated time: what happened when, from milliseconds to days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.trace.events import Event, MessageAccepted, MessageComposed, MessageStored, RecipientResult
from simulator.trace.trace import Trace
from simulator.views.lettering import INK, PAGE_HEIGHT, PAGE_WIDTH, clock, cut, new_page, width_px, write
from simulator.views.network_map import STYLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LANES = 10
MOST_LINES = 14
LEFT_PX, RIGHT_PX = 280.0, 1220.0
_TICKS_S = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)

_SIGNS = {"written": "o", "accepted": "s", "relayed": ">", "deferred": "d", "delivered": "*", "failed": "X"}
_LOOKS = {"delivered": "protected", "deferred": "readable", "failed": "failed"}


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that happened to one message."""

    at_s: float
    kind: str
    """One of "written", "accepted", "relayed", "deferred", "delivered", "failed"."""
    words: str


@dataclass(frozen=True, slots=True)
class Lane:
    """One message."""

    message: str
    title: str
    marks: tuple[Mark, ...]


def lanes(trace: Trace) -> tuple[Lane, ...]:
    """Return what happened to each message, in order. Raises UsageError when the trace has no message."""
    found = []
    for message in trace.messages:
        marks = tuple(mark for event in trace.events if event.message == message and (mark := _mark(event)))
        if marks:
            composed = trace.of(MessageComposed, message=message)
            title = ", ".join(composed[0].recipients) if composed else message
            found.append(Lane(message, title, marks))
    if not found:
        raise UsageError("There is nothing to put on a time line: the trace holds no message.")
    return tuple(found)


def _mark(event: Event) -> Mark | None:
    if isinstance(event, MessageComposed):
        return Mark(event.at_s, "written", f"{event.reverse_path} writes")
    if isinstance(event, MessageAccepted):
        return Mark(event.at_s, "accepted", f"{event.host} answers 250 and is responsible")
    if isinstance(event, MessageStored):
        return Mark(event.at_s, "delivered", f"in the mailbox {event.mailbox}")
    if isinstance(event, RecipientResult) and event.result != "delivered":
        said = " ".join(str(part) for part in (event.code, event.enhanced) if part)
        words = f"{event.recipient} {event.result}" + (f" ({said})" if said else "")
        if event.retry_at_s is not None:
            words += f"; next try after {clock(event.retry_at_s - event.at_s)}"
        return Mark(event.at_s, event.result, words)
    return None


def ticks(span_s: float) -> list[float]:
    """Return where the axis has its ticks: at most twelve, at round times."""
    step = next((step for step in _TICKS_S if span_s / step <= 11), 86400.0)
    while span_s / step > 11:
        step *= 2
    return [step * number for number in range(int(span_s / step) + 1)]


def alt_text(found: tuple[Lane, ...]) -> str:
    """Describe the time line in words."""
    start = found[0].marks[0].at_s
    told = [
        f"To {lane.title}: " + "; ".join(f"{clock(mark.at_s - start)} {mark.words}" for mark in lane.marks)
        for lane in found[:MOST_LANES]
    ]
    return "What happened when. " + ". ".join(told) + "."


def timeline(trace: Trace) -> Figure:
    """Draw the time line, 1280 x 720 pixels. Raises UsageError when the trace has no message."""
    found = lanes(trace)
    start = min(mark.at_s for lane in found for mark in lane.marks)
    span = max(max(mark.at_s for lane in found for mark in lane.marks) - start, 0.001)
    figure, axes = new_page(alt_text(found), "What happened when")

    def place(at_s: float) -> float:
        return LEFT_PX + (at_s - start) / span * (RIGHT_PX - LEFT_PX)

    drawn = found[:MOST_LANES]
    bottom = 150.0 if len(drawn) == 1 else 110.0 + 48.0 * len(drawn)
    for at_s in ticks(span):
        x = place(start + at_s)
        axes.plot([x, x], [70, bottom + 8], color="#d8d2c0", linewidth=1.0, zorder=0)
        write(axes, x, bottom + 24, _short(at_s), fontsize=12, ha="center")
    for index, lane in enumerate(drawn):
        _draw_lane(axes, lane, 110.0 + 48.0 * index, place, numbered=len(drawn) == 1)
    if len(drawn) == 1:
        _list(axes, drawn[0], start, bottom + 66)
    elif len(found) > len(drawn):
        write(axes, 20, bottom + 48, f"and {len(found) - len(drawn)} more messages", fontsize=13)
    _legend(axes, {mark.kind for lane in drawn for mark in lane.marks})
    return figure


def _short(at_s: float) -> str:
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if at_s >= unit_s:
            return f"{at_s / unit_s:g} {unit}"
    return f"{at_s * 1000:g} ms" if at_s else "0"


def _draw_lane(axes: Any, lane: Lane, y: float, place: Any, *, numbered: bool) -> None:
    write(axes, 20, y, cut("time" if numbered else lane.title, LEFT_PX - 36, 12.5), fontsize=12.5)
    axes.plot([LEFT_PX, RIGHT_PX], [y, y], color="#9a927c", linewidth=1.4, zorder=1)
    groups: list[list[Any]] = []
    for number, mark in enumerate(lane.marks, 1):
        x = place(mark.at_s)
        look = STYLES[_LOOKS[mark.kind]].color if mark.kind in _LOOKS else INK
        top = 5 if mark.kind == "delivered" else 3
        size = 18 if mark.kind == "delivered" else 13
        axes.plot([x], [y], marker=_SIGNS[mark.kind], markersize=size, color=look, markeredgecolor="white", zorder=top)
        if groups and x - groups[-1][0] < 56:  # marks that stand close together share one label
            groups[-1][2] = number
        else:
            groups.append([x, number, number])
    for x, first, last in groups if numbered else []:
        label = str(first) if first == last else f"{first} to {last}"
        write(axes, x, y - 26, label, fontsize=13, fontweight="bold", ha="center")


def _list(axes: Any, lane: Lane, start: float, top: float) -> None:
    wide = max(width_px(clock(mark.at_s - start), 13) for mark in lane.marks)
    for number, mark in enumerate(lane.marks[:MOST_LINES], 1):
        y = top + (number - 1) * 32.0
        write(axes, 48, y, f"{number}", fontsize=14, fontweight="bold", ha="right")
        write(axes, 66 + wide, y, clock(mark.at_s - start), fontsize=13, ha="right")
        write(axes, 86 + wide, y, cut(mark.words, PAGE_WIDTH - 120 - wide, 14), fontsize=14)
    if len(lane.marks) > MOST_LINES:
        more = len(lane.marks) - MOST_LINES
        write(axes, 86 + wide, top + MOST_LINES * 32.0, f"and {more} more", fontsize=13, style="italic")


def _legend(axes: Any, kinds: set[str]) -> None:
    x = 30.0
    for kind, sign in _SIGNS.items():
        if kind in kinds:
            look = STYLES[_LOOKS[kind]].color if kind in _LOOKS else INK
            axes.plot([x], [PAGE_HEIGHT - 24], marker=sign, markersize=12, color=look)
            write(axes, x + 14, PAGE_HEIGHT - 24, kind, fontsize=13)
            x += 46 + width_px(kind, 13)
