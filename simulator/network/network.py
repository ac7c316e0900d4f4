"""Who is where: hosts with logical addresses, the services that listen, the latency between them, and how to dial.

Both media share everything here; the loop's `medium_...` methods are the only difference between them.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from simulator.errors import UsageError
from simulator.network.hosts import (
    FOREIGN_ADDRESS,
    FOREIGN_HOST,
    Address,
    Host,
    Service,
    checked_latency,
    is_address,
)
from simulator.network.link import ON_THE_PATH, Carrier, Wire
from simulator.network.onpath import Box, Divert, OnConnect
from simulator.trace.events import ConnectionFailed, ConnectionOpened, OnPathAction
from simulator.trace.recorder import Recorder
from simulator.trace.trace import ConnectionLog

if TYPE_CHECKING:
    from simulator.network.loop import NetworkLoop

__all__ = ["FOREIGN_ADDRESS", "FOREIGN_HOST", "Address", "Host", "Network", "Service", "dialling"]

SYN_TIMEOUT_S = 127.0
"""How long a SYN is repeated in vain: 1 + 2 + 4 + ... + 64 s, as Linux does (RFC 6298 section 5.5, backing off)."""


class Dialling(NamedTuple):
    """Why something is being dialled, for the trace."""

    message: str | None = None
    cause: int | None = None


_NO_REASON = Dialling()
_dialling: ContextVar[Dialling] = ContextVar("dialling", default=_NO_REASON)


@contextmanager
def dialling(message: str | None = None, cause: int | None = None) -> Iterator[None]:
    """Connections that are opened inside belong to `message` and were caused by event `cause`."""
    token = _dialling.set(Dialling(message, cause))
    try:
        yield
    finally:
        _dialling.reset(token)


class Network:
    """The hosts and the wires between them. One per loop."""

    def __init__(self, loop: NetworkLoop, recorder: Recorder, latency_s: float = 0.0) -> None:
        self.loop, self.recorder = loop, recorder
        self.latency_s = latency_s
        self.hosts: dict[str, Host] = {FOREIGN_ADDRESS: Host(FOREIGN_HOST)}
        self.services: dict[Address, Service] = {}
        self.external: dict[Address, Address] = {}
        """Logical address and port of services that a real program on this machine provides -> its real address."""
        self.boxes: list[tuple[Callable[[ConnectionLog], bool], Box]] = []
        self._addresses: dict[str, str] = {FOREIGN_HOST: FOREIGN_ADDRESS}
        self._latencies: dict[frozenset[str], float] = {}
        self._ports = itertools.cycle(range(49152, 65536))  # RFC 6335 section 6: dynamic ports
        self._open: set[Wire] = set()
        self._foreign: set[Wire] = set()
        self._by_hand: set[Wire] = set()
        """Connections on which a person types: nobody waits for them to end."""
        self._quiet: list[asyncio.Future[None]] = []

    # --- hosts and links ---------------------------------------------------------------------------------------------

    @property
    def latency_s(self) -> float:
        """One-way latency in seconds where no other is set. Raises UsageError when set to nonsense."""
        return self._latency_s

    @latency_s.setter
    def latency_s(self, latency_s: float) -> None:
        self._latency_s = self.recorder.header["latency_s"] = checked_latency(latency_s)

    def add_host(self, name: str, address: str, wake: Callable[[], Awaitable[None]] | None = None) -> Host:
        """Make a host known by its logical address. Raises UsageError when the address is taken."""
        if address in self.hosts:
            raise UsageError(f"Two hosts have the address {address}: {self.hosts[address].name} and {name}.")
        host = self.hosts[address] = Host(name, wake)
        self._addresses.setdefault(name, address)
        return host

    def name_of(self, address: str) -> str:
        """Return the host name of an address, or the address itself when nobody has it."""
        host = self.hosts.get(address)
        return host.name if host else address

    def address_of(self, name_or_address: str) -> str:
        """Return the address for a host name, as a hosts file would; an address is returned as it is."""
        if name_or_address in self.hosts:
            return name_or_address
        return self._addresses.get(name_or_address, name_or_address)

    def host(self, name: str) -> Host:
        """Return a host by its name. Raises UsageError when there is none."""
        if name not in self._addresses:
            raise UsageError(f"There is no host {name} in this internet.")
        return self.hosts[self._addresses[name]]

    def set_latency(self, one: str, other: str, latency_s: float) -> None:
        """Set the one-way latency between two addresses, for later connections."""
        self._latencies[frozenset((one, other))] = checked_latency(latency_s)

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
        """Start the services of the host at `address` if nobody has dialled it yet; return when they run.

        Raises what starting them raises, each time.
        """
        host = self.hosts.get(address)
        if host is not None and host.wake is not None:
            if host.waking is None:  # a task of its own: whoever dialled first may lose patience meanwhile
                host.waking = self.loop.create_task(self._wake(host, host.wake), context=Context())
            await asyncio.shield(host.waking)

    async def _wake(self, host: Host, wake: Callable[[], Awaitable[None]]) -> None:
        await wake()
        host.wake = None

    def next_port(self) -> int:
        """Return a client port, the same sequence in every run."""
        return next(self._ports)

    # --- dialling ----------------------------------------------------------------------------------------------------

    async def dial(self, client: str, server: Address) -> Wire:
        """Open a TCP connection; return its wire when the client may send (one round trip after the SYN).

        Raises ConnectionRefusedError, ConnectionResetError or TimeoutError, at the moments at which TCP would, and
        socket.gaierror for a host name that nobody has.
        """
        if server[0] not in self.hosts and not is_address(server[0]):
            raise socket.gaierror(socket.EAI_NONAME, f"there is no host {server[0]}")
        latency_s = self.latency_between(client, server[0])
        log = self._log("tcp", (client, self.next_port()), server, latency_s, _dialling.get())
        box = next((box for where, box in self.boxes if where(log)), None)
        verdict = box.on_connect(log) if box else OnConnect.PASS
        if isinstance(verdict, Divert):
            server = verdict.address, verdict.port
            self._note_verdict(log, "divert", f"to {self.name_of(server[0])}, port {server[1]}")
        elif verdict is not OnConnect.PASS:
            self._note_verdict(log, verdict.value)
        wire = await self._reach(log, server, box, verdict)
        try:
            await asyncio.sleep(2 * log.latency_s)
        except asyncio.CancelledError:
            if not wire.ended:
                wire.ended = True  # as far as the trace is concerned: it never was there
                self._record_failure(log, "timed out")
            wire.client.abort()
            raise
        return wire

    async def _reach(self, log: ConnectionLog, server: Address, box: Box | None, verdict: OnConnect | Divert) -> Wire:
        if verdict is OnConnect.REFUSE:
            await self._refuse(log)
        host = self.hosts.get(server[0])
        if verdict is OnConnect.DROP or host is None or host.silent:
            await self._fail(log, "timed out", SYN_TIMEOUT_S)
            raise TimeoutError(errno.ETIMEDOUT, f"{log.server_host} does not answer on port {log.server_port}")
        try:
            await self.awake(server[0])
            service = self.services.get(server)
            carrier = self.loop.medium_carrier(service) if service is not None else None
        except BaseException as error:
            self._record_failure(log, "timed out" if isinstance(error, asyncio.CancelledError) else "refused")
            raise
        if service is None or carrier is None:
            if server in self.external:
                return await self._dial_external(log, box, self.external[server])
            await self._refuse(log)
        wire = Wire(self.loop, self.recorder, log, carrier, box, self.forget)
        self._open.add(wire)
        # The server's program sees the connection when the third segment arrives: 1.5 round trips after the SYN.
        self.loop.call_later(3 * log.latency_s, self._accept, service, wire, context=wire.server.context)
        return wire

    def _accept(self, service: Service, wire: Wire) -> None:
        if self.services.get((service.address, service.port)) is service:
            service.accept(wire)
        else:
            wire.server.abort()  # it stopped listening in the last moment

    async def _refuse(self, log: ConnectionLog) -> NoReturn:
        await self._fail(log, "refused", 2 * log.latency_s)
        raise ConnectionRefusedError(
            errno.ECONNREFUSED, f"{log.server_host} refuses connections on port {log.server_port}"
        )

    async def _dial_external(self, log: ConnectionLog, box: Box | None, real_address: Address) -> Wire:
        self.loop.clock.foreign(+1)  # from now on, not only when it has answered
        try:
            return await self.loop.medium_dial_external(log, box, real_address)
        except OSError:
            await self._refuse(log)
        except BaseException:
            self._record_failure(log, "refused")
            raise
        finally:
            self.loop.clock.foreign(-1)

    def welcome(self, service: Service, carrier: Carrier, client: Address) -> Wire:
        """A foreign program has connected to `service`: return a wire without latency, since its time is real."""
        log = self._log("tcp", client, (service.address, service.port), 0.0, _NO_REASON, foreign=True)
        return self.join(log, carrier)

    def join(self, log: ConnectionLog, carrier: Carrier, box: Box | None = None) -> Wire:
        """Return a wire of which one end stands for a foreign program; its carrier says when it is over."""
        wire = Wire(self.loop, self.recorder, log, carrier, box)
        self._foreign.add(wire)
        return wire

    def flow(self, client: Address, server: Address, foreign: bool = False) -> ConnectionLog:
        """Start the log of an exchange of datagrams."""
        if foreign:
            return self._log("udp", client, server, 0.0, _NO_REASON, foreign)
        return self._log("udp", client, server, self.latency_between(client[0], server[0]), _dialling.get())

    # --- what is recorded --------------------------------------------------------------------------------------------

    def _log(
        self, transport: str, client: Address, server: Address, latency_s: float, why: Dialling, foreign: bool = False
    ) -> ConnectionLog:
        log = self.recorder.connection(
            transport=transport,
            client_host=self.name_of(client[0]),
            client_address=client[0],
            client_port=client[1],
            server_host=self.name_of(server[0]),
            server_address=server[0],
            server_port=server[1],
            latency_s=latency_s,
            foreign=foreign,
        )
        if why.message is not None:
            self.recorder.label(log, why.message)
        self.recorder.record(
            ConnectionOpened,
            host=log.client_host,
            seen_by="wire",
            connection=log.number,
            cause=why.cause,
            peer=log.server_host,
            transport=transport,
            client_address=client[0],
            client_port=client[1],
            server_address=server[0],
            server_port=server[1],
        )
        return log

    def _note_verdict(self, log: ConnectionLog, action: str, detail: str = "") -> None:
        self.recorder.record(
            OnPathAction,
            host=ON_THE_PATH,
            seen_by="wire",
            connection=log.number,
            action=action,
            direction="c2s",
            detail=detail,
        )

    async def _fail(self, log: ConnectionLog, reason: str, after_s: float) -> None:
        try:
            await asyncio.sleep(after_s)
        except asyncio.CancelledError:
            reason = "timed out"  # the client gave up earlier than TCP would
            raise
        finally:
            self._record_failure(log, reason)

    def _record_failure(self, log: ConnectionLog, reason: str) -> None:
        self.recorder.record(
            ConnectionFailed, host=log.client_host, seen_by="wire", connection=log.number, reason=reason
        )
        self.recorder.over(log)

    # --- the end -----------------------------------------------------------------------------------------------------

    def forget(self, wire: Wire) -> None:
        """A connection is over at both ends."""
        self._open.discard(wire)
        self._foreign.discard(wire)
        self._by_hand.discard(wire)
        self.recorder.over(wire.log)
        self._tell_when_quiet()

    def drive_by_hand(self, wire: Wire) -> None:
        """Do not wait for this connection to end: a person decides when."""
        self._open.discard(wire)
        self._by_hand.add(wire)
        self._tell_when_quiet()

    def _tell_when_quiet(self) -> None:
        if not self._open:
            waiting, self._quiet = self._quiet, []
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    async def quiet(self) -> None:
        """Wait until no connection between our own hosts is open, but for those that a person drives."""
        while self._open:
            future = self.loop.create_future()
            self._quiet.append(future)
            await future

    @property
    def open_connections(self) -> int:
        """How many connections between our own hosts are open."""
        return len(self._open)

    @property
    def foreign_connections(self) -> int:
        """How many connections of foreign programs are open."""
        return len(self._foreign)

    def abort_all(self) -> None:
        """Reset every open connection, those of foreign programs too (used when an internet is stopped).

        `quiet` then waits for all of them.
        """
        self._open |= self._foreign | self._by_hand
        for wire in list(self._open):
            wire.abort()

    def close_doors(self) -> None:
        """Let every service stop listening."""
        while self.services:
            self.loop.medium_close_door(self.services.popitem()[1])

    def release_wires(self) -> None:
        """Give back what the medium holds for wires that are still open, when the loop is being closed."""
        for wire in self._open | self._by_hand:
            wire.carrier.close(reset=True)
