"""What a server knows about one client, and what it asks its owner: the part that MSA and MX fill in. No IO."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from simulator.errors import UsageError
from simulator.protocol.addresses import Address
from simulator.smtp.response import Response

if TYPE_CHECKING:
    from simulator.network.link import Wire

Params = Mapping[str, str | None]
"""Parameters of MAIL or RCPT (RFC 5321 section 4.1.2): keyword in capitals -> value as written, None without "="."""


@dataclass(frozen=True, slots=True)
class Tls:
    """The protection of a connection, as a server reports it (RFC 8314 section 4.3)."""

    version: str
    cipher: str
    server_name: str | None
    """The name that the client asked for."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One accepted recipient."""

    address: Address
    params: Params


@dataclass(slots=True)
class Transaction:
    """A mail transaction in progress, from MAIL on (RFC 5321 section 3.3)."""

    reverse_path: Address | None
    """None is the null reverse-path `<>`."""
    params: Params
    recipients: list[Recipient] = field(default_factory=list)
    refused: int = 0
    """How many recipients were refused."""

    @property
    def smtputf8(self) -> bool:
        """True when the client declared an internationalised message (RFC 6531 section 3.4)."""
        return "SMTPUTF8" in self.params


@dataclass(frozen=True, slots=True)
class Envelope:
    """A complete message with its envelope."""

    reverse_path: Address | None
    params: Params
    recipients: tuple[Recipient, ...]
    content: bytes
    """Header and body with CRLF line ends, transparency undone, not one octet changed.

    Octets over 127 are taken even when the client did not declare BODY=8BITMIME; whoever passes the message on has to
    look (RFC 6152 section 3).
    """

    @property
    def smtputf8(self) -> bool:
        """True when the client declared an internationalised message (RFC 6531 section 3.4)."""
        return "SMTPUTF8" in self.params


@dataclass(slots=True, kw_only=True)
class Session:
    """One connection, as the owner of the server sees it."""

    client_address: str
    client_port: int
    wire: Wire | None = None
    """The connection's entry in the trace; None outside the simulator's network."""
    tls: Tls | None = None
    implicit_tls: bool = False
    helo_name: str = ""
    """What the client said after HELO or EHLO; "" before."""
    extended: bool = False
    """True after EHLO, False after HELO."""
    user: str | None = None
    """Who has signed in."""
    mechanism: str = ""
    transaction: Transaction | None = None

    def protocol(self, smtputf8: bool = False) -> str:
        """Return the "with" keyword of a Received field (RFC 3848; RFC 6531 section 4.3)."""
        if not self.extended:
            return "SMTP"
        # RFC 3848: S for TLS, of either kind, and A for AUTH
        return ("UTF8SMTP" if smtputf8 else "ESMTP") + ("S" if self.tls else "") + ("A" if self.user else "")

    def forget(self) -> None:
        """Forget what was learnt before TLS (RFC 3207 section 4.2)."""
        self.helo_name, self.extended, self.user, self.mechanism, self.transaction = "", False, None, "", None


class Handler(Protocol):
    """What the owner of a server decides. Each method is asked after the server's own checks have passed.

    `session.transaction` tells what the client has said before. An exception becomes 451 4.3.0 for the client.
    """

    async def mail(self, session: Session, reverse_path: Address | None, params: Params) -> Response | None:
        """Decide about a sender; None accepts with 250 2.1.0."""

    async def rcpt(self, session: Session, recipient: Address, params: Params) -> Response | None:
        """Decide about a recipient; None accepts with 250 2.1.5."""

    async def message(self, session: Session, envelope: Envelope) -> Response:
        """Take responsibility for a message with a 2yz, or refuse it (RFC 5321 section 4.1.1.4).

        Once begun this runs to its end, even when the client has gone.
        """

    async def authenticated(self, session: Session, user: str) -> None:
        """Note that a user has signed in; `session.user` says so from now on."""


METHODS = ("mail", "rcpt", "message", "authenticated")


def check_handler(handler: object) -> None:
    """Raise UsageError for a handler with a missing or misspelt method, which would lose mail silently."""
    owner = type(handler).__name__
    for name in METHODS:
        if not inspect.iscoroutinefunction(getattr(handler, name, None)):
            raise UsageError(f"{owner} needs a method `async def {name}`; see simulator.smtp.session.Handler.")
    for name in dir(handler):
        if name in METHODS or name.startswith("_") or not inspect.iscoroutinefunction(getattr(handler, name)):
            continue
        if name.startswith("handle_") or difflib.get_close_matches(name.lower(), METHODS, cutoff=0.8):
            raise UsageError(f"{owner}.{name} would never be called: a server calls {', '.join(METHODS)}.")
