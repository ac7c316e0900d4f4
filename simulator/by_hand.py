"""Speaking SMTP by hand: a line to a server of the small internet, for scripts and notebooks."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from simulator.errors import UsageError
from simulator.journey import Journey
from simulator.smtp.console import PATIENCE_S, Console, Heard
from simulator.trace.trace import Trace

T = TypeVar("T")


class ByHand:
    """One connection that you drive line by line.

    talk = net.connect("mx.bob.example", 25)
    talk("EHLO laptop.alice.example")
    talk("QUIT")
    print(talk)
    """

    def __init__(
        self,
        console: Console,
        call: Callable[[Coroutine[Any, Any, Any]], Any],
        trace: Callable[[str], Trace],
        context: Callable[[bool], Any],
        greeting: Heard,
    ) -> None:
        self._console, self._call, self._trace, self._context = console, call, trace, context
        self.greeting = greeting

    def __call__(self, line: str = "", *, replies: int = 1, patience_s: float = PATIENCE_S) -> Heard:
        """Send one line (CRLF is put behind it) and return the reply.

        After DATA and its 354, use `letter`. `replies=0` waits for nothing, for commands that are sent in a group.
        """
        if "\r" in line or "\n" in line:
            raise UsageError("One line at a time: leave out the line end. Octets as they are go with octets(b'...').")
        return self.octets(line.encode("utf-8", "surrogateescape") + b"\r\n", replies=replies, patience_s=patience_s)

    def octets(self, octets: bytes, *, replies: int = 1, patience_s: float = PATIENCE_S) -> Heard:
        """Send octets exactly as they are, without a line end put behind them."""
        return self._say(self._console.say(octets, patience_s, replies))

    def letter(self, text: str) -> Heard:
        """Send a letter and the lone dot that ends it. Nothing is doubled: what a dot does, you can see.

        Line ends become CRLF (RFC 5321 section 2.3.8).
        """
        lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
        return self.octets("\r\n".join([*lines, ".", ""]).encode("utf-8", "surrogateescape"))

    def hear(self, patience_s: float = PATIENCE_S) -> Heard:
        """Wait for what the server says by itself."""
        return self._say(self._console.hear(patience_s))

    def starttls(self, *, verify: bool = True) -> Heard:
        """Say STARTTLS, and do the TLS handshake if the server agrees."""
        return self._say(self._console.start_tls(self._context(verify)))

    def close(self) -> None:
        """Hang up without a word."""
        self._call(self._console.close())

    def _say(self, work: Coroutine[Any, Any, Heard]) -> Heard:
        heard: Heard = self._call(work)
        return heard

    @property
    def tls(self) -> bool:
        """True when the connection is inside TLS now."""
        return self._console.tls

    @property
    def over(self) -> str:
        """Why nothing more can be said; empty while the connection stands."""
        return self._console.over

    @property
    def trace(self) -> Trace:
        """What happened on this connection, and what it led to."""
        return self._trace(self._console.message)

    @property
    def journey(self) -> Journey:
        """The same with all views and exports."""
        return Journey(self.trace, self._console.message)

    def __str__(self) -> str:
        return "\n".join(self._console.said)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return f'<pre style="line-height:1.3">{html.escape(str(self))}</pre>'


def plain(user: str, password: str) -> str:
    """Return what AUTH PLAIN sends: NUL, user, NUL, password, in base64 (RFC 4616 section 2). It is no encryption."""
    return b64encode(f"\0{user}\0{password}".encode()).decode("ascii")
