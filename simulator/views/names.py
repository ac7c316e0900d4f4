"""Draws the DNS walk for one recipient domain; `dns_walk` works it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simulator.errors import UsageError
from simulator.trace.trace import Trace
from simulator.views.dns_walk import (
    Column,
    HostTried,
    Question,
    alt_text,
    domains,
    hosts_tried,
    routes_to,
    verdict,
    walk,
)
from simulator.views.lettering import INK, LINE_PX, PAGE_HEIGHT, PAGE_WIDTH, cut, new_page, shown, wrapped, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ASKER_X, ANSWER_X = 285.0, 905.0
COLUMNS: dict[Column, float] = {"cache": 395.0, "root": 500.0, "top level": 660.0, "zone": 820.0}
FIRST_ROW_Y, TABLE_COLUMNS = 122.0, (20.0, 130.0, 385.0, 640.0)
MOST_HOSTS = 5
_LOOK: dict[bool, tuple[str, str]] = {True: ("#33339a", "solid"), False: ("#a3330a", "dashed")}
_HAPPY = ("answer", "referral", "nodata")


def names(trace: Trace, domain: str | None = None) -> Figure:
    """Draw the DNS walk for one recipient domain (by default the first that was looked for), 1280 x 720 pixels.

    Raises UsageError when nobody asked for that domain, or when matplotlib is missing.
    """
    known = domains(trace)
    domain = domain if domain is not None else next(iter(known), "")
    questions, hosts = walk(trace, domain), hosts_tried(trace, domain)
    if not questions and not routes_to(trace, domain):
        advice = f"choose one of {', '.join(map(shown, known))}" if known else "send a message first"
        raise UsageError(f"There is nothing to draw: nobody asked for the domain {shown(domain)!r}; {advice}.")
    askers = list(dict.fromkeys(q.asker for q in questions))
    title = f"Where does mail for {domain} go?"
    figure, axes = new_page(alt_text(trace, domain), title)
    table = _table_lines(hosts)
    table_height = 62 + sum(len(row[-1]) for row in table) * LINE_PX + 8 * len(table)
    bottom = _draw_walk(axes, questions, askers, PAGE_HEIGHT - table_height - 20)
    _draw_table(axes, bottom + 26, verdict(trace, domain), table)
    return figure


def _draw_walk(axes: Axes, questions: Sequence[Question], askers: Sequence[str], limit: float) -> float:
    """Draw the questions between the head of the picture and `limit`; return where they end."""
    if not questions:
        return 40.0
    rows, more = _fold(questions, limit - FIRST_ROW_Y)
    used = sum(_height(row) for row in rows) + (LINE_PX if more else 0)
    air = min(30.0, max(0.0, limit - FIRST_ROW_Y - used) / max(1, len(rows)))  # few questions need not stand so close
    end = FIRST_ROW_Y + used + air * len(rows) - 8
    asker = askers[0] if len(askers) == 1 else f"{len(askers)} resolvers"
    for x, head, below in [
        (ASKER_X, "resolver of", asker),
        *((x, column, _servers(questions, column)) for column, x in COLUMNS.items()),
    ]:
        write(axes, x, 62, head, ha="center", fontweight="bold")
        write(axes, x, 84, cut(below, 156 if x > ASKER_X else 175, 12), ha="center", fontsize=12)
        axes.plot([x, x], [98, end - (LINE_PX if more else 0)], color="#8c8672", linewidth=1.2, zorder=0)
    write(axes, 20, 62, "question", fontweight="bold")
    write(axes, ANSWER_X, 62, "what came back", fontweight="bold")
    y = FIRST_ROW_Y
    for place, row in rows:
        question = questions[place]
        color, line = _LOOK[question.status in _HAPPY]
        write(axes, 20, y, cut(f"{place + 1}  {question.name or '.'} {question.rdtype}?", ASKER_X - 32))
        axes.annotate(
            "", xy=(COLUMNS[question.column], y), xytext=(ASKER_X, y),
            arrowprops={"arrowstyle": "-|>", "color": color, "linestyle": "dotted" if question.column == "cache"
                        else line, "linewidth": 2.0, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 18},
        )  # fmt: skip
        for number, text in enumerate(row):
            write(axes, ANSWER_X, y + number * LINE_PX, text)
        y += _height((place, row)) + air
    if more:
        write(axes, 20, y, more, style="italic")
        y += LINE_PX
    return y - 8


def _servers(questions: Sequence[Question], column: Column) -> str:
    if column == "cache":
        return ""
    servers = list(dict.fromkeys(q.server for q in questions if q.column == column))
    return servers[0] if len(servers) == 1 else f"{len(servers)} servers" if servers else "not asked"


def _height(row: tuple[int, list[str]]) -> float:
    return len(row[1]) * LINE_PX + 8


def _fold(questions: Sequence[Question], room: float) -> tuple[list[tuple[int, list[str]]], str]:
    """Return the questions to show (place, lines of the answer), and words about those that are left out."""
    several = {
        column for column in COLUMNS if len({q.server for q in questions if q.column == column}) > 1
    }
    seen: set[tuple[str, ...]] = set()
    rows = []
    for place, q in enumerate(questions):
        key = (q.asker, q.name, q.rdtype, q.server, q.said)
        if key not in seen:
            seen.add(key)
            said = f"{q.server}: {q.said}" if q.column in several else q.said
            rows.append((place, wrapped(said, PAGE_WIDTH - 15 - ANSWER_X)))
    kept = list[tuple[int, list[str]]]()
    for row in rows:
        spare = 0.0 if len(rows) == len(questions) and row is rows[-1] else LINE_PX
        if sum(map(_height, kept)) + _height(row) + spare > room:
            break
        kept.append(row)
    hidden = len(questions) - len(kept)
    if not hidden:
        return kept, ""
    same = " at later tries, with the same answers" if len(kept) == len(rows) else ""
    return kept, f"… {hidden} more question{'s' if hidden > 1 else ''}{same}"


def _table_lines(hosts: Sequence[HostTried]) -> list[tuple[str, str, str, list[str]]]:
    rows = []
    for host in hosts[: MOST_HOSTS if len(hosts) <= MOST_HOSTS else MOST_HOSTS - 1]:
        addresses = "not asked" if host.addresses is None else ", ".join(host.addresses) or "none found"
        told = wrapped(host.happened, PAGE_WIDTH - 30 - TABLE_COLUMNS[3])
        rows.append((str(host.preference), cut(host.host, 240), cut(addresses, 240), told))
    if len(rows) < len(hosts):
        rest = hosts[len(rows) :]
        counts = {words: sum(h.happened == words for h in rest) for words in dict.fromkeys(h.happened for h in rest)}
        told = wrapped("; ".join(f"{count} {words}" for words, count in counts.items()), 610)
        rows.append(("…", f"{len(rest)} more hosts", "", told))
    return rows


def _draw_table(axes: Axes, y: float, words: str, rows: Sequence[tuple[str, str, str, list[str]]]) -> None:
    axes.plot([20, PAGE_WIDTH - 20], [y - 16, y - 16], color=INK, linewidth=1.2)
    write(axes, 20, y, cut(words, PAGE_WIDTH - 40, bold=True), fontweight="bold")
    if not rows:
        return
    y += 26
    for x, head in zip(TABLE_COLUMNS, ("preference", "host", "addresses found", "what happened"), strict=True):
        write(axes, x, y, head, style="italic")
    y += LINE_PX + 6
    for preference, host, addresses, told in rows:
        for x, text in zip(TABLE_COLUMNS, (preference, host, addresses), strict=False):
            write(axes, x, y, text)
        for number, line in enumerate(told):
            write(axes, TABLE_COLUMNS[3], y + number * LINE_PX, line)
        y += len(told) * LINE_PX + 8
