"""Signing in: PLAIN (RFC 4616), LOGIN (never standardised) and SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides, no IO.

Both sides work on plain octets; base64 and the reply codes are SMTP's business (RFC 4954). The server keeps salted
keys, never a password.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import stringprep
import unicodedata
from base64 import b64decode, b64encode
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from simulator.errors import SimulatorError, UsageError

MECHANISMS = ("SCRAM-SHA-256", "PLAIN", "LOGIN")
"""What can be used, the strongest first."""
ITERATIONS = 4096
"""RFC 7677 section 4: the least that is acceptable, and enough for passwords that everybody may see."""


class SaslError(SimulatorError):
    """The other side of an exchange broke the rules of its mechanism, or is not who it claims to be."""

    exit_code = 1


# --- what a server knows ---------------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class Account:
    """One user as a server stores it (RFC 5802 section 3): whoever steals this still has to guess the password."""

    user: str
    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def from_password(cls, user: str, password: str, *, salt: bytes | None = None,
                      iterations: int = ITERATIONS) -> Account:
        """Make an account. Without `salt` it is derived from the user name, so that every run is the same."""
        if salt is None:
            salt = hashlib.sha256(b"salt of " + user.encode()).digest()[:16]
        salted = salted_password(password, salt, iterations)
        return cls(user, salt, iterations, _hash(_hmac(salted, b"Client Key")), _hmac(salted, b"Server Key"))

    def has_password(self, password: str) -> bool:
        """Tell whether this is the password, without giving away by the time it takes how much of it is right."""
        try:
            salted = salted_password(password, self.salt, self.iterations)
        except SaslError:
            return False
        return hmac.compare_digest(_hash(_hmac(salted, b"Client Key")), self.stored_key)


Accounts = Callable[[str], Account | None]
"""Looks a user up; None for nobody."""


@lru_cache(maxsize=1024)  # a simulation signs in thousands of times, and the work factor is there to hurt
def salted_password(password: str, salt: bytes, iterations: int) -> bytes:
    """Return SaltedPassword of RFC 5802 section 3. Raises SaslError for characters that no password may have."""
    return hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)


def saslprep(text: str) -> str:
    """Bring a user name or password into the one form in which it is compared (RFC 4013). Raises SaslError."""
    mapped = "".join(" " if stringprep.in_table_c12(c) else c for c in text if not stringprep.in_table_b1(c))
    prepared = unicodedata.normalize("NFKC", mapped)
    forbidden = (stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4,
                 stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8,
                 stringprep.in_table_c9)
    if any(in_table(c) for c in prepared for in_table in forbidden):
        raise SaslError("A user name or password contains a character that is not allowed there.")
    right_to_left = [stringprep.in_table_d1(c) for c in prepared]
    if any(right_to_left) and (any(stringprep.in_table_d2(c) for c in prepared)
                               or not (right_to_left[0] and right_to_left[-1])):
        raise SaslError("A user name or password mixes writing directions.")
    return prepared


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.digest(key, text, "sha256")


def _hash(octets: bytes) -> bytes:
    return hashlib.sha256(octets).digest()


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def make_nonce() -> str:
    """Return a fresh nonce: printable, without a comma (RFC 5802 section 7)."""
    return secrets.token_urlsafe(18)


# --- the server's side -----------------------------------------------------------------------------------------------

@dataclass(frozen=True, slots=True)
class Challenge:
    """The server wants another response."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Success:
    """The server believes the client."""

    user: str


@dataclass(frozen=True, slots=True)
class Failure:
    """The server does not believe the client, or does not understand it (`malformed`)."""

    reason: str
    malformed: bool = False


Result = Challenge | Success | Failure
_Dialogue = Generator[Challenge, bytes, Success | Failure]


