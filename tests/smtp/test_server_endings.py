"""How sessions end: slow clients, vanishing clients, crowds. In simulated time, so that waiting costs nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from support.talk import AUTHORITY, LOGICAL, Inbox, accounts, greeted, run_simulated, server_tls, serving, talk

from simulator.network.loop import NetworkLoop
from simulator.smtp.response import Response
from simulator.smtp.session import Envelope, Session
from simulator.tls.contexts import client_context

MAIL, RCPT = "MAIL FROM:<alice@alice.example>", "RCPT TO:<bob@bob.example>"


@pytest.mark.parametrize("implicit", [True, False])
def test_P17_P18_an_idle_client_is_told_before_the_connection_is_closed(implicit: bool) -> None:
    async def main(loop: NetworkLoop) -> None:
        async with serving(tls_context=server_tls(), implicit_tls=implicit) as place:
            script = greeted(place, client_context(AUTHORITY) if implicit else None)
            began = loop.time()
            await script.says("421 4.4.2").closes()
            assert 300 <= loop.time() - began < 301
    run_simulated(main)


@pytest.mark.parametrize("slow", ["command", "sasl", "data"])
def test_P18_time_runs_out_wherever_the_client_falls_silent(slow: str) -> None:
    box = Inbox()

    async def main(loop: NetworkLoop) -> None:
        async with serving(box, accounts=accounts, unsafe_cleartext_auth=True) as place:
            script = greeted(place)
            if slow == "command":
                script = script.hears_octets(b"NOO")
            elif slow == "sasl":
                script = script.hears("AUTH LOGIN").says("334")
            else:
                script = (script.hears(MAIL, RCPT, "DATA").says("250").says("250").says("354")
                          .hears("Subject: half a message").does(lambda: asyncio.sleep(299)).hears("more"))
            await script.says("421 4.4.2").closes()
            assert loop.time() < (620 if slow == "data" else 320)
    run_simulated(main)
    assert box.contents == []


def test_a_line_that_drips_in_does_not_keep_a_connection_for_ever() -> None:
    async def main(loop: NetworkLoop) -> None:
        async with serving() as place:
            script = greeted(place)
            for _ in range(5):
                script = script.hears_octets(b"N").does(lambda: asyncio.sleep(61))
            await script.says("421 4.4.2").closes()
    run_simulated(main)


@pytest.mark.parametrize("moment", [
    "before a word", "after a reply", "in a line", "in the text", "at the dot", "in sasl", "in tls",
    "in the text in tls"])
def test_P17_a_client_that_vanishes_leaves_nothing_behind(moment: str) -> None:
    box = Inbox()

    async def main(loop: NetworkLoop) -> None:
        async with serving(box, tls_context=server_tls(), accounts=accounts, unsafe_cleartext_auth=True) as place:
            script = greeted(place)
            if "in tls" in moment:
                script = script.hears("STARTTLS").says("220").starts_tls().hears("EHLO a.example").says("250")
            if "text" in moment:
                script = (script.hears(MAIL, RCPT, "DATA").says("250").says("250").says("354")
                          .hears("Subject: half a message", ""))
            elif moment == "at the dot":
                script = (script.hears(MAIL, RCPT, "DATA").says("250").says("250").says("354")
                          .hears_octets(b"text\r\n.\r"))
            elif moment == "in a line":
                script = script.hears_octets(b"MAIL FR")
            elif moment == "in sasl":
                script = script.hears("AUTH PLAIN").says("334")
            elif moment == "before a word":
                script = talk(place)
            await script.leaves()
    run_simulated(main)
    assert box.contents == []


class _Slow(Inbox):
    async def message(self, session: Session, envelope: Envelope) -> Response:
        await asyncio.sleep(1000)
        return await super().message(session, envelope)


def test_P19_a_message_that_is_being_stored_is_stored_even_when_the_client_has_gone() -> None:
    box = _Slow()

    async def main(loop: NetworkLoop) -> None:
        async with serving(box) as place:
            await greeted(place).hears(MAIL, RCPT, "DATA").says("250").says("250").says("354").hears("text", ".").does(
                lambda: asyncio.sleep(1)).leaves()
            await asyncio.sleep(2000)
    run_simulated(main)
    assert box.contents == [b"text\r\n"]


def test_P18_the_server_may_take_its_time_without_losing_the_client() -> None:
    async def main(loop: NetworkLoop) -> None:
        async with serving(_Slow()) as place:
            await (greeted(place).hears(MAIL, RCPT, "DATA").says("250").says("250").says("354")
                   .hears("text", ".").says("250"))
    run_simulated(main)


def test_a_client_that_does_not_read_is_let_go() -> None:
    async def main(loop: NetworkLoop) -> None:
        async with serving(transactions_limit=10**6) as place:
            _, writer = await asyncio.open_connection(*place)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(b"EHLO a.example\r\n" + b"NOOP\r\n" * 50_000)
            await asyncio.sleep(1000)
            assert loop.network.open_connections == 0
            writer.close()
    run_simulated(main)


def test_a_client_that_sends_ahead_is_slowed_down_not_dropped() -> None:
    async def main(loop: NetworkLoop) -> None:
        async with serving() as place:
            reader, writer = await asyncio.open_connection(*place)
            assert (await reader.readline()).startswith(b"220")
            writer.write(b"NOOP\r\n" * 20_000)  # more than the server reads ahead
            for _ in range(20_000):
                assert await reader.readline() == b"250 2.0.0 OK\r\n"
            writer.write(b"QUIT\r\n")
            assert (await reader.readline()).startswith(b"221")
            writer.close()
    run_simulated(main)


def test_one_client_may_not_take_all_connections() -> None:
    async def main(loop: NetworkLoop) -> None:
        async with serving(connections_per_client=2) as place:
            one, two = await asyncio.open_connection(*place), await asyncio.open_connection(*place)
            await talk(place).says("421 ").closes()
            loop.network.add_host("other.example", "192.0.2.77")
            reader, other = await asyncio.open_connection(*LOGICAL, local_addr=("192.0.2.77", 0))
            assert (await reader.readline()).startswith(b"220")
            one[1].close()
            await asyncio.sleep(1)
            await talk(place).says("220")
            two[1].close()
            other.close()
    run_simulated(main)


def test_when_everything_is_reset_no_task_is_left() -> None:
    async def main(loop: NetworkLoop) -> Any:
        async with serving(tls_context=server_tls()) as place:
            writers = [(await asyncio.open_connection(*place))[1] for _ in range(5)]
            await asyncio.sleep(1)
        loop.network.abort_all()
        await loop.network.quiet()
        return writers
    run_simulated(main)
