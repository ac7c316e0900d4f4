"""UDP: datagrams between logical addresses, with latency and taps, over either medium (RFC 768)."""

from __future__ import annotations

import asyncio
import errno
from collections import OrderedDict
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from simulator.errors import UsageError
from simulator.network.hosts import FOREIGN_ADDRESS, Address
from simulator.trace.trace import ConnectionLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from simulator.network.loop import NetworkLoop

LONGEST_DATAGRAM_OCTETS = 65507
"""What fits into an IPv4 packet: 65535 less 20 and 8 for the headers (RFC 768)."""
STRANGERS = 256
"""How many foreign programs are remembered; the one that has been silent longest is forgotten first."""
FINISHED = 1024
"""For how many closed endpoints a late reply still finds its exchange."""


class DatagramCarrier(Protocol):
    """What a medium must offer for one UDP endpoint."""

    on_stranger: Callable[[bytes, Address], None]
    """Called with each datagram of a foreign program."""

    def carry(self, octets: bytes, to: Any) -> bytes:
        """Move a datagram to another carrier and return it as it came out."""

    def send_out(self, octets: bytes, real_address: Address) -> None:
        """Send a datagram to a foreign program."""

    def close(self) -> None:
        """Release what it holds."""

    @property
    def real_address(self) -> Address | None:
        """Where foreign programs reach it."""


