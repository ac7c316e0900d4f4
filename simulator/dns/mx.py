"""Which host gets the mail for a domain: RFC 5321 section 5.1, as rules that ask and never reach.

`route` turns a recipient domain into hosts in the order of trying; `addresses_of` looks up one host when its turn
comes, so that a relay asks for nothing that it does not need. Both are generators of `Ask`.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from random import Random

from simulator.dns.questions import Answer, Ask, Security, Status, canonical_name
from simulator.errors import UsageError

Asking = Generator[Ask, Answer, "Route"]
"""A route being worked out."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why mail cannot be sent on, in the words of a reply (RFC 3463)."""

    code: int
    enhanced: str
    text: str
    temporary: bool
    """True: keep the message and try later; False: tell the sender."""


@dataclass(frozen=True, slots=True)
class Hop:
    """One host to try."""

    preference: int
    host: str
    addresses: tuple[str, ...] = ()
    """Known already for an implicit MX and an address literal; else empty: ask `addresses_of(host)`."""


@dataclass(frozen=True, slots=True)
class Route:
    """Where mail for a domain goes: hosts in the order of trying, or the problem that leaves none."""

    domain: str
    """The domain of the recipient, as asked."""
    hosts: tuple[Hop, ...] = ()
    implicit_mx: bool = False
    """True when the domain has no MX record and so stands for itself (RFC 5321 section 5.1)."""
    problem: Problem | None = None
    cname_chain: tuple[str, ...] = ()
    """Names that the domain is an alias of."""
    security: Security = Security.INSECURE
    """What DNSSEC says about the MX records."""


@dataclass(frozen=True, slots=True)
class HostAddresses:
    """Addresses of one mail host, IPv4 first, or the problem that leaves none."""

    host: str
    addresses: tuple[str, ...] = ()
    problem: Problem | None = None
    warning: str = ""
    """What works although it should not be so, in one sentence."""
    security: Security = Security.INSECURE


def order_mx(records: Iterable[tuple[int, str]], rng: Random,
             own_host: str | Collection[str] | None = None) -> list[tuple[int, str]]:
    """Sort (preference, host) pairs into the order of trying; `rng` decides among equal preferences.

    With `own_host` (a name, or several of the same host), only what is better than ourselves remains.
    """
    own = {own_host} if isinstance(own_host, str) else set(own_host or ())
    own = {canonical_name(name) for name in own}
    best: dict[str, int] = {}
    for preference, host in records:
        name = canonical_name(host)
        best[name] = min(preference, best.get(name, preference))
    # RFC 5321 section 5.1: a relay in the list drops itself and all that are not better, or mail would go in circles.
    limit = min((preference for host, preference in best.items() if host in own), default=None)
    kept = sorted((preference, host) for host, preference in best.items() if limit is None or preference < limit)
    ordered: list[tuple[int, str]] = []
    for preference in sorted({preference for preference, _ in kept}):
        equals = [pair for pair in kept if pair[0] == preference]
        rng.shuffle(equals)  # RFC 5321 section 5.1: spread the load over equal preferences
        ordered += equals
    return ordered


def route(domain: str, *, rng: Random, own_names: Collection[str] = frozenset()) -> Asking:
    """Work out where mail for `domain` (the domain of an envelope recipient) goes; yields `Ask`, returns a `Route`.

    `own_names` are the names of the relay that asks. RFC 5321 section 5.1, RFC 7505.
    """
    if domain.startswith("["):
        return _literal(domain)
    try:
        asked = canonical_name(domain)
    except UsageError:
        asked = ""
    if not asked:
        return _failed(domain, _permanent(550, "5.1.2", f"{domain!r} is not a domain name"))

    answer = yield Ask(asked, "MX")  # RFC 5321 section 5.1: MX records come first
    if answer.failed:
        return _failed(asked, _try_later(answer), answer)
    if answer.status is Status.NXDOMAIN:
        return _failed(asked, _permanent(550, "5.1.2", f"The domain {answer.canonical_name} does not exist"), answer)
    if answer.status is Status.NODATA:
        return (yield from _implicit(asked, answer, own_names))

    # RFC 5321 section 5.1: once there are MX records, the domain's own address is never a way out.
    records = answer.mx()
    named = [(preference, host) for preference, host in records if host]
    if not named:  # RFC 7505 section 3: "0 ." says that the domain takes no mail
        return _failed(asked, _permanent(556, "5.1.10", f"The domain {asked} does not accept mail (null MX)"), answer)
    ordered = order_mx(named, rng, own_names)
    if not ordered:
        return _failed(asked, _loop(asked), answer)
    return Route(asked, tuple(Hop(preference, host) for preference, host in ordered), cname_chain=answer.cname_chain,
                 security=answer.security)


