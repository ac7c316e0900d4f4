"""The box on the path: a seam where something between two hosts sees, changes, holds or cuts their octets.

By default nobody is there. A box is asked once per connection and then for every piece of octets, before it travels on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.trace.events import Direction
    from simulator.trace.trace import ConnectionLog


class OnConnect(Enum):
    """What a box does with a connection that is being opened."""

    PASS = "pass"
    REFUSE = "refuse"
    """The client gets a reset, as from a firewall that rejects."""
    DROP = "drop"
    """The client hears nothing at all, as from a firewall that drops."""


@dataclass(frozen=True, slots=True)
class Divert:
    """Let the connection end at another host instead: (address, port)."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class Forward:
    """Let these octets travel on."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Inject:
    """Send octets of the box's own, forwards or, with `back`, to the end that has just sent."""

    octets: bytes
    back: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """End the connection at once: both ends get a reset."""


Action = Forward | Inject | Cut


class Box:
    """A box that passes everything; subclasses override what they want. Holding is returning nothing (and forwarding later)."""

    def on_connect(self, connection: ConnectionLog) -> OnConnect | Divert:
        """Decide about a new connection."""
        return OnConnect.PASS

    def on_octets(self, connection: ConnectionLog, direction: Direction, octets: bytes) -> Iterable[Action]:
        """Decide about octets that one end has sent."""
        return (Forward(octets),)


class CutWhenSeen(Box):
    """Cuts the connection as soon as `marker` passes in cleartext, however the octets are cut into pieces."""

    def __init__(self, marker: bytes) -> None:
        self.marker = marker
        self._tails: dict[tuple[int, str], bytes] = {}

    def on_octets(self, connection: ConnectionLog, direction: Direction, octets: bytes) -> Iterable[Action]:
        """Forward until the marker is complete; then cut."""
        key = connection.number, direction
        seen = self._tails.get(key, b"") + octets
        self._tails[key] = seen[-len(self.marker):]
        return (Cut(),) if self.marker in seen else (Forward(octets),)
