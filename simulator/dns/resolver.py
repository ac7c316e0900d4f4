"""The resolver of one host: drives the rules of `resolve` over the network and writes every step into the trace."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from random import Random
from typing import TypeVar

from simulator.dns.cache import Cache
from simulator.dns.exchange import DNS_PORT, TIMEOUT_S, Loop, exchange
from simulator.dns.questions import Answer, Ask
from simulator.dns.resolve import Exchange, Heard, Outcome, Server, resolve
from simulator.errors import InternalError
from simulator.trace.events import DnsAnswered, DnsAsked
from simulator.trace.recorder import Recorder

Result = TypeVar("Result")


class Resolver:
    """Asks on behalf of one host.

    `host` and `address` are the host's name and logical address, `roots` the (name, address) of the root's servers,
    `cache` what it remembers; `rng` decides all that has to be unpredictable, the same in every run.
    """

    def __init__(self, loop: Loop, host: str, address: str, roots: Iterable[tuple[str, str]], recorder: Recorder,
                 cache: Cache, rng: Random, *, port: int = DNS_PORT, timeout_s: float = TIMEOUT_S) -> None:
        self.host, self.address = host, address
        self.roots = tuple(Server(*root) for root in roots)
        self.cache = cache
        self.last_event: int | None = None
        """Number of the event that brought the latest answer: the cause of what is done with it. Read it at once."""
        self._loop, self._recorder, self._rng = loop, recorder, rng
        self._port, self._timeout_s = port, timeout_s

    async def ask(self, ask: Ask, message: str | None = None, cause: int | None = None) -> Answer:
        """Find the answer to one question, from the cache or from the root down. Failures are answers too (`status`).

        `message` labels what is recorded, and `cause` is the event that made the host ask.
        """
        story = _Story(self._recorder, self.host, message, cause)
        steps = resolve(ask, cache=self.cache, roots=self.roots, rng=self._rng, heard=story.heard)
        outcome: Outcome = None
        try:
            request = next(steps)
            while True:
                outcome = await self._exchange(request, story)
                request = steps.send(outcome)
        except StopIteration as stop:
            self.last_event = story.last
            answer = stop.value
        finally:
            steps.close()
        if not isinstance(answer, Answer):
            raise InternalError(f"The resolver of {self.host} ended without an answer to {ask}; please report it.")
        return answer

    async def run(self, rule: Generator[Ask, Answer, Result], message: str | None = None,
                  cause: int | None = None) -> Result:
        """Drive a rule that asks, such as `mx.route`, and return its result; one answer causes the next question."""
        self.last_event = cause
        last = cause
        try:
            ask = next(rule)
            while True:
                answer = await self.ask(ask, message, last)
                last = self.last_event
                ask = rule.send(answer)
        except StopIteration as stop:
            self.last_event = last
            result: Result = stop.value
            return result
        finally:
            rule.close()

    async def _exchange(self, request: Exchange, story: _Story) -> Outcome:
        story.request = request
        try:
            return await exchange(self._loop, request.question, request.server_address, source_address=self.address,
                                  rng=self._rng, transport=request.transport, timeout_s=self._timeout_s,
                                  port=self._port, message=story.message, cause=story.last, on_sent=story.sent)
        except OSError as error:
            return error


class _Story:
    """Writes down one resolution: every event is caused by the one before."""

    request: Exchange

    def __init__(self, recorder: Recorder, host: str, message: str | None, cause: int | None) -> None:
        self._recorder, self._host, self.message, self.last = recorder, host, message, cause
        self._connection: int | None = None

    def sent(self, connection: int | None) -> None:
        """A question has left."""
        self._connection = connection
        self.last = self._recorder.record(
            DnsAsked, host=self._host, seen_by="client", connection=connection, message=self.message, cause=self.last,
            name=self.request.question.name, rdtype=self.request.question.rdtype, server=self.request.server_name,
            server_address=self.request.server_address, transport=self.request.transport)

    def heard(self, heard: Heard) -> None:
        """The resolver has made something of a reply, or found it in its cache."""
        self.last = self._recorder.record(
            DnsAnswered, host=self._host, seen_by="client", connection=self._connection, message=self.message,
            cause=self.last, name=heard.question.name, rdtype=heard.question.rdtype, status=heard.status,
            server=heard.server_name, records=heard.records)
        self._connection = None
