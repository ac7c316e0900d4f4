"""What is asked of the DNS and what comes back, as plain values.

Rules that need the DNS never reach for it. They are generators that *ask*, so they run without a network and show
every step:

    answer = yield Ask("b.example", "MX")

Whoever drives the generator sends the `Answer` back in: a resolver in the running internet, a dictionary in a test.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.mxbase
import dns.rdtypes.txtbase

from simulator.errors import UsageError


def canonical_name(name: str) -> str:
    """Return a domain name as this project writes it: lower case, absolute, without the final dot ("" is the root).

    Names in other scripts become A-labels (RFC 5890 section 2.3.2.1).
    Raises UsageError for what cannot be a name in the DNS, such as an empty label or one of more than 63 octets.
    """
    try:
        # dnspython reads a lone "@" as the origin of a zone file; here it is a label like any other
        parsed = dns.name.from_text("\\@" if name == "@" else name)
    except (dns.exception.DNSException, UnicodeError) as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise UsageError(f"{name!r} is not a domain name ({reason}); write one like mail.bob.example.") from error
    return text_of(parsed)


def text_of(name: dns.name.Name) -> str:
    """Return a parsed name as this project writes it (see `canonical_name`)."""
    return "" if len(name.labels) <= 1 else name.to_text(omit_final_dot=True).lower()


def parent_name(name: str) -> str:
    """Return a canonical name without its first label; the parent of a top-level name is the root, ""."""
    return _FIRST_LABEL.sub("", name, count=1)


_FIRST_LABEL = re.compile(r"^(?:[^.\\]|\\.)*\.?")


class Status(Enum):
    """How a question ended. Mail reacts differently to each, so they are never mixed up (RFC 2308 section 2)."""

    ANSWER = "answer"
    """The name has records of the wanted type."""
    NODATA = "nodata"
    """The name exists, but has no records of that type."""
    NXDOMAIN = "nxdomain"
    """The name does not exist, for any type."""
    SERVFAIL = "servfail"
    """Name servers answered, but with nothing that could be used."""
    TIMEOUT = "timeout"
    """No name server answered at all."""


class Security(Enum):
    """What DNSSEC says about an answer (RFC 4033 section 5)."""

    INSECURE = "insecure"
    SECURE = "secure"
    BOGUS = "bogus"


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: a name and a record type. Both are brought into the usual form.

    Raises UsageError when the name or the type cannot exist.
    """

    name: str
    rdtype: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", canonical_name(self.name))
        try:
            rdtype = dns.rdatatype.to_text(dns.rdatatype.from_text(self.rdtype))
        except (dns.exception.DNSException, ValueError) as error:
            raise UsageError(f"{self.rdtype!r} is not a record type; try A, AAAA, MX, TXT, NS or CNAME.") from error
        object.__setattr__(self, "rdtype", rdtype)

    def __str__(self) -> str:
        return f"{self.name or '.'} {self.rdtype}"


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record (RFC 1034 section 3.6)."""

    name: str
    """Owner, without the final dot."""
    ttl_s: int
    rdtype: str
    text: str
    """The data in presentation form, as `dig` shows it: "10 mail.bob.example."."""

    def __str__(self) -> str:
        return f"{self.name}. {self.ttl_s} IN {self.rdtype} {self.text}"

    def rdata(self) -> dns.rdata.Rdata:
        """Return the data parsed."""
        return dns.rdata.from_text(dns.rdataclass.IN, self.rdtype, self.text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a resolver found out about one question."""

    ask: Ask
    status: Status
    records: tuple[Record, ...] = ()
    """Records of the wanted type, at the end of the chain of aliases; empty unless the status is ANSWER."""
    security: Security = Security.INSECURE
    ttl_s: int = 0
    """For how many seconds the answer, or the absence of one, may be kept."""
    cname_chain: tuple[str, ...] = ()
    """The names that CNAME records led to, in order; empty when the asked name is no alias."""
    authority: tuple[Record, ...] = ()
    """The SOA record that came with a negative answer (RFC 2308 section 3)."""
    why: str = ""
    """For SERVFAIL and TIMEOUT: one sentence about what went wrong."""

    @property
    def canonical_name(self) -> str:
        """The name that holds the records: the end of the chain of aliases (RFC 1034 section 3.6.2)."""
        return self.cname_chain[-1] if self.cname_chain else self.ask.name

    @property
    def failed(self) -> bool:
        """True when nothing was learnt, so that one should ask again later: SERVFAIL, TIMEOUT, or bogus signatures."""
        return self.status in (Status.SERVFAIL, Status.TIMEOUT) or self.security is Security.BOGUS

    @property
    def soa_minimum_s(self) -> int | None:
        """The last field of the SOA record, which limits how long an absence is remembered; None without a SOA."""
        for record in self.authority:
            if record.rdtype == "SOA":
                return int(record.text.split()[-1])
        return None

    def texts(self) -> list[str]:
        """Return TXT records, the strings of each joined without a space (RFC 7208 section 3.3).

        Octets that are not UTF-8 become the replacement character.
        """
        joined = []
        for record in self.records:
            rdata = record.rdata()
            if isinstance(rdata, dns.rdtypes.txtbase.TXTBase):
                joined.append(b"".join(rdata.strings).decode("utf-8", "replace"))
        return joined

    def addresses(self) -> list[str]:
        """Return the addresses in A and AAAA records, in the order of the answer."""
        return [record.text for record in self.records if record.rdtype in ("A", "AAAA")]

    def mx(self) -> list[tuple[int, str]]:
        """Return (preference, host) of MX records in the order of the answer; the host "" is the "." of a null MX."""
        pairs = []
        for record in self.records:
            rdata = record.rdata()
            if isinstance(rdata, dns.rdtypes.mxbase.MXBase):
                pairs.append((rdata.preference, text_of(rdata.exchange)))
        return pairs

    def names(self) -> list[str]:
        """Return the names in NS, CNAME and PTR records, in the order of the answer."""
        return [canonical_name(record.text) for record in self.records if record.rdtype in ("NS", "CNAME", "PTR")]
