"""Who could read what: every cell against the octets, also where the journey ends early."""

from __future__ import annotations

from base64 import b64decode

import pytest
from support.boxes import assert_legible

from simulator import Internet, UsageError, default_plan
from simulator.trace.events import MessageData, MessageStored
from simulator.trace.trace import Trace
from simulator.views.hops import hops
from simulator.views.reader_table import ITEMS, Reader, longest_run_octets
from simulator.views.readers import alt_text, reader_table, readers

TEXT = "Meet me at noon by the old mill"
LISTENERS = ("listener near the sender", "listener between the servers")
OPERATORS = ("operator of the outgoing server", "operator of the mail exchanger")


def sent(plan=None, **options) -> Trace:
    with Internet(medium="memory", **({"plan": plan} if plan else {})) as net:
        letter = {"letter": TEXT, "sender": "alice@alice.example", "to": "bob@bob.example"}
        return net.send(**letter | options).trace


def columns(trace: Trace) -> dict[str, Reader]:
    return {reader.name: reader for reader in reader_table(trace)}


def sight(trace: Trace, name: str, item: str) -> str:
    return columns(trace)[name].cells[item].sight


def without_starttls(host: str = "mx.bob.example"):
    return default_plan().with_host(host, starttls=False)


@pytest.fixture(scope="module")
def tls() -> Trace:
    return sent(mode="starttls")


@pytest.fixture(scope="module")
def clear() -> Trace:
    return sent(mode="cleartext", plan=without_starttls())


@pytest.fixture(scope="module")
def away() -> Trace:
    with Internet(medium="memory") as net:
        net.switch_off("mx.bob.example")
        return net.send(TEXT, sender="alice@alice.example", to="bob@bob.example").trace


def test_always_five_columns_in_the_order_of_the_way(tls, clear, away):
    for trace in (tls, clear, away):
        assert list(columns(trace)) == [LISTENERS[0], OPERATORS[0], LISTENERS[1], OPERATORS[1], "recipient"]


def test_tls_hides_from_listeners_and_not_from_operators(tls):
    for item in ITEMS[1:4]:
        assert {sight(tls, name, item) for name in LISTENERS} == {"hidden"}
        assert {sight(tls, name, item) for name in OPERATORS} == {"reads"}


def test_a_cell_says_what_a_search_in_the_wire_says(clear):
    needle = TEXT.encode()
    for hop, name in zip(hops(clear), LISTENERS, strict=True):
        assert needle in hop.log.stream("wire.c2s.sent").octets
        assert sight(clear, name, "text of the letter") == "reads"


def test_base64_is_no_protection():
    trace = sent(mode="cleartext")
    wire = hops(trace)[0].log.stream("wire.c2s.sent").octets
    word = wire.partition(b"AUTH PLAIN ")[2].partition(b"\r\n")[0]
    password = b64decode(word).rsplit(b"\0", 1)[1]
    assert password
    assert password not in wire
    assert sight(trace, LISTENERS[0], "password") == "reads"
    assert sight(trace, LISTENERS[1], "password") == "not there"


@pytest.mark.parametrize("first", ["", " YWxpY2U="])
def test_the_password_of_auth_login_is_the_second_word_and_the_user_is_none(first):
    def said(*words: str) -> Trace:
        with Internet(medium="memory") as net:
            line = net.connect("mail.alice.example", 465, tls=True)
            line("EHLO laptop.alice.example")
            line(f"AUTH LOGIN{first}")
            for word in words if first else ("YWxpY2U=", *words):
                line(word)
            trace = line.trace
            line.close()
        return trace

    whole, half = said("cHc="), said()  # "pw": short, and wrong, and read all the same
    assert [sight(whole, name, "password") for name in (LISTENERS[0], OPERATORS[0])] == ["hidden", "reads"]
    assert [sight(half, name, "password") for name in (LISTENERS[0], OPERATORS[0])] == ["not there", "not there"]


def test_scram_shows_the_password_to_nobody():
    plan = default_plan().with_host("mail.alice.example", mechanisms=("SCRAM-SHA-256",))
    trace = sent(plan=plan)
    assert b"AUTH SCRAM-SHA-256" in hops(trace)[0].log.stream("server.received").octets
    assert {reader.cells["password"].sight for reader in reader_table(trace)} == {"not there"}


