"""One message or many over simulated time: what happened when, from milliseconds to days."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from simulator.errors import UsageError
from simulator.trace.events import Event, MessageAccepted, MessageComposed, MessageStored, RecipientResult
from simulator.trace.trace import Trace
from simulator.views.lettering import INK, PAGE_HEIGHT, PAGE_WIDTH, clock, cut, new_page, width_px, write
from simulator.views.network_map import STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_LANES = 10
MOST_LINES = 14
AXIS_PX = {True: (60.0, 1220.0), False: (300.0, 975.0)}
"""From where to where the axis goes: for one message, which needs no words beside its line, and for many."""
LANE_PX = 48.0
LIFT_PX = 24.0
"""How high the signs stand above the line: a thin stroke leads down to the true instant."""
_TICKS_S = (0.001, 0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400)

_SIGNS = {
    "written": "o", "accepted": "s", "relayed": ">", "deferred": "d", "next try": "$?$", "delivered": "*", "failed": "X"
}  # fmt: skip
_LOOKS = {"delivered": "protected", "deferred": "readable", "next try": "readable", "failed": "failed"}
_SIZES = {"delivered": 16.0}


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that happened to one message, or that is due."""

    at_s: float
    kind: str
    """One of "written", "accepted", "relayed", "deferred", "next try", "delivered", "failed"."""
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
        own = [event for event in trace.events if event.message == message]
        marks = tuple([mark for event in own if (mark := _mark(event))] + _due(own))
        if marks:
            composed = trace.of(MessageComposed, message=message)
            title = ", ".join(composed[0].recipients) if composed else message
            found.append(Lane(message, title, _together(marks)))
    if not found:
        raise UsageError("There is nothing to put on a time line: the trace holds no message.")
    return tuple(found)


def _mark(event: Event) -> Mark | None:
    if isinstance(event, MessageComposed):
        return Mark(event.at_s, "written", f"{event.reverse_path or '<>'} writes")
    if isinstance(event, MessageAccepted):
        return Mark(event.at_s, "accepted", f"{event.host} answers 250 and is responsible")
    if isinstance(event, MessageStored):
        return Mark(event.at_s, "delivered", f"in the mailbox {event.mailbox}")
    if isinstance(event, RecipientResult) and event.result != "delivered":
        said = " ".join(str(part) for part in (event.code, event.enhanced) if part) or event.text
        words = f"{event.recipient} {event.result}"
        if event.retry_at_s is not None:
            words += f", next try after {_plain(event.retry_at_s - event.at_s)}"
        words += f" ({said})" if said else ""
        return Mark(event.at_s, event.result, words)
    return None


def _plain(span_s: float) -> str:
    return clock(span_s).replace(" 00 s", "").replace(" 00 min", "")


def _due(own: Sequence[Event]) -> list[Mark]:
    """Return the next tries of what waits in a queue at the end of the trace."""
    last = {(e.host, e.recipient): e for e in own if isinstance(e, RecipientResult)}
    return [
        Mark(e.retry_at_s, "next try", f"{recipient} will be tried again by {host}")
        for (host, recipient), e in last.items()
        if e.result == "deferred" and e.retry_at_s is not None
    ]


def _together(marks: Sequence[Mark]) -> tuple[Mark, ...]:
    """Put what happened to several recipients at one instant into one mark, in the order of time."""
    groups: dict[tuple[float, str, str], list[Mark]] = {}
    for index, mark in enumerate(sorted(marks, key=lambda mark: mark.at_s)):
        name, _, rest = mark.words.partition(" ")
        alike = "@" in name and mark.kind in ("relayed", "deferred", "next try", "failed")
        groups.setdefault((mark.at_s, mark.kind, rest if alike else str(index)), []).append(mark)
    return tuple(
        members[0] if len(members) == 1 else
        Mark(at_s, kind, f"{', '.join(m.words.partition(' ')[0] for m in members)}: {rest}")
        for (at_s, kind, rest), members in groups.items()
    )  # fmt: skip


def ticks(span_s: float) -> list[float]:
    """Return where the axis has its ticks: at most twelve, at round times."""
    step = next((step for step in _TICKS_S if span_s / step <= 11), 86400.0)
    while span_s / step > 11:
        step *= 2
    return [step * number for number in range(int(span_s / step) + 1)]


