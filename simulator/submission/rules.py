"""What a submission server may and must do to a message, and whom it refuses. Pure (RFC 6409)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from simulator.protocol.addresses import Address
from simulator.protocol.message import has_field, prepend, remove_field, rfc5322_date


@dataclass(frozen=True, slots=True)
class Refusal:
    """A reply that refuses something: code, enhanced code (RFC 3463), text."""

    code: int
    enhanced: str
    text: str


def sender_refusal(reverse_path: Address | None, own_addresses: Collection[str] | None) -> Refusal | None:
    """Return why this user may not send from this address; None when it is fine.

    `own_addresses` are those of the user who logged in; None when nobody needs to log in here. The null reverse-path is
    always permitted (RFC 6409 section 3.2).
    """
    if reverse_path is None:
        return None
    if not fully_qualified(reverse_path):  # RFC 6409 section 4.2
        return Refusal(554, "5.1.8", f"The domain of {reverse_path} is not fully qualified")
    if own_addresses is not None and not any(same(reverse_path, own) for own in own_addresses):  # RFC 6409 section 6.1
        return Refusal(550, "5.7.1", f"You may not send as {reverse_path}")
    return None


def recipient_refusal(recipient: Address) -> Refusal | None:
    """Return why a recipient cannot be accepted, whoever it is; None when it is fine."""
    if recipient.domain and not fully_qualified(recipient):  # RFC 6409 section 4.2
        return Refusal(554, "5.1.2", f"The domain of {recipient} is not fully qualified")
    return None


def fully_qualified(address: Address) -> bool:
    """Tell whether the domain has at least two labels, or is an address literal."""
    return address.domain.startswith("[") or "." in address.domain


def same(address: Address, other: str) -> bool:
    """Compare an address with one of our own users' (our local parts do not depend on case)."""
    return f"{address.local_part}@{address.domain_key}".lower() == other.lower()


@dataclass(frozen=True, slots=True)
class Repaired:
    """A message as it leaves the submission server, and the names of the fields that were put on it."""

    content: bytes
    added: tuple[str, ...]


def repair(content: bytes, *, now: datetime, message_id: str) -> Repaired:
    """Add what a message should have and remove what must not leave (only a submission server does this).

    Date: RFC 6409 section 8.2 (MAY). Message-ID: section 8.3 (SHOULD). Bcc never leaves: RFC 5322 section 3.6.3.
    """
    added: list[str] = []
    content = remove_field(content, "Bcc")
    if not has_field(content, "Message-ID"):
        content = prepend(content, "Message-ID", message_id)
        added.append("Message-ID")
    if not has_field(content, "Date"):
        content = prepend(content, "Date", rfc5322_date(now))
        added.append("Date")
    return Repaired(content, tuple(added))
