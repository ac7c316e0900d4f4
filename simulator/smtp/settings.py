"""How a server behaves: everything that distinguishes one server from another, as data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.errors import UsageError
from simulator.smtp.sasl import MECHANISMS, Accounts, make_nonce

if TYPE_CHECKING:
    from simulator.tls.contexts import ServerContext


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """The settings of one listening server. The defaults are those of a careful MX. Raises UsageError for nonsense."""

    hostname: str
    ident: str = "ESMTP (simulator)"
    """What the greeting says after the host name; it should not hide that this is a simulator."""

    # --- TLS
    tls_context: ServerContext | None = None
    """None: this server has no certificate, so it offers no STARTTLS."""
    implicit_tls: bool = False
    """TLS from the first octet (RFC 8314 section 3.3) instead of STARTTLS."""
    tls_handshake_timeout_s: float = 60.0
    """After that long a client that says nothing to the start of TLS is let go."""

    # --- who may do what
    accounts: Accounts | None = None
    """Looks up who may sign in; None: AUTH does not exist here."""
    mechanisms: tuple[str, ...] = MECHANISMS
    auth_required: bool = False
    """Refuse MAIL from whoever has not signed in (RFC 6409 section 4.3)."""
    auth_attempts_limit: int = 3
    nonce: Callable[[], str] = field(default=make_nonce, repr=False)
    """Makes the server's part of a SCRAM nonce; give one of your own to repeat a run exactly."""
    refuse: str | None = None
    """Greet with 554 and this text, and take no mail at all (RFC 5321 section 3.1)."""

    # --- extensions
    pipelining: bool = True
    eight_bit_mime: bool = True
    smtputf8: bool = True

    # --- limits: at least what RFC 5321 section 4.5.3.1 asks for; line limits include CRLF
    size_limit_octets: int = 10 * 1024 * 1024
    recipients_limit: int = 100
    command_line_octets: int = 2048
    """Room for the paths and parameters of all extensions; RFC 5321 asks for 512."""
    auth_line_octets: int = 12288
    """RFC 4954 section 4."""
    text_line_octets: int = 1000
    wrong_commands_limit: int = 10
    """So many commands that nobody can understand in one session end it."""
    transactions_limit: int = 1000
    connections_per_client: int = 100
    idle_timeout_s: float = 300.0
    """RFC 5321 section 4.5.3.2.7: at least five minutes."""

    # --- deliberately unsafe: only for lessons that show what goes wrong
    unsafe_cleartext_auth: bool = False
    """Offer AUTH outside TLS."""

    def __post_init__(self) -> None:
        if not self.hostname or not (self.hostname + self.ident).isprintable():
            raise UsageError("A server needs a host name, and its greeting must be one printable line.")
        if self.implicit_tls and self.tls_context is None:
            raise UsageError(f"{self.hostname} needs a certificate for TLS from the first octet: give tls_context.")
        if self.auth_required and self.accounts is None:
            raise UsageError(f"{self.hostname} requires everybody to sign in but has no accounts: give accounts.")
        unknown = set(self.mechanisms) - set(MECHANISMS)
        if unknown:
            raise UsageError(f"There is no SASL mechanism {min(unknown)}; there are {', '.join(MECHANISMS)}.")

    @property
    def offers_8bitmime(self) -> bool:
        """8BITMIME is on, by itself or because SMTPUTF8 needs it (RFC 6531 section 3.1)."""
        return self.eight_bit_mime or self.smtputf8
