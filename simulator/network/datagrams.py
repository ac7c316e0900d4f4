"""UDP: datagrams between logical addresses, with latency and taps, over either medium (RFC 768)."""

from __future__ import annotations

import asyncio
import errno
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError
from simulator.network.network import FOREIGN_ADDRESS, Address
from simulator.trace.trace import ConnectionLog

if TYPE_CHECKING:
    from simulator.network.loop import NetworkLoop


class FlowHandle:
    """What a datagram program may know of its exchange: the connection number, and how to label it."""

    def __init__(self, loop: NetworkLoop, log: ConnectionLog) -> None:
        self.recorder, self.log = loop.recorder, log

    @property
    def number(self) -> int:
        """Number of the connection in the trace."""
        return self.log.number

    @property
    def message(self) -> str | None:
        """Label of the message that this exchange serves."""
        return self.log.message

    def label(self, message: str) -> None:
        """Say which message this exchange serves."""
        self.recorder.label(self.log, message)


class DatagramEnd(asyncio.DatagramTransport):
    """A UDP endpoint on a logical address."""

    def __init__(self, loop: NetworkLoop, protocol: Any, local: Address, remote: Address | None) -> None:
        super().__init__({"sockname": local, "peername": remote})
        self._loop, self.protocol, self.local, self.remote = loop, protocol, local, remote
        self._carrier: Any = None
        self._closed = False
        if remote is not None:
            self._extra["wire"] = FlowHandle(loop, loop.datagrams.flow(local, remote))

    @property
    def carrier(self) -> Any:
        """The medium's part, made at first use."""
        if self._carrier is None:
            self._carrier = self._loop.medium_datagrams(self.local)
            self._carrier.on_stranger = self._from_stranger
        return self._carrier

    def sendto(self, data: Any, addr: Any = None) -> None:
        """Send one datagram; it may get lost, as UDP allows."""
        target = addr or self.remote
        if self._closed or target is None:
            return
        self._loop.datagrams.send(self, bytes(data), (str(target[0]), int(target[1])))

    def _from_stranger(self, octets: bytes, source: Address) -> None:
        if source[0]:
            self._loop.datagrams.from_stranger(self, octets, source)

    def close(self) -> None:
        """Close at once."""
        if not self._closed:
            self._closed = True
            self._loop.datagrams.closed(self)
            if self._carrier is not None:
                if hasattr(self._carrier, "fileno"):
                    self._loop.remove_reader(self._carrier.fileno())
                self._carrier.close()
            self._loop.call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        """Close at once."""
        self.close()

    def is_closing(self) -> bool:
        """Tell whether it is closed."""
        return self._closed


class Datagrams:
    """All UDP endpoints of one internet."""

    def __init__(self, loop: NetworkLoop) -> None:
        self._loop = loop
        self._ends: dict[Address, DatagramEnd] = {}
        self._flows: dict[tuple[Address, Address], ConnectionLog] = {}
        self._strangers: dict[Address, Address] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, protocol: Any, local: Any, remote: Any) -> DatagramEnd:
        """Open an endpoint. Raises UsageError when the port is taken."""
        address = str(local[0]), int(local[1]) or self._loop.network.next_port()
        if address in self._ends:
            raise UsageError(f"UDP port {address[1]} on {address[0]} is already taken by another server of this internet.")
        end = DatagramEnd(self._loop, protocol, address, (str(remote[0]), int(remote[1])) if remote else None)
        self._ends[address] = end
        protocol.connection_made(end)
        return end

    def flow(self, client: Address, server: Address) -> ConnectionLog:
        """Return the log of the exchange between two endpoints, starting it if need be."""
        log = self._flows.get((client, server))
        if log is None:
            log = self._flows[client, server] = self._loop.network.flow(client, server)
        return log

    def send(self, source: DatagramEnd, octets: bytes, target: Address) -> None:
        """Let one datagram travel."""
        if target in self._strangers:
            self._answer_stranger(source, octets, target)
            return
        from_server = (target, source.local) in self._flows
        log = self._flows[target, source.local] if from_server else self.flow(source.local, target)
        self._loop.recorder.wire(log, f"wire.{'s2c' if from_server else 'c2s'}.sent", octets)
        self._loop.call_later(log.latency_s, self._arrive, source, octets, target, log, from_server)

    def _arrive(self, source: DatagramEnd, octets: bytes, target: Address, log: ConnectionLog, from_server: bool) -> None:
        host = self._loop.network.hosts.get(target[0])
        if host is None or host.silent:
            return  # nobody there: lost without a word
        if host.wake is not None:
            task = self._loop.create_task(self._wake_first(source, octets, target, log, from_server))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        end = self._ends.get(target)
        if end is None:
            if not from_server:  # RFC 792: port unreachable
                self._loop.call_later(log.latency_s, self._unreachable, source, target)
            return
        carried = end.carrier.carry(octets, end.carrier) if source._closed else source.carrier.carry(octets, end.carrier)
        self._loop.recorder.wire(log, f"wire.{'s2c' if from_server else 'c2s'}.arrived", carried)
        end.protocol.datagram_received(carried, source.local)

    async def _wake_first(self, source: DatagramEnd, octets: bytes, target: Address, log: ConnectionLog,
                          from_server: bool) -> None:
        await self._loop.network.awake(target[0])
        self._arrive(source, octets, target, log, from_server)

    def _unreachable(self, source: DatagramEnd, target: Address) -> None:
        if not source._closed:
            source.protocol.error_received(ConnectionRefusedError(errno.ECONNREFUSED, f"nothing listens on UDP port {target[1]}"))

    # --- foreign programs --------------------------------------------------------------------------------------------

    def from_stranger(self, end: DatagramEnd, octets: bytes, real_source: Address) -> None:
        """A foreign program sent a datagram to one of our endpoints."""
        source = FOREIGN_ADDRESS, real_source[1]
        self._strangers[source] = real_source
        log = self.flow(source, end.local)
        for name in ("wire.c2s.sent", "wire.c2s.arrived"):
            self._loop.recorder.wire(log, name, octets)
        end.protocol.datagram_received(octets, source)

    def _answer_stranger(self, source: DatagramEnd, octets: bytes, target: Address) -> None:
        log = self._flows.pop((target, source.local), None) or self._loop.network.flow(target, source.local)
        for name in ("wire.s2c.sent", "wire.s2c.arrived"):
            self._loop.recorder.wire(log, name, octets)
        source.carrier.send_out(octets, self._strangers.pop(target))

    # --- the end -----------------------------------------------------------------------------------------------------

    def closed(self, end: DatagramEnd) -> None:
        """An endpoint was closed: its exchanges are over."""
        self._ends.pop(end.local, None)
        for key in [key for key in self._flows if end.local in key]:
            del self._flows[key]

    def real_address(self, address: Address) -> Address | None:
        """Return where a foreign program reaches a UDP service."""
        end = self._ends.get(address)
        return end.carrier.real_address if end else None
