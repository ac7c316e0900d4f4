"""A line to a server on which a person types [IO]: nothing is said that the person did not write."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass, field

from simulator.errors import UsageError
from simulator.network.loop import NetworkLoop
from simulator.network.network import dialling
from simulator.protocol.replies import ReplyError, ReplyParser
from simulator.protocol.visible import readable
from simulator.smtp.client import why_not
from simulator.smtp.connection import Connection
from simulator.smtp.starttls import TlsError, lay_tls

PATIENCE_S = 300.0
"""How long to wait for a reply (RFC 5321 section 4.5.3.2), in simulated seconds."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back: usually one reply, sometimes nothing."""

    octets: bytes
    tls: bool = False
    problem: str = ""
    """Why there is no (whole) reply; empty when there is one."""
    codes: tuple[int, ...] = field(default=())

    @property
    def code(self) -> int | None:
        """The three digits of the (last) reply; None when there was none."""
        return self.codes[-1] if self.codes else None

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines, with every odd octet visible."""
        return tuple(readable(self.octets))

    def __str__(self) -> str:
        mark = "<~" if self.tls else "<-"
        problem = [f"-- {self.problem}"] if self.problem else []
        return "\n".join([*(f"{mark} {line}" for line in self.lines), *problem])

    def __repr__(self) -> str:
        return str(self)


class Console:
    """One connection, driven line by line. `message` labels it in the trace."""

    def __init__(self, loop: NetworkLoop, host: str, source_address: str, message: str) -> None:
        self.loop, self.host, self.source_address, self.message = loop, host, source_address, message
        self.tls = False
        self.over = ""
        """Why nothing more can be said; empty while the connection stands."""
        self.said: list[str] = []
        """The conversation so far, line by line."""
        self._connection: Connection | None = None

    async def dial(
        self, name: str, address: str, port: int, context: ssl.SSLContext | None, patience_s: float = PATIENCE_S
    ) -> Heard:
        """Connect, with `context` inside TLS from the first octet, and return what the server says first."""
        self._server_name = name
        try:
            async with asyncio.timeout(patience_s):
                with dialling(self.message):
                    _, self._connection = await self.loop.create_connection(
                        lambda: Connection(context is not None), address, port, local_addr=(self.source_address, 0)
                    )
        except OSError as error:  # time-outs and refusals are OSErrors too
            return self._ends(why_not(error, f"{name} ({address})", port))
        self.loop.network.drive_by_hand(self._connection.transport.get_extra_info("wire"))
        self._note(f"-- connected to {name} port {port}")
        if context is not None:
            heard = await self._handshake(context, implicit=True)
            if heard is not None:
                return heard
        return await self.hear(patience_s)

    async def say(self, octets: bytes, patience_s: float = PATIENCE_S, replies: int = 1) -> Heard:
        """Put octets on the line as they are, and wait for so many replies; with 0, for none."""
        connection = self._open()
        mark = "~>" if self.tls else "->"
        for line in readable(octets):
            self._note(f"{mark} {line}")
        await connection.write(octets)
        return await self.hear(patience_s, replies) if replies else Heard(b"", self.tls)

    async def hear(self, patience_s: float = PATIENCE_S, replies: int = 1) -> Heard:
        """Wait for so many replies. What is no reply, or half a one, is returned with a problem."""
        connection, parser, codes, octets = self._open(), ReplyParser(), list[int](), b""
        problem = ""
        try:
            async with asyncio.timeout(patience_s):
                while len(codes) < replies and not problem:
                    came = await connection.read()
                    octets += came
                    if not came:
                        problem = self.over = "the server has closed the connection"
                    try:
                        codes += [reply.code for reply in parser.feed(came)]
                    except ReplyError as error:
                        problem = str(error)
        except TimeoutError:
            problem = f"silence for {patience_s:g} seconds"
        heard = Heard(octets, self.tls, problem, tuple(codes))
        if str(heard):
            self.said += str(heard).split("\n")
        if self.over:
            await connection.close(abort=False)
        return heard

    async def start_tls(self, context: ssl.SSLContext) -> Heard:
        """Say STARTTLS, and after a 220 do the handshake (RFC 3207 section 4)."""
        connection = self._open()
        answer = await self.say(b"STARTTLS\r\n")
        if answer.code != 220 or answer.problem:
            return answer
        connection.transport.pause_reading()
        return await self._handshake(context, implicit=False) or Heard(answer.octets, False, "", answer.codes)

    async def close(self) -> None:
        """Hang up, politely as far as TCP goes; SMTP's QUIT is for the person to say."""
        if self._connection is not None and not self._connection.gone.done():
            await self._connection.close(abort=False)
        self.over = self.over or "you have hung up"

    async def _handshake(self, context: ssl.SSLContext, *, implicit: bool) -> Heard | None:
        connection = self._open()
        try:
            await lay_tls(
                self.loop, connection.transport, connection, context, side="client", host=self.host,
                implicit=implicit, server_hostname=self._server_name,
            )  # fmt: skip
        except TlsError as error:
            return self._ends(f"TLS failed: {error}")
        self.tls = True
        facts = connection.facts
        self._note(f"-- TLS established: {facts['version']}, {facts['cipher']}")
        return None

    def _open(self) -> Connection:
        if self._connection is None or self.over:
            raise UsageError(f"There is nobody to talk to: {self.over or 'not connected'}. Connect again.")
        return self._connection

    def _ends(self, why: str) -> Heard:
        self.over = why
        self._note(f"-- {why}")
        return Heard(b"", self.tls, why)

    def _note(self, line: str) -> None:
        self.said.append(line)