def addresses_of(host: str) -> Generator[Ask, Answer, HostAddresses]:
    """Look up one mail host; yields `Ask`, returns its addresses: all of A, then all of AAAA, in the resolver's order.

    A relay tries them in that order (RFC 5321 section 5.1). An address literal, as in `Hop.host`, needs no question.
    """
    if host.startswith("["):
        hop = _literal(host)
        return HostAddresses(host, hop.hosts[0].addresses if hop.hosts else (), hop.problem)
    answers: list[Answer] = []
    for rdtype in ("A", "AAAA"):
        answers.append((yield Ask(host, rdtype)))
        if answers[0].status is Status.NXDOMAIN:
            break  # RFC 8020: a name that does not exist has no other type either
    addresses = tuple(address for answer in answers if not answer.failed for address in answer.addresses())
    alias = next((answer.cname_chain[-1] for answer in answers if answer.cname_chain), "")
    # RFC 2181 section 10.3: the name in an MX record must not be an alias. Senders put up with it.
    warning = f"The mail host {host} is an alias of {alias}; an MX record should name the host itself." if alias else ""
    security = Security.SECURE if all(answer.security is Security.SECURE for answer in answers) else Security.INSECURE
    problem = None
    if not addresses:
        failed = next((answer for answer in answers if answer.failed), None)
        lacking = "does not exist" if answers[0].status is Status.NXDOMAIN else "has no address"
        problem = _try_later(failed) if failed else _permanent(550, "5.4.4", f"The mail host {host} {lacking}")
    return HostAddresses(host, addresses, problem, warning, security)


def _implicit(domain: str, answer: Answer, own_names: Collection[str]) -> Asking:
    """Let the domain stand for itself with preference 0 (RFC 5321 section 5.1: implicit MX)."""
    host = answer.canonical_name
    if host in {canonical_name(name) for name in own_names}:
        return _failed(domain, _loop(domain), answer, implicit_mx=True)
    found = yield from addresses_of(host)
    problem = found.problem
    if problem is not None and not problem.temporary:
        problem = _permanent(550, "5.1.2", f"The domain {domain} has neither a mail host nor an address")
    hosts = () if problem else (Hop(0, host, found.addresses),)
    return Route(domain, hosts, True, problem, answer.cname_chain, answer.security)


def _literal(domain: str) -> Route:
    """Read `[192.0.2.7]` or `[IPv6:2001:db8::7]` (RFC 5321 section 4.1.3): no question is needed."""
    inner = domain[1:-1] if domain.endswith("]") else ""
    try:
        address = str(IPv6Address(inner[5:]) if inner[:5].lower() == "ipv6:" else IPv4Address(inner))
    except ValueError:
        return _failed(domain, _permanent(550, "5.1.2", f"{domain} is not an address literal such as [192.0.2.7]"))
    return Route(domain, (Hop(0, domain, (address,)),))


def _failed(domain: str, problem: Problem, answer: Answer | None = None, implicit_mx: bool = False) -> Route:
    if answer is None:
        return Route(domain, problem=problem)
    return Route(domain, (), implicit_mx, problem, answer.cname_chain, answer.security)


def _try_later(answer: Answer) -> Problem:
    how = {Status.TIMEOUT: "nobody answered"}.get(answer.status, "the name servers failed")
    if answer.security is Security.BOGUS:
        how = "the signatures are wrong"
    why = f": {answer.why}" if answer.why else ""
    return Problem(451, "4.4.3", f"Cannot look up {answer.ask} now, {how}{why}", temporary=True)


def _permanent(code: int, enhanced: str, text: str) -> Problem:
    return Problem(code, enhanced, text, temporary=False)


def _loop(domain: str) -> Problem:
    return _permanent(554, "5.4.6", f"Mail for {domain} loops back to this host")
