"""Conformance of every server under TLS: rows T01 to T15."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import pytest
from support.talk import AUTHORITY, HOST, PATIENCE_S, Inbox, greeted, run, run_simulated, server_tls, serving, talk

from simulator.network.loop import NetworkLoop
from simulator.tls.contexts import KeyLog, client_context, server_context
from simulator.trace.events import TlsEstablished, TlsFailed
from simulator.trace.recorder import Recorder

MAIL, RCPT = "MAIL FROM:<alice@alice.example>", "RCPT TO:<bob@bob.example>"


def test_T01_starttls_is_offered_only_when_it_is_possible() -> None:
    async def main() -> None:
        async with serving(tls_context=server_tls()) as place:
            await (greeted(place).hears("STARTTLS now").says("501 5.5.4")
                   .hears("EHLO a.example").says("250-", "250-STARTTLS")
                   .hears("STARTTLS").says("220 2.0.0").starts_tls()
                   .hears("STARTTLS").says("503 5.5.1").hears("EHLO a.example").says("250").never_said("STARTTLS")
                   .hears("STARTTLS").says("503 5.5.1").hears("QUIT").says("221").closes())
            await (talk(place).says("220").hears("STARTTLS").says("503").hears("HELO a.example").says("250")
                   .hears("STARTTLS").says("503"))
        async with serving() as place:
            await greeted(place).never_said("STARTTLS").hears("STARTTLS").says("502 5.5.1").hears("NOOP").says("250")
    run(main())


def test_T02_everything_learnt_before_tls_is_forgotten() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box, tls_context=server_tls()) as place:
            await (greeted(place).hears(MAIL).says("250").hears(RCPT).says("250")
                   .hears("STARTTLS").says("220").starts_tls()
                   .hears(RCPT).says("503").hears(MAIL).says("503 5.5.1 Say EHLO")
                   .hears("EHLO other.example").says("250")
                   .hears(MAIL, RCPT, "DATA").says("250").says("250").says("354").hears(".").says("250"))
    run(main())
    session = box.sessions[0]
    assert session.helo_name == "other.example"
    assert session.tls is not None
    assert (session.tls.version, session.tls.server_name) == ("TLSv1.3", HOST)
    assert box.protocols == ["ESMTPS"]
    assert not session.implicit_tls


def test_T06_cleartext_mail_is_taken_where_tls_is_possible() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box, tls_context=server_tls()) as place:
            await greeted(place).hears(MAIL, RCPT, "DATA").says("250").says("250").says("354").hears(".").says("250")
    run(main())
    assert box.protocols == ["ESMTP"]


def test_T08_implicit_tls_says_nothing_in_clear() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box, tls_context=server_tls(), implicit_tls=True) as place:
            await (greeted(place, client_context(AUTHORITY)).never_said("STARTTLS").hears("STARTTLS").says("503")
                   .hears(MAIL, RCPT, "DATA").says("250").says("250").says("354").hears(".").says("250")
                   .hears("QUIT").says("221").closes())
            await talk(place).hears("EHLO client.example").closes()
    run(main())
    assert box.protocols == ["ESMTPS"]
    assert box.sessions[0].implicit_tls


def test_T08_a_tls_client_on_a_starttls_port_fails_and_the_server_goes_on() -> None:
    async def main() -> None:
        async with serving(tls_context=server_tls()) as place:
            with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
                await talk(place, client_context(AUTHORITY))
            await greeted(place)
    run(main())


def test_T09_old_versions_of_tls_are_refused() -> None:
    async def main() -> None:
        async with serving(tls_context=server_tls()) as place:
            old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
            old.set_ciphers("ALL:@SECLEVEL=0")
            with pytest.warns(DeprecationWarning, match="TLSv1_1"):
                old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await greeted(place).hears("STARTTLS").says("220").starts_tls(old)
    run(main())


@pytest.mark.parametrize("version", ["1.2", "1.3"])
@pytest.mark.parametrize("implicit", [True, False])
def test_T12_a_client_without_server_name_is_served(version: str, implicit: bool) -> None:
    async def main() -> None:
        context = server_context(AUTHORITY, (HOST,), versions=(version,))
        async with serving(tls_context=context, implicit_tls=implicit) as place:
            nameless = client_context(AUTHORITY, verify=False)
            if implicit:
                _, writer = await asyncio.open_connection(*place, ssl=nameless, server_hostname="")
                writer.close()
                await writer.wait_closed()
                await greeted(place, nameless)
            else:
                await greeted(place).hears("STARTTLS").says("220").starts_tls(nameless, "").hears("NOOP").says("250")
    run(main())


def test_T15_the_server_says_goodbye_inside_tls_too() -> None:
    async def main() -> None:
        async with serving(tls_context=server_tls(), implicit_tls=True) as place:
            reader, writer = await asyncio.open_connection(*place)
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = client_context(AUTHORITY).wrap_bio(incoming, outgoing, server_hostname=HOST)

            async def until_done(what: Any, *args: Any) -> Any:
                while True:
                    try:
                        return what(*args)
                    except ssl.SSLWantReadError:
                        writer.write(outgoing.read())
                        octets = await asyncio.wait_for(reader.read(65536), PATIENCE_S)
                        incoming.write(octets) if octets else incoming.write_eof()

            await until_done(tls.do_handshake)
            assert (await until_done(tls.read, 1000)).startswith(b"220 ")
            tls.write(b"QUIT\r\n")
            assert (await until_done(tls.read, 1000)).startswith(b"221 ")
            assert await until_done(tls.read, 1000) == b""  # close_notify; without it this is an SSLEOFError
            writer.close()
    run(main())


def test_a_server_that_speaks_in_the_same_segment_as_the_end_of_the_handshake_is_recorded_inside_tls() -> None:
    async def main(loop: NetworkLoop) -> None:
        log = KeyLog()
        context = server_context(AUTHORITY, (HOST,), versions=("1.2",), keylog=log)
        for implicit in (True, False):
            async with serving(tls_context=context, implicit_tls=implicit) as place:
                if implicit:
                    await greeted(place, client_context(AUTHORITY)).hears("QUIT").says("221").closes()
                else:
                    await greeted(place).hears("STARTTLS").says("220").starts_tls().hears("QUIT").says("221").closes()
        trace = loop.recorder.trace()
        first, second = trace.of(TlsEstablished, seen_by="server")
        assert (first.implicit, second.implicit) == (True, False)
        assert first.certificate_names == (HOST,)
        assert first.server_name == HOST
        assert first.verified is None
        assert trace.stream(1, "server.sent").tls_from == 0
        assert trace.stream(2, "server.sent").octets[:trace.stream(2, "server.sent").tls_from].endswith(b"TLS now\r\n")
        assert trace.stream(2, "server.received").octets == b"EHLO client.example\r\nSTARTTLS\r\nQUIT\r\n"
        assert any(line.startswith("CLIENT_RANDOM") for line in log.lines)
        log.close()
    run_simulated(main)


def test_failed_handshakes_are_recorded_with_a_plain_reason() -> None:
    async def main(loop: NetworkLoop) -> Recorder:
        async with serving(tls_context=server_tls(), implicit_tls=True, tls_handshake_timeout_s=20) as place:
            await talk(place).hears("EHLO client.example").closes()
            before = loop.time()
            await talk(place).closes()  # it says nothing at all
            assert loop.time() - before == pytest.approx(20.1, abs=0.1)
            await talk(place).does(lambda: asyncio.sleep(1)).leaves()
        return loop.recorder

    reasons = [event.reason for event in run_simulated(main).trace().of(TlsFailed, seen_by="server")]
    assert ["not TLS" in reasons[0], "in time" in reasons[1], "ended the connection" in reasons[2]] == [True] * 3
