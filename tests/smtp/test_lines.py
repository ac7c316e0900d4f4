"""Where lines and messages end, however the octets are cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.smtp.lines import BadData, BadLine, Data, LineBuffer

PIECES = [b"\r", b"\n", b"\r\n", b".", b"a", b"NOOP", b"\0", b"x" * 30]
TRICKY = st.lists(st.sampled_from(PIECES), max_size=30).map(b"".join)


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    """Cut octets at some places."""
    ends = sorted({place % (len(octets) + 1) for place in places} | {len(octets)})
    return [octets[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def lines_of(pieces: list[bytes], limit: int = 40) -> list[bytes | BadLine]:
    """Read every line."""
    buffer, found = LineBuffer(), []
    for piece in pieces:
        buffer.feed(piece)
        while (line := buffer.line(limit)) is not None:
            found.append(line)
    return found


@given(TRICKY, st.lists(st.integers(min_value=0), max_size=8))
def test_P11_lines_are_the_same_however_they_are_cut(octets: bytes, places: list[int]) -> None:
    whole = lines_of([octets])
    assert lines_of(cut(octets, places)) == whole
    assert lines_of([bytes([octet]) for octet in octets]) == whole
    good = [line for line in octets.split(b"\r\n")[:-1] if len(line) <= 38 and not re.search(rb"[\r\n]", line)]
    assert [line for line in whole if isinstance(line, bytes)] == good


@given(TRICKY, st.lists(st.integers(min_value=0), max_size=8))
def test_P11_messages_are_the_same_however_they_are_cut(octets: bytes, places: list[int]) -> None:
    def read(pieces: list[bytes]) -> tuple[Data | None, int]:
        buffer, data = LineBuffer(), None
        for piece in pieces:
            buffer.feed(piece)
            data = data or buffer.data(1000, 40)
        return data, len(buffer)

    whole = read([octets + b"\r\n.\r\nNOOP\r\n"])
    assert whole[0] is not None
    assert read(cut(octets + b"\r\n.\r\nNOOP\r\n", places)) == whole


@given(st.lists(st.binary(max_size=60).map(lambda line: re.sub(rb"[\r\n\0]", b".", line)), min_size=1))
def test_P12_any_text_survives_dot_stuffing(lines: list[bytes]) -> None:
    text = b"\r\n".join(lines) + b"\r\n"
    stuffed = re.sub(rb"(?m)^\.", b"..", text) + b".\r\nQUIT\r\n"
    buffer = LineBuffer()
    buffer.feed(stuffed)
    assert buffer.data(100_000, 1000) == Data(text, len(text))
    assert buffer.line(512) == b"QUIT"


def test_an_empty_message_is_a_message() -> None:
    buffer = LineBuffer()
    buffer.feed(b".\r\n")
    assert buffer.data(1000, 1000) == Data(b"", 0)


def test_a_bad_line_is_reported_once_and_at_once() -> None:
    buffer = LineBuffer()
    buffer.feed(b"EHLO a\n")
    assert buffer.line(512) is BadLine.BARE_CR_OR_LF
    buffer.feed(b"MAIL FROM:<a@a.example>\n" * 100)
    assert buffer.line(512) is None
    buffer.feed(b"\r\nNOOP\r\n")
    assert buffer.line(512) == b"NOOP"


@pytest.mark.parametrize("size", [999, 1000, 1001])
def test_P13_the_limit_of_a_text_line_includes_its_end(size: int) -> None:
    buffer = LineBuffer()
    buffer.feed(b"x" * (size - 2) + b"\r\n.\r\n")
    data = buffer.data(10_000, 1000)
    assert data is not None
    assert data.problem is (BadData.LINE_TOO_LONG if size > 1000 else None)


def test_a_leading_dot_that_was_doubled_does_not_count_for_the_line_limit() -> None:
    buffer = LineBuffer()
    buffer.feed(b".." + b"x" * 997 + b"\r\n.\r\n")
    assert buffer.data(10_000, 1000) == Data(b"." + b"x" * 997 + b"\r\n", 1000)


def test_what_is_too_big_takes_no_memory_but_is_read_to_its_end() -> None:
    buffer = LineBuffer()
    for _ in range(1000):
        buffer.feed(b"x" * 998 + b"\r\n")
        assert buffer.data(10_000, 1000) is None
        assert len(buffer) < 25_000
    buffer.feed(b".\r\nNOOP\r\n")
    data = buffer.data(10_000, 1000)
    assert data is not None
    assert data.problem is BadData.TOO_BIG
    assert data.size_octets >= 1_000_000
    assert buffer.line(512) == b"NOOP"


def test_a_line_without_end_takes_no_memory() -> None:
    buffer = LineBuffer()
    found = []
    for _ in range(1000):
        buffer.feed(b"x" * 1000)
        found.append(buffer.line(512))
        assert len(buffer) <= 1000
    assert found == [BadLine.TOO_LONG] + [None] * 999
