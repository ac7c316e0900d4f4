"""The dialogue of every hop as text, with marks that say what was readable on the way.

`->` and `<-` travelled in cleartext, `~>` and `<~` inside TLS (swaks users know these marks); `--` is no dialogue but
something that happened. Passwords are masked unless they travelled in clear, for then everybody on the path has them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from simulator.protocol.visible import readable
from simulator.trace.events import (
    Command,
    ConnectionClosed,
    ConnectionFailed,
    DnsAnswered,
    Event,
    MessageData,
    MessageStored,
    Note,
    RecipientResult,
    RouteChosen,
    Spoken,
    TlsEstablished,
    TlsFailed,
)
from simulator.trace.trace import Trace
from simulator.views.hops import Hop, hops

MASK = "********"
LINE_WIDTH = 118


def mark(event: Spoken) -> str:
    """Return the mark of a line: direction and protection."""
    return {("c2s", False): "->", ("c2s", True): "~>", ("s2c", False): "<-", ("s2c", True): "<~"}[
        event.direction, event.tls
    ]


def spoken_lines(trace: Trace, event: Spoken, *, most_data_lines: int | None = None) -> list[str]:
    """Return the text of one command, reply or message, with passwords masked if they were protected."""
    lines = readable(trace.octets(event.span))
    if isinstance(event, Command) and event.tls:
        if event.verb == "*AUTH":
            return [MASK]
        words = lines[0].split(" ") if lines else []
        if event.verb == "AUTH" and len(words) > 2:
            return [" ".join([*words[:2], MASK])]
    if isinstance(event, MessageData) and most_data_lines is not None and len(lines) > most_data_lines:
        hidden = len(lines) - most_data_lines + 1
        return [*lines[: most_data_lines - 2], f"[... {hidden - 1} more lines ...]", lines[-1]]
    return lines


def hop_lines(hop: Hop, *, most_data_lines: int | None = None) -> Iterator[str]:
    """Yield the dialogue of one hop, line by line, with the time since its SYN."""
    happened: list[Event] = [
        *hop.spoken,
        *(
            e
            for e in hop.events
            if isinstance(e, (TlsEstablished, TlsFailed, ConnectionFailed, ConnectionClosed))
            and e.seen_by in (hop.seen_by, "wire")
        ),
    ]
    for event in sorted(happened, key=lambda e: e.number):
        time = f"{event.at_s - hop.log.opened_s:8.3f} s"
        if isinstance(event, Spoken):
            for line in spoken_lines(hop.trace, event, most_data_lines=most_data_lines):
                yield f"  {time}  {mark(event)} {line}"
                time = " " * len(time)
        else:
            yield from wrapped(f"  {time}  -- ", happening(event))


def wrapped(start: str, text: str) -> list[str]:
    """Return `start` and `text` as lines that fit a screen; what follows is indented."""
    return textwrap.wrap(text, LINE_WIDTH, initial_indent=start, subsequent_indent=" " * len(start)) or [start.rstrip()]


def happening(event: Event) -> str:
    """Say in words what a recorded event is."""
    if isinstance(event, TlsEstablished):
        checked = "certificate verified" if event.verified else ""
        if event.verified is False:  # RFC 7435 section 3: a relay prefers unverified protection to none
            doubt = "not checked" if event.why_unverified == "not checked" else f"not good ({event.why_unverified})"
            checked = f"certificate {doubt}, and taken all the same (RFC 7435)"
        parts = [
            f"TLS established: {event.version}, {event.cipher}",
            f"server name {event.server_name}" if event.server_name else "",
            checked,
            "resumed session" if event.resumed else "",
        ]
        return ", ".join(part for part in parts if part)
    if isinstance(event, TlsFailed):
        return f"TLS failed: {event.reason}"
    if isinstance(event, ConnectionFailed):
        return f"connection {event.reason}"
    if isinstance(event, ConnectionClosed):
        return {
            "fin": f"connection closed by the {event.by}",
            "reset": f"connection reset by the {event.by}",
            "cut": "connection cut by a box on the path",
        }[event.how]
    if isinstance(event, DnsAnswered):
        return f"{event.server}, {event.name or '.'} {event.rdtype}?  {_dns_words(event)}"
    if isinstance(event, RouteChosen):
        order = ", then ".join(f"{name} (preference {preference})" for preference, name in event.hosts)
        return (
            f"hosts to try for {event.domain}: {order}" if event.hosts else f"no way to {event.domain}: {event.problem}"
        )
    if isinstance(event, RecipientResult):
        code = " ".join(str(part) for part in (event.code, event.enhanced, event.text) if part)
        return f"{event.recipient}: {event.result}" + (f" ({code})" if code else "")
    if isinstance(event, MessageStored):
        return f"filed in {event.mailbox}, folder {event.folder}, {event.size_octets} octets"
    if isinstance(event, Note):
        return event.text
    return event.kind


_NO_RECORDS = {
    "nodata": "The name exists, but has no such record.",
    "nxdomain": "There is no such name.",
    "timeout": "No answer.",
    "truncated": "Too long for UDP: ask again over TCP.",
}


def _dns_words(event: DnsAnswered) -> str:
    """Say what a name server made of a question."""
    # A record reads "name. 3600 IN TYPE data".
    records = [record.split(" ", 4) for record in event.records]
    if event.status == "referral":
        addresses = {owner.rstrip("."): data for owner, _, _, kind, data in records if kind in ("A", "AAAA")}
        servers = [data.rstrip(".") for _, _, _, kind, data in records if kind == "NS"]
        return (
            "Ask " + ", ".join(f"{name} ({addresses[name]})" if name in addresses else name for name in servers) + "."
        )
    if records:
        return "; ".join(f"{kind} {data}" for _, _, _, kind, data in records)
    return _NO_RECORDS.get(event.status, event.status)


def transcript(trace: Trace, *, most_data_lines: int | None = None) -> str:
    """Return the dialogue of every hop, with the DNS walk before the relay and what became of each recipient."""
    return "\n".join(_transcript(trace, most_data_lines)) + "\n"


def _transcript(trace: Trace, most_data_lines: int | None) -> Iterable[str]:
    yield "Marks: -> <- readable by anyone on the path; ~> <~ inside TLS; -- not said, but happened."
    told: set[int] = set()
    for hop in hops(trace):
        walk = [
            e
            for e in trace.events
            if isinstance(e, (DnsAnswered, RouteChosen)) and e.number < _first_number(hop) and e.number not in told
        ]
        if walk:
            yield ""
            yield f"Names, asked by {walk[0].host}"
            for event in walk:
                told.add(event.number)
                yield from wrapped(f"  {event.at_s:8.3f} s  -- ", happening(event))
        yield ""
        yield f"Hop {hop.number}. {hop.title}"
        yield from hop_lines(hop, most_data_lines=most_data_lines)
    last = [
        e
        for e in trace.events
        if (isinstance(e, (DnsAnswered, RouteChosen)) and e.number not in told)
        or isinstance(e, (RecipientResult, MessageStored, Note))
    ]
    if last:
        yield ""
        yield "What became of it"
        yield from (f"  {e.at_s:8.3f} s  {e.host}: {happening(e)}" for e in last)


def _first_number(hop: Hop) -> int:
    return hop.events[0].number if hop.events else 0
