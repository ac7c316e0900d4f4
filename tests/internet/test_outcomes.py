"""What becomes of a message: delivered, failed, deferred, and by whose words."""

import dataclasses

import pytest

from simulator import Internet, UsageError
from simulator.internet.plan import HostPlan, default_plan


def plan_with(bob_hosts=(), **changes):
    plan = default_plan()
    alice, bob = plan.organisations
    bob = dataclasses.replace(bob, hosts=(*bob.hosts, *bob_hosts), **changes)
    return dataclasses.replace(plan, organisations=(alice, bob))


def send(net, to="bob@bob.example", **options):
    return net.send("Hello", sender="alice@alice.example", to=to, **options)


@pytest.fixture
def net():
    with Internet(medium="memory") as net:
        yield net


def test_unknown_user_fails_at_rcpt_with_the_words_of_the_mx(net):
    outcome = send(net, "nobody@bob.example").outcomes["nobody@bob.example"]
    assert (outcome.result, outcome.code, outcome.enhanced, outcome.by) == ("failed", 550, "5.1.1", "mx.bob.example")


def test_unknown_domain_fails_without_a_connection(net):
    journey = send(net, "bob@nowhere.example")
    outcome = journey.outcomes["bob@nowhere.example"]
    assert (outcome.result, outcome.enhanced, outcome.by) == ("failed", "5.1.2", "mail.alice.example")
    assert len(journey.hops) == 1


def test_one_bad_recipient_does_not_stop_the_others(net):
    journey = send(net, ["bob@bob.example", "nobody@bob.example", "berta@bob.example"])
    assert [o.result for o in journey.outcomes.values()] == ["delivered", "failed", "delivered"]
    assert len(net.inbox("bob@bob.example")) == len(net.inbox("berta@bob.example")) == 1
    assert not journey.delivered


def test_recipients_of_one_domain_share_one_copy_and_others_get_their_own(net):
    journey = send(net, ["bob@bob.example", "berta@bob.example", "anna@alice.example"])
    assert journey.delivered
    assert len(journey.hops) == 3


def test_bcc_gets_a_copy_and_nobody_learns_of_it(net):
    journey = send(net, bcc="berta@bob.example")
    assert journey.delivered
    for address in ("bob@bob.example", "berta@bob.example"):
        (letter,) = net.inbox(address)
        assert b"berta" not in letter.octets


def test_wrong_password_is_told_and_nothing_is_queued(net):
    outcome = send(net, password="wrong").outcomes["bob@bob.example"]
    assert (outcome.result, outcome.code, outcome.enhanced) == ("failed", 535, "5.7.8")
    net.run_until_settled()
    assert net.inbox("bob@bob.example") == []


def test_without_login_the_msa_refuses(net):
    outcome = send(net, authenticate=False).outcomes["bob@bob.example"]
    assert (outcome.code, outcome.enhanced) == (530, "5.7.0")


def test_second_mx_is_used_when_the_first_is_dead():
    hosts = [
        HostPlan(name="mx2.bob.example", address="198.51.100.36", roles=("mx",)),
        HostPlan(name="mx1.bob.example", address="198.51.100.35", roles=("mx",), silent=True),
    ]
    with Internet(medium="memory", plan=plan_with(hosts, mx=((10, "mx1.bob.example"), (20, "mx2.bob.example")))) as net:
        journey = send(net)
        assert journey.delivered
        assert [hop.log.server_host for hop in journey.hops[1:]] == ["mx1.bob.example", "mx2.bob.example"]
        assert "timed out" in journey.hops[1].problem


def test_dead_mx_defers_then_retries_and_gives_up_after_five_days():
    hosts = [HostPlan(name="mx1.bob.example", address="198.51.100.35", roles=("mx",), silent=True)]
    with Internet(medium="memory", plan=plan_with(hosts, mx=((10, "mx1.bob.example"),))) as net:
        assert send(net).outcomes["bob@bob.example"].result == "deferred"
        net.run_until_settled()
        journey = net.journey("m1")
        assert journey.outcomes["bob@bob.example"].result == "failed"
        assert 4 * 86400 < net.now_s < 6 * 86400
        assert len(journey.hops) > 50


