"""The table of submission modes."""

from __future__ import annotations

import pytest

from simulator.errors import UsageError
from simulator.tls.modes import DEFAULT_POLICY, Start, SubmissionMode, parse_mode, policy


def test_every_word_names_its_mode() -> None:
    facts = {mode.value: (mode.port, mode.tls, mode.tls_required) for mode in SubmissionMode}
    assert facts == {
        "implicit": (465, Start.FIRST_OCTET, True),
        "starttls": (587, Start.STARTTLS, True),
        "starttls-if-offered": (587, Start.STARTTLS, False),
        "cleartext": (587, Start.NEVER, False),
    }
    assert all(parse_mode(word).value == word for word in facts)
    assert all(mode.description and "\n" not in mode.description for mode in SubmissionMode)


def test_C01_no_mode_means_implicit_then_starttls_and_never_cleartext() -> None:
    assert policy(None) == DEFAULT_POLICY == (SubmissionMode.IMPLICIT, SubmissionMode.STARTTLS)
    assert all(mode.tls_required for mode in DEFAULT_POLICY)
    assert policy("cleartext") == (SubmissionMode.CLEARTEXT,)


def test_an_unknown_mode_is_answered_with_the_list() -> None:
    with pytest.raises(UsageError, match="'implicit', 'starttls', 'starttls-if-offered', 'cleartext'"):
        parse_mode("ssl")
