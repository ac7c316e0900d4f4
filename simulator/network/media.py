"""The two media: the small internet inside the process, or on real sockets on 127.0.0.1."""

from __future__ import annotations

import asyncio
import selectors
import socket
from collections.abc import Callable
from contextvars import Context
from typing import Any, cast

from simulator.errors import UsageError
from simulator.network.clock import Clock, ClockSelector, Wakeup
from simulator.network.datagrams import DatagramEnd
from simulator.network.foreign import Bridge, dial_external
from simulator.network.hosts import FOREIGN_ADDRESS, Address, Service
from simulator.network.link import Carrier, Wire
from simulator.network.loop import NetworkLoop
from simulator.network.loopback import FULL, SocketDatagrams, SocketPair, listen
from simulator.network.memory import MemoryCarrier, MemoryDatagrams
from simulator.network.onpath import Box
from simulator.trace.trace import ConnectionLog

SAME_PORT_TRIES = 16
REST_S = 1.0
"""How long a door stays shut when the system has no descriptor left for who comes, as asyncio does."""


class MemoryLoop(NetworkLoop):
    """The small internet inside the process: no socket, no selector."""

    medium = "memory"

    def __init__(self, clock: Clock, latency_s: float, limit_octets: int | None, header: dict[str, Any]) -> None:
        super().__init__()
        self.clock = clock
        self._wakeup = Wakeup()
        self._selector = ClockSelector(clock, self._wakeup, self._next_timer)
        self._set_up(clock, latency_s, limit_octets, header)

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

    def __init__(self, clock: Clock, latency_s: float, limit_octets: int | None, header: dict[str, Any]) -> None:
        self.clock = clock
        inner = selectors.DefaultSelector()
        asyncio.SelectorEventLoop.__init__(self, cast(Any, ClockSelector(clock, inner, self._next_timer)))
        self.real_ports: Callable[[str, int], Address | None] = lambda address, port: None
        """Which real address and port a service should have; None: any free port on 127.0.0.1."""
        self._our_datagrams: set[Address] = set()
        self._set_up(clock, latency_s, limit_octets, header)

    # --- TCP ---------------------------------------------------------------------------------------------------------

    def medium_open_door(self, service: Service) -> None:
        """Open a real port now if a particular one is wanted; else at first use."""
        if self.real_ports(service.address, service.port) is not None:
            self._door(service)

    def _door(self, service: Service) -> socket.socket:
        if service.door is None:
            service.door = listen(*(self.real_ports(service.address, service.port) or ()))
            self._watch(service)
        return cast(socket.socket, service.door)

    def _watch(self, service: Service) -> None:
        if service.door is not None:
            # Whoever opened the door has nothing to do with those who come.
            Context().run(self.add_reader, service.door, self._somebody_came, service)

    def medium_close_door(self, service: Service) -> None:
        """Close the real port."""
        if service.door is not None:
            self.remove_reader(service.door)
            service.door.close()
            service.door = None

    def medium_carrier(self, service: Service) -> Carrier:
        """Connect two real sockets through the service's real port."""
        return SocketPair(self._door(service), lambda *stranger: self._welcome(service, *stranger))

    def _somebody_came(self, service: Service) -> None:
        try:
            accepted, peer = service.door.accept()
        except (BlockingIOError, ConnectionError):
            return  # gone again, or already taken by one of our own connections
        except OSError as error:
            if error.errno not in FULL:
                raise
            self.call_exception_handler({"message": "no room for another foreign connection", "exception": error})
            self.remove_reader(service.door)
            self.call_later(REST_S, self._watch, service)
            return
        self._welcome(service, accepted, peer)

    def _welcome(self, service: Service, accepted: socket.socket, peer: Any) -> None:
        if not peer:  # macOS, of one that has gone again
            accepted.close()
            return
        bridge = Bridge(self, accepted)
        wire = self.network.welcome(service, bridge, (FOREIGN_ADDRESS, peer[1]))
        bridge.attach(wire.client)
        wire.server.context.run(service.accept, wire)

    async def medium_dial_external(self, log: ConnectionLog, box: Box | None, real_address: Address) -> Wire:
        """Dial a real program on this machine; its time is real."""
        return await dial_external(self, log, box, real_address)

    # --- UDP ---------------------------------------------------------------------------------------------------------

    def medium_open_datagrams(self, end: DatagramEnd) -> None:
        """Open the real port now if a particular one is wanted; else at first use."""
        if self.real_ports(*end.local) is not None:
            assert end.carrier is not None

    def medium_datagrams(self, address: Address) -> SocketDatagrams:
        """Open a real UDP socket for a logical address."""
        carrier = self._same_port(address)
        Context().run(self.add_reader, carrier, carrier.read_strangers)
        return carrier

    def _same_port(self, address: Address) -> SocketDatagrams:
        """DNS: the same number for UDP as for TCP, where it can be had."""
        real = self.real_ports(*address)
        service = self.network.services.get(address)
        if real is not None or service is None:
            return SocketDatagrams(self._our_datagrams, *(real or ()))
        free_to_choose = service.door is None
        for _ in range(SAME_PORT_TRIES if free_to_choose else 1):
            try:
                return SocketDatagrams(self._our_datagrams, *self._door(service).getsockname()[:2])
            except UsageError:  # another program has that one
                if free_to_choose:
                    self.medium_close_door(service)
        return SocketDatagrams(self._our_datagrams)

    def medium_close_datagrams(self, carrier: Any) -> None:
        """Close a real UDP socket."""
        self.remove_reader(carrier)
        carrier.close()

    def real_address(self, address: str, port: int, transport: str = "tcp") -> Address | None:
        """Return where a foreign program reaches a service, opening its real port if need be."""
        if transport == "udp":
            return self.datagrams.real_address((address, port))
        service = self.network.services.get((address, port))
        return cast(Address, self._door(service).getsockname()[:2]) if service else None


MEDIA: dict[str, type[MemoryLoop] | type[LoopbackLoop]] = {"loopback": LoopbackLoop, "memory": MemoryLoop}
