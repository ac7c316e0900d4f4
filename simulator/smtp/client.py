"""The SMTP client [IO]: dials a host and does what `ClientSession` says, until the connection is really gone."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from simulator.errors import UsageError
from simulator.network.network import dialling
from simulator.protocol.client_session import TIMEOUTS_S, Action, Attempt, ClientSession, Close, Send, StartTls
from simulator.protocol.session_outcome import SessionOutcome, TlsPolicy
from simulator.smtp.connection import Connection
from simulator.smtp.sasl import make_nonce, make_sasl
from simulator.smtp.starttls import TlsError, lay_tls

REPLY_TIMEOUT_S = 300.0
"""For every reply that `TIMEOUTS_S` does not name (RFC 5321 section 4.5.3.2)."""


async def run_session(loop: asyncio.AbstractEventLoop, attempt: Attempt, *, host_name: str, address: str, port: int,
                      host: str, source_address: str | None = None, tls_context: ssl.SSLContext | None = None,
                      server_hostname: str | None = None, message: str | None = None, cause: int | None = None,
                      connect_timeout_s: float = 30.0, nonce: Callable[[], str] = make_nonce) -> SessionOutcome:
    """Have one session with the server `host_name` at `address` and `port`; return what came of it.

    `host` is the client's own name, `server_hostname` the name that the certificate must be for (by default
    `host_name`); whether it is checked is up to `tls_context`. `message` and `cause` go into the trace. `nonce` makes
    the client's part of a SCRAM nonce: give one of your own to repeat a run exactly. What goes wrong on the way is part
    of the outcome. Raises UsageError when the attempt wants TLS and there is no context.
    """
    if tls_context is None and attempt.tls is not TlsPolicy.NONE:
        raise UsageError("A session that may use TLS needs a tls_context; one that may not has TlsPolicy.NONE.")
    session = ClientSession(attempt, lambda *credentials: make_sasl(*credentials, nonce=nonce()))
    implicit = attempt.tls is TlsPolicy.IMPLICIT
    talk = _Talk(loop, session, tls_context, server_hostname or host_name, host, cause)
    try:
        async with asyncio.timeout(connect_timeout_s):
            with dialling(message, cause):
                _, talk.connection = await loop.create_connection(
                    lambda: Connection(implicit), address, port,
                    local_addr=(source_address, 0) if source_address else None)
    except OSError as error:  # time-outs and refusals are OSErrors too
        session.lost(why_not(error, f"{host_name} ({address})", port))
        return session.outcome
    try:
        await talk.run()
    finally:
        if not talk.connection.gone.done():  # cancelled: do not leave a connection behind
            talk.connection.transport.abort()
    return session.outcome


class _Talk:
    """One session on one connection."""

    connection: Connection

    def __init__(self, loop: asyncio.AbstractEventLoop, session: ClientSession, tls_context: ssl.SSLContext | None,
                 server_hostname: str, host: str, cause: int | None) -> None:
        self.loop, self.session, self.tls_context = loop, session, tls_context
        self.server_hostname, self.host, self.cause = server_hostname, host, cause

    async def run(self) -> None:
        """Do what the session says until it says Close."""
        if self.session.attempt.tls is TlsPolicy.IMPLICIT:
            actions = await self._tls(implicit=True) or self.session.connected()
        else:
            actions = self.session.connected()
        while not await self._do(actions):
            actions = await self._hear()

    async def _do(self, actions: list[Action]) -> bool:
        """Do as told; return True when the session is over."""
        for action in actions:
            match action:
                case Send(octets):
                    try:
                        async with asyncio.timeout(TIMEOUTS_S["text"]):  # RFC 5321 section 4.5.3.2.5
                            await self.connection.write(octets)
                    except TimeoutError:
                        return await self._do(self.session.lost("the server takes no more octets"))
                case StartTls():
                    return await self._do(await self._starttls())
                case Close(abort):
                    await self.connection.close(abort)
                    return True
        return False

    async def _hear(self) -> list[Action]:
        timeout_s = TIMEOUTS_S.get(self.session.waiting_for, REPLY_TIMEOUT_S)
        try:
            async with asyncio.timeout(timeout_s):
                octets = await self.connection.read()
        except TimeoutError:
            return self.session.lost(f"the server said nothing for {timeout_s:g} seconds")
        if octets:
            return self.session.receive(octets)
        return self.session.lost("the server closed the connection") or [Close(abort=True)]

    async def _starttls(self) -> list[Action]:
        self.connection.transport.pause_reading()
        if self.connection.unread:
            # RFC 3207 section 6: what came in clear behind the 220 must not be taken for a reply from inside TLS
            return self.session.lost("somebody put text behind the server's answer to STARTTLS")
        return await self._tls(implicit=False)

    async def _tls(self, implicit: bool) -> list[Action]:
        assert self.tls_context is not None
        try:
            await lay_tls(self.loop, self.connection.transport, self.connection, self.tls_context, side="client",
                          host=self.host, implicit=implicit, server_hostname=self.server_hostname, cause=self.cause)
        except TlsError as error:
            return self.session.tls_failed(str(error))
        return self.session.tls_established(bool(self.connection.facts.get("verified")))


def why_not(error: OSError, place: str, port: int) -> str:
    """Say in words why a connection did not come about."""
    if isinstance(error, TimeoutError):
        return f"{place} does not answer on port {port}"
    if isinstance(error, ConnectionRefusedError):
        return f"{place} refuses connections on port {port}"
    return f"{place} cannot be reached on port {port}: {error.strerror or error}"
