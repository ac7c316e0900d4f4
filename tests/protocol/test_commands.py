"""Commands that cannot be bent into two, and what an EHLO reply offers (rows P22, P24, P29, P30)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.errors import UsageError
from simulator.protocol.commands import Capabilities, command, mail_from, rcpt_to, read_ehlo


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (command("QUIT"), b"QUIT\r\n"),
        (command("EHLO", "[IPv6:2001:db8::1]"), b"EHLO [IPv6:2001:db8::1]\r\n"),
        (mail_from(""), b"MAIL FROM:<>\r\n"),
        (mail_from("a@a.example", ["SIZE=12", "BODY=8BITMIME"]), b"MAIL FROM:<a@a.example> SIZE=12 BODY=8BITMIME\r\n"),
        (mail_from("ä@a.example", ["SMTPUTF8"], True), b"MAIL FROM:<\xc3\xa4@a.example> SMTPUTF8\r\n"),
        (rcpt_to("Postmaster"), b"RCPT TO:<Postmaster>\r\n"),
        (rcpt_to('"a b>\\"<"@b.example'), b'RCPT TO:<"a b>\\"<"@b.example>\r\n'),
        (rcpt_to("@a.example:b@b.example"), b"RCPT TO:<@a.example:b@b.example>\r\n"),
    ],
)
def test_commands(octets: bytes, line: bytes) -> None:
    assert octets == line


@pytest.mark.parametrize(
    "address",
    [
        "a@a.example>\r\nRCPT TO:<eve@eve.example",
        "a@a.example\n",
        "a@a.example\r",
        '"\r\nRSET\r\n"@a.example',
        "a@a.example> SIZE=1",
        "<a@a.example>",
        "a @a.example",
        "a\u2028@a.example",
        '"a@a.example',
        'a"@a.example',
        '"a\\"@a.example',
        "\ud800@a.example",
        "a\x7f@a.example",
    ],
)
def test_P30_an_address_cannot_become_a_command(address: str) -> None:
    for make in (mail_from, rcpt_to):
        with pytest.raises(UsageError) as caught:
            make(address, smtputf8=True)
        assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("parameter", ["SIZE=1\r\nRSET", "X\n", "X\0"])
def test_P30_nor_can_a_parameter(parameter: str) -> None:
    with pytest.raises(UsageError):
        mail_from("a@a.example", [parameter])


def test_P21_no_utf8_without_being_told() -> None:
    for make in (mail_from, rcpt_to):
        with pytest.raises(UsageError, match="SMTPUTF8"):
            make("ä@a.example")
    with pytest.raises(UsageError, match="null path"):
        rcpt_to("")


@given(st.text(), st.text())
def test_P30_whatever_is_given_there_is_one_line_or_an_error(verb: str, argument: str) -> None:
    try:
        line = command(verb, argument, smtputf8=True)
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert line.count(b"\r") == line.count(b"\n") == 1
        assert line.endswith(b"\r\n")
        assert line[:-2].decode() == f"{verb} {argument}"


@given(st.text(alphabet='ab@."\\<> \r\n\0ä', max_size=12))
def test_P30_a_path_ends_where_its_command_says(address: str) -> None:
    try:
        line = mail_from(address, ["SIZE=1"], smtputf8=True).decode()
    except UsageError:
        return
    assert line == f"MAIL FROM:<{address}> SIZE=1\r\n"
    quoted = False
    for position, character in enumerate(line[11:-2]):  # read it as a server does
        if character == '"' and line[10 + position] != "\\":
            quoted = not quoted
        if character == ">" and not quoted and "\\" not in address:
            assert position == len(address)
            break


# --- EHLO ------------------------------------------------------------------------------------------------------------


def test_keywords_do_not_depend_on_case_and_keep_their_parameters() -> None:
    found = read_ehlo(["SIZE 5 is my name", "size 1000", "Pipelining", "AUTH PLAIN login", "8BITMIME", "X-odd  a  b "])
    assert dict(found.keywords) == {
        "SIZE": "1000",
        "PIPELINING": "",
        "AUTH": "PLAIN login",
        "8BITMIME": "",
        "X-ODD": " a  b".strip(),
    }
    assert found.mechanisms == ("PLAIN", "LOGIN")
    assert "PIPELINING" in found
    assert "STARTTLS" not in found


@pytest.mark.parametrize("line", ["", " ", "=", "-X", "ÄUTH PLAIN", "\x01", "\tSIZE", "*", "AUTHPLAIN;"])
def test_a_line_without_keyword_is_left_out(line: str) -> None:
    assert read_ehlo(["mail.bob.example", line]).keywords == {}


def test_the_old_form_of_auth_counts_too() -> None:
    assert read_ehlo(["x", "AUTH=LOGIN PLAIN", "AUTH PLAIN SCRAM-SHA-256"]).mechanisms == (
        "LOGIN",
        "PLAIN",
        "SCRAM-SHA-256",
    )
    assert read_ehlo(["x", "AUTH"]).mechanisms == ()
    assert read_ehlo([]).keywords == {}
    assert read_ehlo(["STARTTLS"]).keywords == {}


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("1000", 1000),
        ("0", None),  # RFC 1870 section 4: no fixed limit
        ("", None),
        ("000", None),
        ("007", 7),
        ("-5", None),
        ("+5", None),
        ("1_000", None),
        ("1e3", None),
        ("1000 2000", None),
        ("\u0665", None),
        ("9" * 20, int("9" * 20)),
        ("9" * 21, None),
        ("9" * 5000, None),
        ("many", None),
    ],
)
def test_P24_size_and_nonsense(value: str, limit: int | None) -> None:
    assert read_ehlo(["x", f"SIZE {value}".rstrip()]).size_limit_octets == limit


def test_no_size_no_limit() -> None:
    assert Capabilities().size_limit_octets is None


@given(st.lists(st.text()))
def test_P29_no_ehlo_reply_does_harm(lines: list[str]) -> None:
    found = read_ehlo(lines)
    assert all(key.isascii() and key == key.upper() for key in found.keywords)
    assert found.size_limit_octets is None or found.size_limit_octets > 0
    assert len(found.mechanisms) == len(set(found.mechanisms))
