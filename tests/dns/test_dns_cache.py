"""What is remembered, and for how long."""

from __future__ import annotations

from simulator.dns.cache import LONGEST_NEGATIVE_S, LONGEST_S, Cache, Delegation
from simulator.dns.questions import Answer, Ask, Record, Status

MX = Ask("bob.example", "MX")


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def answer(ask: Ask = MX, status: Status = Status.ANSWER, ttl_s: int = 60) -> Answer:
    records = (Record(ask.name, ttl_s, ask.rdtype, "10 mx.bob.example."),) if status is Status.ANSWER else ()
    return Answer(ask, status, records, ttl_s=ttl_s)


def test_N02_answers_are_kept_for_their_ttl() -> None:
    clock = Clock()
    cache = Cache(clock)
    cache.put(answer())
    clock.now_s = 20.5
    found = cache.get(MX)
    assert found is not None
    assert (found.ttl_s, found.records[0].ttl_s) == (39, 39)
    clock.now_s = 60.0
    assert cache.get(MX) is None
    assert len(cache) == 0


def test_N02_absences_are_kept_with_their_kind() -> None:
    cache = Cache(Clock())
    cache.put(answer(status=Status.NODATA))
    assert cache.get(MX) == answer(status=Status.NODATA)
    assert cache.get(Ask("bob.example", "A")) is None  # NODATA is about one type
    cache.put(answer(Ask("x.example", "MX"), Status.NXDOMAIN))
    found = cache.get(Ask("x.example", "A"))
    assert found is not None
    assert (found.status, found.ask) == (Status.NXDOMAIN, Ask("x.example", "A"))
    cache.put(answer(Ask("x.example", "A")))
    assert cache.get(Ask("x.example", "MX")) is None  # the name has come into being


def test_failures_and_zero_ttls_are_not_kept() -> None:
    cache = Cache(Clock())
    for status in (Status.SERVFAIL, Status.TIMEOUT):
        cache.put(answer(status=status))
    cache.put(answer(ttl_s=0))
    assert len(cache) == 0


def test_nothing_is_kept_for_ever() -> None:
    clock = Clock()
    cache = Cache(clock)
    cache.put(answer(ttl_s=2**31 - 1))
    cache.put(answer(Ask("x.example", "A"), Status.NXDOMAIN, 2**31 - 1))
    clock.now_s = LONGEST_NEGATIVE_S
    assert cache.get(Ask("x.example", "A")) is None
    assert cache.get(MX) is not None
    clock.now_s = LONGEST_S
    assert cache.get(MX) is None


def test_a_full_cache_drops_what_was_used_least_recently() -> None:
    cache = Cache(Clock(), size=2)
    first, second, third = (Ask(f"{letter}.example", "A") for letter in "abc")
    cache.put(answer(first))
    cache.put(answer(second))
    assert cache.get(first) is not None
    cache.put(answer(third))
    assert [cache.get(ask) is not None for ask in (first, second, third)] == [True, False, True]
    cache.forget()
    assert len(cache) == 0


def test_the_closest_zone_is_found_and_is_no_answer() -> None:
    clock = Clock()
    cache = Cache(clock)
    example = Delegation("example", (("ns.example", ("203.0.113.2",)),))
    bob = Delegation("bob.example", (("ns.bob.example", ()),))
    cache.put_delegation(example, 100)
    cache.put_delegation(bob, 50)
    assert cache.closest_delegation("mx.bob.example") == bob
    assert cache.closest_delegation("bob.example") == bob
    assert cache.closest_delegation("rob.example") == example
    assert cache.closest_delegation("test") is None
    assert cache.get(Ask("bob.example", "NS")) is None
    clock.now_s = 50.0
    assert cache.closest_delegation("mx.bob.example") == example
