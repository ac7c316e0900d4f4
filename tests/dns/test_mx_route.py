"""The choice of the mail host (RFC 5321 section 5.1), asked of a dictionary."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Generator
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.names import NameSpace

from simulator.dns.mx import Hop, Problem, Route, addresses_of, order_mx, route
from simulator.dns.questions import Answer, Ask, Record, Security, Status
from simulator.dns.zones import Zone

Result = TypeVar("Result")
Book = dict[tuple[str, str], Answer]


def answer(name: str, rdtype: str, *texts: str, status: Status = Status.ANSWER, chain: tuple[str, ...] = (),
           security: Security = Security.INSECURE) -> tuple[tuple[str, str], Answer]:
    owner = chain[-1] if chain else name
    records = tuple(Record(owner, 60, rdtype, text) for text in texts)
    return (name, rdtype), Answer(Ask(name, rdtype), status, records, security, 60, chain)


def ask(rule: Generator[Ask, Answer, Result], *answers: tuple[tuple[str, str], Answer]) -> tuple[Result, list[str]]:
    """Drive a rule with the given answers; what is not given has no data. Return the result and what was asked."""
    book, asked = dict(answers), []
    try:
        question = next(rule)
        while True:
            asked.append(str(question))
            question = rule.send(book.get((question.name, question.rdtype), Answer(question, Status.NODATA)))
    except StopIteration as stop:
        return stop.value, asked


def rng() -> random.Random:
    return random.Random(7)


def problem_of(found: Route) -> tuple[int, str, bool]:
    assert found.problem is not None
    assert found.hosts == ()
    return found.problem.code, found.problem.enhanced, found.problem.temporary


def test_R01_the_domain_of_the_envelope_is_all_that_is_asked() -> None:
    found, asked = ask(route("Bob.Example.", rng=rng()), answer("bob.example", "MX", "10 mx.bob.example."))
    assert found == Route("bob.example", (Hop(10, "mx.bob.example"),))
    assert asked == ["bob.example MX"]


def test_R02_mail_for_an_alias_goes_where_the_real_name_says() -> None:
    found, asked = ask(route("alias.example", rng=rng()),
                       answer("alias.example", "MX", "10 mx.bob.example.", chain=("bob.example",)))
    assert (found.hosts, found.cname_chain) == ((Hop(10, "mx.bob.example"),), ("bob.example",))
    assert asked == ["alias.example MX"]
    implicit, asked = ask(route("alias.example", rng=rng()),
                          answer("alias.example", "MX", status=Status.NODATA, chain=("bob.example",)),
                          answer("bob.example", "A", "192.0.2.7"))
    assert (implicit.hosts, implicit.implicit_mx) == ((Hop(0, "bob.example", ("192.0.2.7",)),), True)
    assert asked == ["alias.example MX", "bob.example A", "bob.example AAAA"]


@pytest.mark.parametrize(("status", "expected"), [
    (Status.NXDOMAIN, (550, "5.1.2", False)),
    (Status.SERVFAIL, (451, "4.4.3", True)),
    (Status.TIMEOUT, (451, "4.4.3", True)),
])
def test_R02_what_is_absent_fails_and_what_fails_waits(status: Status, expected: tuple[int, str, bool]) -> None:
    found, asked = ask(route("bob.example", rng=rng()), answer("bob.example", "MX", status=status))
    assert problem_of(found) == expected
    assert asked == ["bob.example MX"]


def test_R02_bogus_signatures_wait() -> None:
    found, _ = ask(route("bob.example", rng=rng()),
                   answer("bob.example", "MX", "10 mx.bob.example.", security=Security.BOGUS))
    assert problem_of(found) == (451, "4.4.3", True)


@pytest.mark.parametrize("domain", ["", ".", "a..example", "x" * 64 + ".example"])
def test_R02_what_is_no_name_is_not_asked_for(domain: str) -> None:
    found, asked = ask(route(domain, rng=rng()))
    assert problem_of(found) == (550, "5.1.2", False)
    assert asked == []


def test_R03_a_domain_without_mx_stands_for_itself() -> None:
    found, asked = ask(route("bob.example", rng=rng()), answer("bob.example", "A", "192.0.2.7", "192.0.2.8"),
                       answer("bob.example", "AAAA", "2001:db8::7"))
    hop = Hop(0, "bob.example", ("192.0.2.7", "192.0.2.8", "2001:db8::7"))
    assert found == Route("bob.example", (hop,), implicit_mx=True)
    assert asked == ["bob.example MX", "bob.example A", "bob.example AAAA"]


def test_R03_without_an_address_there_is_no_implicit_mx() -> None:
    found, _ = ask(route("bob.example", rng=rng()))
    assert problem_of(found) == (550, "5.1.2", False)
    assert found.implicit_mx
    found, _ = ask(route("bob.example", rng=rng()), answer("bob.example", "A", status=Status.TIMEOUT))
    assert problem_of(found) == (451, "4.4.3", True)


def test_R04_the_domains_own_address_is_never_a_way_out() -> None:
    found, asked = ask(route("bob.example", rng=rng()), answer("bob.example", "MX", "10 dead.bob.example."),
                       answer("bob.example", "A", "192.0.2.7"))
    assert (found.hosts, found.problem) == ((Hop(10, "dead.bob.example"),), None)
    host, more = ask(addresses_of("dead.bob.example"), answer("bob.example", "A", "192.0.2.7"))
    assert (host.addresses, host.problem) == (
        (), Problem(550, "5.4.4", "The mail host dead.bob.example has no address", temporary=False))
    assert asked + more == ["bob.example MX", "dead.bob.example A", "dead.bob.example AAAA"]


def test_R05_lower_preferences_come_first() -> None:
    texts = ["30 c.example.", "10 a.example.", "65535 z.example.", "0 first.example.", "20 b.example."]
    found, _ = ask(route("bob.example", rng=rng()), answer("bob.example", "MX", *texts))
    assert [hop.host for hop in found.hosts] == ["first.example", "a.example", "b.example", "c.example", "z.example"]


def test_R05_equal_preferences_come_in_random_order() -> None:
    dice = random.Random(2026)
    hosts = [(10, "a.example"), (10, "b.example"), (10, "c.example"), (20, "d.example")]
    draws = Counter(tuple(host for _, host in order_mx(hosts, dice)) for _ in range(1000))
    assert len(draws) == 6
    assert all(order[-1] == "d.example" for order in draws)
    chi_squared = sum((count - 1000 / 6) ** 2 / (1000 / 6) for count in draws.values())
    assert chi_squared < 20.515  # 5 degrees of freedom, 0.1 %


def test_R05_the_seed_decides_and_not_the_order_of_the_answer() -> None:
    hosts = [(10, f"{letter}.example") for letter in "abcdefgh"]
    assert order_mx(hosts, rng()) == order_mx(hosts[::-1], rng())
    assert order_mx(hosts, rng()) != sorted(hosts)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcdef")), max_size=10), st.sampled_from("abcdef"))
def test_R05_R09_any_list_is_sorted_whole_and_leads_away_from_us(records: list[tuple[int, str]], own: str) -> None:
    ordered = order_mx(records, rng())
    assert [preference for preference, _ in ordered] == sorted(preference for preference, _ in ordered)
    assert {host for _, host in ordered} == {host for _, host in records}
    assert len(ordered) == len({host for _, host in ordered})
    own_preference = min((preference for preference, host in records if host == own), default=99)
    kept = order_mx(records, rng(), own)
    assert sorted(kept) == sorted(pair for pair in ordered if pair[0] < own_preference)


def test_R06_all_addresses_in_the_resolvers_order_ipv4_first() -> None:
    found, asked = ask(addresses_of("mx.bob.example"), answer("mx.bob.example", "AAAA", "2001:db8::9", "2001:db8::1"),
                       answer("mx.bob.example", "A", "192.0.2.9", "192.0.2.1"))
    assert found.addresses == ("192.0.2.9", "192.0.2.1", "2001:db8::9", "2001:db8::1")
    assert (found.problem, found.warning, asked) == (None, "", ["mx.bob.example A", "mx.bob.example AAAA"])


def test_R06_one_family_is_enough_and_a_failure_is_temporary() -> None:
    failing = answer("mx.bob.example", "A", status=Status.SERVFAIL)
    found, _ = ask(addresses_of("mx.bob.example"), failing, answer("mx.bob.example", "AAAA", "2001:db8::9"))
    assert (found.addresses, found.problem) == (("2001:db8::9",), None)
    found, _ = ask(addresses_of("mx.bob.example"), failing)
    assert found.problem is not None
    assert (found.problem.enhanced, found.problem.temporary) == ("4.4.3", True)
    found, asked = ask(addresses_of("mx.bob.example"), answer("mx.bob.example", "A", status=Status.NXDOMAIN))
    assert found.problem == Problem(550, "5.4.4", "The mail host mx.bob.example does not exist", temporary=False)
    assert asked == ["mx.bob.example A"]


def test_R07_a_mail_host_that_is_an_alias_works_with_a_warning() -> None:
    found, _ = ask(addresses_of("www.bob.example"),
                   answer("www.bob.example", "A", "192.0.2.9", chain=("mx.bob.example",)))
    assert found.addresses == ("192.0.2.9",)
    assert found.warning == ("The mail host www.bob.example is an alias of mx.bob.example; "
                             "an MX record should name the host itself.")


def test_R08_a_null_mx_takes_no_mail_at_all() -> None:
    found, asked = ask(route("bob.example", rng=rng()), answer("bob.example", "MX", "0 ."),
                       answer("bob.example", "A", "192.0.2.7"))
    assert problem_of(found) == (556, "5.1.10", False)
    assert asked == ["bob.example MX"]
    found, _ = ask(route("bob.example", rng=rng()), answer("bob.example", "MX", "0 .", "10 mx.bob.example."))
    assert found.hosts == (Hop(10, "mx.bob.example"),)


def test_R09_a_backup_sends_only_to_better_hosts() -> None:
    records = answer("bob.example", "MX", "10 mx.bob.example.", "20 Backup.Example.", "20 other.example.",
                     "30 worse.example.")
    found, _ = ask(route("bob.example", rng=rng(), own_names={"backup.example"}), records)
    assert found.hosts == (Hop(10, "mx.bob.example"),)
    found, _ = ask(route("bob.example", rng=rng(), own_names={"mx.bob.example", "alias.example"}), records)
    assert problem_of(found) == (554, "5.4.6", False)
    assert order_mx([(10, "a.example"), (20, "us.example")], rng(), "US.example.") == [(10, "a.example")]


def test_R09_a_host_that_stands_for_its_domain_does_not_send_to_itself() -> None:
    found, asked = ask(route("bob.example", rng=rng(), own_names={"bob.example"}))
    assert problem_of(found) == (554, "5.4.6", False)
    assert asked == ["bob.example MX"]


@pytest.mark.parametrize(("literal", "address"), [("[192.0.2.7]", "192.0.2.7"), ("[IPv6:2001:DB8::7]", "2001:db8::7")])
def test_an_address_literal_needs_no_question(literal: str, address: str) -> None:
    found, asked = ask(route(literal, rng=rng()))
    assert (found.hosts, asked) == ((Hop(0, literal, (address,)),), [])
    host, asked = ask(addresses_of(literal))
    assert (host.addresses, asked) == ((address,), [])


@pytest.mark.parametrize("literal", ["[192.0.2.300]", "[2001:db8::7]", "[192.0.2.7", "[]", "[x-tag:content]"])
def test_a_wrong_address_literal_fails(literal: str) -> None:
    found, _ = ask(route(literal, rng=rng()))
    assert problem_of(found) == (550, "5.1.2", False)
    host, _ = ask(addresses_of(literal))
    assert host.problem is not None


def test_N01_four_kinds_of_zones_make_four_kinds_of_routes() -> None:
    names = NameSpace()
    silent, failing = "192.0.2.61", "192.0.2.62"
    names.children.update({"silent.example": ("ns.silent.example", silent),
                           "failing.example": ("ns.failing.example", failing),
                           "plain.example": ("ns.bob.example", "192.0.2.53")})
    names.zones[failing] = {}  # refuses everything
    names.add("192.0.2.53", Zone("plain.example", "@ 60 SOA ns h 1 1 1 1 60\n@ 60 A 192.0.2.7\n"))
    found = {domain: names.run(route(domain, rng=rng())) for domain in (
        "nobody.example", "plain.example", "failing.example", "silent.example")}
    assert problem_of(found["nobody.example"]) == (550, "5.1.2", False)
    assert found["plain.example"].hosts == (Hop(0, "plain.example", ("192.0.2.7",)),)
    assert problem_of(found["failing.example"]) == (451, "4.4.3", True)
    assert problem_of(found["silent.example"]) == (451, "4.4.3", True)
    assert found["silent.example"].problem != found["failing.example"].problem
