"""The client's side of one SMTP session as a pure state machine: replies in, actions out (RFC 5321 section 3).

What is said is written in `simulator.protocol.client_talk`; here is what surrounds it: octets, TLS, and the end.
"""

from __future__ import annotations

from collections.abc import Callable

from simulator.errors import UsageError
from simulator.protocol.client_actions import Action, Close, MakeSasl, SaslClient, Send, StartTls
from simulator.protocol.client_talk import STARTTLS_DONE, ClientTalk, check_attempt
from simulator.protocol.replies import Reply, ReplyError, ReplyParser
from simulator.protocol.session_outcome import (
    Attempt,
    Credentials,
    Envelope,
    Failure,
    RecipientOutcome,
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
"""How long to wait for each reply (RFC 5321 section 4.5.3.2), and for room to write text; 300 s for the others."""

_INJECTED = "somebody put text behind the server's answer to STARTTLS: the connection is not to be trusted"


class ClientSession:
    """One session. Feed it what happens; do what it says.

    Raises UsageError for an attempt that cannot be carried out; after that nothing that a server does raises.
    """

    def __init__(self, attempt: Attempt, make_sasl: MakeSasl | None = None) -> None:
        check_attempt(attempt, make_sasl)
        self.attempt = attempt
        self.outcome = SessionOutcome()
        self.waiting_for = "connection"
        """What reply the client waits for: "greeting", a verb or "final"; "TLS handshake"; "" when it is over."""
        self._parser = ReplyParser()
        self._talk = ClientTalk(attempt, self.outcome, make_sasl)
        self._conversation = self._talk.conversation()

    # --- what happens ------------------------------------------------------------------------------------------------

    def connected(self) -> list[Action]:
        """The connection is there (inside TLS for an implicit start; then call `tls_established` first)."""
        self.outcome.connected = True
        return self._advance(lambda: next(self._conversation))

    def receive(self, octets: bytes) -> list[Action]:
        """Octets came from the server."""
        if self.waiting_for == "connection":
            raise UsageError("Say connected() before the first octets.")
        if self.waiting_for == STARTTLS_DONE and octets:
            return self._abandon(_INJECTED)
        actions: list[Action] = []
        try:
            for reply in self._parser.feed(octets):
                if not self.waiting_for:
                    break
                actions += self._hear(reply)
                if self.waiting_for == STARTTLS_DONE and self._parser.pending:
                    # RFC 3207 section 6: what came in clear behind the 220 must not pass for a reply from inside TLS.
                    return self._abandon(_INJECTED)
        except ReplyError as error:
            actions += self._abandon(f"the server does not speak SMTP: {error}")
        return actions

    def tls_established(self, verified: bool) -> list[Action]:
        """The handshake ended well; `verified`: the certificate is good for the wanted name."""
        self.outcome.tls_used, self._talk.verified = True, verified
        if self.waiting_for != STARTTLS_DONE:
            return []
        return self._advance(lambda: self._conversation.send(Reply(220, ())))

    def tls_failed(self, reason: str) -> list[Action]:
        """The handshake failed; nothing can be said on this connection any more."""
        self.outcome.tls_failed = self.outcome.connected = True
        return self._abandon(f"TLS failed: {reason}", stage=STARTTLS_DONE)

    def lost(self, reason: str) -> list[Action]:
        """The peer is gone or silent. The client treats it like a 451 (RFC 5321 section 3.8)."""
        return self._abandon(reason)

    # --- the machinery -----------------------------------------------------------------------------------------------

    def _hear(self, reply: Reply) -> list[Action]:
        if reply.code == 421 and self.waiting_for != "QUIT":
            # RFC 5321 section 3.8: it may come as the answer to anything, and the server closes after it
            if self.waiting_for == "AUTH":
                self.outcome.auth_problem = "server trouble"
            self._over(Failure(self.waiting_for, reply.text or "421", True, reply))
            return [Close()]
        return self._advance(lambda: self._conversation.send(reply))

    def _advance(self, step: Callable[[], str]) -> list[Action]:
        try:
            self.waiting_for = step()
        except StopIteration:
            self.waiting_for = ""
        actions, self._talk.actions = self._talk.actions, []
        if not self.waiting_for and not any(isinstance(action, Close) for action in actions):
            actions.append(Close())
        return actions

    def _abandon(self, text: str, *, stage: str | None = None) -> list[Action]:
        """End the session because of the connection: whatever is not decided may go well another time."""
        if not self.waiting_for:
            return []
        self._over(Failure(stage or self.waiting_for, text, True))
        return [Close(abort=True)]

    def _over(self, failure: Failure) -> None:
        if self.waiting_for != "QUIT":  # then all is decided, and how the server says goodbye does not matter
            self.outcome.fail(failure, self.attempt.envelope)
        self.waiting_for = ""
        self._conversation.close()
