"""What a handshake shows: the certificate in plain words, whether it should be believed, and why a handshake failed."""

from __future__ import annotations

import datetime
import functools
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509


@dataclass(frozen=True, slots=True)
class Shown:
    """What a certificate says about itself."""

    names: tuple[str, ...]
    """Host names and addresses from the field subjectAltName; the common name is not looked at (RFC 9525)."""
    issuer: str
    not_before: datetime.datetime
    not_after: datetime.datetime
    parsed: x509.Certificate

    @property
    def not_after_text(self) -> str:
        """End of validity, such as "3000-01-01T00:00:00Z"."""
        return self.not_after.strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=1024)
def read_certificate(der: bytes) -> Shown:
    """Read a certificate in DER form. Raises ValueError for octets that are none."""
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    certificate = x509.load_der_x509_certificate(der)
    try:
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = (*alternatives.get_values_for_type(x509.DNSName),
                 *(str(address) for address in alternatives.get_values_for_type(x509.IPAddress)))
    except x509.ExtensionNotFound:
        names = ()
    issuer = next((str(attribute.value) for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME)
                   for attribute in certificate.issuer.get_attributes_for_oid(oid)),
                  certificate.issuer.rfc4514_string())
    return Shown(names, issuer, certificate.not_valid_before_utc, certificate.not_valid_after_utc, certificate)


def name_matches(pattern: str, host: str) -> bool:
    """Tell whether a name in a certificate covers `host`.

    RFC 9525 section 6.3: a wildcard counts only as the whole left-most label, and stands for exactly one label.
    """
    pattern, host = pattern.lower().rstrip("."), host.lower().rstrip(".")
    if _is_address(host):
        return _is_address(pattern) and ipaddress.ip_address(pattern) == ipaddress.ip_address(host)
    first, dot, rest = pattern.partition(".")
    if first == "*":
        label, host_dot, host_rest = host.partition(".")
        return bool(label and dot and host_dot) and rest == host_rest and "*" not in rest
    return pattern == host and "*" not in pattern


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def doubts(der: bytes, host: str | None, trusted: Iterable[x509.Certificate],
           at: datetime.datetime | None = None) -> tuple[str, ...]:
    """Return what speaks against believing a certificate, in the words of `Flaw`; () when nothing does.

    This is for a client that did not check. Validity is judged at `at`, by default now by the wall clock.
    """
    shown = read_certificate(der)
    at = at or datetime.datetime.now(datetime.UTC)
    found = []
    if not any(_issued_by(shown.parsed, authority) for authority in trusted):
        found.append("self-signed" if _issued_by(shown.parsed, shown.parsed) else "unknown CA")
    if at > shown.not_after:
        found.append("expired")
    elif at < shown.not_before:
        found.append("not valid yet")
    if host is None or not any(name_matches(name, host) for name in shown.names):
        found.append("wrong name")
    return tuple(found)


@functools.lru_cache(maxsize=256)
def _issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


# --- why it failed ---------------------------------------------------------------------------------------------------

_NOT_TLS = ("What came from the other side was not TLS: one side speaks cleartext where the other wants TLS from the "
            "first octet (is it the port for STARTTLS?).")
_GONE = "The other side ended the connection during the TLS handshake."
_LATE = "The other side did not take part in the TLS handshake in time."

_CERTIFICATE_PROBLEMS = {  # OpenSSL's X509_V_ERR_... numbers
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed",
    19: "was issued by an authority that this client does not trust",
    20: "was issued by an authority that this client does not trust",
    21: "was issued by an authority that this client does not trust",
    62: "is for another host name",
    64: "is for another address",
}

_REASONS = {  # OpenSSL's reason codes, as `ssl.SSLError.reason` spells them
    "WRONG_VERSION_NUMBER": _NOT_TLS,
    "HTTP_REQUEST": _NOT_TLS,
    "UNKNOWN_PROTOCOL": _NOT_TLS,
    "PACKET_LENGTH_TOO_LONG": _NOT_TLS,
    "RECORD_LAYER_FAILURE": _NOT_TLS,
    "BAD_RECORD_TYPE": _NOT_TLS,
    "UNEXPECTED_EOF_WHILE_READING": _GONE,
    "UNSUPPORTED_PROTOCOL": "The two sides have no TLS version in common.",
    "TLSV1_ALERT_PROTOCOL_VERSION": "The two sides have no TLS version in common.",
    "NO_SHARED_CIPHER": "The two sides have no cipher in common.",
    "TLSV1_ALERT_UNKNOWN_CA": "The other side does not trust the authority that issued our certificate.",
    "SSLV3_ALERT_BAD_CERTIFICATE": "The other side does not accept our certificate.",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "The other side says that our certificate has expired.",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "The other side does not accept our certificate.",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "The other side found nothing in common for the TLS handshake.",
}


def explain_tls_error(error: BaseException) -> str:
    """Say in one sentence why a handshake failed: an error of `ssl`, a time-out, or the end of the connection."""
    verify_code = getattr(error, "verify_code", None)
    if verify_code is not None:
        problem = _CERTIFICATE_PROBLEMS.get(verify_code)
        if problem is None:
            problem = f"cannot be verified ({getattr(error, 'verify_message', 'no reason given')})"
        return f"The server's certificate {problem}."
    reason = getattr(error, "reason", None)
    if isinstance(reason, str):
        return _REASONS.get(reason, f"The TLS handshake failed: {reason.lower().replace('_', ' ')}.")
    # asyncio reports its own time-out as ConnectionAbortedError with this wording
    if isinstance(error, TimeoutError) or "taking longer" in str(error):
        return _LATE
    if isinstance(error, EOFError | OSError):
        return _GONE
    return f"The TLS handshake failed: {error}."
