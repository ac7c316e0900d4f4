"""The time line: marks of each message in order, an axis that fits, nothing on top of another."""

from itertools import pairwise

import pytest
from support.boxes import assert_legible, texts_of
from support.traces import new_recorder

from simulator import Internet, UsageError
from simulator.scenarios import scenario
from simulator.trace.events import MessageComposed, MessageStored, RecipientResult
from simulator.trace.trace import Trace
from simulator.views.timeline import MOST_LINES, alt_text, ending, fold, lanes, spread, ticks, timeline, times

STORIES = ("first-letter", "two-mx-hosts", "unknown-user", "server-away")


@pytest.fixture(scope="module")
def traces():
    made = {}
    for name in STORIES:
        story = scenario(name)
        with Internet(medium="memory", seed=story.seed, plan=story.plan()) as net:
            made[name] = story.act(net).trace
    with Internet(medium="memory") as net:
        net.switch_off("mx.bob.example")
        made["waiting"] = net.send(
            "x", sender="alice@alice.example", to=["bob@bob.example", "berta@bob.example"]
        ).trace
        net.switch_on("mx.bob.example")
        for number in range(13):
            net.send(f"{number}", sender="alice@alice.example", to=["bob@bob.example", "bobb@bob.example"])
        made["many"] = net.trace()
    return made


def kinds(lane):
    return [mark.kind for mark in lane.marks]


def test_marks_stand_in_the_order_of_time(traces):
    for trace in traces.values():
        for lane in lanes(trace):
            assert all(one.at_s <= other.at_s for one, other in pairwise(lane.marks))


def test_every_try_and_what_it_says(traces):
    (lane,) = lanes(traces["server-away"])
    assert kinds(lane) == ["written", "accepted", "deferred", "deferred", "accepted", "delivered", "relayed"]
    assert lane.marks[2].words.startswith("bob@bob.example deferred, next try after 30 min (")
    assert ending(lane) == "in the mailbox"


def test_what_still_waits_has_a_mark_in_the_future(traces):
    (lane,) = lanes(traces["waiting"])
    assert kinds(lane) == ["written", "accepted", "deferred", "next try"]
    deferred = lane.marks[2]
    assert deferred.words.startswith("bob@bob.example, berta@bob.example: deferred, next try after 30 min")
    results = traces["waiting"].of(RecipientResult)
    assert {mark.at_s for mark in lane.marks[3:]} == {event.retry_at_s for event in results}
    assert lane.marks[3].words == "bob@bob.example, berta@bob.example: will be tried again by mail.alice.example"
    assert ending(lane) == "waits for the next try"


def test_a_refused_recipient_has_the_code(traces):
    (lane,) = lanes(traces["unknown-user"])
    failed = next(mark for mark in lane.marks if mark.kind == "failed")
    assert failed.words == "bobb@bob.example failed (550 5.1.1)"
    assert ending(lane) == "in the mailbox; some failed"


def test_late_times_that_are_close_keep_their_difference(traces):
    (lane,) = lanes(traces["server-away"])
    told = times(lane.marks, lane.marks[0].at_s)
    assert told[:5] == ["0.000 s", "0.260 s", "30.460 s", "31 min", "1 h 01 min"]
    assert told[5:] == ["+0.000 s", "+0.060 s"]


@pytest.mark.parametrize("span_s", [0.001, 0.8, 59, 3661, 86400, 5 * 86400])
def test_an_axis_is_even(span_s):
    found = ticks(span_s)
    gaps = {round(b - a, 9) for a, b in pairwise(found)}
    assert len(gaps) <= 1, "an axis with steps of different sizes would be broken"


@pytest.mark.parametrize("places", [[5.0], [0.0] * 5, [0.0, 1.0, 2.0, 500.0], [995.0, 999.0, 1000.0], [1.0] * 300])
def test_signs_are_moved_apart_and_stay_on_the_picture(places):
    moved = spread(places, 18.0, 1000.0)
    gap = min(18.0, (1000.0 - places[0]) / max(len(places) - 1, 1))
    assert all(b - a >= gap - 1e-6 for a, b in pairwise(moved))
    assert moved[-1] <= 1000.0
    assert moved[0] >= 0.0 or gap < 18.0


def test_every_picture_can_be_read(traces):
    for trace in traces.values():
        figure = timeline(trace)
        assert_legible(figure)
        assert figure.alt_text == alt_text(lanes(trace))


def test_many_messages_are_folded_with_a_count(traces):
    words = [text.get_text() for text in texts_of(timeline(traces["many"]))]
    assert "… and 4 more messages, 4 in a mailbox" in words
    assert "m10  bob@bob.example +1" in words
    assert not any(text.startswith("m11") for text in words)


def test_sixty_tries_fit_on_the_picture():
    recorder = new_recorder()
    common = {"host": "mail.alice.example", "seen_by": "client", "message": "m1"}
    composed = MessageComposed(
        number=1, at_s=0.0, **common, reverse_path="", recipients=("$x$\x07@bob.example",), size_octets=1, mode="implicit"
    )
    tries = [
        RecipientResult(
            number=number, at_s=7200.0 * number, **common, recipient="$x$\x07@bob.example", result="deferred", code=451,
            text="$\\frac$", by="mx.bob.example", attempt=number, retry_at_s=7200.0 * (number + 1),
        )
        for number in range(2, 62)
    ]  # fmt: skip
    trace = Trace({}, recorder.trace().connections.values(), [composed, *tries])
    (lane,) = lanes(trace)
    assert len(fold(lane)) == MOST_LINES
    figure = timeline(trace)
    assert_legible(figure)
    words = [text.get_text() for text in texts_of(figure)]
    assert "… 49 more, like those before and after" in words
    assert any("$x$\\x07@bob.example" in text for text in words)


def test_a_stored_message_without_a_beginning_is_drawn():
    stored = MessageStored(number=1, at_s=5.0, host="mx.bob.example", seen_by="server", message="m1", mailbox="bob@bob.example")
    assert_legible(timeline(Trace({}, [], [stored])))
    with pytest.raises(UsageError, match="no message"):
        timeline(Trace({}, [], []))
