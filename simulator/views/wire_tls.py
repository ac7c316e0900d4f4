"""TLS records in the words of a listener: what each one is, what it gives away, and whether it is encrypted. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from simulator.protocol.meanings import RECORDS
from simulator.protocol.tls_hellos import ClientHello, ServerHello, client_hello, server_hello, what_is_seen
from simulator.protocol.tls_records import HEADER_OCTETS, TlsRecord

_SUBJECT_ALT_NAME = bytes.fromhex("0603551d11")
"""Object identifier of subjectAltName in DER (RFC 5280 section 4.2.1.6)."""
_OCTET_STRING, _SEQUENCE, _DNS_NAME, _BOOLEAN = 0x04, 0x30, 0x82, 0x01


@dataclass(frozen=True, slots=True)
class Hellos:
    """What the two sides of a connection said before they encrypted."""

    client: ClientHello | None
    server: ServerHello | None

    @classmethod
    def of(cls, c2s: bytes, s2c: bytes) -> Hellos:
        """Read both hellos from the octets inside TLS; None for what is not there. Never raises."""
        return cls(client_hello(c2s), server_hello(s2c))


def certificate_names(der: bytes) -> tuple[str, ...]:
    """Return the host names for which a certificate was made, without checking anything. Never raises."""
    at = der.find(_SUBJECT_ALT_NAME)
    if at < 0:
        return ()
    kind, content, end = _element(der, at + len(_SUBJECT_ALT_NAME))
    if kind == _BOOLEAN:  # "critical" may stand before the value (RFC 5280 section 4.2)
        kind, content, end = _element(der, end)
    if kind == _OCTET_STRING:
        kind, content, end = _element(content, 0)
    found, names, at = content if kind == _SEQUENCE else b"", [], 0
    while at < len(found):
        kind, name, at = _element(found, at)
        if kind == _DNS_NAME:
            names.append(name.decode("ascii", "backslashreplace"))
    return tuple(names)


def _element(der: bytes, at: int) -> tuple[int, bytes, int]:
    """Read one element of DER; return type, content, and where the next one begins. Lengths over 127 take more room."""
    kind, length, at = int.from_bytes(der[at : at + 1]), int.from_bytes(der[at + 1 : at + 2]), at + 2
    if length > 0x80:
        at, length = at + length - 0x80, int.from_bytes(der[at : at + length - 0x80])
    return kind, der[at : at + length], at + length


def tls_words(octets: bytes, start: int, hellos: Hellos) -> Iterator[tuple[TlsRecord, str, str, bool]]:
    """Yield every record of one direction with its words, its explanation, and True when it is encrypted."""
    seen: set[str] = set()
    for record, what in what_is_seen(octets, start):
        names = what.removesuffix(" (cut off)").split(", ")
        text, why = _words(record, what, names, hellos, again=names[0] in seen)
        seen.update(names)
        yield record, text, why, "encrypted" in names


def _words(record: TlsRecord, what: str, names: list[str], hellos: Hellos, again: bool) -> tuple[str, str]:
    size = f"{record.size_octets} octets"
    if names[0] == "ClientHello" and hellos.client is not None and not again:
        hello = hellos.client
        offers = f"{', '.join(hello.versions)}, {len(hello.ciphers)} ciphers"
        if hello.server_name is None:
            return f"{what}: no server name, {offers}", _CLIENT_OFFERS
        return f"{what}: server name {hello.server_name}, {offers}", _CLIENT_NAMES
    if names[0] == "ServerHello" and hellos.server is not None:
        chosen = f"{hellos.server.version}, {hellos.server.cipher}"
        if "Certificate" in names:
            return f"{what}: {chosen}; {_holder(hellos.server)}; the certificate can be read", _CERTIFICATE
        return f"{what}: {chosen}", _CHOSEN_13 if hellos.server.version == "TLSv1.3" else _CHOSEN_12
    if "Certificate" in names and hellos.server is not None:
        return f"{what} {_holder(hellos.server)}; the certificate can be read", _CERTIFICATE
    if names == ["encrypted"] or (record.size_octets <= HEADER_OCTETS and not record.complete):
        cut = ", cut off" if not record.complete else ""
        return f"TLS record, {record.name}, {size}{cut}", _outside(record)
    if names == ["ChangeCipherSpec"] and hellos.server is not None:
        return f"{what}, {size}", _CHANGE_13 if hellos.server.version == "TLSv1.3" else _CHANGE_12
    why = _HANDSHAKE.get(names[0])
    if why is None:
        why = _outside(record) if "encrypted" in names else str(RECORDS[record.name])
    return f"{what}, {size}", why


def _holder(hello: ServerHello) -> str:
    names = certificate_names(hello.certificate)
    return f"for {', '.join(names)}" if names else "without a host name"


def _outside(record: TlsRecord) -> str:
    """Say what the five octets of the header say (RFC 8446 section 5.1)."""
    follow = record.size_octets - HEADER_OCTETS
    version = f"{record.version >> 8}.{record.version & 0xFF}"
    if not record.complete:
        return f"Type {record.content_type}, version {version}; the octets ended in the middle of this record."
    return (
        f"The header says: type {record.content_type}, version {version}, {follow} octets follow. "
        "The rest is for the two ends (RFC 8446 section 5.2)."
    )


_CLIENT_NAMES = "The client says in clear what it can do, and which server it wants (RFC 6066 section 3)."
_CLIENT_OFFERS = "The client says in clear what it can do (RFC 8446 section 4.1.2)."
_CHOSEN_13 = "The server chooses version and cipher, in clear. What follows is encrypted (RFC 8446 section 2)."
_CHOSEN_12 = "The server chooses version and cipher, in clear (RFC 5246 section 7.4.1.3)."
_CHANGE_13 = "Under TLS 1.3 this means nothing and only calms old boxes on the path (RFC 8446 section 5)."
_CHANGE_12 = "From here on this side encrypts (RFC 5246 section 7.1)."
_CERTIFICATE = "Under TLS 1.2 the server's certificate travels in clear, with its names (RFC 5246 section 7.4.2)."
_HANDSHAKE = {
    "ClientHello": "A further ClientHello: the server had asked for another one (RFC 8446 section 4.1.4).",
    "HelloRetryRequest": "The server asks for another ClientHello (RFC 8446 section 4.1.4).",
    "ServerKeyExchange": "The server's part of the key, signed. It can be read, and does not help (RFC 5246 section "
    "7.4.3).",
    "ServerHelloDone": "The server has said its part of the handshake (RFC 5246 section 7.4.5).",
    "ClientKeyExchange": "The client's part of the key. It can be read, and does not help (RFC 5246 section 7.4.7).",
    "NewSessionTicket": "With this ticket the client can go on with the session another time.",
    "Finished": "Encrypted with the new keys: it proves that nobody changed the handshake (RFC 5246 section 7.4.9).",
}
