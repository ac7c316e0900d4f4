"""Replies: three digits that steer the client, and text for people (RFC 5321 section 4.2, RFC 2034, RFC 3463)."""

from __future__ import annotations

import re
from dataclasses import dataclass

LINE_OCTETS = 4096
"""Lines up to here are read; RFC 5321 section 4.5.3.1.5 only promises 512."""
REPLY_LINES = 1000
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n]*))?")
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")


class ReplyError(ValueError):
    """What came is no reply of an SMTP server; the message says why."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole reply."""

    code: int
    lines: tuple[str, ...]
    """Texts without codes, one per line."""
    enhanced: str | None = None
    """Enhanced status code, such as "5.1.1", when every line begins with one of the right class."""

    @property
    def text(self) -> str:
        """All lines as one text."""
        return " ".join(line for line in self.lines if line)

    @property
    def severity(self) -> int:
        """The first digit: an unknown code is understood by it (RFC 5321 section 4.2.1)."""
        return self.code // 100

    @property
    def positive(self) -> bool:
        """2yz."""
        return self.severity == 2

    @property
    def temporary(self) -> bool:
        """4yz: try again later."""
        return self.severity == 4

    @property
    def permanent(self) -> bool:
        """5yz: do not repeat it like this."""
        return self.severity == 5

    def __str__(self) -> str:
        return " ".join(str(part) for part in (self.code, self.enhanced, self.text) if part)


def make_reply(raw: list[tuple[int, str]]) -> Reply:
    """Make a reply from (code, text) of its lines. Raises ReplyError when the codes differ (RFC 5321 section 4.2.1)."""
    code = raw[0][0]
    if any(other != code for other, _ in raw):
        raise ReplyError(f"a reply mixes the codes {', '.join(dict.fromkeys(str(other) for other, _ in raw))}")
    texts = [text for _, text in raw]
    # RFC 2034 section 4: the enhanced code stands on every line; its class equals the first digit.
    found = [match[1] if (match := _ENHANCED.match(text)) and match[1][0] == str(code)[0] else None for text in texts]
    if found[0] is not None and all(each == found[0] for each in found):
        return Reply(code, tuple(text[len(found[0]) :].lstrip(" ") for text in texts), found[0])
    return Reply(code, tuple(texts))


class ReplyParser:
    """Turns octets into replies, however they are cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._raw: list[tuple[int, str]] = []

    @property
    def pending(self) -> bool:
        """True when octets of an unfinished reply are waiting."""
        return bool(self._buffer or self._raw)

    def feed(self, octets: bytes) -> list[Reply]:
        """Take octets; return the replies that are complete now. Raises ReplyError for what is no reply."""
        self._buffer += octets
        replies = []
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end]).removesuffix(b"\r")
            del self._buffer[: end + 1]
            reply = self._line(line)
            if reply is not None:
                replies.append(reply)
        if len(self._buffer) > LINE_OCTETS:
            raise ReplyError(f"a reply line has more than {LINE_OCTETS} octets")
        return replies

    def _line(self, line: bytes) -> Reply | None:
        match = _LINE.fullmatch(line)
        if match is None or len(line) > LINE_OCTETS:
            raise ReplyError(f"this is no reply: {line[:60].decode('ascii', 'backslashreplace')!r}")
        self._raw.append((int(match[1]), (match[3] or b"").decode("utf-8", "replace")))
        if match[2] == b"-":
            if len(self._raw) >= REPLY_LINES:
                raise ReplyError(f"a reply has more than {REPLY_LINES} lines")
            return None
        raw, self._raw = self._raw, []
        return make_reply(raw)
