"""Transcript tests for SMTP servers: `await talk(place).says("220").hears("EHLO c.example").says("250")`.

When the server says something else, the failure message is the dialogue so far.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from simulator.network.loop import NetworkLoop, new_loop
from simulator.protocol.addresses import Address
from simulator.smtp.response import Response
from simulator.smtp.sasl import Account
from simulator.smtp.server import serve_smtp
from simulator.smtp.session import Envelope, Params, Session
from simulator.smtp.settings import ServerSettings
from simulator.tls.authority import Authority
from simulator.tls.contexts import client_context, server_context

T = TypeVar("T")
PATIENCE_S = 10.0
"""How long to wait for a server that should have said something; in simulated time, an hour."""
HOST = "mail.bob.example"
LOGICAL = ("192.0.2.25", 25)
"""Where the server is in simulated time."""
AUTHORITY = Authority()
ALICE = Account.from_password("alice@alice.example", "wonderland")


def patience_s() -> float:
    """Return how long to wait on the running loop."""
    return 3600.0 if isinstance(asyncio.get_running_loop(), NetworkLoop) else PATIENCE_S


def server_tls() -> Any:
    """Return the server's TLS context."""
    return server_context(AUTHORITY, (HOST,))


def accounts(user: str) -> Account | None:
    """The one account of the test servers."""
    return ALICE if user == ALICE.user else None


class Inbox:
    """A handler that takes everything but mail for "nobody", and keeps it."""

    def __init__(self) -> None:
        self.sessions: list[Session] = []
        self.envelopes: list[Envelope] = []
        self.protocols: list[str] = []

    @property
    def contents(self) -> list[bytes]:
        """The messages, in order."""
        return [envelope.content for envelope in self.envelopes]

    async def mail(self, session: Session, reverse_path: Address | None, params: Params) -> Response | None:
        """Take any sender but "mallory"."""
        if reverse_path is not None and reverse_path.local_part == "mallory":
            return Response(550, "5.7.1", "Not you")
        return None

    async def rcpt(self, session: Session, recipient: Address, params: Params) -> Response | None:
        """Take any recipient but "nobody"."""
        return Response(550, "5.1.1", "No such user here") if recipient.local_part == "nobody" else None

    async def message(self, session: Session, envelope: Envelope) -> Response:
        """Keep the message."""
        self.sessions.append(session)
        self.envelopes.append(envelope)
        self.protocols.append(session.protocol(envelope.smtputf8))
        return Response(250, "2.0.0", f"Message {len(self.envelopes)} taken")

    async def authenticated(self, session: Session, user: str) -> None:
        """Fine."""


def run(main: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop | None = None) -> T:
    """Run a test; fail when the loop was told of an error, or when a task is left over afterwards."""
    async def guarded() -> T:
        problems: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: problems.append(context))
        result = await main
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        if tasks:
            _, tasks = await asyncio.wait(tasks, timeout=patience_s())
        assert not tasks, f"left over: {tasks}"
        assert not problems, problems
        return result

    with asyncio.Runner(loop_factory=(lambda: loop) if loop else None) as runner:
        return runner.run(guarded())


def run_simulated(main: Callable[[NetworkLoop], Coroutine[Any, Any, T]], medium: str = "memory") -> T:
    """Run a test in simulated time: the server is 192.0.2.25, port 25, and waiting costs nothing."""
    loop = new_loop(medium)
    loop.network.add_host(HOST, LOGICAL[0])
    with loop.clock.call():
        return run(main(loop), loop)


@asynccontextmanager
async def serving(handler: Any = None, **settings: Any) -> AsyncIterator[tuple[str, int]]:
    """Run a server on a free port of this machine, or at `LOGICAL`; its address and port are what you get."""
    loop = asyncio.get_running_loop()
    place = LOGICAL if isinstance(loop, NetworkLoop) else ("127.0.0.1", 0)
    server: Any = await serve_smtp(loop, *place, handler or Inbox(), ServerSettings(**{"hostname": HOST} | settings))
    try:
        yield LOGICAL if isinstance(loop, NetworkLoop) else server.sockets[0].getsockname()[:2]
    finally:
        server.close()


