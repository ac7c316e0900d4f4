"""The baseline: mail over two hops with nothing of the simulator. aiosmtplib and aiosmtpd over real sockets on
127.0.0.1, the same login and the same TLS as a journey has, but nothing recorded, no DNS, no queue and no mailbox.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiosmtplib
import trustme
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from benchmarks.measure import LETTER

HOST = "127.0.0.1"
OK = "250 2.0.0 OK"


class _Server(SMTP):
    """aiosmtpd as it is; only a dictionary that all servers of a process share gets one per server."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self.command_size_limits: dict[str, int] = defaultdict(lambda: self.command_size_limit)
        super().__init__(*args, **options)


class _Mx:
    def __init__(self) -> None:
        self.taken = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.taken += 1
        return OK


class BarePipeline:
    """Two servers that run; `send` sends messages one after the other, with new connections for each."""

    def __init__(self, tls: bool) -> None:
        self.tls = tls
        self.loop = asyncio.new_event_loop()
        self.mx = _Mx()
        authority = trustme.CA()
        self._trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        authority.configure_trust(self._trusting)
        self._careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # as relays are: TLS without checking the name
        self._careless.check_hostname, self._careless.verify_mode = False, ssl.CERT_NONE
        self._server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(HOST, "localhost").configure_cert(self._server_tls)
        self.loop.run_until_complete(self._start())

    async def _start(self) -> None:
        starttls = self._server_tls if self.tls else None
        mx = lambda: _Server(self.mx, hostname="mx.bob.example", loop=self.loop, tls_context=starttls)  # noqa: E731
        self._mx_server = await self.loop.create_server(mx, HOST, 0)
        self._mx_port = self._mx_server.sockets[0].getsockname()[1]
        msa = lambda: _Server(  # noqa: E731
            self, hostname="mail.alice.example", loop=self.loop, auth_require_tls=False, authenticator=_believe
        )
        self._msa_server = await self.loop.create_server(msa, HOST, 0, ssl=starttls)
        self._msa_port = self._msa_server.sockets[0].getsockname()[1]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Relay at once what was submitted."""
        await aiosmtplib.send(
            envelope.content or b"",
            sender=envelope.mail_from,
            recipients=envelope.rcpt_tos,
            hostname=HOST,
            port=self._mx_port,
            start_tls=self.tls,
            tls_context=self._careless if self.tls else None,
            local_hostname="mail.alice.example",
        )
        return OK

    async def _send(self) -> None:
        await aiosmtplib.send(
            LETTER,
            hostname=HOST,
            port=self._msa_port,
            use_tls=self.tls,
            start_tls=False,
            tls_context=self._trusting if self.tls else None,
            username="alice",
            password="secret-of-alice",
            local_hostname="laptop.alice.example",
        )

    def send(self, count: int) -> float:
        """Send messages; return how many passed both hops per second."""

        async def all_of_them() -> None:
            for _ in range(count):
                await self._send()

        before, began = self.mx.taken, time.perf_counter()
        self.loop.run_until_complete(all_of_them())
        elapsed_s = time.perf_counter() - began
        if self.mx.taken != before + count:
            raise RuntimeError(f"{before + count - self.mx.taken} of {count} messages were lost in the bare pipeline")
        return count / elapsed_s

    def close(self) -> None:
        """Stop the servers and the loop."""
        self._msa_server.close()
        self._mx_server.close()
        self.loop.run_until_complete(asyncio.sleep(0.1))
        self.loop.close()


def _believe(*_: Any) -> AuthResult:
    return AuthResult(success=True)


@contextmanager
def bare_pipeline(tls: bool) -> Iterator[BarePipeline]:
    """Run a bare pipeline, without the remarks that aiosmtpd makes about it."""
    logging.getLogger("mail").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline = BarePipeline(tls)
        try:
            yield pipeline
        finally:
            pipeline.close()
