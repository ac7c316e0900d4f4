"""Two mail exchangers: the preferred one is switched off, so the other one gets the mail."""

from dataclasses import replace

from simulator.internet.plan import HostPlan, Plan, default_plan
from simulator.scenarios.scenario import Expectation, Scenario


def _plan() -> Plan:
    plan = default_plan()
    alice, bob = plan.organisations
    hosts = (
        *(host for host in bob.hosts if "mx" not in host.roles),
        HostPlan(name="mx1.bob.example", address="198.51.100.31", roles=("mx",), silent=True),
        HostPlan(name="mx2.bob.example", address="198.51.100.32", roles=("mx",)),
    )
    return replace(
        plan, organisations=(alice, replace(bob, hosts=hosts, mx=((10, "mx1.bob.example"), (20, "mx2.bob.example"))))
    )


SCENARIO = Scenario(
    name="two-mx-hosts",
    title="Bob has two mail exchangers, and the preferred one is switched off",
    look_for="The lower number is tried first (RFC 5321 section 5.1). After 30 s of silence comes the next host.",
    plan=_plan,
    act=lambda net: net.send("Hello Bob", sender="alice@alice.example", to="bob@bob.example", subject="The long way"),
    expect=(
        Expectation(
            "mx1 was tried first, then mx2",
            lambda j: [hop.log.server_host for hop in j.hops[1:]] == ["mx1.bob.example", "mx2.bob.example"],
        ),
        Expectation("mx1 never answered", lambda j: j.hops[1].problem == "connection timed out"),
        Expectation("Bob has the letter all the same", lambda j: j.outcomes["bob@bob.example"].result == "delivered"),
    ),
)
