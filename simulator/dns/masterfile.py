"""Reading the master-file format, the text that every zone is written in (RFC 1035 section 5).

Every record keeps its line, so that whatever is found wrong later can be pointed at. `$ORIGIN` and `$TTL` are
understood (RFC 2308 section 4); `$INCLUDE` is not, since a zone here never reads other files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.SOA
import dns.tokenizer
import dns.ttl

from simulator.dns.questions import text_of
from simulator.dns.reserved import is_reserved_address, is_reserved_name
from simulator.errors import PlanError


@dataclass(frozen=True, slots=True)
class Entry:
    """One record and the line where it begins."""

    line: int
    name: dns.name.Name
    ttl_s: int
    rdata: dns.rdata.Rdata


def read_entries(text: str, origin: dns.name.Name) -> Iterator[Entry]:
    """Read zone text; relative names belong to `origin` until a `$ORIGIN` line says otherwise.

    Raises PlanError with the line for what is no record, lies outside the zone, or is not reserved for documentation.
    """
    reader = _Reader(text, origin)
    while True:
        try:
            entry = reader.next_entry()
        except (dns.exception.DNSException, UnicodeError, ValueError) as error:
            raise wrong(origin, reader.line, _sentence(error)) from error
        if entry is None:
            return
        _check(entry, origin)
        yield entry


def _sentence(error: Exception) -> str:
    words = str(error).strip().rstrip(".") or f"this is not a record ({type(error).__name__})"
    return words[0].upper() + words[1:]


def wrong(origin: dns.name.Name, line: int, sentence: str) -> PlanError:
    """Return the error for one line of a zone."""
    return PlanError(f"Zone {origin}, line {line}: {sentence}.")


class _Reader:
    def __init__(self, text: str, origin: dns.name.Name) -> None:
        self.tokens = dns.tokenizer.Tokenizer(text)
        self.line = 1
        self._origin = origin
        self._owner: dns.name.Name | None = None
        self._default_ttl_s: int | None = None
        self._last_ttl_s: int | None = None

    def next_entry(self) -> Entry | None:
        """Return the next record, None at the end of the text."""
        while True:
            self.line = self.tokens.where()[1]
            token = self.tokens.get(want_leading=True)
            if token.is_eof():
                return None
            if token.is_eol():
                continue
            if token.is_identifier() and token.value.startswith("$"):
                self._directive(token.value.upper())
                continue
            if token.is_whitespace():  # RFC 1035 section 5.1: the same owner as before
                token = self.tokens.get()
                self.tokens.unget(token)
                if token.is_eol_or_eof():
                    continue
                if self._owner is None:
                    raise ValueError("the first record must begin with a name, not with a space")
            else:
                self._owner = self.tokens.as_name(token, self._origin)
            return self._record(self._owner)

    def _directive(self, word: str) -> None:
        if word == "$TTL":
            self._default_ttl_s = self.tokens.get_ttl()
        elif word == "$ORIGIN":
            self._origin = self.tokens.get_name(self._origin)
        else:
            raise ValueError(f"{word} is not understood here; use $ORIGIN and $TTL only")
        self.tokens.get_eol()

    def _record(self, owner: dns.name.Name) -> Entry:
        ttl_s: int | None = None
        word = self.tokens.get_identifier()
        for _ in range(2):  # RFC 1035 section 5.1: TTL and class in either order, both optional
            if word.upper() == "IN":
                word = self.tokens.get_identifier()
            elif ttl_s is None and word[0].isdigit():
                ttl_s = dns.ttl.from_text(word)
                word = self.tokens.get_identifier()
        try:
            rdtype = dns.rdatatype.from_text(word)
        except (dns.rdatatype.UnknownRdatatype, ValueError) as error:
            raise ValueError(f"{word!r} is not a record type") from error
        if dns.rdatatype.is_metatype(rdtype):
            raise ValueError(f"{word!r} cannot stand in a zone")
        rdata = dns.rdata.from_text(dns.rdataclass.IN, rdtype, self.tokens, self._origin, relativize=False)
        if ttl_s is not None:
            self._last_ttl_s = ttl_s
        else:
            ttl_s = self._implied_ttl_s(rdata)
        return Entry(self.line, owner, ttl_s, rdata)

    def _implied_ttl_s(self, rdata: dns.rdata.Rdata) -> int:
        """RFC 2308 section 4: $TTL; else, as RFC 1035 had it, the one before, or what the SOA record says."""
        if self._default_ttl_s is not None:
            return self._default_ttl_s
        if self._last_ttl_s is None:
            if not isinstance(rdata, dns.rdtypes.ANY.SOA.SOA):
                raise ValueError("there is no TTL yet; put a line such as $TTL 3600 first")
            self._last_ttl_s = rdata.minimum
        return self._last_ttl_s


def _check(entry: Entry, origin: dns.name.Name) -> None:
    """Refuse what does not belong into the zone, or into this simulator."""
    if not entry.name.is_subdomain(origin):
        raise wrong(origin, entry.line, f"{entry.name} does not lie in this zone; a name with a final dot is "
                                        "taken as it stands")
    if entry.rdata.rdtype == dns.rdatatype.SOA and entry.name != origin:
        raise wrong(origin, entry.line, f"A SOA record belongs to the zone's own name, not to {entry.name}")
    for name in (entry.name, *names_in(entry.rdata)):
        if not is_reserved_name(text_of(name)):
            raise wrong(origin, entry.line, f"{name} might be somebody's real name; use names in .example or .test")
    address = getattr(entry.rdata, "address", None)
    if isinstance(address, str) and not is_reserved_address(address):
        raise wrong(origin, entry.line, f"{address} might be somebody's real address; use 192.0.2.x, 198.51.100.x, "
                                        "203.0.113.x or 2001:db8::/32")


def names_in(rdata: dns.rdata.Rdata) -> list[dns.name.Name]:
    """Return the domain names that a record points to."""
    slots = dict.fromkeys(slot for cls in type(rdata).__mro__ for slot in getattr(cls, "__slots__", ()))
    values = (getattr(rdata, slot, None) for slot in slots)
    return [value for value in values if isinstance(value, dns.name.Name)]
