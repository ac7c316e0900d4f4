"""What a client is asked to do in one session, and what came of it. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from simulator.protocol.commands import Capabilities
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
    def smtputf8(self) -> bool:
        """True when an address needs SMTPUTF8 (RFC 6531 section 3.1)."""
        return not all(address.isascii() for address in (self.reverse_path, *self.recipients))


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
    """Verb after which to QUIT, such as "EHLO", "STARTTLS", "AUTH" or "RCPT"."""
    quit: bool = True


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

    def recipient(self, address: str) -> RecipientOutcome:
        """Return what became of a recipient; one that was never mentioned shares the fate of the session."""
        found = self.recipients.get(address)
        if found is not None:
            return found
        failure = self.failure or Failure("", "the session ended before this recipient was mentioned", True)
        return RecipientOutcome(
            address, "temporary" if failure.temporary else "permanent", failure.reply, failure.stage, failure.text
        )
