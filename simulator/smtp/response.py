"""What a server says: a reply code, an enhanced status code and a text, put into octets in one place. No IO."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from simulator.errors import InternalError

LINE_LIMIT_OCTETS = 512  # RFC 5321 section 4.5.3.1.5


@dataclass(frozen=True, slots=True)
class Response:
    """One reply (RFC 5321 section 4.2), such as `Response(550, "5.1.1", "No such user here")`.

    A text with several lines makes a multi-line reply. `enhanced` is "" only where RFC 2034 section 4 wants none: in
    the greeting, in answers to EHLO and HELO, and in 3yz replies. Raises InternalError for codes that do not fit.
    """

    code: int
    enhanced: str
    text: str

    def __post_init__(self) -> None:
        if not 200 <= self.code <= 599:
            raise InternalError(f"{self.code} is no SMTP reply code.")
        # RFC 2034 section 4: the class of the enhanced code equals the first digit of the reply code
        if self.enhanced and self.enhanced.split(".")[0] != str(self.code)[0]:
            raise InternalError(f"The enhanced status code {self.enhanced} does not fit the reply code {self.code}.")

    @property
    def positive(self) -> bool:
        """True for 2yz and 3yz."""
        return self.code < 400

    @property
    def closes(self) -> bool:
        """True when the server closes the connection after it (RFC 5321 section 3.8 and section 4.1.1.10)."""
        return self.code in (221, 421)

    @property
    def octets(self) -> bytes:
        """The reply as it goes over the wire: every line with both codes, no line over 512 octets."""
        prefix = f"{self.enhanced} " if self.enhanced else ""
        room = LINE_LIMIT_OCTETS - len("250-") - len(prefix) - len("\r\n")
        lines = [part for line in self.text.split("\n") for part in _wrapped(_printable(line), room)]
        if self.code == 334:  # RFC 4954 section 4: a challenge is one line, however long
            lines = [self.text]
        rendered = [f"{self.code}-{prefix}{line}" for line in lines[:-1]] + [f"{self.code} {prefix}{lines[-1]}"]
        return "".join(line + "\r\n" for line in rendered).encode("ascii")


def _wrapped(line: str, room: int) -> list[str]:
    return [line] if len(line) <= room else textwrap.wrap(line, room)


def _printable(text: str) -> str:
    """Nothing that a client has said may end a line of the reply or leave ASCII."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)
