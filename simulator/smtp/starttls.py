"""Laying TLS over a connection [IO]: the same at both ends, after STARTTLS (RFC 3207) and from the first octet."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

from simulator.errors import SimulatorError
from simulator.tls.contexts import handshake_facts
from simulator.tls.hello import explain_tls_error
from simulator.trace.events import TlsEstablished, TlsFailed

if TYPE_CHECKING:
    from simulator.network.link import Wire


class TlsError(SimulatorError):
    """A handshake did not succeed; the message says why in one sentence. The connection is gone."""

    exit_code = 1


class Endpoint(Protocol):
    """An asyncio protocol that can be told about TLS."""

    def data_received(self, data: bytes) -> None: ...
    def connection_lost(self, error: Exception | None, /) -> None: ...

    def tls_established(self, transport: asyncio.Transport, implicit: bool, facts: dict[str, Any]) -> None:
        """From now on write to `transport`; what is received from now on came through TLS."""


class _Doorkeeper(asyncio.Protocol):
    """Holds what arrives during the handshake.

    A peer may speak in the same segment that ends the handshake, and then asyncio delivers it before `start_tls`
    returns: before anybody could note that from here on everything is inside TLS.
    """

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._ended: BaseException | Literal[False] | None = False

    def data_received(self, data: bytes) -> None:
        self._held.append(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = exc

    def hand_over(self, transport: asyncio.Transport, endpoint: Endpoint) -> None:
        transport.set_protocol(cast(asyncio.Protocol, endpoint))
        for octets in self._held:
            endpoint.data_received(octets)
        if self._ended is not False:
            endpoint.connection_lost(cast("Exception | None", self._ended))


async def lay_tls(loop: asyncio.AbstractEventLoop, transport: asyncio.Transport, endpoint: Endpoint,
                  context: ssl.SSLContext, *, side: Literal["client", "server"], host: str, implicit: bool,
                  server_hostname: str | None = None, handshake_timeout_s: float = 60.0,
                  shutdown_timeout_s: float = 5.0, cause: int | None = None) -> None:
    """Do a handshake over `transport` and tell `endpoint` about it.

    Records `TlsEstablished` or `TlsFailed` as seen by `host`. What the peer says inside TLS reaches the endpoint only
    after that. Raises TlsError; then the connection is gone.
    """
    wire: Wire | None = transport.get_extra_info("wire")
    keeper = _Doorkeeper()
    try:
        secured = await loop.start_tls(
            transport, keeper, context, server_side=side == "server", server_hostname=server_hostname,
            ssl_handshake_timeout=handshake_timeout_s, ssl_shutdown_timeout=shutdown_timeout_s)
        if secured is None:  # asyncio says so when the connection was closed meanwhile
            raise ConnectionResetError("closed during the handshake")
    except (OSError, EOFError) as error:  # ssl.SSLError, time-outs and lost connections are all of these
        transport.abort()
        reason = explain_tls_error(error)
        if wire is not None:
            wire.recorder.record(TlsFailed, host=host, seen_by=side, connection=wire.number, cause=cause,
                                 implicit=implicit, reason=reason)
        raise TlsError(reason) from error
    facts = handshake_facts(secured.get_extra_info("ssl_object"))
    if wire is not None:
        wire.recorder.record(TlsEstablished, host=host, seen_by=side, connection=wire.number, cause=cause,
                             implicit=implicit, **facts)
    endpoint.tls_established(secured, implicit, facts)
    keeper.hand_over(secured, endpoint)
