"""Transcript tests for the pure SMTP client: `talk(attempt()).hears("220 x").says("EHLO laptop.alice.example")`.

When the client says something else, the failure message is the dialogue so far.
"""

from __future__ import annotations

from typing import Any

from simulator.protocol.client_session import (
    Action,
    Attempt,
    ClientSession,
    Close,
    Credentials,
    Envelope,
    Send,
    SessionOutcome,
    StartTls,
    TlsPolicy,
)
from simulator.smtp.sasl import make_sasl

EHLO = "EHLO laptop.alice.example"
MAIL = "MAIL FROM:<alice@alice.example>"
BOB, CAROL, DAVE = "bob@bob.example", "carol@bob.example", "dave@bob.example"
LETTER = b"Subject: x\r\n\r\n.dot\r\n"
ALICE = Credentials("alice", "wonderland", ("PLAIN",))
PLAIN = "AUTH PLAIN AGFsaWNlAHdvbmRlcmxhbmQ="


def envelope(*recipients: str, content: bytes = LETTER, reverse_path: str = "alice@alice.example") -> Envelope:
    """Return an envelope, by default to Bob."""
    return Envelope(reverse_path=reverse_path, recipients=recipients or (BOB,), content=content)


def attempt(*recipients: str, **options: Any) -> Attempt:
    """Describe an attempt to hand over the letter, by default in clear."""
    usual: dict[str, Any] = {
        "ehlo_name": "laptop.alice.example",
        "tls": TlsPolicy.NONE,
        "envelope": envelope(*recipients),
    }
    return Attempt(**usual | options)


def rcpt(address: str) -> str:
    """Return the RCPT command for an address."""
    return f"RCPT TO:<{address}>"


class Script:
    """A session and what has happened in it."""

    def __init__(self, what: Attempt, *, connected: bool = True) -> None:
        self.session = ClientSession(what, lambda *login: make_sasl(*login, nonce="rOprNGfwEbeRWgbNEkqO"))
        self.todo: list[Action] = []
        self.so_far: list[str] = []
        if connected:
            if what.tls is TlsPolicy.IMPLICIT:
                self.do(self.session.tls_established(True))
            self.do(self.session.connected())

    def do(self, actions: list[Action]) -> Script:
        """Take what the session says that is to be done; what is said in one go counts as one."""
        for action in actions:
            last = self.todo[-1] if self.todo else None
            if isinstance(action, Send) and isinstance(last, Send):
                self.todo[-1] = Send(last.octets + action.octets)
            else:
                self.todo.append(action)
        return self

    def hears(self, *lines: str) -> Script:
        """Let the client hear lines, all at once."""
        return self.hears_octets("".join(line + "\r\n" for line in lines).encode())

    def hears_octets(self, octets: bytes) -> Script:
        """Let the client hear octets."""
        self.so_far.append(f"client hears {octets!r}")
        return self.do(self.session.receive(octets))

    def says(self, *lines: str) -> Script:
        """Expect lines from the client, all at once."""
        return self.says_octets("".join(line + "\r\n" for line in lines).encode())

    def says_octets(self, octets: bytes) -> Script:
        """Expect octets from the client."""
        return self.does(Send(octets))

    def does(self, *expected: Action) -> Script:
        """Expect these actions and no others."""
        actions, self.todo = self.todo, []
        assert actions == list(expected), "\n".join([*self.so_far, f"client does {actions}", f"not {list(expected)}"])
        self.so_far += [f"client does {action}" for action in actions]
        return self

    def starts_tls(self, verified: bool = True) -> Script:
        """Expect the handshake, and let it end well."""
        self.does(StartTls())
        return self.do(self.session.tls_established(verified))

    def closes(self, abort: bool = False) -> SessionOutcome:
        """Expect the end; return what came of it."""
        self.does(Close(abort))
        assert self.session.waiting_for == ""
        assert self.session.receive(b"250 too late\r\n") == []
        assert self.session.lost("too late") == []
        return self.session.outcome

    def says_goodbye(self) -> SessionOutcome:
        """Expect QUIT and the end; return what came of it."""
        return self.says("QUIT").hears("221 bye").closes()

    def results(self) -> dict[str, str]:
        """Return what became of every recipient."""
        return {address: each.result for address, each in self.session.outcome.recipients.items()}


def talk(what: Attempt, **options: Any) -> Script:
    """Begin a session."""
    return Script(what, **options)


def greeted(what: Attempt, *keywords: str) -> Script:
    """Begin a session with a server that offers these keywords."""
    return talk(what).hears("220 mail.bob.example").says(EHLO).hears(*ehlo(*keywords))


def ehlo(*keywords: str) -> list[str]:
    """Return the lines of a reply to EHLO."""
    return [*(f"250-{line}" for line in ("mail.bob.example", *keywords)), "250 HELP"]
