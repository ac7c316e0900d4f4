"""The list that every view walks along, and who can read what of it."""

import pytest

from simulator import Internet
from simulator.errors import UsageError
from simulator.network.onpath import CutWhenSeen
from simulator.protocol.happenings import explain_event
from simulator.trace.events import KINDS, Spoken
from simulator.views.hops import hops
from simulator.views.lens import EVERYTHING, lens_of, lenses, seen_lines, sight
from simulator.views.steps import BOX, steps

ENVELOPE = {"sender": "alice@alice.example", "to": "bob@bob.example"}


@pytest.fixture(scope="module")
def trace():
    with Internet(medium="memory", latency_s=0.035) as net:
        return net.send("The secret text", mode="starttls", **ENVELOPE).trace


def test_everything_said_and_everything_that_happened_is_a_step_once(trace):
    found = steps(trace)
    assert [s.number for s in found] == sorted({s.number for s in found})
    said = [event.number for hop in hops(trace) for event in hop.spoken]
    assert sorted(s.number for s in found if s.said) == sorted(said)
    assert {"open", "close", "tls", "question", "answer", "route", "compose", "accept", "store", "result"} <= {
        s.kind for s in found
    }


def test_times_are_those_of_the_link(trace):
    for step in steps(trace):
        if step.said:
            assert step.to_s - step.from_s == pytest.approx(0.035)
        assert step.from_s <= step.to_s
        assert bool(step.travels) == (step.from_host != step.to_host)
        assert step.explanation.endswith((".", ")")), step
    handshake = next(s for s in steps(trace) if s.kind == "tls")
    assert handshake.to_s - handshake.from_s == pytest.approx(0.07)  # TLS 1.3: one round trip (RFC 8446 section 2)


def test_a_listener_reads_what_the_wire_shows_and_nothing_else(trace):
    for hop in hops(trace):
        lens = lens_of(f"listener:{hop.number}", trace)
        wire = hop.log.stream("wire.c2s.sent").octets + hop.log.stream("wire.s2c.sent").octets
        for step in steps(trace):
            if step.hop == hop.number and step.said:
                octets = step.lines[0].encode()
                assert (sight(lens, step) == "readable") == (octets in wire and not step.tls)
                if sight(lens, step) == "hidden":
                    assert seen_lines(lens, step) == (f"({step.size_octets} octets inside TLS)",)
            elif step.hop not in (0, hop.number):
                assert sight(lens, step) == "absent"


def test_both_operators_read_the_letter_and_the_receiver_only_the_letter(trace):
    letters = [s for s in steps(trace) if s.kind == "data"]
    for host, step in (("mail.alice.example", letters[0]), ("mail.alice.example", letters[1]), ("mx.bob.example", letters[1])):
        assert "The secret text" in seen_lines(lens_of(f"operator:{host}", trace), step)
    receiver = lens_of("receiver", trace)
    assert {s.kind for s in steps(trace) if sight(receiver, s) == "readable"} == {"data", "store"}
    assert "The secret text" not in str([seen_lines(lens_of("listener", trace), s) for s in steps(trace)])


def test_a_password_inside_tls_is_shown_to_the_ends_only(trace):
    login = next(s for s in steps(trace) if s.lines[0].startswith("AUTH PLAIN"))
    assert seen_lines(EVERYTHING, login) == ("AUTH PLAIN ********",)
    assert seen_lines(lens_of("sender", trace), login) == login.lines
    assert seen_lines(lens_of("operator:mail.alice.example", trace), login) == login.lines
    assert seen_lines(lens_of("operator:mx.bob.example", trace), login) == ()


def test_wrong_lenses_are_told_which_there_are(trace):
    assert [lens.name for lens in lenses(trace)][:4] == ["everything", "sender", "receiver", "listener"]
    for wrong in ("x", "listener:9", "operator", "operator:nobody.example", "sender:x"):
        with pytest.raises(UsageError, match="listener:1"):
            lens_of(wrong, trace)


def test_with_a_box_on_the_path_both_versions_are_told():
    with Internet(medium="memory") as net:
        net.place_box(CutWhenSeen(b"STARTTLS\r\n"), lambda connection: connection.server_port == 587)
        trace = net.send("x", mode="starttls", **ENVELOPE).trace
    found = [s for s in steps(trace) if s.hop == 1]
    assert any(s.kind == "path" for s in found)
    ehlo = [(s.from_host, s.to_host) for s in found if s.lines[0].startswith("EHLO")]
    assert ehlo == [("laptop.alice.example", BOX), (BOX, "mail.alice.example")]
    offers = [(s.from_host, s.to_host) for s in found if s.lines[0].startswith("250-")]
    assert offers == [("mail.alice.example", BOX)]  # it never came out on the other side


def test_every_kind_of_recorded_event_has_an_explanation(trace):
    for event in trace.events:
        assert explain_event(event)
    unexplained = [k for k, cls in KINDS.items() if not issubclass(cls, Spoken) and k not in explain_event.__globals__]
    assert unexplained == []