class ServerSasl:
    """The server's side of one exchange. Give `step` the initial response, or None when the client sent none."""

    def __init__(self, mechanism: str, accounts: Accounts, nonce: Callable[[], str] = make_nonce) -> None:
        """Raises UsageError for a mechanism that does not exist here."""
        self.mechanism = mechanism.upper()
        if self.mechanism not in MECHANISMS:
            raise UsageError(f"There is no SASL mechanism {mechanism!r}; there are {', '.join(MECHANISMS)}.")
        self._accounts, self._nonce = accounts, nonce
        self._dialogue: _Dialogue | None = None

    def step(self, response: bytes | None) -> Result:
        """Take the client's response and say what comes next."""
        try:
            if self._dialogue is not None:
                return self._dialogue.send(response or b"")
            self._dialogue = self._begin(response)
            return next(self._dialogue)
        except StopIteration as end:
            result: Success | Failure = end.value
            return result
        except (ValueError, SaslError) as error:  # not UTF-8, not base64, parts missing
            return Failure(f"malformed: {error}", malformed=True)

    def _begin(self, initial: bytes | None) -> _Dialogue:
        if self.mechanism == "PLAIN":
            return _plain(initial, self._accounts)
        if self.mechanism == "LOGIN":
            return _login(initial, self._accounts)
        return _scram(initial, self._accounts, self._nonce)


def _plain(initial: bytes | None, accounts: Accounts) -> _Dialogue:
    message = initial if initial is not None else (yield Challenge(b""))
    # RFC 4616 section 2: [authorization identity] NUL authentication identity NUL password
    on_behalf_of, user, password = message.decode().split("\0")
    if on_behalf_of not in ("", user):
        return Failure("a user may not act as somebody else")
    return _check(user, password, accounts)


def _login(initial: bytes | None, accounts: Accounts) -> _Dialogue:
    user = initial if initial is not None else (yield Challenge(b"Username:"))
    password = yield Challenge(b"Password:")
    return _check(user.decode(), password.decode(), accounts)


def _check(user: str, password: str, accounts: Accounts) -> Success | Failure:
    if not user or not password:
        raise ValueError("user name or password is empty")
    account = accounts(saslprep(user))
    if account is None or not account.has_password(password):
        return Failure("unknown user or wrong password")
    return Success(account.user)


def _scram(initial: bytes | None, accounts: Accounts, nonce: Callable[[], str]) -> _Dialogue:
    # RFC 5802 section 5: the client speaks first
    first = (initial if initial is not None else (yield Challenge(b""))).decode()
    binding, on_behalf_of, bare = first.split(",", 2)
    if binding not in ("n", "y"):
        return Failure("channel binding is not supported")
    user_part, client_nonce = bare.split(",")[:2]
    if not user_part.startswith("n=") or not client_nonce.startswith("r="):
        raise ValueError("the first message lacks user or nonce")  # also an extension "m=" ends here, as it must
    user = saslprep(_unescape(user_part[2:]))
    if on_behalf_of not in ("", "a=" + user_part[2:]):
        return Failure("a user may not act as somebody else")
    account = accounts(user)
    # An unknown user gets a challenge too, always the same one, or anybody could find out who has an account.
    known = account or Account.from_password(user, "nobody has this password")
    whole_nonce = client_nonce[2:] + nonce()
    server_first = f"r={whole_nonce},s={b64encode(known.salt).decode()},i={known.iterations}"

    final = (yield Challenge(server_first.encode())).decode()
    without_proof, comma, proof = final.rpartition(",p=")
    header, answered_nonce = without_proof.split(",")[:2]
    if not comma or header != "c=" + b64encode(f"{binding},{on_behalf_of},".encode()).decode():
        raise ValueError("the last message does not repeat the header of the first")
    if answered_nonce != "r=" + whole_nonce:
        return Failure("the nonce is not the one that was sent")
    signed = f"{bare},{server_first},{without_proof}".encode()
    client_key = _xor(b64decode(proof, validate=True), _hmac(known.stored_key, signed))
    if account is None or not hmac.compare_digest(_hash(client_key), account.stored_key):
        return Failure("unknown user or wrong password")
    # RFC 4954 section 4: SMTP cannot send data with success, so the server's proof takes a round trip of its own
    yield Challenge(b"v=" + b64encode(_hmac(account.server_key, signed)))
    return Success(account.user)


def _unescape(name: str) -> str:
    """Undo =2C and =3D (RFC 5802 section 5.1). Raises ValueError for any other use of "="."""
    parts = name.replace("=2C", ",").split("=3D")
    if any("=" in part for part in parts):
        raise ValueError("the user name is not escaped properly")
    return "=".join(parts)


# --- the client's side -----------------------------------------------------------------------------------------------

