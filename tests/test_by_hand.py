"""Speaking SMTP by hand: what is typed goes out as it is, and what comes back is shown."""

import pytest

from simulator import Internet, UsageError
from simulator.by_hand import plain


@pytest.fixture(scope="module", params=["memory", "loopback"])
def net(request):
    with Internet(medium=request.param) as running:
        yield running


def test_a_whole_letter_by_hand(net):
    before = len(net.inbox("bob@bob.example"))
    talk = net.connect("mx.bob.example", 25)
    assert talk.greeting.code == 220
    assert talk("EHLO laptop.alice.example").code == 250
    assert talk("MAIL FROM:<anyone@alice.example>").code == 250
    assert talk("RCPT TO:<bob@bob.example>").code == 250
    assert talk("DATA").code == 354
    assert talk.letter("Subject: by hand\n\n..one dot\nend\n").code == 250
    assert talk("QUIT").code == 221
    assert talk.hear().problem == "the server has closed the connection"
    (letter,) = net.inbox("bob@bob.example")[before:]
    assert letter.octets.endswith(b"\r\n\r\n.one dot\r\nend\r\n")  # RFC 5321 section 4.5.2: one dot is taken away
    assert talk.journey.delivered
    assert "-> RCPT TO:<bob@bob.example>" in str(talk)
    with pytest.raises(UsageError, match="closed"):
        talk("NOOP")


def test_a_line_left_open_stops_nobody(net):
    talk = net.connect("mx.bob.example", 25)
    at_s = net.now_s
    assert net.send("x", sender="alice@alice.example", to="bob@bob.example").delivered
    assert net.now_s - at_s < 60
    assert talk("NOOP").code == 250
    talk.close()
    with pytest.raises(UsageError, match="hung up"):
        talk("NOOP")


def test_tls_by_hand_on_both_ports(net):
    starttls = net.connect("mail.alice.example", 587)
    assert "250-STARTTLS" in starttls("EHLO laptop.alice.example").lines
    assert starttls.starttls().code == 220
    implicit = net.connect("mail.alice.example", 465, tls=True)
    for talk in (starttls, implicit):
        assert talk.tls
        offers = talk("EHLO laptop.alice.example").lines
        assert "250-AUTH PLAIN LOGIN" in offers
        assert not any("STARTTLS" in line for line in offers)
        assert talk(f"AUTH PLAIN {plain('alice@alice.example', 'secret-of-alice')}").code == 235
        assert "~> AUTH PLAIN" in str(talk)
        talk.close()


def test_the_hang_and_its_opposite(net):
    silent = net.connect("mail.alice.example", 465, patience_s=10)  # a plain client where TLS is spoken
    assert silent.greeting.octets == b""
    assert "silence for 10 seconds" in silent.greeting.problem
    silent.close()
    wrong = net.connect("mail.alice.example", 587, tls=True)  # a TLS client where text is spoken
    assert "not TLS" in wrong.greeting.problem
    assert wrong.trace.connections[min(wrong.trace.connections)].stream("wire.s2c.sent").octets.startswith(b"220 ")
    with pytest.raises(UsageError):
        wrong("EHLO x.example")


def test_nobody_there_is_an_answer(net):
    assert "refuses connections" in net.connect("mx.bob.example", 587).greeting.problem


@pytest.mark.parametrize("line", ["EHLO a\r\nMAIL FROM:<>", "EHLO a\n", "\r"])
def test_P30_one_line_at_a_time(net, line):
    talk = net.connect("mx.bob.example", 25)
    with pytest.raises(UsageError, match="One line at a time"):
        talk(line)
    talk.close()


def test_octets_as_they_are_and_groups(net):
    talk = net.connect("mx.bob.example", 25)
    assert talk.octets(b"EHLO a.example\r\nNOOP\r\n", replies=2).codes == (250, 250)
    assert talk.octets(b"NO", replies=0).octets == b""
    assert talk.octets(b"OP\r\n").code == 250
    talk.close()


@pytest.mark.parametrize(("host", "from_host"), [("nowhere.example", None), ("mx.bob.example", "nowhere.example")])
def test_unknown_hosts_are_told(net, host, from_host):
    with pytest.raises(UsageError, match="there are"):
        net.connect(host, 25, from_host=from_host)
