"""The same seed tells the same story: twice on one medium, and on both media."""

import pytest

from simulator import Internet


def tell(medium, seed=1, **options):
    with Internet(medium=medium, seed=seed) as net:
        net.send(
            "first letter",
            sender="alice@alice.example",
            to=["bob@bob.example", "berta@bob.example"],
            mode="starttls",
            **options,
        )
        net.send("second letter", sender="bob@bob.example", to="anna@alice.example")
        net.send("to nobody", sender="alice@alice.example", to="nobody@bob.example")
        return net.trace()


@pytest.mark.parametrize("medium", ["memory", "loopback"])
def test_two_runs_with_one_seed_are_the_same(medium):
    assert tell(medium).story() == tell(medium).story()


def test_both_media_tell_the_same_story():
    assert tell("memory").story() == tell("loopback").story()


def test_scram_nonces_are_part_of_the_seed():
    import dataclasses

    from simulator.internet.plan import default_plan

    plan = default_plan()
    alice, bob = plan.organisations
    hosts = tuple(dataclasses.replace(h, mechanisms=("SCRAM-SHA-256",)) for h in alice.hosts)
    plan = dataclasses.replace(plan, organisations=(dataclasses.replace(alice, hosts=hosts), bob))

    def once():
        with Internet(medium="memory", plan=plan) as net:
            journey = net.send("x", sender="alice@alice.example", to="bob@bob.example")
            assert journey.delivered
            return journey.trace.story()

    assert once() == once()


def test_another_seed_gives_other_identifiers_but_the_same_dialogue():
    one, other = tell("memory", seed=1), tell("memory", seed=2)
    assert one.story() != other.story()
    verbs = [[event.kind for event in trace.events] for trace in (one, other)]
    assert verbs[0] == verbs[1]
