"""Hosts and what listens on them: the values that the network knows."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from simulator.errors import UsageError

if TYPE_CHECKING:
    from simulator.network.link import Wire

Address = tuple[str, int]

FOREIGN_HOST = "your-computer.example"
FOREIGN_ADDRESS = "203.0.113.200"
"""Where programs that do not belong to the simulator seem to be."""


@dataclass(slots=True)
class Host:
    """A host that the network knows. `wake` starts its services the first time that somebody dials it."""

    name: str
    wake: Callable[[], Awaitable[None]] | None = None
    """None when there is nothing to start, or when all is started."""
    silent: bool = False
    """True: it answers nothing at all, as if switched off."""
    waking: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Service:
    """Something that listens on a logical TCP port."""

    address: str
    port: int
    accept: Callable[[Wire], None]
    """Called when a connection is there, with its wire."""
    door: Any = None
    """What the medium keeps for it: a listening socket, or nothing."""


def checked_latency(latency_s: float) -> float:
    """Return a latency in seconds if it can be one. Raises UsageError."""
    if not 0 <= latency_s < float("inf"):
        raise UsageError(f"A latency cannot be negative or endless ({latency_s} s); give seconds one way, like 0.02.")
    return latency_s


def is_address(text: str) -> bool:
    """Tell whether a text is an IP address, of any version."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
