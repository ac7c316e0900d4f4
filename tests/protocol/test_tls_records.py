"""What an outsider reads of TLS: judged by the hello of a real TLS client, whole, cut and damaged."""

from __future__ import annotations

import ssl
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol.tls_records import HEADER_OCTETS, RECORD_OCTETS, server_name, tls_records

HOST = "mail.bob.example"


def client_hello(host: str | None = HOST) -> bytes:
    """Return the first octets of a TLS client that is not ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    outgoing = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=host)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def record(content_type: int, content: bytes) -> bytes:
    """Write one record."""
    return bytes([content_type, 3, 3]) + len(content).to_bytes(2) + content


def hello_in_records(size_octets: int) -> bytes:
    """Return the same hello in records of at most that many octets."""
    content = client_hello()[HEADER_OCTETS:]
    pieces = [content[at : at + size_octets] for at in range(0, len(content), size_octets)]
    return b"".join(record(22, piece) for piece in pieces)


HELLO = client_hello()


def test_the_hello_of_a_client_shows_the_name_that_it_wants() -> None:
    (found,) = tls_records(HELLO)
    assert (found.name, found.start, found.end, found.complete) == ("handshake", 0, len(HELLO), True)
    assert server_name(HELLO) == HOST
    assert server_name(client_hello(None)) is None


def test_records_begin_where_starttls_ended() -> None:
    clear = b"EHLO laptop.alice.example\r\nSTARTTLS\r\n"
    assert tls_records(clear + HELLO) == []
    assert [found.start for found in tls_records(clear + HELLO, len(clear))] == [len(clear)]
    assert server_name(clear + HELLO) is None
    assert server_name(clear + HELLO, len(clear)) == HOST


@pytest.mark.parametrize("size_octets", [1, 3, 50, 200])
def test_a_hello_may_be_spread_over_many_records(size_octets: int) -> None:
    assert server_name(hello_in_records(size_octets)) == HOST


def test_kinds_and_sizes() -> None:
    octets = (
        record(20, b"\1") + record(21, b"\1\0") + record(22, b"x" * 300) + record(23, b"") + b"\x17\x03\x03\x00\x09abc"
    )
    assert [(found.name, found.size_octets, found.version, found.complete) for found in tls_records(octets)] == [
        ("change_cipher_spec", 6, 0x0303, True),
        ("alert", 7, 0x0303, True),
        ("handshake", 305, 0x0303, True),
        ("application_data", 5, 0x0303, True),
        ("application_data", 8, 0x0303, False),
    ]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"220 mail.bob.example\r\n",
        b"\x18\x03\x03\x00\x00",  # no content type that mail meets
        b"\x16\x02\x00\x00\x00",  # no version of TLS
        b"\x16\x03\x03" + (RECORD_OCTETS + 1).to_bytes(2) + b"x",
        b"\0" * 20,
    ],
)
def test_what_is_no_record(octets: bytes) -> None:
    assert tls_records(octets) == []
    assert tls_records(record(23, b"x") + octets)[1:] == []
    assert server_name(octets) is None


@pytest.mark.parametrize("length", range(0, len(HELLO), 7))
def test_a_hello_that_is_cut_off_still_tells_what_is_there(length: int) -> None:
    cut = HELLO[:length]
    assert [found.complete for found in tls_records(cut)] == [False] * bool(cut)
    assert server_name(cut) is None or HOST.startswith(str(server_name(cut)))


@given(st.binary(max_size=300))
def test_records_cover_the_octets_without_gaps(content: bytes) -> None:
    for octets in (content, record(22, content), record(22, b"\x01\x00\x01\x00" + content)):
        at = 0
        for found in tls_records(octets):
            assert found.start == at
            assert at < found.end <= len(octets)
            at = found.end
        assert server_name(octets) is None or server_name(octets) != ""


@given(st.integers(0, len(HELLO) - 1), st.integers(0, 255))
def test_a_damaged_hello_never_raises(place: int, octet: int) -> None:
    damaged = HELLO[:place] + bytes([octet]) + HELLO[place + 1 :]
    name = server_name(damaged)
    assert name is None or name.isascii()


def test_a_million_octets_of_records_in_a_moment() -> None:
    empty_hello = record(22, b"\x01\xff\xff\xff") + record(22, b"\0") * 200_000
    extensions = b"\1\2\0\0" * 16_000
    many = b"\3\3" + b"\0" * 32 + b"\0\0\0\0" + len(extensions).to_bytes(2) + extensions
    message = b"\x01" + len(many).to_bytes(3) + many
    started = time.perf_counter()
    assert len(tls_records(empty_hello)) == 200_001
    assert server_name(empty_hello) is None
    assert server_name(b"".join(record(22, message[at : at + 16384]) for at in range(0, len(message), 16384))) is None
    assert time.perf_counter() - started < 5
