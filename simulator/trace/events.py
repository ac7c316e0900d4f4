"""The vocabulary of a trace: what can happen in the small internet, one frozen class per kind of event.

Two families:

* *recorded* events are written while things happen (connections, TLS, DNS, queue, mailbox);
* *spoken* events (`Command`, `Reply`, `MessageData`) are read out of the recorded octets afterwards by
  `simulator.protocol.dialogue`, so they can never disagree with what really travelled.

Every event says who saw it: `seen_by` is "client" or "server" (that end's program), or "wire" (a listener on the path).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Literal, NamedTuple

SeenBy = Literal["client", "server", "wire"]
Direction = Literal["c2s", "s2c"]


class Span(NamedTuple):
    """Where the octets of an event lie: `Trace.octets(span)` returns them."""

    connection: int
    stream: str
    """One of `simulator.trace.streams.STREAMS`, for example "client.sent"."""
    start: int
    end: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened at one host at one simulated instant."""

    number: int
    """Position in the trace: grows with time, unique, the same in every run with the same seed; gaps are normal."""
    at_s: float
    """Simulated seconds since the start of the internet."""
    host: str
    """Name of the host where it was seen."""
    seen_by: SeenBy
    connection: int | None = None
    message: str | None = None
    """Label of the message this belongs to: one label over all hops."""
    cause: int | None = None
    """Number of the event that led to this one."""

    kind: ClassVar[str]
    spoken: ClassVar[bool] = False
    """True when the event is read out of octets, not recorded on its own."""

    def __init_subclass__(cls, **_: Any) -> None:
        cls.kind = cls.__name__

    def facts(self) -> dict[str, Any]:
        """Return the fields that this kind adds to the common ones."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in _COMMON}


_COMMON = {f.name for f in fields(Event)}


# --- connections -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionOpened(Event):
    """A client dialled (TCP: sent its SYN; UDP: sent a first datagram). RFC 9293 section 3.5."""

    peer: str
    """Name of the host that was dialled."""
    transport: str
    client_address: str
    client_port: int
    server_address: str
    server_port: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionFailed(Event):
    """The dialled connection never came to be."""

    reason: Literal["refused", "timed out", "cut"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionClosed(Event):
    """One side ended the connection: "fin" (orderly), "reset", or "cut" by a box on the path."""

    by: Literal["client", "server", "path"]
    how: Literal["fin", "reset", "cut"]


@dataclass(frozen=True, kw_only=True, slots=True)
class OnPathAction(Event):
    """A box on the path did something other than pass the octets on."""

    action: str
    direction: Direction
    detail: str = ""


# --- TLS -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsEstablished(Event):
    """A handshake ended well at this end (RFC 8446, RFC 5246). From here on a listener sees records only."""

    implicit: bool
    """True: TLS from the first octet (RFC 8314 section 3.3); False: after STARTTLS (RFC 3207)."""
    version: str
    cipher: str
    server_name: str | None
    """The name that the client put in its ClientHello (SNI, RFC 6066 section 3), when this end knows it."""
    certificate_names: tuple[str, ...] = ()
    certificate_issuer: str = ""
    certificate_not_after: str = ""
    verified: bool | None = None
    """True: chain and name checked and good; False: not checked or not good; None: a server, which does not check."""
    why_unverified: str = ""
    resumed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TlsFailed(Event):
    """A handshake did not end well at this end."""

    implicit: bool
    reason: str


# --- names -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class DnsAsked(Event):
    """A resolver sent one question to one name server (RFC 1035 section 4)."""

    name: str
    rdtype: str
    server: str
    server_address: str
    transport: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DnsAnswered(Event):
    """What a resolver made of one question: an answer, a referral, a negative answer, or silence (RFC 2308)."""

    name: str
    rdtype: str
    status: str
    """"answer", "referral", "nodata", "nxdomain", "servfail", "timeout", "truncated"."""
    server: str
    """Name of the server that answered, or "cache"."""
    records: tuple[str, ...] = ()
    """Resource records in presentation form, one string each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RouteChosen(Event):
    """The relay turned a recipient domain into an ordered list of hosts to try (RFC 5321 section 5.1)."""

    domain: str
    hosts: tuple[tuple[int, str], ...]
    """(preference, host name), in the order in which they will be tried."""
    implicit_mx: bool = False
    problem: str = ""


# --- mail ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageComposed(Event):
    """A mail program was asked to send a message."""

    reverse_path: str
    recipients: tuple[str, ...]
    size_octets: int
    mode: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Authenticated(Event):
    """A server believed a client's credentials (RFC 4954)."""

    mechanism: str
    user: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageAccepted(Event):
    """A server answered 250 after the final dot and is responsible from now on (RFC 5321 section 4.1.1.4)."""

    queue_id: str
    reverse_path: str
    recipients: tuple[str, ...]
    size_octets: int
    protocol: str
    """The "with" keyword of its Received field (RFC 3848): SMTP, ESMTP, ESMTPA, ESMTPS, ESMTPSA."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldsAdded(Event):
    """Header fields that a server put on the message, by name (RFC 5321 section 4.4, RFC 6409 section 8)."""

    fields: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class RecipientResult(Event):
    """What became of one recipient at one attempt: "delivered", "relayed", "deferred" or "failed"."""

    recipient: str
    result: str
    code: int | None = None
    enhanced: str = ""
    text: str = ""
    by: str = ""
    """Name of the host whose words these are; our own host for a local decision."""
    attempt: int = 1
    retry_at_s: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageStored(Event):
    """The message lies in a mailbox (RFC 5321 section 4.4: final delivery)."""

    mailbox: str
    folder: str = "INBOX"
    size_octets: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Note(Event):
    """A remark that belongs at this point of the story, such as a warning about unsafe settings."""

    text: str


# --- what was said: read out of the octets, never recorded on its own ------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Spoken(Event):
    """Something said on a connection, with the octets that say it."""

    direction: Direction
    tls: bool
    """True when it travelled inside TLS."""
    span: Span
    complete: bool = True
    """False when the connection ended in the middle of it: a command cut off is no command, a message none either."""
    spoken: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Command(Spoken):
    """One command line from the client (RFC 5321 section 4.1)."""

    verb: str
    """Upper case, for example "EHLO"; "" for a line that is no command; "*AUTH" for a line of a SASL exchange."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply(Spoken):
    """One whole reply from the server, all its lines (RFC 5321 section 4.2)."""

    code: int
    verb: str
    """Verb of the command that it answers; "" for the greeting."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageData(Spoken):
    """The message itself, from after the 354 to the lone dot (RFC 5321 section 4.1.1.4), or a BDAT chunk."""

    size_octets: int = field(default=0)


KINDS: dict[str, type[Event]] = {
    cls.__name__: cls
    for cls in (
        ConnectionOpened,
        ConnectionFailed,
        ConnectionClosed,
        OnPathAction,
        TlsEstablished,
        TlsFailed,
        DnsAsked,
        DnsAnswered,
        RouteChosen,
        MessageComposed,
        Authenticated,
        MessageAccepted,
        FieldsAdded,
        RecipientResult,
        MessageStored,
        Note,
        Command,
        Reply,
        MessageData,
    )
}
"""Every kind by name, as it stands in a saved trace."""
