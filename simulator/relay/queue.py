"""What waits to be relayed: messages, and what became of each recipient. Data and plain rules, no clock, no network."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from simulator.protocol.addresses import Address, parse_address


class State(Enum):
    """What became of one recipient so far."""

    WAITING = "waiting"
    RELAYED = "relayed"
    DEFERRED = "deferred"
    FAILED = "failed"


@dataclass(slots=True)
class Recipient:
    """One envelope recipient of a queued message."""

    address: str
    state: State = State.WAITING
    attempts: int = 0
    retry_at_s: float | None = None

    @property
    def parsed(self) -> Address:
        """The address in its parts."""
        return parse_address(self.address)

    @property
    def done(self) -> bool:
        """Nothing more will happen to it."""
        return self.state in (State.RELAYED, State.FAILED)


@dataclass(slots=True, kw_only=True)
class QueuedMessage:
    """A message that this server has accepted and is responsible for (RFC 5321 section 4.1.1.4)."""

    queue_id: str
    label: str
    """Label of the message in the trace."""
    reverse_path: str
    content: bytes
    queued_s: float
    recipients: list[Recipient]
    cause: int | None = None
    """Number of the event that put it here."""
    attempts: int = field(default=0)

    def due(self, now_s: float) -> dict[str, list[Recipient]]:
        """Return the recipients to try now, by domain: each domain gets one copy (RFC 5321 section 4.5.4.1)."""
        groups: dict[str, list[Recipient]] = {}
        for recipient in self.recipients:
            if not recipient.done and (recipient.retry_at_s is None or recipient.retry_at_s <= now_s):
                # RFC 5321 section 5.1: the domain comes from the envelope, never from a header field.
                groups.setdefault(recipient.parsed.domain_key, []).append(recipient)
        return groups

    @property
    def done(self) -> bool:
        """Every recipient is relayed or failed."""
        return all(recipient.done for recipient in self.recipients)

    @property
    def next_try_s(self) -> float | None:
        """When the next deferred recipient is due; None when nobody waits."""
        times = [r.retry_at_s for r in self.recipients if not r.done and r.retry_at_s is not None]
        return min(times, default=None)
