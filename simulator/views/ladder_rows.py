"""The rows of the ladder: what stands where, line by line, page by page. Pure; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from simulator.errors import UsageError
from simulator.trace.trace import Trace
from simulator.views.hops import hops
from simulator.views.lens import Lens, lens_of, seen_lines, sight
from simulator.views.steps import BOX, Step, steps

RowStyle = Literal["readable", "protected", "hidden", "dns", "tls", "failed", "happened", "path"]
ROWS_PER_PAGE = 20
MOST_COLUMNS = 7
"""With more hosts on a page, the name servers share one column."""
NAME_SERVERS = "name servers"
LONG_TEXT = 70
"""Letters in one row, from which on what happened next gets a row of its own."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the ladder: one step, or several that belong together."""

    numbers: tuple[int, ...]
    """Numbers of the events that it stands for."""
    at_s: float
    """When it began, in simulated seconds."""
    from_host: str
    to_host: str
    text: str
    style: RowStyle
    mark: str
    hop: int
    both_ways: bool = False
    """True for a question with its answer."""

    @property
    def travels(self) -> bool:
        """True when it is an arrow, False when it stands at one host."""
        return self.from_host != self.to_host


@dataclass(frozen=True, slots=True)
class LadderPage:
    """What fits one picture: hosts as columns from left to right, rows from top to bottom."""

    number: int
    of: int
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    left_out: int
    """How many steps do not pass by the one who looks; of the whole ladder."""
    lens: Lens


def ladder_rows(trace: Trace, lens: str | Lens | None = None, hop: int | None = None) -> tuple[tuple[Row, ...], int]:
    """Return the rows as one party sees them, and how many steps it has nothing of.

    With `hop`, only the steps of one SMTP connection, numbered from 1. Raises UsageError for a lens or hop that the
    trace does not have.
    """
    who = lens_of(lens, trace)
    found = steps(trace)
    if hop is not None:
        if not any(step.hop == hop for step in found):
            raise UsageError(f"This journey has {len(hops(trace))} SMTP connections; there is no hop {hop}.")
        found = tuple(step for step in found if step.hop == hop)
    seen = [step for step in found if sight(who, step) != "absent"]
    return tuple(_folded(who, seen)), len(found) - len(seen)


