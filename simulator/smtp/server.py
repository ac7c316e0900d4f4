"""The one SMTP server [IO]: every mail server of the simulator is this class with other settings and another handler.

aiosmtpd brings the connection: the asyncio protocol, its writer with flow control, the task per client. What is said on
it is `Conversation`, where a line ends is `LineBuffer`, TLS is `lay_tls`. They replace aiosmtpd's command loop because
that one (1.4.6) takes a bare LF for a line end, closes idle connections without a word, does not know that it is
encrypted behind implicit TLS, and answers without enhanced status codes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

import aiosmtpd.smtp

from simulator.smtp.conversation import Conversation, Expect
from simulator.smtp.lines import BadLine, Data, LineBuffer
from simulator.smtp.response import Response
from simulator.smtp.session import Handler, Session, Tls, check_handler
from simulator.smtp.settings import ServerSettings
from simulator.smtp.starttls import TlsError, lay_tls

if TYPE_CHECKING:
    from simulator.network.link import EndpointTap

READ_AHEAD_OCTETS = 64 * 1024
"""A client that sends more than this before it is answered has to wait (flow control, RFC 2920 section 3.2)."""


class Gone(Exception):
    """The client is not there any more."""


class Clients:
    """The connections of one listening server."""

    def __init__(self) -> None:
        # asyncio keeps only weak references to tasks, and the tasks of these servers hang on nothing else
        self._servers: set[SmtpServer] = set()
        self._by_address: Counter[str] = Counter()

    def add(self, server: SmtpServer) -> int:
        """A client has connected; return how many connections there are now from its address."""
        self._servers.add(server)
        self._by_address[server.client.client_address] += 1
        return self._by_address[server.client.client_address]

    def discard(self, server: SmtpServer) -> None:
        """A client has been dealt with."""
        self._servers.discard(server)
        self._by_address[server.client.client_address] -= 1
        if not self._by_address[server.client.client_address]:
            del self._by_address[server.client.client_address]


class SmtpServer(aiosmtpd.smtp.SMTP):
    """One client's connection to a server. Use `serve_smtp` to listen."""

    def __init__(self, handler: Handler, settings: ServerSettings, *, loop: asyncio.AbstractEventLoop,
                 clients: Clients | None = None) -> None:
        # a class dict that every new aiosmtpd server clears, under the feet of the others
        self.command_size_limits: dict[str, int] = {}
        super().__init__(None, hostname=settings.hostname, ident=settings.ident, loop=loop)
        self.settings = settings
        self.client = Session(client_address="", client_port=0)
        self.talk = Conversation(handler, settings, self.client, self._report)
        self._clients = clients or Clients()
        self._lines = LineBuffer()
        self._arrival: asyncio.Future[None] | None = None
        self._reading_paused = self._ended = False
        self._tap: EndpointTap | None = None

    # --- the connection, as asyncio tells it -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected: note who it is and start the conversation (its task is started by aiosmtpd)."""
        address = transport.get_extra_info("peername") or ("unknown", 0)
        self.client.client_address, self.client.client_port = address[:2]
        self.client.wire = transport.get_extra_info("wire")
        self._tap = self.client.wire.tap("server") if self.client.wire else None
        if self.settings.implicit_tls:
            cast(asyncio.Transport, transport).pause_reading()  # what comes is for the TLS layer
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Octets have come, in clear text above TLS."""
        if self._tap is not None:
            self._tap.received(data)
        self._lines.feed(data)
        if self._arrival is None and len(self._lines) > READ_AHEAD_OCTETS and not self._reading_paused:
            self._reading_paused = True
            self._stream.pause_reading()
        self._wake()

    def eof_received(self) -> bool:
        """The client sends no more. What it has sent is still answered, but not inside TLS, which has no half-close."""
        self._ended = True
        self._wake()
        return self.client.tls is None

    def connection_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        self._ended = True
        self._wake()
        # not aiosmtpd's method: it would cancel a handler that is just storing a message
        asyncio.StreamReaderProtocol.connection_lost(self, error)

    def _reset_timeout(self, duration: float | None = None) -> None:
        """Do nothing: time is kept where the waiting is done, so that the client can be told before the close."""

    @property
    def _stream(self) -> asyncio.Transport:
        return cast(asyncio.Transport, self.transport)

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    def _report(self, error: Exception) -> None:
        self.loop.call_exception_handler(
            {"message": f"{self.settings.hostname} failed at a command", "exception": error, "protocol": self})

    # --- the conversation --------------------------------------------------------------------------------------------

    async def _handle_client(self) -> None:
        """Talk to one client until one of the two ends it (aiosmtpd starts this for each connection)."""
        crowded = self._clients.add(self) > self.settings.connections_per_client
        try:
            await self._converse(crowded)
            await self._close()
        except TlsError:
            pass  # the connection is gone already, and the trace knows why
        except (Gone, ConnectionError):
            await self._close()  # the client's own affair: nothing was promised to it that is not kept
        except TimeoutError:
            pass  # it does not even read what it is told
        except Exception as error:
            self._report(error)
        finally:
            self._clients.discard(self)
            self._stream.abort()

    async def _close(self) -> None:
        """Close in order, and wait until the connection is really gone; an unwilling client gets a reset."""
        self._stream.close()
        with suppress(OSError):  # a time-out too
            async with asyncio.timeout(self.settings.idle_timeout_s):
                await self._writer.wait_closed()

    async def _converse(self, crowded: bool) -> None:
        talk = self.talk
        if self.settings.implicit_tls:
            await self._start_tls(implicit=True)
        if crowded:
            await self._say(Response(421, "", f"{self.settings.hostname} Too many connections from your address"))
            return
        await self._say(talk.greeting())
        while talk.expects is not Expect.NOTHING:
            try:
                response = await self._next()
            except TimeoutError:  # RFC 5321 section 3.8 and section 4.5.3.2.7: not without a word
                response = talk.goodbye("4.4.2", f"Nothing came for {self.settings.idle_timeout_s:g} seconds")
            if talk.expects is Expect.TLS:
                await self._switch_to_tls(response)
            else:
                await self._say(response)

    async def _next(self) -> Response:
        """Read what is due and return the reply to it. Raises TimeoutError when it does not come, and Gone."""
        talk = self.talk
        if talk.expects is Expect.DATA:
            return await talk.message(await self._read_message())
        line = await self._read_line()
        return await (talk.sasl(line) if talk.expects is Expect.SASL else talk.command(line))

    async def _say(self, response: Response) -> None:
        """Write a whole reply at once. Raises TimeoutError when the client does not read, ConnectionError, and Gone."""
        if self._stream.is_closing():
            raise Gone
        octets = response.octets
        self._stream.write(octets)
        if self._tap is not None:
            self._tap.sent(octets)
        async with asyncio.timeout(self.settings.idle_timeout_s):
            await self._writer.drain()

    # --- reading -----------------------------------------------------------------------------------------------------

    async def _read_line(self) -> bytes | BadLine:
        limit = max(self.settings.command_line_octets, self.settings.auth_line_octets)
        line = self._lines.line(limit)
        if line is None:
            async with asyncio.timeout(self.settings.idle_timeout_s):  # for the whole line, however slowly it drips
                while line is None:
                    await self._more()
                    line = self._lines.line(limit)
        return line

    async def _read_message(self) -> Data:
        settings = self.settings
        while (data := self._lines.data(settings.size_limit_octets, settings.text_line_octets)) is None:
            async with asyncio.timeout(settings.idle_timeout_s):  # RFC 5321 section 4.5.3.2.5: for each block of data
                await self._more()
        return data

    async def _more(self) -> None:
        """Wait until something has come. Raises Gone when nothing will."""
        if self._ended:
            raise Gone
        if self._reading_paused:
            self._reading_paused = False
            self._stream.resume_reading()
        self._arrival = self.loop.create_future()
        try:
            await self._arrival
        finally:
            self._arrival = None

    # --- TLS ---------------------------------------------------------------------------------------------------------

    async def _switch_to_tls(self, go_ahead: Response) -> None:
        """Answer STARTTLS. What was sent behind it in clear must never count as said inside TLS."""
        self._stream.pause_reading()
        if len(self._lines):
            # RFC 3207 section 4: STARTTLS is the last command of a group. Ending the session loses nothing and cannot
            # execute anything (CVE-2011-0411).
            self._stream.resume_reading()
            await self._say(self.talk.goodbye("4.7.0", "Something was sent behind STARTTLS without waiting"))
            return
        await self._say(go_ahead)
        await self._start_tls(implicit=False)

    async def _start_tls(self, implicit: bool) -> None:
        assert self.settings.tls_context is not None
        await lay_tls(self.loop, self._stream, self, self.settings.tls_context, side="server",
                      host=self.settings.hostname, implicit=implicit,
                      handshake_timeout_s=self.settings.tls_handshake_timeout_s)

    def tls_established(self, transport: asyncio.Transport, implicit: bool, facts: dict[str, Any]) -> None:
        """TLS is up; what was said before is forgotten."""
        self.transport, self._reading_paused = transport, False
        self.talk.tls_established(Tls(facts["version"], facts["cipher"], facts["server_name"]), implicit)


async def serve_smtp(loop: asyncio.AbstractEventLoop, address: str, port: int, handler: Handler,
                     settings: ServerSettings) -> asyncio.AbstractServer:
    """Listen for clients on an address and port (logical ones in the simulator's network).

    Raises UsageError for a handler with missing or misspelt methods.
    """
    check_handler(handler)
    clients = Clients()
    return await loop.create_server(
        lambda: SmtpServer(handler, settings, loop=loop, clients=clients), address, port)
