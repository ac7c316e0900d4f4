"""An old mail exchanger without TLS: the relay goes on in clear, because the mail must go through."""

from dataclasses import replace

from simulator.internet.plan import Plan, default_plan
from simulator.scenarios.scenario import Expectation, Scenario
from simulator.trace.events import MessageData


def _plan() -> Plan:
    plan = default_plan()
    alice, bob = plan.organisations
    return replace(
        plan,
        organisations=(
            alice,
            replace(
                bob, hosts=tuple(replace(host, starttls=False) if "mx" in host.roles else host for host in bob.hosts)
            ),
        ),
    )


SCENARIO = Scenario(
    name="no-starttls",
    title="Bob's mail exchanger does not offer STARTTLS",
    look_for="Alice's own connection is protected, the next one is not: TLS works hop by hop (RFC 3207 section 6), "
    "and relays prefer delivery to secrecy (RFC 7435).",
    plan=_plan,
    act=lambda net: net.send("This is a secret.", sender="alice@alice.example", to="bob@bob.example", subject="Secret"),
    expect=(
        Expectation("on the first hop nothing was readable", lambda j: all(event.tls for event in j.hops[0].spoken)),
        Expectation(
            "on the second hop the text was readable",
            lambda j: any(isinstance(event, MessageData) and not event.tls for event in j.hops[1].spoken),
        ),
        Expectation("Bob has the letter", lambda j: j.outcomes["bob@bob.example"].result == "delivered"),
    ),
)
