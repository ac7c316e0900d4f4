"""Mail addresses: local part @ domain, read strictly, kept exactly (RFC 5321 sections 2.3.11, 4.1.2 and 4.1.3)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import cached_property

from simulator.errors import UsageError

LOCAL_PART_OCTETS, DOMAIN_OCTETS, PATH_OCTETS = (
    64,
    255,
    256,
)  # RFC 5321 section 4.5.3.1; the path includes "<", ">" and "@"

# RFC 5321 section 4.1.2: Dot-string; RFC 6531 section 3.3 adds everything beyond ASCII.
# Written as what it excludes: a class that lists everything beyond ASCII takes milliseconds to compile.
_ATOM = r'[^\x00-\x20\x7f()<>\[\]:;@\\,."]+'
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"((?:[^"\\\x00-\x1f\x7f]|\\[ -~])*)"')
# RFC 5321 section 4.1.2: a label is letters, digits and inner hyphens; RFC 6531 section 3.3: or a U-label.
_LETTER = r"[^\x00-/:-@\[-`{-\x7f]"
_LABEL = re.compile(rf"{_LETTER}(?:(?:-|{_LETTER}){{0,61}}{_LETTER})?")
_A_LABELS = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*")
_HOP = r"@(?:\[[^\[\]<>]*\]|[^<>@:,\[\]]+)"
_ROUTE = re.compile(rf"{_HOP}(?:,{_HOP})*:")
# Controls of ASCII and of ISO 8859, line and paragraph separators, what is left of octets that are no UTF-8
_NEVER = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ufffd\ud800-\udfff]")
_SHOWN = 100
# RFC 5322 section 3.4: what a list of addresses in a header field is made of
_LIST_PART = re.compile(
    r'"(?:[^"\\]|\\.)*"|<(?:"(?:[^"\\]|\\.)*"|[^<>"])*>|\[[^\[\]]*\]|\\.|[^"<>\[\]\\(),:;]+|.', re.DOTALL
)


@dataclass(frozen=True)
class Address:
    """A mailbox address. Both parts are kept exactly as they were written."""

    local_part: str
    """Without quotes. Only the host of the mailbox may interpret it (RFC 5321 section 2.3.11)."""
    domain: str
    """A domain name, or an address literal such as "[192.0.2.7]"; empty only for the bare Postmaster."""

    @cached_property
    def ascii(self) -> bool:
        """True when it can travel without SMTPUTF8."""
        return self.local_part.isascii() and self.domain.isascii()

    @cached_property
    def domain_key(self) -> str:
        """The domain in the form that comparisons and the DNS need: lower case, A-labels (RFC 5890 section 2.3.2.1)."""
        return (_a_labels(self.domain) or self.domain).lower()

    def __str__(self) -> str:
        local = self.local_part
        if not _DOT_STRING.fullmatch(local):
            local = '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
        return f"{local}@{self.domain}" if self.domain else local


def parse_address(text: str) -> Address:
    """Read an address as a person or program gives it, such as "alice@alice.example".

    Raises UsageError with one sentence about what is wrong in it.
    """
    if not isinstance(text, str):
        raise UsageError(f"An address is a text such as bob@bob.example, not {str(text)[:_SHOWN]!r}.")
    shown = repr(text[:_SHOWN]) if text else "An empty text"
    if _NEVER.search(text):  # CR and LF would begin a command of their own
        raise UsageError(f"{shown} is not an address: it contains a control character, a line end, or no valid UTF-8.")
    local, at, domain = text.rpartition("@")
    if not at:
        raise UsageError(f"{shown} is not an address: there is no @ in it; write one like bob@bob.example.")
    if not local or not domain:
        raise UsageError(f"{shown} is not an address: there is nothing {'after' if local else 'before'} the @.")
    return Address(_local_part(local, shown), _domain(domain, shown))


def parse_path(text: str) -> Address | None:
    """Read a path in angle brackets as it stands after MAIL FROM: or RCPT TO:; None is the null path `<>`.

    A source route is read and ignored (RFC 5321 section 4.1.1.3 and appendix C); `<Postmaster>` needs no domain
    (section 4.5.1). Raises UsageError with one sentence about what is wrong.
    """
    if not (text.startswith("<") and text.endswith(">")):
        raise UsageError("A path stands in angle brackets, such as <bob@bob.example>.")
    if len(text.encode("utf-8", "surrogatepass")) > PATH_OCTETS:
        raise UsageError(f"A path may have at most {PATH_OCTETS} octets.")
    inner = text[1:-1]
    if not inner:
        return None
    if inner.startswith("@"):
        route = _ROUTE.match(inner)
        if route is None:
            raise UsageError("A source route ends with a colon, such as <@a.example:bob@bob.example>.")
        inner = inner[route.end() :]
    if inner.lower() == "postmaster":  # RFC 5321 section 4.5.1
        return Address(inner, "")
    return parse_address(inner)


def _local_part(text: str, shown: str) -> str:
    if len(text.encode("utf-8", "surrogatepass")) > LOCAL_PART_OCTETS:
        raise UsageError(f"{shown} is not an address: the part before the @ has more than {LOCAL_PART_OCTETS} octets.")
    quoted = _QUOTED.fullmatch(text)
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted[1])
    if not _DOT_STRING.fullmatch(text):
        raise UsageError(f"{shown} is not an address: {text!r} cannot stand before the @ without quotes.")
    return text


def _domain(text: str, shown: str) -> str:
    if len(text.encode("utf-8", "surrogatepass")) > DOMAIN_OCTETS:
        raise UsageError(f"{shown} is not an address: the domain has more than {DOMAIN_OCTETS} octets.")
    if text.startswith("["):
        if _literal(text) is None:
            raise UsageError(f"{shown} is not an address: {text} is not an address literal such as [192.0.2.7].")
        return text
    if not all(_LABEL.fullmatch(label) for label in text.split(".")) or _a_labels(text) is None:
        raise UsageError(f"{shown} is not an address: {text!r} is not a domain name.")
    return text


def _a_labels(domain: str) -> str | None:
    """Return a domain with A-labels in place of U-labels; None when it has no such form."""
    if domain.isascii():
        return domain
    try:
        found = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    # Some characters become a dot, an @ or a slash on the way, and the name another one than it seemed
    return found if _A_LABELS.fullmatch(found.lower()) and found.count(".") == domain.count(".") else None


def _literal(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Read an address literal (RFC 5321 section 4.1.3)."""
    inner = text[1:-1] if text.endswith("]") and "%" not in text else ""
    try:
        return ipaddress.IPv6Address(inner[5:]) if inner[:5].lower() == "ipv6:" else ipaddress.IPv4Address(inner)
    except ValueError:
        return None


