"""Handshakes between our contexts, in memory: who is believed, what is remembered, what is told."""

from __future__ import annotations

import datetime
import os
import ssl

import pytest

from simulator.errors import UsageError
from simulator.tls.authority import OTHER_NAME, Authority, Flaw
from simulator.tls.contexts import ClientContext, KeyLog, client_context, handshake_facts, server_context
from simulator.tls.hello import explain_tls_error, name_matches

HOST = "mail.alice.example"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str | None = HOST,
          goodbye: bool = True) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Do a whole handshake and return (server end, client end); errors of either end come through."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (client.wrap_bio(to_client, to_server, server_hostname=name),
            server.wrap_bio(to_server, to_client, server_side=True))
    waiting = list(ends)
    while waiting:
        for end in tuple(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
    ends[1].write(b"220 hello")
    assert ends[0].read() == b"220 hello"
    if goodbye:
        with pytest.raises(ssl.SSLWantReadError):
            ends[0].unwrap()
    return ends[1], ends[0]


# RFC 8314 sections 5.2 and 5.3, RFC 9525 section 6.3; conformance row T10.
MATRIX = [
    ((HOST,), Flaw.GOOD, HOST, ""),
    (("*.alice.example",), Flaw.GOOD, HOST, ""),
    (("*.alice.example",), Flaw.GOOD, "a.b.alice.example", "is for another host name"),
    (("*.example",), Flaw.GOOD, HOST, "is for another host name"),
    ((HOST,), Flaw.SELF_SIGNED, HOST, "is self-signed"),
    ((HOST,), Flaw.UNKNOWN_CA, HOST, "does not trust"),
    ((HOST,), Flaw.EXPIRED, HOST, "has expired"),
    ((HOST,), Flaw.WRONG_NAME, HOST, "is for another host name"),
    (("192.0.2.25",), Flaw.GOOD, "192.0.2.25", ""),
    ((HOST,), Flaw.GOOD, "192.0.2.25", "is for another address"),
]


@pytest.mark.parametrize(("names", "flaw", "asked", "problem"), MATRIX)
def test_T10_a_verifying_client_believes_only_a_good_certificate(
        authority: Authority, names: tuple[str, ...], flaw: Flaw, asked: str, problem: str) -> None:
    server = server_context(authority, names, flaw=flaw)
    if not problem:
        assert handshake_facts(shake(server, client_context(authority), asked)[1])["verified"] is True
        return
    with pytest.raises(ssl.SSLCertVerificationError) as caught:
        shake(server, client_context(authority), asked)
    assert problem in explain_tls_error(caught.value)


@pytest.mark.parametrize(("flaw", "why"), [
    (Flaw.GOOD, "not checked"), (Flaw.SELF_SIGNED, "self-signed"), (Flaw.UNKNOWN_CA, "unknown CA"),
    (Flaw.EXPIRED, "expired"), (Flaw.WRONG_NAME, "wrong name")])
def test_an_opportunistic_client_connects_and_tells_what_it_would_have_found(
        authority: Authority, flaw: Flaw, why: str) -> None:
    server = server_context(authority, (HOST,), flaw=flaw)
    facts = handshake_facts(shake(server, client_context(authority, verify=False))[1])
    assert facts["verified"] is False
    assert facts["why_unverified"] == why
    assert facts["certificate_names"] == ((OTHER_NAME,) if flaw is Flaw.WRONG_NAME else (HOST,))


@pytest.mark.parametrize("pattern", ["f*o.example", "fo*.example", "*", "*.*.example", "foo.*"])
def test_T10_a_wildcard_counts_only_as_the_whole_left_most_label(pattern: str) -> None:
    assert not name_matches(pattern, "foo.example")
    assert name_matches("*.example", "FOO.example.")
    assert not name_matches("*.example", "example")
    assert not name_matches("*.example", ".example")


@pytest.mark.parametrize("name", [None, "never-heard-of.example", HOST])
def test_T12_no_server_name_is_refused_and_it_is_remembered(authority: Authority, name: str | None) -> None:
    server, _ = shake(server_context(authority, (HOST,)), client_context(authority, verify=False), name)
    facts = handshake_facts(server)
    assert facts["server_name"] == name
    assert facts["certificate_names"] == (HOST,)
    assert "verified" not in facts


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_T09_versions_can_be_chosen_but_never_below_1_2(authority: Authority, version: str) -> None:
    server = server_context(authority, (HOST,), versions=(version,))
    assert handshake_facts(shake(server, client_context(authority))[0])["version"] == f"TLSv{version}"
    assert server.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert client_context(authority).minimum_version >= ssl.TLSVersion.TLSv1_2
    with pytest.raises(UsageError, match=r"1\.2, 1\.3"):
        server_context(authority, (HOST,), versions=("1.1",))


def test_T09_versions_without_overlap_fail_with_a_plain_sentence(authority: Authority) -> None:
    with pytest.raises(ssl.SSLError) as caught:
        shake(server_context(authority, (HOST,), versions=("1.3",)), client_context(authority, versions=("1.2",)))
    assert explain_tls_error(caught.value) == "The two sides have no TLS version in common."


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_sessions_are_resumed_only_for_the_name_they_were_made_with(authority: Authority, version: str) -> None:
    server = server_context(authority, (HOST,), versions=(version,))
    client = client_context(authority, resumption=True)
    assert handshake_facts(shake(server, client)[1])["resumed"] is False
    server_end, client_end = shake(server, client)
    assert handshake_facts(client_end)["resumed"] is handshake_facts(server_end)["resumed"] is True
    assert handshake_facts(client_end)["verified"] is True
    assert handshake_facts(client_end)["certificate_names"] == (HOST,)
    with pytest.raises(ssl.SSLCertVerificationError):  # OpenSSL alone would accept this when it resumes
        shake(server, client, "mail.mallory.example")


def test_sessions_are_not_resumed_unless_asked_for(authority: Authority) -> None:
    server, client = server_context(authority, (HOST,)), client_context(authority)
    shake(server, client)
    assert handshake_facts(shake(server, client)[1])["resumed"] is False


def test_a_session_of_a_failed_handshake_is_never_kept(authority: Authority) -> None:
    server = server_context(authority, (HOST,), flaw=Flaw.WRONG_NAME, versions=("1.2",))
    client = client_context(authority, resumption=True)
    for _ in range(2):
        with pytest.raises(ssl.SSLCertVerificationError):
            shake(server, client)


def test_the_key_log_of_the_server_holds_the_secrets_of_each_session(authority: Authority) -> None:
    log = KeyLog()
    for version in ("1.2", "1.3"):
        shake(server_context(authority, (HOST,), versions=(version,), keylog=log), client_context(authority))
    labels = [line.split()[0] for line in log.lines]
    assert "CLIENT_RANDOM" in labels
    assert {"CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"} <= set(labels)
    path = log._path
    assert os.path.exists(path)
    log.close()
    assert not os.path.exists(path)
    assert log.lines == ()
    shake(server_context(authority, (HOST,), versions=("1.3",), keylog=log), client_context(authority))


def test_contexts_and_certificates_are_made_once(authority: Authority) -> None:
    assert server_context(authority, (HOST,)) is server_context(authority, (HOST,))
    assert server_context(authority, (HOST,)) is not server_context(authority, (HOST,), flaw=Flaw.EXPIRED)
    assert client_context(authority) is client_context(authority)
    assert client_context(authority, resumption=True) is not client_context(authority, resumption=True)
    assert authority.issue(HOST) is authority.issue(HOST)


def test_nothing_is_generated_before_it_is_needed() -> None:
    fresh = Authority()
    server_context(fresh, (HOST,))
    client_context(fresh)
    assert "_ca" not in fresh.__dict__


def test_a_certificate_can_end_at_a_given_moment(authority: Authority) -> None:
    given = authority.issue(HOST, not_after=datetime.datetime(2031, 5, 6))
    server = server_context(authority, (HOST,))
    assert given != server.certificate
    facts = handshake_facts(shake(server, client_context(authority))[1])
    assert facts["certificate_not_after"] == "3000-01-01T00:00:00Z"


def test_wrong_calls_say_what_to_do(authority: Authority) -> None:
    with pytest.raises(UsageError, match="at least one"):
        authority.issue()
    with pytest.raises(UsageError, match="No certificate can be made"):
        authority.issue("not a name!")
    with pytest.raises(UsageError, match="authority to trust"):
        client_context(None)
    assert isinstance(client_context(None, verify=False), ClientContext)


def test_errors_of_the_connection_are_explained() -> None:
    assert "in time" in explain_tls_error(TimeoutError())
    assert "in time" in explain_tls_error(ConnectionAbortedError("SSL handshake is taking longer than 60.0 seconds"))
    assert "ended the connection" in explain_tls_error(ConnectionResetError(104, "reset"))
    assert "ended the connection" in explain_tls_error(EOFError())
    tls = client_context(None, verify=False).wrap_bio(incoming := ssl.MemoryBIO(), ssl.MemoryBIO())
    incoming.write(b"220 mail.alice.example ESMTP\r\n")
    with pytest.raises(ssl.SSLError) as caught:
        tls.do_handshake()
    assert "not TLS" in explain_tls_error(caught.value)
