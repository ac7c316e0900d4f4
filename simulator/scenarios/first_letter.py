"""The first letter: everything goes well."""

from simulator.scenarios.scenario import Expectation, Scenario

SCENARIO = Scenario(
    name="first-letter",
    title="Alice writes to Bob, and everything goes well",
    look_for="Three steps, two conversations. On port 465 nothing is readable; on port 25, what comes before STARTTLS.",
    act=lambda net: net.send(
        "Hello Bob,\n\nis this not easy?\n\nAlice\n",
        sender="alice@alice.example",
        to="bob@bob.example",
        subject="The first letter",
    ),
    expect=(
        Expectation("Bob has the letter", lambda j: j.outcomes["bob@bob.example"].result == "delivered"),
        Expectation(
            "the submission used implicit TLS on port 465",
            lambda j: (j.hops[0].protection, j.hops[0].log.server_port) == ("implicit TLS", 465),
        ),
        Expectation(
            "the relay used STARTTLS on port 25",
            lambda j: (j.hops[1].protection, j.hops[1].log.server_port) == ("STARTTLS", 25),
        ),
    ),
)
