"""The iterative resolver, driven over a name space without a network."""

from __future__ import annotations

from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from support.names import NameSpace

from simulator.dns.questions import Answer, Ask, Status
from simulator.dns.resolve import STEPS, Exchange
from simulator.dns.zones import Zone

BOB = "192.0.2.53"


@pytest.fixture
def names() -> NameSpace:
    return NameSpace()


def test_the_resolver_walks_from_the_root_to_the_zone(names: NameSpace) -> None:
    answer = names.ask("bob.example", "MX")
    assert answer.mx() == [(10, "mx.bob.example"), (20, "backup.provider.test")]
    assert names.path() == ["root-server.test", "top-level.example", "ns.bob.example"]
    assert [heard.status for heard in names.heard] == ["referral", "referral", "answer"]
    assert names.heard[0].records == ("example. 3600 IN NS top-level.example.",
                                      "top-level.example. 3600 IN A 203.0.113.2")
    assert names.heard[2].records[0] == "bob.example. 3600 IN MX 10 mx.bob.example."


def test_what_is_known_is_not_asked_again(names: NameSpace) -> None:
    names.ask("bob.example", "MX")
    names.path()
    assert names.ask("mx.bob.example", "A").addresses() == ["192.0.2.25"]
    assert names.path() == ["ns.bob.example"]  # the referrals are remembered
    names.heard.clear()
    assert names.ask("bob.example", "MX").mx()[0] == (10, "mx.bob.example")
    assert names.path() == []
    assert [(heard.server_name, heard.status) for heard in names.heard] == [("cache", "answer")]


def test_a_name_server_without_glue_is_looked_up_first(names: NameSpace) -> None:
    assert names.ask("carol.example", "MX").mx() == [(10, "mx.provider.test")]
    assert names.path() == ["root-server.test", "top-level.example", "root-server.test", "top-level.test",
                            "ns.provider.test", "ns.provider.test"]


def test_name_servers_that_need_each_other_end_in_servfail(names: NameSpace) -> None:
    names.children["dave.example"] = ("ns.erin.test", "192.0.2.99")
    names.add("203.0.113.3", Zone("test", "@ 60 IN SOA ns h 1 1 1 1 60\nerin NS ns.dave.example.\n"))
    answer = names.ask("dave.example", "MX")
    assert answer.status is Status.SERVFAIL
    assert len(names.asked) < STEPS


def broken(request: Exchange, reply: dns.message.Message) -> dns.message.Message:
    reply.set_rcode(dns.rcode.SERVFAIL)
    return reply


def test_N01_absent_empty_failing_and_silent_are_kept_apart(names: NameSpace) -> None:
    assert names.ask("nothing.bob.example", "MX").status is Status.NXDOMAIN
    assert names.ask("mx.bob.example", "MX").status is Status.NODATA
    names.changed[BOB] = broken
    failing = names.ask("other.bob.example", "MX")
    assert (failing.status, failing.failed) == (Status.SERVFAIL, True)
    assert "ns.bob.example: servfail" in failing.why
    names.silent.add(BOB)
    silent = names.ask("another.bob.example", "MX")
    assert (silent.status, silent.failed) == (Status.TIMEOUT, True)
    assert {status.value for status in (failing.status, silent.status)} == {"servfail", "timeout"}


def test_a_silent_server_is_asked_twice_and_then_the_next_one(names: NameSpace) -> None:
    names.silent.add(BOB)
    names.ask("bob.example", "MX")
    assert names.path() == ["root-server.test", "top-level.example", "ns.bob.example", "ns.bob.example"]
    two = "bob 60 NS ns1.bob\nbob 60 NS ns2.bob\nns1.bob 60 A 192.0.2.53\nns2.bob 60 A 192.0.2.54\n"
    names.zones["203.0.113.2"]["example"] = Zone("example", "@ 60 IN SOA ns h 1 1 1 1 60\n" + two)
    names.zones["192.0.2.54"] = names.zones[BOB]
    names.cache.forget()
    for _ in range(4):  # whichever comes first, the one that answers is found
        assert names.ask("bob.example", "TXT").texts() == ["v=spf1 mx -all"]
        names.cache.forget()
    assert {"ns1.bob.example", "ns2.bob.example"} <= set(names.path())


