"""Who is responsible for a message at each instant: the baton passes with the 250 after the dot, and not before.

A server is responsible from the instant at which it answers 250 (RFC 5321 section 4.1.1.4). The client knows only when
that has arrived: in between both have the message, and if the 250 is lost, it is sent twice (RFC 5321 section
4.5.3.2.6, RFC 1047). A mailbox has it when it has been stored, whatever a 250 said.

`strips` works it out: one strip for all recipients whose copies had the same way. Nothing is drawn here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from simulator.errors import UsageError
from simulator.trace.events import (
    Event,
    MessageAccepted,
    MessageComposed,
    MessageStored,
    RecipientResult,
    Reply,
)
from simulator.trace.trace import ConnectionLog, Trace
from simulator.views.hops import Hop
from simulator.views.lettering import clock

Role = Literal["mail program", "sending host", "submission server", "mail exchanger", "mailbox"]
_ROLES: dict[int, Role] = {465: "submission server", 587: "submission server"}


class Instant(NamedTuple):
    """When something changed. What is recorded at the same simulated second still has an order: the number."""

    at_s: float
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """One party has the message and is responsible for it."""

    role: Role
    holder: str
    """A host, or mailboxes."""
    begin: Instant
    end: Instant | None
    """None: it still has it at the end of the trace."""
    passed: Instant | None = None
    """When the next server said 250: from here to the end the holder has a copy too many, and does not know."""
    ends: str
    """How it ended, in words."""

    @property
    def mailbox(self) -> bool:
        """True for final delivery."""
        return self.role == "mailbox"

    @property
    def from_s(self) -> float:
        """From when on it had the message."""
        return self.begin.at_s

    @property
    def to_s(self) -> float | None:
        """Until when it had the message; None: it still has it."""
        return self.end.at_s if self.end else None


class Try(NamedTuple):
    """An attempt that moved nothing."""

    at: Instant
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """The way of the copies of some recipients of one message: they were in the same hands at the same instants."""

    message: str
    recipients: tuple[str, ...]
    holdings: tuple[Holding, ...]
    tries: tuple[Try, ...]
    outcome: str
    """Where the copies are at the end, in words."""

    @property
    def instants(self) -> tuple[Instant, ...]:
        """Every instant at which something changed, in order."""
        found = {h.begin for h in self.holdings} | {t.at for t in self.tries}
        found |= {at for h in self.holdings for at in (h.end, h.passed) if at}
        return tuple(sorted(found))


def strips(trace: Trace) -> tuple[Strip, ...]:
    """Return the way of every message to its recipients, in order. Raises UsageError when the trace has no message."""
    grouped: dict[tuple[object, ...], Strip] = {}
    for message in trace.messages:
        own = [e for e in trace.events if e.message == message]
        named = [e.recipients for e in own if isinstance(e, (MessageComposed, MessageAccepted))]
        for recipient in dict.fromkeys(name for names in named for name in names):
            strip = _Way(trace, own, message, recipient).strip()
            key = message, _way(strip), strip.outcome
            found = grouped.get(key)
            grouped[key] = _joined(found, strip) if found else strip
    if not grouped:
        raise UsageError("Nobody was ever responsible: the trace holds no message.")
    return tuple(grouped.values())


def holdings(trace: Trace) -> tuple[Holding, ...]:
    """Return who had which message when, in order. Raises UsageError when the trace has no message."""
    found = dict.fromkeys(holding for strip in strips(trace) for holding in strip.holdings)
    return tuple(sorted(found, key=lambda holding: holding.begin))


def overlaps(trace: Trace) -> list[tuple[str, str, float]]:
    """Return (giver, taker, for how many seconds) both had the message: from the 250 until it was heard."""
    found = []
    for accepted in trace.of(MessageAccepted):
        heard = heard_250(trace, accepted)
        if heard and accepted.connection is not None:
            giver = trace.connections[accepted.connection].client_host
            found.append((giver, accepted.host, heard.at_s - accepted.at_s))
    return found


def heard_250(trace: Trace, accepted: MessageAccepted) -> Instant | None:
    """Return when the client heard that a message was accepted; None when that 250 never arrived."""
    log = trace.connections.get(accepted.connection or 0)
    if log is None:
        return None
    hop = Hop(trace, log, 0)
    late = log.latency_s if hop.seen_by == "server" else 0.0  # nobody recorded the end of a stranger
    for event in hop.spoken:
        after = event.number > accepted.number and event.verb in ("DATA", "BDAT") if isinstance(event, Reply) else False
        if isinstance(event, Reply) and after and event.code // 100 == 2:
            return Instant(event.at_s + late, event.number)
    return None


def alt_text(found: Sequence[Strip]) -> str:
    """Describe the figure in words."""
    told = []
    for strip in found:
        start = strip.holdings[0].from_s
        spans = [
            f"{h.role} {h.holder} from {clock(h.from_s - start)} "
            + ("on" if h.to_s is None else f"to {clock(h.to_s - start)}")
            + f" ({h.ends})"
            for h in strip.holdings
        ]
        told.append(f"For {', '.join(strip.recipients)}: {'; '.join(spans)}; in the end: {strip.outcome}.")
    return "Who is responsible for the message, and when. " + " ".join(told)


def _way(strip: Strip) -> tuple[object, ...]:
    """Return what two recipients with the same way have in common: all but the numbers of their own events."""
    held = [
        (h.role, "" if h.mailbox else h.holder, h.from_s, h.to_s, h.passed and h.passed.at_s, h.ends)
        for h in strip.holdings
    ]
    return (*held, *((t.at.at_s, t.words) for t in strip.tries))


def _joined(one: Strip, other: Strip) -> Strip:
    """Put two recipients of the same way into one strip."""
    both = tuple(
        replace(mine, holder=f"{mine.holder}, {its.holder}") if mine.mailbox else mine
        for mine, its in zip(one.holdings, other.holdings, strict=True)
    )
    return replace(one, recipients=(*one.recipients, *other.recipients), holdings=both)


class _Way:
    """Reads the way of one recipient's copy out of the events of one message."""

    def __init__(self, trace: Trace, own: Sequence[Event], message: str, recipient: str) -> None:
        self.trace, self.message, self.recipient = trace, message, recipient
        self.composed = [e for e in own if isinstance(e, MessageComposed)]
        self.accepted = [e for e in own if isinstance(e, MessageAccepted) and recipient in e.recipients]
        self.results = [e for e in own if isinstance(e, RecipientResult) and e.recipient == recipient]
        self.stored = {e.number: e for e in own if isinstance(e, MessageStored)}
        self.heard = {e.number: heard_250(trace, e) for e in self.accepted}
        self.start_s = 0.0

    def strip(self) -> Strip:
        """Return the way from the mail program to where the copy is now."""
        found = [self._first()]
        self.start_s = found[0].from_s
        for event in self.accepted:
            log = self._log(event)
            role = _ROLES.get(log.server_port if log else 25, "mail exchanger")
            found.append(self._holding(role, event.host, _instant(event), event.connection))
            stored = self._filed(event.connection, event.number)
            if stored:
                found.append(
                    Holding(role="mailbox", holder=stored.mailbox, begin=_instant(stored), end=None,
                            ends="lies in the mailbox")
                )  # fmt: skip
        found.sort(key=lambda holding: holding.begin)
        tries = tuple(
            Try(_instant(e), f"{e.code}" if e.code else "no reply") for e in self.results if e.result == "deferred"
        )
        return Strip(message=self.message, recipients=(self.recipient,), holdings=tuple(found), tries=tries,
                     outcome=self._outcome(found))  # fmt: skip

    def _log(self, event: MessageAccepted) -> ConnectionLog | None:
        return self.trace.connections.get(event.connection or 0)

    def _first(self) -> Holding:
        if self.composed:
            event = self.composed[0]
            self.start_s = event.at_s
            return self._holding("mail program", event.host, _instant(event), None)
        log = self._log(self.accepted[0])
        if log is None:
            return self._holding("sending host", "unknown", Instant(self.accepted[0].at_s, 0), None)
        role: Role = "mail program" if log.server_port in _ROLES else "sending host"
        self.start_s = log.opened_s
        return self._holding(role, log.client_host, Instant(log.opened_s, 0), None)

    def _holding(self, role: Role, host: str, begin: Instant, connection: int | None) -> Holding:
        taken = [
            e for e in self.accepted
            if e.number > begin.number and (log := self._log(e)) and log.client_host == host
        ]  # fmt: skip
        passed = _instant(taken[0]) if taken else None
        ends: list[tuple[Instant, str]] = [(at, "has heard the 250") for e in taken if (at := self.heard[e.number])]
        stored = self._filed(connection, begin.number)
        if stored:
            ends.append((_instant(stored), "filed it"))
        own = [e for e in self.results if e.host == host and e.number > begin.number]
        ends += [(_instant(e), _failed(e, role)) for e in own if e.result == "failed"]
        if ends:
            end, words = min(ends)
            return Holding(role=role, holder=host, begin=begin, end=end, passed=passed, ends=words)
        words = "still has it"
        if own and own[-1].retry_at_s is not None:
            words = f"waits; next try at {clock(own[-1].retry_at_s - self.start_s)}"
        return Holding(role=role, holder=host, begin=begin, end=None, passed=passed, ends=words)

    def _filed(self, connection: int | None, after: int) -> MessageStored | None:
        """Return the storing that follows an acceptance, if it was for this recipient."""
        for result in self.results:
            if result.result == "delivered" and result.connection == connection and result.number > after:
                stored = self.stored.get(result.cause or 0)
                if stored and connection is not None:
                    return stored
        return None

    def _outcome(self, found: Sequence[Holding]) -> str:
        filed = [h for h in found if h.mailbox]
        if filed:
            times = f", {len(filed)} copies" if len(filed) > 1 else ""
            return f"in the mailbox since {clock(filed[0].from_s - self.start_s)}{times}"
        last = max(found, key=lambda h: h.begin)
        if last.end is None:
            return f"at {last.holder}: {last.ends}"
        return last.ends.replace("failed,", f"failed at {last.holder},", 1)


def _instant(event: Event) -> Instant:
    return Instant(event.at_s, event.number)


def _failed(event: RecipientResult, role: Role) -> str:
    said = " ".join(str(part) for part in (event.code, event.enhanced, event.text) if part)
    # RFC 5321 section 6.1: a server that has said 250 must not lose a message without a word
    told = "the user sees it at once" if role == "mail program" else "the sender must be told"
    return f"failed, and {told}: {said}"
