"""The client's side of one SMTP session as a pure state machine: replies in, actions out (RFC 5321 section 3).

The conversation is written as a generator that reads like the dialogue itself: each `yield` waits for one reply.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol

from simulator.protocol.commands import Capabilities, command, mail_from, rcpt_to, read_ehlo
from simulator.protocol.message import data_octets, is_8bit
from simulator.protocol.replies import Reply, ReplyError, ReplyParser
from simulator.protocol.session_outcome import (
    Attempt,
    Credentials,
    Envelope,
    Failure,
    RecipientOutcome,
    Result,
    SessionOutcome,
    TlsPolicy,
)

__all__ = [
    "TIMEOUTS_S",
    "Action",
    "Attempt",
    "ClientSession",
    "Close",
    "Credentials",
    "Envelope",
    "RecipientOutcome",
    "SaslClient",
    "Send",
    "SessionOutcome",
    "StartTls",
    "TlsPolicy",
]

TIMEOUTS_S = {"greeting": 300.0, "MAIL": 300.0, "RCPT": 300.0, "DATA": 120.0, "text": 180.0, "final": 600.0}
"""How long to wait for each reply (RFC 5321 section 4.5.3.2); 300 s for the others."""


@dataclass(frozen=True, slots=True)
class Send:
    """Write these octets."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begin the TLS handshake; report with `tls_established` or `tls_failed`."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; `abort` at once, because the other side is not to be trusted or not there."""

    abort: bool = False


Action = Send | StartTls | Close


class SaslClient(Protocol):
    """One login (RFC 4422)."""

    @property
    def initial(self) -> bytes | None:
        """The initial response, or None when the server speaks first."""

    def step(self, challenge: bytes) -> bytes:
        """Answer a challenge. Raises an exception when the server proves to be a false one."""


class _End(Exception):
    """The session cannot reach its purpose."""

    def __init__(self, failure: Failure, polite: bool = True) -> None:
        super().__init__(failure.text)
        self.failure, self.polite = failure, polite


class _HandshakeFailed(Exception):
    """STARTTLS was answered with 220, and then the handshake went wrong."""


_Talk = Generator[str, Reply, None]
STARTTLS_DONE = "TLS handshake"


class ClientSession:
    """One session. Feed it what happens; do what it says."""

    def __init__(self, attempt: Attempt, make_sasl: Callable[[str, str, str], SaslClient] | None = None) -> None:
        self.attempt = attempt
        self.outcome = SessionOutcome()
        self.waiting_for = "connection"
        """What reply the client waits for: "greeting", a verb, "text" or "final", "TLS handshake"; "" when it is over."""
        self._make_sasl = make_sasl
        self._parser = ReplyParser()
        self._actions: list[Action] = []
        self._verified = False
        self._mentioned: list[str] = []
        self._talk = self._conversation()

    # --- what happens ------------------------------------------------------------------------------------------------

    def connected(self) -> list[Action]:
        """The connection is there (inside TLS for an implicit start; then call `tls_established` first)."""
        self.outcome.connected = True
        return self._advance(lambda: next(self._talk))

    def receive(self, octets: bytes) -> list[Action]:
        """Octets came from the server."""
        try:
            replies = self._parser.feed(octets)
        except ReplyError as error:
            return self._abandon(f"the server does not speak SMTP: {error}", temporary=True)
        actions: list[Action] = []
        for number, reply in enumerate(replies):
            if not self.waiting_for:
                break
            actions += self._advance(lambda reply=reply: self._talk.send(reply))  # type: ignore[misc]
            if self.waiting_for == STARTTLS_DONE and (number + 1 < len(replies) or self._parser.pending):
                # RFC 3207 section 6: what came in clear behind the 220 must not be taken for a reply from inside TLS.
                return self._abandon(
                    "somebody put text behind the server's answer to STARTTLS: the connection is not to be trusted",
                    temporary=True,
                )
        return actions

    def tls_established(self, verified: bool) -> list[Action]:
        """The handshake ended well; `verified`: the certificate is good for the wanted name."""
        self.outcome.tls_used, self._verified = True, verified
        self._parser = ReplyParser()
        if self.waiting_for != STARTTLS_DONE:
            return []
        return self._advance(lambda: self._talk.send(Reply(220, ())))

    def tls_failed(self, reason: str) -> list[Action]:
        """The handshake failed; nothing can be said on this connection any more."""
        self.outcome.tls_failed = self.outcome.connected = True
        return self._abandon(f"TLS failed: {reason}", temporary=True, stage="TLS handshake")

    def lost(self, reason: str) -> list[Action]:
        """The peer is gone or silent. The client treats it like a 451 (RFC 5321 section 3.8)."""
        return self._abandon(reason, temporary=True) if self.waiting_for else []

    # --- the machinery -----------------------------------------------------------------------------------------------

    def _advance(self, step: Callable[[], str]) -> list[Action]:
        try:
            self.waiting_for = step()
        except StopIteration:
            self.waiting_for = ""
            self._actions.append(Close())
        actions, self._actions = self._actions, []
        return actions

    def _abandon(self, text: str, *, temporary: bool, stage: str | None = None) -> list[Action]:
        if self.waiting_for:
            self._fail(Failure(stage or self.waiting_for, text, temporary))
            self.waiting_for = ""
            self._talk.close()
        self._actions.clear()
        return [Close(abort=True)]

    def _fail(self, failure: Failure) -> None:
        if self.outcome.failure is None:
            self.outcome.failure = failure
        result: Result = "temporary" if failure.temporary else "permanent"
        envelope = self.attempt.envelope
        for address in envelope.recipients if envelope else ():
            self.outcome.recipients.setdefault(
                address, RecipientOutcome(address, result, failure.reply, failure.stage, failure.text)
            )

    def _say(self, *lines: bytes) -> None:
        self._actions.append(Send(b"".join(lines)))

    # --- the conversation --------------------------------------------------------------------------------------------

    def _conversation(self) -> _Talk:
        try:
            yield from self._session()
        except _End as end:
            self._fail(end.failure)
            if not end.polite:
                return
        if self.attempt.quit and self.waiting_for != "QUIT":
            self._say(command("QUIT"))
            yield "QUIT"

    def _session(self) -> _Talk:
        greeting = yield "greeting"  # RFC 5321 section 3.1: the server speaks first
        if greeting.code != 220:
            raise _End(_failure("greeting", greeting))
        yield from self._hello()
        if self._stop("EHLO"):
            return
        if self.attempt.tls in (TlsPolicy.REQUIRED, TlsPolicy.IF_OFFERED):
            yield from self._starttls()
        if self._stop("STARTTLS"):
            return
        folded = False
        if self.attempt.credentials is not None:
            mechanism = self._choose(self.attempt.credentials)
            folded = (
                self.attempt.fold_auth and mechanism == "PLAIN" and self._grouped and self.attempt.envelope is not None
            )
            if not folded:
                yield from self._login(mechanism)
        if self._stop("AUTH") or self.attempt.envelope is None:
            return
        yield from self._transaction(self.attempt.envelope, folded)

    def _stop(self, verb: str) -> bool:
        return self.attempt.stop_after == verb

    def _hello(self) -> _Talk:
        self._say(command("EHLO", self.attempt.ehlo_name))
        reply = yield "EHLO"
        if reply.code in (500, 502, 504):  # RFC 5321 section 3.2: an old server; try HELO
            self._say(command("HELO", self.attempt.ehlo_name))
            reply = yield "HELO"
            self.outcome.capabilities = Capabilities()
        else:
            self.outcome.capabilities = read_ehlo(reply.lines)
        if not reply.positive:
            raise _End(_failure(self.waiting_for, reply))

    def _starttls(self) -> _Talk:
        required = self.attempt.tls is TlsPolicy.REQUIRED
        if "STARTTLS" not in self.outcome.capabilities:
            if required:  # RFC 8314 section 5.2: no silent fall-back; this is what stripping looks like
                raise _End(Failure("STARTTLS", "the server offers no STARTTLS, but TLS is required", True))
            return
        self._say(command("STARTTLS"))
        reply = yield "STARTTLS"
        if reply.code != 220:
            if required:
                raise _End(Failure("STARTTLS", f"STARTTLS was refused ({reply}), but TLS is required", True, reply))
            return
        self._actions.append(StartTls())
        yield STARTTLS_DONE
        # RFC 3207 section 4.2: forget all that was learnt in clear, and say EHLO again.
        self.outcome.capabilities_before_tls, self.outcome.capabilities = self.outcome.capabilities, Capabilities()
        yield from self._hello()

    # --- AUTH --------------------------------------------------------------------------------------------------------

    def _choose(self, credentials: Credentials) -> str:
        if not (self.outcome.tls_used and self._verified) and not self.attempt.allow_cleartext_auth:
            self.outcome.auth_problem = "not offered"  # RFC 4954 section 14, RFC 8314 section 5.1
            raise _End(Failure("AUTH", "no password without TLS and a verified certificate", False))
        for mechanism in credentials.mechanisms:  # RFC 4954 section 4: the strongest that both know
            if mechanism.upper() in self.outcome.capabilities.mechanisms:
                return mechanism.upper()
        self.outcome.auth_problem = "not offered"
        offered = ", ".join(self.outcome.capabilities.mechanisms) or "no AUTH at all"
        raise _End(
            Failure("AUTH", f"the server offers {offered}, the client knows {', '.join(credentials.mechanisms)}", False)
        )

    def _sasl(self, mechanism: str) -> SaslClient:
        credentials = self.attempt.credentials
        assert credentials is not None
        if self._make_sasl is None:
            raise _End(Failure("AUTH", "the client has no SASL mechanisms", False))
        return self._make_sasl(mechanism, credentials.user, credentials.password)

    def _login(self, mechanism: str) -> _Talk:
        sasl = self._sasl(mechanism)
        self._say(_auth_command(mechanism, sasl.initial))
        reply = yield "AUTH"
        while reply.code == 334:
            try:
                answer = b64encode(sasl.step(b64decode(reply.text.encode(), validate=True)))
            except (Base64Error, ValueError) as error:
                self._say(b"*\r\n")  # RFC 4954 section 4: cancel
                yield "AUTH"
                raise _End(Failure("AUTH", f"the server's part of the login is wrong: {error}", False)) from error
            except Exception as error:  # a SASL mechanism says in its own way that the server is a false one
                self._say(b"*\r\n")
                yield "AUTH"
                raise _End(Failure("AUTH", str(error), False)) from error
            self._say(answer + b"\r\n")
            reply = yield "AUTH"
        self._logged_in(reply)

    def _logged_in(self, reply: Reply) -> None:
        if reply.positive:
            self.outcome.authenticated = True
            return
        # RFC 4954 section 6: each of these asks for something else from the user
        self.outcome.auth_problem = {534: "stronger mechanism needed", 454: "server trouble"}.get(  # type: ignore[assignment]
            reply.code, "server trouble" if reply.temporary else "wrong password"
        )
        raise _End(_failure("AUTH", reply))

    # --- the transaction ---------------------------------------------------------------------------------------------

    @property
    def _grouped(self) -> bool:
        return self.attempt.pipelining and "PIPELINING" in self.outcome.capabilities

    def _mail_command(self, envelope: Envelope) -> bytes:
        offered, parameters = self.outcome.capabilities, []
        size = len(envelope.content)
        if "SIZE" in offered:
            limit = offered.size_limit_octets
            if limit is not None and size > limit:  # RFC 1870 section 6: do not even try
                raise _End(Failure("MAIL", f"the message has {size} octets, the server takes {limit}", False))
            parameters.append(f"SIZE={size}")
        if is_8bit(envelope.content):
            if "8BITMIME" not in offered:  # RFC 6152 section 3: without the offer it must not be sent
                raise _End(Failure("MAIL", "the message has 8-bit text, which the server does not take (5.6.3)", False))
            parameters.append("BODY=8BITMIME")
        if envelope.smtputf8:
            if "SMTPUTF8" not in offered:  # RFC 6531 section 3.2
                raise _End(Failure("MAIL", "an address is not ASCII, which the server does not take (5.6.7)", False))
            parameters.append("SMTPUTF8")
        return mail_from(envelope.reverse_path, parameters, envelope.smtputf8)

    def _transaction(self, envelope: Envelope, folded: bool) -> _Talk:
        mail = self._mail_command(envelope)
        recipients = [rcpt_to(address, envelope.smtputf8) for address in envelope.recipients]
        accepted: list[str] = []
        if self._grouped:
            auth = [_auth_command("PLAIN", self._sasl("PLAIN").initial)] if folded else []
            data = [] if self._stop("RCPT") or self._stop("MAIL") else [command("DATA")]
            self._say(
                *auth, mail, *(recipients if not self._stop("MAIL") else ()), *data
            )  # RFC 2920 section 3.1: one group
            if folded:
                yield from self._folded_login((yield "AUTH"), 1 + len(recipients) + len(data))
            problem = self._mail_problem((yield "MAIL"))
            for address in envelope.recipients if not self._stop("MAIL") else ():
                self._heard(address, (yield "RCPT"), accepted, problem)
            if not data:
                return
        else:
            self._say(mail)
            problem = self._mail_problem((yield "MAIL"))
            if problem is not None:
                raise _End(problem)
            if self._stop("MAIL"):
                return
            for address, line in zip(envelope.recipients, recipients, strict=True):
                self._say(line)
                self._heard(address, (yield "RCPT"), accepted, None)
            if not accepted or self._stop("RCPT"):
                return
            self._say(command("DATA"))
        yield from self._data(envelope, accepted, (yield "DATA"))
        if problem is not None:
            raise _End(problem)

    def _folded_login(self, reply: Reply, following: int) -> _Talk:
        if reply.code == 334:
            raise _End(Failure("AUTH", "the server asks for more than the initial response", False), polite=False)
        if not reply.positive:
            last = reply
            for _ in range(following):  # the rest of the group is answered too
                last = yield "AUTH"
            if last.code == 354:
                self._say(b".\r\n")
                yield "final"
        self._logged_in(reply)

    @staticmethod
    def _mail_problem(reply: Reply) -> Failure | None:
        return None if reply.positive else _failure("MAIL", reply)

    def _heard(self, address: str, reply: Reply, accepted: list[str], problem: Failure | None) -> None:
        if reply.positive:
            accepted.append(address)
        elif problem is None:
            # RFC 5321 section 4.5.3.1.10: a client takes 552 here for "too many recipients", which is temporary.
            self._decide(address, reply, "RCPT", temporary=reply.temporary or reply.code == 552)

    def _decide(self, address: str, reply: Reply, stage: str, *, temporary: bool) -> None:
        result: Result = "accepted" if reply.positive else "temporary" if temporary else "permanent"
        self.outcome.recipients[address] = RecipientOutcome(address, result, reply, stage, reply.text)

    def _data(self, envelope: Envelope, accepted: list[str], reply: Reply) -> _Talk:
        if reply.code != 354:
            if accepted:
                for address in accepted:
                    self._decide(address, reply, "DATA", temporary=not reply.permanent)
            return
        if not accepted:  # RFC 2920 section 3.1: the server took DATA although no recipient is valid
            self._say(b".\r\n")
            yield "final"
            return
        self._say(data_octets(envelope.content))
        final = yield "final"  # RFC 5321 section 4.1.1.4: this reply passes the responsibility, or does not
        for address in accepted:
            self._decide(address, final, "final", temporary=final.temporary or final.severity == 3)


def _auth_command(mechanism: str, initial: bytes | None) -> bytes:
    if initial is None:
        return command("AUTH", mechanism)
    return command(
        "AUTH", mechanism, b64encode(initial).decode() or "="
    )  # RFC 4954 section 4: "=" is an empty response


def _failure(stage: str, reply: Reply) -> Failure:
    """Return what a refusal means for the session: 4yz later, 5yz never, anything else is a fault of the server's."""
    return Failure(stage, str(reply.text or reply.code), not reply.permanent, reply)
