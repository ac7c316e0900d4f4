"""Explanations: there is one for everything that our own servers and clients say, and it fits where it stands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.protocol import meanings as tables
from simulator.protocol.explain import explain, explain_keyword

SIMULATOR = Path(tables.__file__).resolve().parents[1]
ROOT_TABLES = {
    name: getattr(tables, name) for name in ("VERBS", "KEYWORDS", "REPLIES", "FAMILIES", "STATUS", "FIELDS", "RECORDS")
}
MEANINGS = [(f"{name} {key}", meaning) for name, table in ROOT_TABLES.items() for key, meaning in table.items()]


def calls(function: str) -> Iterator[list[object]]:
    """Yield the constant arguments of every call of a function in the simulator."""
    for path in sorted(SIMULATOR.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == function:
                yield [each.value if isinstance(each, ast.Constant) else None for each in node.args]


# --- nothing is missing ----------------------------------------------------------------------------------------------


def test_every_reply_of_our_servers_is_explained() -> None:
    said = {(arguments[0], arguments[1]) for arguments in calls("Response") if isinstance(arguments[0], int)}
    assert len(said) > 30
    for code, enhanced in said:
        assert str(code) in tables.REPLIES, f"{code} has no explanation"
        if enhanced:
            assert str(enhanced).partition(".")[2] in tables.STATUS, f"{enhanced} has no explanation"


def test_every_enhanced_code_that_the_simulator_names_is_explained() -> None:
    codes = {
        str(node.value)
        for path in SIMULATOR.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and re.fullmatch(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", str(node.value))
    }
    assert len(codes) > 20
    assert {code for code in codes if code.partition(".")[2] not in tables.STATUS} == set()


def test_every_field_that_our_servers_add_is_explained() -> None:
    added = {str(arguments[1]).upper() for arguments in calls("prepend") if len(arguments) > 1 and arguments[1]}
    assert "RETURN-PATH" in added
    assert added <= tables.FIELDS.keys()


@pytest.mark.parametrize("verb", "EHLO HELO MAIL RCPT DATA RSET NOOP QUIT VRFY HELP STARTTLS AUTH EXPN BDAT".split())
def test_every_verb_is_explained_in_any_case(verb: str) -> None:
    assert explain(f"{verb} x") == explain(f"{verb.lower()} x\r\n".encode()) == str(tables.VERBS[verb])


@pytest.mark.parametrize(("where", "meaning"), MEANINGS, ids=[where for where, _ in MEANINGS])
def test_every_explanation_is_one_sentence_with_a_source(where: str, meaning: tables.Meaning) -> None:
    assert re.fullmatch(r"RFC \d{4} section \d+(\.\d+)*", meaning.source), where
    assert not meaning.text.endswith((".", " ")), "the full stop comes after the source"
    assert len(str(meaning)) < 180, "two lines of a screen at most"
    assert meaning.text[0].islower() == where.startswith("STATUS "), "status codes continue a sentence"


# --- it fits where it stands -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "verb", "part"),
    [
        ("220 mail.bob.example ready", "", "speaks first"),
        ("220 2.0.0 Begin", "STARTTLS", "forget all that was said in clear"),
        ("250 2.0.0 OK", "DATA", "responsible from now on"),
        ("250 OK", "BDAT", "with the last one"),
        ("250 2.1.5 OK", "RCPT", "2.1.5: the recipient's address is valid (RFC 3463 section 3.2)."),
        ("250 2.0.0 OK", "NOOP", "Done (RFC 5321 section 4.2.3)."),
        ("552 5.5.3 x", "RCPT", "takes this one for temporary"),
        ("552 5.3.4 x", "MAIL", "too big"),
        ("454 4.7.0 x", "*AUTH", "do not ask for another"),
        ("454 4.7.0 x", "STARTTLS", "TLS is not possible"),
        ("554 no", "", "no mail service for this client"),
        ("550-5.1.1 no\r\n550 5.1.1 such user\r\n", None, "5.1.1: there is no such mailbox"),
        ("354", None, "only a dot"),
        ("250 mail.bob.example", "HELO", "no extensions"),
        ("250-mail.bob.example\r\n250-SIZE 9\r\n250 X\r\n", None, "with its own name"),
        ("250-mail.bob.example", "EHLO", "with its own name"),
        ("250-SIZE 9", None, "largest message"),
        ("250 AUTH PLAIN", "EHLO", "One can sign in"),
        ("250 STARTTLS", "NOOP", "Done"),
        ("MAIL FROM:<> SIZE=3", None, "nobody is told"),
        ("mail from: <>", None, "nobody is told"),
        ("AUTH PLAIN AGEAYg==", "AUTH", "hides nothing"),
        ("AGEAYg==", "*AUTH", "answer to a challenge"),
        ("*", "*AUTH", "cancels"),
        (".\r\n", None, "ends the message"),
        ("4.4.1", None, "4.4.1: the next host does not answer"),
        ("Received: from a.example\r\n by b.example\r\n", None, "stamp"),
        ("suBJect : x", None, "What it is about"),
        ("PIPELINING", None, "without waiting"),
        ("AUTH=LOGIN", None, "One can sign in"),
        (b"\x16\x03\x01\x00\x02ab", None, "TLS record, 7 octets. The two sides agree on keys"),
        (b"\x17\x03\x03\x40\x00" + b"x" * 2**14, None, "TLS record, 16389 octets. Encrypted"),
    ],
)
def test_explanations(said: bytes | str, verb: str | None, part: str) -> None:
    assert part in explain(said, verb=verb)


@pytest.mark.parametrize("said", ["MAIL FROM:<alice@alice.example>", "MAIL FROM:<a@b.example> X=<>"])
def test_only_the_empty_path_is_called_empty(said: str) -> None:
    assert "nobody" not in explain(said)


@pytest.mark.parametrize(("code", "part"), [(299, "Done"), (399, "waits"), (459, "later"), (599, "not work later")])
def test_P20_an_unknown_code_is_explained_by_its_first_digit(code: int, part: str) -> None:
    assert part in explain(f"{code} x")


@pytest.mark.parametrize(("code", "part"), [("5.7.99", "security"), ("5.99.1", "nothing finer"), ("4.4.99", "network")])
def test_an_unknown_enhanced_code_is_explained_by_its_subject(code: str, part: str) -> None:
    assert explain(f"{code[0]}50 {code} x").endswith(explain(code))
    assert part in explain(code)


@pytest.mark.parametrize(
    "said", ["", "\r\n", "Hello Bob,", "X-Odd: 1", "FOO", "2500 x", "199 x", b"\xff\xfe", b"\0", "\ud800"]
)
def test_what_means_nothing_special(said: bytes | str) -> None:
    assert explain(said) == ""


def test_P29_a_keyword_that_is_not_known() -> None:
    assert "not used here" in explain_keyword("XDEMO 1 2")
    assert "not used here" in explain_keyword("")
    assert explain_keyword("size 100") == explain("SIZE 100")


@given(
    st.one_of(st.binary(max_size=60), st.text(max_size=60)), st.sampled_from([None, "", "EHLO", "*AUTH", "?", "DATA"])
)
def test_explaining_never_raises_and_never_repeats_what_was_said(said: bytes | str, verb: str | None) -> None:
    secret = b"AGFsaWNlAHdvbmRlcmxhbmQ="
    for line in (said, b"AUTH PLAIN " + secret, b"334 " + secret, secret):
        assert secret.decode() not in explain(line, verb=verb)
