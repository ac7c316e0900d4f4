"""What a TLS handshake says before it is encrypted: the hellos, the certificate of TLS 1.2, and what each record is.

This is what a listener on the path reads without any key. `tls_records` cuts the octets; here is what is in them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from simulator.protocol.tls_records import HEADER_OCTETS, Octets, TlsRecord, server_name, tls_records

HANDSHAKE_TYPES = {
    0: "HelloRequest",
    1: "ClientHello",
    2: "ServerHello",
    4: "NewSessionTicket",
    11: "Certificate",
    12: "ServerKeyExchange",
    13: "CertificateRequest",
    14: "ServerHelloDone",
    15: "CertificateVerify",
    16: "ClientKeyExchange",
    20: "Finished",
    22: "CertificateStatus",
}
"""RFC 5246 section 7.4; TLS 1.3 shows only the hellos (RFC 8446 section 2)."""
ALERTS = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    22: "record_overflow",
    40: "handshake_failure",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    50: "decode_error",
    51: "decrypt_error",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    90: "user_canceled",
    109: "missing_extension",
    112: "unrecognized_name",
    116: "certificate_required",
    120: "no_application_protocol",
}
"""RFC 8446 section 6."""
VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}
CIPHERS = {
    0x1301: "TLS_AES_128_GCM_SHA256",
    0x1302: "TLS_AES_256_GCM_SHA384",
    0x1303: "TLS_CHACHA20_POLY1305_SHA256",
    0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
    0xC02C: "ECDHE-ECDSA-AES256-GCM-SHA384",
    0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
    0xC030: "ECDHE-RSA-AES256-GCM-SHA384",
    0xCCA8: "ECDHE-RSA-CHACHA20-POLY1305",
    0xCCA9: "ECDHE-ECDSA-CHACHA20-POLY1305",
}
"""The usual cipher suites by the names that OpenSSL, and so Python, gives them."""

_CCS, _ALERT, _HANDSHAKE = 20, 21, 22
_ALPN, _SESSION_TICKET, _PRE_SHARED_KEY, _SUPPORTED_VERSIONS = 16, 35, 41, 43
# RFC 8446 section 4.1.3: a ServerHello with this in place of random octets asks for another ClientHello
_RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What a client offers, for everybody on the path to read (RFC 8446 section 4.1.2)."""

    versions: tuple[str, ...]
    """Offered, the best first; such as "TLSv1.3"."""
    ciphers: tuple[str, ...]
    """Offered, the best first; an unknown one as "0x1234"."""
    server_name: str | None
    """The host that it wants (SNI, RFC 6066 section 3)."""
    alpn: tuple[str, ...]
    """The protocols that it offers to speak inside (an extension that RFC 8446 section 4.2 lists)."""
    resumes: bool
    """True when it offers to go on with an earlier session (RFC 8446 section 2.2); the two can then be linked."""


@dataclass(frozen=True, slots=True)
class ServerHello:
    """What a server chose, for everybody on the path to read (RFC 8446 section 4.1.3)."""

    version: str
    cipher: str
    resumed: bool
    """True when it goes on with an earlier session of TLS 1.3; under TLS 1.2 that does not show here."""
    certificate: bytes
    """Under TLS 1.2 the server's certificate (DER) is readable; TLS 1.3 encrypts it, and this is empty."""


def client_hello(octets: bytes, start: int = 0) -> ClientHello | None:
    """Return what the first ClientHello in a client's octets offers, or None. Never raises."""
    body = next((body for kind, body in _messages(octets, start) if kind == 1), None)
    if body is None:
        return None
    fields = Octets(body)
    legacy = fields.number(2)
    fields.number(32)  # random octets
    session, suites = fields.run(1), Octets(fields.run(2))
    fields.run(1)
    extensions = _extensions(fields)
    ciphers = []
    while suites.more:
        ciphers.append(suites.number(2))
    offered = Octets(Octets(extensions.get(_SUPPORTED_VERSIONS, b"")).run(1))
    versions = []
    while offered.more:
        versions.append(offered.number(2))
    names, protocols = [], Octets(Octets(extensions.get(_ALPN, b"")).run(2))
    while protocols.more:
        names.append(protocols.run(1).decode("ascii", "backslashreplace"))
    return ClientHello(
        tuple(VERSIONS[version] for version in versions or [legacy] if version in VERSIONS),  # others are grease
        tuple(_cipher(cipher) for cipher in ciphers if cipher & 0x0F0F != 0x0A0A and cipher != 0x00FF),
        server_name(octets, start),
        tuple(names),
        # A client of TLS 1.3 fills the session field for old boxes on the path; without 1.3 it means something.
        _PRE_SHARED_KEY in extensions
        or bool(extensions.get(_SESSION_TICKET))
        or (bool(session) and 0x0304 not in versions),
    )


