"""What an attacker on the path does to a start in cleartext, as ready boxes for the lessons.

Each one changes octets on links of this simulated internet only; there is no way to point it at anything else.
Names T1 to T4 follow the literature on STARTTLS downgrade: strip, garble, reject, cut.
"""

from __future__ import annotations

from collections.abc import Iterable

from simulator.network.onpath import Action, Box, Cut, Forward, Inject, LineBox
from simulator.trace.events import Direction
from simulator.trace.trace import ConnectionLog


class StripStartTls(LineBox):
    """T1: takes the offer of STARTTLS out of the server's EHLO reply (RFC 3207 section 6).

    With `instead`, such as "AUTH PLAIN LOGIN", another offer is put in its place: a faithful server hides AUTH before
    TLS (RFC 4954 section 4), and a careless client then sends its password to whoever asks.
    """

    def __init__(self, instead: str = "XXXXXXXX") -> None:
        super().__init__()
        self.instead = instead.encode("ascii")

    def on_line(self, connection: ConnectionLog, direction: Direction, line: bytes) -> Iterable[Action]:
        """Change one line of a reply, leave everything else as it is."""
        if direction == "s2c" and line[:3] == b"250" and line[4:].strip().upper() == b"STARTTLS":
            return (Forward(line[:4] + self.instead + b"\r\n"),)
        return (Forward(line),)


class RejectStartTls(LineBox):
    """T3: answers STARTTLS in the server's place with a temporary refusal; the server never hears of it."""

    def on_line(self, connection: ConnectionLog, direction: Direction, line: bytes) -> Iterable[Action]:
        """Keep the command, send the false reply back."""
        if direction == "c2s" and line.strip().upper() == b"STARTTLS":
            return (Inject(b"454 4.7.0 TLS not available due to a temporary reason\r\n", back=True),)
        return (Forward(line),)


class GarbleHandshake(Box):
    """T2: spoils the first TLS record that the server sends, so that the handshake fails."""

    def __init__(self) -> None:
        self._done: set[int] = set()

    def on_octets(self, connection: ConnectionLog, direction: Direction, octets: bytes) -> Iterable[Action]:
        """Turn over the bits of the handshake's first octets behind the record header (RFC 8446 section 5.1)."""
        if direction == "s2c" and octets[:1] == b"\x16" and connection.number not in self._done:
            self._done.add(connection.number)
            return (Forward(octets[:5] + bytes(o ^ 0xFF for o in octets[5:9]) + octets[9:]),)
        return (Forward(octets),)

    def forget(self, connection: ConnectionLog) -> None:
        """The connection is over."""
        self._done.discard(connection.number)


class CutAtTls(Box):
    """T4: ends the connection as soon as the client begins with TLS. All that can be done to port 465."""

    def on_octets(self, connection: ConnectionLog, direction: Direction, octets: bytes) -> Iterable[Action]:
        """Cut at the client's first TLS record."""
        if direction == "c2s" and octets[:1] == b"\x16":
            return (Cut("the client began with TLS"),)
        return (Forward(octets),)
