"""What a reader steps through: every line said and every thing that happened, as one list. Pure.

The ladder draws it and the player walks along it; a lens (`simulator.views.lens`) decides what of it can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from simulator.export.transcript import happening, spoken_lines
from simulator.protocol.explain import explain
from simulator.protocol.happenings import explain_event
from simulator.protocol.visible import readable
from simulator.trace.events import (
    Authenticated,
    Command,
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    DnsAnswered,
    DnsAsked,
    Event,
    FieldsAdded,
    MessageAccepted,
    MessageComposed,
    MessageStored,
    Note,
    OnPathAction,
    RecipientResult,
    Reply,
    RouteChosen,
    SeenBy,
    Spoken,
    TlsEstablished,
    TlsFailed,
)
from simulator.trace.trace import Trace
from simulator.views.hops import Hop, hops

StepKind = Literal[
    "command", "reply", "data", "open", "close", "failed", "tls", "tls failed", "question", "answer", "route",
    "compose", "login", "accept", "fields", "result", "store", "path", "note",
]  # fmt: skip
BOX = "box on the path"
"""The column between two hosts whose octets somebody interferes with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that was said or that happened."""

    number: int
    """Number of its event in the trace."""
    kind: StepKind
    from_host: str
    to_host: str
    """Equal to `from_host` for what happened at one host."""
    from_s: float
    to_s: float
    """When it left, and when it arrived (simulated seconds)."""
    hop: int = 0
    """Number of the SMTP connection, from 1; 0 when it belongs to none."""
    connection: int | None = None
    tls: bool = False
    """True when it travelled inside TLS."""
    complete: bool = True
    """False when it broke off."""
    lines: tuple[str, ...]
    """What was said, or in words what happened."""
    masked: tuple[str, ...]
    """The same without passwords that nobody on the path could read."""
    explanation: str
    size_octets: int = 0
    stored: bool = False
    """True for the letter that then lay in the mailbox."""

    @property
    def said(self) -> bool:
        """True for commands, replies and letters; False for what merely happened."""
        return self.kind in ("command", "reply", "data")

    @property
    def travels(self) -> bool:
        """True when it goes from one host to another."""
        return self.from_host != self.to_host

    @property
    def mark(self) -> str:
        """Return `->` `<-` in clear, `~>` `<~` inside TLS, `--` for what was not said."""
        if not self.said:
            return "--"
        if self.kind == "reply":
            return "<~" if self.tls else "<-"
        return "~>" if self.tls else "->"


def steps(trace: Trace) -> tuple[Step, ...]:
    """Return all steps of a trace, in the order in which they were seen."""
    found = list(_between(trace))
    for hop in hops(trace):
        found.extend(_of_hop(hop))
    return tuple(sorted(found, key=lambda step: step.number))


# --- on a connection -------------------------------------------------------------------------------------------------


def _of_hop(hop: Hop) -> Iterator[Step]:
    meddled = any(isinstance(event, OnPathAction) for event in hop.events)
    stored = any(isinstance(event, MessageStored) for event in hop.events)
    if meddled and not hop.log.foreign:
        ends: tuple[SeenBy, SeenBy] = ("client", "server")
        for seen_by in ends:
            for said in hop.spoken_by(seen_by):
                yield _said(hop, said, seen_by, BOX, stored)
    else:
        for said in hop.spoken:
            yield _said(hop, said, hop.seen_by, "", stored)
    for event in hop.events:
        step = _on_link(hop, event, meddled)
        if step is not None:
            yield step


def _said(hop: Hop, event: Spoken, seen_by: str, middle: str, stored: bool) -> Step:
    """Return a step for what one end said or heard; with `middle`, only the half of the way that this end sees."""
    log, latency_s = hop.log, hop.log.latency_s
    far = latency_s / 2 if middle else latency_s
    to_server = event.direction == "c2s"
    client, server = log.client_host, log.server_host
    if middle:
        client, server = (client, middle) if seen_by == "client" else (middle, server)
    sent_here = to_server == (seen_by == "client")
    from_s, to_s = (event.at_s, event.at_s + far) if sent_here else (event.at_s - far, event.at_s)
    octets = hop.trace.octets(event.span)
    verb = event.verb if isinstance(event, (Command, Reply)) else None
    kind: StepKind = "command" if isinstance(event, Command) else "reply" if isinstance(event, Reply) else "data"
    return Step(
        number=event.number,
        kind=kind,
        from_host=client if to_server else server,
        to_host=server if to_server else client,
        from_s=from_s,
        to_s=to_s,
        hop=hop.number,
        connection=log.number,
        tls=event.tls,
        complete=event.complete,
        lines=tuple(readable(octets)),
        masked=tuple(spoken_lines(hop.trace, event)),
        explanation=_LETTER if kind == "data" else explain(octets, verb=verb),
        size_octets=len(octets),
        stored=stored and kind == "data",
    )


_LETTER = (
    "The letter itself, header and text. A line that begins with a dot gets a second one, and a lone dot ends it "
    "(RFC 5321 sections 4.1.1.4 and 4.5.2)."
)


def _on_link(hop: Hop, event: Event, meddled: bool) -> Step | None:
    log = hop.log
    client, server = log.client_host, log.server_host
    if isinstance(event, ConnectionOpened):
        text = f"TCP connection to {server} port {event.server_port}"
        return _happened(event, "open", text, (client, server), (event.at_s, event.at_s + 2 * log.latency_s), hop)
    if isinstance(event, ConnectionFailed):
        return _happened(event, "failed", happening(event), (client, server), (log.opened_s, event.at_s), hop)
    if isinstance(event, ConnectionClosed):
        ends = (server, client) if event.by == "server" else (client, server)
        return _happened(event, "close", happening(event), ends, (event.at_s, event.at_s + log.latency_s), hop)
    if isinstance(event, (TlsEstablished, TlsFailed)) and (event.seen_by == hop.seen_by or meddled):
        kind: StepKind = "tls" if isinstance(event, TlsEstablished) else "tls failed"
        ends = (client, server)
        if meddled:
            ends = (client, BOX) if event.seen_by == "client" else (BOX, server)
        return _happened(event, kind, happening(event), ends, (_handshake_from_s(hop, event), event.at_s), hop)
    if isinstance(event, OnPathAction):
        detail = " ".join(event.detail.split())
        text = f"{event.action}: {detail}" if detail else event.action
        return _happened(event, "path", text, (BOX, BOX), (event.at_s, event.at_s), hop)
    return None


def _handshake_from_s(hop: Hop, event: Event) -> float:
    """Return when the client put the first octet of its ClientHello on the wire."""
    stream = hop.log.stream("wire.c2s.sent")
    offset = hop.trace.tls_offset(hop.log, "wire.c2s.sent")
    if offset is None or offset >= len(stream):
        return event.at_s
    return min(stream.moment(offset).at_s, event.at_s)


# --- between connections ---------------------------------------------------------------------------------------------

_AT_HOME: dict[type[Event], StepKind] = {
    MessageComposed: "compose",
    Authenticated: "login",
    MessageAccepted: "accept",
    FieldsAdded: "fields",
    RecipientResult: "result",
    MessageStored: "store",
    RouteChosen: "route",
    Note: "note",
}


def _between(trace: Trace) -> Iterator[Step]:
    numbers = {hop.log.number: hop for hop in hops(trace)}
    latency_s = float(trace.header.get("latency_s") or 0.0)
    for event in trace.events:
        hop = numbers.get(event.connection) if event.connection is not None else None
        if isinstance(event, DnsAsked):
            text = f"{event.name or '.'} {event.rdtype}?"
            yield _happened(event, "question", text, (event.host, event.server), (event.at_s, event.at_s + latency_s))
        elif isinstance(event, DnsAnswered):
            text = happening(event)
            if event.server == "cache" or event.status == "timeout":
                yield _happened(event, "answer", text, (event.host, event.host), (event.at_s, event.at_s))
            else:
                text = text.partition(", ")[2]
                ends = (event.server, event.host)
                yield _happened(event, "answer", text, ends, (event.at_s - latency_s, event.at_s))
        elif type(event) in _AT_HOME:
            kind = _AT_HOME[type(event)]
            yield _happened(event, kind, at_home(event), (event.host, event.host), (event.at_s, event.at_s), hop)


def at_home(event: Event) -> str:
    """Say in words what happened at one host."""
    if isinstance(event, MessageComposed):
        return f"{event.reverse_path or '<>'} writes to {', '.join(event.recipients)}"
    if isinstance(event, Authenticated):
        return f"{event.user} signed in ({event.mechanism})"
    if isinstance(event, MessageAccepted):
        return f"accepted as {event.queue_id} with {event.protocol}, {event.size_octets} octets"
    if isinstance(event, FieldsAdded):
        return f"put on top: {', '.join(event.fields)}"
    return happening(event)


def _happened(
    event: Event,
    kind: StepKind,
    text: str,
    ends: tuple[str, str],
    times: tuple[float, float],
    hop: Hop | None = None,
) -> Step:
    return Step(
        number=event.number,
        kind=kind,
        from_host=ends[0],
        to_host=ends[1],
        from_s=times[0],
        to_s=times[1],
        hop=hop.number if hop else 0,
        connection=event.connection,
        lines=(text,),
        masked=(text,),
        explanation=explain_event(event),
    )
