"""The carrier without sockets: what one end writes is handed to the other inside the process."""

from __future__ import annotations

from collections.abc import Callable

from simulator.network.end import Side


class MemoryCarrier:
    """Carries octets of one connection; nothing can get lost or stuck."""

    def carry(self, from_client: bool, octets: bytes) -> bytes:
        """Return the octets as they come out at the other end."""
        return octets

    def finish(self, from_client: bool) -> None:
        """One end will send no more."""

    def left(self, side: Side) -> None:
        """One end is gone."""

    def close(self, reset: bool = False) -> None:
        """The connection is over."""


class MemoryDatagrams:
    """Carries datagrams; there is no real address that a foreign program could use."""

    real_address: tuple[str, int] | None = None

    def __init__(self) -> None:
        self.on_stranger: Callable[[bytes, tuple[str, int]], None] = lambda octets, source: None

    def carry(self, octets: bytes, to: MemoryDatagrams) -> bytes:
        """Return the datagram as it comes out at the other end."""
        return octets

    def send_out(self, octets: bytes, real_address: tuple[str, int]) -> None:
        """Nobody is outside."""

    def close(self) -> None:
        """Nothing to release."""
