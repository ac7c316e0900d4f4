"""Replies: three digits that steer the client, and text for people (RFC 5321 section 4.2, RFC 2034, RFC 3463)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
    def intermediate(self) -> bool:
        """3yz: the server waits for more."""
        return self.severity == 3

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


def make_reply(raw: Sequence[tuple[int, str]]) -> Reply:
    """Make a reply from (code, text) of its lines. Raises ReplyError when the codes differ (RFC 5321 section 4.2.1)."""
    code = raw[0][0]
    if any(other != code for other, _ in raw):
        raise ReplyError(f"a reply mixes the codes {', '.join(dict.fromkeys(str(other) for other, _ in raw))}")
    texts = tuple(text for _, text in raw)
    # RFC 2034 section 4: the enhanced code stands on every line; its class equals the first digit.
    match = _ENHANCED.match(texts[0])
    enhanced = match[1] if match and match[1][0] == str(code)[0] else None
    if enhanced is not None and all(text == enhanced or text.startswith(f"{enhanced} ") for text in texts):
        return Reply(code, tuple(text[len(enhanced) :].lstrip(" ") for text in texts), enhanced)
    return Reply(code, texts)


class ReplyParser:
    """Turns octets into replies, however they are cut.

    Only CRLF ends a line: a bare CR or LF is an error (RFC 5321 section 2.3.8).
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._raw: list[tuple[int, str]] = []

    @property
    def pending(self) -> bool:
        """True when there are octets that have not become a reply yet."""
        return bool(self._buffer or self._raw)

    def feed(self, octets: bytes) -> Iterator[Reply]:
        """Take octets; yield the replies that are complete now.

        The iterator raises ReplyError where it comes upon something that is no reply; the replies before it count.
        """
        self._buffer += octets
        return self._replies()

    def _replies(self) -> Iterator[Reply]:
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[: end + 1])
            del self._buffer[: end + 1]
            reply = self._line(line)
            if reply is not None:
                yield reply
        if len(self._buffer.removesuffix(b"\r")) > LINE_OCTETS:
            raise ReplyError(f"a reply line has more than {LINE_OCTETS} octets")

    def _line(self, line: bytes) -> Reply | None:
        if len(line) - 2 > LINE_OCTETS:
            raise ReplyError(f"a reply line has more than {LINE_OCTETS} octets")
        match = _LINE.fullmatch(line.removesuffix(b"\n").removesuffix(b"\r"))
        if match is None:
            raise ReplyError(f"this is no reply: {_shown(line)}")
        if not line.endswith(b"\r\n"):
            raise ReplyError(f"a line ends with LF alone instead of CR LF: {_shown(line)}")
        self._raw.append((int(match[1]), (match[3] or b"").decode("utf-8", "replace")))
        if match[2] == b"-":
            if len(self._raw) >= REPLY_LINES:
                raise ReplyError(f"a reply has more than {REPLY_LINES} lines")
            return None
        raw, self._raw = self._raw, []
        return make_reply(raw)


def _shown(line: bytes) -> str:
    return repr(line.rstrip(b"\r\n")[:60].decode("ascii", "backslashreplace"))
