"""Every ready story is as it says, on both media; and its expectations are able to fail."""

import pytest

from simulator import Internet, UsageError
from simulator.scenarios import FILES, scenario, scenarios

STORIES = list(scenarios().values())


@pytest.mark.parametrize("medium", ["memory", "loopback"])
@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_story_is_as_expected(story, medium):
    with Internet(medium=medium, seed=story.seed, plan=story.plan()) as net:
        journey = story.act(net)
    for expectation in story.expect:
        assert expectation.holds(journey), expectation.words


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_expectations_can_fail(story):
    with Internet(medium="memory") as net:  # nobody answers on port 25, so nothing can be delivered
        net.switch_off("mx.bob.example")
        journey = net.send(
            "x",
            sender="alice@alice.example",
            to=["bob@bob.example", "bobb@bob.example", "berta@bob.example"],
            mode="starttls",
        )
    failed = []
    for expectation in story.expect:
        try:
            if not expectation.holds(journey):
                failed.append(expectation.words)
        except IndexError:  # it speaks of a conversation that never took place
            failed.append(expectation.words)
    assert len(failed) > len(story.expect) / 2


def test_there_are_at_least_four_stories_each_in_its_file():
    assert len(FILES) == len(STORIES) >= 4
    assert len({story.name for story in STORIES}) == len(STORIES)


def test_an_unknown_story_is_refused_with_a_list():
    with pytest.raises(UsageError, match="first-letter"):
        scenario("nonsense")
