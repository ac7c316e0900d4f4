"""How a mail program protects the way to its server: the submission modes, as a table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from simulator.errors import UsageError


class TlsVersion(Enum):
    """A version of TLS that the simulator speaks; older ones are forbidden (RFC 8996, RFC 8997, RFC 9325)."""

    TLS_1_2 = "1.2"
    TLS_1_3 = "1.3"


ALL_VERSIONS = (TlsVersion.TLS_1_2, TlsVersion.TLS_1_3)


def parse_versions(texts: tuple[str, ...]) -> tuple[TlsVersion, ...]:
    """Return the versions in ascending order. Raises UsageError for none, or for one that is not 1.2 or 1.3."""
    try:
        chosen = {TlsVersion(text) for text in texts}
    except ValueError:
        chosen = set()
    if not chosen:
        allowed = ", ".join(version.value for version in TlsVersion)
        raise UsageError(f"TLS versions to choose from are {allowed}, not {', '.join(texts) or 'none'}.")
    return tuple(version for version in TlsVersion if version in chosen)


class Start(Enum):
    """When TLS begins on a connection."""

    FIRST_OCTET = "first octet"
    STARTTLS = "after STARTTLS"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class _ModeFacts:
    port: int
    tls: Start
    tls_required: bool
    description: str


class SubmissionMode(Enum):
    """How a mail program connects to its submission server. Values are the words that a caller types."""

    IMPLICIT = "implicit"
    STARTTLS = "starttls"
    STARTTLS_IF_OFFERED = "starttls-if-offered"
    CLEARTEXT = "cleartext"

    @property
    def port(self) -> int:
        """The well-known port: 465 "submissions" or 587 "submission"."""
        return _FACTS[self].port

    @property
    def tls(self) -> Start:
        """When TLS begins."""
        return _FACTS[self].tls

    @property
    def implicit(self) -> bool:
        """True when TLS begins with the first octet (RFC 8314 section 3.3)."""
        return self.tls is Start.FIRST_OCTET

    @property
    def tls_required(self) -> bool:
        """True when nothing but EHLO, STARTTLS and QUIT may be said outside TLS (RFC 8314 section 5.2).

        Where it is False, password and message may travel in clear: a server must be run with
        `unsafe_cleartext_auth` to accept that, and the mail program must be told to.
        """
        return _FACTS[self].tls_required

    @property
    def description(self) -> str:
        """The mode in one line, for learners."""
        return _FACTS[self].description


_FACTS = {
    # RFC 8314 section 3.3 and section 7.3: port 465, TLS from the first octet, is what clients should prefer.
    SubmissionMode.IMPLICIT: _ModeFacts(
        465, Start.FIRST_OCTET, True, "TLS from the first octet; nothing to strip, nothing to read (RFC 8314)"),
    # RFC 8314 section 5.2: a client that needs TLS ends the session when STARTTLS is missing or refused.
    SubmissionMode.STARTTLS: _ModeFacts(
        587, Start.STARTTLS, True, "a cleartext start, then TLS or nothing (RFC 3207, RFC 8314 section 5.2)"),
    # RFC 3207 section 6: an attacker on the path can delete the offer.
    SubmissionMode.STARTTLS_IF_OFFERED: _ModeFacts(
        587, Start.STARTTLS, False, "TLS if the server seems to offer it, otherwise in clear: an attacker decides"),
    SubmissionMode.CLEARTEXT: _ModeFacts(
        587, Start.NEVER, False, "everything readable for everybody on the way, the password included"),
}

DEFAULT_POLICY = (SubmissionMode.IMPLICIT, SubmissionMode.STARTTLS)
"""What to try, in order, when the caller names no mode: never silently in clear (RFC 9325 section 3.2)."""


def parse_mode(text: str) -> SubmissionMode:
    """Return the mode that `text` names. Raises UsageError, which lists the modes."""
    try:
        return SubmissionMode(text)
    except ValueError:
        allowed = ", ".join(repr(mode.value) for mode in SubmissionMode)
        raise UsageError(f"There is no submission mode {text!r}; choose one of {allowed}.") from None


def policy(mode: str | None) -> tuple[SubmissionMode, ...]:
    """Return the modes to try, in order: the named one alone, or `DEFAULT_POLICY`. Raises UsageError."""
    return DEFAULT_POLICY if mode is None else (parse_mode(mode),)