def ladder_pages(
    trace: Trace, lens: str | Lens | None = None, hop: int | None = None, rows_per_page: int = ROWS_PER_PAGE
) -> tuple[LadderPage, ...]:
    """Return the ladder in pages; a long journey gets more pages, not smaller letters."""
    rows, left_out = ladder_rows(trace, lens, hop)
    count = max(1, -(-len(rows) // rows_per_page))
    even = max(1, -(-len(rows) // count))  # pages of equal length: no last page with one row
    parts = [rows[start : start + even] for start in range(0, len(rows), even)] or [()]
    servers = {row.to_host for row in rows if row.style == "dns"} - {row.from_host for row in rows}
    order = _order(rows)
    return tuple(_page(number, len(parts), part, order, servers, left_out, lens_of(lens, trace))
                 for number, part in enumerate(parts, 1))  # fmt: skip


def ladder_text(pages: Iterable[LadderPage]) -> str:
    """Return the ladder as text, for a terminal, a screen reader or a test."""
    lines = []
    for page in pages:
        width = max((len(row.from_host) for row in page.rows), default=0)
        for row in page.rows:
            arrow = "<->" if row.both_ways else "->"
            ends = f"{row.from_host:<{width}} " + (f"{arrow} {row.to_host}" if row.travels else "at home")
            lines.append(f"{row.at_s * 1000:9.1f} ms  {row.mark}  {ends}: {row.text}")
    return "\n".join(lines) + "\n"


# --- folding ---------------------------------------------------------------------------------------------------------

_STYLES: dict[str, RowStyle] = {
    "tls": "tls",
    "tls failed": "failed",
    "failed": "failed",
    "question": "dns",
    "answer": "dns",
    "path": "path",
    "open": "readable",
    "close": "readable",
}


def _folded(lens: Lens, seen: Sequence[Step]) -> Iterable[Row]:
    """Fold a question and its answer, what was said in one go, and what happened at once at one host."""
    rows: list[Row] = []
    asked: dict[tuple[str, str, str], int] = {}
    for step in seen:
        row = _row(lens, step)
        if step.kind == "answer" and step.travels:
            place = asked.pop((row.to_host, row.from_host, row.text.partition("?")[0]), None)
            if place is not None:
                question = rows[place]
                numbers = question.numbers + row.numbers
                rows[place] = replace(question, numbers=numbers, text=row.text, both_ways=True)
                continue
        joined = _join(rows[-1], row, step) if rows else None
        if joined is not None:
            rows[-1] = joined
            continue
        if step.kind == "question":
            asked[row.from_host, row.to_host, row.text.partition("?")[0]] = len(rows)
        rows.append(row)
    return rows


def _row(lens: Lens, step: Step) -> Row:
    lines = seen_lines(lens, step)
    text = lines[0] if lines else ""
    if step.kind == "data" and sight(lens, step) == "readable":
        text = f"{text} ... the letter, {step.size_octets} octets"
    elif len(lines) > 1:
        text = f"{text} (+ {len(lines) - 1} more lines)"
    if not step.complete:
        text += " (broken off)"
    style: RowStyle
    if step.said:
        style = "hidden" if sight(lens, step) == "hidden" else "protected" if step.tls else "readable"
    else:
        style = _STYLES.get(step.kind, "happened")
    return Row((step.number,), step.from_s, step.from_host, step.to_host, text, style, step.mark, step.hop)


def _join(last: Row, row: Row, step: Step) -> Row | None:
    """Return both rows as one, or None when they do not belong together."""
    same_way = (row.from_host, row.to_host, row.hop, row.style) == (last.from_host, last.to_host, last.hop, last.style)
    if step.said and step.kind != "data" and same_way and row.at_s == last.at_s:  # RFC 2920: sent in one group
        text = _added(last.text, row.text) if row.style == "hidden" else f"{last.text} | {row.text}"
        return replace(last, numbers=last.numbers + row.numbers, text=text)
    if row.style == "happened" and same_way and row.at_s == last.at_s and len(last.text) + len(row.text) < LONG_TEXT:
        return replace(last, numbers=last.numbers + row.numbers, text=f"{last.text}; {row.text}")
    return None


def _added(one: str, other: str) -> str:
    octets = sum(int(text.split(" ")[0].lstrip("(")) for text in (one, other))
    return f"({octets} octets inside TLS)"


# --- columns ---------------------------------------------------------------------------------------------------------


def _order(rows: Sequence[Row]) -> list[str]:
    """Return the hosts from left to right: who speaks first stands first; a box stands between its neighbours."""
    order: list[str] = []
    for row in rows:
        for host in (row.from_host, row.to_host):
            if host not in order and host != BOX:
                order.append(host)
    near = {host for row in rows if BOX in (row.from_host, row.to_host) for host in (row.from_host, row.to_host)}
    if near:
        order.insert(min((order.index(host) for host in near - {BOX}), default=0) + 1, BOX)
    # Name servers stand between the host that asks and the hosts that it then speaks to.
    asked = {row.to_host for row in rows if row.style == "dns" and row.travels}
    servers = [host for host in order if host in asked and not any(row.from_host == host and row.hop for row in rows)]
    if servers:
        first = order.index(servers[0])
        return [*order[:first], *servers, *(host for host in order[first:] if host not in servers)]
    return order


def _page(
    number: int, of: int, rows: Sequence[Row], order: Sequence[str], servers: set[str], left_out: int, lens: Lens
) -> LadderPage:
    present = {host for row in rows for host in (row.from_host, row.to_host)}
    if len(present) > MOST_COLUMNS and len(present & servers) > 1:
        rows = [
            replace(row, to_host=NAME_SERVERS, text=f"{row.to_host}: {row.text}") if row.to_host in servers else row
            for row in rows
        ]
        present = (present - servers) | {NAME_SERVERS}
        first = next(i for i, host in enumerate(order) if host in servers)
        order = [*order[:first], NAME_SERVERS, *order[first:]]
    columns = tuple(host for host in order if host in present)
    return LadderPage(number, of, columns, tuple(rows), left_out, lens)
