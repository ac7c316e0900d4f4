"""The DNS walk for one recipient domain: who was asked, what came back, and which mail hosts were tried then.

`walk` and `hosts_tried` work it out from a trace; `names` draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Literal

from simulator.errors import UsageError
from simulator.export.transcript import happening
from simulator.trace.events import ConnectionFailed, ConnectionOpened, DnsAnswered, DnsAsked, Reply, RouteChosen
from simulator.trace.trace import Trace
from simulator.views.hops import Hop
from simulator.views.lettering import (
    INK,
    LINE_PX,
    PAGE_HEIGHT,
    PAGE_WIDTH,
    cut,
    new_page,
    shown,
    wrapped,
    write,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Column = Literal["cache", "root", "top level", "zone"]
TOOK_IT = "took the message"


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a resolver, and what came back."""

    at_s: float
    asker: str
    name: str
    rdtype: str
    server: str
    """Name of the server that was asked; "cache" when nobody was."""
    column: Column
    status: str
    """As in `DnsAnswered`; "" as long as nothing has come back."""
    said: str
    """What came back, in words."""


@dataclass(frozen=True, slots=True)
class HostTried:
    """One mail host of a domain, and what happened with it."""

    preference: int
    host: str
    addresses: tuple[str, ...]
    happened: str


def domains(trace: Trace) -> tuple[str, ...]:
    """Return the recipient domains that some relay looked for, in order."""
    return tuple(dict.fromkeys(_canonical(route.domain) for route in trace.of(RouteChosen)))


def walk(trace: Trace, domain: str) -> tuple[Question, ...]:
    """Return every question for the way to a domain: for its mail hosts, and for their addresses."""
    events = _dns_events(trace, domain)
    answers = {e.cause: e for e in events if isinstance(e, DnsAnswered)}
    levels = _levels(trace)
    questions = []
    for event in events:
        if isinstance(event, DnsAsked):
            answer, server = answers.get(event.number), event.server
        elif event.server == "cache":
            answer, server = event, "cache"
        else:
            continue
        questions.append(
            Question(
                event.at_s, event.host, event.name, event.rdtype, server,
                "cache" if server == "cache" else levels.get(server, "zone"),
                answer.status if answer else "", _said(answer),
            )
        )  # fmt: skip
    return tuple(questions)


def hosts_tried(trace: Trace, domain: str) -> tuple[HostTried, ...]:
    """Return the mail hosts of a domain in the order of trying; what happened at every try, in words."""
    routes = _routes(trace, domain)
    found = {name: _addresses(trace, domain, name) for route in routes for _, name in route.hosts}
    tries: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for number, route in enumerate(routes, 1):
        for pair, words in _one_try(trace, route, found).items():
            tries.setdefault(pair, []).append((number, words))
    return tuple(
        HostTried(preference, name, found[name], _all_tries(told, len(routes)))
        for (preference, name), told in tries.items()
    )


def verdict(trace: Trace, domain: str) -> str:
    """Say in one sentence what the DNS said about mail for a domain."""
    routes = _routes(trace, domain)
    if not routes:
        return "No mail was sent there."
    last = routes[-1]
    if last.problem:  # RFC 7505 section 3 (null MX), RFC 5321 section 5.1: without a host the message goes nowhere
        return f"No host to try: {last.problem}."
    if last.domain.startswith("["):  # RFC 5321 section 4.1.3
        return "The recipient has an address instead of a domain: no question is needed."
    if last.implicit_mx:  # RFC 5321 section 5.1
        return "There is no MX record, but an address: the domain itself is the mail host (implicit MX)."
    return "Hosts that take mail, in the order of trying: the lowest preference comes first."


def alt_text(trace: Trace, domain: str) -> str:
    """Describe the walk in words, for those who cannot see it."""
    asked = [
        f"{place}. {q.name or '.'} {q.rdtype}, asked of {q.server} ({q.column}): {q.said}"
        if q.column != "cache"
        else f"{place}. {q.name or '.'} {q.rdtype}, found in the cache: {q.said}"
        for place, q in enumerate(walk(trace, domain), 1)
    ]
    hosts = [f"preference {h.preference}, {h.host}: {h.happened}" for h in hosts_tried(trace, domain)]
    return " ".join([f"The way to mail for {domain}.", *asked, verdict(trace, domain), *(f"{h}." for h in hosts)])


# --- what the trace says ---------------------------------------------------------------------------------------------


def _canonical(name: str) -> str:
    return name.rstrip(".").lower()


def _routes(trace: Trace, domain: str) -> list[RouteChosen]:
    return [route for route in trace.of(RouteChosen) if _canonical(route.domain) == _canonical(domain)]


def _dns_events(trace: Trace, domain: str) -> list[DnsAsked | DnsAnswered]:
    """Return what led to the routes of a domain and followed from them; without a route, what is about its name."""
    dns = {e.number: e for e in trace.events if isinstance(e, (DnsAsked, DnsAnswered))}
    routes = _routes(trace, domain)
    if not routes:
        zone = _canonical(domain)
        return [e for e in dns.values() if f".{_canonical(e.name)}".endswith(f".{zone}")]
    wanted: set[int | None] = set()
    for route in routes:
        number = route.cause
        while number in dns:
            wanted.add(number)
            number = dns[number].cause
    after: set[int | None] = {route.number for route in routes}
    for event in dns.values():
        if event.cause in after:
            after.add(event.number)
    return [event for event in dns.values() if event.number in wanted or event.number in after]