class ClientSasl(Protocol):
    """The client's side of one exchange."""

    satisfied: bool
    """False as long as the server owes a proof of its own: its "235" is not to be believed (RFC 5802 section 3)."""

    @property
    def initial(self) -> bytes | None:
        """What can be sent along with AUTH (RFC 4954 section 4); None when the server speaks first."""

    def step(self, challenge: bytes) -> bytes:
        """Return the response to a challenge. Raises SaslError when the server misbehaves."""


class PlainClient:
    """PLAIN: user and password in one message, readable for whoever can read the connection."""

    satisfied = True

    def __init__(self, user: str, password: str) -> None:
        if "\0" in user + password:
            raise UsageError("A user name or password must not contain the character NUL.")
        self.initial: bytes | None = f"\0{user}\0{password}".encode()
        self._asked = False

    def step(self, challenge: bytes) -> bytes:
        """Send everything, to a server that wanted to be asked first."""
        if self._asked or challenge:
            raise SaslError("The server sent a challenge that PLAIN does not have.")
        self._asked = True
        return self.initial or b""


class LoginClient:
    """LOGIN: user and password one after the other; as readable as PLAIN, and slower."""

    initial: bytes | None = None
    satisfied = True

    def __init__(self, user: str, password: str) -> None:
        self._answers = [user.encode(), password.encode()]

    def step(self, challenge: bytes) -> bytes:
        """Answer the first challenge with the user name, the second with the password, whatever they say."""
        if not self._answers:
            raise SaslError("The server sent a third challenge, which LOGIN does not have.")
        return self._answers.pop(0)


class ScramClient:
    """SCRAM-SHA-256: proves knowledge of the password without sending it, and makes the server prove it too."""

    def __init__(self, user: str, password: str, nonce: str) -> None:
        self._password, self._nonce = password, nonce
        self._bare = f"n={saslprep(user).replace('=', '=3D').replace(',', '=2C')},r={nonce}"
        self.initial: bytes | None = b"n,," + self._bare.encode()
        self._expected: bytes | None = None
        self.satisfied = False

    def step(self, challenge: bytes) -> bytes:
        """Answer the server's first message with our proof, and its proof with nothing. Raises SaslError."""
        try:
            if not challenge and self._expected is None:  # a server that did not take the initial response
                return self.initial or b""
            return self._prove(challenge.decode()) if self._expected is None else self._believe(challenge)
        except ValueError as error:
            raise SaslError(f"The server's SCRAM message cannot be read: {error}.") from error

    def _prove(self, server_first: str) -> bytes:
        nonce, salt, iterations = server_first.split(",")[:3]
        if not (nonce.startswith("r=") and salt.startswith("s=") and iterations.startswith("i=")):
            raise ValueError("nonce, salt or iteration count is missing")
        if not nonce[2:].startswith(self._nonce) or nonce[2:] == self._nonce:
            raise SaslError("The server did not add to our nonce: it may replay an old exchange.")
        if not ITERATIONS <= int(iterations[2:]) <= 1_000_000:
            raise SaslError(f"The server asks for {iterations[2:]} iterations; fewer than {ITERATIONS} are unsafe.")
        without_proof = f"c={b64encode(b'n,,').decode()},{nonce}"
        signed = f"{self._bare},{server_first},{without_proof}".encode()
        salted = salted_password(self._password, b64decode(salt[2:], validate=True), int(iterations[2:]))
        client_key = _hmac(salted, b"Client Key")
        proof = _xor(client_key, _hmac(_hash(client_key), signed))
        self._expected = b"v=" + b64encode(_hmac(_hmac(salted, b"Server Key"), signed))
        return f"{without_proof},p={b64encode(proof).decode()}".encode()

    def _believe(self, server_final: bytes) -> bytes:
        if not hmac.compare_digest(server_final, self._expected or b""):
            raise SaslError("The server could not prove that it knows this account.")
        self.satisfied = True
        return b""


def make_sasl(mechanism: str, user: str, password: str, *, nonce: str | None = None) -> ClientSasl:
    """Return the client's side of an exchange. `nonce` makes SCRAM repeatable. Raises UsageError."""
    match mechanism.upper():
        case "PLAIN":
            return PlainClient(user, password)
        case "LOGIN":
            return LoginClient(user, password)
        case "SCRAM-SHA-256":
            return ScramClient(user, password, nonce or make_nonce())
    raise UsageError(f"There is no SASL mechanism {mechanism!r}; there are {', '.join(MECHANISMS)}.")
