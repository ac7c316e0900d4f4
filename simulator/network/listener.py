"""A server that listens on a logical port, as asyncio's programs know servers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from simulator.network.hosts import Address, Service
    from simulator.network.loop import NetworkLoop


class LogicalSocket(NamedTuple):
    """Stands where asyncio shows a listening socket: it can say where it listens, logically."""

    address: Address

    def getsockname(self) -> Address:
        """Return the logical address and port."""
        return self.address


class Listener(asyncio.AbstractServer):
    """A running server on a logical port."""

    def __init__(self, loop: NetworkLoop, service: Service) -> None:
        self._loop, self.service = loop, service

    @property
    def sockets(self) -> tuple[LogicalSocket, ...]:
        """Where it listens; nowhere when it is closed."""
        return (LogicalSocket((self.service.address, self.service.port)),) if self.is_serving() else ()

    def close(self) -> None:
        """Stop accepting; open connections go on."""
        if self.is_serving():
            del self._loop.network.services[self.service.address, self.service.port]
            self._loop.medium_close_door(self.service)

    async def wait_closed(self) -> None:
        """Nothing to wait for: closing is immediate."""

    async def start_serving(self) -> None:
        """It serves from the beginning."""

    async def serve_forever(self) -> None:
        """Serve until cancelled."""
        try:
            await self._loop.create_future()
        finally:
            self.close()

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop."""
        return self._loop

    def is_serving(self) -> bool:
        """Tell whether it accepts connections."""
        return self._loop.network.services.get((self.service.address, self.service.port)) is self.service
