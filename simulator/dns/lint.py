"""What is allowed in a zone and yet a mistake: sentences for the person who wrote it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.name
import dns.rdata
import dns.rdatatype

from simulator.dns.answering import Kind
from simulator.dns.masterfile import names_in

if TYPE_CHECKING:
    from simulator.dns.zones import Zone

_MX, _NS, _CNAME = dns.rdatatype.MX, dns.rdatatype.NS, dns.rdatatype.CNAME


def lint(zone: Zone) -> list[str]:
    """Return warnings about a zone, one sentence each, in the order of its names; an empty list is praise.

    Only what the zone itself shows is judged: hosts in other zones are left alone. Raises PlanError for wrong text.
    """
    warnings = []
    apex = zone.nodes.get(zone.name, {})
    if dns.rdatatype.SOA not in apex:
        warnings.append(f"{zone.name} has no SOA record, so nobody can remember that something is absent (RFC 2308).")
    if _NS not in apex:
        warnings.append(f"{zone.name} has no NS record, so it does not say who serves it (RFC 1034 section 4.2.1).")
    for name in sorted(zone.nodes):
        node = zone.nodes[name]
        if _CNAME in node:
            # RFC 2181 section 10.1: an alias has no other data. DNSSEC's own records may stand beside it (RFC 4034).
            others = [dns.rdatatype.to_text(rdtype) for rdtype in node
                      if rdtype not in (_CNAME, dns.rdatatype.RRSIG, dns.rdatatype.NSEC)]
            if others:
                warnings.append(f"{name} is an alias (CNAME) and so must have no other records, but has "
                                f"{', '.join(others)} (RFC 2181 section 10.1).")
        if _MX in node and len(node[_MX]) > 1 and any(names_in(rdata) == [dns.name.root] for rdata in node[_MX]):
            warnings.append(f"{name} has a null MX (\".\") beside other MX records; it must stand alone "
                            "(RFC 7505 section 3).")
        for rdtype in (_MX, _NS):
            for rdata in node.get(rdtype, ()):
                warnings += _target(zone, name, dns.rdatatype.to_text(rdtype), names_in(rdata)[0])
    return warnings


def _target(zone: Zone, owner: dns.name.Name, kind: str, host: dns.name.Name) -> list[str]:
    if host == dns.name.root:
        return []
    labels = host.relativize(zone.name).labels if host.is_subdomain(zone.name) else host.labels
    if all(label.isdigit() for label in labels[:4]) and len(labels) >= 4:
        return [f"The {kind} record of {owner} points to {host}, which looks like an address; it must name a host "
                "(RFC 1035 section 3.3)."]
    if not host.is_subdomain(zone.name):
        return []
    found = zone.find(host, dns.rdatatype.A)
    if found.kind is Kind.CNAME:
        # RFC 2181 section 10.3
        return [f"The {kind} record of {owner} points to {host}, which is an alias (CNAME); it must point to the host "
                "itself (RFC 2181 section 10.3)."]
    if found.kind is Kind.REFERRAL:
        glue = kind != "NS" or owner == zone.name or any(rrset.name == host for rrset in found.glue)
        return [] if glue else [f"The name server {host} of {owner} needs its address here, as glue "
                                "(RFC 1034 section 4.2.1)."]
    if found.kind is Kind.DATA or zone.find(host, dns.rdatatype.AAAA).kind is Kind.DATA:
        return []
    doubled = dns.name.Name((*labels, b""))
    if zone.name != dns.name.root and doubled.is_subdomain(zone.name):
        return [f"The {kind} record of {owner} points to {host}; a final dot is missing after {str(doubled)[:-1]}."]
    return [f"The {kind} record of {owner} points to {host}, which has no address."]
