"""What a client says in one session, written like the dialogue itself: each `yield` waits for one reply.

`ClientSession` runs it. Whatever the caller may have got wrong is found by `check_attempt`, before anything is sent.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Generator
from typing import Literal

from simulator.errors import SimulatorError, UsageError
from simulator.protocol.client_actions import Action, Close, MakeSasl, SaslClient, Send, StartTls
from simulator.protocol.commands import Capabilities, command, mail_from, rcpt_to, read_ehlo
from simulator.protocol.message import data_octets, is_8bit, line_problem
from simulator.protocol.replies import Reply
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

STARTTLS_DONE = "TLS handshake"
STOPS = ("EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT")
"""Verbs after which a session can stop."""
CHALLENGES = 10
"""A server that asks for more in one login is not serious."""
LINE_OCTETS = 512  # RFC 5321 section 4.5.3.1.4


class _End(Exception):
    """The session cannot reach its purpose."""

    def __init__(self, failure: Failure, how: Literal["quit", "abort"] = "quit") -> None:
        super().__init__(failure.text)
        self.failure, self.how = failure, how


Talk = Generator[str, Reply, None]
"""Yields what the client waits for; gets the reply."""


def check_attempt(attempt: Attempt, make_sasl: MakeSasl | None) -> None:
    """Raise UsageError for anything in an attempt that could not be said: the caller's fault, not the server's."""
    if not attempt.ehlo_name or " " in attempt.ehlo_name:
        raise UsageError(f"A client's name is a host name or an address literal, not {attempt.ehlo_name!r}.")
    command("EHLO", attempt.ehlo_name)
    if attempt.stop_after is not None and attempt.stop_after not in STOPS:
        raise UsageError(f"A session can stop after {', '.join(STOPS)}, not after {attempt.stop_after!r}.")
    if attempt.credentials is not None:
        if make_sasl is None:
            raise UsageError("A session with credentials needs make_sasl, which knows the mechanisms.")
        for mechanism in attempt.credentials.mechanisms:
            command("AUTH", mechanism)
    if attempt.envelope is not None:
        if not attempt.envelope.recipients:
            raise UsageError("A message needs at least one recipient in its envelope.")
        mail_from(attempt.envelope.reverse_path, smtputf8=True)
        for address in attempt.envelope.recipients:
            rcpt_to(address, smtputf8=True)


class ClientTalk:
    """The conversation of one session. `actions` is what is to be done before the next reply can come."""

    def __init__(self, attempt: Attempt, outcome: SessionOutcome, make_sasl: MakeSasl | None) -> None:
        self.attempt, self.outcome, self._make_sasl = attempt, outcome, make_sasl
        self.actions: list[Action] = []
        self.verified = False
        """True when the session is inside TLS and the certificate is good for the wanted name."""

    def conversation(self) -> Talk:
        """Talk from the greeting to QUIT."""
        try:
            yield from self._session()
        except _End as end:
            self.outcome.fail(end.failure, self.attempt.envelope)
            if end.how == "abort":
                self.actions.append(Close(abort=True))
                return
        if self.attempt.quit:
            self._say(command("QUIT"))
            yield "QUIT"

    def _say(self, *lines: bytes) -> None:
        self.actions.append(Send(b"".join(lines)))

    def _stop(self, verb: str) -> bool:
        return self.attempt.stop_after == verb

    def _session(self) -> Talk:
        greeting = yield "greeting"  # RFC 5321 section 3.1: the server speaks first
        if not greeting.positive:
            raise _End(_failure("greeting", greeting))
        yield from self._hello()
        if self._stop("EHLO"):
            return
        if self.attempt.tls in (TlsPolicy.REQUIRED, TlsPolicy.IF_OFFERED):
            yield from self._starttls()
        if self._stop("STARTTLS"):
            return
        folded: bytes | None = None
        if self.attempt.credentials is not None:
            mechanism = self._choose(self.attempt.credentials)
            sasl = self._sasl(mechanism, self.attempt.credentials)
            line, left = _auth_command(mechanism, sasl.initial)
            if self.attempt.fold_auth and mechanism == "PLAIN" and left is None and self._grouped and self._transacts:
                folded = line  # RFC 4954 section 4: nothing forbids it within a group
            else:
                yield from self._login(sasl, line, left)
        if self._stop("AUTH") or self.attempt.envelope is None:
            return
        mail, *recipients = self._envelope_commands(self.attempt.envelope)
        if self._grouped:
            yield from self._group(self.attempt.envelope, folded, mail, recipients)
        else:
            yield from self._step_by_step(self.attempt.envelope, mail, recipients)

    @property
    def _transacts(self) -> bool:
        return self.attempt.envelope is not None and not self._stop("AUTH")

    @property
    def _grouped(self) -> bool:
        return self.attempt.pipelining and "PIPELINING" in self.outcome.capabilities

    def _hello(self) -> Talk:
        self._say(command("EHLO", self.attempt.ehlo_name))
        verb, reply = "EHLO", (yield "EHLO")
        if reply.code in (500, 502, 504):  # RFC 5321 section 3.2: an old server; try HELO
            self._say(command("HELO", self.attempt.ehlo_name))
            verb, reply = "HELO", (yield "HELO")
        if not reply.positive:
            raise _End(_failure(verb, reply))
        self.outcome.capabilities = read_ehlo(reply.lines) if verb == "EHLO" else Capabilities()

    def _starttls(self) -> Talk:
        required = self.attempt.tls is TlsPolicy.REQUIRED
        if "STARTTLS" not in self.outcome.capabilities:
            if required:  # RFC 8314 section 5.2: no silent fall-back; this is what stripping looks like
                raise _End(Failure("STARTTLS", "the server offers no STARTTLS, but TLS is required", True))
            return
        self._say(command("STARTTLS"))
        reply = yield "STARTTLS"
        if reply.code != 220:  # RFC 3207 section 4: no other code begins a handshake
            if required:
                raise _End(Failure("STARTTLS", f"STARTTLS was refused ({reply}), but TLS is required", True, reply))
            return
        self.actions.append(StartTls())
        yield STARTTLS_DONE
        # RFC 3207 section 4.2: forget all that was learnt in clear, and say EHLO again.
        self.outcome.capabilities_before_tls, self.outcome.capabilities = self.outcome.capabilities, Capabilities()
        yield from self._hello()

    # --- AUTH --------------------------------------------------------------------------------------------------------

    def _choose(self, credentials: Credentials) -> str:
        if not self.verified and not self.attempt.allow_cleartext_auth:
            self.outcome.auth_problem = "not offered"  # RFC 4954 section 14, RFC 8314 section 5.1
            raise _End(Failure("AUTH", "no password without TLS and a verified certificate", False))
        for mechanism in credentials.mechanisms:  # RFC 4954 section 4: the strongest that both know
            if mechanism.upper() in self.outcome.capabilities.mechanisms:
                return mechanism.upper()
        self.outcome.auth_problem = "not offered"
        offered = ", ".join(self.outcome.capabilities.mechanisms) or "no AUTH at all"
        known = ", ".join(credentials.mechanisms)
        raise _End(Failure("AUTH", f"the server offers {offered}, the client knows {known}", False))

    def _sasl(self, mechanism: str, credentials: Credentials) -> SaslClient:
        assert self._make_sasl is not None
        try:
            return self._make_sasl(mechanism, credentials.user, credentials.password)
        except (SimulatorError, ValueError) as error:  # a password that the mechanism cannot take
            raise _End(Failure("AUTH", str(error), False)) from error

    def _login(self, sasl: SaslClient, line: bytes, left: bytes | None) -> Talk:
        self._say(line)
        reply = yield "AUTH"
        for _ in range(CHALLENGES):
            if not reply.intermediate:
                break
            try:
                challenge = b64decode(reply.text.encode(), validate=True)
                if left is not None and challenge:
                    raise ValueError("the client has to speak first")
                answer, left = sasl.step(challenge) if left is None else left, None
            except (SimulatorError, ValueError) as error:
                yield from self._cancel(f"the server's part of the login is wrong: {error}")
            self._say(b64encode(answer), b"\r\n")
            reply = yield "AUTH"
        if reply.intermediate:
            yield from self._cancel(f"the server's part of the login is wrong: more than {CHALLENGES} challenges")
        if reply.positive and not getattr(sasl, "satisfied", True):  # RFC 5802 section 3: both sides prove themselves
            raise _End(Failure("AUTH", "the server accepted the login but did not prove that it knows the user", False))
        self._logged_in(reply)

    def _cancel(self, why: str) -> Talk:
        self._say(b"*\r\n")  # RFC 4954 section 4
        yield "AUTH"
        raise _End(Failure("AUTH", why, False))

    def _logged_in(self, reply: Reply) -> None:
        if reply.positive:
            self.outcome.authenticated = True
            return
        # RFC 4954 section 6: each of these asks for something else from the user
        if reply.code == 534:
            self.outcome.auth_problem = "stronger mechanism needed"
        else:
            self.outcome.auth_problem = "wrong password" if reply.permanent else "server trouble"
        raise _End(_failure("AUTH", reply))

    # --- the transaction ---------------------------------------------------------------------------------------------

    def _envelope_commands(self, envelope: Envelope) -> list[bytes]:
        """Return MAIL and, for every recipient, RCPT; end the session here if the server would not take the message."""
        offered, parameters, size = self.outcome.capabilities, list[str](), envelope.size_octets
        problem = line_problem(envelope.content)
        if problem is not None and not self.attempt.unsafe_lines:
            raise _End(Failure("MAIL", problem, False))
        if "SIZE" in offered:
            limit = offered.size_limit_octets
            if limit is not None and size > limit:  # RFC 1870 section 6: do not even try
                raise _End(Failure("MAIL", f"the message has {size} octets, the server takes {limit} (5.3.4)", False))
            parameters.append(f"SIZE={size}")
        if is_8bit(envelope.content):
            if "8BITMIME" not in offered:  # RFC 6152 section 3: without the offer it must not be sent
                raise _End(Failure("MAIL", "the message has 8-bit text, which the server does not take (5.6.3)", False))
            parameters.append("BODY=8BITMIME")
        smtputf8 = envelope.smtputf8
        if smtputf8:
            if "SMTPUTF8" not in offered:  # RFC 6531 section 3.2
                where = "an address" if envelope.address_beyond_ascii else "the header"
                raise _End(Failure("MAIL", f"{where} is not ASCII, which the server does not take (5.6.7)", False))
            parameters.append("SMTPUTF8")
        mail = mail_from(envelope.reverse_path, parameters, smtputf8)
        return [mail, *(rcpt_to(address, smtputf8) for address in _each_once(envelope))]

    def _step_by_step(self, envelope: Envelope, mail: bytes, recipients: list[bytes]) -> Talk:
        self._say(mail)
        reply = yield "MAIL"
        if not reply.positive:
            raise _End(_failure("MAIL", reply))
        if self._stop("MAIL"):
            return
        accepted: list[str] = []
        for address, line in zip(_each_once(envelope), recipients, strict=True):
            self._say(line)
            self._heard(address, (yield "RCPT"), accepted)
        if not accepted or self._stop("RCPT"):
            return
        self._say(command("DATA"))
        yield from self._data(envelope, accepted, (yield "DATA"))

    def _group(self, envelope: Envelope, auth: bytes | None, mail: bytes, recipients: list[bytes]) -> Talk:
        """RFC 2920 section 3.1: everything up to DATA in one go; then every single reply counts."""
        addresses = () if self._stop("MAIL") else _each_once(envelope)
        last = not (self._stop("MAIL") or self._stop("RCPT"))
        self._say(auth or b"", mail, *recipients[: len(addresses)], command("DATA") if last else b"")

        problem: Failure | None = None
        login: Reply | None = None
        if auth is not None:
            login = yield "AUTH"
            if login.intermediate:  # it takes the rest of the group for its answer
                raise _End(Failure("AUTH", "the server asks for more than the initial response", False), "abort")
            if not login.positive:
                problem = _failure("AUTH", login)
        reply = yield "MAIL"
        if not reply.positive and problem is None:
            problem = _failure("MAIL", reply)
        accepted: list[str] = []
        for address in addresses:
            self._heard(address, (yield "RCPT"), accepted, decides=problem is None)
        data = (yield "DATA") if last else None
        if problem is not None and data is not None and data.intermediate:
            if accepted:  # even a lone dot would send them something, so go without ending the message
                raise _End(problem, "abort")
            yield from self._nothing()
        if login is not None:
            self._logged_in(login)
        if problem is not None:
            raise _End(problem)
        if data is not None:
            yield from self._data(envelope, accepted, data)

    def _heard(self, address: str, reply: Reply, accepted: list[str], decides: bool = True) -> None:
        if reply.positive:
            accepted.append(address)
        elif decides:
            # RFC 5321 section 4.5.3.1.10: a client takes 552 here for "too many recipients", which is temporary.
            self._decide(address, reply, "RCPT", permanent=reply.permanent and reply.code != 552)

    def _decide(self, address: str, reply: Reply, stage: str, *, permanent: bool) -> None:
        result: Result = "permanent" if permanent else "temporary"
        self.outcome.recipients[address] = RecipientOutcome(address, result, reply, stage, reply.text)

    def _data(self, envelope: Envelope, accepted: list[str], reply: Reply) -> Talk:
        if not reply.intermediate:
            for address in accepted:  # a 2yz reply here is a fault of the server's, and accepts nothing
                self._decide(address, reply, "DATA", permanent=reply.permanent)
            return
        if not accepted:
            yield from self._nothing()
            return
        self._say(data_octets(envelope.content))
        final = yield "final"  # RFC 5321 section 4.1.1.4: this reply passes the responsibility, or does not
        for address in accepted:
            if final.positive:
                self.outcome.recipients[address] = RecipientOutcome(address, "accepted", final, "final", final.text)
            else:
                self._decide(address, final, "final", permanent=final.permanent)

    def _nothing(self) -> Talk:
        """RFC 2920 section 3.1: the server took DATA although no recipient is valid; end it at once."""
        self._say(b".\r\n")
        yield "final"


def _each_once(envelope: Envelope) -> tuple[str, ...]:
    return tuple(dict.fromkeys(envelope.recipients))


def _auth_command(mechanism: str, initial: bytes | None) -> tuple[bytes, bytes | None]:
    """Return the AUTH line, and the initial response if it has to wait for a challenge."""
    if initial is None:
        return command("AUTH", mechanism), None
    line = command("AUTH", mechanism, b64encode(initial).decode() or "=")  # RFC 4954 section 4: "=" is an empty one
    # RFC 4954 section 4: the command is still subject to the limit for lines, the answer to a challenge is not
    return (line, None) if len(line) <= LINE_OCTETS else (command("AUTH", mechanism), initial)


def _failure(stage: str, reply: Reply) -> Failure:
    """Return what a refusal means for the session: 4yz later, 5yz never, anything else is a fault of the server's."""
    return Failure(stage, reply.text or str(reply.code), not reply.permanent, reply)
