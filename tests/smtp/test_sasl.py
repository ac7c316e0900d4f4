"""SASL without a network: the published vectors, and both of our sides against each other."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.errors import UsageError
from simulator.smtp.sasl import (
    MECHANISMS,
    Account,
    Challenge,
    ClientSasl,
    Failure,
    SaslError,
    ScramClient,
    ServerSasl,
    Success,
    make_sasl,
    saslprep,
)

ALICE = Account.from_password("alice@alice.example", "wonderland")


def accounts(user: str) -> Account | None:
    return ALICE if user == ALICE.user else None


def converse(client: ClientSasl, server: ServerSasl, with_initial: bool = True) -> Success | Failure:
    """Let the two talk to the end."""
    result = server.step(client.initial if with_initial else None)
    while isinstance(result, Challenge):
        result = server.step(client.step(result.octets))
    return result


@pytest.mark.parametrize("with_initial", [True, False])
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_both_sides_understand_each_other(mechanism: str, with_initial: bool) -> None:
    right = make_sasl(mechanism, ALICE.user, "wonderland", nonce="abc")
    assert converse(right, ServerSasl(mechanism, accounts), with_initial) == Success(ALICE.user)
    for user, password in ((ALICE.user, "wonderlanD"), ("mallory@alice.example", "wonderland")):
        wrong = make_sasl(mechanism, user, password)
        assert converse(wrong, ServerSasl(mechanism, accounts), with_initial) == Failure(
            "unknown user or wrong password")


def test_rfc_4954_section_4_1_plain_example() -> None:
    test = Account.from_password("test", "1234")
    server = ServerSasl("PLAIN", lambda user: test if user == "test" else None)
    assert server.step(b64decode("dGVzdAB0ZXN0ADEyMzQ=")) == Success("test")


def test_rfc_7677_section_3_exchange() -> None:
    pencil = Account.from_password("user", "pencil", salt=b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    server = ServerSasl("SCRAM-SHA-256", {"user": pencil}.get, nonce=lambda: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
    client = make_sasl("SCRAM-SHA-256", "user", "pencil", nonce="rOprNGfwEbeRWgbNEkqO")
    assert client.initial == b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
    first = server.step(client.initial)
    assert first == Challenge(
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
    final = client.step(first.octets)
    assert final == (b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                     b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    proof = server.step(final)
    assert proof == Challenge(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")
    assert client.step(proof.octets) == b""
    assert server.step(b"") == Success("user")


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
@settings(max_examples=25, deadline=None)
def test_scram_carries_any_user_name_that_may_exist(user: str, password: str) -> None:
    try:
        prepared = saslprep(user)
        saslprep(password)
        if not prepared:
            return
        client = ScramClient(user, password, "n0")
    except (SaslError, UnicodeEncodeError):
        return
    account = Account.from_password(prepared, password)
    server = ServerSasl("SCRAM-SHA-256", {prepared: account}.get)
    assert converse(client, server) == Success(prepared)


@given(st.sampled_from(MECHANISMS), st.lists(st.binary(max_size=60), min_size=4, max_size=4))
def test_no_response_can_break_the_server(mechanism: str, responses: list[bytes]) -> None:
    server = ServerSasl(mechanism, accounts)
    for response in responses:
        result = server.step(response)
        assert not isinstance(result, Success)
        if isinstance(result, Failure):
            return


@pytest.mark.parametrize("message", [b"", b"alice", b"\0alice", b"a\0b\0c\0d", b"\0\0pw", b"\0u\0", b"\0\xff\0x"])
def test_malformed_plain_is_told_from_wrong_passwords(message: bytes) -> None:
    result = ServerSasl("PLAIN", accounts).step(message)
    assert isinstance(result, Failure)
    assert result.malformed


def test_nobody_acts_as_somebody_else() -> None:
    for message in (b"bob@alice.example\0alice@alice.example\0wonderland",):
        assert ServerSasl("PLAIN", accounts).step(message) == Failure("a user may not act as somebody else")
    assert ServerSasl("PLAIN", accounts).step(b"alice@alice.example\0alice@alice.example\0wonderland") == Success(
        ALICE.user)
    assert isinstance(ServerSasl("SCRAM-SHA-256", accounts).step(b"n,a=bob,n=alice,r=x"), Failure)
    assert isinstance(ServerSasl("SCRAM-SHA-256", accounts).step(b"p=tls-unique,,n=alice,r=x"), Failure)


def test_an_unknown_user_gets_the_same_kind_of_challenge_every_time() -> None:
    seen = {ServerSasl("SCRAM-SHA-256", accounts, nonce=lambda: "S").step(b"n,,n=nobody,r=C") for _ in range(2)}
    assert len(seen) == 1
    assert isinstance(seen.pop(), Challenge)


@pytest.mark.parametrize("challenge", [
    b"r=other,s=AAAA,i=4096", b"r=mine,s=AAAA,i=4096", b"r=mine2,s=AAAA,i=1", b"r=mine2,s=AAAA", b"\xff",
    b"r=mine2,s=A,i=4096", b"e=invalid-encoding"])
def test_a_scram_client_does_not_follow_a_bad_server(challenge: bytes) -> None:
    with pytest.raises(SaslError):
        make_sasl("SCRAM-SHA-256", "u", "p", nonce="mine").step(challenge)


def test_a_scram_client_wants_the_servers_proof() -> None:
    client = make_sasl("SCRAM-SHA-256", "u", "p", nonce="mine")
    client.step(b"r=mine2,s=AAAA,i=4096")
    with pytest.raises(SaslError, match="could not prove"):
        client.step(b"v=AAAA")
    with pytest.raises(SaslError, match="could not prove"):
        client.step(b"")


def test_clients_end_an_exchange_that_has_too_many_challenges() -> None:
    for mechanism, known in (("PLAIN", 1), ("LOGIN", 2)):
        client = make_sasl(mechanism, "u", "p")
        for _ in range(known):
            client.step(b"")
        with pytest.raises(SaslError):
            client.step(b"")


def test_what_a_server_keeps_is_not_the_password() -> None:
    assert "wonderland" not in repr(ALICE)
    assert b"wonderland" not in ALICE.stored_key + ALICE.server_key
    assert ALICE.has_password("wonderland")
    assert not ALICE.has_password("wonder\x07land")
    assert Account.from_password("u", "I\u00adX").has_password("IX")  # RFC 4013 section 3: SOFT HYPHEN disappears


def test_wrong_calls_list_the_mechanisms() -> None:
    with pytest.raises(UsageError, match="SCRAM-SHA-256, PLAIN, LOGIN"):
        make_sasl("CRAM-MD5", "u", "p")
    with pytest.raises(UsageError, match="SCRAM-SHA-256, PLAIN, LOGIN"):
        ServerSasl("CRAM-MD5", accounts)
    with pytest.raises(UsageError, match="NUL"):
        make_sasl("PLAIN", "u\0", "p")


def test_scram_is_satisfied_only_by_the_servers_own_proof() -> None:
    client, server = make_sasl("SCRAM-SHA-256", ALICE.user, "wonderland", nonce="n0"), ServerSasl("SCRAM-SHA-256", accounts)
    first = server.step(client.initial)
    assert isinstance(first, Challenge)
    proof = server.step(client.step(first.octets))
    assert isinstance(proof, Challenge)
    assert not client.satisfied
    client.step(proof.octets)
    assert client.satisfied
    assert make_sasl("PLAIN", "a", "b").satisfied
