"""Rude, broken and hostile servers: no recipient is lost, counted twice, or accepted by accident (rows P04, P17, P29, T05)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.client_script import ALICE, BOB, CAROL, attempt, ehlo, greeted, talk

from simulator.protocol.client_session import (
    Action,
    Attempt,
    ClientSession,
    Close,
    Send,
    SessionOutcome,
    StartTls,
    TlsPolicy,
)
from simulator.smtp.sasl import make_sasl

TWO = attempt(BOB, CAROL)
WITH_ALL = attempt(BOB, CAROL, tls=TlsPolicy.REQUIRED, credentials=ALICE)
FOLDED = attempt(BOB, CAROL, tls=TlsPolicy.REQUIRED, credentials=ALICE, fold_auth=True)

CLEAR = [b"220 mail.bob.example ESMTP\r\n", b"250-mail.bob.example\r\n250 HELP\r\n", b"250 2.1.0 ok\r\n",
         b"250 2.1.5 ok\r\n", b"550-5.1.1 there is\r\n550 5.1.1 no such user\r\n", b"354 go\r\n", b"250 2.0.0 taken\r\n",
         b"221 2.0.0 bye\r\n"]  # fmt: skip
GROUP = [CLEAR[0], b"250-mail.bob.example\r\n250 PIPELINING\r\n", b"".join(CLEAR[2:6]), *CLEAR[6:]]
TLS = [CLEAR[0], b"250-mail.bob.example\r\n250 STARTTLS\r\n", b"220 go\r\n",
       b"250-mail.bob.example\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n", b"235 ok\r\n", b"".join(CLEAR[2:6]), *CLEAR[6:]]  # fmt: skip
TLS_FOLDED = [*TLS[:4], b"".join(TLS[4:6]), *TLS[6:]]
DIALOGUES = [(TWO, CLEAR), (TWO, GROUP), (WITH_ALL, TLS), (FOLDED, TLS_FOLDED)]


class Run:
    """A session that is fed pieces; the handshake goes well at once."""

    def __init__(self, what: Attempt) -> None:
        self.session = ClientSession(what, make_sasl)
        self.done: list[Action] = []
        self.carry_out(self.session.connected())

    def carry_out(self, actions: list[Action]) -> None:
        """Note actions; begin TLS where it is asked for."""
        for action in actions:
            last = self.done[-1] if self.done else None
            if isinstance(action, Send) and isinstance(last, Send):
                self.done[-1] = Send(last.octets + action.octets)
            else:
                self.done.append(action)
            if isinstance(action, StartTls):
                self.carry_out(self.session.tls_established(True))

    def feed(self, *pieces: bytes) -> Run:
        """Let octets come."""
        for piece in pieces:
            self.carry_out(self.session.receive(piece))
        return self

    @property
    def outcome(self) -> SessionOutcome:
        """What came of it."""
        return self.session.outcome


def fates(outcome: SessionOutcome) -> dict[str, str]:
    """Return recipient -> result."""
    return {address: each.result for address, each in outcome.recipients.items()}


@pytest.mark.parametrize(("what", "dialogue"), DIALOGUES)
def test_the_dialogues_are_good(what: Attempt, dialogue: list[bytes]) -> None:
    run = Run(what).feed(*dialogue)
    assert run.done[-1] == Close()
    assert fates(run.outcome) == {BOB: "accepted", CAROL: "permanent"}
    assert run.outcome.failure is None


def without_texts(dialogue: list[bytes]) -> list[bytes]:
    """Replace every text that is not part of the protocol."""
    found = []
    for replies in dialogue:
        lines = replies.split(b"\r\n")[:-1]
        offers = b"HELP" in replies or b"PIPELINING" in replies or b"STARTTLS" in replies
        found.append(
            b"".join(line[:4] + (line[4:] if offers and n else b"x") + b"\r\n" for n, line in enumerate(lines))
        )
    return found


@pytest.mark.parametrize(("what", "dialogue"), DIALOGUES)
def test_P04_codes_not_texts_drive_the_client(what: Attempt, dialogue: list[bytes]) -> None:
    plain, strange = Run(what).feed(*dialogue), Run(what).feed(*without_texts(dialogue))
    assert strange.done == plain.done
    assert fates(strange.outcome) == fates(plain.outcome)
    bare = Run(what).feed(*(b"".join(reply.partition(b" x")[0] + b"\r\n" for reply in replies.split(b"\r\n")[:-1])
                            for replies in without_texts(dialogue)))  # fmt: skip
    assert bare.done == plain.done


@pytest.mark.parametrize(("what", "dialogue"), DIALOGUES)
def test_cut_at_every_octet_the_client_does_the_same(what: Attempt, dialogue: list[bytes]) -> None:
    whole = Run(what).feed(*dialogue).done
    assert Run(what).feed(*(bytes([octet]) for octet in b"".join(dialogue))).done == whole
    for number, replies in enumerate(dialogue):
        for cut in range(1, len(replies)):
            pieces = [*dialogue[:number], replies[:cut], replies[cut:], *dialogue[number + 1 :]]
            assert Run(what).feed(*pieces).done == whole


@given(st.sampled_from(DIALOGUES), st.data())
def test_cut_anywhere_the_client_does_the_same(chosen: tuple[Attempt, list[bytes]], data: st.DataObject) -> None:
    what, dialogue = chosen
    pieces: list[bytes] = []
    for replies in dialogue:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(replies)), max_size=5)))
        pieces += [replies[start:end] for start, end in zip([0, *cuts], [*cuts, len(replies)], strict=True)]
    assert Run(what).feed(*pieces).done == Run(what).feed(*dialogue).done


# --- losing the server -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("what", "dialogue"), DIALOGUES)
@pytest.mark.parametrize("reason", ["the server closed the connection", "the server said nothing for 300 seconds"])
def test_P17_lost_at_every_point_every_recipient_has_one_fate(
    what: Attempt, dialogue: list[bytes], reason: str
) -> None:
    octets = b"".join(dialogue)
    decided = octets.index(b"no such user\r\n") + len(b"no such user\r\n")
    accepted = octets.index(b"taken\r\n") + len(b"taken\r\n")
    for cut in range(len(octets)):
        run = Run(what).feed(octets[:cut]) if what is TWO else feed_through_tls(what, dialogue, cut)
        run.carry_out(run.session.lost(reason))
        outcome = run.outcome
        assert set(outcome.recipients) == {BOB, CAROL}
        assert outcome.recipient(CAROL).result == ("permanent" if cut >= decided else "temporary")
        assert outcome.recipient(BOB).result == ("accepted" if cut >= accepted else "temporary")
        assert run.done[-1] == Close(abort=True)
        assert run.done.count(Close()) + run.done.count(Close(abort=True)) == 1
        if cut >= accepted:
            assert outcome.failure is None
        else:
            assert outcome.failure is not None
            assert (outcome.failure.text, outcome.failure.temporary) == (reason, True)
        assert run.session.lost("again") == []


def feed_through_tls(what: Attempt, dialogue: list[bytes], cut: int) -> Run:
    """Feed the first `cut` octets, never across the beginning of TLS."""
    before = len(b"".join(dialogue[:3]))
    octets = b"".join(dialogue)
    run = Run(what).feed(octets[: min(cut, before)])
    return run.feed(octets[before:cut]) if cut > before else run


def test_lost_before_it_began() -> None:
    session = ClientSession(TWO)
    assert session.lost("mail.bob.example refuses connections") == [Close(abort=True)]
    assert fates(session.outcome) == {BOB: "temporary", CAROL: "temporary"}
    assert not session.outcome.connected


@pytest.mark.parametrize(("what", "dialogue"), DIALOGUES)
def test_P17_421_at_any_point_is_temporary_and_the_end(what: Attempt, dialogue: list[bytes]) -> None:
    replies = [reply for piece in dialogue for reply in split_replies(piece)]
    for number in range(len(replies)):
        run = Run(what).feed(*replies[:number])
        stage = run.session.waiting_for
        run.feed(b"421 4.3.2 shutting down\r\n")
        assert run.done[-1] == Close(), stage
        assert run.session.waiting_for == ""
        goodbye = sum(isinstance(action, Send) and b"QUIT" in action.octets for action in run.done)
        assert goodbye == (1 if stage == "QUIT" else 0)
        expected = {BOB: "accepted" if stage == "QUIT" else "temporary",
                    CAROL: "permanent" if stage in ("DATA", "final", "QUIT") else "temporary"}  # fmt: skip
        assert fates(run.outcome) == expected, stage
        if stage != "QUIT":
            assert run.outcome.failure is not None
            assert str(run.outcome.failure.reply) == "421 4.3.2 shutting down"


def split_replies(octets: bytes) -> list[bytes]:
    """Split octets into whole replies."""
    found, current = [], b""
    for line in octets.split(b"\r\n")[:-1]:
        current += line + b"\r\n"
        if line[3:4] == b" ":
            found.append(current)
            current = b""
    return found


# --- no SMTP at all --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n<html>",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"* OK IMAP4rev1\r\n",
        b"+OK POP3\r\n",
        b"\x15\x03\x01\x00\x02\x02\x0a\r\n",
        b"\xff\xfe\x00\r\n",
        b"\0" * 5000,
        b"220 " + b"x" * 5000,
        b"x" * 10_000_000,
        b"220-x\r\n" * 1001,
        b"220-one\r\n250 two\r\n",
        b"220 one\n",
        b"\r\n",
        b"220\x00ok\r\n",
    ],
    ids=lambda words: repr(words[:12]),
)
def test_a_greeting_that_is_none(words: bytes) -> None:
    run = Run(TWO).feed(words)
    assert run.done == [Close(abort=True)]
    assert fates(run.outcome) == {BOB: "temporary", CAROL: "temporary"}
    assert run.outcome.failure is not None
    assert run.outcome.failure.text.startswith("the server does not speak SMTP: ")
    assert len(run.outcome.failure.text) < 300


def test_mixed_codes_later_on() -> None:
    run = Run(TWO).feed(*CLEAR[:2], b"250-ok\r\n550 no\r\n")
    assert run.done[-1] == Close(abort=True)
    assert set(fates(run.outcome).values()) == {"temporary"}


def test_garbage_instead_of_goodbye_changes_nothing() -> None:
    run = Run(TWO).feed(*CLEAR[:-1], b"garbage\r\n")
    assert run.done[-1] == Close(abort=True)
    assert (fates(run.outcome), run.outcome.failure) == ({BOB: "accepted", CAROL: "permanent"}, None)


def test_what_comes_after_the_end_is_not_heard() -> None:
    run = Run(TWO).feed(*CLEAR, b"421 x\r\n", b"garbage\r\n")
    assert run.done[-1] == Close()
    assert run.outcome.failure is None


PIECES = st.sampled_from(
    [b"220 x\r\n", b"250 x\r\n", b"250-x\r\n", b"250 STARTTLS\r\n", b"250-PIPELINING\r\n", b"250 AUTH PLAIN\r\n", b"235 x\r\n",
     b"334 \r\n", b"334 eA==\r\n", b"354 x\r\n", b"450 x\r\n", b"550 x\r\n", b"552 x\r\n", b"535 x\r\n", b"\r\n", b"\0", b"250"]
)  # fmt: skip
WISHES = st.builds(
    attempt,
    st.just(BOB),
    st.just(CAROL),
    tls=st.sampled_from(TlsPolicy),
    credentials=st.sampled_from([None, ALICE]),
    allow_cleartext_auth=st.booleans(),
    pipelining=st.booleans(),
    fold_auth=st.booleans(),
    stop_after=st.sampled_from([None, "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT"]),
    quit=st.booleans(),
)


@given(WISHES, st.lists(PIECES, max_size=25), st.booleans())
def test_whatever_the_server_says_the_client_keeps_its_promises(what: Attempt, pieces: list[bytes], good: bool) -> None:
    session = ClientSession(what, make_sasl)
    actions = session.tls_established(good) if what.tls is TlsPolicy.IMPLICIT else []
    actions += session.connected()
    inside = what.tls is TlsPolicy.IMPLICIT
    for piece in [*pieces, b""]:
        for action in actions:
            if isinstance(action, StartTls):
                inside = True
                actions = [*actions, *session.tls_established(good)]
        said = b"".join(action.octets for action in actions if isinstance(action, Send))
        if (b"AUTH" in said) and not what.allow_cleartext_auth:
            assert inside
            assert good
        if b"MAIL" in said and what.tls is TlsPolicy.REQUIRED:
            assert inside
        if not session.waiting_for:
            assert isinstance(actions[-1], Close)
            break
        actions = session.receive(piece)
    else:
        session.lost("over")
    accepted = [address for address, fate in fates(session.outcome).items() if fate == "accepted"]
    assert not accepted or any(piece[:1] == b"2" for piece in pieces[4:])
    assert set(session.outcome.recipients) <= {BOB, CAROL}


def test_T04_whatever_is_appended_the_client_fails_or_learns_the_truth() -> None:
    what = attempt(tls=TlsPolicy.REQUIRED, credentials=ALICE)
    for appended in (b"", b"250-x\r\n250 AUTH PLAIN\r\n", b"2", b"\r\n", b"220 again\r\n"):
        script = greeted(what, "STARTTLS").says("STARTTLS").hears_octets(b"220 go\r\n" + appended)
        if appended:
            script.closes(abort=True)
            continue
        script.starts_tls().todo.clear()
        script.hears(*ehlo("SIZE 5"))
        assert script.session.outcome.capabilities.keywords.keys() == {"SIZE", "HELP"}


def test_many_replies_take_no_time() -> None:
    people = [f"user{number}@bob.example" for number in range(20_000)]
    started = time.perf_counter()
    run = Run(attempt(*people)).feed(CLEAR[0], GROUP[1], b"250 ok\r\n" * 20_001, b"354 go\r\n", b"250 ok\r\n")
    assert time.perf_counter() - started < 8
    assert len(run.outcome.recipients) == 20_000
    assert talk(attempt()).so_far == []
