"""The server refused, too late: an attacker offers AUTH instead of STARTTLS, and a careless client believes him."""

from typing import Any

from simulator.network.attackers import StripStartTls
from simulator.scenarios.scenario import Expectation, Scenario
from simulator.trace.events import Command, OnPathAction


def _act(net: Any) -> Any:
    net.place_box(StripStartTls(instead="AUTH PLAIN LOGIN"), lambda connection: connection.server_port == 587)
    return net.send(
        "This letter is never sent.",
        sender="alice@alice.example",
        to="bob@bob.example",
        mode="starttls-if-offered",
        server="mail.alice.example",
        subject="Stripped",
    )


SCENARIO = Scenario(
    name="stripped",
    title="STARTTLS is taken away from a careless client",
    look_for="The server never offered AUTH in clear: the box on the path put it where STARTTLS had stood. The "
    "server's 538 is right, and too late: the password has been seen (RFC 3207 section 6, RFC 4954 section 4).",
    act=_act,
    expect=(
        Expectation("the box changed the server's offer", lambda j: bool(j.trace.of(OnPathAction))),
        Expectation(
            "the password travelled in clear",
            lambda j: any(isinstance(e, Command) and e.verb == "AUTH" and not e.tls for e in j.hops[0].spoken),
        ),
        Expectation("the server refused the login with 538", lambda j: j.outcomes["bob@bob.example"].code == 538),
        Expectation("nothing was delivered", lambda j: not j.delivered),
    ),
)
