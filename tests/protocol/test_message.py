"""Messages as octets: nothing changes that should not, and nothing can be slipped in (rows C04 to C06, P11, P12, P25, R15, L15)."""

from __future__ import annotations

import email
import email.policy
import re
import time
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import UsageError
from simulator.protocol.message import (
    HeaderField,
    compose,
    data_octets,
    dot_unstuff,
    envelope_recipients,
    fields,
    fold,
    has_field,
    has_header,
    is_8bit,
    line_problem,
    longest_line_octets,
    normalise_line_endings,
    prepend,
    received_field,
    remove_field,
    required_fields_problem,
    rfc5322_date,
    split_message,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LETTER = b"From: alice@alice.example\r\nTo: bob@bob.example\r\nDate: Thu, 01 Jan 2026 12:00:00 +0000\r\n\r\nHello\r\n"

# --- dots and line ends ----------------------------------------------------------------------------------------------

DOTTED = st.lists(st.sampled_from([b".", b"..", b"\r\n", b"\r\n.", b"x", b"\r", b"\n", b"\n.", b"\xff", b"\0"])).map(
    b"".join
)


@given(DOTTED | st.binary())
def test_P12_what_was_doubled_comes_back(octets: bytes) -> None:
    message = octets + b"\r\n" if octets else octets
    sent = data_octets(message)
    assert dot_unstuff(sent) == message
    assert sent.endswith(b"\r\n.\r\n") or sent == b".\r\n"
    # a strict server finds the end at the end and nowhere before
    assert sent == b".\r\n" or (sent.index(b"\r\n.\r\n") == len(sent) - 5 and not sent.startswith(b".\r\n"))


def test_P12_a_line_without_end_gets_one() -> None:
    assert data_octets(b"x") == b"x\r\n.\r\n"
    assert data_octets(b"") == b".\r\n"
    assert data_octets(b".") == b"..\r\n.\r\n"
    assert data_octets(b"\n.\n") == b"\n.\n\r\n.\r\n"  # only a line's beginning counts, and LF begins none
    assert dot_unstuff(b"") == b""
    assert dot_unstuff(b"..a\r\n.b\r\nc.\r\n") == b".a\r\nb\r\nc.\r\n"


@given(DOTTED | st.binary())
def test_P11_line_ends_become_crlf(octets: bytes) -> None:
    lines = normalise_line_endings(octets)
    assert line_problem(lines) in (None, "the message has a line of more than 998 octets")
    assert lines == b"" or lines.endswith(b"\r\n")
    assert normalise_line_endings(lines) == lines
    assert re.sub(rb"[\r\n]", b"", lines) == re.sub(rb"[\r\n]", b"", octets)


def test_C06_lines() -> None:
    assert line_problem(LETTER) is None
    assert line_problem(b"x" * 998 + b"\r\n") is None
    assert "998" in (line_problem(b"x" * 999 + b"\r\n") or "")
    for octets in (b"a\nb\r\n", b"a\rb\r\n", b"a\r\r\n", b"\n", b"a\n\r"):
        assert "part of CR LF" in (line_problem(octets) or "")
    assert longest_line_octets(b"") == 0
    assert longest_line_octets(b"a\r\nbc\r\nd") == 2


def test_P25_eight_bits() -> None:
    assert not is_8bit(bytes(range(128)))
    assert is_8bit(b"\x80")


# --- header fields ---------------------------------------------------------------------------------------------------


def test_fields_are_found_and_unfolded() -> None:
    octets = b"A: one\r\nB:two\r\n  three\r\n\tfour\r\nC :\r\nD: \xc3\xa4 \xff\r\n\r\nE: body\r\n"
    assert [(field.name, field.value) for field in fields(octets)] == [
        ("A", "one"), ("B", "two  three\tfour"), ("C", ""), ("D", "ä \ufffd")]  # fmt: skip
    assert b"".join(field.raw for field in fields(octets)) + b"\r\nE: body\r\n" == octets
    assert fields(b"A: no end") == [HeaderField("A", b"A: no end\r\n", "no end")]
    assert has_field(octets, "a")
    assert not has_field(octets, "E")


@pytest.mark.parametrize(
    ("octets", "names"),
    [
        (b"", []),
        (b"\r\n", []),
        (b"\r\nA: body\r\n", []),
        (b"no field\r\nA: x\r\n", []),
        (b" A: x\r\n", []),
        (b"A: x\r\nnonsense\r\nB: y\r\n", ["A"]),
        (b"A: x\r\nFrom somebody Thu\r\nB: y\r\n", ["A"]),
        (b"A: x\nB: y\r\nC: z\r\n", ["A", "C"]),  # a bare LF ends no line
        (b"A: x\rB: y\r\n", ["A"]),
        (b"A: x\r\r\nB: y\r\n", ["A", "B"]),
        (b": x\r\n", []),
        (b"A\xe4: x\r\n", []),
        (b"A B: x\r\n", []),
        (b"A\0: x\r\n", []),
        (b"A\r\n : x\r\n", []),
    ],
)
def test_hostile_headers(octets: bytes, names: list[str]) -> None:
    assert [field.name for field in fields(octets)] == names
    assert has_header(octets) == (bool(names) or octets.startswith(b"\r\n"))


@pytest.mark.parametrize(
    "octets",
    [b"A: x\r\n" * 50_000, b"A: x\r\n" + b" y\r\n" * 50_000, b"A: " + b"\n" * 500_000, b"A: " + b"\r" * 500_000, b"x" * 10**6,
     b"A:" * 500_000, b"A: x" + b"\r\n \r" * 200_000, b"A" + b" " * 10**6, b"A: " + b"x" * 10**6, b"\r\n" * 500_000,
     b"A: " + b"\r\r\n\n " * 200_000],
    ids=lambda octets: repr(octets[:9]),
)  # fmt: skip
def test_hostile_headers_take_linear_time(octets: bytes) -> None:
    started = time.perf_counter()
    fields(octets)
    remove_field(octets, "A")
    has_header(octets)
    assert time.perf_counter() - started < 8


HEADER = st.lists(
    st.sampled_from([b"A: x\r\n", b"b: y\r\n z\r\n", b"Bcc: eve\r\n", b"bcc :\r\n", b"junk\r\n", b"A:\n\r\n", b"\r\n", b" \r\n", b"\r", b"Received: x\r\n"])
).map(b"".join)  # fmt: skip


@given(HEADER | st.binary(), st.binary())
def test_R15_prepending_changes_nothing_else(header: bytes, body: bytes) -> None:
    octets = header + b"\r\n" + body
    traced = prepend(octets, "Received", "from a (b); c")
    assert traced.endswith(octets)
    assert [field.name for field in fields(traced)] == ["Received", *(field.name for field in fields(octets))]
    assert split_message(traced)[1] == split_message(octets)[1] or not has_header(octets)


@given(HEADER, st.binary())
def test_C04_removing_changes_nothing_else(header: bytes, body: bytes) -> None:
    octets = header + b"\r\n" + body
    removed = remove_field(octets, "BCC")
    assert not has_field(removed, "Bcc")
    assert [f for f in fields(octets) if f.name.lower() != "bcc"] == fields(removed) or not has_header(removed)
    position = 0
    for field in fields(octets):
        if field.name.lower() != "bcc":
            assert removed[position : position + len(field.raw)] == field.raw
            position += len(field.raw)
    assert octets.endswith(removed[position:])


def test_a_body_without_header_gets_the_blank_line() -> None:
    assert prepend(b"just text\r\n", "Date", "x") == b"Date: x\r\n\r\njust text\r\n"
    assert prepend(b"\r\ntext\r\n", "Date", "x") == b"Date: x\r\n\r\ntext\r\n"
    assert prepend(b"", "Date", "x") == b"Date: x\r\n\r\n"
    assert split_message(LETTER)[1] == b"Hello\r\n"
    assert split_message(b"A: x\r\n") == (b"A: x\r\n", b"")
    assert split_message(b"\r\nx") == (b"", b"x")


@pytest.mark.parametrize(
    ("name", "value"),
    [("X", "a\r\nBcc: eve@eve.example"), ("X", "a\nb"), ("X", "a\rb"), ("X", "a\0b"), ("X", "a\x1bb"), ("X", "\udcff"), ("X\r\nY", "a"),
     ("X:", "a"), ("", "a"), ("X Y", "a"), ("Ä", "a"), ("\udcff", "a"), ("X", "a" * 1000)],
)  # fmt: skip
def test_L15_nothing_can_be_slipped_into_a_field(name: str, value: str) -> None:
    with pytest.raises(UsageError) as caught:
        prepend(LETTER, name, value)
    assert len(str(caught.value).splitlines()) == 1


WORDS = st.text(st.sampled_from("ab  \tä.;"), max_size=400) | st.text(st.characters(exclude_categories=["Cc", "Cs"]))


@given(WORDS)
def test_C06_folding_keeps_the_words_and_the_limits(value: str) -> None:
    folded = fold(f"Name: {value}")
    lines = folded.decode().split("\r\n")
    assert lines.pop() == ""
    assert "".join(lines) == f"Name: {value}".rstrip(" \t")
    assert all(line.strip(" \t") for line in lines)
    assert lines[0].strip() != "Name:" or len(lines) == 1
    for line in lines[1:]:
        assert line[0] in " \t"
    for line in lines:  # a longer line has a single word
        assert len(line.encode()) <= 78 or not re.search(r"[ \t]", line.removeprefix("Name:").strip(" \t"))
    (field,) = fields(folded)
    assert field.value == f"{value}".strip() or "\u2028" in value or not value.isascii()


# --- Received --------------------------------------------------------------------------------------------------------


def received(**options: str) -> str:
    """Return a Received value with some of its parts changed."""
    usual = {"from_name": "laptop.example", "from_address": "192.0.2.9", "by": "mail.alice.example", "protocol": "ESMTPSA",
             "queue_id": "1a2b"}  # fmt: skip
    return received_field(**usual | options, at=NOON)  # type: ignore[arg-type]


def test_R15_a_received_field() -> None:
    assert received() == (
        "from laptop.example ([192.0.2.9]) by mail.alice.example with ESMTPSA id 1a2b; Thu, 01 Jan 2026 12:00:00 +0000"
    )
    assert received(tls_cipher="TLS_AES_256_GCM_SHA384", recipient="bob@bob.example").endswith(
        " with ESMTPSA tls TLS_AES_256_GCM_SHA384 id 1a2b for <bob@bob.example>; Thu, 01 Jan 2026 12:00:00 +0000"
    )
    assert "from [IPv6:2001:db8::9] ([IPv6:2001:db8::9])" in received(from_name="", from_address="2001:db8::9")
    assert "from [192.0.2.1] ([192.0.2.9])" in received(from_name="[192.0.2.1]")


@given(st.text(), st.text())
def test_R15_a_client_cannot_write_into_received(name: str, address: str) -> None:
    value = received(from_name=name, from_address=address)
    assert re.fullmatch(
        r"from [A-Za-z0-9.:\[\]?-]+ \(\[(IPv6:)?[0-9A-Fa-f.:?]*\]\) by mail\.alice\.example with ESMTPSA id 1a2b; Thu, 01 Jan.*",
        value)  # fmt: skip
    assert next(iter(fields(prepend(LETTER, "Received", value)))).value == value


@pytest.mark.parametrize(
    "options",
    [
        {"by": "a b"},
        {"by": ""},
        {"protocol": "ESMTP; x"},
        {"queue_id": "1\r\nX: y"},
        {"tls_cipher": "(x)"},
        {"recipient": "a@b.example\n"},
    ],
)
def test_R15_nor_can_anybody_else(options: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        received(**options)


def test_dates_have_a_numeric_zone() -> None:
    assert rfc5322_date(NOON) == "Thu, 01 Jan 2026 12:00:00 +0000"
    assert rfc5322_date(NOON.astimezone(timezone(timedelta(hours=-3.5)))) == "Thu, 01 Jan 2026 08:30:00 -0330"


# --- letters ---------------------------------------------------------------------------------------------------------


def letter(
    text: str = "Hello", subject: str = "Hi", to: tuple[str, ...] = ("bob@bob.example",), **options: object
) -> bytes:
    """Compose a letter from Alice."""
    return compose(text, "alice@alice.example", to, subject, NOON, "<1@alice.example>", **options)  # type: ignore[arg-type]


def test_C05_a_letter_has_what_it_needs() -> None:
    octets = letter(cc=("carol@bob.example",))
    assert required_fields_problem(octets) is None
    assert line_problem(octets) is None
    parsed = email.message_from_bytes(octets, policy=email.policy.default)
    assert dict(parsed.items()) == {
        "From": "alice@alice.example", "To": "bob@bob.example", "Cc": "carol@bob.example", "Subject": "Hi",
        "Date": "Thu, 01 Jan 2026 12:00:00 +0000", "Message-ID": "<1@alice.example>",
        "Content-Type": 'text/plain; charset="utf-8"', "Content-Transfer-Encoding": "7bit", "MIME-Version": "1.0"}  # fmt: skip
    assert octets.endswith(b"\r\n\r\nHello\r\n")


@pytest.mark.parametrize(
    "text",
    ["Grüße", "x" * 999, "x" * 5000, "ä" * 2000, "a\0b", "line\n" * 100, "one\r\ntwo\rthree\n", "", "\n", ".\n..\n", "\u2028x\x0cy\x85",
     "From here\n", "\ufeff", "🙂", "=\n= =20"],
    ids=lambda text: ascii(text[:12]),
)  # fmt: skip
def test_P21_letters_are_seven_bit_and_say_what_was_written(text: str) -> None:
    octets = letter(text)
    assert octets.isascii()
    assert line_problem(octets) is None
    parsed = email.message_from_bytes(octets, policy=email.policy.default)
    written = re.sub("\r\n?", "\n", text)
    assert parsed.get_content().replace("\r\n", "\n") == (written if written.endswith("\n") else written + "\n")


@pytest.mark.parametrize(
    "subject", ["", "Grüße aus München", "x" * 990, "word " * 300 + "end", "ä" * 500, "=?utf-8?q?x?=", "a: b", "🙂"]
)
def test_P21_subjects_are_seven_bit(subject: str) -> None:
    octets = letter(subject=subject)
    assert octets.isascii()
    assert line_problem(octets) is None
    assert has_field(octets, "Subject")
    if not subject.startswith("=?"):
        assert email.message_from_bytes(octets, policy=email.policy.default)["Subject"] == subject.strip()


def test_many_recipients_are_folded() -> None:
    people = tuple(f"user{number}@bob.example" for number in range(200))
    octets = letter(to=people)
    assert longest_line_octets(octets) <= 998
    assert [str(address) for address in envelope_recipients(octets)] == list(people)


def test_addresses_beyond_ascii_stay_as_they_are() -> None:
    octets = letter(to=("böb@bob.example", '"b b"@bob.example'), subject="Grüße")
    assert "böb@bob.example".encode() in octets
    assert split_message(octets)[1].isascii()
    assert [str(address) for address in envelope_recipients(octets)] == ["böb@bob.example", '"b b"@bob.example']


@pytest.mark.parametrize(
    "options",
    [{"subject": "a\r\nBcc: eve@eve.example"}, {"subject": "a\nb"}, {"subject": "a\rb"}, {"subject": "a\x0bb"}, {"subject": "a\u2028b"},
     {"subject": "a\0b"}, {"subject": "\udcff"}, {"text": "\ud800"}, {"to": ("bob@bob.example\r\nX: y",)}, {"cc": ("a\n@b.example",)}],
)  # fmt: skip
def test_L15_a_field_of_a_letter_is_one_line(options: dict[str, object]) -> None:
    with pytest.raises(UsageError) as caught:
        letter(**options)  # type: ignore[arg-type]
    assert len(str(caught.value).splitlines()) == 1


@given(st.text(), st.text())
def test_any_text_makes_a_letter_or_an_error(text: str, subject: str) -> None:
    try:
        octets = letter(text, subject)
    except UsageError:
        assert re.search(r"[\x00-\x1f\x7f\x85\u2028\u2029]", subject)
        return
    assert octets.isascii()
    assert line_problem(octets) is None
    assert [field.name for field in fields(octets)][:5] == ["From", "To", "Subject", "Date", "Message-ID"]
    assert required_fields_problem(octets) is None


# --- who gets it, and what is missing --------------------------------------------------------------------------------


def test_C04_the_envelope_is_made_from_to_cc_and_bcc() -> None:
    octets = (b"To: Bob <bob@bob.example>, Team: carol@bob.example;\r\nCc: (all)\r\n dave@bob.example, bob@bob.example\r\n"
              b"BCC: eve@eve.example\r\nReply-To: x@x.example\r\n\r\nTo: body@bob.example\r\n")  # fmt: skip
    assert [str(address) for address in envelope_recipients(octets)] == [
        "bob@bob.example", "carol@bob.example", "dave@bob.example", "eve@eve.example"]  # fmt: skip
    assert envelope_recipients(b"To: undisclosed-recipients:;\r\n\r\n") == []
    with pytest.raises(UsageError, match="nobody-here"):
        envelope_recipients(b"To: nobody-here\r\n\r\n")


FROM, DATE = b"From: a@a.example\r\n", b"Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n"


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        (FROM + DATE, None),
        (FROM + DATE + b"To: x@x.example\r\nSubject: x\r\nReceived: 1\r\nReceived: 2\r\n\r\nFrom: y\r\n", None),
        (FROM, "exactly one Date field, not 0"),
        (DATE, "exactly one From field, not 0"),
        (b"", "exactly one Date field, not 0"),
        (FROM + DATE + DATE, "exactly one Date field, not 2"),
        (FROM + b"FROM: b@b.example\r\n" + DATE, "exactly one From field, not 2"),
        (b"From: a@a.example, b@b.example\r\n" + DATE, "needs one Sender field"),
        (b"From: a@a.example, b@b.example\r\nSender: a@a.example\r\n" + DATE, None),
        (b'From: "A, B" <a@a.example>\r\n' + DATE, None),
        (FROM + DATE + b"Subject: a\r\nsubject: b\r\n", "2 Subject fields"),
        (FROM + DATE + b"Sender: a\r\nSender: b\r\n", "2 Sender fields"),
        (FROM + DATE + b"Message-ID: <1@a.example>\r\n" * 3, "3 Message-ID fields"),
        (b"From: nobody\r\n" + DATE, "cannot be read"),
        (b"From:\r\n" + DATE, "names nobody"),
        (b"From: " + b"(" * 100_000 + b"\r\n" + DATE, "cannot be read"),
    ],
)
def test_C05_fields_that_a_message_must_have(octets: bytes, problem: str | None) -> None:
    found = required_fields_problem(octets)
    assert (found is None) if problem is None else (problem in (found or ""))
