"""The SMTP connections of a trace as hops of the journey: who, which step, how protected. Shared by every view."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from simulator.protocol.dialogue import read_connection
from simulator.trace.events import (
    Command,
    ConnectionClosed,
    ConnectionFailed,
    Event,
    MessageData,
    Reply,
    SeenBy,
    Spoken,
    TlsEstablished,
    TlsFailed,
)
from simulator.trace.trace import ConnectionLog, Trace

Protection = Literal["cleartext", "STARTTLS", "implicit TLS"]

SERVICES = {25: "relay", 465: "submissions", 587: "submission", 53: "dns"}
"""Names of the services by well-known port (RFC 5321 section 4.5.4.2, RFC 8314 section 7.3, RFC 6409, RFC 1035)."""


@dataclass(frozen=True)
class Hop:
    """One SMTP connection, as one of its ends saw it."""

    trace: Trace
    log: ConnectionLog
    number: int
    """1 for the first SMTP connection of the trace."""

    @property
    def step(self) -> int:
        """1: submission; 2: relay to the recipient's server (whose end is step 3, inbound delivery)."""
        return 2 if self.log.server_port == 25 else 1

    @property
    def seen_by(self) -> SeenBy:
        """Whose record the hop is told from: the client's, or the server's when the client is a stranger."""
        return "server" if self.log.foreign else "client"

    @cached_property
    def spoken(self) -> tuple[Spoken, ...]:
        """Commands, replies and message data in order."""
        return self.spoken_by(self.seen_by)

    def spoken_by(self, seen_by: SeenBy) -> tuple[Spoken, ...]:
        """The same as one end had it: a box on the path may have changed what the other one said."""
        return tuple(
            e
            for e in read_connection(self.trace, self.log.number, seen_by)
            if isinstance(e, (Command, Reply, MessageData))
        )

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """Recorded events of this connection."""
        return self.trace.events_of(self.log.number)

    @cached_property
    def tls(self) -> TlsEstablished | None:
        """The handshake, as the client's end saw it if it is ours."""
        found = [e for e in self.events if isinstance(e, TlsEstablished)]
        return next((e for e in found if e.seen_by == self.seen_by), found[0] if found else None)

    @cached_property
    def problem(self) -> str:
        """Why there was no conversation; empty when there was one."""
        for event in self.events:
            if isinstance(event, ConnectionFailed):
                return f"connection {event.reason}"
            if isinstance(event, TlsFailed):
                return f"TLS handshake failed: {event.reason}"
            if isinstance(event, ConnectionClosed) and event.how != "fin":
                return f"connection ended by {event.how} ({event.by})"
        return ""

    @property
    def protection(self) -> Protection:
        """How the octets were protected from a listener."""
        if self.tls is None:
            return "cleartext"
        return "implicit TLS" if self.tls.implicit else "STARTTLS"

    @property
    def how(self) -> str:
        """How the octets were protected, in words; "no conversation" when none came about."""
        version = f" ({self.tls.version})" if self.tls else ""
        return f"{self.protection}{version}" if self.spoken else "no conversation"

    @property
    def title(self) -> str:
        """One line: who speaks to whom, where, and how protected."""
        name = "Submission" if self.step == 1 else "Relay"
        return f"{name}: {self.log.client_host} -> {self.log.server_host} port {self.log.server_port}, {self.how}"



def hops(trace: Trace) -> tuple[Hop, ...]:
    """Return the SMTP connections of a trace in the order in which they were opened."""
    smtp = sorted(
        (log for log in trace.connections.values() if log.transport == "tcp" and log.server_port != 53),
        key=lambda log: log.number,
    )
    return tuple(Hop(trace, log, number) for number, log in enumerate(smtp, 1))
