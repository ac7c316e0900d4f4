"""Nothing that any ready story produces lacks an explanation: no line, no event, no record on the wire."""

import re

import pytest

from simulator import Internet
from simulator.protocol.explain import explain, explain_keyword
from simulator.scenarios import scenarios
from simulator.views.hops import hops
from simulator.views.steps import steps
from simulator.views.wire import wire_records

STORIES = scenarios()
SAYS_WHERE = re.compile(r"RFC \d+")


@pytest.fixture(scope="module")
def journeys():
    made = {}
    for name, story in STORIES.items():
        with Internet(medium="memory", seed=story.seed, plan=story.plan()) as net:
            made[name] = story.act(net)
    return made


@pytest.mark.parametrize("name", STORIES)
def test_every_step_is_explained(journeys, name):
    found = steps(journeys[name].trace)
    assert len(found) > 10
    for step in found:
        assert len(step.explanation) > 15, step
    named = [step for step in found if SAYS_WHERE.search(step.explanation)]
    assert len(named) > len(found) * 0.8


@pytest.mark.parametrize("name", STORIES)
def test_every_line_of_an_offer_is_explained(journeys, name):
    trace = journeys[name].trace
    offers = {
        line[4:].rstrip()
        for hop in hops(trace)
        for event in hop.spoken
        if event.kind == "Reply" and event.verb == "EHLO"
        for line in trace.octets(event.span).decode().splitlines()[1:]
    }
    for keyword in offers:
        assert explain_keyword(keyword), keyword


@pytest.mark.parametrize("name", STORIES)
def test_every_record_on_the_wire_is_explained(journeys, name):
    trace = journeys[name].trace
    for hop in hops(trace):
        for record in wire_records(trace, hop.log.number):
            assert len(record.explanation) > 15, record


@pytest.mark.parametrize("name", STORIES)
def test_every_header_field_is_explained(journeys, name):
    trace = journeys[name].trace
    for hop in hops(trace):
        for event in hop.spoken:
            if event.kind == "MessageData":
                for line in trace.octets(event.span).partition(b"\r\n\r\n")[0].split(b"\r\n"):
                    if line[:1] not in (b" ", b"\t", b""):
                        assert explain(line), line
