"""Commands: their octets, made so that no caller can smuggle in a line of its own, and what an EHLO reply promises."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from simulator.errors import UsageError

_SAFE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")
_PATH = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^"<>\s])*')
"""What may stand between angle brackets, loosely: blanks and brackets only within quotes, and every quote ends."""
# RFC 5321 section 4.1.1.1: ehlo-keyword
_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 section 4
_SHOWN = 100


def command(verb: str, *arguments: str, smtputf8: bool = False) -> bytes:
    """Return a command line with CRLF. Raises UsageError for control characters, and for non-ASCII without SMTPUTF8.

    CR or LF in an argument would begin a command that the caller never meant (RFC 5321 section 2.3.8).
    """
    line = " ".join((verb, *arguments))
    if not _SAFE.fullmatch(line):
        raise UsageError(f"A command cannot contain a line end or another control character: {line[:_SHOWN]!r}.")
    if not (smtputf8 or line.isascii()):  # RFC 6531 section 3.2
        raise UsageError(f"A command with characters outside ASCII needs SMTPUTF8: {line[:_SHOWN]!r}.")
    return line.encode("utf-8") + b"\r\n"


def mail_from(reverse_path: str, parameters: Sequence[str] = (), smtputf8: bool = False) -> bytes:
    """Return MAIL FROM (RFC 5321 section 4.1.1.2); "" is the null reverse-path. Raises UsageError like `command`."""
    return command("MAIL", f"FROM:<{_path(reverse_path)}>", *parameters, smtputf8=smtputf8)


def rcpt_to(forward_path: str, smtputf8: bool = False) -> bytes:
    """Return RCPT TO (RFC 5321 section 4.1.1.3). Raises UsageError like `command`, and for an empty address."""
    if not forward_path:
        raise UsageError("A recipient needs an address; only a sender can be the null path.")
    return command("RCPT", f"TO:<{_path(forward_path)}>", smtputf8=smtputf8)


def _path(address: str) -> str:
    if not _PATH.fullmatch(address):
        raise UsageError(
            f"{address[:_SHOWN]!r} cannot stand in an envelope: it contains a blank, an angle bracket or an open quote."
        )
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
        """The largest message that the server takes; None when it does not say (RFC 1870 section 4: 0 says so too)."""
        value = self.keywords.get("SIZE", "")
        return (int(value) or None) if _SIZE.fullmatch(value) else None

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """SASL mechanisms in capitals, each once (RFC 4954 section 3)."""
        return tuple(dict.fromkeys(self.keywords.get("AUTH", "").upper().split()))


def read_ehlo(lines: Sequence[str]) -> Capabilities:
    """Read the texts of an EHLO reply; the first line is the server's name.

    Unknown keywords are kept, and do no harm; a line that begins with no keyword is left out.
    """
    found: dict[str, str] = {}
    for line in lines[1:]:
        keyword, _, parameters = line.strip(" ").partition(" ")
        if keyword.upper().startswith("AUTH="):  # a form from before RFC 2554 that some servers still send
            keyword, parameters = "AUTH", f"{keyword[5:]} {parameters}"
        if _KEYWORD.fullmatch(keyword):
            found[keyword.upper()] = f"{found.get(keyword.upper(), '')} {parameters}".strip(" ")
    return Capabilities(found)
