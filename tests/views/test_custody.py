"""Who is responsible when: the baton passes with the 250, mailboxes fill at storing, lost 250s leave two copies."""

import pytest
from support.boxes import assert_legible, texts_of

from simulator import Internet, UsageError, default_plan
from simulator.network.onpath import CutWhenSeen
from simulator.scenarios import scenario
from simulator.trace.events import MessageAccepted, MessageStored
from simulator.trace.trace import Trace
from simulator.views.custody import MOST_INSTANTS, custody, lanes, steps, tick_words
from simulator.views.holdings import alt_text, heard_250, holdings, overlaps, strips

ALICE = {"sender": "alice@alice.example"}


@pytest.fixture(scope="module")
def traces():
    made = {}
    for name in ("first-letter", "two-mx-hosts", "unknown-user", "server-away"):
        story = scenario(name)
        with Internet(medium="memory", seed=story.seed, plan=story.plan()) as net:
            made[name] = story.act(net).trace
    with Internet(medium="memory") as net:
        net.switch_off("mx.bob.example")
        made["waiting"] = net.send("x", **ALICE, to=["bob@bob.example", "berta@bob.example", "alice@alice.example"]).trace
        net.switch_on("mx.bob.example")
        people = ["bob@bob.example", "alice@alice.example", "bobb@bob.example", "x@nowhere.example", "no@alice.example"]
        made["many recipients"] = net.send("x", **ALICE, to=people).trace
    with Internet(medium="memory", plan=default_plan().with_host("mx.bob.example", starttls=False)) as net:
        box = CutWhenSeen(b"Delivered as")
        net.place_box(box, lambda connection: connection.server_port == 25)
        sent = net.send("x", **ALICE, to="bob@bob.example")
        made["lost 250"] = sent.trace
        net.remove_box(box)
        net.run_until_settled()
        made["two copies"] = net.journey(sent.message).trace
    return made


def test_the_baton_passes_with_the_250_and_the_client_learns_it_later(traces):
    trace = traces["first-letter"]
    laptop, mail, mx, mailbox = holdings(trace)
    assert [h.role for h in (laptop, mail, mx, mailbox)] == [
        "mail program", "submission server", "mail exchanger", "mailbox",
    ]  # fmt: skip
    accepted = trace.of(MessageAccepted)
    assert [mail.from_s, mx.from_s] == [event.at_s for event in accepted]
    for giver, event in zip((laptop, mail), accepted, strict=True):
        assert giver.passed is not None
        assert giver.passed.at_s == event.at_s
        assert giver.end == heard_250(trace, event)
        latency_s = trace.connections[event.connection].latency_s
        assert giver.to_s == pytest.approx(event.at_s + latency_s)
    assert [seconds for _, _, seconds in overlaps(trace)] == pytest.approx([0.02, 0.02])


def test_no_250_fills_a_mailbox(traces):
    for name, trace in traces.items():
        stored = {(e.mailbox, e.number) for e in trace.of(MessageStored)}
        filled = {(box, h.begin.number) for h in holdings(trace) if h.mailbox for box in h.holder.split(", ")}
        assert {number for _, number in filled} <= {number for _, number in stored}, name
        assert {box for box, _ in filled} == {box for box, _ in stored}, name
    (strip,) = strips(traces["first-letter"])
    mx, mailbox = strip.holdings[2:]
    assert mx.begin < mailbox.begin == mx.end


def test_each_group_of_recipients_has_its_own_way(traces):
    bobb, berta = strips(traces["unknown-user"])
    assert bobb.recipients == ("bobb@bob.example",)
    assert bobb.outcome == (
        "failed at mail.alice.example, and the sender must be told: 550 5.1.1 There is no such user here"
    )
    assert lanes(bobb)[-1] == ("mailbox", "stays empty")
    assert bobb.holdings[-1].holder == "mail.alice.example"
    assert berta.outcome.startswith("in the mailbox since ")
    refused = strips(traces["many recipients"])[-1]
    assert refused.recipients == ("no@alice.example",)
    assert [h.role for h in refused.holdings] == ["mail program"]
    assert "the user sees it at once" in refused.outcome


def test_who_waits_keeps_it_and_the_others_do_not_wait_for_them(traces):
    both, alice = strips(traces["waiting"])
    assert both.recipients == ("bob@bob.example", "berta@bob.example")
    assert both.outcome.startswith("at mail.alice.example: waits; next try at 30 min")
    assert both.holdings[-1].to_s is None
    assert len(both.tries) == 1
    assert alice.holdings[-1].mailbox


def test_tries_that_moved_nothing_are_instants(traces):
    (strip,) = strips(traces["server-away"])
    assert [t.words for t in strip.tries] == ["no reply", "no reply"]
    assert len(steps(strip)) == len(strip.instants) <= MOST_INSTANTS
    assert tick_words(steps(strip), 0.0)[-3:] == ["1 h 01 min", "same time", "+0.020 s"]


def test_a_lost_250_leaves_two_who_have_it(traces):
    (strip,) = strips(traces["lost 250"])
    mail = next(h for h in strip.holdings if h.role == "submission server")
    assert mail.end is None, "it never heard of the 250"
    assert mail.passed is not None
    assert any(h.mailbox for h in strip.holdings)
    words = " ".join(text.get_text() for text in texts_of(custody(traces["lost 250"])))
    assert "never arrived" in words
    (later,) = strips(traces["two copies"])
    assert later.outcome.endswith(", 2 copies")
    assert sum(h.mailbox for h in later.holdings) == 2
    words = [text.get_text() for text in texts_of(custody(traces["two copies"]))]
    assert {"in the mailbox", "2 copies"} <= set(words)


def test_every_picture_can_be_read(traces):
    for trace in traces.values():
        figure = custody(trace)
        assert_legible(figure)
        assert figure.alt_text == alt_text(strips(trace))


def test_more_than_three_ways_are_folded_with_their_names(traces):
    words = [text.get_text() for text in texts_of(custody(traces["many recipients"]))]
    assert len(strips(traces["many recipients"])) == 5
    assert any(text.startswith("… and 2 more ways, to ") for text in words)


def test_two_messages_do_not_mix():
    with Internet(medium="memory") as net:
        net.send("x", **ALICE, to="bob@bob.example")
        net.switch_off("mx.bob.example")
        net.send("y", **ALICE, to="bob@bob.example")
        trace = net.trace()
    first, second = strips(trace)
    assert first.outcome.startswith("in the mailbox")
    assert "waits" in second.outcome
    assert_legible(custody(trace))


def test_hostile_recipients_are_drawn_as_text():
    with Internet(medium="memory") as net:
        trace = net.send("x", **ALICE, to=['"$x^2$"@bob.example', "$y$@bob.example", "bob@bob.example"]).trace
    figure = custody(trace)
    assert_legible(figure)
    assert any("$x^2$" in text.get_text() for text in texts_of(figure))


def test_a_server_that_took_mail_from_nobody_we_know():
    taken = MessageAccepted(
        number=7, at_s=3.0, host="mx.bob.example", seen_by="server", message="m1", queue_id="A1", reverse_path="",
        recipients=("bob@bob.example",), size_octets=9, protocol="SMTP",
    )  # fmt: skip
    (strip,) = strips(Trace({}, [], [taken]))
    assert [h.holder for h in strip.holdings] == ["unknown", "mx.bob.example"]
    assert strip.outcome == "at mx.bob.example: still has it"
    assert_legible(custody(Trace({}, [], [taken])))


def test_an_empty_trace_is_told():
    with pytest.raises(UsageError, match="no message"):
        custody(Trace({}, [], []))