def times(marks: Sequence[Mark], start_s: float) -> list[str]:
    """Return the time of each mark in words; close to the one before, and late, it is the time since that one."""
    told = []
    for index, mark in enumerate(marks):
        gap_s = mark.at_s - marks[index - 1].at_s if index else 0.0
        close = index > 0 and gap_s < 10 and mark.at_s - start_s >= 60
        told.append(f"+{clock(gap_s)}" if close else _plain(mark.at_s - start_s))
    return told


def fold(lane: Lane) -> tuple[tuple[int, Mark] | None, ...]:
    """Return the marks to list, with their numbers; None stands for those in the middle when there are too many."""
    numbered = list(enumerate(lane.marks, 1))
    if len(numbered) <= MOST_LINES:
        return tuple(numbered)
    tail = MOST_LINES // 2 - 1
    return (*numbered[: MOST_LINES - tail - 1], None, *numbered[-tail:])


def alt_text(found: tuple[Lane, ...]) -> str:
    """Describe the time line in words."""
    start = min(lane.marks[0].at_s for lane in found)
    told = [
        f"To {lane.title}: " + "; ".join(f"{clock(mark.at_s - start)} {mark.words}" for mark in lane.marks)
        for lane in found[:MOST_LANES]
    ]
    more = f" And {len(found) - MOST_LANES} more messages." if len(found) > MOST_LANES else ""
    return "What happened when. " + ". ".join(told) + "." + more


def spread(places: Sequence[float], gap: float, right: float) -> list[float]:
    """Move places (in order) to the right, and back from the edge, until they are `gap` apart or as far as fits."""
    if len(places) > 1:
        gap = min(gap, (right - places[0]) / (len(places) - 1))
    moved: list[float] = []
    for place in places:
        moved.append(max(place, moved[-1] + gap) if moved else place)
    for index in range(len(moved)):
        moved[-1 - index] = min(moved[-1 - index], right - gap * index)
    return moved


def ending(lane: Lane) -> str:
    """Say in a few words where a message is at the end."""
    filed = sum(mark.kind == "delivered" for mark in lane.marks)
    told = [f"in {filed} mailboxes" if filed > 1 else "in the mailbox"] if filed else []
    kinds = {mark.kind for mark in lane.marks}
    told += ["failed"] if "failed" in kinds and not filed else ["some failed"] if "failed" in kinds else []
    told += ["waits for the next try"] if "next try" in kinds else []
    return "; ".join(told) or "on its way"


# --- the drawing -----------------------------------------------------------------------------------------------------


def timeline(trace: Trace) -> Figure:
    """Draw the time line, 1280 x 720 pixels. Raises UsageError when the trace has no message."""
    found = lanes(trace)
    drawn = found[:MOST_LANES]
    alone = len(found) == 1
    every = [mark.at_s for lane in drawn for mark in lane.marks]
    start, span = min(every), max(max(every) - min(every), 0.001)
    title = f"What happened when: to {drawn[0].title}" if alone else "What happened when: message by message"
    figure, axes = new_page(alt_text(found), title)
    left, right = AXIS_PX[alone]

    def place(at_s: float) -> float:
        return left + (at_s - start) / span * (right - left)

    bottom = 166.0 if alone else 96.0 + LANE_PX * len(drawn)
    for at_s in ticks(span):
        x = place(start + at_s)
        axes.plot([x, x], [70, bottom + 8], color="#d8d2c0", linewidth=1.0, zorder=0)
        write(axes, x, bottom + 22, _short(at_s), fontsize=12, ha="center")
    for index, lane in enumerate(drawn):
        y = 140.0 if alone else 112.0 + LANE_PX * index
        _draw_lane(axes, lane, y, place, (left, right), numbered=alone)
        if not alone:
            first, *others = lane.title.split(", ")
            more = f" +{len(others)}" if others else ""
            write(axes, 20, y - 8, cut(f"{lane.message}  {first}", left - 45 - width_px(more)) + more)
            write(axes, right + 30, y - 8, cut(ending(lane), PAGE_WIDTH - right - 40))
    if alone:
        _list(axes, drawn[0], start, bottom + 54)
    elif len(found) > len(drawn):
        write(axes, 20, bottom + 54, _rest(found[len(drawn) :]), fontsize=13)
    _legend(axes, {mark.kind for lane in drawn for mark in lane.marks})
    return figure


