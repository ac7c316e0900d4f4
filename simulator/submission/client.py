"""The mail program of one person: chooses how to connect and hands the message to the person's own server [IO]."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from simulator.errors import UsageError
from simulator.network.loop import NetworkLoop
from simulator.protocol.client_session import Attempt, Credentials, Envelope, SessionOutcome, TlsPolicy
from simulator.smtp.client import run_session
from simulator.submission.letter import Letter, SendOptions
from simulator.tls.authority import Authority
from simulator.tls.contexts import ClientContext, client_context
from simulator.tls.modes import Start, SubmissionMode, policy
from simulator.trace.events import MessageComposed, Note, RecipientResult


class OutgoingServer(Protocol):
    """What a mail program knows of a submission server."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def unsafe_cleartext_auth(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Seat:
    """Where a person sits, and how they log in."""

    host: str
    address: str
    user: str
    password: str


_POLICIES = {Start.FIRST_OCTET: TlsPolicy.IMPLICIT, Start.NEVER: TlsPolicy.NONE}


class MailProgram:
    """One person's mail program. It keeps the TLS sessions that it may resume."""

    def __init__(
        self,
        loop: NetworkLoop,
        seat: Seat,
        servers: Sequence[OutgoingServer],
        authority: Authority,
        nonce: Callable[[], str],
    ) -> None:
        self.loop, self.seat, self.servers, self.authority = loop, seat, servers, authority
        self._nonce = nonce
        self._resuming: dict[tuple[str, str | None], ClientContext] = {}

    async def submit(self, letter: Letter, label: str, mode: str | None, options: SendOptions) -> bool:
        """Hand over a letter; return whether the server is responsible for it now.

        With `mode` None: implicit TLS first, then STARTTLS required, never silently in clear (RFC 9325 section 3.2,
        RFC 8314 section 5.2). What the server refuses is recorded as the recipients' results.
        """
        modes = policy(mode)
        servers = [self._server(each, options) for each in modes]
        cause = self.loop.recorder.record(
            MessageComposed,
            host=self.seat.host,
            seen_by="client",
            message=label,
            reverse_path=letter.reverse_path,
            recipients=letter.recipients,
            size_octets=len(letter.content),
            mode=mode or "implicit, then STARTTLS",
        )
        outcome: SessionOutcome | None = None
        for each, server in zip(modes, servers, strict=True):
            if server.unsafe_cleartext_auth:
                self.loop.recorder.record(
                    Note,
                    host=self.seat.host,
                    seen_by="client",
                    message=label,
                    text=f"{server.name} takes passwords in cleartext: for lessons only.",
                )
            if options.unsafe_no_verification:
                self.loop.recorder.record(
                    Note,
                    host=self.seat.host,
                    seen_by="client",
                    message=label,
                    text="This mail program trusts any certificate: for lessons only.",
                )
            outcome = await self._attempt(letter, each, server, label, cause, options)
            if outcome.connected:
                break  # somebody is there: trying another way now would be a downgrade that an attacker can force
        assert outcome is not None
        accepted = False
        for recipient in letter.recipients:
            result = outcome.recipient(recipient)
            if result.result == "accepted":
                accepted = True
                continue
            self.loop.recorder.record(
                RecipientResult,
                host=self.seat.host,
                seen_by="client",
                message=label,
                cause=cause,
                recipient=recipient,
                result="failed",
                code=result.reply.code if result.reply else None,
                enhanced=(result.reply.enhanced or "") if result.reply else "",
                text=result.text,
                by=server.name if result.reply else self.seat.host,
            )
        return accepted

    def _server(self, mode: SubmissionMode, options: SendOptions) -> OutgoingServer:
        if options.server is not None:
            for server in self.servers:
                if server.name == options.server:
                    return server
            raise UsageError(
                f"There is no submission server {options.server}; there is {', '.join(s.name for s in self.servers)}."
            )
        # A mode that hands over the password in clear may only work with a server made for such lessons.
        unsafe = mode is SubmissionMode.CLEARTEXT and options.authenticate
        for server in self.servers:
            if server.unsafe_cleartext_auth == unsafe:
                return server
        raise UsageError(
            "No submission server here takes passwords in cleartext; put a host with unsafe_cleartext_auth = true "
            "into the plan for this lesson."
            if unsafe
            else "There is no submission server here."
        )

    async def _attempt(
        self, letter: Letter, mode: SubmissionMode, server: OutgoingServer, label: str, cause: int, options: SendOptions
    ) -> SessionOutcome:
        tls = _POLICIES.get(mode.tls) or (TlsPolicy.REQUIRED if mode.tls_required else TlsPolicy.IF_OFFERED)
        credentials = None
        if options.authenticate:
            password = self.seat.password if options.password is None else options.password
            credentials = (
                Credentials(self.seat.user, password)
                if options.mechanisms is None
                else Credentials(self.seat.user, password, options.mechanisms)
            )
        attempt = Attempt(
            ehlo_name=self.seat.host,
            tls=tls,
            credentials=credentials,
            allow_cleartext_auth=not mode.tls_required or options.unsafe_no_verification,
            envelope=Envelope(reverse_path=letter.reverse_path, recipients=letter.recipients, content=letter.content),
            pipelining=options.pipelining,
            fold_auth=options.fold_auth,
        )
        return await run_session(
            self.loop,
            attempt,
            host_name=server.name,
            address=server.address,
            port=mode.port,
            source_address=self.seat.address,
            tls_context=self._context(server, options),
            server_hostname=server.name,
            host=self.seat.host,
            message=label,
            cause=cause,
            nonce=self._nonce,
        )

    def _context(self, server: OutgoingServer, options: SendOptions) -> ClientContext:
        versions = (options.tls_version,) if options.tls_version else ("1.2", "1.3")
        if options.unsafe_no_verification:
            return client_context(self.authority, versions=versions, verify=False)
        if not options.resume:
            return client_context(self.authority, versions=versions)  # RFC 8314 section 5.3: always verified
        key = server.name, options.tls_version
        if key not in self._resuming:
            self._resuming[key] = client_context(self.authority, versions=versions, resumption=True)
        return self._resuming[key]
