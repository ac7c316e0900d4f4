"""Draws who is responsible for a message at each instant; `holdings` works it out.

The picture is not to scale: from one instant to the next is always one step, or half a round trip could not be seen
beside half an hour in a queue.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from simulator.trace.trace import Trace
from simulator.views.holdings import Holding, Instant, Strip, Try, alt_text, holdings, overlaps, strips
from simulator.views.lettering import INK, PAGE_HEIGHT, PAGE_WIDTH, clock, cut, new_page, width_px, write
from simulator.views.network_map import STYLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["custody", "holdings", "overlaps"]

MOST_STRIPS = 3
MOST_INSTANTS = 8
LEFT_PX, RIGHT_PX = 375.0, PAGE_WIDTH - 20
TOP_PX, FOOT_PX = 48.0, 116.0
_HEAD_PX, _TICKS_PX, _GAP_PX = 26.0, 30.0, 12.0
_LANE_PX = (30.0, 92.0)
"""Height of a lane: at least, at most."""
_BAR_PX = 44.0
_OURS, _FILED, _FAILED = STYLES["dns"].color, STYLES["protected"].color, STYLES["readable"].color


def custody(trace: Trace) -> Figure:
    """Draw who has the message, 1280 x 720 pixels: a strip for each group of recipients with the same way.

    Raises UsageError when the trace has no message, or when matplotlib is missing.
    """
    found = strips(trace)
    figure, axes = new_page(alt_text(found), "Who is responsible for the letter?")
    room = PAGE_HEIGHT - TOP_PX - FOOT_PX
    shown = list(found[:MOST_STRIPS])
    while len(shown) > 1 and sum(_height(strip, _LANE_PX[0]) for strip in shown) > room:
        shown.pop()
    fixed = sum(_height(strip, 0.0) for strip in shown)
    lane_px = min(_LANE_PX[1], max(16.0, (room - fixed) / sum(len(lanes(strip)) for strip in shown)))
    y, several = TOP_PX, len({strip.message for strip in found}) > 1
    for strip in shown:
        _draw_strip(axes, strip, y, lane_px, f"{strip.message}: " if several else "")
        y += _height(strip, lane_px)
    _foot(axes, found, len(found) - len(shown))
    return figure


def lanes(strip: Strip) -> tuple[tuple[str, str], ...]:
    """Return (role, host) of every lane, in the order of the journey; the mailbox is there even when it stays empty."""
    hosts = [(h.role, h.holder) for h in strip.holdings if not h.mailbox]
    filed = [h.holder for h in strip.holdings if h.mailbox]
    return tuple(dict.fromkeys([*hosts, ("mailbox", filed[0] if filed else "stays empty")]))


def steps(strip: Strip) -> tuple[Instant, ...]:
    """Return the instants to draw; of many attempts only the first and the last, which has the others' place too."""
    tries = strip.tries[1:-1] if len(strip.instants) > MOST_INSTANTS else ()
    return tuple(at for at in strip.instants if at not in {t.at for t in tries})


def tick_words(instants: Sequence[Instant], start_s: float) -> list[str]:
    """Return what stands under each instant: the time since the start, or since the instant before if that is close."""
    told = []
    for index, at in enumerate(instants):
        since_s = at.at_s - start_s
        gap_s = at.at_s - instants[index - 1].at_s if index else since_s
        if index and gap_s == 0:
            told.append("same time")
        elif index and since_s >= 60 and gap_s < 10:
            told.append(f"+{clock(gap_s)}")
        else:
            told.append(clock(since_s).replace(" 00 s", ""))
    return told


def _height(strip: Strip, lane_px: float) -> float:
    return _HEAD_PX + lane_px * len(lanes(strip)) + _TICKS_PX + _GAP_PX


def _draw_strip(axes: Axes, strip: Strip, top: float, lane_px: float, label: str) -> None:
    instants = steps(strip)
    width = (RIGHT_PX - LEFT_PX) / len(instants)
    places = {at: LEFT_PX + width * index for index, at in enumerate(instants)}
    head = f"{label}{', '.join(strip.recipients)}"
    head = cut(head, max(420.0, RIGHT_PX - 60 - width_px(cut(strip.outcome, RIGHT_PX))), bold=True)
    outcome = cut(strip.outcome, RIGHT_PX - 60 - width_px(head, bold=True))
    write(axes, 20, top + 12, head, fontweight="bold")
    write(axes, RIGHT_PX, top + 12, outcome, ha="right", style="italic")
    rows = {lane: top + _HEAD_PX + lane_px * (index + 0.5) for index, lane in enumerate(lanes(strip))}
    bottom = top + _HEAD_PX + lane_px * len(rows)
    for x, words in zip(places.values(), tick_words(instants, strip.holdings[0].from_s), strict=True):
        axes.plot([x, x], [top + _HEAD_PX, bottom + 4], color="#b8b09a", linewidth=1.0, zorder=0)
        if width_px(words, 12) > width - 4 and words.count(" ") == 3:  # "30 min 01 s" in little room
            words = words.rsplit(" ", 2)[0]
        if x == LEFT_PX:  # the first one has no room to its left
            write(axes, x - 4, bottom + 16, cut(words, width, 12), fontsize=12)
        else:
            write(axes, x, bottom + 16, cut(words, width - 4, 12), fontsize=12, ha="center")
    for (role, host), y in rows.items():
        _label(axes, role, host, y, lane_px)
        axes.plot([LEFT_PX, RIGHT_PX], [y, y], color="#b8b09a", linewidth=1.0, linestyle="dotted", zorder=0)
    copies = [places[h.begin] for h in strip.holdings if h.mailbox]
    for holding in strip.holdings:
        if holding.mailbox:
            place = copies.index(places[holding.begin])
            filed = ("in the mailbox", "filed") if place == 0 else (f"{place + 1} copies",)
            _part(axes, (copies[place], [*copies, RIGHT_PX][place + 1]), rows[lanes(strip)[-1]],
                  min(lane_px - 6, _BAR_PX), filed, {"facecolor": "white", "edgecolor": _FILED, "hatch": "..."}, _FILED)
            continue
        y = rows[holding.role, holding.holder]
        _bar(axes, holding, strip.tries, places, y, lane_px)


