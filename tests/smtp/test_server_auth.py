"""Signing in: the rows of section 2.3 and the rows S02 to S08, spoken to a real server."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from support.talk import ALICE, AUTHORITY, Dialogue, Inbox, accounts, greeted, run, server_tls, serving

from simulator.smtp.sasl import make_sasl
from simulator.smtp.session import Session
from simulator.tls.contexts import client_context

MAIL, RCPT = "MAIL FROM:<alice@alice.example>", "RCPT TO:<bob@bob.example>"


def b64(text: str) -> str:
    """Encode a text."""
    return b64encode(text.encode()).decode()


GOOD, BAD = b64(f"\0{ALICE.user}\0wonderland"), b64(f"\0{ALICE.user}\0wonderlanD")


def submission(**settings: Any) -> Any:
    """Run a submission server with TLS from the first octet."""
    usual = {"tls_context": server_tls(), "implicit_tls": True, "accounts": accounts, "auth_required": True}
    return serving(**usual | settings)


def over_tls(place: tuple[str, int]) -> Dialogue:
    """Begin a script after EHLO inside TLS."""
    return greeted(place, client_context(AUTHORITY))


def test_235_after_plain_login_and_scram_in_any_case() -> None:
    async def main() -> None:
        async with submission() as place:
            await over_tls(place).hears(f"AUTH PLAIN {GOOD}").says("235 2.7.0").hears(MAIL).says("250")
            await over_tls(place).hears("auth plain").says("334 ").hears(GOOD).says("235 2.7.0")
            await (over_tls(place).hears("AUTH LOGIN").says("334 " + b64("Username:")).hears(b64(ALICE.user))
                   .says("334 " + b64("Password:")).hears(b64("wonderland")).says("235 2.7.0"))
            await (over_tls(place).hears(f"AUTH LOGIN {b64(ALICE.user)}").says("334 " + b64("Password:"))
                   .hears(b64("wonderland")).says("235"))
        async with submission(nonce=lambda: "server") as place:
            client = make_sasl("SCRAM-SHA-256", ALICE.user, "wonderland", nonce="client")
            first = f"r=clientserver,s={b64encode(ALICE.salt).decode()},i=4096"
            final = client.step(first.encode()).decode()
            initial = b64((client.initial or b"").decode())
            await (over_tls(place).hears(f"AUTH SCRAM-SHA-256 {initial}").says("334 " + b64(first))
                   .hears(b64(final)).says("334 ").hears("").says("235 2.7.0"))
    run(main())


def test_535_for_a_wrong_password_and_421_for_guessing_on() -> None:
    async def main() -> None:
        async with submission() as place:
            await (over_tls(place).hears(f"AUTH PLAIN {BAD}").says("535 5.7.8")
                   .hears(f"AUTH PLAIN {BAD}").says("535 5.7.8")
                   .hears(f"AUTH PLAIN {GOOD}").says("235"))
            await (over_tls(place).hears(f"AUTH PLAIN {BAD}").says("535")
                   .hears("AUTH LOGIN").says("334").hears(b64("eve")).says("334").hears(b64("eve")).says("535 5.7.8")
                   .hears("AUTH LOGIN").says("334").hears("*").says("501")
                   .hears(f"AUTH PLAIN {GOOD}").says("421 4.7.0").closes())
    run(main())


def test_501_for_a_cancelled_exchange_and_for_what_is_not_base64() -> None:
    async def main() -> None:
        async with submission(auth_attempts_limit=99) as place:
            await (over_tls(place).hears("AUTH PLAIN").says("334").hears("*").says("501 5.7.0")
                   .hears("NOOP").says("250")
                   .hears("AUTH PLAIN").says("334").hears("not base64!").says("501 5.5.2")
                   .hears("AUTH PLAIN not/base64").says("501 5.5.2")
                   .hears(f"AUTH PLAIN {b64('no nul')}").says("501 5.5.2")
                   .hears(f"AUTH PLAIN {GOOD} more").says("501 5.5.4").hears("AUTH").says("501 5.5.4")
                   .hears("AUTH PLAIN =").says("501 5.5.2"))
    run(main())


def test_an_equals_sign_is_an_empty_initial_response() -> None:
    async def main() -> None:
        async with submission() as place:
            await (over_tls(place).hears("AUTH LOGIN =").says("334 " + b64("Password:"))
                   .hears(b64("x")).says("501 5.5.2"))
    run(main())


def test_504_for_an_unknown_mechanism() -> None:
    async def main() -> None:
        async with submission(mechanisms=("PLAIN",)) as place:
            await (over_tls(place).hears("EHLO a.example").says("250-", "250-AUTH PLAIN")
                   .hears("AUTH NTLM").says("504 5.5.4")
                   .hears(f"AUTH LOGIN {b64(ALICE.user)}").says("504 5.5.4").hears(f"AUTH PLAIN {GOOD}").says("235"))
    run(main())


def test_503_for_a_second_auth_and_within_a_message() -> None:
    async def main() -> None:
        async with submission(auth_required=False) as place:
            await (over_tls(place).hears(MAIL).says("250").hears(f"AUTH PLAIN {GOOD}").says("503 5.5.1")
                   .hears("RSET").says("250")
                   .hears(f"AUTH PLAIN {GOOD}").says("235").hears(f"AUTH PLAIN {GOOD}").says("503 5.5.1")
                   .hears("RSET").says("250").hears(f"AUTH PLAIN {GOOD}").says("503 5.5.1"))
    run(main())


def test_auth_lines_may_be_12288_octets_long() -> None:
    async def main() -> None:
        async with submission(auth_attempts_limit=99) as place:
            for spare, code in ((0, "535 5.7.8"), (4, "500 5.5.2")):
                length = (12288 - len("AUTH PLAIN \r\n")) // 4 * 4 + spare
                password = "x" * (length // 4 * 3 - len(f"\0{ALICE.user}\0"))
                await (over_tls(place).hears("AUTH PLAIN " + b64(f"\0{ALICE.user}\0{password}")).says(code)
                       .hears("NOOP").says("250"))
            await (over_tls(place).hears("AUTH PLAIN").says("334").hears("x" * 12287).says("500 5.5.6")
                   .hears("AUTH PLAIN").says("334").hears_octets(b"x\nx\r\n").says("501 5.5.2")
                   .hears("NOOP").says("250"))
    run(main())


def test_S02_mail_without_signing_in_is_refused_and_nothing_else() -> None:
    box = Inbox()

    async def main() -> None:
        async with submission(handler=box) as place:
            await (over_tls(place).hears("NOOP").says("250").hears("VRFY bob").says("252").hears(MAIL).says("530 5.7.0")
                   .hears(RCPT).says("503").hears("DATA").says("503").hears(f"AUTH PLAIN {GOOD}").says("235")
                   .hears(MAIL + " AUTH=<>", RCPT, "DATA").says("250").says("250").says("354").hears(".").says("250"))
    run(main())
    assert box.protocols == ["ESMTPSA"]
    assert (box.sessions[0].user, box.sessions[0].mechanism) == (ALICE.user, "PLAIN")


def test_S03_auth_is_not_offered_before_tls() -> None:
    async def main() -> None:
        async with submission(implicit_tls=False) as place:
            await (greeted(place).never_said("AUTH").hears("STARTTLS").says("220").starts_tls()
                   .hears("EHLO a.example").says("250-", "250-AUTH SCRAM-SHA-256 PLAIN LOGIN"))
    run(main())


def test_S04_good_and_bad_passwords_in_clear_are_refused_alike() -> None:
    async def main() -> None:
        async with submission(implicit_tls=False) as place:
            replies = [(await greeted(place).hears(f"AUTH {words}").says("538 5.7.11"))[-1]
                       for words in (f"PLAIN {GOOD}", f"PLAIN {BAD}", "LOGIN", "NTLM", "PLAIN !")]
            assert all(reply == replies[0] for reply in replies)
    run(main())


def test_unsafe_cleartext_auth_has_to_be_asked_for() -> None:
    box = Inbox()

    async def main() -> None:
        async with submission(handler=box, implicit_tls=False, unsafe_cleartext_auth=True) as place:
            await (greeted(place).hears("EHLO a.example").says("250-", "250-AUTH ")
                   .hears(f"AUTH PLAIN {GOOD}").says("235")
                   .hears(MAIL, RCPT, "DATA").says("250").says("250").says("354").hears(".").says("250")
                   .hears("STARTTLS").says("220").starts_tls().hears("EHLO a.example").says("250")
                   .hears(MAIL).says("530"))
    run(main())
    assert box.protocols == ["ESMTPA"]


def test_S08_the_null_reverse_path_may_be_submitted() -> None:
    async def main() -> None:
        async with submission() as place:
            await over_tls(place).hears(f"AUTH PLAIN {GOOD}").says("235").hears("MAIL FROM:<>").says("250")
    run(main())


def test_nobody_can_sign_in_where_there_are_no_accounts_or_after_helo() -> None:
    async def main() -> None:
        async with serving() as place:
            await greeted(place).never_said("AUTH").hears(f"AUTH PLAIN {GOOD}").says("502 5.5.1")
        async with submission() as place:
            await over_tls(place).hears("HELO a.example").says("250").hears(f"AUTH PLAIN {GOOD}").says("503 5.5.1")
    run(main())


def test_a_failing_owner_means_454_and_nobody_is_signed_in() -> None:
    class Failing(Inbox):
        async def authenticated(self, session: Session, user: str) -> None:
            raise OSError("no such directory")

    async def main() -> None:
        import asyncio
        asyncio.get_running_loop().set_exception_handler(lambda _, context: None)
        async with submission(handler=Failing()) as place:
            await over_tls(place).hears(f"AUTH PLAIN {GOOD}").says("454 4.7.0").hears(MAIL).says("530")
    run(main())


@pytest.mark.parametrize("words", ["PLAIN " + "A" * 64, "LOGIN " + "A" * 64, "SCRAM-SHA-256 " + b64("n,,n=\0,r=x")])
def test_odd_names_cannot_break_the_server(words: str) -> None:
    async def main() -> None:
        async with submission() as place:
            await over_tls(place).hears(f"AUTH {words}").says("").hears("*").says("").hears("NOOP").says("250")
    run(main())
