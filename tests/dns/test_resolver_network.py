"""The resolver of a host on the small internet and on an ordinary loop: what it asks, when, and what is recorded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

import pytest
from support.names import BOB_ZONE, ROOT, NameSpace

from simulator.dns.cache import Cache
from simulator.dns.mx import addresses_of, route
from simulator.dns.questions import Answer, Ask, Status
from simulator.dns.resolver import Resolver
from simulator.dns.server import RunningDns, serve_dns
from simulator.dns.zones import Zone
from simulator.network.loop import NetworkLoop, new_loop
from simulator.trace.events import ConnectionOpened, DnsAnswered, DnsAsked, Event
from simulator.trace.recorder import Recorder

Result = TypeVar("Result")
Kind = TypeVar("Kind", bound=Event)
ASKER = "192.0.2.25"


class SmallInternet:
    """The name space of the tests, running on a network loop."""

    def __init__(self, medium: str) -> None:
        self.loop: NetworkLoop = new_loop(medium, latency_s=0.02)
        self.names = NameSpace()
        self.servers: list[RunningDns] = []
        for number, address in enumerate(self.names.zones):
            self.loop.network.add_host(f"server{number}.test", address)
        self.loop.network.add_host("mail.alice.example", ASKER)

    def run(self, use: Callable[[Resolver], Awaitable[Result]]) -> Result:
        """Start the servers, let `use` work with a resolver, and close everything."""
        async def main() -> Result:
            self.servers = [await serve_dns(self.loop, address, zones) for address, zones in self.names.zones.items()]
            resolver = Resolver(self.loop, "mail.alice.example", ASKER, [ROOT], self.loop.recorder,
                                Cache(self.loop.time), random.Random(4))
            try:
                return await use(resolver)
            finally:
                for server in self.servers:
                    server.close()
                await self.loop.network.quiet()
        asyncio.set_event_loop(self.loop)
        try:
            with self.loop.clock.call():
                return self.loop.run_until_complete(main())
        finally:
            asyncio.set_event_loop(None)
            self.loop.close()

    def events(self, kind: type[Kind]) -> list[Kind]:
        """Return what was recorded of one kind."""
        return [event for event in self.loop.recorder.trace().events if isinstance(event, kind)]


@pytest.fixture(params=["memory", "loopback"])
def internet(request: pytest.FixtureRequest) -> SmallInternet:
    return SmallInternet(request.param)


def test_every_step_from_the_root_down_is_recorded(internet: SmallInternet) -> None:
    async def use(resolver: Resolver) -> None:
        answer = await resolver.ask(Ask("bob.example", "MX"), message="m1", cause=None)
        assert answer.mx()[0] == (10, "mx.bob.example")
        assert internet.loop.time() == pytest.approx(3 * 0.04)  # three round trips
        assert resolver.last_event == internet.events(DnsAnswered)[-1].number
    internet.run(use)
    asked, answered = internet.events(DnsAsked), internet.events(DnsAnswered)
    steps = sorted([*asked, *answered, *internet.events(ConnectionOpened)], key=lambda event: event.number)
    assert [event.kind for event in steps] == ["ConnectionOpened", "DnsAsked", "DnsAnswered"] * 3
    assert [(event.server, event.server_address, event.transport) for event in asked] == [
        ("root-server.test", "203.0.113.1", "udp"), ("top-level.example", "203.0.113.2", "udp"),
        ("ns.bob.example", "192.0.2.53", "udp")]
    assert [event.status for event in answered] == ["referral", "referral", "answer"]
    assert {(event.host, event.message) for event in steps} == {("mail.alice.example", "m1")}
    # every event names the one that led to it, and the connection that it happened on
    assert [event.cause for event in asked] == [None, answered[0].number, answered[1].number]
    assert [event.cause for event in answered] == [event.number for event in asked]
    assert [event.connection for event in asked] == [event.connection for event in answered]
    assert len({event.connection for event in asked}) == 3


def test_what_is_remembered_is_recorded_as_coming_from_the_cache(internet: SmallInternet) -> None:
    async def use(resolver: Resolver) -> None:
        await resolver.ask(Ask("bob.example", "MX"))
        before = internet.loop.time()
        await resolver.ask(Ask("bob.example", "MX"), message="m2", cause=7)
        assert internet.loop.time() == before
    internet.run(use)
    last = internet.events(DnsAnswered)[-1]
    assert (last.server, last.status, last.message, last.cause, last.connection) == ("cache", "answer", "m2", 7, None)


def test_rules_are_driven_and_their_questions_form_a_chain(internet: SmallInternet) -> None:
    async def use(resolver: Resolver) -> None:
        found = await resolver.run(route("bob.example", rng=random.Random(1)), message="m1")
        assert [hop.host for hop in found.hosts] == ["mx.bob.example", "backup.provider.test"]
        host = await resolver.run(addresses_of("mx.bob.example"), message="m1", cause=resolver.last_event)
        assert host.addresses == ("192.0.2.25", "2001:db8::25")
    internet.run(use)
    events = sorted([*internet.events(DnsAsked), *internet.events(DnsAnswered)], key=lambda event: event.number)
    assert [event.cause for event in events] == [None, *(event.number for event in events[:-1])]


def test_N07_large_answers_come_by_tcp(internet: SmallInternet) -> None:
    async def use(resolver: Resolver) -> None:
        assert len((await resolver.ask(Ask("big.bob.example", "TXT"))).texts()[0]) == 1750
    internet.run(use)
    assert [event.transport for event in internet.events(DnsAsked)] == ["udp", "udp", "udp", "tcp"]
    assert [event.status for event in internet.events(DnsAnswered)][-2:] == ["truncated", "answer"]


def test_N01_silence_takes_two_time_outs_and_a_closed_port_none(internet: SmallInternet) -> None:
    async def use(resolver: Resolver) -> None:
        internet.loop.network.hosts["192.0.2.53"].silent = True
        answer = await resolver.ask(Ask("bob.example", "MX"))
        assert answer.status is Status.TIMEOUT
        assert internet.loop.time() == pytest.approx(2 * 0.04 + 2 * 5.0)
        internet.loop.network.hosts["192.0.2.53"].silent = False
        next(server for server in internet.servers if server.address == "192.0.2.53").close()
        before = internet.loop.time()
        answer = await resolver.ask(Ask("bob.example", "MX"))
        assert answer.status is Status.SERVFAIL
        assert internet.loop.time() - before == pytest.approx(0.04)
    internet.run(use)
    assert [event.status for event in internet.events(DnsAnswered)] == [
        "referral", "referral", "timeout", "timeout", "unreachable"]


def test_N02_simulated_days_end_a_ttl(internet: SmallInternet) -> None:
    async def use(resolver: Resolver) -> None:
        await resolver.ask(Ask("bob.example", "MX"))
        changed = "$TTL 60\n@ SOA ns h 1 1 1 1 60\n@ MX 5 new\n"
        internet.names.zones["192.0.2.53"]["bob.example"] = Zone("bob.example", changed)
        assert (await resolver.ask(Ask("bob.example", "MX"))).mx()[0] == (10, "mx.bob.example")
        await asyncio.sleep(3600)
        assert (await resolver.ask(Ask("bob.example", "MX"))).mx() == [(5, "new.bob.example")]
    internet.run(use)


def test_two_runs_with_one_seed_are_the_same() -> None:
    def story() -> list[Event]:
        internet = SmallInternet("memory")

        async def use(resolver: Resolver) -> None:
            await asyncio.gather(*(resolver.ask(Ask(name, "A")) for name in (
                "www.bob.example", "away.bob.example", "mx.provider.test", "nothing.example")))
        internet.run(use)
        return list(internet.loop.recorder.trace().events)
    first = story()
    assert first == story()
    assert len(first) > 20


def test_the_resolver_also_works_on_an_ordinary_loop() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        home = "127.0.0.1"
        running = await serve_dns(loop, home, {"bob.example": Zone("bob.example", BOB_ZONE)}, port=0)
        recorder = Recorder(loop.time)
        resolver = Resolver(loop, "mail.alice.example", home, [("localhost.test", home)], recorder, Cache(loop.time),
                            random.Random(1), port=running.port)
        try:
            assert (await resolver.ask(Ask("bob.example", "MX"))).mx()[0] == (10, "mx.bob.example")
            assert (await resolver.ask(Ask("big.bob.example", "TXT"))).status is Status.ANSWER
        finally:
            running.close()
        assert [(event.kind, event.connection) for event in recorder.trace().events] == [
            ("DnsAsked", None), ("DnsAnswered", None)] * 3
    asyncio.run(main())


def test_a_rule_that_breaks_is_closed_and_its_error_seen(internet: SmallInternet) -> None:
    async def use(resolver: Resolver) -> None:
        def rule() -> Generator[Ask, Answer, None]:
            try:
                yield Ask("bob.example", "MX")
                raise LookupError("broken")
            finally:
                closed.append(True)
        with pytest.raises(LookupError):
            await resolver.run(rule())
    closed: list[bool] = []
    internet.run(use)
    assert closed == [True]