@dataclass(slots=True)
class _Flow:
    """An exchange between two endpoints. Once `answered`, the next datagram of a foreign program begins another one."""

    log: ConnectionLog
    answered: bool = False


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
        wire = FlowHandle(loop, loop.datagrams.flow(local, remote).log) if remote is not None else None
        super().__init__({"sockname": local, "peername": remote, "wire": wire})
        self._loop, self.protocol, self.local, self.remote = loop, protocol, local, remote
        self.context = copy_context()
        self._carrier: DatagramCarrier | None = None
        self._closed = False

    @property
    def carrier(self) -> DatagramCarrier:
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
        if len(data) > LONGEST_DATAGRAM_OCTETS:
            self.failed(OSError(errno.EMSGSIZE, "Message too long"))
            return
        self._loop.datagrams.send(self, bytes(data), (str(target[0]), int(target[1])))

    def hand_over(self, octets: bytes, source: Address) -> None:
        """A datagram has arrived here."""
        if not self._closed:
            self.context.run(self.protocol.datagram_received, octets, source)

    def failed(self, error: OSError) -> None:
        """Tell the program what the network has to say about something that it sent."""
        if not self._closed:
            self._loop.call_soon(self.protocol.error_received, error, context=self.context)

    def _from_stranger(self, octets: bytes, source: Address) -> None:
        self._loop.call_soon(self._loop.datagrams.from_stranger, self, octets, source, context=Context())

    def close(self) -> None:
        """Close at once."""
        if not self._closed:
            self._closed = True
            self._loop.datagrams.closed(self)
            self.release()
            self._loop.call_soon(self.protocol.connection_lost, None, context=self.context)

    def release(self) -> None:
        """Give back what the medium keeps for it."""
        if self._carrier is not None:
            self._loop.medium_close_datagrams(self._carrier)
            self._carrier = None

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
        self._flows: dict[Address, dict[Address, _Flow]] = {}
        """Client -> server -> their exchange."""
        self._finished: OrderedDict[Address, None] = OrderedDict()
        self._strangers: OrderedDict[Address, Address] = OrderedDict()
        """Logical address of a foreign program -> its real one."""
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, protocol: Any, local: Any, remote: Any) -> DatagramEnd:
        """Open an endpoint. Raises UsageError when the port is taken."""
        address = str(local[0]), int(local[1])
        while not address[1] or (not local[1] and address in self._ends):
            address = address[0], self._loop.network.next_port()
        if address in self._ends:
            raise UsageError(f"UDP port {address[1]} on {address[0]} is already taken by another server here.")
        self._forget(address)  # what an earlier endpoint there did is another story
        end = DatagramEnd(self._loop, protocol, address, (str(remote[0]), int(remote[1])) if remote else None)
        self._loop.medium_open_datagrams(end)
        self._ends[address] = end
        protocol.connection_made(end)
        return end

    def flow(self, client: Address, server: Address, foreign: bool = False) -> _Flow:
        """Return the exchange between two endpoints, starting it if need be."""
        flows = self._flows.setdefault(client, {})
        flow = flows.get(server)
        if flow is None or (foreign and flow.answered):
            flow = flows[server] = _Flow(self._loop.network.flow(client, server, foreign))
        return flow

    def send(self, source: DatagramEnd, octets: bytes, target: Address) -> None:
        """Let one datagram travel."""
        replied = self._flows.get(target, {}).get(source.local)
        if target[0] == FOREIGN_ADDRESS and target not in self._ends:
            if replied is not None and target in self._strangers:
                self._answer_stranger(source, octets, target, replied)
            return  # a stranger that was forgotten gets no answer
        log = (replied or self.flow(source.local, target)).log
        way = "c2s" if replied is None else "s2c"
        self._loop.recorder.wire(log, f"wire.{way}.sent", octets)
        self._loop.call_later(log.latency_s, self._arrive, source, octets, target, log, way, context=Context())

    def _arrive(self, source: DatagramEnd, octets: bytes, target: Address, log: ConnectionLog, way: str) -> None:
        host = self._loop.network.hosts.get(target[0])
        if host is None or host.silent:
            return  # nobody there: lost without a word
        if host.wake is not None:
            task = self._loop.create_task(self._wake_first(source, octets, target, log, way))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        end = self._ends.get(target)
        if end is None or (end.remote is not None and end.remote != source.local):  # it only listens to its remote
            # RFC 792: port unreachable
            gone = ConnectionRefusedError(errno.ECONNREFUSED, f"nothing listens on UDP port {target[1]}")
            if way == "c2s":
                self._loop.call_later(log.latency_s, source.failed, gone)
            return
        sender = end if source.is_closing() else source
        carried = sender.carrier.carry(octets, end.carrier)
        self._loop.recorder.wire(log, f"wire.{way}.arrived", carried)
        end.hand_over(carried, source.local)

    async def _wake_first(
        self, source: DatagramEnd, octets: bytes, target: Address, log: ConnectionLog, way: str
    ) -> None:
        await self._loop.network.awake(target[0])
        self._arrive(source, octets, target, log, way)

    # --- foreign programs --------------------------------------------------------------------------------------------

    def from_stranger(self, end: DatagramEnd, octets: bytes, real_source: Address) -> None:
        """A foreign program sent a datagram to one of our endpoints."""
        if end.is_closing() or end.remote is not None:
            return
        source = FOREIGN_ADDRESS, real_source[1]
        self._strangers[source] = real_source
        self._strangers.move_to_end(source)
        if len(self._strangers) > STRANGERS:
            self._forget(self._strangers.popitem(last=False)[0])
        flow = self.flow(source, end.local, foreign=True)
        for name in ("wire.c2s.sent", "wire.c2s.arrived"):
            self._loop.recorder.wire(flow.log, name, octets)
        end.hand_over(octets, source)

    def _answer_stranger(self, source: DatagramEnd, octets: bytes, target: Address, flow: _Flow) -> None:
        for name in ("wire.s2c.sent", "wire.s2c.arrived"):
            self._loop.recorder.wire(flow.log, name, octets)
        flow.answered = True
        self._loop.recorder.over(flow.log)
        source.carrier.send_out(octets, self._strangers[target])

    # --- the end -----------------------------------------------------------------------------------------------------

    def closed(self, end: DatagramEnd) -> None:
        """An endpoint was closed; what is on its way to it will still find its exchange."""
        self._ends.pop(end.local, None)
        if end.local in self._flows:
            self._finished[end.local] = None
            for flow in self._flows[end.local].values():
                self._loop.recorder.over(flow.log)
        if len(self._finished) > FINISHED:
            self._forget(next(iter(self._finished)))

    def _forget(self, client: Address) -> None:
        self._finished.pop(client, None)
        for flow in self._flows.pop(client, {}).values():
            self._loop.recorder.over(flow.log)

    def release(self) -> None:
        """Give back what the medium keeps for the endpoints that are still open."""
        for end in self._ends.values():
            end.release()

    def real_address(self, address: Address) -> Address | None:
        """Return where a foreign program reaches a UDP service."""
        end = self._ends.get(address)
        return end.carrier.real_address if end else None
