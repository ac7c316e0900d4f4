"""One connection: two ends, a wire between them with latency and taps, and perhaps a box on the path.

The carrier moves the octets (through the kernel or not); the link decides *when* they arrive. Both ends are ordinary
asyncio transports, so that aiosmtpd, ssl and any asyncio client run on them unchanged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Literal, Protocol

from simulator.network.end import WINDOW_OCTETS, End, Side
from simulator.network.onpath import Action, Box, Cut, Forward, what_changed
from simulator.trace.events import ConnectionClosed, Direction, OnPathAction
from simulator.trace.recorder import Recorder
from simulator.trace.trace import ConnectionLog

if TYPE_CHECKING:
    from simulator.network.loop import NetworkLoop

__all__ = ["WINDOW_OCTETS", "Carrier", "End", "EndpointTap", "Side", "Wire"]

ON_THE_PATH = "on the path"
"""Where a box is, in the trace."""
LONGEST_DETAIL = 500
"""The octets themselves are in the streams; the event shows no more than this many characters of them."""


class Carrier(Protocol):
    """What a medium must offer for one connection."""

    def carry(self, from_client: bool, octets: bytes) -> bytes:
        """Move octets to the other end and return them as they came out."""

    def finish(self, from_client: bool) -> None:
        """One end will send no more."""

    def left(self, side: Side) -> None:
        """One end is gone, the other one is still there."""

    def close(self, reset: bool = False) -> None:
        """The connection is over."""


class EndpointTap:
    """Records what the program at one end sends and receives, above TLS."""

    __slots__ = ("_log", "_received", "_recorder", "_sent", "last")

    def __init__(self, recorder: Recorder, log: ConnectionLog, side: Side) -> None:
        self._recorder, self._log = recorder, log
        self._sent, self._received = f"{side}.sent", f"{side}.received"
        self.last: int | None = None
        """Number of the latest line that this end sent or received: the cause of what follows."""

    def sent(self, octets: bytes) -> None:
        """The program has written these octets to its transport (call it after the write)."""
        if octets:
            self.last = self._recorder.spoken(self._log, self._sent, octets)

    def received(self, octets: bytes) -> None:
        """The program has been handed these octets."""
        if octets:
            self.last = self._recorder.spoken(self._log, self._received, octets)


class Wire:
    """What two ends share: the log, the taps, the box on the path, and when it is all over.

    `when_over` is called with the wire once both ends are gone.
    """

    def __init__(
        self,
        loop: NetworkLoop,
        recorder: Recorder,
        log: ConnectionLog,
        carrier: Carrier,
        box: Box | None = None,
        when_over: Callable[[Wire], None] = lambda wire: None,
    ) -> None:
        self.loop, self.recorder, self.log, self.carrier, self.box = loop, recorder, log, carrier, box
        self.latency_s = log.latency_s
        # Neither program may inherit what the other one was about.
        self.client = End(self, "client", copy_context())
        self.server = End(self, "server", Context())
        self.client.peer, self.server.peer = self.server, self.client
        self.ended = self.was_cut = False
        self._when_over = when_over
        self._taps: dict[Side, EndpointTap] = {}
        self._held: dict[Direction, bytes] = {"c2s": b"", "s2c": b""}

    @property
    def number(self) -> int:
        """Number of the connection in the trace."""
        return self.log.number

    @property
    def message(self) -> str | None:
        """Label of the message that this connection serves now."""
        return self.log.message

    def label(self, message: str) -> None:
        """Say which message this connection serves from now on."""
        self.recorder.label(self.log, message)

    def tap(self, side: Side) -> EndpointTap:
        """Return the tap above TLS at one end."""
        if side not in self._taps:
            self._taps[side] = EndpointTap(self.recorder, self.log, side)
        return self._taps[side]

    # --- the box on the path -----------------------------------------------------------------------------------------

    def ask_box(self, sender: End, octets: bytes) -> None:
        """Let the box decide about octets that one end has sent."""
        box = self.box
        assert box is not None
        self._carry_out(lambda: box.on_octets(self.log, sender.direction, octets), sender, octets)

    def ask_box_at_end(self, sender: End) -> None:
        """One end is about to send FIN: let the box release what it holds."""
        box = self.box
        if box is not None and not self.was_cut:
            self._carry_out(lambda: box.on_end(self.log, sender.direction), sender, b"")

    def _carry_out(self, decide: Callable[[], Iterable[Action]], sender: End, octets: bytes) -> None:
        try:
            actions = list(decide())
        except Exception as error:  # a broken box is seen as such, not as a failure of whoever was writing
            self.loop.call_exception_handler({"message": "a box on the path failed", "exception": error})
            actions = [Cut(f"the box on the path failed: {error}")]
        due, passed, at_once = self._held[sender.direction] + octets, b"", bytearray()
        for action in actions:
            if isinstance(action, Forward):
                at_once += action.octets
                continue
            sender.travel(bytes(at_once))
            passed, at_once = passed + at_once, bytearray()
            if isinstance(action, Cut):
                self.cut(action.why, sender.direction)
                return
            self._note("inject back" if action.back else "inject", sender.direction, action.octets)
            (sender.peer if action.back else sender).travel(action.octets)
        sender.travel(bytes(at_once))
        passed += at_once
        if due.startswith(passed):
            self._held[sender.direction] = due[len(passed) :]
            if octets and not passed:
                self._note("hold", sender.direction, b"")
        else:
            self._held[sender.direction] = b""
            self._note("change", sender.direction, what_changed(due, passed))

    def _note(self, action: str, direction: Direction, octets: bytes) -> None:
        # TLS records differ from run to run, and a story must not.
        tls = octets[:1] in (b"\x14", b"\x15", b"\x16", b"\x17") and octets[1:2] == b"\x03"
        detail = "TLS records" if tls else octets[:LONGEST_DETAIL].decode("ascii", "backslashreplace")
        self.note(action, direction, detail)

    def note(self, action: str, direction: Direction, detail: str) -> None:
        """Record what the box does."""
        self.recorder.record(
            OnPathAction,
            host=ON_THE_PATH,
            seen_by="wire",
            connection=self.number,
            action=action,
            direction=direction,
            detail=detail,
        )

    def cut(self, why: str, direction: Direction) -> None:
        """A box on the path ends the connection: both ends get a reset, behind what has passed the box already."""
        self.note("cut", direction, why)
        self.record_end("path", "cut")
        self.was_cut = True
        for end in (self.client, self.server):
            end.send_off("reset")

    # --- the end -----------------------------------------------------------------------------------------------------

    def record_end(self, by: Literal["client", "server", "path"], how: Literal["fin", "reset", "cut"]) -> None:
        """Record the end of the connection, once."""
        if not self.ended:
            self.ended = True
            host = self.log.server_host if by == "server" else self.log.client_host
            self.recorder.record(ConnectionClosed, host=host, seen_by="wire", connection=self.number, by=by, how=how)

    def abort(self) -> None:
        """End the connection at both ends at once."""
        self.client.abort()
        self.server.abort()
        self.carrier.close(reset=True)

    def end_closed(self, side: Side) -> None:
        """Called by each end when it is gone; the second call releases the carrier."""
        if not (self.client.gone and self.server.gone):
            self.carrier.left(side)
            return
        self.carrier.close()
        if self.box is not None:
            self.box.forget(self.log)
        self._when_over(self)
