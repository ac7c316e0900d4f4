"""What a resolver remembers, and for how long: positive and negative answers (RFC 2308), and who serves which zone.

Simulated time comes from the `clock` handed in. Referrals are kept apart from answers: a parent's word about the
name servers of a child is good enough to ask them, but never an answer by itself (RFC 2181 section 5.4.1).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from simulator.dns.questions import Answer, Ask, Record, Status, parent_name

LONGEST_S = 7 * 24 * 3600
"""No answer is kept longer than a week, whatever its TTL says (RFC 8767 section 4)."""
LONGEST_NEGATIVE_S = 3 * 3600
"""No absence is kept longer than three hours (RFC 2308 section 5)."""


@dataclass(frozen=True, slots=True)
class Delegation:
    """The name servers of a zone: (name, addresses). A server without known addresses is *glueless*."""

    zone: str
    servers: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Answer | Delegation
    expires_s: float


class Cache:
    """A bounded memory; what was used least recently is dropped first.

    `clock` returns seconds; `size` is the greatest number of things remembered.
    """

    def __init__(self, clock: Callable[[], float], size: int = 10_000) -> None:
        self._clock, self._size = clock, size
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    # --- answers -----------------------------------------------------------------------------------------------------

    def put(self, answer: Answer) -> None:
        """Remember an answer for its `ttl_s`; failures and answers with a TTL of 0 are not remembered."""
        if answer.status is Status.ANSWER:
            self._keep((answer.ask.name, answer.ask.rdtype), answer, min(answer.ttl_s, LONGEST_S))
        elif answer.status is Status.NODATA:
            self._keep((answer.ask.name, answer.ask.rdtype), answer, min(answer.ttl_s, LONGEST_NEGATIVE_S))
        elif answer.status is Status.NXDOMAIN:
            # RFC 2308 section 5: that a name does not exist holds for all types.
            self._keep((answer.ask.name, _NO_SUCH_NAME), answer, min(answer.ttl_s, LONGEST_NEGATIVE_S))

    def get(self, ask: Ask) -> Answer | None:
        """Return what is remembered, its TTLs counted down by the time that has passed (RFC 2181 section 5.2)."""
        for rdtype in (ask.rdtype, _NO_SUCH_NAME):
            kept = self._find((ask.name, rdtype))
            if kept is not None and isinstance(kept.value, Answer):
                left_s = int(kept.expires_s - self._clock())
                return replace(kept.value, ask=ask, ttl_s=left_s, records=_aged(kept.value.records, left_s),
                               authority=_aged(kept.value.authority, left_s))
        return None

    # --- who serves which zone ---------------------------------------------------------------------------------------

    def put_delegation(self, delegation: Delegation, ttl_s: int) -> None:
        """Remember who serves a zone."""
        self._keep((delegation.zone, _SERVERS), delegation, min(ttl_s, LONGEST_S))

    def closest_delegation(self, name: str) -> Delegation | None:
        """Return who serves the nearest enclosing zone of `name` that is known; None when only the root is."""
        while name:
            kept = self._find((name, _SERVERS))
            if kept is not None and isinstance(kept.value, Delegation):
                return kept.value
            name = parent_name(name)
        return None

    def forget(self) -> None:
        """Forget everything, as after a restart."""
        self._kept.clear()

    # -----------------------------------------------------------------------------------------------------------------

    def _keep(self, key: tuple[str, str], value: Answer | Delegation, ttl_s: int) -> None:
        self._kept.pop(key, None)
        if ttl_s <= 0:  # RFC 1035 section 3.2.1: zero means for this transaction only
            return
        if key[1] != _SERVERS:
            self._kept.pop((key[0], _NO_SUCH_NAME), None)  # the name has come into being, or was seen missing anew
        self._kept[key] = _Kept(value, self._clock() + ttl_s)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)

    def _find(self, key: tuple[str, str]) -> _Kept | None:
        kept = self._kept.get(key)
        if kept is None:
            return None
        if kept.expires_s <= self._clock():
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return kept


_NO_SUCH_NAME = "(no such name)"
_SERVERS = "(servers)"


def _aged(records: tuple[Record, ...], left_s: int) -> tuple[Record, ...]:
    return tuple(replace(record, ttl_s=min(record.ttl_s, left_s)) for record in records)
