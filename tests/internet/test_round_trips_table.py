"""Every measured row of the round-trip table, through the public face, as exact integers on both media.

One unit is one round trip, counted from the SYN, DNS not included. The formula behind the numbers:
MAIL in clear = 1 TCP + 1 greeting + 1 EHLO; STARTTLS adds its own exchange, the handshake and a second EHLO;
implicit TLS adds the handshake only (RFC 3207 section 4, RFC 8446 section 2, RFC 5246 section 7.3).
"""

import dataclasses

import pytest

from simulator import Internet
from simulator.internet.plan import HostPlan, default_plan

OPEN = "open-mail.alice.example"
NOBODY_LOGS_IN = {"authenticate": False, "server": OPEN}

# mode, TLS version, resumed: MAIL without AUTH, MAIL after AUTH PLAIN,
# then 250 without PIPELINING (no AUTH, AUTH), with PIPELINING (no AUTH, AUTH), with AUTH folded into the group
TABLE = {
    ("cleartext", None, False): (3, 4, 7, 8, 5, 6, 5),
    ("starttls", "1.2", False): (7, 8, 11, 12, 9, 10, 9),
    ("starttls", "1.2", True): (6, 7, 10, 11, 8, 9, 8),
    ("starttls", "1.3", False): (6, 7, 10, 11, 8, 9, 8),
    ("starttls", "1.3", True): (6, 7, 10, 11, 8, 9, 8),
    ("implicit", "1.2", False): (4, 5, 8, 9, 6, 7, 6),
    ("implicit", "1.2", True): (4, 5, 8, 9, 6, 7, 6),
    ("implicit", "1.3", False): (4, 5, 8, 9, 6, 7, 6),
    ("implicit", "1.3", True): (4, 5, 8, 9, 6, 7, 6),
}


@pytest.fixture(scope="module", params=["memory", "loopback"])
def net(request):
    plan = default_plan()
    alice, bob = plan.organisations
    host = HostPlan(name=OPEN, address="192.0.2.28", roles=("submission",), unsafe_no_auth=True)
    plan = dataclasses.replace(plan, organisations=(dataclasses.replace(alice, hosts=(*alice.hosts, host)), bob))
    with Internet(medium=request.param, plan=plan, latency_s=0.035) as net:
        yield net


@pytest.mark.parametrize(("mode", "version", "resumed"), TABLE, ids=lambda value: str(value))
def test_every_row_is_exact(net, mode, version, resumed):
    def send(**options):
        journey = net.send(
            "x",
            sender="alice@alice.example",
            to="bob@bob.example",
            mode=mode,
            tls_version=version,
            resume=resumed,
            **options,
        )
        assert journey.delivered, journey.outcomes
        return journey

    if resumed:  # one session each to remember
        send()
        send(**NOBODY_LOGS_IN)
    runs = [
        send(pipelining=False, **NOBODY_LOGS_IN),
        send(pipelining=False),
        send(**NOBODY_LOGS_IN),
        send(),
        send(fold_auth=True),
    ]
    for journey in runs:
        if mode != "cleartext":
            assert journey.hops[0].tls.version == f"TLSv{version}"
            assert journey.hops[0].tls.resumed == resumed
    counted = (
        runs[0].round_trips(hop=1, until="MAIL"),
        runs[1].round_trips(hop=1, until="MAIL"),
        *(journey.round_trips(hop=1, until="250") for journey in runs),
    )
    assert counted == TABLE[mode, version, resumed]
    assert all(isinstance(number, int) for number in counted)


def test_dns_is_not_counted_and_the_relay_hop_is_like_any_starttls_session(net):
    journey = net.send("x", sender="alice@alice.example", to="bob@bob.example")
    assert journey.round_trips(hop=2, until="MAIL") == 6
    assert journey.round_trips(hop=2, until="250") == 8
