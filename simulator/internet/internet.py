"""A plan that runs: hosts that wake at first contact, people who send, and a clean end [IO]."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from functools import cached_property
from pathlib import Path
from typing import Any

from simulator.delivery.mailbox import Mailbox, StoredMessage
from simulator.delivery.recipients import Recipients
from simulator.delivery.server import MxHandler
from simulator.dns.cache import Cache
from simulator.dns.questions import Answer, Ask
from simulator.dns.resolver import Resolver
from simulator.dns.server import View, serve_dns
from simulator.dns.zones import Zone
from simulator.errors import UsageError
from simulator.internet.endpoints import Endpoint
from simulator.internet.names import ROOT_HINTS, name_servers
from simulator.internet.plan import HostPlan, Organisation, Plan, default_plan, shown
from simulator.internet.servers import start_msa, start_mx
from simulator.internet.state import State
from simulator.network.loop import NetworkLoop
from simulator.relay.transit import InTransit
from simulator.relay.worker import Relay
from simulator.smtp.console import Console, Heard
from simulator.submission.client import MailProgram, Seat
from simulator.submission.letter import SendOptions, write_letter
from simulator.submission.server import MsaHandler
from simulator.tls.contexts import ClientContext, KeyLog, client_context
from simulator.tls.modes import policy
from simulator.trace.events import Note
from simulator.trace.trace import Trace

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)

SERVICES = {
    "submission": ((465, "tcp", "submissions", "implicit"), (587, "tcp", "submission", "starttls")),
    "mx": ((25, "tcp", "mx", "starttls"),),
    "dns": ((53, "udp", "dns", "none"), (53, "tcp", "dns", "none")),
    "laptop": (),
}
"""What a role offers: (port, transport, role in the endpoint table, TLS)."""


class RunningInternet:
    """One internet on one loop. Every method belongs to the loop's thread unless it says otherwise."""

    def __init__(
        self, loop: NetworkLoop, plan: Plan | None = None, seed: int = 1, state_dir: str | Path | None = None
    ) -> None:
        self.loop, self.network, self.recorder = loop, loop.network, loop.recorder
        self.plan = plan or default_plan()
        self.seed = seed
        self.in_transit = InTransit(loop)
        self._labels = itertools.count(1)
        self.state = State(state_dir)
        self.authority = self.state.authority()
        self.mailboxes: dict[str, Mailbox] = {
            address: Mailbox(self.state.folder / "mail" / address) for address in self.plan.people
        }
        self.dns_view: View | None = None
        """How foreign programs see the DNS; None: as it is."""
        self._running: list[Any] = []
        self._programs: dict[str, MailProgram] = {}
        self._resolvers: dict[str, Resolver] = {}
        self._relays: dict[str, Relay] = {}
        self._sent = 0
        self._keys_from: dict[str, int] = {}
        """Label of a message -> length of the key log when it was sent."""
        self._hosts = {
            host.name: (organisation, host) for organisation in self.plan.organisations for host in organisation.hosts
        }
        self.recorder.header["hosts"] = {host.name: host.address for _, host in self._hosts.values()}

    @cached_property
    def keylog(self) -> KeyLog:
        """The secrets of all TLS sessions, from the servers' side."""
        return KeyLog()

    def rng(self, purpose: str) -> random.Random:
        """Return a source of randomness of its own for each purpose, so that nothing depends on the order of use."""
        return random.Random(f"{self.seed}/{purpose}")

    def nonces(self, purpose: str) -> Callable[[], str]:
        """Return a maker of SCRAM nonces that repeats itself in every run (RFC 5802 section 5.1)."""
        rng = self.rng(f"nonce {purpose}")
        return lambda: f"{rng.getrandbits(144):036x}"

    def new_label(self) -> str:
        """Return the label of the next message: m1, m2 ..."""
        return f"m{next(self._labels)}"

    # --- start and stop ----------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Make every host known; its services start when somebody dials it."""
        for name, address, zone in name_servers(self.plan):
            self.network.add_host(name, address, wake=self._waker(self._start_dns, address, {zone.origin: zone}))
        for organisation, host in self._hosts.values():
            known = self.network.add_host(
                host.name, host.address, wake=self._waker(self._start_host, organisation, host)
            )
            known.silent = host.silent
        for one, other, latency_s in self.plan.links:
            self.network.set_latency(self._hosts[one][1].address, self._hosts[other][1].address, latency_s)
        if self.state.durable:
            self._take_up()

    def _take_up(self) -> None:
        """Go on with the messages that an earlier run had accepted and not yet relayed (RFC 5321 section 6.1)."""
        for _, host in self._hosts.values():
            if "submission" not in host.roles:
                continue
            relay = self.relay_of(host.name)
            for message in self.state.spool(host.name, self.now, self.loop.time).messages(self.new_label):
                if isinstance(message, str):
                    self._note(host.name, message)
                    continue
                to = ", ".join(r.address for r in message.recipients if not r.done)
                message.cause = self._note(
                    host.name, f"message {message.queue_id} to {to} was in the queue of an earlier run", message.label
                )
                relay.accept(message)

    def _note(self, host: str, text: str, label: str | None = None) -> int:
        return self.recorder.record(Note, host=host, seen_by="server", message=label, text=text)

    def _waker(self, start: Any, *args: Any) -> Any:
        async def wake() -> None:
            await start(*args)

        return wake

    async def _start_dns(self, address: str, zones: dict[str, Any]) -> None:
        self._running.append(await serve_dns(self.loop, address, zones, view=self.dns_view))

    async def _start_host(self, organisation: Organisation, host: HostPlan) -> None:
        if "dns" in host.roles:
            await self._start_dns(
                host.address, {organisation.domain: Zone(organisation.domain, organisation.zone_text)}
            )
        recipients = self.recipients_of(organisation)
        if "submission" in host.roles:
            submitted = MsaHandler(
                self.loop,
                host.name,
                recipients,
                self.relay_of(host.name),
                self.new_label,
                self.now,
                self.rng(f"msa {host.name}"),
                needs_login=not host.unsafe_no_auth,
            )
            self._running += await start_msa(
                self.loop,
                host,
                organisation.people,
                submitted,
                self.authority,
                self.keylog,
                self.nonces(f"server {host.name}"),
            )
        if "mx" in host.roles:
            received = MxHandler(
                self.loop,
                host.name,
                recipients,
                self.mailboxes,
                self.new_label,
                self.now,
                self.rng(f"mx {host.name}"),
                durable=self.state.durable,
            )
            self._running.append(await start_mx(self.loop, host, received, self.authority, self.keylog))

    def recipients_of(self, organisation: Organisation) -> Recipients:
        """Return who has a mailbox at an organisation."""
        return Recipients.of(organisation.domain, (person.address for person in organisation.people))

    async def stop(self) -> None:
        """Stop everything in order: servers, deliveries in progress, connections; then remove temporary mailboxes."""
        for server in self._running:
            server.close()
        await self.in_transit.stop()
        self.network.abort_all()
        await self.network.quiet()
        if "keylog" in self.__dict__:
            self.keylog.close()
        self.state.close()

    # --- parts that are made at first use ----------------------------------------------------------------------------

    def resolver_at(self, name: str, address: str) -> Resolver:
        """Return the resolver that runs on a host."""
        if name not in self._resolvers:
            self._resolvers[name] = Resolver(
                self.loop, name, address, ROOT_HINTS, self.recorder, Cache(self.loop.time), self.rng(f"resolver {name}")
            )
        return self._resolvers[name]

    def relay_of(self, name: str) -> Relay:
        """Return the relay that runs on a host."""
        if name not in self._relays:
            host = self._hosts[name][1]
            self._relays[name] = Relay(
                self.loop,
                host.name,
                host.address,
                self.resolver_at(host.name, host.address),
                self.authority,
                self.in_transit,
                self.rng(f"relay {name}"),
                spool=self.state.spool(name, self.now, self.loop.time) if self.state.durable else None,
            )
        return self._relays[name]

    # --- what people do ----------------------------------------------------------------------------------------------

    async def send(
        self,
        letter: str | bytes | EmailMessage,
        sender: str | None = None,
        to: str | Sequence[str] | None = None,
        mode: str | None = None,
        **options: Any,
    ) -> str:
        """Send one message; return its label when every recipient is delivered, failed or deferred."""
        chosen = SendOptions.of(options)
        policy(mode)  # a wrong mode is told before anything else happens
        message_ids = self.rng(f"message-id {self._sent}")
        self._sent += 1
        written = write_letter(
            letter,
            sender,
            to,
            chosen,
            now=self.now(),
            message_id=lambda domain: f"<{message_ids.getrandbits(64):016x}@{domain}>",
        )
        label = self.new_label()
        self._keys_from[label] = self.keylog.size_octets
        await self._mail_program(sender or written.reverse_path).submit(written, label, mode, chosen)
        await self.in_transit.attempted(label)
        await self.network.quiet()
        return label

    async def connect(
        self, host: str, port: int, tls: bool, verify: bool, from_host: str | None, patience_s: float
    ) -> tuple[Console, Heard]:
        """Dial a service for somebody who types; return the line and what the server said first."""
        if host not in self._hosts:
            raise UsageError(f"There is no host {host!r} here; there are {shown(self._hosts)}.")
        if from_host is None:
            first = self.plan.organisations[0]
            from_host = (first.host("laptop") or first.hosts[0]).name
        if from_host not in self._hosts:
            raise UsageError(f"There is no host {from_host!r} to dial from; there are {shown(self._hosts)}.")
        seat = self._hosts[from_host][1]
        label = self.new_label()
        self._keys_from[label] = self.keylog.size_octets
        console = Console(self.loop, seat.name, seat.address, label)
        context = self.client_context(verify) if tls else None
        heard = await console.dial(host, self._hosts[host][1].address, port, context, patience_s)
        return console, heard

    def client_context(self, verify: bool) -> ClientContext:
        """Return the TLS context of a client that trusts the local authority, or of one that trusts anybody."""
        return client_context(self.authority, verify=verify)

    def _mail_program(self, address: str) -> MailProgram:
        """Return the mail program of a person: on their laptop, with the servers of their organisation."""
        person = self.plan.person(address)
        if person.address not in self._programs:
            organisation = self.plan.organisation_of(address)
            servers = tuple(h for h in organisation.hosts if "submission" in h.roles)
            if not servers:
                raise UsageError(
                    f'{organisation.domain} has no submission server; give one of its hosts the role "submission".'
                )
            laptop = organisation.host("laptop") or servers[0]
            seat = Seat(laptop.name, laptop.address, person.address, person.password)
            self._programs[person.address] = MailProgram(
                self.loop, seat, servers, self.authority, self.nonces(f"client {person.address}")
            )
        return self._programs[person.address]

    def now(self) -> datetime:
        """Return the date and time of this internet: simulated time starts at 2026-01-01T00:00:00Z."""
        if self.loop.clock.always_real:
            return datetime.now(UTC)
        return EPOCH + timedelta(seconds=self.loop.time())

    def inbox(self, address: str) -> list[StoredMessage]:
        """Return the messages of a mailbox; safe from any thread."""
        return self.mailboxes[self.plan.person(address).address].messages()

    async def resolve(self, name: str, rdtype: str = "A") -> Answer:
        """Ask the DNS from the first organisation's first host."""
        host = self.plan.organisations[0].hosts[0]
        answer = await self.resolver_at(host.name, host.address).ask(Ask(name, rdtype.upper()))
        await self.network.quiet()
        return answer

    async def run(self, for_s: float) -> None:
        """Let time pass."""
        if for_s < 0:
            raise UsageError(f"Time cannot run backwards ({for_s} s).")
        await asyncio.sleep(for_s)

    async def run_until_settled(self) -> None:
        """Let time pass until no message waits and no connection is open."""
        await self.in_transit.settled()
        await self.network.quiet()

    async def endpoints(self) -> list[Endpoint]:
        """Wake every host and return where its services are."""
        for address in list(self.network.hosts):
            await self.network.awake(address)
        places = [(name, address, SERVICES["dns"]) for name, address, _ in name_servers(self.plan)]
        places += [(host.name, host.address, SERVICES[role]) for _, host in self._hosts.values() for role in host.roles]
        return [self._endpoint(name, address, *service) for name, address, services in places for service in services]

    def _endpoint(self, name: str, address: str, port: int, transport: str, role: str, tls: str) -> Endpoint:
        real = self.loop.real_address(address, port, transport)
        offers = tls if tls != "starttls" or self._hosts[name][1].starttls else "none"
        return Endpoint(
            host=name,
            address=address,
            port=port,
            transport=transport,
            role=role,
            tls=offers,
            real_address=real[0] if real else None,
            real_port=real[1] if real else None,
        )

    def trace(self, message: str | None = None) -> Trace:
        """Return what happened, all of it or what belongs to one message; safe from any thread between calls.

        The header holds the TLS secrets since the message was sent, so that its captures can be decrypted.
        """
        trace = self.recorder.trace(message)
        trace.header["keylog"] = self.keylog.lines_since(self._keys_from.get(message or "", 0))
        return trace
