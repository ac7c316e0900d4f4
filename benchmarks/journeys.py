"""Whole recorded journeys per second: submission, DNS, relay, mailbox, and every octet in the trace."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.bare import bare_pipeline
from benchmarks.measure import LETTER, Line, take_turns
from simulator import Internet, Plan
from simulator.internet.plan import default_plan

ALICE, BOB = "alice@alice.example", "bob@bob.example"


def journeys_per_second(net: Internet, mode: str, count: int) -> float:
    """Send messages one after the other; return how many arrived per second."""
    began = time.perf_counter()
    for _ in range(count):
        if not net.send(LETTER, sender=ALICE, to=BOB, mode=mode).delivered:
            raise RuntimeError("a message was not delivered, so there is nothing to measure")
    return count / (time.perf_counter() - began)


def cleartext_plan() -> Plan:
    """Return the internet of the first lesson without TLS between servers."""
    plan = default_plan()
    hosts = {org.domain: tuple(replace(host, starttls=False) for host in org.hosts) for org in plan.organisations}
    return replace(plan, organisations=tuple(replace(org, hosts=hosts[org.domain]) for org in plan.organisations))


def measure(count: int, turns: int) -> Iterator[Line]:
    """Compare journeys with the bare pipeline, with TLS and without, on both media."""
    for tls, mode, plan in ((True, "implicit", default_plan()), (False, "cleartext", cleartext_plan())):
        name = "implicit TLS, then STARTTLS" if tls else "cleartext on both hops"
        with (
            bare_pipeline(tls) as bare,
            Internet(medium="memory", plan=plan) as memory,
            Internet(medium="loopback", plan=plan) as loopback,
        ):
            internets = {"memory": memory, "loopback": loopback}
            bare.send(5)
            for net in internets.values():
                journeys_per_second(net, mode, 5)
            found = take_turns(
                lambda bare=bare: bare.send(count),  # type: ignore[misc]
                {
                    medium: lambda net=net, mode=mode: journeys_per_second(net, mode, count)  # type: ignore[misc]
                    for medium, net in internets.items()
                },
                turns,
            )
        for medium in internets:
            figure, ratio = found[medium]
            base = f"{found['baseline'][0]:.0f}/s bare pipeline over sockets"
            yield Line(f"recorded journeys, {name}, {medium}", f"{figure:.0f}/s", base, ratio, "more")
