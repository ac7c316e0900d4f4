"""Names, questions and answers as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.dns.questions import Answer, Ask, Record, Status, canonical_name, parent_name
from simulator.errors import UsageError


@pytest.mark.parametrize(("written", "canonical"), [
    ("Bob.Example.", "bob.example"), ("bob.example", "bob.example"), (".", ""), ("", ""),
    ("_dmarc.Bob.example", "_dmarc.bob.example"),
    ("bücher.example", "xn--bcher-kva.example"), (r"a\.b.example", r"a\.b.example"), ("@", r"\@")])
def test_names_have_one_form(written: str, canonical: str) -> None:
    assert canonical_name(written) == canonical
    assert canonical_name(canonical + ".") == canonical or canonical == ""


@pytest.mark.parametrize("name", ["a..example", "a" * 64 + ".example", "a." * 128 + "example", ".example"])
def test_what_cannot_be_a_name_is_a_usage_error(name: str) -> None:
    with pytest.raises(UsageError, match="not a domain name"):
        canonical_name(name)


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_a_usage_error(text: str) -> None:
    try:
        name = canonical_name(text)
    except UsageError:
        return
    assert canonical_name(name) == name


def test_parents() -> None:
    assert parent_name("mx.bob.example") == "bob.example"
    assert parent_name("example") == ""
    assert parent_name("") == ""
    assert parent_name(r"a\.b.example") == "example"


def test_a_question_has_one_form() -> None:
    assert Ask("Bob.Example.", "mx") == Ask("bob.example", "MX")
    assert str(Ask("", "ns")) == ". NS"
    with pytest.raises(UsageError, match="not a record type"):
        Ask("bob.example", "MXX")


def test_N06_the_strings_of_a_txt_record_are_joined_without_a_space() -> None:
    key = "p=" + "A" * 298
    text = f'"v=DKIM1; {key[:200]}" "{key[200:]}"'
    name = "s._domainkey.bob.example"
    answer = Answer(Ask(name, "TXT"), Status.ANSWER,
                    (Record(name, 60, "TXT", text), Record(name, 60, "TXT", r'"a\"b\\\195\188"')))
    assert answer.texts() == [f"v=DKIM1; {key}", 'a"b\\ü']


def test_records_are_shown_as_dig_shows_them() -> None:
    assert str(Record("bob.example", 60, "MX", "10 mx.bob.example.")) == "bob.example. 60 IN MX 10 mx.bob.example."
    assert str(Record("", 60, "NS", "ns.example.")) == ". 60 IN NS ns.example."


def test_helpers_pick_what_they_know() -> None:
    ask = Ask("bob.example", "MX")
    answer = Answer(ask, Status.ANSWER, tuple(
        Record("bob.example", 60, "MX", text) for text in ("10 MX.Bob.example.", "0 .")))
    assert answer.mx() == [(10, "mx.bob.example"), (0, "")]
    assert (answer.addresses(), answer.texts(), answer.names(), answer.failed) == ([], [], [], False)
    assert answer.canonical_name == "bob.example"
    assert answer.soa_minimum_s is None
