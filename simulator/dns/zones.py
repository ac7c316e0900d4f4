"""Zones: what a name server is in charge of, written as text, searched by name (RFC 1034 section 4.3.2, RFC 4592)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.rrset

from simulator.dns.answering import AnyZone, Finding, Kind, Zones, answer_from
from simulator.dns.lint import lint
from simulator.dns.masterfile import read_entries, wrong
from simulator.dns.questions import canonical_name, parent_name, text_of

__all__ = ["AnyZone", "DelegatingZone", "Zone", "Zones", "answer_from", "delegating_zone_text", "lint"]

DEFAULT_TTL_S = 3600
NEGATIVE_TTL_S = 300

Node = dict[dns.rdatatype.RdataType, dns.rrset.RRset]
_A, _AAAA, _NS, _SOA = dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.NS, dns.rdatatype.SOA


class Zone:
    """One zone. Its text is parsed when it is first looked into, so ten thousand zones cost nothing until then.

    `text` may be a function that writes the text when it is needed. `Zone.from_text` parses at once.
    """

    def __init__(self, origin: str, text: str | Callable[[], str]) -> None:
        self.origin = canonical_name(origin)
        self._text = text
        self._nodes: dict[dns.name.Name, Node] | None = None
        self._existing: set[dns.name.Name] = set()

    @classmethod
    def from_text(cls, text: str, origin: str) -> Zone:
        """Read a zone from master-file text (RFC 1035 section 5).

        Raises PlanError, with the line, for text that is no zone or that names anything outside documentation ranges.
        """
        zone = cls(origin, text)
        zone._parse()
        return zone

    def __repr__(self) -> str:
        return f"<Zone {self.origin or '.'}>"

    @property
    def name(self) -> dns.name.Name:
        """The origin as a dnspython name."""
        return dns.name.from_text(self.origin)

    @property
    def nodes(self) -> Mapping[dns.name.Name, Node]:
        """All names with their records, parsed if need be. Raises PlanError as `from_text` does."""
        return self._parse()

    def _parse(self) -> dict[dns.name.Name, Node]:
        if self._nodes is None:
            text = self._text if isinstance(self._text, str) else self._text()
            origin = self.name
            nodes: dict[dns.name.Name, Node] = {}
            existing = {origin}
            for entry in read_entries(text, origin):
                node = nodes.setdefault(entry.name, {})
                rdtype = entry.rdata.rdtype
                if rdtype not in node:
                    node[rdtype] = dns.rrset.RRset(entry.name, dns.rdataclass.IN, rdtype)
                elif dns.rdatatype.is_singleton(rdtype) and entry.rdata not in node[rdtype]:
                    kind = dns.rdatatype.to_text(rdtype)  # RFC 2181 section 10.1
                    raise wrong(origin, entry.line, f"{entry.name} has a second {kind} record, but can have only one")
                node[rdtype].add(entry.rdata, entry.ttl_s)  # RFC 2181 section 5.2: one TTL for the set, the least
                name = entry.name
                while name not in existing:  # RFC 4592 section 2.2.2: names between exist too, though empty
                    existing.add(name)
                    name = name.parent()
            self._nodes, self._existing = nodes, existing
        return self._nodes

    def to_text(self) -> str:
        """Return the zone as master-file text: complete names, the SOA record first, one record on each line."""
        lines = [f"$ORIGIN {self.name}"]
        for name in sorted(self.nodes):  # DNSSEC order (RFC 4034 section 6.1): the origin comes first
            for rrset in sorted(self.nodes[name].values(), key=lambda rrset: (rrset.rdtype != _SOA, rrset.rdtype)):
                kind = dns.rdatatype.to_text(rrset.rdtype)
                lines += [f"{name}\t{rrset.ttl}\tIN\t{kind}\t{rdata.to_text()}" for rdata in rrset]
        return "\n".join(lines) + "\n"

    # --- looking up --------------------------------------------------------------------------------------------------

    def find(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Finding:
        """Look up a name within the zone, by RFC 1034 section 4.3.2 step 3."""
        nodes = self._parse()
        cut = self._cut_above(name, rdtype)
        if cut is not None:
            ns = nodes[cut][_NS]
            return Finding(Kind.REFERRAL, (ns,), tuple(self._glue(ns)))
        if name in self._existing:
            return self._look(nodes.get(name, {}), name, rdtype)
        encloser = name.parent()
        while encloser not in self._existing:
            encloser = encloser.parent()
        # RFC 4592 section 3.3.1: only the wildcard right below the closest name that exists can match.
        wild = nodes.get(dns.name.Name((b"*", *encloser.labels)))
        if wild is None:
            return Finding(Kind.NXDOMAIN, soa=self._negative_soa())
        return self._look(wild, name, rdtype)

    def _cut_above(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> dns.name.Name | None:
        """Return the topmost name at or above `name` where another zone begins, None when it is ours."""
        depth = len(self.name.labels)
        for count in range(depth + 1, len(name.labels) + 1):
            ancestor = dns.name.Name(name.labels[-count:])
            if _NS in self._parse().get(ancestor, {}):
                # RFC 4035 section 3.1.4.1: the parent answers for the DS record at the cut.
                return None if ancestor == name and rdtype == dns.rdatatype.DS else ancestor
        return None

    def _look(self, node: Node, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Finding:
        rrset = node.get(rdtype)
        if rdtype == dns.rdatatype.ANY and node:
            rrset = next(iter(node.values()))  # RFC 8482 section 4.1: one set is answer enough
        kind = Kind.DATA
        if dns.rdatatype.CNAME in node and rdtype not in (dns.rdatatype.CNAME, dns.rdatatype.ANY):
            kind, rrset = Kind.CNAME, node[dns.rdatatype.CNAME]
        if rrset is None:
            return Finding(Kind.NODATA, soa=self._negative_soa())
        return Finding(kind, (_owned_by(name, rrset),))

    def _glue(self, ns: dns.rrset.RRset) -> Iterable[dns.rrset.RRset]:
        for rdata in ns:
            node = self._parse().get(rdata.target, {})
            yield from (node[rdtype] for rdtype in (_A, _AAAA) if rdtype in node)

    def _negative_soa(self) -> dns.rrset.RRset | None:
        """RFC 2308 section 3: the TTL of the SOA record in a negative answer is limited by its MINIMUM field."""
        soa = self._parse().get(self.name, {}).get(_SOA)
        return None if soa is None else _limited(soa)


def _owned_by(name: dns.name.Name, rrset: dns.rrset.RRset) -> dns.rrset.RRset:
    """Return the set with the asked name as its owner, which a wildcard takes (RFC 4592 section 3.3.3)."""
    return dns.rrset.from_rdata_list(name, rrset.ttl, list(rrset))


def _limited(soa: dns.rrset.RRset) -> dns.rrset.RRset:
    data = soa[0]
    assert isinstance(data, dns.rdtypes.ANY.SOA.SOA)
    return dns.rrset.from_rdata(soa.name, min(soa.ttl, data.minimum), data)


# --- zones that mostly delegate --------------------------------------------------------------------------------------

Child = tuple[str, str]
"""Name and address of a child's name server."""


