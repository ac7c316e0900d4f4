"""A small name space without a network: root, `example.`, `test.`, some organisations, and somebody who asks them."""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from typing import TypeVar

import dns.message

from simulator.dns.answering import AnyZone, answer_from, to_octets
from simulator.dns.cache import Cache
from simulator.dns.questions import Answer, Ask
from simulator.dns.resolve import Exchange, Heard, Server, resolve
from simulator.dns.zones import DelegatingZone, Zone

Result = TypeVar("Result")

ROOT = Server("root-server.test", "203.0.113.1")

BOB_ZONE = """\
$TTL 3600
@      IN SOA ns hostmaster 1 7200 900 1209600 300
       IN NS  ns
       IN MX  10 mx
       IN MX  20 backup.provider.test.
       IN TXT "v=spf1 mx -all"
ns     IN A   192.0.2.53
mx     IN A   192.0.2.25
       IN AAAA 2001:db8::25
www    IN CNAME mx
away   IN CNAME mx.provider.test.
lost   IN CNAME nothing
round  IN CNAME about
about  IN CNAME round
big    IN TXT "{}" "{}" "{}" "{}" "{}" "{}" "{}"
""".format(*(letter * 250 for letter in "abcdefg"))

PROVIDER_ZONE = """\
$TTL 3600
@      IN SOA ns hostmaster 1 7200 900 1209600 300
       IN NS  ns
ns     IN A   198.51.100.53
mx     IN A   198.51.100.25
backup IN A   198.51.100.26
"""

CAROL_ZONE = """\
$TTL 3600
@      IN SOA ns.provider.test. hostmaster 1 7200 900 1209600 300
       IN NS  ns.provider.test.
       IN MX  10 mx.provider.test.
"""


class NameSpace:
    """Servers by address, each with its zones; some can be silent, or have their replies changed."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.cache = Cache(lambda: self.now_s)
        self.zones: dict[str, dict[str, AnyZone]] = {}
        self.silent: set[str] = set()
        self.changed: dict[str, Callable[[Exchange, dns.message.Message], dns.message.Message | OSError | None]] = {}
        self.asked: list[Exchange] = []
        self.heard: list[Heard] = []
        self.rng = random.Random(1)
        self.add(ROOT.address, DelegatingZone("", *ROOT, {
            "example": ("top-level.example", "203.0.113.2"), "test": ("top-level.test", "203.0.113.3")}))
        self.children = {
            "bob.example": ("ns.bob.example", "192.0.2.53"), "carol.example": ("ns.provider.test", "198.51.100.53")}
        self.add("203.0.113.2", DelegatingZone("example", "top-level.example", "203.0.113.2", self.children))
        self.add("203.0.113.3", DelegatingZone("test", "top-level.test", "203.0.113.3", {
            "provider.test": ("ns.provider.test", "198.51.100.53")}))
        self.add("192.0.2.53", Zone("bob.example", BOB_ZONE))
        self.add("198.51.100.53", Zone("provider.test", PROVIDER_ZONE), Zone("carol.example", CAROL_ZONE))

    def add(self, address: str, *zones: AnyZone) -> None:
        """Put zones on the server at an address."""
        self.zones.setdefault(address, {}).update({zone.origin: zone for zone in zones})

    def ask(self, name: str, rdtype: str) -> Answer:
        """Resolve one question."""
        steps = resolve(Ask(name, rdtype), cache=self.cache, roots=[ROOT], rng=self.rng, heard=self.heard.append)
        outcome: dns.message.Message | OSError | None = None
        try:
            request = next(steps)
            while True:
                self.asked.append(request)
                outcome = self.exchange(request)
                request = steps.send(outcome)
        except StopIteration as stop:
            answer: Answer = stop.value
            return answer

    def exchange(self, request: Exchange) -> dns.message.Message | OSError | None:
        """Let one server answer."""
        if request.server_address in self.silent or request.server_address not in self.zones:
            return None
        query = dns.message.make_query(request.question.name or ".", request.question.rdtype, use_edns=0, payload=1232)
        reply: dns.message.Message | OSError | None = answer_from(self.zones[request.server_address], query)
        change = self.changed.get(request.server_address)
        if change is not None and isinstance(reply, dns.message.Message):
            reply = change(request, reply)
        if isinstance(reply, dns.message.Message):
            reply = dns.message.from_wire(to_octets(reply, query, request.transport))
        return reply

    def run(self, rule: Generator[Ask, Answer, Result]) -> Result:
        """Drive a rule that asks."""
        try:
            ask = next(rule)
            while True:
                ask = rule.send(self.ask(ask.name, ask.rdtype))
        except StopIteration as stop:
            result: Result = stop.value
            return result

    def path(self) -> list[str]:
        """Return who was asked so far, and forget it."""
        servers = [request.server_name for request in self.asked]
        self.asked.clear()
        return servers
