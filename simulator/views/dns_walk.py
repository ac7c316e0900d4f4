"""The DNS walk for one recipient domain: who was asked, what came back, and which mail hosts were tried then.

`walk` and `hosts_tried` work it out from a trace; `simulator.views.names` draws it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from simulator.export.transcript import happening
from simulator.trace.events import ConnectionFailed, ConnectionOpened, DnsAnswered, DnsAsked, Reply, RouteChosen
from simulator.trace.trace import Trace
from simulator.views.hops import Hop

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
    addresses: tuple[str, ...] | None
    """None: nobody asked for them."""
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
    routes = routes_to(trace, domain)
    found = {name: _addresses(trace, domain, name) for route in routes for _, name in route.hosts}
    asked = {_canonical(question.name) for question in walk(trace, domain)}
    tries: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for number, route in enumerate(routes, 1):
        for pair, words in _one_try(trace, route, found).items():
            tries.setdefault(pair, []).append((number, words))
    return tuple(
        HostTried(
            preference,
            name,
            found[name] if found[name] or _canonical(name) in asked else None,
            _all_tries(told, len(routes)),
        )
        for (preference, name), told in tries.items()
    )


def verdict(trace: Trace, domain: str) -> str:
    """Say in one sentence what the DNS said about mail for a domain."""
    routes = routes_to(trace, domain)
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


def routes_to(trace: Trace, domain: str) -> list[RouteChosen]:
    return [route for route in trace.of(RouteChosen) if _canonical(route.domain) == _canonical(domain)]


def _dns_events(trace: Trace, domain: str) -> list[DnsAsked | DnsAnswered]:
    """Return what led to the routes of a domain and followed from them; without a route, what is about its name."""
    dns = {e.number: e for e in trace.events if isinstance(e, (DnsAsked, DnsAnswered))}
    routes = routes_to(trace, domain)
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
    if answer.status == "answer":  # names in records end with a dot, which looks like the end of a sentence here
        words = "; ".join(part if part.endswith(" .") else part.rstrip(".") for part in words.split("; "))
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
            told[pair] = "not tried yet" if found[pair[1]] else "not tried, because no address is known"
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
        # A DATA that was sent along with a refused RCPT (RFC 2920) is refused only because of that.
        why = next((e for e in bad if e.verb == "RCPT"), bad[-1])
        how = "refused for good" if why.code >= 500 else "refused for now"
        return f"{how} ({why.code} {f'to {why.verb}' if why.verb else 'as its greeting'})"
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
