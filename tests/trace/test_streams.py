"""Octets are kept once, and every one of them knows when it was there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.traces import new_recorder, open_connection, say

from simulator.trace.streams import Stream

PIECES = st.lists(st.binary(max_size=12), max_size=12)


def filled(pieces: list[bytes], base: Stream | None = None) -> Stream:
    stream = Stream(base)
    for number, octets in enumerate(pieces):
        stream.append(octets, number / 10, number * 100)
    return stream


@given(PIECES)
def test_pieces_tile_the_octets_in_order(pieces: list[bytes]) -> None:
    stream = filled(pieces)
    assert [stream.slice(piece.start, piece.end) for piece in stream.pieces()] == pieces
    assert stream.octets == b"".join(pieces)
    assert len(stream) == len(stream.octets)
    assert stream.empty == (not pieces)


@given(PIECES, st.integers(0, 200), st.integers(0, 200), st.integers(0, 12))
def test_slices_are_those_of_the_octets_whoever_keeps_them(
    pieces: list[bytes], start: int, end: int, common: int
) -> None:
    base = filled(pieces)
    stream = filled([*pieces[:common], b"changed", *pieces[common:]], base)
    whole = b"".join([*pieces[:common], b"changed", *pieces[common:]])
    assert stream.octets == whole
    assert stream.slice(start, max(start, end)) == whole[start : max(start, end)]


@given(st.lists(st.binary(min_size=1, max_size=12), min_size=1, max_size=12), st.data())
def test_a_moment_is_that_of_its_piece_and_counts_lines(pieces: list[bytes], data: st.DataObject) -> None:
    stream = filled(pieces)
    offset = data.draw(st.integers(0, len(stream) - 1))
    piece = next(piece for piece in stream.pieces() if piece.start <= offset < piece.end)
    moment = stream.moment(offset)
    assert moment.at_s == piece.at_s
    assert moment.number == piece.number + stream.octets[piece.start : offset].count(b"\n")


@given(PIECES, st.lists(st.integers(1, 12), max_size=30))
def test_the_same_octets_in_other_pieces_are_not_kept_again(pieces: list[bytes], cuts: list[int]) -> None:
    base = filled(pieces)
    stream, rest = Stream(base), base.octets
    for cut in [*cuts, len(rest)]:
        assert stream.append(rest[:cut], 1.0, 1) == 0
        rest = rest[cut:]
    assert stream.own_octets == b""
    assert stream.octets == base.octets


@given(PIECES, PIECES, st.data())
def test_the_owner_of_an_octet_keeps_it(pieces: list[bytes], others: list[bytes], data: st.DataObject) -> None:
    base = filled(pieces)
    middle = filled([*pieces, b"x", *others], base)
    stream = filled([*pieces, b"x"], middle)
    offset = data.draw(st.integers(0, len(stream) - 1))
    owner, there, end = stream.owner(offset)
    assert owner.own_octets[there - owner.shared : end - owner.shared] == stream.slice(offset, offset + end - there)


def test_no_octet_no_moment() -> None:
    with pytest.raises(IndexError, match="no octet 3"):
        filled([b"abc"]).moment(3)


def test_in_clear_text_all_eight_streams_keep_their_octets_once() -> None:
    recorder = new_recorder()
    log = open_connection(recorder)
    say(recorder, log, b"220 hello\r\n", "s2c")
    say(recorder, log, b"EHLO me\r\n")
    own = {name: stream.own_octets for name, stream in log.streams.items() if stream.own_octets}
    assert own == {"wire.c2s.sent": b"EHLO me\r\n", "wire.s2c.sent": b"220 hello\r\n"}
    assert len(log.streams) == 8


def test_inside_tls_both_ends_share_one_copy_even_when_tls_came_first() -> None:
    from simulator.trace.events import TlsEstablished

    recorder = new_recorder()
    log = open_connection(recorder)
    for end in ("client", "server"):
        recorder.record(
            TlsEstablished,
            host="x.example",
            seen_by=end,
            connection=log.number,
            implicit=True,
            version="TLSv1.3",
            cipher="any",
            server_name=None,
        )
    recorder.wire(log, "wire.s2c.sent", b"\x17\x03\x03rubbish")
    recorder.spoken(log, "server.sent", b"220 hello\r\n")
    recorder.wire(log, "wire.s2c.arrived", b"\x17\x03\x03rubbish")
    recorder.spoken(log, "client.received", b"220 hello\r\n")
    assert log.stream("client.received").own_octets == b""
    assert log.stream("client.received").octets == b"220 hello\r\n"
    assert log.stream("client.received").tls_from == 0


def test_what_an_end_without_a_tap_says_is_shared_with_the_wire() -> None:
    recorder = new_recorder()
    log = open_connection(recorder)
    recorder.wire(log, "wire.c2s.sent", b"EHLO me\r\n")
    recorder.wire(log, "wire.c2s.arrived", b"EHLO me\r\n")
    recorder.spoken(log, "server.received", b"EHLO me\r\n")
    assert log.stream("server.received").own_octets == b""
    assert log.base_name("server.received") == "wire.c2s.arrived"


def test_an_unknown_stream_is_named() -> None:
    with pytest.raises(KeyError, match="there are wire"):
        open_connection(new_recorder()).stream("client.thought")
