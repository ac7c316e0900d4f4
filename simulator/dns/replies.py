"""What a resolver may believe of a reply: the records that the asked server is in charge of, and nothing else.

A reply can carry anything, also records that somebody wants to smuggle into a cache. Here it is read with the zone in
mind for which the server was asked (its *bailiwick*): whatever lies outside is dropped (RFC 5452 section 6).
"""

from __future__ import annotations

from dataclasses import dataclass

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.rrset

from simulator.dns.cache import Delegation
from simulator.dns.questions import Answer, Ask, Record, Status, text_of


@dataclass(frozen=True, slots=True)
class Reading:
    """What a reply says. Exactly one of `links` and `delegation` is there; neither when the reply helps nobody."""

    status: str
    """"answer", "nodata", "nxdomain", "referral", "truncated"; or, of no help, "servfail", "refused", "lame"."""
    links: tuple[Answer, ...] = ()
    """Aliases and what they end in, each an answer for one name; the first is for the asked name."""
    delegation: Delegation | None = None
    """Who to ask next."""
    ttl_s: int = 0
    """How long the delegation holds."""
    records: tuple[Record, ...] = ()
    """The records believed, in order, that answer or refer; the SOA record of an absence stands in `links`."""


def read_reply(message: dns.message.Message, ask: Ask, zone: str) -> Reading:
    """Read the reply of a server that was asked because it serves `zone` (RFC 1034 section 5.3.3 step 4)."""
    if message.flags & dns.flags.TC:
        return Reading("truncated")
    rcode = message.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Reading("refused" if rcode == dns.rcode.REFUSED else "servfail")
    bailiwick = dns.name.from_text(zone)
    links, name = _aliases(message, ask, bailiwick)
    authoritative = bool(message.flags & dns.flags.AA)
    last = _ending(message, name, ask, bailiwick) if authoritative else None
    if last is not None:
        links.append(last)
    if links and authoritative:
        status = last.status.value if last is not None else "answer"
        believed = tuple(record for link in links for record in link.records)
        return Reading(status, tuple(links), records=believed)
    if not links and rcode == dns.rcode.NOERROR:
        referral = _referral(message, name, bailiwick)
        if referral is not None:
            return referral
    return Reading("lame")  # RFC 1912 section 2.8: it was said to serve the zone, and does not


def records_of(rrset: dns.rrset.RRset) -> tuple[Record, ...]:
    """Return the records of a set."""
    owner, kind = text_of(rrset.name), dns.rdatatype.to_text(rrset.rdtype)
    return tuple(Record(owner, rrset.ttl, kind, rdata.to_text()) for rdata in rrset)


def _set(message: dns.message.Message, section: list[dns.rrset.RRset], name: dns.name.Name,
         rdtype: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    return message.get_rrset(section, name, dns.rdataclass.IN, rdtype)


def _aliases(message: dns.message.Message, ask: Ask,
             bailiwick: dns.name.Name) -> tuple[list[Answer], dns.name.Name]:
    """Return the aliases from the asked name on, and the name where they end."""
    links: list[Answer] = []
    name, visited = dns.name.from_text(ask.name), set[dns.name.Name]()
    rdtype = dns.rdatatype.from_text(ask.rdtype)
    while rdtype != dns.rdatatype.CNAME and name.is_subdomain(bailiwick) and name not in visited:
        visited.add(name)
        alias = _set(message, message.answer, name, dns.rdatatype.CNAME)
        if alias is None:
            break
        records = records_of(alias)[:1]
        links.append(Answer(Ask(records[0].name, "CNAME"), Status.ANSWER, records, ttl_s=alias.ttl))
        name = alias[0].target
    return links, name


def _ending(message: dns.message.Message, name: dns.name.Name, ask: Ask,
            bailiwick: dns.name.Name) -> Answer | None:
    """Return what an authoritative reply says of the last name; None when it leaves that to others."""
    if not name.is_subdomain(bailiwick):
        return None
    here = Ask(name.to_text(), ask.rdtype)
    rdtype = dns.rdatatype.from_text(ask.rdtype)
    if rdtype == dns.rdatatype.ANY:
        sets = [rrset for rrset in message.answer if rrset.name == name]
    else:
        rrset = _set(message, message.answer, name, rdtype)
        sets = [] if rrset is None else [rrset]
    if sets:
        records = tuple(record for rrset in sets for record in records_of(rrset))
        return Answer(here, Status.ANSWER, records, ttl_s=min(rrset.ttl for rrset in sets))
    soa = next((rrset for rrset in message.authority if rrset.rdtype == dns.rdatatype.SOA
                and name.is_subdomain(rrset.name) and rrset.name.is_subdomain(bailiwick)), None)
    if soa is None and (name != dns.name.from_text(ask.name) or _referral(message, name, bailiwick) is not None):
        return None  # the server followed aliases only so far: the last name has to be asked for by itself
    status = Status.NXDOMAIN if message.rcode() == dns.rcode.NXDOMAIN else Status.NODATA
    if soa is None or not isinstance(soa[0], dns.rdtypes.ANY.SOA.SOA):
        return Answer(here, status)  # RFC 2308 section 5: without a SOA record it is not to be remembered
    # RFC 2308 section 5: the absence lasts for the TTL or the MINIMUM field, whichever is less.
    return Answer(here, status, ttl_s=min(soa.ttl, soa[0].minimum), authority=records_of(soa))


def _referral(message: dns.message.Message, name: dns.name.Name, bailiwick: dns.name.Name) -> Reading | None:
    """Return where a reply sends us: only downwards, and towards the asked name."""
    ns = next((rrset for rrset in message.authority if rrset.rdtype == dns.rdatatype.NS and rrset.name != bailiwick
               and rrset.name.is_subdomain(bailiwick) and name.is_subdomain(rrset.name)), None)
    if ns is None:
        return None
    servers, believed, ttl_s = [], [ns], ns.ttl
    for rdata in ns:
        target = rdata.target
        addresses: list[str] = []
        for rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            glue = _set(message, message.additional, target, rdtype)
            # RFC 5452 section 6: a server may tell addresses in its own zone, not those of somebody else's hosts.
            if glue is not None and target.is_subdomain(bailiwick):
                addresses += [address.to_text() for address in glue]
                believed.append(glue)
                ttl_s = min(ttl_s, glue.ttl)
        servers.append((text_of(target), tuple(addresses)))
    delegation = Delegation(text_of(ns.name), tuple(servers))
    records = tuple(record for rrset in believed for record in records_of(rrset))
    return Reading("referral", (), delegation, ttl_s, records)
