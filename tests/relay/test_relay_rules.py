"""Rules of the relay without any network."""

from itertools import pairwise

import pytest

from simulator.relay.queue import QueuedMessage, Recipient, State
from simulator.relay.rules import Verdict, decisive
from simulator.relay.schedule import DAY_S, HOUR_S, Schedule


def times(schedule):
    now, tried = 0.0, []
    while (again := schedule.next_try_s(0.0, now)) is not None:
        tried.append(again)
        now = again
    return tried


def test_R11_two_tries_in_the_first_hour_then_every_two_hours_until_five_days():
    tried = times(Schedule())
    assert tried[:4] == [0.5 * HOUR_S, HOUR_S, 3 * HOUR_S, 5 * HOUR_S]
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert all(pause <= 2 * HOUR_S for pause in pauses)
    assert tried[-1] == 5 * DAY_S


def test_R10_a_temporary_reason_outweighs_a_permanent_one_of_another_host():
    temporary = Verdict(True, None, "", "silent", "mx1.bob.example")
    permanent = Verdict(False, 550, "5.4.4", "no address", "mail.alice.example")
    assert decisive([temporary, permanent]) is temporary
    assert decisive([permanent]) is permanent


@pytest.mark.parametrize("local", ["bob", "Bob"])
def test_R14_recipients_of_one_domain_form_one_group_whatever_the_case_of_the_domain(local):
    message = QueuedMessage(
        queue_id="q",
        label="m1",
        reverse_path="",
        content=b"",
        queued_s=0.0,
        recipients=[
            Recipient(f"{local}@BOB.example"),
            Recipient("berta@bob.example"),
            Recipient("anna@alice.example", State.RELAYED),
            Recipient("carl@carol.example", State.DEFERRED, retry_at_s=100.0),
        ],
    )
    assert {domain: [r.address for r in group] for domain, group in message.due(50.0).items()} == {
        "bob.example": [f"{local}@BOB.example", "berta@bob.example"]
    }
    assert list(message.due(100.0)) == ["bob.example", "carol.example"]
    assert message.next_try_s == 100.0
