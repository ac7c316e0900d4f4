"""The envelope decides: arrows come from RCPT and results, never from the letter."""

from __future__ import annotations

import pytest
from support.boxes import assert_legible, texts_of

from simulator import Internet, UsageError
from simulator.trace.events import MessageStored
from simulator.trace.trace import Trace
from simulator.views.envelope import ONLY_ENVELOPE, ONLY_LETTER, envelope, envelope_and_letter, envelope_arrows

LETTER = "From: alice@alice.example\r\nTo: {to}\r\nCc: {cc}\r\nSubject: x\r\n\r\nx\r\n"
PEOPLE = ["bob@bob.example", "berta@bob.example"]


def sent(to, letter="Hello", **options) -> Trace:
    with Internet(medium="memory") as net:
        return net.send(letter, sender="alice@alice.example", to=to, **options).trace


def letter(to: str, cc: str = "berta@bob.example") -> bytes:
    return LETTER.format(to=to, cc=cc).encode()


def words(trace: Trace) -> str:
    return "\n".join(text.get_text() for text in texts_of(envelope(trace)))


def test_changing_the_letter_moves_no_arrow():
    arrows = {envelope_arrows(sent(PEOPLE, letter(to))) for to in ("bob@bob.example", "anna@alice.example", "x: ;")}
    assert arrows == {(("bob@bob.example", "bob@bob.example"), ("berta@bob.example", "berta@bob.example"))}


def test_changing_one_recipient_moves_exactly_one_arrow():
    one = envelope_arrows(sent(PEOPLE, letter("bob@bob.example")))
    other = envelope_arrows(sent(["bob@bob.example", "anna@alice.example"], letter("bob@bob.example")))
    assert [a == b for a, b in zip(one, other, strict=True)] == [True, False]
    assert other[1] == ("anna@alice.example", "anna@alice.example")


def test_an_arrow_ends_where_the_letter_was_stored():
    trace = sent(["bob+lists@bob.example"])
    assert envelope_arrows(trace) == (("bob+lists@bob.example", trace.of(MessageStored)[0].mailbox),)
    assert trace.of(MessageStored)[0].mailbox == "bob@bob.example"


def test_failed_and_waiting_recipients_have_arrows_to_words():
    assert dict(envelope_arrows(sent(["bob@bob.example", "nobody@bob.example"])))["nobody@bob.example"] == "failed"
    with Internet(medium="memory") as net:
        net.switch_off("mx.bob.example")
        waiting = net.send("Hello", sender="alice@alice.example", to="bob@bob.example").trace
    assert envelope_arrows(waiting) == (("bob@bob.example", "deferred"),)


def test_every_recipient_has_its_reply():
    found = envelope_and_letter(sent(PEOPLE))
    assert [slip.recipient for slip in found.slips] == PEOPLE
    assert all(slip.answer.startswith("250 ") for slip in found.slips)


def test_what_stands_in_one_only_is_marked_with_words():
    blind = sent(["bob@bob.example"], bcc=["berta@bob.example"])
    assert [(slip.recipient, slip.in_letter) for slip in envelope_and_letter(blind).slips] == [
        ("bob@bob.example", True), ("berta@bob.example", False)]  # fmt: skip
    assert words(blind).count(ONLY_ENVELOPE) == 1
    assert ONLY_LETTER not in words(blind)
    other = sent(["bob@bob.example"], letter("anna@alice.example", cc="bob@bob.example"))
    assert envelope_and_letter(other).only_in_letter == ("anna@alice.example",)
    assert words(other).count(ONLY_LETTER) == 1
    assert ONLY_ENVELOPE not in words(other)


def test_two_letters_on_one_line_are_not_mixed():
    with Internet(medium="memory") as net:
        line = net.connect("mx.bob.example", 25)
        line("EHLO laptop.alice.example")
        for name in ("bob", "berta"):
            line("MAIL FROM:<alice@alice.example>")
            line(f"RCPT TO:<{name}@bob.example>")
            line("DATA")
            line.letter(f"From: alice@alice.example\nTo: {name}@bob.example\n\nx\n")
        line("QUIT")
        trace = line.trace
    assert envelope_arrows(trace) == (("bob@bob.example", "bob@bob.example"),)


def test_a_recipient_that_was_taken_back_is_not_on_the_envelope():
    with Internet(medium="memory") as net:
        line = net.connect("mx.bob.example", 25)
        line("EHLO laptop.alice.example")
        for command in ("MAIL FROM:<alice@alice.example>", "RCPT TO:<bob@bob.example>", "RSET",
                        "MAIL FROM:<>", "RCPT TO:<berta@bob.example>"):  # fmt: skip
            line(command)
        found = envelope_and_letter(line.trace)
        line.close()
    assert (found.sender, [slip.recipient for slip in found.slips]) == ("", ["berta@bob.example"])


def test_without_rcpt_there_is_no_envelope():
    with Internet(medium="memory") as net:
        line = net.connect("mx.bob.example", 25)
        line("QUIT")
        with pytest.raises(UsageError, match="nobody said RCPT"):
            envelope(line.trace)


def test_pictures_are_legible():
    many = ", ".join(f"someone-with-a-rather-long-name-{n}@department.of.long.names.example" for n in range(12))
    hostile = b"From: $x^2$ <alice@alice.example>\r\nTo: \xff\x01 $\\frac$\r\nSubject: " + b"x" * 980 + b"\r\n\r\nx\r\n"
    for trace in (
        sent(PEOPLE),
        sent(["bob@bob.example"], letter(many, many)),
        sent([*PEOPLE, *(f"bob+{'very' * 10}{n}@bob.example" for n in range(12))], letter("anna@alice.example")),
        sent(["bob@bob.example"], hostile),
    ):
        assert_legible(envelope(trace))
    assert "and 5 more recipients" in words(sent([*PEOPLE, *(f"bob+{n}@bob.example" for n in range(12))]))
