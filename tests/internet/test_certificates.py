"""Bad certificates of every kind: a mail program refuses them, an opportunistic relay takes them (T10, T11, R21)."""

import dataclasses

import pytest

from simulator import Internet
from simulator.internet.plan import default_plan
from simulator.trace.events import TlsEstablished, TlsFailed

FLAWS = {
    "self-signed": "self-signed",
    "unknown CA": "does not trust",
    "expired": "expired",
    "wrong name": "another host name",
}


def plan(role, **changes):
    plan = default_plan()
    return dataclasses.replace(
        plan,
        organisations=tuple(
            dataclasses.replace(
                o, hosts=tuple(dataclasses.replace(h, **changes) if role in h.roles else h for h in o.hosts)
            )
            for o in plan.organisations
        ),
    )


def send(plan, **options):
    with Internet(medium="memory", plan=plan) as net:
        return net.send("secret", sender="alice@alice.example", to="bob@bob.example", **options)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("mode", ["implicit", "starttls"])
@pytest.mark.parametrize("flaw", FLAWS)
def test_T10_the_mail_program_refuses_and_says_why(flaw, mode, version):
    journey = send(plan("submission", certificate=flaw), mode=mode, tls_version=version)
    outcome = journey.outcomes["bob@bob.example"]
    assert outcome.result == "failed"
    assert FLAWS[flaw] in outcome.text
    assert len(journey.hops) == 1
    assert [e.seen_by for e in journey.trace.of(TlsFailed)] != []
    verbs = {event.verb for event in journey.hops[0].spoken if event.kind == "Command"}
    assert not verbs & {"AUTH", "*AUTH", "MAIL", "RCPT"}  # T11


@pytest.mark.parametrize("flaw", FLAWS)
def test_no_fall_back_to_another_way_when_the_certificate_is_bad(flaw):
    journey = send(plan("submission", certificate=flaw), mode=None)
    assert [hop.log.server_port for hop in journey.hops] == [465]
    assert not journey.delivered


@pytest.mark.parametrize("flaw", FLAWS)
def test_R21_the_relay_takes_any_certificate_and_the_trace_says_what_is_wrong(flaw):
    journey = send(plan("mx", certificate=flaw))
    assert journey.delivered
    assert journey.hops[1].protection == "STARTTLS"
    (seen,) = journey.trace.of(TlsEstablished, connection=journey.hops[1].log.number, seen_by="client")
    assert seen.verified is False
    assert flaw in seen.why_unverified


@pytest.mark.parametrize(
    ("names", "good"),
    [
        (("*.alice.example",), True),
        (("mail.alice.example",), True),
        (("ma*l.alice.example",), False),
        (("*.example",), False),
        (("alice.example",), False),
        (("*",), False),
    ],
)
def test_T10_wildcards_count_only_as_the_whole_left_most_label(names, good):
    assert send(plan("submission", certificate_names=names)).delivered is good
