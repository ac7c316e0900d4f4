"""The DNS as programs on this machine see it: names of the small internet lead to where its servers really are."""

from __future__ import annotations

from collections.abc import Callable

import dns.message
import dns.rdatatype
import dns.rrset

from simulator.network.network import FOREIGN_ADDRESS

Peer = tuple[str, int]


def outside_view(real_ip: Callable[[str], str | None]) -> Callable[[dns.message.Message, Peer], dns.message.Message]:
    """Return a view that gives foreign peers real addresses; `real_ip` maps a logical address, or returns None.

    A records lead to the real address; AAAA records, which nobody here listens on, are left out. Our own hosts get the
    answer as it stands in the zone.
    """

    def view(reply: dns.message.Message, peer: Peer) -> dns.message.Message:
        if peer[0] != FOREIGN_ADDRESS:
            return reply
        for section in (reply.answer, reply.additional):
            section[:] = [changed for rrset in section if (changed := _translated(rrset, real_ip)) is not None]
        return reply

    return view


def _translated(rrset: dns.rrset.RRset, real_ip: Callable[[str], str | None]) -> dns.rrset.RRset | None:
    if rrset.rdtype == dns.rdatatype.AAAA:
        return None
    if rrset.rdtype != dns.rdatatype.A:
        return rrset
    addresses = dict.fromkeys(real_ip(str(rdata)) or str(rdata) for rdata in rrset)
    return dns.rrset.from_text_list(rrset.name, rrset.ttl, rrset.rdclass, rrset.rdtype, list(addresses))
