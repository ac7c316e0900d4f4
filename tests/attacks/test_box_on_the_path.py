"""The attacks on the start of TLS, against careless and strict clients, and against port 465."""

import pytest

from simulator import Internet, default_plan
from simulator.network.attackers import CutAtTls, GarbleHandshake, RejectStartTls, StripStartTls
from simulator.trace.events import OnPathAction

ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example", "server": "mail.alice.example"}
SECRET = b"AGFsaWNlQGFsaWNlLmV4YW1wbGUAc2VjcmV0LW9mLWFsaWNl"  # base64 of NUL user NUL password


@pytest.fixture
def net():
    with Internet(medium="memory") as running:
        yield running


def send(net, box, mode, port):
    net.place_box(box, lambda connection: connection.server_port == port)
    return net.send("The secret text", mode=mode, **ENVELOPE)


def everything_on_the_wire(journey):
    return b"".join(
        log.stream(name).octets
        for log in journey.trace.connections.values()
        for name in ("wire.c2s.sent", "wire.c2s.arrived", "wire.s2c.sent", "wire.s2c.arrived")
    )


@pytest.mark.parametrize("box", [StripStartTls(), StripStartTls("AUTH PLAIN LOGIN"), RejectStartTls()], ids=["strip", "strip and bait", "reject"])
def test_T05_a_strict_client_says_nothing_more_when_starttls_is_taken_away(net, box):
    journey = send(net, box, "starttls", 587)
    hop = journey.hops[0]
    assert {event.verb for event in hop.spoken if event.kind == "Command"} <= {"EHLO", "STARTTLS", "QUIT"}
    assert not journey.delivered
    assert SECRET not in everything_on_the_wire(journey)
    assert b"secret text" not in everything_on_the_wire(journey)
    assert not net.inbox("bob@bob.example")


def test_the_server_refused_too_late_the_password_had_been_seen(net):
    """A faithful server hides AUTH before TLS; the attacker offers it in its place."""
    journey = send(net, StripStartTls("AUTH PLAIN LOGIN"), "starttls-if-offered", 587)
    (outcome,) = journey.outcomes.values()
    assert (outcome.result, outcome.code, outcome.enhanced) == ("failed", 538, "5.7.11")
    assert SECRET in everything_on_the_wire(journey)
    assert b"secret text" not in everything_on_the_wire(journey)


def test_without_the_bait_a_careless_client_finds_no_login(net):
    journey = send(net, StripStartTls(), "starttls-if-offered", 587)
    assert not journey.delivered
    assert SECRET not in everything_on_the_wire(journey)


def test_a_stripped_server_that_takes_passwords_in_clear_gives_everything_away(net):
    box = StripStartTls()
    net.place_box(box, lambda connection: connection.server_port == 587)
    journey = net.send("The secret text", mode="starttls-if-offered", **ENVELOPE | {"server": "old-mail.alice.example"})
    assert journey.delivered
    assert SECRET in everything_on_the_wire(journey)
    assert b"secret text" in everything_on_the_wire(journey)


@pytest.mark.parametrize("box", [StripStartTls(), StripStartTls("AUTH PLAIN"), RejectStartTls()])
def test_on_port_465_there_is_nothing_to_strip(net, box):
    journey = send(net, box, "implicit", 465)
    assert journey.delivered
    assert not journey.trace.of(OnPathAction)


@pytest.mark.parametrize("box", [GarbleHandshake(), CutAtTls()], ids=["garble", "cut"])
@pytest.mark.parametrize(("mode", "port"), [("implicit", 465), ("starttls", 587), ("starttls-if-offered", 587)])
def test_breaking_the_handshake_stops_the_mail_and_shows_nothing(net, box, mode, port):
    journey = send(net, box, mode, port)
    assert not journey.delivered
    assert journey.trace.of(OnPathAction)
    assert SECRET not in everything_on_the_wire(journey)
    assert b"secret text" not in everything_on_the_wire(journey)


def test_the_relay_goes_on_in_clear_when_its_starttls_is_taken_away(net):
    """RFC 7435: opportunistic means that an attacker on the path decides."""
    journey = send(net, StripStartTls(), "implicit", 25)
    assert journey.delivered
    assert b"secret text" in everything_on_the_wire(journey)
    assert SECRET not in everything_on_the_wire(journey)


@pytest.mark.parametrize("flaw", ["self-signed", "unknown CA", "expired", "wrong name"])
@pytest.mark.parametrize("mode", ["implicit", "starttls"])
def test_T10_a_bad_certificate_ends_the_session_unless_told_to_trust_anybody(flaw, mode):
    with Internet(medium="memory", plan=default_plan().with_host("mail.alice.example", certificate=flaw)) as net:
        strict = net.send("x", mode=mode, **ENVELOPE)
        assert not strict.delivered
        assert "certificate" in strict.outcomes["bob@bob.example"].text
        careless = net.send("x", mode=mode, unsafe_no_verification=True, **ENVELOPE)
        assert careless.delivered
        assert any("trusts any certificate" in note.text for note in careless.trace.events if note.kind == "Note")
