"""The client's end of a connection [IO]: what came, in order, and flow control for what goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from simulator.network.link import EndpointTap

CLOSE_TIMEOUT_S = 30.0
"""How long a server may take to let go of a connection that is over."""


class Connection(asyncio.Protocol):
    """A queue of what came, a tap above TLS, and waiting where the other side reads slowly."""

    def __init__(self, implicit_tls: bool) -> None:
        self._implicit_tls = implicit_tls
        loop = asyncio.get_running_loop()
        self._came: asyncio.Queue[bytes] = asyncio.Queue()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.facts: dict[str, Any] = {}
        self._tap: EndpointTap | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        wire = transport.get_extra_info("wire")
        self._tap = wire.tap("client") if wire is not None else None
        if self._implicit_tls:
            self.transport.pause_reading()  # what comes is for the TLS layer, even if it turns out to be no TLS

    def tls_established(self, transport: asyncio.Transport, implicit: bool, facts: dict[str, Any]) -> None:
        self.transport, self.facts = transport, facts

    def data_received(self, data: bytes) -> None:
        if self._tap is not None:
            self._tap.received(data)
        self._came.put_nowait(data)

    def eof_received(self) -> None:
        self._came.put_nowait(b"")

    def connection_lost(self, error: Exception | None) -> None:
        self._came.put_nowait(b"")
        self._may_write.set()
        if not self.gone.done():
            self.gone.set_result(None)

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    async def read(self) -> bytes:
        """Return what came next; b"" when nothing will come any more."""
        return await self._came.get()

    @property
    def unread(self) -> bool:
        """True when something has come that was not read yet."""
        return not self._came.empty()

    async def write(self, octets: bytes) -> None:
        """Write; return when the connection can take more."""
        self.transport.write(octets)
        if self._tap is not None:
            self._tap.sent(octets)
        await self._may_write.wait()

    async def close(self, abort: bool) -> None:
        """Close, and wait until it is done."""
        if abort:
            self.transport.abort()
            return
        self.transport.close()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await asyncio.shield(self.gone)
        except TimeoutError:
            self.transport.abort()
