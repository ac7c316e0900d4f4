"""What a client is asked to do in one session, and what came of it. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from simulator.protocol.commands import Capabilities
from simulator.protocol.message import is_8bit, split_message
from simulator.protocol.replies import Reply

Result = Literal["accepted", "temporary", "permanent"]


class TlsPolicy(Enum):
    """When the client wants TLS."""

    NONE = "none"
    """Never; everything is readable."""
    IF_OFFERED = "if offered"
    """STARTTLS when it is offered and works; otherwise go on in clear (RFC 7435)."""
    REQUIRED = "required"
    """STARTTLS or nothing (RFC 8314 section 5.2)."""
    IMPLICIT = "implicit"
    """The session begins inside TLS (RFC 8314 section 3.3)."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs in, and by which mechanisms, best first."""

    user: str
    password: str = field(repr=False)
    mechanisms: tuple[str, ...] = ("SCRAM-SHA-256", "PLAIN", "LOGIN")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A message to hand over (RFC 5321 section 2.3.1)."""

    reverse_path: str
    """"" is the null reverse-path."""
    recipients: tuple[str, ...]
    content: bytes
    """With CRLF line ends, dots not doubled."""

    @property
    def size_octets(self) -> int:
        """Size as it is declared: line ends count, doubled dots and the lone dot do not (RFC 1870 section 5)."""
        return len(self.content) + (0 if not self.content or self.content.endswith(b"\r\n") else 2)

    @property
    def address_beyond_ascii(self) -> bool:
        """True when an address is not ASCII."""
        return not all(address.isascii() for address in (self.reverse_path, *self.recipients))

    @property
    def smtputf8(self) -> bool:
        """True when an address or a header field needs SMTPUTF8 (RFC 6531 section 3.1)."""
        return self.address_beyond_ascii or is_8bit(split_message(self.content)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What to do in one session."""

    ehlo_name: str
    """A host name, or an address literal (RFC 5321 section 4.1.1.1)."""
    tls: TlsPolicy = TlsPolicy.REQUIRED
    credentials: Credentials | None = None
    allow_cleartext_auth: bool = False
    """True: give the password to a server without verified TLS. Only for lessons."""
    envelope: Envelope | None = None
    pipelining: bool = True
    """Send MAIL, RCPT and DATA in one group when the server offers it (RFC 2920)."""
    fold_auth: bool = False
    """Put AUTH PLAIN into that group too (RFC 4954 section 4)."""
    stop_after: str | None = None
    """Verb after which to QUIT: "EHLO", "STARTTLS", "AUTH", "MAIL" or "RCPT"."""
    quit: bool = True
    unsafe_lines: bool = False
    """True: send text with bare CR or LF, or with lines that are too long, as it is. Only for lessons (smuggling)."""


@dataclass(frozen=True, slots=True)
class RecipientOutcome:
    """What the server said about one recipient."""

    recipient: str
    result: Result
    reply: Reply | None
    """The reply that decided; None when there was none (the connection broke, or the client refused to go on)."""
    stage: str
    """What the client was waiting for."""
    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the whole session ended before its purpose."""

    stage: str
    text: str
    temporary: bool
    reply: Reply | None = None


@dataclass(slots=True)
class SessionOutcome:
    """What came of one session."""

    recipients: dict[str, RecipientOutcome] = field(default_factory=dict)
    failure: Failure | None = None
    connected: bool = False
    """True when there was a connection at all (with implicit TLS: whether or not the handshake went well)."""
    tls_used: bool = False
    tls_failed: bool = False
    """True when STARTTLS was answered 220 and the handshake then went wrong, or an implicit handshake did."""
    authenticated: bool = False
    auth_problem: Literal["", "wrong password", "stronger mechanism needed", "server trouble", "not offered"] = ""
    """What the user should do about it (RFC 4954 section 6): 535 ask again, 534 another mechanism, 454 wait."""
    capabilities_before_tls: Capabilities = field(default_factory=Capabilities)
    capabilities: Capabilities = field(default_factory=Capabilities)

    @property
    def accepted(self) -> bool:
        """True when the server is responsible for at least one recipient now."""
        return any(outcome.result == "accepted" for outcome in self.recipients.values())

    def fail(self, failure: Failure, envelope: Envelope | None) -> None:
        """Note why the session ends, as the fate of every recipient that has none yet. The first reason stays."""
        if self.failure is None:
            self.failure = failure
        for address in envelope.recipients if envelope else ():
            self.recipients.setdefault(address, _shared_fate(address, failure))

    def recipient(self, address: str) -> RecipientOutcome:
        """Return what became of a recipient; one that was never mentioned shares the fate of the session."""
        found = self.recipients.get(address)
        if found is not None:
            return found
        failure = self.failure or Failure("", "the session ended before this recipient was mentioned", True)
        return _shared_fate(address, failure)


def _shared_fate(address: str, failure: Failure) -> RecipientOutcome:
    result: Result = "temporary" if failure.temporary else "permanent"
    return RecipientOutcome(address, result, failure.reply, failure.stage, failure.text)