def _label(axes: Axes, role: str, host: str, y: float, lane_px: float) -> None:
    room = LEFT_PX - 28
    if lane_px >= 46:
        write(axes, 20, y - 10, role, fontweight="bold")
        write(axes, 20, y + 10, cut(host, room))
        return
    write(axes, 20, y, role, fontweight="bold", fontsize=12)
    wide = width_px(role, 12, bold=True) + 8
    write(axes, 20 + wide, y, cut(host, room - wide, 12), fontsize=12)


def _bar(
    axes: Axes, holding: Holding, tries: Sequence[Try], places: dict[Instant, float], y: float, lane_px: float
) -> None:
    """Draw one bar in its parts: has it; waits after a try; has a copy too many; and how it ended."""
    left, right = places[holding.begin], places[holding.end] if holding.end else RIGHT_PX
    high = min(lane_px - 6, _BAR_PX)
    look: dict[str, Any] = {"facecolor": _OURS, "edgecolor": _OURS}
    shared = places[holding.passed] if holding.passed and holding.passed < (holding.end or _NEVER) else right
    within = [t for t in tries if holding.begin < t.at < (holding.end or _NEVER)]
    own = [t for t in within if t.at in places]
    hidden = len(within) - len(own)
    edges = [left, *(places[t.at] for t in own if places[t.at] < shared), shared]
    for index, (start, end) in enumerate(pairwise(edges)):
        words = ("is responsible", "responsible", "has it")
        if index:  # RFC 5321 section 4.5.4.1: what could not be sent on waits in the queue
            last = own[index - 1].words
            words = (f"{last}: it waits", f"{last}: waits", "waits")
            if index == 1 and hidden:
                words = (f"{hidden + 1} tries: it waits", f"{hidden + 1} tries", "waits")
        _part(axes, (start, end), y, high, words, look, "white")
    if shared < right:
        hatched = {"facecolor": "white", "edgecolor": _OURS, "hatch": "///"}
        _part(axes, (shared, right), y, high, ("has it, too", "too", ""), hatched, INK)
    if holding.ends.startswith("failed") and holding.end:
        axes.plot([right], [y], marker="X", markersize=15, color=_FAILED, markeredgecolor="white", zorder=4)
        write(axes, right + 16, y, cut("failed", RIGHT_PX - right - 20), fontweight="bold", color=_FAILED)


_NEVER = Instant(float("inf"), 0)


def _part(
    axes: Axes, span: tuple[float, float], y: float, high: float, words: tuple[str, ...], look: dict[str, Any],
    color: str,
) -> None:  # fmt: skip
    from matplotlib.patches import Rectangle

    left, right = span
    axes.add_patch(Rectangle((left, y - high / 2), right - left, high, linewidth=1.6, zorder=2, **look))
    fits = next((w for w in words if w and width_px(w, 12) <= right - left - 14 and high >= 22), "")
    if fits:
        box = {"facecolor": look["facecolor"], "edgecolor": "none", "pad": 1.5} if "hatch" in look else None
        write(axes, (left + right) / 2, y, fits, fontsize=12, ha="center", color=color, zorder=5, bbox=box)
    if "hatch" not in look:  # where one part ends and the next begins
        axes.plot([right, right], [y - high / 2, y + high / 2], color="white", linewidth=2.0, zorder=3)


def _foot(axes: Axes, found: Sequence[Strip], hidden: int) -> None:
    notes = [
        "Not to scale: each step to the right is an instant at which something changed. Time counts from the sending.",
        "The baton passes with the 250 after the dot; no 250 fills a mailbox (RFC 5321 section 4.1.1.4).",
    ]
    every = [holding for strip in found for holding in strip.holdings]
    shared = [h.end.at_s - h.passed.at_s for h in every if h.end and h.passed and h.end > h.passed]
    if shared:
        notes.append(
            f"Hatched ///: the 250 is on its way ({shared[0] * 1000:.3g} ms), and both have the letter. If it is lost, "
            "the letter comes twice (RFC 1047)."
        )
    if any(h.passed and not h.end for h in every):
        notes[-1] = "Hatched ///: the 250 never arrived. Both have the letter, and it may come twice (RFC 1047)."
    elif any(sum(h.mailbox for h in strip.holdings) > 1 for strip in found):
        notes[-1] = "Hatched ///: both have the letter. A 250 was lost, so it was sent again: two copies (RFC 1047)."
    if hidden:
        rest = dict.fromkeys(name for strip in found[-hidden:] for name in strip.recipients)
        notes[1] = f"… and {hidden} more way{'s' if hidden > 1 else ''}, to {', '.join(rest)}"
    for number, line in enumerate(notes):
        write(axes, 20, PAGE_HEIGHT - FOOT_PX + 36 + 27 * number, cut(line, PAGE_WIDTH - 40, 13), fontsize=13)
