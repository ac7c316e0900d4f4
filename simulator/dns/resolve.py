"""How a resolver finds an answer: from the root down, one question to one server at a time (RFC 1034 section 5.3.3).

`resolve` is a generator that sends nothing itself. It yields an `Exchange` (ask this server this question) and wants
back what came of it: a message, None for silence, or an OSError when the server's host refused. So the whole
journey runs without a network, and whoever drives it decides what the network does.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal, NamedTuple

import dns.message

from simulator.dns.cache import Cache, Delegation
from simulator.dns.questions import Answer, Ask, Status
from simulator.dns.replies import Reading, read_reply

STEPS = 30
"""Questions sent for one answer before the resolver gives up (RFC 1034 section 5.3.3: bound the amount of work)."""
LONGEST_CHAIN = 8
"""Aliases followed for one answer."""
DEEPEST = 4
"""How many name servers may have to be looked up before one can be asked."""
ROUNDS = 2
"""How often each name server is asked before it counts as silent."""


class Server(NamedTuple):
    """A name server with a known address, such as one of the root's."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request to whoever drives the resolver: put this question to this server."""

    question: Ask
    server_name: str
    server_address: str
    transport: Literal["udp", "tcp"] = "udp"


@dataclass(frozen=True, slots=True)
class Heard:
    """What the resolver made of one exchange, or found in its cache; meant for the trace."""

    question: Ask
    server_name: str
    """"cache" when nobody had to be asked."""
    status: str
    """"answer", "referral", "nodata", "nxdomain", "truncated", "timeout"; or for a reply that helps nobody, "servfail",
    "refused", "lame" (not in charge of the zone), "unreachable"."""
    records: tuple[str, ...] = ()
    """The records that answer or refer, in presentation form."""


Outcome = dns.message.Message | OSError | None
Steps = Generator[Exchange, Outcome, Answer]


def resolve(ask: Ask, *, cache: Cache, roots: Sequence[Server], rng: Random,
            heard: Callable[[Heard], None] = lambda _: None) -> Steps:
    """Find the answer to one question; yields `Exchange`, returns an `Answer` (also when it failed: see its status).

    `roots` are the servers of the root zone; `rng` decides which of several servers is asked first; `heard` is told
    of every step. Never raises because of what servers say.
    """
    try:
        return (yield from _Resolver(cache, roots, rng, heard).chase(ask))
    except _GaveUp:
        return _failed(ask, f"gave up after {STEPS} questions")


class _GaveUp(Exception):
    """All the steps are used up."""


