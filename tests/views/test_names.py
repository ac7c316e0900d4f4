"""The DNS walk for one domain: questions, answers, and what happened with every mail host."""

from dataclasses import replace

import pytest
from support.boxes import assert_legible, texts_of
from support.traces import new_recorder

from simulator import Internet, UsageError, default_plan
from simulator.scenarios import scenario
from simulator.trace.events import DnsAnswered, DnsAsked, RouteChosen
from simulator.trace.trace import Trace
from simulator.views.dns_walk import alt_text, domains, hosts_tried, verdict, walk
from simulator.views.names import names

ZONE = """
null IN MX 0 .
alone IN A 198.51.100.26
dead IN MX 10 gone
dead IN MX 20 mx
many IN MX 10 mx
""" + "".join(f"many IN MX {20 + i} m{i}\n" for i in range(8))


@pytest.fixture(scope="module")
def traces():
    made = {}
    for name in ("first-letter", "two-mx-hosts", "unknown-user", "server-away"):
        story = scenario(name)
        with Internet(medium="memory", seed=story.seed, plan=story.plan()) as net:
            made[name] = story.act(net).trace
    alice, bob = default_plan().organisations
    plan = replace(default_plan(), organisations=(alice, replace(bob, extra_records=ZONE)))
    with Internet(medium="memory", plan=plan) as net:
        people = ["x@null.bob.example", "x@alone.bob.example", "x@dead.bob.example", "x@many.bob.example"]
        made["odd"] = net.send(
            "x", sender="alice@alice.example", to=[*people, "x@nowhere.example", "x@[198.51.100.26]"]
        ).trace
    return made


def asked(trace, domain):
    return [(q.name, q.rdtype, q.column) for q in walk(trace, domain)]


def test_the_walk_goes_from_the_root_to_the_zone(traces):
    found = walk(traces["first-letter"], "bob.example")
    assert [(q.rdtype, q.column, q.status) for q in found] == [
        ("MX", "root", "referral"),
        ("MX", "top level", "referral"),
        ("MX", "zone", "answer"),
        ("A", "zone", "answer"),
        ("AAAA", "zone", "nodata"),
    ]
    assert found[0].said == "Ask top-level.example (203.0.113.2)."
    assert found[2].said == "MX 10 mx.bob.example"
    assert [q.at_s for q in found] == sorted(q.at_s for q in found)
    assert {q.asker for q in found} == {"mail.alice.example"}


def test_the_preferred_host_is_silent_and_the_other_one_takes_it(traces):
    first, second = hosts_tried(traces["two-mx-hosts"], "bob.example")
    assert (first.preference, first.host, first.addresses) == (10, "mx1.bob.example", ("198.51.100.31",))
    assert first.happened == "tried: no answer for 30 s (timed out)"
    assert second.happened == "tried: took the message (250)"


def test_a_refused_recipient_is_told(traces):
    (host,) = hosts_tried(traces["unknown-user"], "bob.example")
    assert host.happened == "tried: took the message (250), but not for 1 of the recipients"


def test_later_tries_use_the_cache_and_are_counted(traces):
    trace = traces["server-away"]
    cached = [q for q in walk(trace, "bob.example") if q.column == "cache"]
    assert [(q.name, q.rdtype) for q in cached] == [("bob.example", "MX"), ("mx.bob.example", "A")]
    assert all(q.said.startswith("From the cache: ") for q in cached)
    (host,) = hosts_tried(trace, "bob.example")
    assert host.happened == "tries 1 to 2: no answer for 30 s (timed out); try 3: took the message (250)"
    words = [text.get_text() for text in texts_of(names(trace))]
    assert "… 6 more questions at later tries, with the same answers" in words


def test_a_host_after_the_one_that_took_it_is_not_tried():
    alice, bob = default_plan().organisations
    extra = replace(bob.host("mx"), name="mx2.bob.example", address="198.51.100.32")
    bob = replace(bob, hosts=(*bob.hosts, extra), mx=((10, "mx.bob.example"), (20, "mx2.bob.example")))
    with Internet(medium="memory", plan=replace(default_plan(), organisations=(alice, bob))) as net:
        trace = net.send("x", sender="alice@alice.example", to="bob@bob.example").trace
    first, second = hosts_tried(trace, "bob.example")
    assert "took the message" in first.happened
    assert second.happened == "not tried, because an earlier host took the message"
    assert second.addresses is None


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ("null.bob.example", "null MX"),
        ("alone.bob.example", "implicit MX"),
        ("nowhere.example", "does not exist"),
        ("[198.51.100.26]", "no question is needed"),
        ("bob.example", "No mail was sent there"),
    ],
)
def test_what_is_special_about_a_domain_is_said(traces, domain, words):
    assert words in verdict(traces["odd"], domain)


def test_a_host_without_address_and_those_that_nobody_asked_for(traces):
    gone, alive = hosts_tried(traces["odd"], "dead.bob.example")
    assert (gone.addresses, gone.happened) == ((), "not tried, because no address is known")
    assert alive.happened == "tried: refused for good (550 to RCPT)"
    rest = hosts_tried(traces["odd"], "many.bob.example")[1:]
    assert {(host.addresses, host.happened) for host in rest} == {
        (None, "not tried, because an earlier host refused for good")
    }
    (literal,) = hosts_tried(traces["odd"], "[198.51.100.26]")
    assert literal.addresses == ("198.51.100.26",)


def test_every_picture_can_be_read(traces):
    for trace in traces.values():
        for domain in domains(trace):
            figure = names(trace, domain)
            assert_legible(figure)
            assert figure.alt_text == alt_text(trace, domain)


def test_many_mx_hosts_are_folded_with_a_count(traces):
    words = [text.get_text() for text in texts_of(names(traces["odd"], "many.bob.example"))]
    assert "5 more hosts" in words
    assert "m7.bob.example" not in words


def test_a_resolver_without_any_mail_can_be_drawn():
    with Internet(medium="memory") as net:
        net.resolve("mx.bob.example", "A")
        trace = net.trace()
    assert [column for _, _, column in asked(trace, "bob.example")] == ["root", "top level", "zone"]
    assert_legible(names(trace, "bob.example"))


def test_hostile_names_are_drawn_as_text():
    recorder = new_recorder()
    name = "$\\frac{x}$\x1b[31m\u202e郵便." + "a" * 90 + ".example"
    common = {"host": "mail.alice.example", "seen_by": "client", "message": "m1"}
    question = recorder.record(
        DnsAsked, **common, name=name, rdtype="MX", server="$x$\n", server_address="192.0.2.53", transport="udp"
    )
    answer = recorder.record(
        DnsAnswered, **common, cause=question, name=name, rdtype="MX", status="answer", server="$x$\n",
        records=(f"{name}. 60 IN MX 10 $y$\x00.",),
    )  # fmt: skip
    recorder.record(RouteChosen, **common, cause=answer, domain=name, hosts=((10, "$y$\x00"),))
    figure = names(recorder.trace())
    assert_legible(figure)
    drawn = "".join(text.get_text() for text in texts_of(figure))
    assert "$y$\\x00" in drawn
    assert drawn.isprintable()


def test_nothing_to_draw_is_told():
    with pytest.raises(UsageError, match="send a message first"):
        names(Trace({}, [], []))
