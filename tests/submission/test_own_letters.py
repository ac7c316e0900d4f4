"""The learner's own letters: attachments, other scripts, 8 bits, blind copies; and nothing smuggled in by line ends."""

from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest

from simulator import Internet, UsageError, default_plan
from simulator.internet.plan import Person

ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example"}


@pytest.fixture
def net():
    with Internet(medium="memory") as running:
        yield running


def test_attachments_arrive_octet_for_octet(net):
    letter = EmailMessage()
    letter["From"], letter["To"], letter["Subject"] = "alice@alice.example", "bob@bob.example", "Two files"
    letter.set_content("See below.\n.dot\n")
    blob = bytes(range(256)) * 300
    letter.add_attachment(blob, maintype="application", subtype="octet-stream", filename="all octets.bin")
    letter.add_attachment("größer\n", filename="text.txt")
    assert net.send(letter).delivered
    arrived = message_from_bytes(net.inbox("bob@bob.example")[0].octets, policy=default)
    parts = list(arrived.iter_attachments())
    assert parts[0].get_content() == blob
    assert parts[0].get_filename() == "all octets.bin"
    assert parts[1].get_content().splitlines() == ["größer"]


def test_P25_eight_bit_text_stays_as_it_is(net):
    letter = b"From: alice@alice.example\r\nTo: bob@bob.example\r\nSubject: x\r\n\r\nna\xc3\xafve \xff\xfe\r\n"
    journey = net.send(letter)
    assert journey.delivered
    assert net.inbox("bob@bob.example")[0].octets.endswith(b"\r\n\r\nna\xc3\xafve \xff\xfe\r\n")
    assert "BODY=8BITMIME" in journey.transcript()


def test_P26_addresses_of_other_scripts():
    plan = default_plan()
    bob = plan.by_domain["bob.example"]
    plan = plan.with_domain("bob.example", people=(*bob.people, Person(address="борис@bob.example", password="secret")))
    with Internet(medium="memory", plan=plan) as net:
        journey = net.send("Привет", sender="alice@alice.example", to="борис@bob.example", subject="Привет")
        assert journey.delivered
        letter = net.inbox("борис@bob.example")[0]
        assert letter.text.strip() == "Привет"
        assert "SMTPUTF8" in journey.transcript()
        assert "UTF8SMTPS" in letter.message.get_all("Received")[0]


def test_C04_blind_copies_are_in_no_header(net):
    letter = b"From: alice@alice.example\r\nTo: bob@bob.example\r\nBcc: berta@bob.example\r\nSubject: x\r\n\r\nx\r\n"
    journey = net.send(letter)
    assert set(journey.outcomes) == {"bob@bob.example", "berta@bob.example"}
    assert journey.delivered
    for box in ("bob@bob.example", "berta@bob.example"):
        assert b"berta" not in net.inbox(box)[0].octets.partition(b"\r\n\r\n")[0].partition(b"From:")[2]
        assert b"Bcc" not in net.inbox(box)[0].octets


EVIL = ["a@alice.example\r\nRCPT TO:<anna@alice.example>", "a@alice.example\n", "a\r@alice.example", "a@alice.example\0"]


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("field", ["sender", "to", "cc", "bcc"])
def test_P30_no_line_end_gets_into_the_envelope(net, field, evil):
    with pytest.raises(UsageError):
        net.send("x", **ENVELOPE | {field: evil})
    assert net.trace().connections == {}


@pytest.mark.parametrize("subject", ["x\r\nBcc: anna@alice.example", "x\n\nbody", "x\r"])
def test_P30_no_line_end_gets_into_a_field(net, subject):
    with pytest.raises(UsageError):
        net.send("x", subject=subject, **ENVELOPE)
    assert net.trace().connections == {}


def test_a_bare_line_feed_in_a_letter_becomes_no_second_letter(net):
    smuggled = b"From: alice@alice.example\r\n\r\nx\n.\nMAIL FROM:<a@alice.example>\nRCPT TO:<berta@bob.example>\nDATA\nx\n.\n"
    journey = net.send(smuggled, **ENVELOPE)
    assert net.inbox("berta@bob.example") == []
    assert len(net.inbox("bob@bob.example")) == (1 if journey.delivered else 0)


def test_what_send_does_not_know_is_told(net):
    with pytest.raises(UsageError, match="tls_version"):
        net.send("x", colour="red", **ENVELOPE)


def test_two_names_for_one_mailbox_are_both_delivered_by_one_copy(net):
    journey = net.send("x", sender="alice@alice.example", to=["bob@bob.example", "bob+lists@bob.example"])
    assert {name: outcome.result for name, outcome in journey.outcomes.items()} == {
        "bob@bob.example": "delivered", "bob+lists@bob.example": "delivered",
    }  # fmt: skip
    assert len(net.inbox("bob@bob.example")) == 1
    assert journey.mailboxes == ("bob@bob.example",)
