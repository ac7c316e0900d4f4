"""What an outsider can tell of octets inside TLS: the kind and size of each record, and the name in the ClientHello.

No key is needed for any of this, and none is used: it is what a listener on the path has, besides addresses and times.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

HEADER_OCTETS = 5
RECORD_OCTETS = 2**14 + 2048
"""The most that a record may carry: RFC 5246 section 6.2.3; RFC 8446 section 5.2 allows less."""
CONTENT_TYPES = {20: "change_cipher_spec", 21: "alert", 22: "handshake", 23: "application_data"}
"""RFC 8446 section 5.1. In TLS 1.3 everything after the hellos calls itself application_data (section 5.2)."""

_CLIENT_HELLO = 1  # RFC 8446 section 4
_SERVER_NAME = 0  # RFC 6066 section 3
_HOST_NAME = 0


@dataclass(frozen=True, slots=True)
class TlsRecord:
    """One record, octets start..end, with its header of five octets."""

    content_type: int
    """See `CONTENT_TYPES`."""
    version: int
    """As the header says it, for example 0x0303; TLS 1.3 hides behind that of TLS 1.2 (RFC 8446 section 5.1)."""
    start: int
    end: int
    complete: bool = True
    """False when the octets ended in the middle of it."""

    @property
    def name(self) -> str:
        """The content type in words."""
        return CONTENT_TYPES[self.content_type]

    @property
    def size_octets(self) -> int:
        """How much of it there is, header included."""
        return self.end - self.start


def tls_records(octets: bytes, start: int = 0) -> list[TlsRecord]:
    """Return the records from offset `start` on, as far as there are records. Never raises for what is no TLS."""
    return list(_records(octets, start))


def _records(octets: bytes, start: int) -> Iterator[TlsRecord]:
    while start < len(octets):
        header = octets[start : start + HEADER_OCTETS]
        # No line of SMTP begins like this: the content types are control characters.
        if header[0] not in CONTENT_TYPES or header[1:2] not in (b"", b"\x03"):
            return
        size = int.from_bytes(header[3:5])
        if size > RECORD_OCTETS:
            return
        end = start + HEADER_OCTETS + size
        complete = len(header) == HEADER_OCTETS and end <= len(octets)
        yield TlsRecord(header[0], int.from_bytes(header[1:3]), start, end if complete else len(octets), complete)
        start = end if complete else len(octets)


def server_name(octets: bytes, start: int = 0) -> str | None:
    """Return the host name that a client's handshake asks for in clear (SNI, RFC 6066 section 3), or None.

    `octets` are what the client put on the wire, from offset `start` on inside TLS.
    """
    hello = _client_hello(octets, start)
    # RFC 8446 section 4.1.2: version and random, then four runs of octets with their lengths before them
    rest = Octets(hello[2 + 32 :])
    for length_octets in (1, 2, 1):  # session, cipher suites, compression methods
        rest.run(length_octets)
    extensions = Octets(rest.run(2))
    while extensions.more:
        kind, content = extensions.number(2), extensions.run(2)
        if kind == _SERVER_NAME:
            names = Octets(Octets(content).run(2))
            while names.more:
                name_type, name = names.number(1), names.run(2)
                if name_type == _HOST_NAME and name:
                    return name.decode("ascii", "backslashreplace")
    return None


def _client_hello(octets: bytes, start: int) -> bytes:
    """Return the body of the first ClientHello, which may be spread over several records; b"" when there is none."""
    handshake = bytearray()
    for record in _records(octets, start):
        if record.name != "handshake":
            break
        handshake += octets[record.start + HEADER_OCTETS : record.end]
        if handshake[:1] != bytes([_CLIENT_HELLO]) or len(handshake) >= 4 + int.from_bytes(handshake[1:4]):
            break
    message = Octets(bytes(handshake))
    return message.run(3) if message.number(1) == _CLIENT_HELLO else b""


class Octets:
    """Reads numbers and runs of octets one after the other; what is not there is 0 or empty."""

    def __init__(self, octets: bytes) -> None:
        self._octets, self._at = octets, 0

    @property
    def more(self) -> bool:
        """True when not all was read."""
        return self._at < len(self._octets)

    def number(self, octets: int) -> int:
        """Read a number of so many octets."""
        return int.from_bytes(self._take(octets))

    def run(self, length_octets: int) -> bytes:
        """Read octets that stand behind their length (RFC 8446 section 3.4)."""
        return self._take(self.number(length_octets))

    def _take(self, octets: int) -> bytes:
        taken = self._octets[self._at : self._at + octets]
        self._at += octets
        return taken
