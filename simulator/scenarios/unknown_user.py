"""A typing error: the recipient's server refuses at RCPT, before the letter has travelled."""

from simulator.scenarios.scenario import Expectation, Scenario
from simulator.trace.events import MessageData

SCENARIO = Scenario(
    name="unknown-user",
    title="One of two recipients does not exist",
    look_for="The refusal comes as the reply to one RCPT (550 5.1.1); the other recipient is not affected.",
    act=lambda net: net.send(
        "Hello both",
        sender="alice@alice.example",
        to=["bobb@bob.example", "berta@bob.example"],
        subject="A typing error",
    ),
    expect=(
        Expectation(
            "bobb@bob.example was refused with 550 5.1.1",
            lambda j: (j.outcomes["bobb@bob.example"].code, j.outcomes["bobb@bob.example"].enhanced) == (550, "5.1.1"),
        ),
        Expectation(
            "it was Bob's server that refused", lambda j: j.outcomes["bobb@bob.example"].by == "mx.bob.example"
        ),
        Expectation("Berta has her letter", lambda j: j.outcomes["berta@bob.example"].result == "delivered"),
        Expectation(
            "the letter travelled once to Bob's server",
            lambda j: sum(isinstance(event, MessageData) for event in j.hops[1].spoken) == 1,
        ),
    ),
)
