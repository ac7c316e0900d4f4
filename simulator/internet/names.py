"""The upper part of the name space: one root server, and one server each for `example.` and `test.`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from simulator.dns.zones import DelegatingZone
from simulator.errors import PlanError
from simulator.internet.plan import RESERVED_TOPS, Plan

ROOT = ("root-server.test", "203.0.113.1")
TOP_LEVEL = {top: (f"top-level.{top}", f"203.0.113.{number}") for number, top in enumerate(RESERVED_TOPS, 2)}
"""Top-level domain -> (name server, address)."""
ROOT_HINTS = (ROOT,)
"""What every resolver knows from the start (RFC 9609 calls it priming)."""


class Delegations(Mapping[str, tuple[str, str]]):
    """The organisations under one top-level domain, looked up when somebody asks: domain -> (name server, address)."""

    def __init__(self, plan: Plan, top: str) -> None:
        self._plan, self._top = plan, top

    def __getitem__(self, domain: str) -> tuple[str, str]:
        organisation = self._plan.by_domain[domain.rstrip(".")]
        server = organisation.host("dns")
        if server is None:
            raise PlanError(
                f'{organisation.domain} has no host with the role "dns"; add one, so that others can find it.'
            )
        return server.name, server.address

    def __iter__(self) -> Iterator[str]:
        return (domain for domain in self._plan.by_domain if domain.endswith(f".{self._top}"))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def name_servers(plan: Plan) -> Iterator[tuple[str, str, DelegatingZone]]:
    """Yield (host name, address, zone) of the root server and the top-level servers."""
    yield (*ROOT, DelegatingZone("", *ROOT, TOP_LEVEL))
    for top, (name, address) in TOP_LEVEL.items():
        yield name, address, DelegatingZone(top, name, address, Delegations(plan, top))
