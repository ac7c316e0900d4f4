"""A deferred message: the recipient's server is away for an hour; the queue keeps the letter and tries again."""

from typing import Any

from simulator.scenarios.scenario import Expectation, Scenario
from simulator.trace.events import RecipientResult


def _act(net: Any) -> Any:
    net.switch_off("mx.bob.example")
    journey = net.send("Patience", sender="alice@alice.example", to="bob@bob.example", subject="Patience")
    net.run(for_s=2700)
    net.switch_on("mx.bob.example")
    net.run_until_settled()
    return net.journey(journey.message)


SCENARIO = Scenario(
    name="server-away",
    title="Bob's server is switched off for three quarters of an hour",
    look_for="Silence is no refusal: the message waits in Alice's outgoing server, which tries again after 30 minutes, "
    "and then after another 30 (RFC 5321 section 4.5.4.1).",
    act=_act,
    expect=(
        Expectation(
            "the first two tries failed, and the message was kept",
            lambda j: (
                [e.result for e in j.trace.of(RecipientResult, seen_by="client")] == ["deferred", "deferred", "relayed"]
            ),
        ),
        Expectation("Bob has the letter in the end", lambda j: j.outcomes["bob@bob.example"].result == "delivered"),
    ),
)
