"""Positions for pictures: pure functions of a trace, shared by all renderers. Nothing is drawn here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simulator.trace.events import ConnectionFailed, TlsEstablished
from simulator.trace.trace import Trace
from simulator.views.hops import SERVICES

TERRITORY_GAP = 3.2
ROW_GAP = 1.55


@dataclass(frozen=True, slots=True)
class Territory:
    """The hosts of one organisation, or the name servers that belong to nobody on the map."""

    name: str
    x: float
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """All connections of one kind between two hosts, drawn as one line."""

    client: str
    server: str
    service: str
    port: int
    protection: str
    """"readable", "STARTTLS", "implicit TLS"."""
    first: int
    """Place in the order in which things happened, from 1."""
    count: int
    failed: bool

    @property
    def protected(self) -> bool:
        """A listener sees no dialogue after the handshake."""
        return self.protection != "readable"


def organisation_of(host: str) -> str:
    """Return the domain that a host name belongs to: its last two labels."""
    return ".".join(host.rsplit(".", 2)[-2:])


def lines(trace: Trace) -> tuple[Line, ...]:
    """Return who spoke to whom, in order of first contact."""
    groups: dict[tuple[str, str, int, str], list[tuple[int, bool]]] = {}
    tls = {e.connection: "implicit TLS" if e.implicit else "STARTTLS" for e in trace.of(TlsEstablished)}
    failed = {e.connection for e in trace.of(ConnectionFailed)}
    for log in sorted(trace.connections.values(), key=lambda log: log.number):
        key = log.client_host, log.server_host, log.server_port, tls.get(log.number, "readable")
        groups.setdefault(key, []).append((log.number, log.number in failed))
    return tuple(
        Line(client, server, SERVICES.get(port, f"port {port}"), port, protection, place, len(members),
             all(bad for _, bad in members))
        for place, ((client, server, port, protection), members) in enumerate(groups.items(), 1))


def territories(trace: Trace) -> tuple[Territory, ...]:
    """Return the organisations from left to right: the sender's, the internet's name servers, then the recipients'.

    An organisation stands in the middle when it only answers DNS questions for everybody (root and top level).
    """
    mail: list[str] = []
    others: list[str] = []
    members: dict[str, list[str]] = {}
    for line in lines(trace):
        for host in (line.client, line.server):
            domain = organisation_of(host)
            name = domain if line.port != 53 or _speaks_mail(trace, domain) else "the internet"
            members.setdefault(name, [])
            if host not in members[name]:
                members[name].append(host)
            place = others if name == "the internet" else mail
            if name not in place:
                place.append(name)
    order: Sequence[str] = [*mail[:1], *others, *mail[1:]]
    return tuple(Territory(name, index * TERRITORY_GAP, tuple(members[name])) for index, name in enumerate(order))


def _speaks_mail(trace: Trace, domain: str) -> bool:
    # A domain whose name server is asked for its own hosts is on the map for itself, not part of the middle.
    return any(organisation_of(host) == domain and not host.startswith(("root-server.", "top-level."))
               for log in trace.connections.values() for host in (log.client_host, log.server_host))


def place_hosts(trace: Trace) -> dict[str, tuple[float, float]]:
    """Return a position for every host: one column per territory, first contact on top."""
    placed: dict[str, tuple[float, float]] = {}
    columns = territories(trace)
    tallest = max((len(t.hosts) for t in columns), default=0)
    for territory in columns:
        top = (tallest - 1) * ROW_GAP / 2 + (len(territory.hosts) - 1) * ROW_GAP / 2
        # The middle column stands a little higher so that lines across the map do not run through its hosts.
        lift = ROW_GAP * 0.9 if territory.name == "the internet" else 0.0
        for row, host in enumerate(territory.hosts):
            placed[host] = territory.x, top - row * ROW_GAP + lift
    return placed