def delegating_zone_text(origin: str, ns_name: str, ns_address: str,
                         children: Iterable[tuple[str, str, str]] = ()) -> str:
    """Write the text of a zone, such as the root or `example.`, that hands its children over to their name servers.

    `children` are (origin, name of the name server, its address). An address is given as glue when the server's name
    lies within this zone; a server elsewhere is found by its own name (RFC 1034 section 4.2.1).
    """
    zone = DelegatingZone(origin, ns_name, ns_address, {})
    apex = (zone._soa, zone._ns, *zone._addresses(ns_name, ns_address))
    lines = [f"$ORIGIN {zone.name}", *(_line(rrset) for rrset in apex)]
    for child, child_ns, child_address in children:
        referral = zone._referral(canonical_name(child), (child_ns, child_address))
        lines += [_line(rrset) for rrset in (*referral.rrsets, *referral.glue)]
    return "\n".join(dict.fromkeys(lines)) + "\n"


def _line(rrset: dns.rrset.RRset) -> str:
    return str(rrset.to_text())


class DelegatingZone:
    """A zone with many children, answered from a mapping: nothing is parsed or kept for a child until somebody asks.

    `children` gives (name of the name server, its address) by origin, and may change at any time.
    """

    def __init__(self, origin: str, ns_name: str, ns_address: str, children: Mapping[str, Child]) -> None:
        self.origin = canonical_name(origin)
        self.name = dns.name.from_text(self.origin)
        self.ns_name, self.ns_address, self.children = canonical_name(ns_name), ns_address, children
        self._soa = _rrset(self.name, "SOA", f"{_absolute(ns_name)} hostmaster.{_absolute(ns_name)} "
                                             f"1 7200 900 1209600 {NEGATIVE_TTL_S}")
        self._ns = _rrset(self.name, "NS", _absolute(ns_name))

    def find(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Finding:
        """Look up a name within the zone: mostly a referral to the child."""
        text = text_of(name)
        below, ancestors = text, []
        while below != self.origin:
            ancestors.append(below)
            below = parent_name(below)
        for ancestor in reversed(ancestors):
            child = self.children.get(ancestor)
            if child is not None and (ancestor != text or rdtype != dns.rdatatype.DS):
                return self._referral(ancestor, child)
        sets = (self._soa, self._ns, *self._addresses(self.ns_name, self.ns_address))
        own = [rrset for rrset in sets if rrset.name == name]
        for rrset in own:
            if rdtype in (rrset.rdtype, dns.rdatatype.ANY):
                return Finding(Kind.DATA, (rrset,))
        exists = not ancestors or own or text in self.children or any(
            known.endswith("." + text) for known in (*self.children, self.ns_name))
        return Finding(Kind.NODATA if exists else Kind.NXDOMAIN, soa=_limited(self._soa))

    def _referral(self, origin: str, child: Child) -> Finding:
        ns_name, ns_address = child
        ns = _rrset(dns.name.from_text(origin), "NS", _absolute(ns_name))
        return Finding(Kind.REFERRAL, (ns,), self._addresses(ns_name, ns_address))

    def _addresses(self, host: str, address: str) -> tuple[dns.rrset.RRset, ...]:
        name = dns.name.from_text(host)
        if not name.is_subdomain(self.name):
            return ()
        return (_rrset(name, "AAAA" if ":" in address else "A", address),)


def _absolute(name: str) -> str:
    return canonical_name(name) + "."


def _rrset(name: dns.name.Name, rdtype: str, text: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(name, DEFAULT_TTL_S, dns.rdataclass.IN, rdtype, text)
