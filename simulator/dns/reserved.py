"""Only names and addresses that are reserved for documentation, so that nothing here can ever point at somebody real.

RFC 2606 and RFC 6761 (names), RFC 5737 and RFC 3849 (addresses).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

NETWORKS = tuple(ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"))
"""RFC 5737 section 3, RFC 3849 section 2."""
TOP_LEVEL_NAMES = ("example", "test")
"""RFC 2606 section 2."""
_REVERSE = ("2.0.192.in-addr.arpa", "100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa")


def is_reserved_name(name: str) -> bool:
    """Tell whether a name (lower case, without the final dot) is for documentation.

    That is the root, anything in .example and .test, the reverse names of the documentation addresses, and the empty
    names above those.
    """
    return name == "" or any(_within(name, top) for top in (*TOP_LEVEL_NAMES, *_REVERSE)) or any(
        _within(reverse, name) for reverse in _REVERSE)


def is_reserved_address(address: str | IPv4Address | IPv6Address) -> bool:
    """Tell whether an address is for documentation."""
    parsed = ip_address(address)
    return any(parsed in network for network in NETWORKS)


def _within(name: str, zone: str) -> bool:
    return name == zone or name.endswith("." + zone)
