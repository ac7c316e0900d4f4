"""What the pure client asks of whoever drives it: actions, and the other half of a login."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Send:
    """Write these octets."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begin the TLS handshake; report with `tls_established` or `tls_failed`."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection; `abort` at once, because the other side is not to be trusted or not there."""

    abort: bool = False


Action = Send | StartTls | Close


class SaslClient(Protocol):
    """One login (RFC 4422).

    When it has an attribute `satisfied`, this tells after the server's 235 whether the server has proved itself too.
    """

    @property
    def initial(self) -> bytes | None:
        """The initial response, or None when the server speaks first."""

    def step(self, challenge: bytes) -> bytes:
        """Answer a challenge. Raises SimulatorError or ValueError when the server proves to be a false one."""


MakeSasl = Callable[[str, str, str], SaslClient]
"""Makes the client's side of a login from mechanism, user and password."""
