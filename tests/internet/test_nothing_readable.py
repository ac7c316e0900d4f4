"""What TLS hides is searched for in the recorded octets of the wire; what cleartext shows is found there."""

import base64

import pytest

from simulator import Internet

MARKER = "tulips-at-noon"
PASSWORD = b"secret-of-alice"
PLAIN = base64.b64encode(b"\0alice@alice.example\0" + PASSWORD)
SECRETS = {
    "password": PLAIN,
    "recipient": b"bob@bob.example",
    "sender": b"alice@alice.example",
    "body": MARKER.encode(),
    "subject": b"A quiet subject",
}


def send(medium, mode, **options):
    with Internet(medium=medium) as net:
        return net.send(
            f"Dear Bob, {MARKER}.",
            sender="alice@alice.example",
            to="bob@bob.example",
            mode=mode,
            subject="A quiet subject",
            **options,
        )


def wire(journey, hop):
    log = journey.hops[hop - 1].log
    return b"".join(log.stream(f"wire.{way}.{point}").octets for way in ("c2s", "s2c") for point in ("sent", "arrived"))


@pytest.mark.parametrize("medium", ["memory", "loopback"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("mode", ["implicit", "starttls"])
def test_no_secret_is_readable_under_tls(medium, mode, version):
    journey = send(medium, mode, tls_version=version)
    assert journey.delivered
    for hop in (1, 2):
        octets = wire(journey, hop)
        assert len(octets) > 1000
        for name, secret in SECRETS.items():
            assert secret not in octets, f"{name} is readable on hop {hop}"


@pytest.mark.parametrize("medium", ["memory", "loopback"])
def test_on_465_not_even_ehlo_is_readable(medium):
    octets = wire(send(medium, "implicit"), 1)
    for word in (b"EHLO", b"220", b"STARTTLS", b"laptop.alice.example", b"AUTH"):
        assert word not in octets
    assert b"mail.alice.example" in octets  # but the server name in the ClientHello is: RFC 6066 section 3


@pytest.mark.parametrize("medium", ["memory", "loopback"])
def test_in_cleartext_everything_is_readable(medium):
    journey = send(medium, "cleartext")
    assert journey.delivered
    assert journey.hops[0].log.server_host == "old-mail.alice.example"
    octets = wire(journey, 1)
    for name, secret in SECRETS.items():
        assert secret in octets, f"{name} should be readable in cleartext"


def test_octets_are_stored_once():
    journey = send("memory", "cleartext")
    log = journey.hops[0].log
    assert all(
        not stream.own_octets
        for name, stream in log.streams.items()
        if not name.endswith(".sent") or name.startswith("client")
    )
    assert log.stream("server.received").octets == log.stream("wire.c2s.sent").octets


def test_the_trace_holds_the_keys_of_its_own_sessions_only():
    with Internet(medium="memory") as net:
        first = net.send("one", sender="alice@alice.example", to="bob@bob.example", tls_version="1.2")
        second = net.send("two", sender="alice@alice.example", to="bob@bob.example")
    for journey, labels in ((first, {"CLIENT_RANDOM"}), (second, {"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"})):
        keys = journey.trace.header["keylog"]
        assert labels <= {line.split()[0] for line in keys}
        hello = journey.hops[0].log.stream("wire.c2s.sent").octets
        assert hello[11:43].hex() in {line.split()[1] for line in keys}, "the random of the ClientHello"
    assert not set(first.trace.header["keylog"]) & set(second.trace.header["keylog"])
