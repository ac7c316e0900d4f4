"""Octets become a dialogue: whole dialogues of the RFCs, cut connections, hostile octets (rows P10, P11, P12, P23, P27)."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol.dialogue import Said, read_dialogue


def spoken(*lines: str) -> tuple[bytes, bytes]:
    """Return the octets of both directions from lines such as "C: QUIT" and "S: 221 bye"."""
    octets = {"C": "", "S": ""}
    for line in lines:
        octets[line[0]] += line[3:] + "\r\n"
    return octets["C"].encode("latin-1"), octets["S"].encode("latin-1")


def told(client: bytes, server: bytes, **options: bool) -> list[str]:
    """Tell a dialogue in short: "EHLO", "250 EHLO", "message 12", "cut MAIL"."""
    found = []
    for said in read_dialogue(client, server, **options):
        words = {
            "command": said.verb or "?",
            "auth": said.verb,
            "reply": f"{said.code} {said.verb}".strip(),
            "data": f"message {said.end - said.start}",
            "chunk": f"chunk {said.end - said.start}",
            "other": "no reply",
        }[said.kind]
        found.append(words if said.complete else f"cut {words}")
    return found


GREETING = ["S: 220 mail.bob.example ESMTP", "C: EHLO laptop.example", "S: 250-mail.bob.example", "S: 250 HELP"]
HELLO = ["220", "EHLO", "250 EHLO"]


# --- dialogues in the manner of the RFCs -----------------------------------------------------------------------------


def test_rfc_5321_appendix_d_1_a_typical_transaction() -> None:
    dialogue = spoken(
        *GREETING,
        "C: MAIL FROM:<Smith@alice.example>", "S: 250 OK",
        "C: RCPT TO:<Jones@bob.example>", "S: 250 OK",
        "C: RCPT TO:<Green@bob.example>", "S: 550 No such user here",
        "C: RCPT TO:<Brown@bob.example>", "S: 250 OK",
        "C: DATA", "S: 354 Start mail input; end with <CRLF>.<CRLF>",
        "C: Blah blah blah...", "C: ..etc.", "C: .", "S: 250 OK",
        "C: QUIT", "S: 221 mail.bob.example closing",
    )  # fmt: skip
    assert told(*dialogue) == [
        *HELLO, "MAIL", "250 MAIL", "RCPT", "250 RCPT", "RCPT", "550 RCPT", "RCPT", "250 RCPT", "DATA", "354 DATA",
        "message 30", "250 DATA", "QUIT", "221 QUIT",
    ]  # fmt: skip
    items = read_dialogue(*dialogue)
    assert [dialogue[0][said.start : said.end] for said in items if said.kind == "data"] == [
        b"Blah blah blah...\r\n..etc.\r\n.\r\n"
    ]
    assert items[0].answers is None
    for index, said in enumerate(items[1:], 1):
        if said.kind == "reply":
            assert said.answers == index - 1


def test_rfc_5321_appendix_d_2_an_aborted_transaction() -> None:
    dialogue = spoken(*GREETING, "C: MAIL FROM:<a@a.example>", "S: 250 OK", "C: RCPT TO:<b@b.example>", "S: 550 no",
                      "C: RSET", "S: 250 OK", "C: QUIT", "S: 221 bye")  # fmt: skip
    assert told(*dialogue)[3:] == ["MAIL", "250 MAIL", "RCPT", "550 RCPT", "RSET", "250 RSET", "QUIT", "221 QUIT"]


def test_rfc_5321_appendix_d_4_verifying() -> None:
    dialogue = spoken(*GREETING, "C: VRFY Crispin", "S: 250 Mark <crispin@b.example>", "C: SEND FROM:<a@a.example>",
                      "S: 502 no", "C: HELP", "S: 214-one", "S: 214-two", "S: 214 three")  # fmt: skip
    assert told(*dialogue)[3:] == ["VRFY", "250 VRFY", "SEND", "502 SEND", "HELP", "214 HELP"]


STARTTLS = ["S: 220 mail.bob.example", "C: EHLO mail.alice.example", "S: 250-mail.bob.example", "S: 250 STARTTLS",
            "C: STARTTLS", "S: 220 Go ahead"]  # fmt: skip


def test_rfc_3207_section_5_inside() -> None:
    dialogue = spoken(
        *STARTTLS, "C: EHLO mail.alice.example", "S: 250-mail.bob.example", "S: 250 SIZE", "C: QUIT", "S: 221 x"
    )
    assert told(*dialogue) == [*HELLO, "STARTTLS", "220 STARTTLS", "EHLO", "250 EHLO", "QUIT", "221 QUIT"]


def test_rfc_3207_section_5_outside() -> None:
    client, server = spoken(*STARTTLS)
    records = b"\x16\x03\x01\x00\x05EHLO\n" + b"\x17\x03\x03\x00\x08QUIT\r\n\r\n"
    for tail in (records, records[:3], b""):
        assert told(client + tail, server + tail, outside=True) == [*HELLO, "STARTTLS", "220 STARTTLS"]
    assert told(records, records, outside=True) == []
    assert told(records, b"", outside=True) == []
    assert told(b"", b"", outside=True) == []


def test_cleartext_on_a_port_for_tls_seen_from_outside() -> None:
    alert = b"\x15\x03\x01\x00\x02\x02\x0a"
    assert told(b"EHLO x\r\n", alert, outside=True) == ["EHLO"]
    assert told(b"\x16\x03\x01\x00\x05hello", *spoken("S: 220 x", "S: 500 what?")[1:], outside=True) == ["220", "500"]


def test_rfc_2920_section_4_a_group() -> None:
    dialogue = spoken(
        "S: 220 mail.bob.example", "C: EHLO x.example", "S: 250-mail.bob.example", "S: 250 PIPELINING",
        "C: MAIL FROM:<mrose@alice.example>", "C: RCPT TO:<ned@bob.example>", "C: RCPT TO:<dan@bob.example>",
        "C: RCPT TO:<kvc@bob.example>", "C: DATA",
        "S: 250 sender OK", "S: 250 OK", "S: 550 no", "S: 250 OK", "S: 354 go",
        "C: text", "C: .", "C: QUIT", "S: 250 sent", "S: 221 goodbye",
    )  # fmt: skip
    assert told(*dialogue) == [
        *HELLO, "MAIL", "250 MAIL", "RCPT", "250 RCPT", "RCPT", "550 RCPT", "RCPT", "250 RCPT", "DATA", "354 DATA",
        "message 9", "250 DATA", "QUIT", "221 QUIT",
    ]  # fmt: skip


def test_P23_a_group_whose_data_is_refused_is_followed_by_commands() -> None:
    dialogue = spoken(*GREETING, "C: MAIL FROM:<a@a.example>", "C: RCPT TO:<b@b.example>", "C: DATA", "C: RSET",
                      "C: MAIL FROM:<>", "S: 250 ok", "S: 550 no", "S: 554 no recipients", "S: 250 ok", "S: 250 ok")  # fmt: skip
    assert told(*dialogue)[3:] == [
        "MAIL",
        "250 MAIL",
        "RCPT",
        "550 RCPT",
        "DATA",
        "554 DATA",
        "RSET",
        "250 RSET",
        "MAIL",
        "250 MAIL",
    ]


def test_P23_a_group_without_recipients_whose_data_is_taken() -> None:
    dialogue = spoken(*GREETING, "C: MAIL FROM:<a@a.example>", "C: RCPT TO:<b@b.example>", "C: DATA", "C: .", "C: QUIT",
                      "S: 250 ok", "S: 550 no", "S: 354 go", "S: 554 no recipients", "S: 221 bye")  # fmt: skip
    assert told(*dialogue)[7:] == ["DATA", "354 DATA", "message 3", "554 DATA", "QUIT", "221 QUIT"]


@pytest.mark.parametrize("code", ["350", "399"])
def test_P20_any_3yz_asks_for_the_message(code: str) -> None:
    dialogue = spoken(*GREETING, "C: DATA", f"S: {code} go", "C: QUIT", "C: .", "S: 250 ok")
    assert told(*dialogue)[3:] == ["DATA", f"{code} DATA", "message 9", "250 DATA"]


def test_P27_rfc_3030_section_4_chunks() -> None:
    dialogue = spoken(*GREETING, "C: MAIL FROM:<a@a.example> BODY=BINARYMIME", "C: RCPT TO:<b@b.example>")
    client = dialogue[0] + b"BDAT 10\r\n" + b"\r\n.\r\nQUIT\n" + b"bdat 3\r\nabcBDAT 0 LAST\r\nQUIT\r\n"
    server = dialogue[1] + b"250 ok\r\n" * 5 + b"221 bye\r\n"
    assert told(client, server)[7:] == [
        "BDAT", "chunk 10", "250 BDAT", "BDAT", "chunk 3", "250 BDAT", "BDAT", "250 BDAT", "QUIT", "221 QUIT",
    ]  # fmt: skip
    assert told(client[: client.index(b"QUIT\n")], server)[7:] == [
        "BDAT",
        "cut chunk 5",
        "250 BDAT",
        "250",
        "250",
        "221",
    ]
    # refused or not, the octets follow (RFC 3030 section 2)
    assert told(b"BDAT 6\r\nRSET\r\nNOOP\r\n", b"220 x\r\n503 no\r\n250 ok\r\n") == [
        "220", "BDAT", "chunk 6", "503 BDAT", "NOOP", "250 NOOP"]  # fmt: skip


@pytest.mark.parametrize(
    "line", [b"BDAT\r\n", b"BDAT x\r\n", b"BDAT -1\r\n", b"BDAT 9" + b"9" * 30 + b"\r\n", b"BDAT 3 FIRST\r\n"]
)
def test_P27_nonsense_has_no_chunk(line: bytes) -> None:
    assert told(line + b"NOOP\r\n", b"220 x\r\n501 no\r\n250 ok\r\n") == ["220", "BDAT", "501 BDAT", "NOOP", "250 NOOP"]


def test_rfc_4954_section_4_1_authentication() -> None:
    dialogue = spoken(*GREETING, "C: AUTH CRAM-MD5", "S: 334 PDQ=", "C: cmpzMyBl", "S: 235 2.7.0 ok", "C: MAIL FROM:<>",
                      "S: 250 ok")  # fmt: skip
    assert told(*dialogue)[3:] == ["AUTH", "334 AUTH", "*AUTH", "235 *AUTH", "MAIL", "250 MAIL"]
    dialogue = spoken(*GREETING, "C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=", "S: 235 ok", "C: NOOP", "S: 250 ok")
    assert told(*dialogue)[3:] == ["AUTH", "235 AUTH", "NOOP", "250 NOOP"]


def test_authentication_with_many_steps_and_cancelled() -> None:
    dialogue = spoken(*GREETING, "C: auth scram-sha-256", "S: 334 ", "C: MAIL", "S: 334 a", "C: QUIT", "S: 334 b", "C: ",
                      "S: 334 c", "C: *", "S: 501 cancelled", "C: QUIT", "S: 221 bye")  # fmt: skip
    assert told(*dialogue)[3:] == [
        "AUTH", "334 AUTH", "*AUTH", "334 *AUTH", "*AUTH", "334 *AUTH", "*AUTH", "334 *AUTH", "*AUTH", "501 *AUTH",
        "QUIT", "221 QUIT",
    ]  # fmt: skip


def test_authentication_in_a_group() -> None:
    dialogue = spoken(*GREETING, "C: AUTH PLAIN AAA=", "C: MAIL FROM:<a@a.example>", "S: 535 no", "S: 530 no")
    assert told(*dialogue)[3:] == ["AUTH", "535 AUTH", "MAIL", "530 MAIL"]


# --- how lines are read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "verb"),
    [
        (b"mAiL fRoM:<A.b@X.example>", "MAIL"),
        (b"ehlo", "EHLO"),
        (b"", "?"),
        (b" NOOP", "?"),
        (b"NO\0OP", "?"),
        (b"NO-OP", "?"),
        (b"NOOP\tx", "?"),
        (b"\xc3\xa4", "?"),
        (b"1234", "?"),
        (b"X" * 31, "X" * 31),
        (b"X" * 32, "?"),
        (b"X" * 100_000, "?"),
        (b"GET / HTTP/1.1", "GET"),
        (b"NOOP\rNOOP", "NOOP"),
        (b"NOOP\nQUIT", "?"),
    ],
)
def test_P10_verbs(line: bytes, verb: str) -> None:
    assert told(line + b"\r\n", b"220 x\r\n250 ok\r\n") == ["220", verb, f"250 {verb}".removesuffix(" ?")]


SMUGGLING = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\r\n\0.\r\n", b"\r\n. \r\n",
             b"\r\n.\r\r\n", b"\r\n..\r\n"]  # fmt: skip


@pytest.mark.parametrize("terminator", SMUGGLING)
def test_P11_only_crlf_dot_crlf_ends_a_message(terminator: bytes) -> None:
    client, server = spoken(*GREETING, "C: DATA", "S: 354 go", "S: 250 ok", "S: 221 bye")
    inside = b"first" + terminator + b"MAIL FROM:<eve@eve.example>\r\nDATA\r\nsecond\r\n.\r\n"
    assert told(client + inside + b"QUIT\r\n", server)[3:] == [
        "DATA", "354 DATA", f"message {len(inside)}", "250 DATA", "QUIT", "221 QUIT"]  # fmt: skip


def test_replies_with_bare_line_feeds_are_shown_as_they_were_meant() -> None:
    assert told(b"EHLO x\r\n", b"220 x\n250-a\n250 b\n") == HELLO


def test_what_is_no_reply_is_told_apart() -> None:
    assert told(b"EHLO x\r\n", b"HTTP/1.1 400\r\nX: y\r\n\r\n") == ["no reply", "EHLO", "no reply"]
    assert told(b"EHLO x\r\n", b"220 x\r\n250-a\r\nwhat?\r\n250 b\r\n") == ["220", "EHLO", "no reply", "250 EHLO"]


# --- endings ---------------------------------------------------------------------------------------------------------


def test_P17_421_at_any_time_ends_the_dialogue() -> None:
    assert told(b"", b"421 too busy\r\n") == ["421"]
    assert told(*spoken(*GREETING, "S: 421 idle for too long")) == [*HELLO, "421"]
    assert told(*spoken(*GREETING, "C: DATA", "S: 354 go", "C: half a letter", "S: 421 I am leaving")) == [
        *HELLO, "DATA", "354 DATA", "cut message 15", "421 DATA"]  # fmt: skip
    assert told(*spoken(*GREETING, "C: MAIL FROM:<>", "C: RCPT TO:<b@b.example>", "S: 421 no")) == [
        *HELLO, "MAIL", "421 MAIL", "RCPT"]  # fmt: skip


def test_a_connection_cut_in_the_middle_of_each_thing() -> None:
    client, server = spoken(*GREETING, "C: AUTH LOGIN", "S: 334 VXN", "C: YWxp", "S: 235 ok", "C: DATA", "S: 354 go",
                            "C: text", "C: .", "S: 250 ok", "C: QUIT", "S: 221 bye")  # fmt: skip
    whole = read_dialogue(client, server)
    assert told(client, server) == [*HELLO, "AUTH", "334 AUTH", "*AUTH", "235 *AUTH", "DATA", "354 DATA", "message 9",
                                    "250 DATA", "QUIT", "221 QUIT"]  # fmt: skip
    for number, said in enumerate(whole):
        for cut in range(said.start, said.end):
            client_cut = client[:cut] if said.direction == "c2s" else client[: sum_of(whole[:number], "c2s")]
            server_cut = server[:cut] if said.direction == "s2c" else server[: sum_of(whole[:number], "s2c")]
            found = read_dialogue(client_cut, server_cut)
            assert found[:number] == whole[:number]
            rest = found[number:]
            if cut == said.start:
                assert rest == []
            else:
                (half,) = rest
                assert (half.start, half.end, half.complete) == (said.start, cut, False)
                assert half.kind == (said.kind if said.direction == "c2s" else "other")
                assert half.code == 0


def sum_of(items: list[Said], direction: str) -> int:
    """Return how many octets of one direction the items take."""
    return sum(said.end - said.start for said in items if said.direction == direction)


# --- whatever comes --------------------------------------------------------------------------------------------------

PIECES = st.sampled_from(
    [b"EHLO x\r\n", b"DATA\r\n", b"AUTH PLAIN\r\n", b"BDAT 5\r\n", b"BDAT 99999\r\n", b"STARTTLS\r\n", b".\r\n", b"\r\n", b"\n",
     b"\r", b"\0", b"text", b"*\r\n", b"\xff", b"\x16\x03\x01", b"QUIT\r\n"]
)  # fmt: skip
REPLIES = st.sampled_from(
    [b"220 x\r\n", b"250-x\r\n", b"250 x\r\n", b"250\r\n", b"334 \r\n", b"354 x\r\n", b"354-x\r\n", b"421 x\r\n", b"550 x\n",
     b"\r\n", b"\n", b"\0", b"x", b"\x17\x03\x03", b"25"]
)  # fmt: skip


def check(client: bytes, server: bytes, outside: bool) -> None:
    """Expect every octet once and in order, and sound items."""
    items = read_dialogue(client, server, outside=outside)
    for direction, octets in (("c2s", client), ("s2c", server)):
        position = 0
        for said in items:
            if said.direction == direction:
                assert position == said.start < said.end
                position = said.end
        assert position == len(octets) or outside
    for index, said in enumerate(items):
        assert said.kind in (("command", "auth", "data", "chunk") if said.direction == "c2s" else ("reply", "other"))
        if said.answers is not None:
            assert said.answers < index
            assert items[said.answers].direction == "c2s"
            assert items[said.answers].verb == said.verb
        assert (said.kind == "reply") == (200 <= said.code <= 599)


@given(st.lists(PIECES), st.lists(REPLIES), st.booleans())
def test_it_never_raises_on_pieces_of_dialogues(client: list[bytes], server: list[bytes], outside: bool) -> None:
    check(b"".join(client), b"".join(server), outside)


@given(st.binary(), st.binary(), st.booleans())
def test_it_never_raises_on_any_octets(client: bytes, server: bytes, outside: bool) -> None:
    check(client, server, outside)


MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("client", "server"),
    [
        (b"NOOP\r\n" * 100_000, b"250 ok\r\n" * 100_000),
        (b"NOOP\r\n" * 100_000, b""),
        (b"NOOP\r\n" * 100_000, b"x" * MEGABYTE),
        (b"NOOP\r\n" * 100_000, b"250-x\r\n" * 100_000),
        (b"DATA\r\n" * 100_000, b"250-x\r\n" * 100_000 + b"x\r\n"),
        (b"DATA\r\n" * 100_000, b"354 go\r\n" * 100_000),
        (b"DATA\r\n" * 100_000, b"550 no\r\n" * 100_000),
        (b"DATA\r\n" + b".\r" * 300_000, b"220 x\r\n354 go\r\n"),
        (b"AUTH X\r\n" * 100_000, b"334 \r\n" * 100_000),
        (b"BDAT 1\r\nx" * 100_000, b"250 ok\r\n" * 100_000),
        (b"\r\n" * 500_000, b"\r\n" * 500_000),
        (b"x" * MEGABYTE, b"x" * MEGABYTE),
        (b"\0" * MEGABYTE, b"\0" * MEGABYTE),
        (b"\r" * MEGABYTE, b"\n" * MEGABYTE),
        (b"", b"250 ok\r\n" * 100_000),
        (b"", b"250-ok\r\n" * 100_000),
        (b"BDAT " + b" " * MEGABYTE, b"250 ok\r\n"),
        (b"BDAT " + b" " * MEGABYTE + b"\r\n", b"250 ok\r\n"),
    ],
    ids=range(18),
)
def test_hostile_streams_take_linear_time(client: bytes, server: bytes) -> None:
    started = time.perf_counter()
    read_dialogue(client, server)
    assert time.perf_counter() - started < 10  # about a tenth of it; what is not linear takes minutes