def test_a_host_where_nothing_listens_is_not_silent(names: NameSpace) -> None:
    names.changed[BOB] = lambda request, reply: ConnectionRefusedError()
    answer = names.ask("bob.example", "MX")
    assert answer.status is Status.SERVFAIL
    assert names.heard[-1].status == "unreachable"
    assert names.path().count("ns.bob.example") == 1


def refuse(reply: dns.message.Message) -> None:
    reply.set_rcode(dns.rcode.REFUSED)


def without_authority(reply: dns.message.Message) -> None:
    reply.flags &= ~dns.flags.AA


def with_nothing(reply: dns.message.Message) -> None:
    reply.flags &= ~dns.flags.AA
    reply.answer = []


@pytest.mark.parametrize(("harm", "status"), [(refuse, "refused"), (without_authority, "lame"), (with_nothing, "lame")])
def test_a_server_that_is_not_in_charge_is_of_no_help(
        names: NameSpace, harm: Callable[[dns.message.Message], None], status: str) -> None:
    def change(request: Exchange, reply: dns.message.Message) -> dns.message.Message:
        harm(reply)
        return reply
    names.changed[BOB] = change
    assert names.ask("bob.example", "MX").status is Status.SERVFAIL
    assert names.heard[-1].status == status


def test_a_referral_upwards_or_sideways_is_lame(names: NameSpace) -> None:
    def upwards(request: Exchange, reply: dns.message.Message) -> dns.message.Message:
        reply.flags &= ~dns.flags.AA
        reply.answer = []
        reply.authority = [dns.rrset.from_text(owner, 60, "IN", "NS", "ns.provider.test.") for owner in
                           (".", "example.", "bob.example.", "carol.example.")]
        return reply
    names.changed[BOB] = upwards
    assert names.ask("bob.example", "MX").status is Status.SERVFAIL
    assert names.heard[-1].status == "lame"


def test_N02_the_old_answer_is_used_until_its_ttl_ends(names: NameSpace) -> None:
    names.ask("bob.example", "MX")
    names.zones[BOB]["bob.example"] = Zone("bob.example", "$TTL 60\n@ SOA ns h 1 1 1 1 60\n@ NS ns\n@ MX 5 new\n")
    names.now_s = 3599.0
    old = names.ask("bob.example", "MX")
    assert (old.mx()[0], old.ttl_s, old.records[0].ttl_s) == ((10, "mx.bob.example"), 1, 1)
    names.now_s = 3600.0
    assert names.ask("bob.example", "MX").mx() == [(5, "new.bob.example")]


def test_N02_an_absence_is_remembered_for_the_soa_minimum(names: NameSpace) -> None:
    absent = names.ask("nothing.bob.example", "A")
    assert (absent.ttl_s, absent.soa_minimum_s) == (300, 300)
    names.path()
    names.now_s = 299.0
    assert names.ask("nothing.bob.example", "TXT").status is Status.NXDOMAIN  # it holds for every type
    assert names.path() == []
    names.now_s = 300.0
    names.ask("nothing.bob.example", "A")
    assert names.path() == ["ns.bob.example"]


def test_N03_aliases_are_followed_also_into_other_zones(names: NameSpace) -> None:
    inside = names.ask("www.bob.example", "A")
    assert (inside.addresses(), inside.cname_chain, inside.ask) == (
        ["192.0.2.25"], ("mx.bob.example",), Ask("www.bob.example", "A"))
    assert names.path() == ["root-server.test", "top-level.example", "ns.bob.example"]
    outside = names.ask("away.bob.example", "A")
    assert (outside.addresses(), outside.canonical_name) == (["198.51.100.25"], "mx.provider.test")
    assert names.path() == ["ns.bob.example", "root-server.test", "top-level.test", "ns.provider.test"]
    names.ask("away.bob.example", "A")
    assert names.path() == []
    lost = names.ask("lost.bob.example", "A")
    assert (lost.status, lost.canonical_name) == (Status.NXDOMAIN, "nothing.bob.example")
    alias = names.ask("www.bob.example", "CNAME")
    assert (alias.names(), alias.cname_chain) == (["mx.bob.example"], ())


def test_N03_a_server_that_leaves_the_last_name_of_a_chain_open_is_asked_for_it(names: NameSpace) -> None:
    def only_the_alias(request: Exchange, reply: dns.message.Message) -> dns.message.Message:
        del reply.answer[1:]
        return reply
    names.changed[BOB] = only_the_alias
    assert names.ask("www.bob.example", "A").addresses() == ["192.0.2.25"]
    assert names.path()[2:] == ["ns.bob.example", "ns.bob.example"]


