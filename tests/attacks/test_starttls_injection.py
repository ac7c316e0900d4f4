"""Commands put behind STARTTLS in clear are never executed inside TLS (CVE-2011-0411, RFC 3207 section 4; row T03)."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from support.talk import AUTHORITY, HOST, Inbox, greeted, run, run_simulated, server_tls, serving

from simulator.network.loop import NetworkLoop
from simulator.tls.contexts import client_context
from simulator.trace.events import TlsFailed

INJECTED = b"EHLO eve.example\r\nMAIL FROM:<eve@eve.example>\r\nRCPT TO:<bob@bob.example>\r\nDATA\r\n"


@pytest.mark.parametrize("tail", [INJECTED, b"NOOP\r\n", b"NO", b"\r\n", b"\0"])
def test_T03_a_tail_in_the_same_segment_ends_the_session(tail: bytes) -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box, tls_context=server_tls()) as place:
            await greeted(place).hears_octets(b"STARTTLS\r\n" + tail).says("421 4.7.0").closes()
    run(main())
    assert box.envelopes == []


@pytest.mark.parametrize("tail", [INJECTED, b"NO"])
def test_T03_a_tail_in_the_next_segment_spoils_the_handshake(tail: bytes) -> None:
    box = Inbox()

    async def main(loop: NetworkLoop) -> None:
        async with serving(box, tls_context=server_tls()) as place:
            reader, writer = await asyncio.open_connection(*place)
            await reader.readline()
            writer.write(b"EHLO a.example\r\n")
            while not (await reader.readline()).startswith(b"250 "):
                pass
            writer.write(b"STARTTLS\r\n")
            assert (await reader.readline()).startswith(b"220 ")
            writer.write(tail)
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await writer.start_tls(client_context(AUTHORITY), server_hostname=HOST)
            await asyncio.sleep(1)
            assert loop.recorder.trace().of(TlsFailed, seen_by="server")
    run_simulated(main)
    assert box.envelopes == []


def test_T03_half_a_command_before_and_half_inside_tls_never_become_one() -> None:
    box = Inbox()

    async def main() -> None:
        async with serving(box, tls_context=server_tls()) as place:
            await (greeted(place).hears("STARTTLS").says("220").starts_tls().hears("EHLO a.example").says("250")
                   .hears_octets(b"OP\r\n").says("500"))
    run(main())


def test_P23_honest_pipelining_goes_on_working() -> None:
    async def main() -> None:
        async with serving(tls_context=server_tls()) as place:
            await (greeted(place).hears("RSET", "NOOP", "STARTTLS").says("250").says("250").says("220").starts_tls()
                   .hears("EHLO a.example", "NOOP").says("250").says("250 2.0.0"))
    run(main())