def _levels(trace: Trace) -> dict[str, Column]:
    """Return how high every name server stands, from what it said and from who sent others to it."""
    levels: dict[str, Column] = {}
    for event in trace.of(DnsAnswered):
        if event.status != "referral":
            continue
        for owner, _, _, kind, data in (record.split(" ", 4) for record in event.records):
            if kind == "NS":
                top = "." not in owner.rstrip(".")
                levels[event.server] = "root" if top else levels.get(event.server, "top level")
                levels.setdefault(data.rstrip("."), "top level" if top else "zone")
    for asked in trace.of(DnsAsked):  # when the way down was in the cache, only the names tell
        for start, column in _BY_NAME:
            if asked.server.startswith(start):
                levels.setdefault(asked.server, column)
    return levels


_BY_NAME: tuple[tuple[str, Column], ...] = (("root-server.", "root"), ("top-level.", "top level"))


def _said(answer: DnsAnswered | None) -> str:
    if answer is None:
        return "Nothing has come back yet."
    words = happening(answer).removeprefix(f"{answer.server}, {answer.name or '.'} {answer.rdtype}?  ")
    words = {"servfail": "The server failed."}.get(words, words)
    return f"From the cache: {words}" if answer.server == "cache" else words


def _addresses(trace: Trace, domain: str, host: str) -> tuple[str, ...]:
    if host.startswith("["):
        return (host.strip("[]").removeprefix("IPv6:"),)
    records = [
        record.split(" ", 4)
        for event in _dns_events(trace, domain)
        if isinstance(event, DnsAnswered) and event.status == "answer" and _canonical(event.name) == _canonical(host)
        for record in event.records
    ]
    return tuple(dict.fromkeys(data for _, _, _, kind, data in records if kind in ("A", "AAAA")))


def _one_try(
    trace: Trace, route: RouteChosen, found: dict[str, tuple[str, ...]]
) -> dict[tuple[int, str], str]:
    """Return what happened with every host at one try."""
    dialled = [e for e in trace.of(ConnectionOpened, cause=route.number, transport="tcp") if e.server_port != 53]
    names, told, over = {name for _, name in route.hosts}, dict[tuple[int, str], str](), ""
    for pair in route.hosts:
        own = [
            e for e in dialled
            if e.peer == pair[1] or (e.peer not in names and e.server_address in found[pair[1]])
        ]  # fmt: skip
        spoken = [_conversation(trace, e) for e in own]
        if spoken:
            told[pair] = "tried: " + ", then ".join(spoken)
            if TOOK_IT in told[pair]:
                over = "not tried, because an earlier host took the message"
            elif spoken[-1].startswith("refused for good"):  # RFC 5321 section 4.2.1: 5yz is final
                over = over or "not tried, because an earlier host refused for good"
        elif over:
            told[pair] = over
        else:
            told[pair] = "not tried yet" if found[pair[1]] else "not tried, because no address was found"
    return told


def _conversation(trace: Trace, opened: ConnectionOpened) -> str:
    """Return how one connection to a mail host ended, in words."""
    number = opened.connection
    for failed in trace.of(ConnectionFailed, connection=number):
        if failed.reason == "timed out":
            return f"no answer for {failed.at_s - opened.at_s:g} s (timed out)"
        return {"refused": "connection refused", "cut": "connection cut on the path"}[failed.reason]
    if number is None or number not in trace.connections:
        return "no record of the conversation"
    hop = Hop(trace, trace.connections[number], 0)
    replies = [e for e in hop.spoken if isinstance(e, Reply)]
    bad = [e for e in replies if e.code >= 400]
    took = next((e for e in replies if e.verb in ("DATA", "BDAT") and e.code // 100 == 2), None)
    if took:
        refused = sum(e.verb == "RCPT" for e in bad)
        return f"{TOOK_IT} ({took.code})" + (f", but not for {refused} of the recipients" if refused else "")
    if bad:
        where = f"to {bad[-1].verb}" if bad[-1].verb else "as its greeting"
        how = "refused for good" if bad[-1].code >= 500 else "refused for now"
        return f"{how} ({bad[-1].code} {where})"
    return hop.problem or "the conversation has not ended"


def _all_tries(told: Sequence[tuple[int, str]], count: int) -> str:
    """Join what happened at several tries; the same words several times in a row are said once."""
    if count == 1:
        return told[0][1]
    parts = []
    for words, group in groupby(told, key=lambda pair: pair[1]):
        numbers = [number for number, _ in group]
        first = f"try {numbers[0]}" if len(numbers) == 1 else f"tries {numbers[0]} to {numbers[-1]}"
        parts.append(f"{first}: {words.removeprefix('tried: ')}")
    return "; ".join(parts)


# --- the drawing -----------------------------------------------------------------------------------------------------

ASKER_X, ANSWER_X = 320.0, 910.0
COLUMNS: dict[Column, float] = {"cache": 440.0, "root": 550.0, "top level": 690.0, "zone": 830.0}
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
    if not questions and not _routes(trace, domain):
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
        write(axes, x, 84, cut(below, 132 if x > ASKER_X else 150), ha="center")
        axes.plot([x, x], [98, end], color="#8c8672", linewidth=1.2, zorder=0)
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
        addresses = ", ".join(host.addresses) or "none found"
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