def test_N03_aliases_in_a_circle_end(names: NameSpace) -> None:
    answer = names.ask("round.bob.example", "A")
    assert (answer.status, answer.cname_chain) == (Status.SERVFAIL, ("about.bob.example",))
    chain = "".join(f"a{n} CNAME a{n + 1}\n" for n in range(40))
    names.zones[BOB]["bob.example"] = Zone("bob.example", "$TTL 60\n@ SOA ns h 1 1 1 1 60\n" + chain)
    names.path()
    assert names.ask("a0.bob.example", "A").status is Status.SERVFAIL
    assert len(names.path()) < STEPS


def test_N04_records_outside_the_servers_zone_are_not_believed(names: NameSpace) -> None:
    def poison(request: Exchange, reply: dns.message.Message) -> dns.message.Message:
        reply.answer.append(dns.rrset.from_text("mx.provider.test.", 60, "IN", "A", "203.0.113.66"))
        reply.authority.append(dns.rrset.from_text("test.", 60, "IN", "NS", "ns.bob.example."))
        reply.additional.append(dns.rrset.from_text("top-level.test.", 60, "IN", "A", "203.0.113.66"))
        return reply
    names.changed[BOB] = poison
    names.ask("bob.example", "MX")
    assert names.ask("away.bob.example", "A").addresses() == ["198.51.100.25"]
    assert names.ask("backup.provider.test", "A").addresses() == ["198.51.100.26"]
    assert "203.0.113.66" not in {request.server_address for request in names.asked}


def test_N04_glue_outside_the_parents_zone_is_not_believed(names: NameSpace) -> None:
    def poison(request: Exchange, reply: dns.message.Message) -> dns.message.Message:
        reply.additional = [dns.rrset.from_text("ns.provider.test.", 60, "IN", "A", "203.0.113.66")]
        return reply
    names.changed["203.0.113.2"] = poison
    assert names.ask("carol.example", "MX").status is Status.ANSWER
    assert "203.0.113.66" not in {request.server_address for request in names.asked}


def test_N07_a_cut_reply_is_asked_for_again_by_tcp(names: NameSpace) -> None:
    answer = names.ask("big.bob.example", "TXT")
    assert [len(text) for text in answer.texts()] == [1750]
    assert [request.transport for request in names.asked] == ["udp", "udp", "udp", "tcp"]
    assert [heard.status for heard in names.heard] == ["referral", "referral", "truncated", "answer"]


def test_the_work_for_one_answer_is_bounded(names: NameSpace) -> None:
    class Deeper:
        """A server that always knows somebody further down."""

        depth = 2

        def __call__(self, request: Exchange, reply: dns.message.Message) -> dns.message.Message:
            self.depth += 1
            zone = ".".join(request.question.name.split(".")[-self.depth:]) + "."
            reply.set_rcode(dns.rcode.NOERROR)
            reply.flags &= ~dns.flags.AA
            reply.authority = [dns.rrset.from_text(zone, 60, "IN", "NS", "ns." + zone)]
            reply.additional = [dns.rrset.from_text("ns." + zone, 60, "IN", "A", BOB)]
            return reply
    names.changed[BOB] = Deeper()
    answer = names.ask("a." * 60 + "bob.example", "A")
    assert (answer.status, len(names.asked)) == (Status.SERVFAIL, STEPS)
    assert answer.why == f"gave up after {STEPS} questions"


def test_a_negative_reply_without_soa_is_not_remembered(names: NameSpace) -> None:
    names.zones[BOB]["bob.example"] = Zone("bob.example", "@ 60 NS ns\n")
    assert names.ask("x.bob.example", "A") == Answer(Ask("x.bob.example", "A"), Status.NXDOMAIN)
    names.path()
    names.ask("x.bob.example", "A")
    assert names.path() == ["ns.bob.example"]


def test_the_same_seed_asks_the_same_servers_in_the_same_order() -> None:
    def story() -> list[str]:
        names = NameSpace()
        four = "".join(f"bob 60 NS ns{n}.bob\nns{n}.bob 60 A 192.0.2.10{n}\n" for n in range(4))
        names.zones["203.0.113.2"]["example"] = Zone("example", "@ 60 IN SOA ns h 1 1 1 1 60\n" + four)
        names.ask("bob.example", "MX")
        return names.path()
    assert story() == story()
    assert len(set(story())) == 6
