"""Who is where: hosts with logical addresses, the services that listen, the latency between them, and how to dial.

Both media share everything here; `Medium` is the only difference between them.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from simulator.errors import UsageError
from simulator.network.link import Carrier, Wire
from simulator.network.onpath import Box, Divert, OnConnect
from simulator.trace.events import ConnectionFailed, ConnectionOpened
from simulator.trace.recorder import Recorder
from simulator.trace.trace import ConnectionLog

if TYPE_CHECKING:
    from simulator.network.loop import NetworkLoop

Address = tuple[str, int]

SYN_TIMEOUT_S = 127.0
"""How long a SYN is repeated in vain: 1 + 2 + 4 + ... + 64 s, as Linux does by default (RFC 6298 section 2, backing off)."""

FOREIGN_HOST = "your-computer.example"
FOREIGN_ADDRESS = "203.0.113.200"
"""Where programs that do not belong to the simulator seem to be."""


class Dialling(NamedTuple):
    """Why something is being dialled, for the trace."""

    message: str | None = None
    cause: int | None = None


_dialling: ContextVar[Dialling] = ContextVar("dialling", default=Dialling())


@contextmanager
def dialling(message: str | None = None, cause: int | None = None) -> Iterator[None]:
    """Connections that are opened inside belong to `message` and were caused by event `cause`."""
    token = _dialling.set(Dialling(message, cause))
    try:
        yield
    finally:
        _dialling.reset(token)


@dataclass(slots=True)
class Host:
    """A host that the network knows. `wake` starts its services the first time that somebody dials it."""

    name: str
    wake: Callable[[], Awaitable[None]] | None = None
    silent: bool = False
    """True: it answers nothing at all, as if switched off."""


@dataclass(slots=True)
class Service:
    """Something that listens on a logical TCP port."""

    address: str
    port: int
    accept: Callable[[Wire], None]
    """Called when a connection is there, with its wire."""
    door: Any = None
    """What the medium keeps for it: a listening socket, or nothing."""


class Network:
    """The hosts and the wires between them. One per loop."""

    def __init__(self, loop: NetworkLoop, recorder: Recorder, latency_s: float = 0.0) -> None:
        self.loop, self.recorder, self.latency_s = loop, recorder, latency_s
        self.hosts: dict[str, Host] = {FOREIGN_ADDRESS: Host(FOREIGN_HOST)}
        self.services: dict[Address, Service] = {}
        self.external: dict[Address, Address] = {}
        """Logical address and port of services that a real program on this machine provides -> its real address."""
        self.boxes: list[tuple[Callable[[ConnectionLog], bool], Box]] = []
        self._latencies: dict[frozenset[str], float] = {}
        self._ports = itertools.cycle(range(49152, 65536))  # RFC 6335 section 6: dynamic ports
        self._open: set[Wire] = set()
        self._quiet: list[asyncio.Future[None]] = []

    # --- hosts and links ---------------------------------------------------------------------------------------------

    def add_host(self, name: str, address: str, wake: Callable[[], Awaitable[None]] | None = None) -> Host:
        """Make a host known by its logical address. Raises UsageError when the address is taken."""
        if address in self.hosts:
            raise UsageError(f"Two hosts have the address {address}: {self.hosts[address].name} and {name}.")
        host = self.hosts[address] = Host(name, wake)
        return host

    def name_of(self, address: str) -> str:
        """Return the host name of an address, or the address itself when nobody has it."""
        host = self.hosts.get(address)
        return host.name if host else address

    def address_of(self, name_or_address: str) -> str:
        """Return the address for a host name, as a hosts file would; an address is returned as it is."""
        if name_or_address in self.hosts:
            return name_or_address
        return next((address for address, host in self.hosts.items() if host.name == name_or_address), name_or_address)

    def host(self, name: str) -> Host:
        """Return a host by its name. Raises UsageError when there is none."""
        for host in self.hosts.values():
            if host.name == name:
                return host
        raise UsageError(f"There is no host {name} in this internet.")

    def set_latency(self, one: str, other: str, latency_s: float) -> None:
        """Set the one-way latency between two addresses."""
        self._latencies[frozenset((one, other))] = latency_s

    def latency_between(self, one: str, other: str) -> float:
        """Return the one-way latency in seconds; nothing between programs on one host."""
        return self._latencies.get(frozenset((one, other)), 0.0 if one == other else self.latency_s)

    def place_box(self, box: Box, where: Callable[[ConnectionLog], bool]) -> None:
        """Put a box on the path of every later connection for which `where(connection)` is true."""
        self.boxes.append((where, box))

    def remove_box(self, box: Box) -> None:
        """Take a box away; connections that are open keep it."""
        self.boxes = [(where, placed) for where, placed in self.boxes if placed is not box]

    async def awake(self, address: str) -> None:
        """Start the services of the host at `address` if nobody has dialled it yet."""
        host = self.hosts.get(address)
        if host is not None and host.wake is not None:
            wake, host.wake = host.wake, None
            await wake()

    def next_port(self) -> int:
        """Return a client port, the same sequence in every run."""
        return next(self._ports)

    # --- dialling ----------------------------------------------------------------------------------------------------

    async def dial(self, client: str, server: Address) -> Wire:
        """Open a TCP connection; return its wire when the client may send (one round trip after the SYN).

        Raises ConnectionRefusedError, ConnectionResetError or TimeoutError, at the moments at which TCP would.
        """
        why = _dialling.get()
        log = self._log("tcp", (client, self.next_port()), server, self.latency_between(client, server[0]), why)
        box = next((box for where, box in self.boxes if where(log)), None)
        verdict = box.on_connect(log) if box else OnConnect.PASS
        if isinstance(verdict, Divert):
            server = verdict.address, verdict.port
        host = self.hosts.get(server[0])
        if verdict is OnConnect.DROP or host is None or host.silent:
            await self._fail(log, "timed out", SYN_TIMEOUT_S)
            raise TimeoutError(errno.ETIMEDOUT, f"{log.server_host} does not answer on port {log.server_port}")
        await self.awake(server[0])
        service = self.services.get(server)
        if verdict is OnConnect.REFUSE or (service is None and server not in self.external):
            await self._fail(log, "refused", 2 * log.latency_s)
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"{log.server_host} refuses connections on port {log.server_port}")
        if service is None:
            wire = await self.loop.medium_dial_external(log, box, self.external[server])
        else:
            wire = Wire(self.loop, self.recorder, log, self.loop.medium_carrier(service), box)
            self._open.add(wire)
            # The server's program sees the connection when the third segment arrives: 1.5 round trips after the SYN.
            self.loop.call_later(3 * log.latency_s, service.accept, wire)
        try:
            await asyncio.sleep(2 * log.latency_s)
        except asyncio.CancelledError:
            wire.client.abort()
            raise
        return wire

    def welcome(self, service: Service, carrier: Carrier, client: Address) -> Wire:
        """A foreign program has connected to `service`: give it a wire without latency, since its time is real."""
        log = self._log("tcp", client, (service.address, service.port), 0.0, Dialling(), foreign=True)
        wire = Wire(self.loop, self.recorder, log, carrier)
        service.accept(wire)
        return wire

    def _log(self, transport: str, client: Address, server: Address, latency_s: float, why: Dialling,
             foreign: bool = False) -> ConnectionLog:
        log = self.recorder.connection(
            transport=transport, client_host=self.name_of(client[0]), client_address=client[0], client_port=client[1],
            server_host=self.name_of(server[0]), server_address=server[0], server_port=server[1], latency_s=latency_s,
            foreign=foreign)
        if why.message is not None:
            self.recorder.label(log, why.message)
        self.recorder.record(
            ConnectionOpened, host=log.client_host, seen_by="wire", connection=log.number, cause=why.cause,
            peer=log.server_host, transport=transport, client_address=client[0], client_port=client[1],
            server_address=server[0], server_port=server[1])
        return log

    async def _fail(self, log: ConnectionLog, reason: str, after_s: float) -> None:
        try:
            await asyncio.sleep(after_s)
        except asyncio.CancelledError:
            reason = "timed out"  # the client gave up earlier than TCP would
            raise
        finally:
            self.recorder.record(ConnectionFailed, host=log.client_host, seen_by="wire", connection=log.number, reason=reason)

    def flow(self, client: Address, server: Address) -> ConnectionLog:
        """Start the log of an exchange of datagrams."""
        foreign = client[0] == FOREIGN_ADDRESS
        return self._log("udp", client, server, 0.0 if foreign else self.latency_between(client[0], server[0]),
                         _dialling.get(), foreign)

    # --- the end -----------------------------------------------------------------------------------------------------

    def forget(self, wire: Wire) -> None:
        """A connection is over at both ends."""
        self._open.discard(wire)
        if not self._open:
            waiting, self._quiet = self._quiet, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    async def quiet(self) -> None:
        """Wait until no connection between our own hosts is open."""
        while self._open:
            future = self.loop.create_future()
            self._quiet.append(future)
            await future

    @property
    def open_connections(self) -> int:
        """How many connections between our own hosts are open."""
        return len(self._open)

    def abort_all(self) -> None:
        """Reset every open connection (used when an internet is stopped)."""
        for wire in list(self._open):
            wire.client.abort()
            wire.server.abort()
