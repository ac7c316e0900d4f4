"""The client's MAIL, RCPT and DATA, step by step and in a group: one outcome for every recipient (rows C09, C10, P14 to P24)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.client_script import (
    ALICE,
    BOB,
    CAROL,
    DAVE,
    LETTER,
    MAIL,
    PLAIN,
    Script,
    attempt,
    envelope,
    greeted,
    rcpt,
)

from simulator.protocol.client_session import SessionOutcome, TlsPolicy
from simulator.protocol.message import data_octets

TEXT = data_octets(LETTER)
ALL = (BOB, CAROL, DAVE)
RCPTS = [rcpt(address) for address in ALL]


def stepping(*replies: str, to: tuple[str, ...] = ALL) -> Script:
    """Go through MAIL and one RCPT for each reply, without pipelining."""
    script = greeted(attempt(*to)).says(MAIL).hears("250 ok")
    for address, reply in zip(to, replies, strict=False):
        script.says(rcpt(address)).hears(reply)
    return script


def grouped(*to: str, **options: object) -> Script:
    """Begin with a server that takes groups, up to where the group is sent."""
    to = to or ALL
    return greeted(attempt(*to, **options), "PIPELINING").says(MAIL, *(rcpt(address) for address in to), "DATA")


def results(outcome: SessionOutcome) -> list[str]:
    """Return the results in the order of the recipients."""
    assert set(outcome.recipients) == set(ALL)
    return [outcome.recipient(address).result for address in ALL]


# --- every recipient has a fate of its own ---------------------------------------------------------------------------


def test_C09_one_bad_recipient_does_not_stop_the_others() -> None:
    script = stepping("250 ok", "550 5.1.1 unknown", "250 ok").says("DATA").hears("354 go").says_octets(TEXT)
    outcome = script.hears("250 taken").says_goodbye()
    assert {a: outcome.recipient(a).result for a in ALL} == {BOB: "accepted", CAROL: "permanent", DAVE: "accepted"}
    refused = outcome.recipient(CAROL)
    assert (refused.stage, refused.text) == ("RCPT", "unknown")
    assert refused.reply is not None
    assert refused.reply.enhanced == "5.1.1"
    assert outcome.failure is None


def test_C09_the_same_in_a_group() -> None:
    script = grouped().hears("250 ok", "250 ok", "550 5.1.1 unknown", "450 4.2.0 later", "354 go").says_octets(TEXT)
    outcome = script.hears("250 taken").says_goodbye()
    assert {a: outcome.recipient(a).result for a in ALL} == {BOB: "accepted", CAROL: "permanent", DAVE: "temporary"}


@pytest.mark.parametrize("reply", ["452 4.5.3 too many", "552 5.5.3 too many", "552 too many"])
def test_P14_too_many_recipients_is_temporary_for_the_surplus(reply: str) -> None:
    script = stepping("250 ok", reply, reply).says("DATA").hears("354 go").says_octets(TEXT)
    assert results(script.hears("250 taken").says_goodbye()) == ["accepted", "temporary", "temporary"]
    script = grouped().hears("250 ok", "250 ok", reply, reply, "354 go").says_octets(TEXT)
    assert results(script.hears("250 taken").says_goodbye()) == ["accepted", "temporary", "temporary"]


def test_552_elsewhere_is_permanent() -> None:
    outcome = greeted(attempt()).says(MAIL).hears("552 5.3.4 too big").says_goodbye()
    assert outcome.recipient(BOB).result == "permanent"
    script = stepping("250 ok", to=(BOB,)).says("DATA").hears("354 go").says_octets(TEXT)
    assert script.hears("552 5.3.4 too big").says_goodbye().recipient(BOB).result == "permanent"


@pytest.mark.parametrize(("code", "result"), [("459", "temporary"), ("599", "permanent"), ("350", "temporary"),
                                              ("499", "temporary"), ("571", "permanent")])  # fmt: skip
def test_P20_unknown_codes_count_by_their_first_digit(code: str, result: str) -> None:
    for at_fault in ("MAIL", "RCPT", "DATA", "final"):
        script = greeted(attempt()).says(MAIL)
        for stage, reply, next_words in (
            ("MAIL", "299 ok", rcpt(BOB).encode() + b"\r\n"),
            ("RCPT", "251 will forward", b"DATA\r\n"),
            ("DATA", "354 go", TEXT),
            ("final", "200 ok", b""),
        ):
            if stage == at_fault:
                script.hears(f"{code} x")
                break
            script.hears(reply).says_octets(next_words)
        if at_fault == "DATA" and code == "350":
            script.says_octets(TEXT).hears("250 ok").says_goodbye()  # 3yz: it waits for more
            continue
        outcome = script.says_goodbye()
        assert outcome.recipient(BOB).result == result, at_fault
        assert outcome.recipient(BOB).stage == at_fault


def test_only_the_reply_after_the_dot_accepts() -> None:
    script = stepping("250 ok", to=(BOB,)).says("DATA").hears("250 taken already")
    assert script.says_goodbye().recipient(BOB).result == "temporary"
    script = grouped(BOB).hears("250 ok", "250 ok", "250 taken already")
    assert script.says_goodbye().recipient(BOB).result == "temporary"


def test_a_recipient_named_twice_is_mentioned_once() -> None:
    script = greeted(attempt(BOB, BOB)).says(MAIL).hears("250 ok").says(rcpt(BOB)).hears("250 ok").says("DATA")
    assert script.hears("354 go").says_octets(TEXT).hears("250 ok").says_goodbye().recipient(BOB).result == "accepted"
    assert greeted(attempt(BOB, BOB, CAROL), "PIPELINING").says(MAIL, rcpt(BOB), rcpt(CAROL), "DATA")


# --- refusals --------------------------------------------------------------------------------------------------------


def test_all_refused_step_by_step() -> None:
    outcome = stepping("550 no", "450 later", "550 no").says_goodbye()
    assert results(outcome) == ["permanent", "temporary", "permanent"]


@pytest.mark.parametrize("data", ["554 no valid recipients", "503 no valid recipients", "451 no"])
def test_P23_all_refused_in_a_group(data: str) -> None:
    outcome = grouped().hears("250 ok", "550 no", "450 later", "550 no", data).says_goodbye()
    assert results(outcome) == ["permanent", "temporary", "permanent"]
    assert all(each.stage == "RCPT" for each in outcome.recipients.values())


def test_P23_all_refused_but_data_taken_needs_a_lone_dot() -> None:
    # RFC 2920 section 3.1: a server may answer 354 although no recipient is valid
    script = grouped().hears("250 ok", "550 no", "450 later", "550 no", "354 go").says_octets(b".\r\n")
    outcome = script.hears("554 no valid recipients").says_goodbye()
    assert results(outcome) == ["permanent", "temporary", "permanent"]
    script = grouped().hears("250 ok", "550 no", "450 later", "550 no", "354 go").says_octets(b".\r\n")
    assert results(script.hears("250 strange").says_goodbye()) == ["permanent", "temporary", "permanent"]


@pytest.mark.parametrize(("reply", "result"), [("550 no", "permanent"), ("450 later", "temporary")])
def test_mail_refused(reply: str, result: str) -> None:
    outcome = greeted(attempt(*ALL)).says(MAIL).hears(reply).says_goodbye()
    assert results(outcome) == [result] * 3
    assert outcome.failure is not None
    assert outcome.failure.stage == "MAIL"


@pytest.mark.parametrize(("reply", "result"), [("550 no", "permanent"), ("450 later", "temporary")])
@pytest.mark.parametrize("data", ["503 no", "354 go"])
def test_mail_refused_in_a_group(reply: str, result: str, data: str) -> None:
    script = grouped().hears(reply, "503 no", "503 no", "503 no", data)
    if data == "354 go":
        script.says_octets(b".\r\n").hears("554 no")
    outcome = script.says_goodbye()
    assert results(outcome) == [result] * 3
    assert all(each.stage == "MAIL" for each in outcome.recipients.values())


def test_a_server_that_refuses_the_sender_and_goes_on_gets_nothing() -> None:
    script = grouped().hears("550 no", "250 ok", "250 ok", "550 no", "354 go")
    assert results(script.closes(abort=True)) == ["permanent"] * 3


@pytest.mark.parametrize(("reply", "result"), [("554 no", "permanent"), ("451 later", "temporary")])
def test_data_refused(reply: str, result: str) -> None:
    expected = {BOB: result, CAROL: "permanent", DAVE: result}
    script = stepping("250 ok", "550 no", "250 ok").says("DATA").hears(reply)
    script.says_goodbye()
    assert {a: script.session.outcome.recipient(a).result for a in ALL} == expected
    script = grouped().hears("250 ok", "250 ok", "550 no", "250 ok", reply)
    script.says_goodbye()
    assert {a: script.session.outcome.recipient(a).result for a in ALL} == expected


def test_R10_refused_after_the_dot_for_all_that_were_accepted() -> None:
    script = stepping("250 ok", "450 later", "250 ok").says("DATA").hears("354 go").says_octets(TEXT)
    script.hears("554 5.6.0 no").says_goodbye()
    assert {a: script.session.outcome.recipient(a).result for a in ALL} == {
        BOB: "permanent", CAROL: "temporary", DAVE: "permanent"}  # fmt: skip


# --- pipelining ------------------------------------------------------------------------------------------------------


def test_P23_no_group_where_it_is_not_offered_or_not_wanted() -> None:
    greeted(attempt()).says(MAIL)
    greeted(attempt(pipelining=False), "PIPELINING").says(MAIL)


def test_P23_replies_to_a_group_may_come_one_by_one() -> None:
    script = grouped()
    for reply in ("250 ok", "250 ok", "550 no", "250 ok"):
        script.hears(reply).does()
    assert script.session.waiting_for == "DATA"
    script.hears("354 go").says_octets(TEXT).hears("250 ok").says_goodbye()


IN_TLS = {"tls": TlsPolicy.IMPLICIT, "credentials": ALICE, "fold_auth": True}
OFFERS = ("PIPELINING", "AUTH PLAIN")


def folded() -> Script:
    """Send the group with AUTH in it."""
    return greeted(attempt(*ALL, **IN_TLS), *OFFERS).says(PLAIN, MAIL, *RCPTS, "DATA")


def test_folded_login() -> None:
    script = folded().hears("235 ok", "250 ok", "250 ok", "250 ok", "550 no", "354 go").says_octets(TEXT)
    outcome = script.hears("250 ok").says_goodbye()
    assert outcome.authenticated
    assert outcome.recipient(BOB).result == "accepted"


def test_no_folding_without_pipelining_or_plain() -> None:
    greeted(attempt(*ALL, **IN_TLS), "AUTH PLAIN").says(PLAIN)
    greeted(
        attempt(*ALL, **IN_TLS | {"credentials": replace(ALICE, mechanisms=("LOGIN",))}), "PIPELINING", "AUTH LOGIN"
    ).says("AUTH LOGIN")
    greeted(attempt(*ALL, **IN_TLS | {"envelope": None}), *OFFERS).says(PLAIN)


@pytest.mark.parametrize("reply", ["535 5.7.8 wrong", "454 4.7.0 later"])
@pytest.mark.parametrize("data", ["530 no", "354 go"])
def test_folded_login_refused(reply: str, data: str) -> None:
    script = folded().hears(reply, "530 no", "530 no", "530 no", "530 no", data)
    if data == "354 go":
        script.says_octets(b".\r\n").hears("554 no")
    outcome = script.says_goodbye()
    assert not outcome.authenticated
    assert outcome.auth_problem == ("wrong password" if reply.startswith("5") else "server trouble")
    assert results(outcome) == ["permanent" if reply.startswith("5") else "temporary"] * 3
    assert all(each.stage == "AUTH" for each in outcome.recipients.values())


def test_folded_login_refused_by_a_server_that_takes_mail_from_anybody() -> None:
    outcome = folded().hears("535 wrong", "250 ok", "250 ok", "250 ok", "250 ok", "354 go").closes(abort=True)
    assert results(outcome) == ["permanent"] * 3  # no empty message is sent in place of the letter


def test_folded_login_that_is_asked_for_more() -> None:
    outcome = folded().hears("334 ").closes(abort=True)
    assert results(outcome) == ["permanent"] * 3
    assert not outcome.authenticated


@pytest.mark.parametrize("stop", ["MAIL", "RCPT"])
def test_a_folded_group_that_stops_early(stop: str) -> None:
    lines = [PLAIN, MAIL, *(RCPTS if stop == "RCPT" else [])]
    script = greeted(attempt(*ALL, **IN_TLS, stop_after=stop), *OFFERS).says(*lines)
    script.hears("535 wrong", *["530 no"] * (len(lines) - 1)).says_goodbye()
    script = greeted(attempt(*ALL, **IN_TLS, stop_after=stop), *OFFERS).says(*lines)
    assert script.hears("235 ok", *["250 ok"] * (len(lines) - 1)).says_goodbye().authenticated


# --- what the server takes -------------------------------------------------------------------------------------------

EIGHT_BIT = replace(envelope(), content=b"Subject: x\r\n\r\n\xc3\xa4\r\n")
UTF8_HEADER = replace(envelope(), content=b"Subject: \xc3\xa4\r\n\r\nx\r\n")


@pytest.mark.parametrize(
    ("what", "keywords", "parameters"),
    [
        (envelope(), [], ""),
        (envelope(), ["SIZE"], f" SIZE={len(LETTER)}"),
        (envelope(), ["SIZE 0"], f" SIZE={len(LETTER)}"),
        (envelope(), [f"SIZE {len(LETTER)}"], f" SIZE={len(LETTER)}"),
        (replace(envelope(), content=b"x: y\r\n\r\nno end"), ["SIZE"], " SIZE=16"),
        (envelope(), ["8BITMIME", "SMTPUTF8"], ""),
        (EIGHT_BIT, ["8BITMIME"], " BODY=8BITMIME"),
        (UTF8_HEADER, ["8BITMIME", "SMTPUTF8"], " BODY=8BITMIME SMTPUTF8"),
    ],
)
def test_C10_parameters_of_mail(what: object, keywords: list[str], parameters: str) -> None:
    greeted(attempt(envelope=what), *keywords).says(MAIL + parameters)


def test_smtputf8_addresses() -> None:
    what = attempt(envelope=envelope("böb@bob.example", reverse_path=""))
    script = greeted(what, "8BITMIME", "SMTPUTF8").says("MAIL FROM:<> SMTPUTF8").hears("250 ok")
    script.says("RCPT TO:<böb@bob.example>")


@pytest.mark.parametrize(
    ("what", "keywords", "why"),
    [
        (envelope(), ["SIZE 19"], "the message has 20 octets, the server takes 19"),
        (EIGHT_BIT, ["SMTPUTF8"], "8-bit text"),
        (UTF8_HEADER, ["8BITMIME"], "the header is not ASCII"),
        (envelope("böb@bob.example"), ["8BITMIME"], "an address is not ASCII"),
        (replace(envelope(), content=b"x: y\r\n\r\n\n.\r\n"), [], "CR or LF that is not part of CR LF"),
        (replace(envelope(), content=b"x: y\r\n\r\n\r.\r\n"), [], "CR or LF that is not part of CR LF"),
        (replace(envelope(), content=b"x: " + b"y" * 996 + b"\r\n"), [], "a line of more than 998 octets"),
    ],
)
@pytest.mark.parametrize("group", [[], ["PIPELINING"]])
def test_P21_what_the_server_does_not_take_is_not_tried(
    what: object, keywords: list[str], why: str, group: list[str]
) -> None:
    script = greeted(attempt(envelope=what), *keywords, *group)
    outcome = script.says_goodbye()
    assert outcome.failure is not None
    assert why in outcome.failure.text
    assert set(script.results().values()) == {"permanent"}


def test_C06_bad_lines_are_sent_only_in_lessons() -> None:
    what = attempt(envelope=replace(envelope(), content=b"x: y\r\n\r\n\n.\r\n"), unsafe_lines=True)
    script = greeted(what).says(MAIL).hears("250 ok").says(rcpt(BOB)).hears("250 ok").says("DATA").hears("354 go")
    script.says_octets(b"x: y\r\n\r\n\n.\r\n.\r\n")


def test_P12_dots_at_line_starts_are_doubled() -> None:
    content = b".a: b\r\n\r\n.\r\n..\r\nx.\r\n.y"
    script = greeted(attempt(envelope=replace(envelope(), content=content))).says(MAIL).hears("250 ok").says(rcpt(BOB))
    script.hears("250 ok").says("DATA").hears("354 go").says_octets(b"..a: b\r\n\r\n..\r\n...\r\nx.\r\n..y\r\n.\r\n")