def test_sizes_are_exact_in_clear_and_about_right_under_tls(tls, clear):
    for trace in (tls, clear):
        (stored,) = trace.of(MessageStored)
        assert columns(trace)["recipient"].cells["size"].detail == f"{stored.size_octets} octets"
    for hop, listener, operator in zip(hops(tls), LISTENERS, OPERATORS, strict=True):
        exact = int(columns(tls)[operator].cells["size"].detail.split()[0])
        (data,) = [event for event in hop.spoken if isinstance(event, MessageData)]
        assert exact == data.size_octets - len(b".\r\n")
        start = tls.tls_offset(hop.log, "wire.c2s.sent")
        guess = longest_run_octets(hop, start)
        assert columns(tls)[listener].cells["size"].detail == f"about {guess} octets"
        assert abs(guess - exact) <= 0.05 * exact
    for listener, operator in zip(LISTENERS, OPERATORS, strict=True):
        assert columns(clear)[listener].cells["size"] == columns(clear)[operator].cells["size"]


def test_a_longer_letter_is_seen_to_be_longer_under_tls():
    found = [columns(sent(letter="long line\r\n" * count))[LISTENERS[0]].cells["size"].detail for count in (10, 3000)]
    short, long = (int(detail.split()[1]) for detail in found)
    assert long - short == pytest.approx(2990 * len("long line\r\n"), rel=0.05)


def test_the_mailbox_has_the_envelope_at_most_in_a_received_field(tls):
    assert columns(tls)["recipient"].cells[ITEMS[1]].detail == "only in Received"
    blind = columns(sent(bcc=["berta@bob.example"]))["recipient"].cells[ITEMS[1]]
    assert (blind.sight, blind.detail) == ("not there", "")


@pytest.mark.parametrize("text", ["x", ".", "..dots", "one\r\ntwo"])
def test_short_texts_are_found_as_lines(text):
    trace = sent(letter=b"From: alice@alice.example\r\nSubject: x\r\n\r\n" + text.encode() + b"\r\n", mode="cleartext")
    expected = "not there" if text == "." else "reads"
    assert sight(trace, LISTENERS[0], "text of the letter") == expected


def test_what_was_not_reached_says_so(away):
    for name in (LISTENERS[1], OPERATORS[1]):
        assert not columns(away)[name].reached
        assert columns(away)[name].place == "not reached: connection timed out"
    assert columns(away)["recipient"].place == "not reached"
    assert "recipient: not reached." in alt_text(reader_table(away))
    assert sight(away, OPERATORS[0], "text of the letter") == "reads"


def test_of_several_relay_hops_the_first_that_carried_the_letter_counts():
    with Internet(medium="memory") as net:
        net.switch_off("mx.bob.example")
        waiting = net.send(TEXT, sender="alice@alice.example", to="bob@bob.example")
        net.run(for_s=4000)
        net.switch_on("mx.bob.example")
        net.run_until_settled()
        trace = net.journey(waiting.message).trace
    assert len([hop for hop in hops(trace) if hop.step == 2]) > 1
    assert all(reader.reached for reader in reader_table(trace))
    assert sight(trace, "recipient", "text of the letter") == "reads"


def test_without_a_connection_there_is_nothing_to_read(tls):
    with pytest.raises(UsageError, match="Send a message first"):
        reader_table(Trace(tls.header, [], []))


def test_the_picture_is_legible_and_marks_cells_by_hatch(tls, clear, away):
    hostile = b"From: $x^2$ <alice@alice.example>\r\nTo: \xff\x01 <bob@bob.example>\r\n\r\n$\\frac$\r\n" + b"x" * 990 + b"\r\n"
    for trace in (tls, clear, away, sent(letter=hostile), sent(letter="x" * 900000)):
        assert_legible(readers(trace))
    hatches = {patch.get_hatch() for patch in readers(tls).axes[0].patches if patch.get_hatch()}
    assert len(hatches) == 2
