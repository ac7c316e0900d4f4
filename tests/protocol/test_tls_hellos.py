"""What a listener reads of a handshake: judged by real handshakes of both versions, whole, cut and damaged (row T12)."""

from __future__ import annotations

import ssl
import time
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol.tls_hellos import ALERTS, client_hello, server_hello, what_is_seen
from simulator.protocol.tls_records import RECORD_OCTETS, tls_records
from simulator.tls.authority import Authority
from simulator.tls.contexts import server_context
from simulator.tls.hello import read_certificate

HOST = "mail.bob.example"
AUTHORITY = Authority()
SERVERS = {version: server_context(AUTHORITY, (HOST,), versions=(version,)) for version in ("1.2", "1.3")}


def client_context(trusting: bool = True) -> ssl.SSLContext:
    """Return a client's context that is not ours."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE if trusting else ssl.CERT_REQUIRED
    return context


def converse(
    server: ssl.SSLContext, client: ssl.SSLContext, session: ssl.SSLSession | None = None
) -> tuple[bytes, bytes, ssl.SSLObject]:
    """Have a handshake and a few words through octets only; return both directions, and the client's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        (client.wrap_bio(to_client, to_server, server_hostname=HOST, session=session), to_server),
        (server.wrap_bio(to_server, to_client, server_side=True), to_client),
    ]
    said = {id(to_server): b"", id(to_client): b""}
    for _ in range(6):
        for end, outgoing in ends:
            try:
                end.do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLCertVerificationError):
                pass
            except ssl.SSLError:
                return said[id(to_server)], said[id(to_client)], ends[0][0]
            octets = outgoing.read()
            said[id(outgoing)] += octets
            outgoing.write(octets)
    client_end, server_end = ends[0][0], ends[1][0]
    if server_end.version() and client_end.version():
        server_end.write(b"220 mail.bob.example\r\n")
        octets = to_client.read()
        said[id(to_client)] += octets
        to_client.write(octets)
        client_end.read(100)
        client_end.write(b"EHLO x\r\n")
        said[id(to_server)] += to_server.read()
    return said[id(to_server)], said[id(to_client)], client_end


@cache
def handshake(version: str) -> tuple[bytes, bytes]:
    """Return both directions of a full handshake."""
    return converse(SERVERS[version], client_context())[:2]


def kinds(octets: bytes) -> list[str]:
    """Return what is seen, in short."""
    return [what for _, what in what_is_seen(octets)]


def test_tls_1_2_shows_names_of_messages_and_the_certificate() -> None:
    client, server = handshake("1.2")
    assert kinds(client)[:4] == ["ClientHello", "ClientKeyExchange", "ChangeCipherSpec", "Finished, encrypted"]
    assert kinds(client)[4:] == ["encrypted"]
    seen = ", ".join(kinds(server))
    assert seen.startswith("ServerHello, Certificate, ServerKeyExchange, ServerHelloDone")
    assert seen.endswith("ChangeCipherSpec, Finished, encrypted, encrypted")
    chosen = server_hello(server)
    assert chosen is not None
    assert (chosen.version, chosen.resumed) == ("TLSv1.2", False)
    assert read_certificate(chosen.certificate).names == (HOST,)


def test_tls_1_3_shows_the_hellos_only() -> None:
    client, server = handshake("1.3")
    assert kinds(client)[0] == "ClientHello"
    assert kinds(server)[0] == "ServerHello"
    for octets in (client, server):
        assert set(kinds(octets)[1:]) == {"ChangeCipherSpec", "encrypted"}
    chosen = server_hello(server)
    assert chosen is not None
    assert (chosen.version, chosen.resumed, chosen.certificate) == ("TLSv1.3", False, b"")


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_what_was_chosen_is_what_the_ends_say(version: str) -> None:
    client, server, end = converse(SERVERS[version], client_context())
    chosen, offered = server_hello(server), client_hello(client)
    assert chosen is not None
    assert offered is not None
    assert (chosen.cipher, chosen.version) == ((end.cipher() or ("",))[0], end.version())
    assert chosen.cipher in offered.ciphers
    assert offered.versions == ("TLSv1.3", "TLSv1.2")
    assert offered.server_name == HOST
    assert (offered.alpn, offered.resumes) == ((), False)


def test_T13_alpn_is_readable_where_a_client_offers_it() -> None:
    context = client_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    offered = client_hello(converse(SERVERS["1.3"], context)[0])
    assert offered is not None
    assert offered.alpn == ("h2", "http/1.1")


