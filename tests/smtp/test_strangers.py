"""Strangers must agree: smtplib and aiosmtplib talk to our server, on port 465 and on port 587."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from typing import Any

import aiosmtplib
import pytest
from support.talk import ALICE, AUTHORITY, HOST, Inbox, accounts, run, server_tls, serving

from simulator.tls.contexts import client_context


def letter() -> EmailMessage:
    """Write a letter with everything that is hard to carry."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "alice@alice.example", "bob@bob.example", "Grüße"
    message.set_content(".\r\n..\nA line that begins with a dot follows:\n.dot\n", cte="8bit")
    return message


def submission(box: Inbox, implicit: bool) -> Any:
    """Run a submission server."""
    return serving(box, tls_context=server_tls(), implicit_tls=implicit, accounts=accounts, auth_required=True)


class _Named:
    """A context that checks for the server's name although the client dials 127.0.0.1."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def wrap_socket(self, sock: Any, **options: Any) -> ssl.SSLSocket:
        return self._context.wrap_socket(sock, **options | {"server_hostname": HOST})


def context() -> Any:
    """Make a verifying context of the standard library's own."""
    plain = ssl.create_default_context(cadata=AUTHORITY.certificate_pem.decode())
    return _Named(plain)


@pytest.mark.parametrize("implicit", [True, False])
def test_smtplib_submits(implicit: bool) -> None:
    box = Inbox()

    def submit(place: tuple[str, int]) -> dict[str, Any]:
        client = smtplib.SMTP_SSL(*place, context=context()) if implicit else smtplib.SMTP(*place)
        with client:
            if not implicit:
                client.starttls(context=context())
            client.login(ALICE.user, "wonderland")
            refused: dict[str, Any] = client.send_message(letter(), to_addrs=["bob@bob.example", "nobody@bob.example"])
            return refused

    async def main() -> None:
        async with submission(box, implicit) as place:
            refused = await asyncio.to_thread(submit, place)
            assert refused["nobody@bob.example"][0] == 550
    run(main())
    assert box.protocols == ["ESMTPSA"]
    assert b"\r\n.dot\r\n" in box.contents[0]


@pytest.mark.parametrize("provoke", [
    lambda client: client.login(ALICE.user, "wrong"),
    lambda client: client.sendmail("a@a.example", ["b@b.example"], "x")])
def test_smtplib_understands_our_refusals(provoke: Callable[[smtplib.SMTP], Any]) -> None:
    def submit(place: tuple[str, int]) -> None:
        client = smtplib.SMTP_SSL(*place, context=context())
        with client, pytest.raises(smtplib.SMTPResponseException) as caught:
            provoke(client)
        assert caught.value.smtp_code in (530, 535)

    async def main() -> None:
        async with submission(Inbox(), True) as place:
            await asyncio.to_thread(submit, place)
    run(main())


@pytest.mark.parametrize("implicit", [True, False])
def test_aiosmtplib_submits(implicit: bool) -> None:
    box = Inbox()

    async def main() -> None:
        async with submission(box, implicit) as place:
            trusting = client_context(AUTHORITY, verify=False)  # it checks for the name that it dials
            client = aiosmtplib.SMTP(hostname=place[0], port=place[1], use_tls=implicit, start_tls=not implicit,
                                     tls_context=trusting, username=ALICE.user, password="wonderland")
            async with client:
                assert {"pipelining", "8bitmime", "smtputf8"} <= set(client.esmtp_extensions)
                errors, text = await client.send_message(letter())
            assert (errors, text) == ({}, "2.0.0 Message 1 taken")
    run(main())
    assert box.protocols == ["ESMTPSA"]
    assert b"\r\n..\r\n" in box.contents[0]


def test_smtplib_delivers_without_tls_and_with_helo() -> None:
    box = Inbox()

    def deliver(place: tuple[str, int]) -> None:
        with smtplib.SMTP(*place) as client:
            client.helo("old.example")
            client.sendmail("alice@alice.example", ["bob@bob.example"], "Subject: x\n\n.\n")
            assert client.vrfy("bob")[0] == 252
            assert client.help().startswith(b"2.0.0 Commands")

    async def main() -> None:
        async with serving(box) as place:
            await asyncio.to_thread(deliver, place)
    run(main())
    assert box.protocols == ["SMTP"]
    assert box.contents == [b"Subject: x\r\n\r\n.\r\n"]