def server_hello(octets: bytes, start: int = 0) -> ServerHello | None:
    """Return what a server chose, from its own octets, or None. Never raises."""
    found: ServerHello | None = None
    for kind, body in _messages(octets, start):
        if kind == 2 and body[2:34] != _RETRY:
            fields = Octets(body)
            version = fields.number(2)
            fields.number(32)  # random octets
            fields.run(1)
            cipher = fields.number(2)
            fields.number(1)
            extensions = _extensions(fields)
            version = int.from_bytes(extensions.get(_SUPPORTED_VERSIONS, b"")) or version
            found = ServerHello(
                VERSIONS.get(version, f"0x{version:04x}"), _cipher(cipher), _PRE_SHARED_KEY in extensions, b""
            )
        if kind == 11 and found is not None:  # RFC 5246 section 7.4.2: the server's own certificate comes first
            certificate = Octets(Octets(body).run(3)).run(3)
            return ServerHello(found.version, found.cipher, found.resumed, certificate)
    return found


def what_is_seen(octets: bytes, start: int = 0) -> list[tuple[TlsRecord, str]]:
    """Return every record of one direction with what an outsider can say of it.

    For example "ClientHello", "ServerHello, Certificate", "alert: unknown_ca", "encrypted".
    """
    records = tls_records(octets, start)
    clear = _clear(octets, records)
    edges, whole = _joined(octets, clear)
    begun: list[list[str]] = [[] for _ in clear]
    for at, kind, body in _walk(whole):
        name = HANDSHAKE_TYPES.get(kind, f"handshake message {kind}")
        begun[bisect_right(edges, at) - 1].append("HelloRetryRequest" if body[2:34] == _RETRY and kind == 2 else name)
    names = {record.start: ", ".join(begins) for record, begins in zip(clear, begun, strict=True)}
    found = []
    for record in records:
        content = octets[record.start + HEADER_OCTETS : record.end]
        if record.start in names:
            what = names[record.start] or "more of the same message"
        elif record.content_type == _HANDSHAKE:
            what = "Finished, encrypted"
        elif record.content_type == _ALERT:
            what = f"alert: {ALERTS.get(content[1], content[1])}" if len(content) == 2 else "alert, encrypted"
        else:
            what = "ChangeCipherSpec" if record.content_type == _CCS else "encrypted"
        found.append((record, what if record.complete else f"{what} (cut off)"))
    return found


def _clear(octets: bytes, records: list[TlsRecord]) -> list[TlsRecord]:
    """Return the records with readable handshake messages: those before encryption (RFC 5246 section 7.1).

    After a HelloRetryRequest the second hello of each side can stand behind a ChangeCipherSpec (RFC 8446 appendix D.4).
    """
    found, encrypted = [], False
    for record in records:
        if record.content_type == _HANDSHAKE:
            content = octets[record.start + HEADER_OCTETS : record.end]
            if not encrypted or (
                content[:1] in (b"\x01", b"\x02") and int.from_bytes(content[1:4]) == len(content) - 4
            ):
                found.append(record)
        elif record.content_type != _ALERT:
            encrypted = True
    return found


def _joined(octets: bytes, records: list[TlsRecord]) -> tuple[list[int], bytes]:
    """Return the contents of records as one run, and where each record begins in it."""
    pieces = [octets[record.start + HEADER_OCTETS : record.end] for record in records]
    return list(accumulate((len(piece) for piece in pieces), initial=0))[:-1], b"".join(pieces)


def _walk(whole: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield (offset, type, body) of handshake messages (RFC 8446 section 4); the last may be cut off."""
    at = 0
    while at < len(whole):
        end = at + 4 + int.from_bytes(whole[at + 1 : at + 4])
        yield at, whole[at], whole[at + 4 : end]
        at = end


def _messages(octets: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    for _, kind, body in _walk(_joined(octets, _clear(octets, tls_records(octets, start)))[1]):
        yield kind, body


def _extensions(fields: Octets) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    left = Octets(fields.run(2))
    while left.more:
        kind = left.number(2)
        found.setdefault(kind, left.run(2))
    return found


def _cipher(number: int) -> str:
    return CIPHERS.get(number, f"0x{number:04x}")
