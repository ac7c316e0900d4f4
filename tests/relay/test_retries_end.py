"""A retry at a moment that the clock cannot hold exactly must not make the relay spin."""

import pytest

from simulator import Internet
from simulator.trace.events import RecipientResult


@pytest.mark.parametrize("pause_s", [300, 100 / 3, 0.1 + 0.2])
def test_retries_come_to_an_end_whatever_the_moment(pause_s):
    with Internet(medium="memory") as net:
        for number in range(16):
            if number == 5:
                net.switch_off("mx.bob.example")
            if number == 9:
                net.switch_on("mx.bob.example")
            net.send("x", sender="alice@alice.example", to=["bob@bob.example", "anna@alice.example"])
            net.run(for_s=pause_s)
        net.run_until_settled()
        assert len(net.inbox("bob@bob.example")) == 16
        results = net.trace().of(RecipientResult, host="mail.alice.example")
        assert max(result.attempt for result in results) <= 4