def _rest(hidden: Sequence[Lane]) -> str:
    """Count the messages that are not drawn, by how they ended."""
    last = [lane.marks[-1].kind for lane in hidden]
    filed = sum(any(mark.kind == "delivered" for mark in lane.marks) for lane in hidden)
    waiting = last.count("next try")
    told = [f"… and {len(hidden)} more message{'s' if len(hidden) > 1 else ''}"]
    told += [f"{filed} in a mailbox"] if filed else []
    told += [f"{waiting} waiting for the next try"] if waiting else []
    return ", ".join(told)


def _short(at_s: float) -> str:
    for unit_s, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if at_s >= unit_s and (2 * at_s / unit_s).is_integer():
            return f"{at_s / unit_s:g} {unit}"
    return f"{at_s * 1000:g} ms" if at_s else "0"


def _draw_lane(
    axes: Axes, lane: Lane, y: float, place: Callable[[float], float], ends: tuple[float, float], *, numbered: bool
) -> None:
    """Draw the line of one message and, above it, its signs, far enough from each other to be told apart."""
    axes.plot(ends, [y, y], color="#9a927c", linewidth=1.4, zorder=1)
    trues = [place(mark.at_s) for mark in lane.marks]
    one_by_one = len(trues) <= MOST_LINES + 8
    signs = spread(trues, 28.0 if numbered and one_by_one else 18.0, ends[1])
    for mark, true, x in zip(lane.marks, trues, signs, strict=True):
        axes.plot([x, true], [y - LIFT_PX + 8, y], color="#6d6653", linewidth=1.0, zorder=2)
        _sign(axes, mark.kind, x, y - LIFT_PX, 3, _SIZES.get(mark.kind, 12.0))
    if numbered:
        _number(axes, signs, y - LIFT_PX - 24, 20.0 if one_by_one else 64.0)


def _sign(axes: Axes, kind: str, x: float, y: float, zorder: float, size: float) -> None:
    color = STYLES[_LOOKS[kind]].color if kind in _LOOKS else INK
    edge = color if kind == "next try" else "white"
    axes.plot([x], [y], marker=_SIGNS[kind], markersize=size, color=color, markeredgecolor=edge, zorder=zorder)


def _number(axes: Axes, signs: Sequence[float], y: float, room: float) -> None:
    """Write the numbers of the list above the signs; signs that stand closer than `room` share one label."""
    groups: list[tuple[float, int, int]] = []
    for number, x in enumerate(signs, 1):
        if groups and x - groups[-1][0] < room:
            groups[-1] = groups[-1][0], groups[-1][1], number
        else:
            groups.append((x, number, number))
    for x, first, last in groups:
        label = str(first) if first == last else f"{first}-{last}"
        write(axes, x, y, label, fontsize=12, fontweight="bold", ha="center")


def _list(axes: Axes, lane: Lane, start: float, top: float) -> None:
    told = times(lane.marks, start)
    wide = max(width_px(words, 13) for words in told)
    for line, entry in enumerate(fold(lane)):
        y = top + line * 32.0
        if entry is None:
            more = len(lane.marks) - MOST_LINES + 1
            write(axes, 86 + wide, y, f"… {more} more, like those before and after", fontsize=13, style="italic")
            continue
        number, mark = entry
        write(axes, 48, y, f"{number}", fontsize=14, fontweight="bold", ha="right")
        write(axes, 66 + wide, y, told[number - 1], fontsize=13, ha="right")
        write(axes, 86 + wide, y, cut(mark.words, PAGE_WIDTH - 120 - wide, 14), fontsize=14)


def _legend(axes: Axes, kinds: set[str]) -> None:
    x = 30.0
    for kind in _SIGNS:
        if kind in kinds:
            _sign(axes, kind, x, PAGE_HEIGHT - 24, 3, 12.0)
            write(axes, x + 14, PAGE_HEIGHT - 24, kind, fontsize=13)
            x += 46 + width_px(kind, 13)
