"""What an authoritative name server says: from zones and a question to a reply (RFC 1034 section 4.3.2), purely.

`answer_from` works on messages; `reply_to` on packets, and says something sensible to any packet whatsoever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Literal, Protocol

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from simulator.dns.questions import parent_name, text_of
from simulator.errors import PlanError

Transport = Literal["udp", "tcp"]
Edit = Callable[[dns.message.Message], dns.message.Message]
"""Changes a reply for the one who asked, for example so that real programs get real addresses."""

UDP_PAYLOAD_OCTETS = 1232
"""What this project is ready to receive by UDP: it fits every path without fragments (RFC 6891 section 6.2.5)."""
PLAIN_UDP_OCTETS = 512
"""The limit for those who do not speak EDNS (RFC 1035 section 2.3.4)."""
HEADER_OCTETS = 12
LONGEST_CHAIN = 8
"""Aliases that one reply follows."""

_log = logging.getLogger("simulator.dns")


class Kind(Enum):
    """What a zone knows about a name and a type."""

    DATA = "data"
    CNAME = "cname"
    NODATA = "nodata"
    NXDOMAIN = "nxdomain"
    REFERRAL = "referral"


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of looking into one zone."""

    kind: Kind
    rrsets: tuple[dns.rrset.RRset, ...] = ()
    """DATA: what was asked for; CNAME: the alias; REFERRAL: the NS records of the child; else nothing."""
    glue: tuple[dns.rrset.RRset, ...] = ()
    """REFERRAL: addresses of the child's name servers, as far as this zone has them."""
    soa: dns.rrset.RRset | None = None
    """For NODATA and NXDOMAIN: the SOA record, its TTL already limited as RFC 2308 section 3 says."""


class AnyZone(Protocol):
    """What can be looked into: a `Zone`, a `DelegatingZone`, or whatever else knows names."""

    origin: str

    def find(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Finding:
        """Look up a name that lies within the zone."""


Zones = Mapping[str, AnyZone]
"""Zones by origin (lower case, no final dot, "" for the root). Looking one up may bring it into being."""


def zone_for(zones: Zones, name: dns.name.Name) -> AnyZone | None:
    """Return the nearest enclosing zone of a name (RFC 1034 section 4.3.2 step 2), None when there is none."""
    text = text_of(name)
    while True:
        zone = zones.get(text)
        if zone is not None or text == "":
            return zone
        text = parent_name(text)


def answer_from(zones: Zones, query: dns.message.Message) -> dns.message.Message:
    """Answer a query with authority (AA), a referral, an absence with its SOA record, or a refusal.

    The reply is whole, whatever its size: `reply_to` cuts it to what fits. Raises PlanError when a zone is needed for
    the first time and its text turns out to be wrong.
    """
    reply = dns.message.make_response(query, our_payload=UDP_PAYLOAD_OCTETS)
    if query.edns > 0:
        reply.set_rcode(dns.rcode.BADVERS)  # RFC 6891 section 6.1.3
    elif query.opcode() != dns.opcode.QUERY:
        reply.set_rcode(dns.rcode.NOTIMP)
    elif len(query.question) != 1:
        reply.set_rcode(dns.rcode.FORMERR)  # RFC 9619 section 4: one question, no more
    else:
        question = query.question[0]
        zone = zone_for(zones, question.name)
        if question.rdtype == dns.rdatatype.DS and question.name != dns.name.root:
            # RFC 4035 section 3.1.4.1: DS records of a zone are found in its parent.
            zone = zone_for(zones, question.name.parent()) or zone
        if zone is None or question.rdclass != dns.rdataclass.IN or _is_transfer(question.rdtype):
            reply.set_rcode(dns.rcode.REFUSED)
        else:
            _fill(reply, zone, question.name, question.rdtype)
    return reply


def _is_transfer(rdtype: dns.rdatatype.RdataType) -> bool:
    return rdtype in (dns.rdatatype.AXFR, dns.rdatatype.IXFR)


def _fill(reply: dns.message.Message, zone: AnyZone, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> None:
    """Follow RFC 1034 section 4.3.2 within one zone."""
    origin = dns.name.from_text(zone.origin)
    visited: set[dns.name.Name] = set()
    while True:
        visited.add(name)
        found = zone.find(name, rdtype)
        if found.kind is Kind.REFERRAL:
            reply.authority.extend(found.rrsets)  # the child has the authority: no AA unless an alias led here
            reply.additional.extend(found.glue)
            return
        reply.flags |= dns.flags.AA
        if found.kind in (Kind.DATA, Kind.CNAME):
            reply.answer.extend(found.rrsets)
        if found.kind is Kind.CNAME:  # RFC 1034 section 3.6.2: start again at the other name
            name = found.rrsets[0][0].target
            if name in visited or len(visited) > LONGEST_CHAIN or not name.is_subdomain(origin):
                return  # the resolver goes on from here
            continue
        if found.kind is Kind.NXDOMAIN:
            reply.set_rcode(dns.rcode.NXDOMAIN)  # RFC 6604 section 3: it speaks of the last name of the chain
        if found.soa is not None:
            reply.authority.append(found.soa)  # RFC 2308 section 3
        return


# --- packets ---------------------------------------------------------------------------------------------------------

def reply_to(zones: Zones, packet: bytes, transport: Transport, edit: Edit | None = None) -> bytes | None:
    """Return the packet that answers `packet`; None when there is nobody to answer (no header, or itself a reply).

    By UDP a reply that does not fit is cut to nothing with TC set, so that the other side asks again by TCP.
    """
    if len(packet) < HEADER_OCTETS or packet[2] & 0x80:  # the QR bit: answering replies would go on for ever
        return None
    if (packet[2] >> 3) & 0x0F != dns.opcode.QUERY:
        return _bare(packet, dns.rcode.NOTIMP)
    try:
        query = dns.message.from_wire(packet, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError):
        return _bare(packet, dns.rcode.FORMERR)
    try:
        reply = answer_from(zones, query)
    except PlanError as error:
        _log.error("%s", error)
        reply = dns.message.make_response(query, our_payload=UDP_PAYLOAD_OCTETS)
        reply.set_rcode(dns.rcode.SERVFAIL)
    return to_octets(edit(reply) if edit else reply, query, transport)


def to_octets(reply: dns.message.Message, query: dns.message.Message, transport: Transport) -> bytes:
    """Encode a reply, within what the one who asked can receive by UDP.

    The order of records is kept: dnspython would shuffle them with a generator of its own.
    """
    limit = 65535
    if transport == "udp":
        # RFC 6891 section 6.2.3: sizes below 512 mean 512
        limit = max(query.payload, PLAIN_UDP_OCTETS) if query.edns >= 0 else PLAIN_UDP_OCTETS
    try:
        return reply.to_wire(max_size=limit, want_shuffle=False)
    except dns.exception.TooBig:
        # RFC 2181 section 9 lets a cut reply hold anything; holding nothing leaves nothing to misread.
        reply.answer, reply.authority, reply.additional = [], [], []
        if transport == "tcp":  # not even TCP can carry it
            reply.set_rcode(dns.rcode.SERVFAIL)
        else:
            reply.flags |= dns.flags.TC
        return reply.to_wire(max_size=limit)


def _bare(packet: bytes, rcode: dns.rcode.Rcode) -> bytes:
    """Return a reply of a header only: same id, opcode and RD bit (RFC 1035 section 4.1.1)."""
    flags = bytes(((packet[2] & 0x79) | 0x80, int(rcode)))
    return packet[:2] + flags + bytes(HEADER_OCTETS - 4)
