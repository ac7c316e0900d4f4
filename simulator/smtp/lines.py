"""Octets in, command lines and messages out: where a line ends is decided here and nowhere else. No IO.

Only CRLF ends a line (RFC 5321 section 2.3.8). A server that also takes a bare LF or CR for an end can be made to see
two messages where the sending server saw one ("SMTP smuggling").
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

CRLF = b"\r\n"


class BadLine(Enum):
    """A line that cannot be a command."""

    TOO_LONG = "The line is too long"
    BARE_CR_OR_LF = "A line ends in CR LF; a CR or LF alone is not allowed"


class BadData(Enum):
    """A message that cannot be accepted."""

    TOO_BIG = "the message is too big"
    LINE_TOO_LONG = "the message has a line that is too long"
    BARE_CR_OR_LF = "the message has a CR or LF that is not part of CR LF"
    NUL = "the message contains the octet NUL"


@dataclass(frozen=True, slots=True)
class Data:
    """What stood between 354 and the lone dot."""

    content: bytes
    """The message, transparency undone; b"" when there is a problem."""
    size_octets: int
    problem: BadData | None = None


class LineBuffer:
    """What a client has sent and the server has not yet dealt with."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self._searched = 0
        self._skipping = False
        self._collecting = False
        self._dropped_octets = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def feed(self, octets: bytes) -> None:
        """Add what has arrived, however it was cut."""
        self._waiting += octets

    def clear(self) -> None:
        """Forget everything that waits, such as at the start of TLS."""
        self._waiting.clear()
        self._searched = 0
        self._skipping = False

    # --- commands ----------------------------------------------------------------------------------------------------

    def line(self, limit_octets: int) -> bytes | BadLine | None:
        """Return the next line without its CRLF; None when it is not complete.

        A bad line is reported once, as soon as it is known to be bad, and then skipped up to its CRLF. The limit
        includes the CRLF, as all limits of RFC 5321 section 4.5.3.1 do.
        """
        if self._skipping and not self._skip():
            return None
        end = self._waiting.find(b"\n", self._searched, limit_octets)
        if end >= 0:
            line = bytes(self._waiting[:end + 1])
            self._drop(end + 1)
            if not line.endswith(CRLF):
                self._skipping = True
                return BadLine.BARE_CR_OR_LF
            return BadLine.BARE_CR_OR_LF if b"\r" in line[:-2] else line[:-2]
        if len(self._waiting) >= limit_octets:
            self._skipping = True
            self._skip()
            return BadLine.TOO_LONG
        self._searched = len(self._waiting)
        return None

    def _skip(self) -> bool:
        """Skip to the end of a bad line; tell whether it has been reached."""
        end = self._waiting.find(CRLF)
        if end >= 0:
            self._drop(end + len(CRLF))
            self._skipping = False
            return True
        self._drop(len(self._waiting) - self._waiting.endswith(b"\r"))
        return False

    def _drop(self, count: int) -> None:
        del self._waiting[:count]
        self._searched = 0

    # --- messages ----------------------------------------------------------------------------------------------------

    def data(self, size_limit_octets: int, line_limit_octets: int) -> Data | None:
        """Return the message once its lone dot has come; None before.

        What is too big is thrown away while it comes in, so memory stays bounded; the end is still waited for, because
        the reply is due after it (RFC 5321 section 4.2.5).
        """
        if not self._collecting:
            self._collecting, self._dropped_octets = True, 0
            self._waiting[:0] = CRLF  # 354 ended a line: a dot that comes first stands at the start of one
            self._searched = 0
        # RFC 5321 section 4.1.1.4: exactly CRLF "." CRLF ends the message
        end = self._waiting.find(b"\r\n.\r\n", self._searched)
        if end < 0:
            if len(self._waiting) > 2 * size_limit_octets + 8:  # dot stuffing at most doubles a message
                self._dropped_octets += len(self._waiting) - 4
                del self._waiting[:-4]
            self._searched = max(len(self._waiting) - 4, 0)
            return None
        self._collecting = False
        stuffed = bytes(self._waiting[:end + 2])
        self._drop(end + 5)
        if self._dropped_octets:
            return Data(b"", self._dropped_octets + len(stuffed), BadData.TOO_BIG)
        content = stuffed.replace(b"\r\n.", CRLF)[2:]  # RFC 5321 section 4.5.2: a leading dot is taken away
        return _judge(content, size_limit_octets, line_limit_octets)


def _judge(content: bytes, size_limit_octets: int, line_limit_octets: int) -> Data:
    problem = None
    lines = content.split(CRLF)
    if len(content) > size_limit_octets:
        problem = BadData.TOO_BIG
    elif content.count(b"\n") != len(lines) - 1 or content.count(b"\r") != len(lines) - 1:
        problem = BadData.BARE_CR_OR_LF
    elif max(map(len, lines)) + len(CRLF) > line_limit_octets:
        problem = BadData.LINE_TOO_LONG
    elif b"\0" in content:
        problem = BadData.NUL  # RFC 2045 sections 2.7 and 2.8: neither 7bit nor 8bit data has it
    return Data(b"" if problem else content, len(content), problem)
