"""The event loop that is a small internet: asyncio's own methods, but addresses are logical and time is simulated."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import selectors
import socket
from asyncio import base_events, sslproto
from collections.abc import Callable
from typing import Any, cast

from simulator.errors import UsageError
from simulator.network.clock import Clock, ClockSelector, Wakeup
from simulator.network.datagrams import DatagramEnd, Datagrams
from simulator.network.foreign import Bridge, dial_external
from simulator.network.link import Carrier, End, Wire
from simulator.network.loopback import SocketDatagrams, SocketPair, listen
from simulator.network.memory import MemoryCarrier, MemoryDatagrams
from simulator.network.network import FOREIGN_ADDRESS, Address, Network, Service
from simulator.network.onpath import Box
from simulator.trace.events import TlsFailed
from simulator.trace.recorder import Recorder
from simulator.trace.trace import ConnectionLog


class _Timer(asyncio.TimerHandle):
    """A timer that keeps its place among timers for the same moment (asyncio's heap does not)."""

    __slots__ = ("_place",)
    _places = itertools.count()

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._place = next(self._places)

    def __lt__(self, other: Any) -> bool:
        # Called for every step of every heap operation, so no method calls here.
        return bool(self._when < other._when or (self._when == other._when and self._place < other._place))


class Listener(asyncio.AbstractServer):
    """A running server on a logical port."""

    def __init__(self, loop: NetworkLoop, service: Service) -> None:
        self._loop, self.service = loop, service
        self.sockets: tuple[socket.socket, ...] = ()

    def close(self) -> None:
        """Stop accepting; open connections go on."""
        if self._loop.network.services.get((self.service.address, self.service.port)) is self.service:
            del self._loop.network.services[self.service.address, self.service.port]
            self._loop.medium_close_door(self.service)

    async def wait_closed(self) -> None:
        """Nothing to wait for: closing is immediate."""

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop."""
        return self._loop

    def is_serving(self) -> bool:
        """Tell whether it accepts connections."""
        return (self.service.address, self.service.port) in self._loop.network.services


class _Hold(asyncio.Protocol):
    """Holds the place of a protocol until the TLS layer takes it."""


class NetworkLoop(base_events.BaseEventLoop):
    """What both media share. Use `new_loop` to make one."""

    medium = "abstract"
    clock: Clock
    network: Network
    recorder: Recorder
    _scheduled: list[asyncio.TimerHandle]
    _selector: Any

    def _set_up(self, clock: Clock, latency_s: float, header: dict[str, Any]) -> None:
        self._clock_resolution = 1e-9
        self.recorder = Recorder(clock.time, medium=self.medium, latency_s=latency_s, **header)
        self.network = Network(self, self.recorder, latency_s)
        self.datagrams = Datagrams(self)

    # --- time --------------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Return simulated seconds since the start."""
        return self.clock.time()

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """Call at a simulated moment; first in, first out among equal moments."""
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        # Whole nanoseconds keep moments equal that are reached by different sums.
        timer = _Timer(round(when, 9), callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.TimerHandle:
        """Call after `delay` simulated seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        """Run in a helper thread; simulated time stands still until it is done."""
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        self.clock.helper(+1)
        future.add_done_callback(lambda _: self.clock.helper(-1))
        return future

    def finish(self) -> None:
        """End every task that is left, then close the loop; nothing is destroyed while pending."""
        try:
            with self.clock.call():
                self.run_until_complete(self._cancel_all())
                self.run_until_complete(self.shutdown_asyncgens())
        finally:
            self.close()

    async def _cancel_all(self) -> None:
        left = asyncio.all_tasks(self) - {asyncio.current_task(self)}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def _next_timer(self) -> float:
        return self._scheduled[0].when()

    # --- TCP ---------------------------------------------------------------------------------------------------------

    async def create_server(self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: Any = None,  # type: ignore[override]
                            port: int | None = None, *, ssl: Any = None, ssl_handshake_timeout: float | None = None,
                            ssl_shutdown_timeout: float | None = None, **_: Any) -> Listener:
        """Listen on a logical address and port. With `ssl`, TLS begins with the first octet."""
        if not host or port is None:
            raise UsageError("A server needs a logical address and a port, such as 192.0.2.25 and 25.")
        key = self.network.address_of(str(host)), int(port)
        if key in self.network.services:
            raise UsageError(f"Port {port} on {host} is already taken by another server of this internet.")

        def accept(wire: Wire) -> None:
            end = wire.server
            if end.is_closing():
                return
            protocol = protocol_factory()
            if ssl is not None:
                waiter = self.create_future()
                waiter.add_done_callback(lambda done: self._handshake_done(wire, done))
                protocol = sslproto.SSLProtocol(
                    self, protocol, ssl, waiter, server_side=True, ssl_handshake_timeout=ssl_handshake_timeout,  # type: ignore[arg-type]
                    ssl_shutdown_timeout=ssl_shutdown_timeout)
            protocol.connection_made(end)
            end.set_protocol(protocol)

        service = Service(*key, accept)
        self.network.services[key] = service
        self.medium_open_door(service)
        return Listener(self, service)

    def _handshake_done(self, wire: Wire, done: asyncio.Future[Any]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self.recorder.record(TlsFailed, host=wire.log.server_host, seen_by="server", connection=wire.number,
                                 implicit=True, reason=str(error) or type(error).__name__)

    async def create_connection(self, protocol_factory: Callable[[], asyncio.BaseProtocol], host: Any = None,  # type: ignore[override]
                                port: Any = None, *, ssl: Any = None, server_hostname: str | None = None,
                                local_addr: Any = None, **_: Any) -> tuple[Any, Any]:
        """Dial a logical address (or host name) and port, from the logical address in `local_addr`."""
        if not host or not port:
            raise UsageError("To dial, give a logical address and a port, such as 192.0.2.25 and 25.")
        wire = await self.network.dial(local_addr[0] if local_addr else FOREIGN_ADDRESS,
                                       (self.network.address_of(str(host)), int(port)))
        protocol = protocol_factory()
        end: End = wire.client
        if ssl is None:
            protocol.connection_made(end)
            end.set_protocol(protocol)
            return end, protocol
        end.set_protocol(_Hold())
        transport = await self.start_tls(end, protocol, ssl, server_hostname=server_hostname or str(host))
        protocol.connection_made(cast(asyncio.BaseTransport, transport))
        return transport, protocol

    async def create_datagram_endpoint(self, protocol_factory: Callable[[], Any], local_addr: Any = None,  # type: ignore[override]
                                       remote_addr: Any = None, **_: Any) -> tuple[DatagramEnd, Any]:
        """Open a UDP endpoint on a logical address; port 0 takes the next free one."""
        protocol = protocol_factory()
        return self.datagrams.open(protocol, local_addr or (FOREIGN_ADDRESS, 0), remote_addr), protocol

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:  # type: ignore[override]
        """Resolve host names of this internet only, and without asking anybody."""
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.network.address_of(str(host)), port))]

    # --- what a medium provides --------------------------------------------------------------------------------------

    def medium_carrier(self, service: Service) -> Carrier:
        """Return a carrier for a new connection to `service`."""
        raise NotImplementedError

    def medium_datagrams(self, address: Address) -> Any:
        """Return a carrier for the datagrams of one logical address and port."""
        raise NotImplementedError

    def medium_open_door(self, service: Service) -> None:
        """A service has begun to listen."""

    def medium_close_door(self, service: Service) -> None:
        """A service has stopped listening."""

    async def medium_dial_external(self, log: ConnectionLog, box: Box | None, real_address: Address) -> Wire:
        """Dial a real program on this machine."""
        raise UsageError("Programs outside the simulator can only be reached with medium=\"loopback\".")

    def real_address(self, address: str, port: int, transport: str = "tcp") -> Address | None:
        """Return where a foreign program reaches a service; None in memory."""
        return None


class MemoryLoop(NetworkLoop):
    """The small internet inside the process: no socket, no selector."""

    medium = "memory"

    def __init__(self, clock: Clock, latency_s: float, header: dict[str, Any]) -> None:
        super().__init__()
        self.clock = clock
        self._wakeup = Wakeup()
        self._selector = ClockSelector(clock, self._wakeup, self._next_timer)
        self._set_up(clock, latency_s, header)

    def _process_events(self, event_list: list[Any]) -> None:
        """There are no descriptors, so no events."""

    def _write_to_self(self) -> None:
        self._wakeup.wake()

    def medium_carrier(self, service: Service) -> Carrier:
        """Hand over octets inside the process."""
        return MemoryCarrier()

    def medium_datagrams(self, address: Address) -> MemoryDatagrams:
        """Hand over datagrams inside the process."""
        return MemoryDatagrams()


class LoopbackLoop(NetworkLoop, asyncio.SelectorEventLoop):
    """The small internet on real sockets on 127.0.0.1."""

    medium = "loopback"

    def __init__(self, clock: Clock, latency_s: float, header: dict[str, Any]) -> None:
        self.clock = clock
        inner = selectors.DefaultSelector()
        asyncio.SelectorEventLoop.__init__(self, cast(Any, ClockSelector(clock, inner, self._next_timer)))
        self.real_ports: Callable[[str, int], Address | None] = lambda address, port: None
        """Which real address and port a service should have; None: any free port on 127.0.0.1."""
        self._set_up(clock, latency_s, header)

    def medium_open_door(self, service: Service) -> None:
        """Open a real port now if a particular one is wanted; else at first use."""
        if self.real_ports(service.address, service.port) is not None:
            self._door(service)

    def _door(self, service: Service) -> socket.socket:
        if service.door is None:
            door = service.door = listen(*(self.real_ports(service.address, service.port) or ()))
            self.add_reader(door, self._somebody_came, service)
        return cast(socket.socket, service.door)

    def medium_close_door(self, service: Service) -> None:
        """Close the real port."""
        if service.door is not None:
            self.remove_reader(service.door)
            service.door.close()
            service.door = None

    def medium_carrier(self, service: Service) -> Carrier:
        """Connect two real sockets through the service's real port."""
        return SocketPair(self._door(service), lambda stranger: self._welcome(service, stranger))

    def _somebody_came(self, service: Service) -> None:
        try:
            accepted, _ = service.door.accept()
        except (BlockingIOError, ConnectionError):
            return  # gone again, or already taken by one of our own connections
        self._welcome(service, accepted)

    def _welcome(self, service: Service, accepted: socket.socket) -> None:
        bridge = Bridge(self, accepted)
        bridge.attach(self.network.welcome(service, bridge, (FOREIGN_ADDRESS, accepted.getpeername()[1])).client)

    async def medium_dial_external(self, log: ConnectionLog, box: Box | None, real_address: Address) -> Wire:
        """Dial a real program on this machine; its time is real."""
        return await dial_external(self, log, box, real_address)

    def medium_datagrams(self, address: Address) -> SocketDatagrams:
        """Open a real UDP socket for a logical address."""
        real = self.real_ports(*address)
        if real is None and (service := self.network.services.get(address)) is not None:
            real = self._door(service).getsockname()  # DNS: the same number for UDP as for TCP
        carrier = SocketDatagrams(*(real or ()))
        self.add_reader(carrier, carrier.read_strangers)
        return carrier

    def real_address(self, address: str, port: int, transport: str = "tcp") -> Address | None:
        """Return where a foreign program reaches a service, opening its real port if need be."""
        if transport == "udp":
            return self.datagrams.real_address((address, port))
        service = self.network.services.get((address, port))
        return cast(Address, self._door(service).getsockname()) if service else None


def new_loop(medium: str = "loopback", clock: str = "simulated", latency_s: float = 0.02, **header: Any) -> NetworkLoop:
    """Make a loop for one internet.

    `medium` is "loopback" or "memory", `clock` "simulated" or "real", `latency_s` seconds one way; `header` goes into the
    trace. Raises UsageError for anything else.
    """
    if clock not in ("simulated", "real"):
        raise UsageError(f"There is no clock {clock!r}; choose \"simulated\" or \"real\".")
    if latency_s < 0:
        raise UsageError(f"A latency cannot be negative ({latency_s} s); give seconds one way, such as 0.02.")
    kinds: dict[str, type[MemoryLoop] | type[LoopbackLoop]] = {"loopback": LoopbackLoop, "memory": MemoryLoop}
    if medium not in kinds:
        raise UsageError(f"There is no medium {medium!r}; choose \"loopback\" or \"memory\".")
    return kinds[medium](Clock(always_real=clock == "real"), latency_s, header)