def test_deferred_mail_arrives_when_the_host_is_back():
    hosts = [HostPlan(name="mx1.bob.example", address="198.51.100.35", roles=("mx",), silent=True)]
    with Internet(medium="memory", plan=plan_with(hosts, mx=((10, "mx1.bob.example"),))) as net:
        assert send(net).outcomes["bob@bob.example"].result == "deferred"
        net.run(for_s=3600)
        net.switch_on("mx1.bob.example")
        net.run_until_settled()
        assert net.journey("m1").delivered


def test_no_starttls_at_the_mx_means_cleartext_relay():
    hosts = [HostPlan(name="mx1.bob.example", address="198.51.100.35", roles=("mx",), starttls=False)]
    with Internet(medium="memory", plan=plan_with(hosts, mx=((10, "mx1.bob.example"),))) as net:
        journey = send(net)
        assert journey.delivered
        assert journey.hops[1].protection == "cleartext"


def test_implicit_falls_back_to_starttls_when_465_is_closed(net):
    from simulator.network.onpath import Box, OnConnect

    class Firewall(Box):
        def on_connect(self, connection):
            return OnConnect.REFUSE

    net.place_box(Firewall(), lambda connection: connection.server_port == 465)
    journey = send(net)
    assert journey.delivered
    assert [hop.protection for hop in journey.hops] == ["cleartext", "STARTTLS", "STARTTLS"]
    assert journey.hops[0].problem == "connection refused"


def test_a_connection_cut_in_the_middle_defers_and_loses_nothing(net):
    from simulator.network.onpath import CutWhenSeen

    box = CutWhenSeen(b"EHLO mail.alice.example")
    net.place_box(box, lambda connection: connection.server_port == 25)
    assert send(net).outcomes["bob@bob.example"].result == "deferred"
    net.remove_box(box)
    net.run_until_settled()
    assert len(net.inbox("bob@bob.example")) == 1


def test_relay_changes_nothing_but_what_it_puts_on_top(net):
    message = (
        b"From: Alice <alice@alice.example>\r\nTo: bob@bob.example\r\nDate: Thu, 01 Jan 2026 00:00:00 +0000\r\n"
        b"Message-ID: <1@alice.example>\r\nX-Odd:  spaced  \r\nSubject: caf\xc3\xa9\r\n\r\n"
        b".\r\n..\r\nF\xfcr dich\r\n\r\n"
    )
    net.send(message, sender="alice@alice.example", to="bob@bob.example")
    (letter,) = net.inbox("bob@bob.example")
    assert letter.octets.endswith(message)
    added = letter.octets.removesuffix(message)
    assert added.count(b"Received: ") == 2
    assert added.startswith(b"Return-Path: <alice@alice.example>\r\n")


def test_msa_repairs_what_a_relay_must_not(net):
    net.send(
        b"From: alice@alice.example\r\nSubject: bare\r\n\r\nhi\r\n", sender="alice@alice.example", to="bob@bob.example"
    )
    message = net.inbox("bob@bob.example")[0].message
    assert message["Date"].datetime.year == 2026
    assert message["Message-ID"].endswith("@mail.alice.example>")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mode": "ssl"}, "'implicit', 'starttls', 'starttls-if-offered', 'cleartext'"),
        ({"to": "bob"}, "no @"),
        ({"to": "bob@somewhere.invalid"}, "no mail leaves this machine"),
        ({"to": "bob@bob.example\r\nRCPT TO:<eve@evil.example>"}, "line end"),
        ({"to": []}, "recipient"),
        ({"sender": "eve@evil.example"}, "evil.example"),
        ({"sender": "eve@alice.example"}, "eve@alice.example"),
        ({"letter": b""}, "empty"),
        ({"letter": b"\x00\x01\x02"}, "not a message"),
        ({"subject": "x\r\nBcc: eve@alice.example"}, "one line"),
        ({"colour": "blue"}, "no option 'colour'"),
        ({"tls_version": "1.0"}, "1.2, 1.3"),
        ({"server": "mail.nowhere.example"}, "no submission server"),
    ],
)
def test_wrong_calls_get_one_sentence(net, options, words):
    call = {"letter": "x", "sender": "alice@alice.example", "to": "bob@bob.example", **options}
    with pytest.raises(UsageError, match=r"[.]$") as caught:
        net.send(**call)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_closed_internet_says_so(net):
    net.close()
    with pytest.raises(UsageError, match="closed"):
        net.send("x", sender="alice@alice.example", to="bob@bob.example")
