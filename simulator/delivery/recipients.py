"""Who has a mailbox here: the only place that interprets a local part (RFC 5321 section 2.3.11)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from simulator.protocol.addresses import Address


@dataclass(frozen=True)
class Recipients:
    """The mailboxes of the domains that one server accepts mail for.

    Local parts are compared without case and without "+detail" (sub-addressing, RFC 5233): a local decision, made here
    and nowhere else on the path.
    """

    domains: frozenset[str]
    mailboxes: Mapping[str, str]
    """Lower-case local part @ domain -> the mailbox's address."""

    @classmethod
    def of(cls, domain: str, addresses: Iterable[str]) -> Recipients:
        """Return the recipients of one domain; the first one reads the postmaster's mail (RFC 5321 section 4.5.1)."""
        addresses = tuple(addresses)
        mailboxes = {address.lower(): address for address in addresses}
        if addresses:
            mailboxes.setdefault(f"postmaster@{domain}", addresses[0])
        return cls(frozenset({domain}), mailboxes)

    def hosts(self, address: Address) -> bool:
        """Tell whether this server accepts mail for the domain of `address`; a bare Postmaster is always ours."""
        return not address.domain or address.domain_key in self.domains

    def mailbox(self, address: Address) -> str | None:
        """Return the mailbox for an address whose domain is hosted here, or None when there is no such user."""
        domain = address.domain_key or min(self.domains)
        local = address.local_part.lower()
        return self.mailboxes.get(f"{local}@{domain}") or self.mailboxes.get(f"{local.partition('+')[0]}@{domain}")
