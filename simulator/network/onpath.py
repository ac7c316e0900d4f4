"""The box on the path: a seam where something between two hosts sees, changes, holds or cuts their octets.

By default nobody is there. A box is asked once per connection and then for every piece of octets, before it travels on.
Everything that it does but pass is recorded as an `OnPathAction`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from simulator.errors import UsageError

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
    """End the connection: both ends get a reset, behind what the box has let pass already."""

    why: str = ""


Action = Forward | Inject | Cut


def what_changed(sent: bytes, passed: bytes) -> bytes:
    """Say which lines a box has changed; without lines to compare, what it let pass instead."""
    before, after = sent.split(b"\r\n"), passed.split(b"\r\n")
    if sent[:1] in (b"\x14", b"\x15", b"\x16", b"\x17") or len(before) != len(after):
        return passed
    return b"; ".join(b"%s became %s" % pair for pair in zip(before, after, strict=True) if pair[0] != pair[1])


class Box:
    """A box that passes everything; subclasses override what they want.

    To hold octets, return nothing, and forward them later.
    """

    def on_connect(self, connection: ConnectionLog) -> OnConnect | Divert:
        """Decide about a new connection."""
        return OnConnect.PASS

    def on_octets(self, connection: ConnectionLog, direction: Direction, octets: bytes) -> Iterable[Action]:
        """Decide about octets that one end has sent."""
        return (Forward(octets),)

    def on_end(self, connection: ConnectionLog, direction: Direction) -> Iterable[Action]:
        """One end will send no more: the last chance to let go what was held."""
        return ()

    def forget(self, connection: ConnectionLog) -> None:
        """The connection is over: nothing about it needs to be remembered."""


class CutWhenSeen(Box):
    """Cuts the connection as soon as `marker` passes in cleartext, however the octets are cut into pieces."""

    def __init__(self, marker: bytes) -> None:
        if not marker:
            raise UsageError('A box that cuts needs something to look for, such as b"DATA".')
        self.marker = marker
        self._tails: dict[tuple[int, str], bytes] = {}

    def on_octets(self, connection: ConnectionLog, direction: Direction, octets: bytes) -> Iterable[Action]:
        """Forward until the marker is complete; then cut."""
        key = connection.number, direction
        seen = self._tails.get(key, b"") + octets
        if self.marker in seen:
            return (Cut(f"saw {self.marker.decode('ascii', 'backslashreplace')}"),)
        self._tails[key] = seen[max(0, len(seen) - len(self.marker) + 1) :]
        return (Forward(octets),)

    def forget(self, connection: ConnectionLog) -> None:
        """The connection is over."""
        for direction in ("c2s", "s2c"):
            self._tails.pop((connection.number, direction), None)


class LineBox(Box):
    """A box that sees whole lines, however the octets are cut; subclasses override `on_line`.

    Where TLS records begin it sees no lines any more and passes everything.
    """

    LONGEST_LINE_OCTETS = 65536
    """A longer run without a line end is passed unseen."""
    _TLS = frozenset(range(0x14, 0x18))  # RFC 8446 section 5.1: content types, none of which begins a line of text

    def __init__(self) -> None:
        self._rest: dict[tuple[int, str], bytes] = {}
        self._blind: set[tuple[int, str]] = set()

    def on_line(self, connection: ConnectionLog, direction: Direction, line: bytes) -> Iterable[Action]:
        """Decide about one line, with its line end."""
        return (Forward(line),)

    def on_octets(self, connection: ConnectionLog, direction: Direction, octets: bytes) -> Iterator[Action]:
        """Cut what was sent into lines; hold an unfinished one."""
        key = connection.number, direction
        seen = self._rest.pop(key, b"") + octets
        start = 0
        while start < len(seen) and key not in self._blind:
            if seen[start] in self._TLS:
                self._blind.add(key)
                break
            end = seen.find(b"\n", start) + 1
            if not end:
                if len(seen) - start > self.LONGEST_LINE_OCTETS:
                    break
                self._rest[key] = seen[start:]
                return
            yield from self.on_line(connection, direction, seen[start:end])
            start = end
        if start < len(seen):
            yield Forward(seen[start:])

    def on_end(self, connection: ConnectionLog, direction: Direction) -> Iterable[Action]:
        """Let an unfinished line go."""
        rest = self._rest.pop((connection.number, direction), b"")
        return (Forward(rest),) if rest else ()

    def forget(self, connection: ConnectionLog) -> None:
        """The connection is over."""
        for direction in ("c2s", "s2c"):
            self._rest.pop((connection.number, direction), None)
            self._blind.discard((connection.number, direction))