class Dialogue:
    """A script, run when awaited. Its value is the list of all replies, each a list of lines."""

    def __init__(self, place: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
        self._place, self._tls = place, tls
        self._steps: list[Callable[[], Awaitable[None]]] = []
        self._told: list[str] = []
        self.replies: list[list[str]] = []

    def hears(self, *lines: str) -> Dialogue:
        """Send lines to the server, each with CRLF, all in one segment."""
        return self.hears_octets("".join(line + "\r\n" for line in lines).encode())

    def hears_octets(self, octets: bytes) -> Dialogue:
        """Send octets as they are."""
        async def step() -> None:
            self._told.append(f"  hears {octets!r}")
            self._writer.write(octets)
            await self._writer.drain()
        return self._then(step)

    def says(self, *beginnings: str) -> Dialogue:
        """Expect one reply, whose lines begin like this; fewer beginnings than lines will do, in order."""
        async def step() -> None:
            reply = await self._reply()
            if len(beginnings) == 1 and not any(line.startswith(beginnings[0]) for line in (reply[0], reply[-1])):
                self._fail(f"expected {beginnings[0]!r}")
            remaining = iter(reply)
            for beginning in beginnings if len(beginnings) > 1 else ():
                if not any(line.startswith(beginning) for line in remaining):
                    self._fail(f"expected a line {beginning!r}")
        return self._then(step)

    def never_said(self, pattern: str) -> Dialogue:
        """Expect that the last reply has no line that matches."""
        async def step() -> None:
            if any(re.search(pattern, line) for line in self.replies[-1]):
                self._fail(f"did not expect {pattern!r}")
        return self._then(step)

    def starts_tls(self, context: ssl.SSLContext | None = None, name: str = HOST) -> Dialogue:
        """Do a TLS handshake."""
        async def step() -> None:
            self._told.append("  -- TLS --")
            await self._writer.start_tls(context or client_context(AUTHORITY), server_hostname=name)
        return self._then(step)

    def leaves(self) -> Dialogue:
        """Vanish without a word."""
        async def step() -> None:
            self._told.append("  -- the client vanishes --")
            self._writer.transport.abort()
        return self._then(step)

    def half_closes(self) -> Dialogue:
        """Send no more, but listen."""
        async def step() -> None:
            self._told.append("  -- the client sends no more --")
            self._writer.write_eof()
        return self._then(step)

    def closes(self) -> Dialogue:
        """Expect that the server closes the connection without saying more."""
        async def step() -> None:
            try:
                async with asyncio.timeout(patience_s()):
                    rest = await self._reader.read()
            except TimeoutError:
                self._fail("expected the end of the connection")
            except ConnectionError:
                rest = b""
            if rest:
                self._told.append(f"says {rest!r}")
                self._fail("expected the end of the connection")
        return self._then(step)

    def does(self, action: Callable[[], Any]) -> Dialogue:
        """Call something at this point."""
        async def step() -> None:
            result = action()
            if isinstance(result, Awaitable):
                await result
        return self._then(step)

    def _then(self, step: Callable[[], Awaitable[None]]) -> Dialogue:
        self._steps.append(step)
        return self

    async def _reply(self) -> list[str]:
        lines: list[str] = []
        while not lines or lines[-1][3:4] == "-":
            try:
                async with asyncio.timeout(patience_s()):
                    octets = await self._reader.readline()
            except (TimeoutError, ConnectionError) as error:
                self._fail(f"expected a reply, got {type(error).__name__}")
            if not octets.endswith(b"\r\n"):
                self._told.append(f"says {octets!r}")
                self._fail("expected a reply, got the end of the connection")
            lines.append(octets[:-2].decode("ascii"))
            self._told.append(f"says {lines[-1]}")
        if len({line[:3] for line in lines}) > 1:
            self._fail("a reply has one code")  # RFC 5321 section 4.2.1
        self.replies.append(lines)
        return lines

    def _fail(self, why: str) -> None:
        raise AssertionError("\n".join([why, *self._told]))

    async def _run(self) -> list[list[str]]:
        self._reader, self._writer = await asyncio.open_connection(
            *self._place, ssl=self._tls, server_hostname=HOST if self._tls else None)
        try:
            for step in self._steps:
                await step()
        finally:
            self._writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await self._writer.wait_closed()
        return self.replies

    def __await__(self) -> Generator[Any, None, list[list[str]]]:
        return self._run().__await__()


def talk(place: tuple[str, int], tls: ssl.SSLContext | None = None) -> Dialogue:
    """Begin a script with the server at an address and port; with `tls` from the first octet."""
    return Dialogue(place, tls)


def greeted(place: tuple[str, int], tls: ssl.SSLContext | None = None) -> Dialogue:
    """A script that has come to the end of EHLO."""
    return talk(place, tls).says("220 ").hears("EHLO client.example").says("250")
