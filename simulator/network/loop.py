"""The event loop that is a small internet: asyncio's own methods, but addresses are logical and time is simulated."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import socket
from asyncio import base_events, sslproto
from collections.abc import Callable
from typing import Any

from simulator.errors import UsageError
from simulator.network.clock import Clock
from simulator.network.datagrams import DatagramCarrier, DatagramEnd, Datagrams
from simulator.network.hosts import FOREIGN_ADDRESS, Address, Service
from simulator.network.link import Carrier, Wire
from simulator.network.listener import Listener
from simulator.network.network import Network
from simulator.network.onpath import Box
from simulator.trace.events import TlsFailed
from simulator.trace.recorder import Recorder
from simulator.trace.trace import ConnectionLog

RESOLUTION_S = 1e-9
"""Moments are whole nanoseconds, so that those are equal that are reached by different sums."""


class _Timer(asyncio.TimerHandle):
    """A timer that keeps its place among timers for the same moment (asyncio's heap does not)."""

    __slots__ = ("_key",)
    _places = itertools.count()

    def __init__(self, when: float, *args: Any) -> None:
        super().__init__(when, *args)
        self._key = when, next(self._places)

    def __lt__(self, other: Any) -> bool:
        return self._key < other._key  # type: ignore[no-any-return]


class NetworkLoop(base_events.BaseEventLoop):
    """What both media share. Use `new_loop` to make one."""

    medium = "abstract"
    clock: Clock
    network: Network
    recorder: Recorder
    _scheduled: list[asyncio.TimerHandle]
    _selector: Any

    def _set_up(self, clock: Clock, latency_s: float, limit_octets: int | None, header: dict[str, Any]) -> None:
        self._clock_resolution = RESOLUTION_S
        try:
            self.recorder = Recorder(clock.time, limit_octets, medium=self.medium, **header)
            self.network = Network(self, self.recorder, latency_s)
        except BaseException:
            super().close()
            raise
        self.datagrams = Datagrams(self)

    # --- time --------------------------------------------------------------------------------------------------------

    def time(self) -> float:
        """Return simulated seconds since the start."""
        return self.clock.time()

    def call_at(  # type: ignore[override]
        self,
        when: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Any = None,
    ) -> asyncio.TimerHandle:
        """Call at a simulated moment; first in, first out among equal moments."""
        if self.is_closed():
            raise RuntimeError("Event loop is closed")
        if when != when:
            raise UsageError("A moment that is no number never comes; give seconds.")
        timer = _Timer(round(when, 9), callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]
        return timer

    def call_later(  # type: ignore[override]
        self,
        delay: float,
        callback: Callable[..., Any],
        *args: Any,
        context: Any = None,
    ) -> asyncio.TimerHandle:
        """Call after `delay` simulated seconds."""
        return self.call_at(self.time() + delay, callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]
        self,
        executor: Any,
        func: Callable[..., Any],
        *args: Any,
    ) -> asyncio.Future[Any]:
        """Run in a helper thread; simulated time stands still until it is done."""
        future: asyncio.Future[Any] = super().run_in_executor(executor, func, *args)
        self.clock.helper(+1)
        future.add_done_callback(lambda _: self.clock.helper(-1))
        return future

    def _next_timer(self) -> float:
        when_s = self._scheduled[0].when()
        # After a year in simulated time a nanosecond is less than the smallest step of a float.
        self._clock_resolution = max(RESOLUTION_S, math.ulp(when_s))
        return when_s

    # --- TCP ---------------------------------------------------------------------------------------------------------

    async def create_server(  # type: ignore[override]
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: int | None = None,
        *,
        ssl: Any = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        sock: Any = None,
        **_: Any,
    ) -> Listener:
        """Listen on a logical address and port; port 0 takes the next free one.

        With `ssl`, TLS begins with the first octet. Raises UsageError when the port is taken.
        """
        if not host or port is None or sock is not None:
            raise UsageError("A server needs a logical address and a port, such as 192.0.2.25 and 25.")
        key = self.network.address_of(str(host)), int(port)
        while not key[1] or (not port and key in self.network.services):
            key = key[0], self.network.next_port()
        if key in self.network.services:
            raise UsageError(f"Port {port} on {host} is already taken by another server of this internet.")

        def accept(wire: Wire) -> None:
            end = wire.server
            if end.is_closing():
                return
            try:
                protocol = protocol_factory()
                if ssl is not None:
                    waiter = self.create_future()
                    waiter.add_done_callback(lambda done: self._handshake_done(wire, done))
                    protocol = self._tls(protocol, ssl, waiter, True, None, ssl_handshake_timeout, ssl_shutdown_timeout)
                end.set_protocol(protocol)
                protocol.connection_made(end)
            except Exception as error:
                self.call_exception_handler({"message": "a server failed to accept a connection", "exception": error})
                end.abort()

        service = Service(*key, accept)
        self.network.services[key] = service
        try:
            self.medium_open_door(service)
        except BaseException:
            del self.network.services[key]
            raise
        return Listener(self, service)

    def _tls(
        self,
        protocol: asyncio.BaseProtocol,
        context: Any,
        waiter: asyncio.Future[Any],
        server_side: bool,
        server_hostname: str | None,
        handshake_timeout_s: float | None,
        shutdown_timeout_s: float | None,
    ) -> sslproto.SSLProtocol:
        return sslproto.SSLProtocol(
            self,
            protocol,
            context,
            waiter,
            server_side,
            server_hostname,
            ssl_handshake_timeout=handshake_timeout_s,  # type: ignore[arg-type]
            ssl_shutdown_timeout=shutdown_timeout_s,
        )

    def _handshake_done(self, wire: Wire, done: asyncio.Future[Any]) -> None:
        if not done.cancelled() and (error := done.exception()) is not None:
            self.recorder.record(
                TlsFailed,
                host=wire.log.server_host,
                seen_by="server",
                connection=wire.number,
                implicit=True,
                reason=str(error) or type(error).__name__,
            )

    async def create_connection(
        self,
        protocol_factory: Callable[[], asyncio.BaseProtocol],
        host: Any = None,
        port: Any = None,
        *,
        ssl: Any = None,
        server_hostname: str | None = None,
        local_addr: Any = None,
        sock: Any = None,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        **_: Any,
    ) -> tuple[Any, Any]:
        """Dial a logical address (or host name) and port, from the logical address in `local_addr`."""
        if not host or not port or sock is not None:
            raise UsageError("To dial, give a logical address and a port, such as 192.0.2.25 and 25.")
        wire = await self.network.dial(
            self.network.address_of(str(local_addr[0])) if local_addr else FOREIGN_ADDRESS,
            (self.network.address_of(str(host)), int(port)),
        )
        end = wire.client
        try:
            protocol = protocol_factory()
            if ssl is None:
                end.set_protocol(protocol)
                protocol.connection_made(end)
                return end, protocol
            waiter = self.create_future()
            tls = self._tls(
                protocol, ssl, waiter, False, server_hostname or str(host), ssl_handshake_timeout, ssl_shutdown_timeout
            )
            end.set_protocol(tls)
            tls.connection_made(end)
            await waiter
        except BaseException:
            end.abort()
            raise
        return tls._app_transport, protocol

    # --- UDP and names -----------------------------------------------------------------------------------------------

    async def create_datagram_endpoint(
        self, protocol_factory: Callable[[], Any], local_addr: Any = None, remote_addr: Any = None, **_: Any
    ) -> tuple[DatagramEnd, Any]:
        """Open a UDP endpoint on a logical address; port 0 takes the next free one."""
        protocol = protocol_factory()
        return self.datagrams.open(protocol, local_addr or (FOREIGN_ADDRESS, 0), remote_addr), protocol

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> list[Any]:
        """Resolve host names of this internet only, and without asking anybody."""
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.network.address_of(str(host)), port))]

    async def getnameinfo(self, sockaddr: Any, flags: int = 0) -> tuple[str, str]:
        """Tell the host name of a logical address, without asking anybody."""
        return self.network.name_of(str(sockaddr[0])), str(sockaddr[1])

    # --- what a medium provides --------------------------------------------------------------------------------------

    def medium_carrier(self, service: Service) -> Carrier:
        """Return a carrier for a new connection to `service`."""
        raise NotImplementedError

    def medium_datagrams(self, address: Address) -> DatagramCarrier:
        """Return a carrier for the datagrams of one logical address and port."""
        raise NotImplementedError

    def medium_open_datagrams(self, end: DatagramEnd) -> None:
        """A datagram endpoint has been opened."""

    def medium_close_datagrams(self, carrier: Any) -> None:
        """An endpoint does not need its carrier any more."""

    def medium_open_door(self, service: Service) -> None:
        """A service has begun to listen."""

    def medium_close_door(self, service: Service) -> None:
        """A service has stopped listening."""

    async def medium_dial_external(self, log: ConnectionLog, box: Box | None, real_address: Address) -> Wire:
        """Dial a real program on this machine."""
        raise UsageError('Programs outside the simulator can only be reached with medium="loopback".')

    def real_address(self, address: str, port: int, transport: str = "tcp") -> Address | None:
        """Return where a foreign program reaches a service; None in memory."""
        return None

    # --- the end -----------------------------------------------------------------------------------------------------

    def finish(self) -> None:
        """End every connection and every task that is left, then close the loop."""
        if self.is_closed():
            return
        try:
            with self.clock.call():
                self.run_until_complete(self._end_all())
                self.run_until_complete(self.shutdown_asyncgens())
        finally:
            self.close()

    async def _end_all(self) -> None:
        self.network.close_doors()
        left = asyncio.all_tasks(self) - {asyncio.current_task(self)}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await self._end_connections()

    async def _end_connections(self) -> None:
        self.network.close_doors()
        while self.network.foreign_connections or self.network.open_connections:
            self.network.abort_all()
            await self.network.quiet()

    def close(self) -> None:
        """Close the loop, and what its medium holds for servers and connections that nobody has closed."""
        if not self.is_closed() and not self.is_running():
            if self.network.foreign_connections:
                with self.clock.call():  # real sockets that asyncio closes in its own time
                    self.run_until_complete(self._end_connections())
            self.network.close_doors()
            self.network.release_wires()
            self.datagrams.release()
        super().close()


def new_loop(
    medium: str = "loopback",
    clock: str = "simulated",
    latency_s: float = 0.02,
    limit_octets: int | None = None,
    **header: Any,
) -> NetworkLoop:
    """Make a loop for one internet.

    `medium` is "loopback" or "memory", `clock` "simulated" or "real", `latency_s` seconds one way; `limit_octets`
    bounds the trace (see `Recorder`); `header` goes into it. Raises UsageError for anything else.
    """
    from simulator.network.media import MEDIA

    if clock not in ("simulated", "real"):
        raise UsageError(f'There is no clock {clock!r}; choose "simulated" or "real".')
    if medium not in MEDIA:
        raise UsageError(f'There is no medium {medium!r}; choose "loopback" or "memory".')
    return MEDIA[medium](Clock(always_real=clock == "real"), latency_s, limit_octets, header)
