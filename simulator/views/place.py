"""Positions for pictures: pure functions of a trace, shared by all renderers. Nothing is drawn here.

Units are hundredths of the picture's height; x grows to the right, y upwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from simulator.trace.events import ConnectionFailed, TlsEstablished
from simulator.trace.trace import Trace
from simulator.views.hops import SERVICES

WIDTH, HEIGHT = 178.0, 100.0
TOP, BOTTOM = 74.0, 23.0
"""Where the highest and the lowest host stand."""
MARGIN = 22.0
"""From the edge of the picture to the middle of the first and the last territory."""
NAME_SERVERS = "name servers for all"

_ROLES = {465: "submission server", 587: "submission server", 25: "mail exchanger", 53: "name server"}


@dataclass(frozen=True, slots=True)
class Line:
    """All connections of one kind between two hosts, drawn as one line."""

    client: str
    server: str
    port: int
    protection: str
    """"readable", "STARTTLS" or "implicit TLS"."""
    place: int
    """Place in the order of first contact, from 1."""
    count: int
    failed: bool

    @property
    def protected(self) -> bool:
        """True when a listener sees no dialogue after the handshake."""
        return self.protection != "readable"

    @property
    def label(self) -> str:
        """The words on the line: place, service and port, then how protected."""
        service = "DNS" if self.port == 53 else SERVICES.get(self.port, "port")
        first = f"{self.place}  {service} {self.port}" + (f" ×{self.count}" if self.count > 1 else "")
        if self.failed:
            return f"{first}\nno connection"
        return first if self.port == 53 else f"{first}\n{self.protection}"


@dataclass(frozen=True, slots=True)
class Territory:
    """The hosts of one organisation, or the name servers that serve everybody."""

    name: str
    x: float
    hosts: tuple[str, ...]


def organisation_of(host: str) -> str:
    """Return the domain that a host name belongs to: its last two labels."""
    return ".".join(host.rsplit(".", 2)[-2:])


def lines(trace: Trace) -> tuple[Line, ...]:
    """Return who spoke to whom, in order of first contact."""
    groups: dict[tuple[str, str, int, str], list[bool]] = {}
    tls = {e.connection: "implicit TLS" if e.implicit else "STARTTLS" for e in trace.of(TlsEstablished)}
    failed = {e.connection for e in trace.of(ConnectionFailed)}
    for number in sorted(trace.connections):
        log = trace.connections[number]
        key = log.client_host, log.server_host, log.server_port, tls.get(number, "readable")
        groups.setdefault(key, []).append(number in failed)
    return tuple(
        Line(client, server, port, protection, place, len(members), all(members))
        for place, ((client, server, port, protection), members) in enumerate(groups.items(), 1)
    )


def role_of(host: str, drawn: Sequence[Line]) -> str:
    """Return what a host does, judged by who dials it and what it dials."""
    served = {line.port for line in drawn if line.server == host}
    for port, role in _ROLES.items():
        if port in served:
            return role
    return "mail program"


def territories(trace: Trace) -> tuple[Territory, ...]:
    """Return the organisations from left to right: the sender's, the name servers for all, the recipients'.

    Name servers serve everybody when they stand for no organisation: the root and the top-level domains.
    """
    members: dict[str, list[str]] = {}
    for line in lines(trace):
        for host in (line.client, line.server):
            name = NAME_SERVERS if host.startswith(("root-server.", "top-level.")) else organisation_of(host)
            if host not in members.setdefault(name, []):
                members[name].append(host)
    names = [name for name in members if name != NAME_SERVERS]
    order = [*names[:1], *([NAME_SERVERS] if NAME_SERVERS in members else []), *names[1:]]
    step = (WIDTH - 2 * MARGIN) / max(len(order) - 1, 1)
    return tuple(Territory(name, MARGIN + i * step, tuple(members[name])) for i, name in enumerate(order))


def place_hosts(trace: Trace) -> dict[str, tuple[float, float]]:
    """Return a position for every host.

    A column per territory. Name servers stand on top, so that mail travels along the bottom and questions upwards.
    """
    drawn = lines(trace)
    placed: dict[str, tuple[float, float]] = {}
    for territory in territories(trace):
        asked = [host for host in territory.hosts if role_of(host, drawn) == "name server"]
        rest = [host for host in territory.hosts if host not in asked]
        column = [*asked, *rest]
        if territory.name == NAME_SERVERS:
            ys = [TOP - i * 20.0 for i in range(len(column))]
        elif len(column) == 1:
            ys = [BOTTOM]
        else:
            ys = [TOP - i * (TOP - BOTTOM) / (len(column) - 1) for i in range(len(column))]
        for host, y in zip(column, ys, strict=True):
            placed[host] = territory.x, y
    return placed


def place_labels(trace: Trace) -> dict[int, tuple[float, float]]:
    """Return a position for the label of every line (by its place): on the line, away from hosts and other labels."""
    positions = place_hosts(trace)
    taken: list[tuple[float, float]] = []
    found: dict[int, tuple[float, float]] = {}
    for line in lines(trace):
        (x0, y0), (x1, y1) = positions[line.client], positions[line.server]
        candidates = [(x0 + (x1 - x0) * share, y0 + (y1 - y0) * share) for share in SHARES]
        best = max(candidates, key=lambda at: _room(at, taken, positions.values()))
        found[line.place] = best
        taken.append(best)
    return found


SHARES = (0.5, 0.45, 0.55, 0.4, 0.6, 0.35, 0.65, 0.3, 0.7, 0.25, 0.75)
LABEL_WIDTH, LABEL_HEIGHT = 34.0, 9.0
HOST_WIDTH, HOST_HEIGHT = 38.0, 21.0


def name_stands_above(y: float) -> bool:
    """Tell whether a host's name and role stand above its dot: lines come from below to the upper hosts."""
    return y > (TOP + BOTTOM) / 2 - 6


def _room(
    at: tuple[float, float], labels: Sequence[tuple[float, float]], hosts: Iterable[tuple[float, float]]
) -> float:
    """Return how far a label is from its nearest neighbour, in label sizes; 1.0 and more is free."""
    rooms = [max(abs(at[0] - x) / LABEL_WIDTH, abs(at[1] - y) / LABEL_HEIGHT) for x, y in labels]
    wide, high = (LABEL_WIDTH + HOST_WIDTH) / 2, (LABEL_HEIGHT + HOST_HEIGHT) / 2
    # A host's name and role stand on one side of its dot, so the middle of its space is not the dot.
    rooms += [
        max(abs(at[0] - x) / wide, abs(at[1] - (y + (4 if name_stands_above(y) else -4))) / high) for x, y in hosts
    ]
    return min([1.0, *rooms])
