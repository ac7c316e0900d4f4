"""Whatever octets come in, a server answers, lets go, or waits; it never breaks and never delivers."""

from __future__ import annotations

import asyncio
import random
import ssl
from contextlib import suppress

import pytest
from support.talk import AUTHORITY, Inbox, accounts, greeted, run, run_simulated, server_tls, serving, talk

from simulator.network.loop import NetworkLoop
from simulator.tls.contexts import client_context

PIECES = [b"EHLO a.example", b"MAIL FROM:<a@a.example>", b"RCPT TO:<b@b.example>", b"DATA", b"AUTH PLAIN",
          b"AUTH LOGIN =", b"*", b"STARTTLS", b"RSET", b"QUIT", b".", b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\0",
          b" ", b"\xff\xfe", b"x" * 3000, b"<>", b"\x16\x03\x01\x02\x00"]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("implicit", [True, False])
def test_garbage_on_the_port(seed: int, implicit: bool) -> None:
    box, rng = Inbox(), random.Random(seed)

    async def main(loop: NetworkLoop) -> None:
        async with serving(box, tls_context=server_tls(), implicit_tls=implicit, accounts=accounts, auth_required=True,
                           unsafe_cleartext_auth=True) as place:
            for inside_tls in (False, True):
                reader, writer = await asyncio.open_connection(
                    *place, ssl=client_context(AUTHORITY, verify=False) if inside_tls and implicit else None)
                for _ in range(60):
                    writer.write(rng.choice(PIECES))
                    if rng.random() < 0.3:
                        await asyncio.sleep(rng.choice([0, 0.01, 1]))
                writer.write_eof() if writer.can_write_eof() else writer.close()
                with suppress(ConnectionError, ssl.SSLError):  # refused in the middle of its own words
                    said = await reader.read()
                    assert all(line[:3].isdigit() for line in said.split(b"\r\n")[:-1])
                writer.close()
    run_simulated(main)
    assert box.envelopes == []


def test_an_endless_line_is_refused_once_and_skipped() -> None:
    async def main() -> None:
        async with serving() as place:
            await (greeted(place).hears_octets(b"x" * 5_000_000).says("500 5.5.2")
                   .hears_octets(b"x\r\nNOOP\r\n").says("250 2.0.0 OK"))
    run(main())


@pytest.mark.parametrize("line", [
    b"\0NOOP", b"NOOP\0", b"MAIL FROM:<a@a.example>\0", b"N\xc3\xa9OP", b"\x80\x81", b" NOOP", b"\tNOOP"])
def test_strange_lines_are_refused_and_the_session_goes_on(line: bytes) -> None:
    async def main() -> None:
        async with serving() as place:
            await greeted(place).hears_octets(line + b"\r\n").says("500 5.5.").hears("NOOP").says("250")
    run(main())


def test_what_a_client_says_never_adds_a_line_to_a_reply() -> None:
    async def main() -> None:
        async with serving() as place:
            for words in ('MAIL FROM:<"a b"c@d.example>', "MAIL FROM:<a@-.example>", "MAIL FROM:<a@\u2028.example>"):
                replies = await greeted(place).hears(words).says("50")
                assert len(replies[-1]) == 1
            await talk(place).says("220").hears("EHLO \u2028250-AUTH").says("501")
    run(main())
