"""Rows of the conformance table that ask which services there are, and what TLS must not do."""

import pytest

from simulator import Internet
from simulator.protocol.tls_records import HEADER_OCTETS, Octets, tls_records
from simulator.views.hops import hops

EARLY_DATA, PRE_SHARED_KEY = 42, 41  # RFC 8446 section 4.2


@pytest.mark.parametrize("medium", ["memory", "loopback"])
def test_S01_the_submission_server_listens_on_465_and_587(medium):
    """RFC 8314 section 3.3, RFC 5068 section 3.2."""
    with Internet(medium=medium) as net:
        found = {(e.port, e.role, e.tls) for e in net.endpoints() if e.host == "mail.alice.example"}
        assert found == {(465, "submissions", "implicit"), (587, "submission", "starttls")}
        for port, tls in ((465, True), (587, False)):
            assert net.connect("mail.alice.example", port, tls=tls).greeting.code == 220


def extensions(hello):
    """Return the types of the extensions of a ClientHello record (RFC 8446 section 4.1.2)."""
    body = Octets(Octets(hello[HEADER_OCTETS + 1 :]).run(3))
    body.number(2)
    body.number(32)
    for length_octets in (1, 2, 1):
        body.run(length_octets)
    listed, found = Octets(body.run(2)), []
    while listed.more:
        found.append(listed.number(2))
        listed.run(2)
    return found


def test_T14_a_resumed_session_sends_no_early_data():
    """RFC 9325 section 3.10: SMTP has no profile for 0-RTT."""
    with Internet(medium="memory") as net:
        journeys = [
            net.send("x", sender="alice@alice.example", to="bob@bob.example", mode="implicit", resume=True) for _ in range(2)
        ]
    first, second = (hops(journey.trace)[0] for journey in journeys)
    assert not first.tls.resumed
    assert second.tls.resumed
    octets = second.log.stream("wire.c2s.sent").octets
    hello = tls_records(octets)[0]
    found = extensions(octets[hello.start : hello.end])
    assert PRE_SHARED_KEY in found  # it does resume
    assert EARLY_DATA not in found
