"""From what a person wants to send to envelope and message. Pure (RFC 5322; RFC 5321 section 2.3.1)."""

from __future__ import annotations

import dataclasses
import email.policy
import email.utils
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any

from simulator.errors import UsageError
from simulator.protocol.addresses import Address, parse_address
from simulator.protocol.message import compose, envelope_recipients, fields, normalise_line_endings, remove_field

RESERVED_TOPS = ("example", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """How to send, beyond the mode."""

    subject: str = "A letter"
    cc: tuple[str, ...] = ()
    bcc: tuple[str, ...] = ()
    """Further recipients that no header field names."""
    password: str | None = None
    """Another password than the right one."""
    authenticate: bool = True
    server: str | None = None
    """Name of the submission server; None: the one of the sender's organisation that fits the mode."""
    tls_version: str | None = None
    """"1.2" or "1.3"; None: the best that both know."""
    resume: bool = False
    """Resume the TLS session of an earlier message with `resume=True` from the same sender to the same server."""
    pipelining: bool = True
    fold_auth: bool = False
    """AUTH PLAIN in one group with MAIL, RCPT and DATA (RFC 4954 section 4)."""
    mechanisms: tuple[str, ...] | None = None
    """SASL mechanisms to choose from, best first."""
    unsafe_no_verification: bool = False
    """Trust any certificate, as `smtplib.SMTP_SSL(host)` does without a context: a password for whoever answers."""

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> SendOptions:
        """Return the options given by name. Raises UsageError for an unknown name."""
        names = [field.name for field in dataclasses.fields(cls)]
        unknown = [name for name in options if name not in names]
        if unknown:
            raise UsageError(f"send() has no option {unknown[0]!r}; there are {', '.join(names)}.")
        listed = {
            name: (value,) if isinstance(value, str) else tuple(value)
            for name, value in options.items()
            if name in ("cc", "bcc", "mechanisms") and value is not None
        }
        return cls(**{**options, **listed})


@dataclass(frozen=True, slots=True)
class Letter:
    """A message ready to be handed over, with its envelope."""

    reverse_path: str
    recipients: tuple[str, ...]
    content: bytes


def write_letter(
    letter: str | bytes | EmailMessage,
    sender: str | None,
    to: str | Sequence[str] | None,
    options: SendOptions,
    *,
    now: datetime,
    message_id: Any,
) -> Letter:
    """Make envelope and message.

    A plain text becomes a letter with From, To, Subject, Date and Message-ID; bytes and `EmailMessage` are sent as they
    are, but for line ends (CRLF) and Bcc, which stays here. Without `to`, the recipients are those of To, Cc and Bcc;
    without `sender`, it is the From field. `message_id` makes one from a domain. Raises UsageError.
    """
    wanted = _listed(to)
    if isinstance(letter, str):
        if sender is None or not wanted:
            raise UsageError('A letter needs a sender and at least one recipient, such as to="bob@bob.example".')
        author = parse_address(sender)
        header_to = [str(parse_address(address)) for address in wanted]
        content = compose(
            letter, str(author), header_to, options.subject, now, message_id(author.domain), cc=options.cc
        )
    else:
        content = letter if isinstance(letter, bytes) else letter.as_bytes(policy=email.policy.SMTP)
        content = normalise_line_endings(content)
        if not content.strip():
            raise UsageError(
                "The message is empty; a message needs a header with at least From and Date, then a blank line."
            )
        if not fields(content):
            raise UsageError(
                'This is not a message: it does not begin with header fields such as "From: alice@alice.example".'
            )
        author = parse_address(sender) if sender else _author(content)
        wanted = wanted or [str(address) for address in envelope_recipients(content)]
    everybody = tuple(dict.fromkeys(str(parse_address(a)) for a in (*wanted, *options.cc, *options.bcc)))
    if not everybody:
        raise UsageError("The message has no recipient: give one, or put a To field into it.")
    for address in (str(author), *everybody):
        check_reserved(parse_address(address))
    return Letter(
        str(author), everybody, remove_field(content, "Bcc")
    )  # RFC 5322 section 3.6.3: Bcc is not for the others


def check_reserved(address: Address) -> None:
    """Raise UsageError for an address that may be a real one: this internet only has names made for examples."""
    top = address.domain_key.rpartition(".")[2]
    if not address.domain.startswith("[") and top not in RESERVED_TOPS:  # RFC 2606 section 2
        raise UsageError(
            f"{address} could be a real address, and no mail leaves this machine; "
            "use one under .example or .test, such as bob@bob.example."
        )


def _listed(to: str | Sequence[str] | None) -> list[str]:
    if to is None:
        return []
    return (
        [part.strip() for part in to.split(",") if part.strip()]
        if isinstance(to, str) and to.count("@") > 1
        else ([to] if isinstance(to, str) else list(to))
    )


def _author(content: bytes) -> Address:
    values = [field.value for field in fields(content) if field.name.lower() == "from"]
    if len(values) != 1:
        raise UsageError(
            f"The message has {len(values) or 'no'} From field{'s' if len(values) > 1 else ''}, so say who sends it."
        )
    return parse_address(email.utils.parseaddr(values[0])[1])
