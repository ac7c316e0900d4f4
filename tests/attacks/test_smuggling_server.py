"""Ten ways to end a message wrongly; none of them ends it here, and none is passed on (row P11, CVE-2023-51764)."""

from __future__ import annotations

import pytest
from support.talk import Inbox, greeted, run, serving

MALFORMED = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n",
             b"\r\n\0.\r\n", b"\r\n. \r\n"]
SECOND = b"MAIL FROM:<admin@alice.example>\r\nRCPT TO:<bob@bob.example>\r\nDATA\r\nforged\r\n"


@pytest.mark.parametrize("terminator", MALFORMED)
def test_P11_a_malformed_end_never_makes_two_messages_of_one(terminator: bytes) -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box) as place:
            clean = terminator == b"\r\n. \r\n"  # a line of text like any other
            await (greeted(place).hears("MAIL FROM:<eve@alice.example>", "RCPT TO:<bob@bob.example>", "DATA")
                   .says("250").says("250").says("354").hears_octets(b"first" + terminator + SECOND + b".\r\n")
                   .says("250 2.0.0" if clean else "554 5.6.0").hears("NOOP").says("250 2.0.0 OK"))
    run(main())
    assert len(box.envelopes) <= 1
    assert all(b"forged" in content for content in box.contents)


@pytest.mark.parametrize("octets", [b"bare\nLF\r\n", b"bare\rCR\r\n", b"\n", b"\r", b"CR CR LF\r\r\n", b"NUL\0\r\n"])
def test_P11_a_message_with_ambiguous_line_ends_is_refused_as_a_whole(octets: bytes) -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box) as place:
            await (greeted(place).hears("MAIL FROM:<eve@alice.example>", "RCPT TO:<bob@bob.example>", "DATA")
                   .says("250").says("250").says("354")
                   .hears_octets(b"first\r\n" + octets + b"\r\n.\r\n").says("554 5.6.0"))
    run(main())
    assert box.contents == []