def test_an_older_client_offers_its_version_in_the_old_place() -> None:
    context = client_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    offered = client_hello(converse(SERVERS["1.2"], context)[0])
    assert offered is not None
    assert offered.versions == ("TLSv1.2",)


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_resumed_session_shows(version: str) -> None:
    context = client_context()
    first = converse(SERVERS[version], context)[2]
    assert first.session is not None
    client, server, _ = converse(SERVERS[version], context, first.session)
    offered, chosen = client_hello(client), server_hello(server)
    assert offered is not None
    assert chosen is not None
    assert offered.resumes
    assert chosen.certificate == b""
    assert chosen.resumed == (version == "1.3")


def test_a_retry_is_told_apart() -> None:
    server = server_context(AUTHORITY, (HOST,), versions=("1.3",))
    server.set_ecdh_curve("secp521r1")  # the client offers no key for it at first
    client, answers, _ = converse(server, client_context())
    assert kinds(answers)[0] == "HelloRetryRequest"
    assert kinds(answers).count("ServerHello") == 1
    assert kinds(client).count("ClientHello") == 2
    chosen = server_hello(answers)
    assert chosen is not None
    assert chosen.version == "TLSv1.3"


def test_a_client_that_does_not_trust_sends_an_alert() -> None:
    client, _, _ = converse(SERVERS["1.2"], client_context(trusting=False))
    assert kinds(client) == ["ClientHello", "alert: unknown_ca"]
    assert ALERTS[48] == "unknown_ca"


# --- cut, damaged, hostile -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("side", [0, 1])
def test_cut_at_every_octet(version: str, side: int) -> None:
    octets = handshake(version)[side]
    whole = what_is_seen(octets)
    for cut in range(len(octets)):
        seen = what_is_seen(octets[:cut])
        complete = [each for each in seen if each[0].complete]
        assert [record for record, _ in complete] == [record for record, _ in whole[: len(complete)]]
        assert len(seen) - len(complete) <= 1
        if len(seen) > len(complete):
            assert seen[-1][1].endswith("(cut off)")
        client_hello(octets[:cut])
        server_hello(octets[:cut])


def record(content_type: int, content: bytes) -> bytes:
    """Write one record."""
    return bytes([content_type, 3, 3]) + len(content).to_bytes(2) + content


def test_a_message_over_several_records() -> None:
    client, server = handshake("1.2")
    content = client[5 : tls_records(client)[0].end]
    spread = b"".join(record(22, content[at : at + 100]) for at in range(0, len(content), 100))
    assert client_hello(spread) == client_hello(client)
    assert kinds(spread) == ["ClientHello", *["more of the same message"] * (len(content) // 100)]
    assert kinds(record(22, b"") + record(22, b"\x63\0\0\0")) == ["more of the same message", "handshake message 99"]
    assert kinds(record(21, b"\1\0") + record(21, b"\2\x63") + record(21, b"x" * 24)) == [
        "alert: close_notify",
        "alert: 99",
        "alert, encrypted",
    ]
    assert server_hello(client) is None
    assert client_hello(server) is None


@given(st.sampled_from(["1.2", "1.3"]), st.integers(0, 1), st.data())
def test_damage_never_raises(version: str, side: int, data: st.DataObject) -> None:
    octets = bytearray(handshake(version)[side])
    for _ in range(data.draw(st.integers(1, 4))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    for read in (client_hello, server_hello, what_is_seen):
        read(bytes(octets))


@given(st.binary(max_size=200))
def test_any_octets_never_raise(content: bytes) -> None:
    hello = b"\x01" + len(content).to_bytes(3) + content
    for octets in (content, record(22, content), record(22, hello), record(22, b"\x02" + hello[1:])):
        assert [found for found, _ in what_is_seen(octets)] == tls_records(octets)
        client_hello(octets)
        server_hello(octets)


@pytest.mark.parametrize(
    "octets",
    [
        record(22, b"\0" * 16000) * 60,
        record(22, b"\x01\xff\xff\xff") + record(22, b"\0") * 150_000,
        record(23, b"") * 200_000,
        record(21, b"\1\0") * 150_000,
        b"\x16" * 1_000_000,
        record(22, b"\x0b" + (10**6).to_bytes(3)) + record(22, b"\1" * 16000) * 60,
    ],
    ids=range(6),
)
def test_a_megabyte_takes_linear_time(octets: bytes) -> None:
    assert RECORD_OCTETS > 16000
    started = time.perf_counter()
    what_is_seen(octets)
    client_hello(octets)
    server_hello(octets)
    assert time.perf_counter() - started < 15