# --- in header fields ------------------------------------------------------------------------------------------------


def parse_address_list(text: str) -> list[Address]:
    """Read the addresses of a header field such as To: without names, comments and groups (RFC 5322 section 3.4).

    Raises UsageError with one sentence about what cannot be read.
    """
    found: list[Address] = []
    words, angle, depth = "", "", 0
    for part in [*_LIST_PART.findall(text), ","]:
        if part == "(":
            depth += 1
        elif depth:
            depth -= part == ")"
        elif part in (",", ";"):
            if angle or words.strip():
                found.append(_listed(angle, words.strip(), text))
            words = angle = ""
        elif part == ":":  # what stood before it is the name of a group
            words = angle = ""
        elif part.startswith("<") and not angle:
            words, angle = "", part  # what stood before it is a name
        else:
            words += part
    if depth:
        raise UsageError(f"{text[:_SHOWN]!r} cannot be read as addresses: a bracket is open.")
    return found


def _listed(angle: str, words: str, text: str) -> Address:
    address = parse_path(angle) if angle else parse_address(words)
    if angle and words:
        raise UsageError(f"{text[:_SHOWN]!r} cannot be read as addresses: a comma is missing after {angle}.")
    if address is None:
        raise UsageError(f"{text[:_SHOWN]!r} cannot be read as addresses: <> is nobody.")
    return address
