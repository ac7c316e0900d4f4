"""The client drives `ClientSession` over real connections, against our server and against rude ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
from support.talk import (
    ALICE,
    AUTHORITY,
    HOST,
    LOGICAL,
    Inbox,
    accounts,
    run,
    run_simulated,
    server_tls,
    serving,
)

from simulator.errors import UsageError
from simulator.network.loop import NetworkLoop
from simulator.protocol.client_session import Attempt, Credentials, Envelope, SessionOutcome, TlsPolicy
from simulator.smtp.client import run_session
from simulator.tls.authority import Flaw
from simulator.tls.contexts import client_context, server_context
from simulator.trace.events import ConnectionClosed, TlsEstablished, TlsFailed

LAPTOP = ("laptop.alice.example", "198.51.100.10")
LETTER = Envelope(reverse_path="alice@alice.example", recipients=("bob@bob.example", "nobody@bob.example"),
                  content=b"Subject: x\r\n\r\n.dot\r\n")


def attempt(tls: TlsPolicy = TlsPolicy.REQUIRED, **options: Any) -> Attempt:
    """Describe an attempt to hand over the letter."""
    usual: dict[str, Any] = {"ehlo_name": LAPTOP[0], "tls": tls, "envelope": LETTER}
    return Attempt(**usual | options)


async def session(loop: NetworkLoop, what: Attempt, **options: Any) -> SessionOutcome:
    """Have one session with the server at `LOGICAL`."""
    if LAPTOP[1] not in loop.network.hosts:
        loop.network.add_host(*LAPTOP)
    usual: dict[str, Any] = {
        "host_name": HOST, "address": LOGICAL[0], "port": LOGICAL[1], "source_address": LAPTOP[1], "host": LAPTOP[0],
        "tls_context": client_context(AUTHORITY), "message": "m1"}
    return await run_session(loop, what, **usual | options)


@pytest.mark.parametrize("medium", ["memory", "loopback"])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN", "SCRAM-SHA-256"])
@pytest.mark.parametrize("tls", [TlsPolicy.IMPLICIT, TlsPolicy.REQUIRED, TlsPolicy.IF_OFFERED])
def test_a_letter_is_handed_over(medium: str, version: str, mechanism: str, tls: TlsPolicy) -> None:
    box, implicit = Inbox(), tls is TlsPolicy.IMPLICIT

    async def main(loop: NetworkLoop) -> None:
        context = server_context(AUTHORITY, (HOST,), versions=(version,))
        async with serving(box, tls_context=context, implicit_tls=implicit, accounts=accounts, auth_required=True):
            outcome = await session(loop, attempt(tls, credentials=Credentials(ALICE.user, "wonderland", (mechanism,))))
            ended_s = loop.time()
            await loop.network.quiet()
            assert loop.time() - ended_s < 0.1  # nobody waits for a time-out
        assert (outcome.failure, outcome.authenticated, outcome.tls_used) == (None, True, True)
        assert outcome.recipient("bob@bob.example").result == "accepted"
        assert outcome.recipient("nobody@bob.example").result == "permanent"
        trace = loop.recorder.trace()
        seen = trace.of(TlsEstablished)
        assert {event.seen_by for event in seen} == {"client", "server"}
        assert all(event.implicit is implicit and event.version == f"TLSv{version}" for event in seen)
        assert next(event for event in seen if event.seen_by == "client").verified is True
        assert trace.stream(1, "client.sent").octets == trace.stream(1, "server.received").octets
        assert trace.stream(1, "client.received").octets == trace.stream(1, "server.sent").octets
        assert trace.stream(1, "client.received").octets.endswith(b"goodbye\r\n")
        assert trace.connections[1].message == "m1"
        assert [event.how for event in trace.of(ConnectionClosed)] == ["fin"]
    run_simulated(main, medium)
    assert box.contents == [LETTER.content]
    assert box.protocols == ["ESMTPSA"]


def test_two_runs_with_given_nonces_are_the_same() -> None:
    async def main(loop: NetworkLoop) -> Any:
        context = client_context(AUTHORITY, versions=("1.3",))
        async with serving(tls_context=server_tls(), implicit_tls=True, accounts=accounts, nonce=lambda: "server"):
            await session(loop, attempt(TlsPolicy.IMPLICIT, credentials=Credentials(ALICE.user, "wonderland")),
                          tls_context=context, nonce=lambda: "client")
        return loop.recorder
    one, other = run_simulated(main).trace(), run_simulated(main).trace()
    assert one.same_story(other)


def test_it_also_works_on_an_ordinary_loop() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box, tls_context=server_tls()) as (address, port):
            outcome = await run_session(
                asyncio.get_running_loop(), attempt(), host_name=HOST, address=address, port=port, host=LAPTOP[0],
                tls_context=client_context(AUTHORITY))
            assert outcome.accepted
    run(main())
    assert box.protocols == ["ESMTPS"]


@pytest.mark.parametrize("flaw", [Flaw.SELF_SIGNED, Flaw.UNKNOWN_CA, Flaw.EXPIRED, Flaw.WRONG_NAME])
@pytest.mark.parametrize("tls", [TlsPolicy.IMPLICIT, TlsPolicy.REQUIRED])
def test_T10_a_bad_certificate_ends_the_session_before_a_word(flaw: Flaw, tls: TlsPolicy) -> None:
    box = Inbox()

    async def main(loop: NetworkLoop) -> Any:
        context = server_context(AUTHORITY, (HOST,), flaw=flaw)
        async with serving(box, tls_context=context, implicit_tls=tls is TlsPolicy.IMPLICIT):
            outcome = await session(loop, attempt(tls))
        assert outcome.tls_failed
        assert outcome.connected
        assert outcome.recipient("bob@bob.example").result == "temporary"
        return loop.recorder
    trace = run_simulated(main).trace()
    assert box.envelopes == []
    assert {event.seen_by for event in trace.of(TlsFailed)} == {"client", "server"}
    assert "certificate" in trace.of(TlsFailed, seen_by="client")[0].reason
    assert b"MAIL" not in trace.stream(1, "client.sent").octets


def test_an_opportunistic_client_takes_any_certificate_and_tells() -> None:
    box = Inbox()

    async def main(loop: NetworkLoop) -> None:
        context = server_context(AUTHORITY, (HOST,), flaw=Flaw.EXPIRED)
        async with serving(box, tls_context=context):
            outcome = await session(loop, attempt(TlsPolicy.IF_OFFERED),
                                    tls_context=client_context(AUTHORITY, verify=False))
        assert outcome.accepted
        seen = loop.recorder.trace().of(TlsEstablished, seen_by="client")[0]
        assert (seen.verified, seen.why_unverified) == (False, "expired")
    run_simulated(main)


def test_sessions_are_resumed_with_a_context_made_for_it() -> None:
    async def main(loop: NetworkLoop) -> None:
        async with serving(tls_context=server_tls()):
            context = client_context(AUTHORITY, resumption=True)
            for _ in range(2):
                assert (await session(loop, attempt(), tls_context=context)).accepted
        assert [event.resumed for event in loop.recorder.trace().of(TlsEstablished, seen_by="client")] == [False, True]
    run_simulated(main)


def test_what_tcp_says_is_part_of_the_outcome() -> None:
    async def main(loop: NetworkLoop) -> None:
        refused = await session(loop, attempt())
        assert "refuses connections on port 25" in (refused.failure.text if refused.failure else "")
        silent = await session(loop, attempt(), address="192.0.2.99", connect_timeout_s=30)
        assert "does not answer" in (silent.failure.text if silent.failure else "")
        assert loop.time() == pytest.approx(30.04)
        assert not refused.connected
        assert refused.recipient("bob@bob.example").result == "temporary"
    run_simulated(main)


# --- rude servers ----------------------------------------------------------------------------------------------------

Rude = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


def with_rude_server(rude: Rude, what: Attempt) -> tuple[SessionOutcome, float, bytes]:
    """Have a session with a rude server; return its outcome, how long it took, and what the client said."""
    async def main(loop: NetworkLoop) -> tuple[SessionOutcome, float, bytes]:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                await rude(reader, writer)
            writer.close()

        await asyncio.start_server(accept, *LOGICAL)
        outcome = await session(loop, what)
        return outcome, loop.time(), loop.recorder.trace().stream(1, "client.sent").octets
    return run_simulated(main)


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *keywords: str) -> None:
    """Say 220 and answer EHLO."""
    writer.write(b"220 rude.example\r\n")
    await reader.readline()
    writer.write("".join(f"250-{word}\r\n" for word in ("rude.example", *keywords)).encode() + b"250 HELP\r\n")


def test_T04_text_behind_the_answer_to_starttls_is_never_a_reply_from_inside() -> None:
    async def same_segment(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer, "STARTTLS")
        await reader.readline()
        writer.write(b"220 go ahead\r\n250-rude.example\r\n250 AUTH PLAIN\r\n")
        await reader.read()

    async def next_segment(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer, "STARTTLS")
        await reader.readline()
        writer.write(b"220 go ahead\r\n")
        writer.write(b"250-rude.example\r\n250 AUTH PLAIN\r\n")
        await reader.read()

    async def half_a_line(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer, "STARTTLS")
        await reader.readline()
        writer.write(b"220 go ahead\r\n25")
        await reader.read()

    for rude in (same_segment, next_segment, half_a_line):
        outcome, _, said = with_rude_server(rude, attempt(credentials=Credentials("alice", "secret")))
        assert not outcome.tls_used
        assert outcome.failure is not None
        assert said == b"EHLO laptop.alice.example\r\nSTARTTLS\r\n"


def test_T05_stripping_gets_nothing_but_goodbye() -> None:
    async def without(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer)
        await reader.readline()
        writer.write(b"221 bye\r\n")

    async def refusing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer, "STARTTLS")
        await reader.readline()
        writer.write(b"454 not now\r\n")
        await reader.readline()
        writer.write(b"221 bye\r\n")

    for rude, words in ((without, b""), (refusing, b"STARTTLS\r\n")):
        outcome, _, said = with_rude_server(rude, attempt(credentials=Credentials("alice", "secret")))
        assert said == b"EHLO laptop.alice.example\r\n" + words + b"QUIT\r\n"
        assert outcome.failure is not None


def test_a_tls_client_on_a_starttls_port_is_told_so() -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await greet(reader, writer, "STARTTLS")
        await reader.read()

    outcome, _, said = with_rude_server(rude, attempt(TlsPolicy.IMPLICIT))
    assert outcome.tls_failed
    assert outcome.failure is not None
    assert "not TLS" in outcome.failure.text
    assert said == b""


@pytest.mark.parametrize(("reply_to", "timeout_s"), [("greeting", 300), ("EHLO", 300), ("DATA", 120), ("final", 600)])
def test_C_timeouts_are_those_of_rfc_5321(reply_to: str, timeout_s: float) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if reply_to != "greeting":
            writer.write(b"220 rude.example\r\n")
            while (line := await reader.readline()).endswith(b"\r\n"):
                verb = line[:4].decode()
                if verb == reply_to:
                    break
                if verb == "DATA":
                    writer.write(b"354 go\r\n")
                    break
                writer.write(b"250 fine\r\n")
        await reader.read()

    outcome, took_s, _ = with_rude_server(rude, attempt(TlsPolicy.NONE))
    assert timeout_s <= took_s < timeout_s + 2
    assert outcome.failure is not None
    assert outcome.failure.text == f"the server said nothing for {timeout_s} seconds"
    assert outcome.recipient("bob@bob.example").result == "temporary"


@pytest.mark.parametrize("words", [
    b"", b"220 rude", b"220 rude.example\r\n", b"554 no\r\n", b"421 busy\r\n", b"HTTP/1.1 400\r\n\r\n", b"\xff"])
def test_a_server_that_leaves_early_makes_the_message_wait(words: bytes) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(words)
        if words == b"220 rude.example\r\n":
            await reader.readline()

    outcome, took_s, _ = with_rude_server(rude, attempt(TlsPolicy.NONE))
    assert took_s < 1
    assert outcome.recipient("bob@bob.example").result == ("permanent" if words.startswith(b"554") else "temporary")


def test_a_server_that_reads_no_further_is_given_up() -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 rude.example\r\n")
        while not (await reader.readline()).startswith(b"DATA"):
            writer.write(b"250 fine\r\n")
        writer.write(b"354 go\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(2000)

    big = Envelope(reverse_path="a@a.example", recipients=("b@b.example",), content=b"y\r\n" * 10**6)
    outcome, _, _ = with_rude_server(rude, attempt(TlsPolicy.NONE, envelope=big))
    assert outcome.failure is not None
    assert outcome.failure.text == "the server takes no more octets"


def test_wrong_calls_are_told() -> None:
    async def main(loop: NetworkLoop) -> None:
        with pytest.raises(UsageError, match="needs a tls_context"):
            await session(loop, attempt(), tls_context=None)
    run_simulated(main)


def test_a_cancelled_session_leaves_no_connection() -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def main(loop: NetworkLoop) -> None:
        await asyncio.start_server(rude, *LOGICAL)
        task = asyncio.create_task(session(loop, attempt()))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await loop.network.quiet()
    run_simulated(main)