class _Resolver:
    """The state of one resolution: how much work is left, what has been learnt, and which names are being looked up."""

    def __init__(self, cache: Cache, roots: Sequence[Server], rng: Random, heard: Callable[[Heard], None]) -> None:
        self._cache, self._rng, self._heard = cache, rng, heard
        self._root = Delegation("", tuple((root.name, (root.address,)) for root in roots))
        self._steps_left = STEPS
        self._under_way: list[Ask] = []
        self._fresh: dict[Ask, Answer] = {}

    def chase(self, ask: Ask) -> Steps:
        """Follow aliases until there is an answer (RFC 1034 section 5.3.3 step 4c)."""
        chain: list[str] = []
        least_ttl_s: int | None = None
        while True:
            answer = yield from self._one_name(Ask(chain[-1] if chain else ask.name, ask.rdtype))
            least_ttl_s = answer.ttl_s if least_ttl_s is None else min(least_ttl_s, answer.ttl_s)
            if answer.ask.rdtype == ask.rdtype:
                return replace(answer, ask=ask, cname_chain=tuple(chain), ttl_s=least_ttl_s)
            target = answer.names()[0]
            if target == ask.name or target in chain or len(chain) >= LONGEST_CHAIN:
                return _failed(ask, f"{ask.name} is an alias that leads in circles or too far", chain)
            chain.append(target)

    def _one_name(self, ask: Ask) -> Steps:
        """Find the records of exactly this name, or the alias (an answer of type CNAME) that stands in their place."""
        alias = Ask(ask.name, "CNAME")
        for fresh in (self._fresh.get(ask), self._fresh.get(alias)):
            if fresh is not None:
                return fresh  # it came with the reply before
        for remembered in (self._cache.get(ask), self._cache.get(alias)):
            if remembered is not None and (remembered.ask == ask or remembered.status is Status.ANSWER):
                records = tuple(str(record) for record in remembered.records)
                self._heard(Heard(remembered.ask, "cache", remembered.status.value, records))
                return remembered
        if ask in self._under_way or len(self._under_way) > DEEPEST:
            return _failed(ask, f"to find {ask.name} one would have to know it already")
        self._under_way.append(ask)
        answer = yield from self._descend(ask)
        self._under_way.pop()
        return answer

    def _descend(self, ask: Ask) -> Steps:
        """Go from the nearest known zone down to the one that has the answer (RFC 1034 section 5.3.3 step 2)."""
        delegation = self._cache.closest_delegation(ask.name) or self._root
        while True:
            reading = yield from self._ask_zone(ask, delegation)
            if isinstance(reading, Answer):
                return reading
            if reading.delegation is None:
                break
            delegation = reading.delegation
            self._cache.put_delegation(delegation, reading.ttl_s)
        for link in reading.links:
            self._cache.put(link)
            self._fresh[link.ask] = link
        return reading.links[0]

    def _ask_zone(self, ask: Ask, delegation: Delegation) -> Generator[Exchange, Outcome, Reading | Answer]:
        """Ask the servers of one zone until one is of help; an `Answer` here is a failure."""
        servers = list(delegation.servers)
        self._rng.shuffle(servers)  # RFC 1034 section 5.3.3 step 3: spread the questions
        known: dict[str, tuple[str, ...]] = {}
        failures: dict[str, str] = {}
        useless: set[tuple[str, str]] = set()
        for _ in range(ROUNDS):
            for server, addresses in servers:
                if server not in known:
                    known[server] = addresses or (yield from self._look_up(server, failures))
                for address in known[server]:
                    if (server, address) in useless:
                        continue
                    reading = yield from self._put(Exchange(ask, server, address), delegation.zone)
                    if reading.links or reading.delegation:
                        return reading
                    failures[server] = reading.status
                    if reading.status != "timeout":
                        useless.add((server, address))
        why = f"{delegation.zone or 'the root'} has no name server that helps ({_listed(failures)})"
        silent = bool(failures) and set(failures.values()) == {"timeout"}
        return Answer(ask, Status.TIMEOUT if silent else Status.SERVFAIL, why=why)

    def _look_up(self, server: str, failures: dict[str, str]) -> Generator[Exchange, Outcome, tuple[str, ...]]:
        """Find the addresses of a name server that came without glue."""
        for rdtype in ("A", "AAAA"):
            answer = yield from self.chase(Ask(server, rdtype))
            if answer.status is Status.ANSWER:
                return tuple(answer.addresses())
            failures[server] = "timeout" if answer.status is Status.TIMEOUT else "no address"
            if answer.status is not Status.NODATA:
                break
        return ()

    def _put(self, exchange: Exchange, zone: str) -> Generator[Exchange, Outcome, Reading]:
        """Put a question to one server, by TCP when the reply did not fit (RFC 7766 section 5)."""
        if self._steps_left == 0:
            raise _GaveUp
        self._steps_left -= 1
        outcome = yield exchange
        if outcome is None:
            reading = Reading("timeout")
        elif isinstance(outcome, OSError):
            reading = Reading("unreachable")
        else:
            reading = read_reply(outcome, exchange.question, zone)
        self._heard(Heard(exchange.question, exchange.server_name, reading.status,
                          tuple(str(record) for record in reading.records)))
        if reading.status == "truncated" and exchange.transport == "udp":
            return (yield from self._put(replace(exchange, transport="tcp"), zone))
        return reading


def _failed(ask: Ask, why: str, chain: Sequence[str] = ()) -> Answer:
    return Answer(ask, Status.SERVFAIL, cname_chain=tuple(chain), why=why)


def _listed(failures: dict[str, str]) -> str:
    return ", ".join(f"{server}: {what}" for server, what in failures.items()) or "none is known"
