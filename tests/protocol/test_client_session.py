"""The client's part up to the transaction: greeting, EHLO and HELO, TLS policies, signing in (rows C03, C07, C08, T02 to T11)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace

import pytest
from support.client_script import (
    ALICE,
    BOB,
    EHLO,
    LETTER,
    MAIL,
    PLAIN,
    attempt,
    ehlo,
    envelope,
    greeted,
    rcpt,
    talk,
)

from simulator.errors import UsageError
from simulator.protocol.client_session import Attempt, ClientSession, Credentials, Send, TlsPolicy

REQUIRED, IF_OFFERED, IMPLICIT = TlsPolicy.REQUIRED, TlsPolicy.IF_OFFERED, TlsPolicy.IMPLICIT


# --- greeting and EHLO -----------------------------------------------------------------------------------------------


def test_a_letter_is_handed_over_step_by_step() -> None:
    outcome = (
        greeted(attempt())
        .says(MAIL)
        .hears("250 ok")
        .says(rcpt(BOB))
        .hears("250 ok")
        .says("DATA")
        .hears("354 go on")
        .says_octets(b"Subject: x\r\n\r\n..dot\r\n.\r\n")
        .hears("250 2.0.0 taken")
        .says_goodbye()
    )
    assert outcome.failure is None
    assert outcome.accepted
    assert outcome.connected
    assert (outcome.recipient(BOB).result, outcome.recipient(BOB).stage) == ("accepted", "final")
    assert str(outcome.recipient(BOB).reply) == "250 2.0.0 taken"


def test_the_client_waits_for_the_greeting() -> None:
    script = talk(attempt()).does()
    assert script.session.waiting_for == "greeting"
    script.hears_octets(b"220-one\r\n220-two\r\n").does().hears("220 three").says(EHLO)


@pytest.mark.parametrize(("reply", "result"), [("554 no mail here", "permanent"), ("521 5.3.2 no", "permanent"),
                                               ("450 later", "temporary"), ("354 what?", "temporary")])  # fmt: skip
def test_a_refusing_greeting_ends_politely(reply: str, result: str) -> None:
    script = talk(attempt()).hears(reply)
    assert script.says_goodbye().recipient(BOB).result == result
    assert script.results() == {BOB: result}


@pytest.mark.parametrize("code", [500, 502, 504])
def test_C03_helo_where_ehlo_is_unknown(code: int) -> None:
    script = talk(attempt()).hears("220 old").says(EHLO).hears(f"{code} what?")
    script.says("HELO laptop.alice.example").hears("250 old.example").says(MAIL)
    assert script.session.outcome.capabilities.keywords == {}


def test_C03_helo_offers_nothing_whatever_it_says() -> None:
    script = talk(attempt()).hears("220 old").says(EHLO).hears("500 what?")
    script.says("HELO laptop.alice.example").hears("250-old.example", "250 PIPELINING").says(MAIL)


@pytest.mark.parametrize("reply", ["550 no", "501 bad name", "450 later"])
def test_C03_other_refusals_of_ehlo_are_no_reason_for_helo(reply: str) -> None:
    outcome = talk(attempt()).hears("220 x").says(EHLO).hears(reply).says_goodbye()
    assert outcome.recipient(BOB).result == ("temporary" if reply.startswith("4") else "permanent")
    assert outcome.failure is not None
    assert outcome.failure.stage == "EHLO"


def test_C03_no_hello_at_all() -> None:
    script = talk(attempt()).hears("220 x").says(EHLO).hears("502 no").says("HELO laptop.alice.example")
    outcome = script.hears("502 no").says_goodbye()
    assert outcome.failure is not None
    assert outcome.failure.stage == "HELO"


@pytest.mark.parametrize("name", ["[192.0.2.9]", "[IPv6:2001:db8::9]"])
def test_C03_an_address_literal_is_a_name_too(name: str) -> None:
    talk(attempt(ehlo_name=name)).hears("220 x").says(f"EHLO {name}")


def test_P29_unknown_keywords_do_not_disturb() -> None:
    odd = ["LIMITS RCPTMAX=1", "MT-PRIORITY MIXER", "DELIVERBY 240", "X-Odd \x01", "", "   ", "=", "ĝ", "a" * 900]
    greeted(attempt(), *odd).says(MAIL)


# --- TLS -------------------------------------------------------------------------------------------------------------


def test_T02_after_the_handshake_all_is_forgotten_and_ehlo_said_again() -> None:
    what = attempt(tls=REQUIRED, credentials=ALICE)
    script = greeted(what, "STARTTLS", "AUTH PLAIN LOGIN", "SIZE 99", "PIPELINING").says("STARTTLS").hears("220 go")
    script.starts_tls().says(EHLO).hears(*ehlo("8BITMIME"))
    outcome = script.says_goodbye()
    assert outcome.auth_problem == "not offered"
    assert outcome.capabilities_before_tls.mechanisms == ("PLAIN", "LOGIN")
    assert outcome.capabilities.keywords.keys() == {"8BITMIME", "HELP"}


def test_T02_also_helo_inside_tls_offers_nothing() -> None:
    script = greeted(attempt(tls=REQUIRED), "STARTTLS", "PIPELINING").says("STARTTLS").hears("220 go").starts_tls()
    script.says(EHLO).hears("502 no").says("HELO laptop.alice.example").hears("250 x").says(MAIL)


def test_T02_starttls_is_not_said_again_inside() -> None:
    script = greeted(attempt(tls=REQUIRED), "STARTTLS").says("STARTTLS").hears("220 go").starts_tls()
    script.says(EHLO).hears(*ehlo("STARTTLS")).says(MAIL)


def test_T05_without_the_offer_nothing_but_goodbye() -> None:
    outcome = greeted(attempt(tls=REQUIRED, credentials=ALICE), "AUTH PLAIN").says_goodbye()
    assert outcome.recipient(BOB).result == "temporary"
    assert outcome.failure is not None
    assert outcome.failure.text == "the server offers no STARTTLS, but TLS is required"


@pytest.mark.parametrize("reply", ["454 later", "500 what?", "250 ok", "221 bye", "354 go", "299 go"])
def test_T05_only_220_begins_tls(reply: str) -> None:
    outcome = greeted(attempt(tls=REQUIRED), "STARTTLS").says("STARTTLS").hears(reply).says_goodbye()
    assert outcome.recipient(BOB).result == "temporary"
    assert not outcome.tls_used


@pytest.mark.parametrize("reply", ["454 later", "500 what?", "250 ok"])
def test_an_opportunistic_client_goes_on_in_clear(reply: str) -> None:
    greeted(attempt(tls=IF_OFFERED), "STARTTLS").says("STARTTLS").hears(reply).says(MAIL)
    greeted(attempt(tls=IF_OFFERED)).says(MAIL)


def test_a_client_without_tls_ignores_the_offer() -> None:
    greeted(attempt(), "STARTTLS").says(MAIL)


def test_implicit_tls_has_no_starttls() -> None:
    script = greeted(attempt(tls=IMPLICIT), "STARTTLS").says(MAIL)
    assert script.session.outcome.tls_used


@pytest.mark.parametrize("tls", [REQUIRED, IF_OFFERED])
def test_a_failed_handshake_ends_all(tls: TlsPolicy) -> None:
    script = greeted(attempt(tls=tls), "STARTTLS").says("STARTTLS").hears("220 go")
    script.todo.clear()
    outcome = script.do(script.session.tls_failed("the certificate has expired")).closes(abort=True)
    assert (outcome.tls_failed, outcome.tls_used) == (True, False)
    assert outcome.failure is not None
    assert outcome.failure.stage == "TLS handshake"
    assert outcome.recipient(BOB).result == "temporary"


def test_a_failed_implicit_handshake() -> None:
    script = talk(attempt(tls=IMPLICIT), connected=False)
    outcome = script.do(script.session.tls_failed("not TLS")).closes(abort=True)
    assert (outcome.tls_failed, outcome.connected) == (True, True)
    assert script.results() == {BOB: "temporary"}


@pytest.mark.parametrize(
    "tail", [b"250-mail.bob.example\r\n250 AUTH PLAIN\r\n", b"25", b"\r\n", b"x", b"\xff", b"221 x\r\n"]
)
def test_T04_text_behind_the_220_in_one_segment(tail: bytes) -> None:
    script = greeted(attempt(tls=REQUIRED, credentials=ALICE), "STARTTLS").says("STARTTLS")
    outcome = script.hears_octets(b"220 go\r\n" + tail).closes(abort=True)
    assert script.results() == {BOB: "temporary"}
    assert not outcome.tls_used


@pytest.mark.parametrize("tail", [b"250-mail.bob.example\r\n250 AUTH PLAIN\r\n", b"25", b"\r\n", b"221 x\r\n"])
def test_T04_text_behind_the_220_in_the_next_segment(tail: bytes) -> None:
    script = greeted(attempt(tls=REQUIRED, credentials=ALICE), "STARTTLS").says("STARTTLS").hears("220 go")
    script.todo.clear()  # StartTls
    outcome = script.hears_octets(tail).closes(abort=True)
    assert outcome.failure is not None
    assert "not to be trusted" in outcome.failure.text
    assert script.session.tls_established(True) == []


# --- AUTH ------------------------------------------------------------------------------------------------------------


def signed_in(what: Attempt, *keywords: str) -> None:
    """Expect AUTH PLAIN and then MAIL."""
    greeted(what, *keywords).says(PLAIN).hears("235 ok").says(MAIL)


def test_T11_no_password_in_clear() -> None:
    outcome = greeted(attempt(credentials=ALICE), "AUTH PLAIN").says_goodbye()
    assert outcome.auth_problem == "not offered"
    assert outcome.recipient(BOB).result == "permanent"
    signed_in(attempt(credentials=ALICE, allow_cleartext_auth=True), "AUTH PLAIN")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
def test_T11_no_password_without_a_verified_certificate(mechanism: str) -> None:
    what = attempt(tls=REQUIRED, credentials=replace(ALICE, mechanisms=(mechanism,)))
    script = greeted(what, "STARTTLS").says("STARTTLS").hears("220 go").starts_tls(verified=False)
    script.says(EHLO).hears(*ehlo(f"AUTH {mechanism}"))
    assert script.says_goodbye().authenticated is False


def test_T11_an_opportunistic_client_that_was_stripped_keeps_its_password() -> None:
    greeted(attempt(tls=IF_OFFERED, credentials=ALICE), "AUTH PLAIN").says_goodbye()


def test_C11_a_password_is_not_tried_before_tls_meets_the_minimum() -> None:
    outcome = greeted(attempt(tls=REQUIRED, credentials=ALICE), "AUTH PLAIN").says_goodbye()
    assert not outcome.authenticated


@pytest.mark.parametrize("offer", ["AUTH PLAIN", "auth plain", "AUTH LOGIN PLAIN", "AUTH=PLAIN", "AUTH=LOGIN PLAIN"])
def test_C07_plain_where_it_is_offered(offer: str) -> None:
    signed_in(attempt(tls=IMPLICIT, credentials=ALICE), offer)


def test_C07_the_strongest_that_both_know() -> None:
    what = attempt(tls=IMPLICIT, credentials=Credentials("alice", "wonderland"))
    script = greeted(what, "AUTH LOGIN PLAIN SCRAM-SHA-256")
    script.says("AUTH SCRAM-SHA-256 " + b64encode(b"n,,n=alice,r=rOprNGfwEbeRWgbNEkqO").decode())
    greeted(what, "AUTH LOGIN CRAM-MD5 PLAIN").says(PLAIN)
    greeted(what, "AUTH LOGIN").says("AUTH LOGIN")


@pytest.mark.parametrize("keywords", [(), ("AUTH",), ("AUTH CRAM-MD5 GSSAPI",), ("AUTHX PLAIN",)])
def test_C07_no_auth_that_is_not_offered(keywords: tuple[str, ...]) -> None:
    outcome = greeted(attempt(tls=IMPLICIT, credentials=ALICE), *keywords).says_goodbye()
    assert outcome.auth_problem == "not offered"
    assert outcome.recipient(BOB).result == "permanent"


def test_login_takes_two_challenges() -> None:
    script = greeted(attempt(tls=IMPLICIT, credentials=replace(ALICE, mechanisms=("LOGIN",))), "AUTH LOGIN")
    script.says("AUTH LOGIN").hears("334 VXNlcm5hbWU6").says("YWxpY2U=").hears("334 UGFzc3dvcmQ6")
    script.says("d29uZGVybGFuZA==").hears("235 2.7.0 ok").says(MAIL)
    assert script.session.outcome.authenticated


def test_scram_takes_its_steps() -> None:
    # RFC 7677 section 3
    what = attempt(tls=IMPLICIT, credentials=Credentials("user", "pencil", ("SCRAM-SHA-256",)))
    server_first = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    client_final = (b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
                    b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")  # fmt: skip
    script = greeted(what, "AUTH SCRAM-SHA-256")
    script.says("AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=")
    script.hears(f"334 {b64encode(server_first).decode()}").says(b64encode(client_final).decode())
    server_final = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    script.hears(f"334 {b64encode(server_final).decode()}").says("").hears("235 ok").says(MAIL)


class Sceptic:
    """A mechanism that wants the server to prove itself."""

    initial = b""
    satisfied = False

    def step(self, challenge: bytes) -> bytes:
        """Be satisfied by any challenge."""
        self.satisfied = True
        return b""


@pytest.mark.parametrize("proved", [True, False])
def test_a_server_that_skips_its_proof_is_not_believed(proved: bool) -> None:
    session = ClientSession(attempt(tls=IMPLICIT, credentials=ALICE), lambda *_: Sceptic())
    session.tls_established(True)
    session.connected()
    session.receive(b"220 x\r\n")
    session.receive(b"250-x\r\n250 AUTH PLAIN\r\n")
    if proved:
        session.receive(b"334 \r\n")
    session.receive(b"235 welcome\r\n")
    assert session.outcome.authenticated is proved
    assert session.waiting_for == ("MAIL" if proved else "QUIT")


def test_an_empty_initial_response_is_an_equals_sign() -> None:
    session = ClientSession(attempt(credentials=ALICE, allow_cleartext_auth=True), lambda *_: Sceptic())
    session.connected()
    session.receive(b"220 x\r\n")
    (action,) = session.receive(b"250-x\r\n250 AUTH PLAIN\r\n")
    assert action.octets == b"AUTH PLAIN =\r\n"  # type: ignore[union-attr]


def test_a_long_initial_response_waits_for_the_challenge() -> None:
    credentials = Credentials("alice", "w" * 600, ("PLAIN",))
    script = greeted(attempt(tls=IMPLICIT, credentials=credentials, fold_auth=True), "AUTH PLAIN", "PIPELINING")
    script.says("AUTH PLAIN").hears("334 ").says(b64encode(b"\0alice\0" + b"w" * 600).decode()).hears("235 ok")
    greeted(attempt(tls=IMPLICIT, credentials=credentials), "AUTH PLAIN").says("AUTH PLAIN").hears("334 eA==").says("*")


@pytest.mark.parametrize(
    ("reply", "problem", "result"),
    [
        ("535 5.7.8 wrong", "wrong password", "permanent"),
        ("534 5.7.9 weak", "stronger mechanism needed", "permanent"),
        ("454 4.7.0 later", "server trouble", "temporary"),
        ("432 4.7.12 change it", "server trouble", "temporary"),
        ("599 no", "wrong password", "permanent"),
    ],
)
def test_C08_each_refusal_asks_for_something_else(reply: str, problem: str, result: str) -> None:
    outcome = greeted(attempt(tls=IMPLICIT, credentials=ALICE), "AUTH PLAIN").says(PLAIN).hears(reply).says_goodbye()
    assert (outcome.auth_problem, outcome.recipient(BOB).result) == (problem, result)
    assert outcome.recipient(BOB).reply is not None
    assert not outcome.authenticated


@pytest.mark.parametrize("challenge", ["334 eA==", "334 not base64!", "334 =", "334 ÄÖ", "334"])
def test_a_strange_challenge_is_answered_by_cancelling(challenge: str) -> None:
    script = greeted(attempt(tls=IMPLICIT, credentials=ALICE), "AUTH PLAIN").says(PLAIN).hears(challenge)
    if challenge == "334":  # a server that does not take the initial response
        script.says(PLAIN.split()[-1]).hears("334 ")
    outcome = script.says("*").hears("501 cancelled").says_goodbye()
    assert outcome.failure is not None
    assert outcome.failure.text.startswith("the server's part of the login is wrong")


def test_challenges_do_not_go_on_for_ever() -> None:
    credentials = Credentials("alice", "x", ("SCRAM-SHA-256",))
    script = greeted(attempt(tls=IMPLICIT, credentials=credentials), "AUTH SCRAM-SHA-256")
    for _ in range(10):
        (answer,) = script.todo
        assert answer != Send(b"*\r\n")
        script.todo.clear()
        script.hears("334 ")
    script.todo.clear()
    script.hears("334 ").says("*").hears("501 cancelled").says_goodbye()


@pytest.mark.parametrize("password", ["a\0b", "\udcff"])
def test_a_password_that_the_mechanism_cannot_take_is_a_failure(password: str) -> None:
    outcome = greeted(attempt(tls=IMPLICIT, credentials=Credentials("alice", password)), "AUTH PLAIN").says_goodbye()
    assert outcome.recipient(BOB).result == "permanent"


# --- where to stop ---------------------------------------------------------------------------------------------------


def test_sessions_that_stop_early() -> None:
    greeted(attempt(stop_after="EHLO", tls=REQUIRED), "STARTTLS").says_goodbye()
    script = greeted(attempt(stop_after="STARTTLS", tls=REQUIRED, credentials=ALICE), "STARTTLS").says("STARTTLS")
    script.hears("220 go").starts_tls().says(EHLO).hears(*ehlo("AUTH PLAIN")).says_goodbye()
    script = greeted(
        attempt(stop_after="AUTH", tls=IMPLICIT, credentials=ALICE, fold_auth=True), "AUTH PLAIN", "PIPELINING"
    )
    assert script.says(PLAIN).hears("235 ok").says_goodbye().authenticated
    greeted(attempt(envelope=None)).says_goodbye()
    assert greeted(attempt(stop_after="MAIL")).says(MAIL).hears("250 ok").says_goodbye().recipients == {}
    script = greeted(attempt(stop_after="RCPT")).says(MAIL).hears("250 ok").says(rcpt(BOB)).hears("550 no")
    assert script.says_goodbye().recipient(BOB).result == "permanent"
    for verb, lines in (("MAIL", [MAIL]), ("RCPT", [MAIL, rcpt(BOB)])):
        script = (
            greeted(attempt(stop_after=verb), "PIPELINING").says(*lines).hears("450 no", *["503 no"] * (len(lines) - 1))
        )
        assert script.says_goodbye().recipient(BOB).result == "temporary"


def test_a_session_without_quit_just_ends() -> None:
    greeted(attempt(envelope=None, quit=False)).closes()


# --- wrong calls -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"ehlo_name": "laptop.example\r\nMAIL FROM:<eve@eve.example>"},
        {"ehlo_name": "laptop.example\nNOOP"},
        {"ehlo_name": ""},
        {"ehlo_name": "laptop example"},
        {"ehlo_name": "läptop.example"},
        {"envelope": envelope("bob@bob.example>\r\nRCPT TO:<eve@eve.example")},
        {"envelope": envelope("bob@bob.example\n")},
        {"envelope": envelope("bob@bob.example\r")},
        {"envelope": envelope("bob@bob.example\0")},
        {"envelope": envelope("bob@bob.example> SIZE=1")},
        {"envelope": envelope(BOB, "<carol@bob.example>")},
        {"envelope": envelope("")},
        {"envelope": envelope("\udc80@bob.example")},
        {"envelope": envelope('"bob@bob.example')},
        {"envelope": envelope(reverse_path="a@a.example>\r\nRCPT TO:<eve@eve.example")},
        {"envelope": replace(envelope(), recipients=())},
        {"stop_after": "DATA"},
        {"stop_after": "ehlo"},
        {"credentials": Credentials("alice", "x", ("PLAIN\r\nNOOP",))},
    ],
)
def test_P30_what_cannot_be_said_is_refused_before_anything_is_sent(options: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        talk(attempt(**options))
    assert "\n" not in str(caught.value)


def test_credentials_need_mechanisms() -> None:
    with pytest.raises(UsageError, match="make_sasl"):
        ClientSession(attempt(credentials=ALICE))


def test_octets_before_the_connection_are_a_wrong_call() -> None:
    with pytest.raises(UsageError, match="connected"):
        ClientSession(attempt()).receive(b"220 x\r\n")


def test_the_password_is_not_shown() -> None:
    assert "wonderland" not in repr(attempt(credentials=ALICE))
    assert LETTER.isascii()
