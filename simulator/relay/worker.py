"""The relay at work: takes a message from its queue, asks the DNS where it goes, and speaks to the hosts there [IO]."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from simulator.dns.mx import Hop, Problem, Route, addresses_of, route
from simulator.dns.resolver import Resolver
from simulator.network.loop import NetworkLoop
from simulator.protocol.client_session import Attempt, Envelope, SessionOutcome, TlsPolicy
from simulator.relay.queue import QueuedMessage, Recipient, State
from simulator.relay.rules import Verdict, decisive, judge, verdict_of
from simulator.relay.schedule import Schedule
from simulator.relay.spool import Spool
from simulator.relay.transit import InTransit
from simulator.smtp.client import run_session
from simulator.tls.authority import Authority
from simulator.tls.contexts import client_context
from simulator.trace.events import Note, RecipientResult, RouteChosen

SMTP_PORT = 25  # RFC 5321 section 4.5.4.2: MX records cannot carry a port, so it is always this one
CONNECT_TIMEOUT_S = 30.0


class Relay:
    """The relay of one mail server. `policy` is "opportunistic" (RFC 7435) or "required"."""

    def __init__(
        self,
        loop: NetworkLoop,
        host: str,
        address: str,
        resolver: Resolver,
        authority: Authority,
        in_transit: InTransit,
        rng: random.Random,
        *,
        policy: str = "opportunistic",
        schedule: Schedule | None = None,
        spool: Spool | None = None,
    ) -> None:
        self.loop, self.host, self.address, self.resolver, self.authority = loop, host, address, resolver, authority
        self.in_transit, self.rng, self.policy = in_transit, rng, policy
        self.schedule, self.spool = schedule or Schedule(), spool

    def new_queue_id(self, rng: random.Random) -> str:
        """Return a queue id that no waiting message has."""
        queue_id = f"{rng.getrandbits(40):010X}"
        while self.spool is not None and queue_id in self.spool:
            queue_id = f"{rng.getrandbits(40):010X}"
        return queue_id

    def keep(self, message: QueuedMessage) -> None:
        """Make a message survive a crash, before anybody is told 250. Raises UsageError when that is not possible."""
        if self.spool is not None:
            self.spool.keep(message)

    def accept(self, message: QueuedMessage) -> None:
        """Begin to work on a message that is kept."""
        self.in_transit.take(message.label, self._work_on(message))

    async def _work_on(self, message: QueuedMessage) -> None:
        first = True
        try:
            while not message.done:
                next_try_s = message.next_try_s
                if next_try_s is not None:
                    await asyncio.sleep(max(0.0, next_try_s - self.loop.time()))
                message.attempts += 1
                # The clock rounds: it may wake us a trillionth early, and then nobody would ever be due.
                now_s = max(self.loop.time(), next_try_s or 0.0)
                for domain, recipients in message.due(now_s).items():
                    await self._send_to(message, domain, recipients)
                    if self.spool is not None:
                        self.spool.update(message)
                if first:
                    first = False
                    self.in_transit.tried(message.label)
        finally:
            if first:
                self.in_transit.tried(message.label)

    async def _send_to(self, message: QueuedMessage, domain: str, recipients: list[Recipient]) -> None:
        """Try one domain once: every host, every address, until nobody waits for an answer any more."""
        for recipient in recipients:
            recipient.attempts += 1
        found: Route = await self.resolver.run(
            route(domain, rng=self.rng, own_names={self.host}), message=message.label, cause=message.cause
        )
        cause = self.loop.recorder.record(
            RouteChosen,
            host=self.host,
            seen_by="client",
            message=message.label,
            cause=self.resolver.last_event,
            domain=domain,
            hosts=tuple((hop.preference, hop.host) for hop in found.hosts),
            implicit_mx=found.implicit_mx,
            problem=found.problem.text if found.problem else "",
        )
        if found.problem is not None:
            self._settle(message, recipients, verdict_of(found.problem, self.host), cause)
            return
        waiting, reasons = list(recipients), list[Verdict]()
        for hop in found.hosts:
            addresses = await self._addresses(message, hop, cause)
            if isinstance(addresses, Problem):
                reasons.append(verdict_of(addresses, self.host))
                continue
            for address in addresses:  # RFC 5321 section 5.1: all addresses in the order the resolver gave them
                outcome = await self._converse(message, hop.host, address, waiting, cause)
                waiting = self._note(message, waiting, outcome, hop.host, reasons, cause)
                if not waiting:
                    return
        self._settle(message, waiting, decisive(reasons), cause)

    async def _addresses(self, message: QueuedMessage, hop: Hop, cause: int) -> tuple[str, ...] | Problem:
        if hop.addresses:
            return hop.addresses
        found = await self.resolver.run(addresses_of(hop.host), message=message.label, cause=cause)
        if found.warning:
            self.loop.recorder.record(
                Note,
                host=self.host,
                seen_by="client",
                message=message.label,
                cause=self.resolver.last_event,
                text=found.warning,
            )
        return found.problem or found.addresses

    async def _converse(
        self, message: QueuedMessage, host: str, address: str, recipients: Iterable[Recipient], cause: int
    ) -> SessionOutcome:
        envelope = Envelope(
            reverse_path=message.reverse_path, recipients=tuple(r.address for r in recipients), content=message.content
        )
        policy = TlsPolicy.REQUIRED if self.policy == "required" else TlsPolicy.IF_OFFERED
        outcome = await self._session(policy, envelope, message, host, address, cause)
        if outcome.tls_failed and self.policy == "opportunistic":
            # RFC 7435 section 3: some protection if possible, none otherwise; the mail must go through.
            outcome = await self._session(TlsPolicy.NONE, envelope, message, host, address, cause)
        return outcome

    async def _session(
        self, tls: TlsPolicy, envelope: Envelope, message: QueuedMessage, host: str, address: str, cause: int
    ) -> SessionOutcome:
        return await run_session(
            self.loop,
            Attempt(ehlo_name=self.host, tls=tls, envelope=envelope),
            host_name=host,
            address=address,
            port=SMTP_PORT,
            source_address=self.address,
            host=self.host,
            message=message.label,
            cause=cause,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            # Whose certificate it should be comes from insecure DNS: checking proves little (RFC 7672 section 1.3.2).
            tls_context=client_context(self.authority, verify=self.policy == "required"),
            server_hostname=host,
        )

    # --- what became of it -------------------------------------------------------------------------------------------

    def _note(
        self,
        message: QueuedMessage,
        waiting: list[Recipient],
        outcome: SessionOutcome,
        host: str,
        reasons: list[Verdict],
        cause: int,
    ) -> list[Recipient]:
        """Settle the recipients whose fate this host decided; return those to try elsewhere, and add to the reasons."""
        still = []
        for recipient in waiting:
            verdict = judge(outcome, recipient.address, host, self.host)
            if verdict.temporary:
                still.append(recipient)
                reasons.append(verdict)
            else:
                self._settle(message, [recipient], verdict, cause)
        return still

    def _settle(
        self, message: QueuedMessage, recipients: Iterable[Recipient], verdict: Verdict, cause: int | None
    ) -> None:
        now_s = self.loop.time()
        for recipient in recipients:
            retry_at_s = None
            if verdict.accepted:
                recipient.state = State.RELAYED
            elif verdict.temporary:
                retry_at_s = self.schedule.next_try_s(message.queued_s, now_s)
                recipient.state = State.FAILED if retry_at_s is None else State.DEFERRED
            else:
                recipient.state = State.FAILED
            recipient.retry_at_s = retry_at_s
            self.loop.recorder.record(
                RecipientResult,
                host=self.host,
                seen_by="client",
                message=message.label,
                cause=cause,
                recipient=recipient.address,
                result=recipient.state.value,
                code=verdict.code,
                enhanced=verdict.enhanced,
                text=verdict.text,
                by=verdict.by,
                attempt=recipient.attempts,
                retry_at_s=retry_at_s,
            )
