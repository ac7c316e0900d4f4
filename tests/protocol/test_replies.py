"""Reading replies: strictly, and the same however the octets were cut (rows P05, P11, P20, P22)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol.replies import LINE_OCTETS, REPLY_LINES, Reply, ReplyError, ReplyParser


def read(octets: bytes, cuts: tuple[int, ...] = ()) -> tuple[list[Reply], str]:
    """Read octets that come in pieces; return the replies and the error, or ""."""
    parser, found = ReplyParser(), list[Reply]()
    edges = [0, *sorted(cuts), len(octets)]
    try:
        for start, end in zip(edges, edges[1:], strict=False):
            found.extend(parser.feed(octets[start:end]))
    except ReplyError as error:
        return found, str(error)
    return found, ""


@pytest.mark.parametrize(
    ("octets", "reply"),
    [
        (b"250 OK\r\n", Reply(250, ("OK",))),
        (b"250\r\n", Reply(250, ("",))),  # RFC 5321 section 4.2: a code without text is tolerated
        (b"250 \r\n", Reply(250, ("",))),
        (b"250-\r\n250\r\n", Reply(250, ("", ""))),
        (b"250-one\r\n250-two\r\n250 three\r\n", Reply(250, ("one", "two", "three"))),
        (b"354 go - on\r\n", Reply(354, ("go - on",))),
        (b"550 na\xc3\xafve \xff\r\n", Reply(550, ("naïve \ufffd",))),
        (b"599 2.0.0 no\r\n", Reply(599, ("2.0.0 no",))),
    ],
)
def test_P05_good_replies(octets: bytes, reply: Reply) -> None:
    assert read(octets) == ([reply], "")


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (b"250-one\r\n550 two\r\n", "mixes the codes 250, 550"),
        (b"250-one\r\n250-two\r\n354-three\r\n250 four\r\n", "mixes the codes 250, 354"),
        (b"HTTP/1.1 400 Bad Request\r\n", "this is no reply: 'HTTP/1.1 400 Bad Request'"),
        (b"SSH-2.0-x\r\n", "this is no reply"),
        (b"\r\n", "this is no reply"),
        (b"2500 OK\r\n", "this is no reply"),
        (b"25 OK\r\n", "this is no reply"),
        (b"199 OK\r\n", "this is no reply"),
        (b"600 OK\r\n", "this is no reply"),
        (b"250=OK\r\n", "this is no reply"),
        (b" 250 OK\r\n", "this is no reply"),
        (b"\x15\x03\x03\x00\x02\x02\x0a\r\n", "this is no reply"),
        (b"250 a\rb\r\n", "this is no reply"),
        (b"250 a\r\r\n", "this is no reply"),
        (b"250 " + b"x" * LINE_OCTETS + b"\r\n", "more than 4096 octets"),
        (b"250 " + b"x" * LINE_OCTETS, "more than 4096 octets"),
        (b"250-x\r\n" * REPLY_LINES, "more than 1000 lines"),
        (b"\xd9\xb2\xd9\xb5\xd9\xa0 OK\r\n", "this is no reply"),  # digits of another script
    ],
)
def test_P05_what_is_no_reply(octets: bytes, why: str) -> None:
    found, error = read(octets)
    assert found == []
    assert why in error
    assert len(error) < 300


@pytest.mark.parametrize("octets", [b"250 OK\n", b"250-a\n250 b\r\n", b"250 OK\n\r"])
def test_P11_a_bare_lf_ends_no_reply(octets: bytes) -> None:
    found, error = read(octets)
    assert found == []
    assert "LF alone" in error


def test_what_came_before_the_error_counts() -> None:
    assert read(b"250 one\r\n250 two\r\nnonsense\r\n250 three\r\n") == (
        [Reply(250, ("one",)), Reply(250, ("two",))],
        "this is no reply: 'nonsense'",
    )


def test_the_longest_line_is_read_with_its_end_cut_off() -> None:
    line = b"250 " + b"x" * (LINE_OCTETS - 4)
    for cuts in ((), (LINE_OCTETS,), (LINE_OCTETS + 1,)):
        found, error = read(line + b"\r\n", cuts)
        assert (len(found), error) == (1, "")
    assert read(line + b"y\r\n", (LINE_OCTETS + 1,))[1]


@pytest.mark.parametrize(
    ("octets", "enhanced", "text"),
    [
        (b"250 2.1.0 OK\r\n", "2.1.0", "OK"),
        (b"250 2.1.0\r\n", "2.1.0", ""),
        (b"550-5.1.1 no\r\n550 5.1.1 such user\r\n", "5.1.1", "no such user"),
        (b"550-5.1.1 no\r\n550-5.1.1\r\n550 5.1.1 such user\r\n", "5.1.1", "no such user"),
        (b"550-5.1.1 no\r\n550 such user\r\n", None, "5.1.1 no such user"),  # not on every line
        (b"550-5.1.1 no\r\n550 5.1.10 such user\r\n", None, "5.1.1 no 5.1.10 such user"),
        (b"250 5.1.1 OK\r\n", None, "5.1.1 OK"),  # RFC 2034 section 4: the classes differ
        (b"354 3.0.0 go\r\n", None, "3.0.0 go"),  # RFC 3463 section 2: there is no class 3
        (b"550 5.1.1000 no\r\n", None, "5.1.1000 no"),
        (b"550 5.1.1.1 no\r\n", None, "5.1.1.1 no"),
        (b"550 5.7 no\r\n", None, "5.7 no"),
        (b"452 4.2.2 full\r\n", "4.2.2", "full"),
    ],
)
def test_P22_the_enhanced_code_of_a_reply(octets: bytes, enhanced: str | None, text: str) -> None:
    (reply,), error = read(octets)
    assert (reply.enhanced, reply.text, error) == (enhanced, text, "")


@pytest.mark.parametrize(
    ("code", "kind"), [(299, "positive"), (399, "intermediate"), (459, "temporary"), (599, "permanent")]
)
def test_P20_an_unknown_code_is_understood_by_its_first_digit(code: int, kind: str) -> None:
    reply = Reply(code, ("x",))
    kinds = ("positive", "intermediate", "temporary", "permanent")
    assert [each for each in kinds if getattr(reply, each)] == [kind]
    assert str(Reply(code, ("a", "", "b"), "5.1.1")) == f"{code} 5.1.1 a b"


def test_pending_tells_of_half_a_reply() -> None:
    parser = ReplyParser()
    assert not parser.pending
    assert list(parser.feed(b"250-a\r\n")) == []
    assert parser.pending
    assert len(list(parser.feed(b"250 b\r\n"))) == 1
    assert not parser.pending
    assert list(parser.feed(b"2")) == []
    assert parser.pending


TEXT = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=30)
REPLIES = st.lists(st.tuples(st.integers(200, 599), st.lists(TEXT, min_size=1, max_size=4)), max_size=6)


def octets_of(replies: list[tuple[int, list[str]]]) -> bytes:
    """Write replies."""
    lines = [f"{code}{' ' if text is texts[-1] else '-'}" + text for code, texts in replies for text in texts]
    return "".join(line + "\r\n" for line in lines).encode()


@given(REPLIES, st.data())
def test_replies_are_the_same_however_they_are_cut(replies: list[tuple[int, list[str]]], data: st.DataObject) -> None:
    unique = [(code, [f"{number}{text}" for number, text in enumerate(texts)]) for code, texts in replies]
    octets = octets_of(unique)
    whole = read(octets)
    assert [(reply.code, reply.lines) for reply in whole[0]] == [(code, tuple(texts)) for code, texts in unique]
    cuts = data.draw(st.lists(st.integers(0, len(octets)), max_size=20))
    assert read(octets, tuple(cuts)) == whole
    assert read(octets, tuple(range(len(octets)))) == whole


@given(st.lists(st.sampled_from([b"250", b"-", b" ", b"\r\n", b"\n", b"\r", b"550 x", b"\0", b"x" * 5000])), st.data())
def test_nonsense_is_the_same_nonsense_however_it_is_cut(pieces: list[bytes], data: st.DataObject) -> None:
    octets = b"".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(octets)), max_size=20))
    assert read(octets, tuple(cuts))[0] == read(octets)[0]


def test_a_hundred_thousand_replies_in_a_moment() -> None:
    octets = b"250 OK\r\n" * 100_000
    started = time.perf_counter()
    found, error = read(octets)
    assert (len(found), error) == (100_000, "")
    assert time.perf_counter() - started < 8
