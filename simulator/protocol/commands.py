"""Commands: their octets, made so that no caller can smuggle in a line of its own, and what an EHLO reply promises."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulator.errors import UsageError

_SAFE = re.compile(r"[^\x00-\x1f\x7f]*")


def command(verb: str, *arguments: str, smtputf8: bool = False) -> bytes:
    """Return a command line with CRLF. Raises UsageError for control characters, and for non-ASCII without SMTPUTF8.

    CR or LF in an argument would begin a command that the caller never meant (RFC 5321 section 2.3.8).
    """
    line = " ".join((verb, *arguments))
    if not _SAFE.fullmatch(line):
        raise UsageError(f"A {verb} command cannot contain a line end or another control character: {line!r}.")
    if not (smtputf8 or line.isascii()):  # RFC 6531 section 3.2
        raise UsageError(f"A {verb} command with characters outside ASCII needs SMTPUTF8: {line!r}.")
    return line.encode("utf-8") + b"\r\n"


def mail_from(reverse_path: str, parameters: Sequence[str] = (), smtputf8: bool = False) -> bytes:
    """Return MAIL FROM (RFC 5321 section 4.1.1.2); "" is the null reverse-path."""
    return command("MAIL", f"FROM:<{_path(reverse_path)}>", *parameters, smtputf8=smtputf8)


def rcpt_to(forward_path: str, smtputf8: bool = False) -> bytes:
    """Return RCPT TO (RFC 5321 section 4.1.1.3)."""
    return command("RCPT", f"TO:<{_path(forward_path)}>", smtputf8=smtputf8)


def _path(address: str) -> str:
    outside_quotes = re.sub(r'"(?:[^"\\]|\\.)*"', "", address)
    if re.search(r"[<>\s]", outside_quotes):
        raise UsageError(f"{address!r} cannot stand in an envelope: it contains a blank or an angle bracket.")
    return address


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a server offers, from its EHLO reply (RFC 5321 section 4.1.1.1)."""

    keywords: Mapping[str, str] = field(default_factory=dict)
    """Keyword in capitals -> its parameters as one text."""

    def __contains__(self, keyword: str) -> bool:
        return keyword in self.keywords

    @property
    def size_limit_octets(self) -> int | None:
        """The largest message that the server takes; None when it says nothing (RFC 1870 section 4)."""
        value = self.keywords.get("SIZE", "")
        return int(value) if value.isdecimal() and int(value[:20]) > 0 else None

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """SASL mechanisms in capitals (RFC 4954 section 3)."""
        return tuple(self.keywords.get("AUTH", "").upper().split())


def read_ehlo(lines: Sequence[str]) -> Capabilities:
    """Read the texts of an EHLO reply; the first line is the server's name. Unknown keywords are kept and ignored."""
    found: dict[str, str] = {}
    for line in lines[1:]:
        keyword, _, parameters = line.strip().partition(" ")
        if keyword.upper().startswith("AUTH="):  # a form from before RFC 2554 that some servers still send
            keyword, parameters = "AUTH", f"{keyword[5:]} {parameters}"
        if keyword:
            found[keyword.upper()] = f"{found.get(keyword.upper(), '')} {parameters}".strip()
    return Capabilities(found)
