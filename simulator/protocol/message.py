"""Messages as octets: fields are found, put on top or taken away, and nothing else changes (RFC 5322)."""

from __future__ import annotations

import email.policy
import email.utils
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage

from simulator.errors import UsageError
from simulator.protocol.addresses import DOMAIN_OCTETS, Address, parse_address_list

LINE_OCTETS = 998  # RFC 5322 section 2.1.1, without CRLF
FOLD_OCTETS = 78

_NAME = rb"[!-9;-~]+"  # RFC 5322 section 3.6.8: ftext
# RFC 5322 section 2.2.3: a line that begins with a blank continues the field; a bare CR or LF ends nothing.
_FIELD = re.compile(
    rb"(" + _NAME + rb")[ \t]*:([^\r\n]*+(?:(?:\r\n[ \t]|\r(?!\n)|(?<!\r)\n)[^\r\n]*+)*+)\r\n",
)
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_WORD = re.compile(r"[^\s;()<>\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One header field."""

    name: str
    raw: bytes
    """The whole field with its line ends, as it stands in the message."""
    value: str
    """Unfolded (RFC 5322 section 2.2.3), without surrounding blanks."""


def split_message(octets: bytes) -> tuple[bytes, bytes]:
    """Return (header with its last CRLF, body); the blank line between them belongs to neither."""
    if octets.startswith(b"\r\n"):
        return b"", octets[2:]
    header, separator, body = octets.partition(b"\r\n\r\n")
    return (header + b"\r\n", body) if separator else (octets, b"")


def fields(octets: bytes) -> list[HeaderField]:
    """Return the header fields in order; reading stops at the first line that is none."""
    found, position = [], 0
    header, _ = split_message(octets)
    if header and not header.endswith(b"\r\n"):
        header += b"\r\n"
    while match := _FIELD.match(header, position):
        value = match[2].replace(b"\r\n", b"").decode("utf-8", "replace").strip()
        found.append(HeaderField(match[1].decode("ascii"), match[0], value))
        position = match.end()
    return found


def has_field(octets: bytes, name: str) -> bool:
    """Tell whether a field is there; names do not depend on case."""
    return any(field.name.lower() == name.lower() for field in fields(octets))


def remove_field(octets: bytes, name: str) -> bytes:
    """Return the message without any field of this name; the rest is unchanged, octet for octet."""
    kept, position = bytearray(), 0
    for field in fields(octets):
        if field.name.lower() != name.lower():
            kept += octets[position : position + len(field.raw)]
        position += len(field.raw)
    return bytes(kept) + octets[position:]


def prepend(octets: bytes, name: str, value: str) -> bytes:
    """Return the message with a field put on top, folded; the rest is unchanged (RFC 5321 section 4.4).

    Raises UsageError for a name that is none, and for control characters or words without end in the value.
    """
    if not (name.isascii() and re.fullmatch(_NAME, name.encode())):
        raise UsageError(f"{name[:40]!r} is no name of a header field.")
    if _CONTROLS.search(value):
        raise UsageError(f"The header field {name} cannot contain a line end or another control character.")
    if not has_header(octets):
        octets = b"\r\n" + octets  # a body without header gets the blank line that separates the two
    return fold(f"{name}: {value}") + octets


def has_header(octets: bytes) -> bool:
    """Tell whether the message begins with a header field or with the blank line after an empty header."""
    return octets.startswith(b"\r\n") or bool(_FIELD.match(octets))


def fold(field: str) -> bytes:
    """Return a field with CRLF, folded before blanks to 78 octets where possible (RFC 5322 section 2.1.1).

    Unfolding gives back the same field without blanks at its end. Raises UsageError for a word that no line can hold.
    """
    lines: list[str] = []
    for word in re.findall(r"[ \t]*[^ \t]+", field.rstrip(" \t")):
        if lines and len(f"{lines[-1]}{word}".encode()) <= FOLD_OCTETS:
            lines[-1] += word
        elif len(lines) == 1 and lines[0].endswith(":"):  # a line with only the name would be read as empty by some
            lines[0] += word
        else:
            lines.append(word)
    if any(len(line.encode()) > LINE_OCTETS for line in lines):
        raise UsageError(f"A header field has a word of more than {LINE_OCTETS} octets, which no line can hold.")
    return "\r\n".join(lines).encode("utf-8") + b"\r\n"


# --- line ends and dots ----------------------------------------------------------------------------------------------


def normalise_line_endings(octets: bytes) -> bytes:
    """Return the octets with CRLF for every CRLF, bare LF or bare CR (RFC 5321 section 2.3.8), and at the end."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", octets)
    return lines if not lines or lines.endswith(b"\r\n") else lines + b"\r\n"


def data_octets(message: bytes) -> bytes:
    """Return what follows the 354: the message with dots doubled at line starts, and the line with the lone dot.

    RFC 5321 section 4.5.2; section 4.1.1.4: the CRLF that ends the last line belongs to the message.
    """
    stuffed = re.sub(rb"(^|(?<=\r\n))\.", b"..", message)
    return stuffed + (b"" if not stuffed or stuffed.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def dot_unstuff(octets: bytes) -> bytes:
    """Return the message from what follows the 354: without the lone dot, and with doubled dots made single."""
    content = octets[:-3] if octets == b".\r\n" or octets.endswith(b"\r\n.\r\n") else octets
    return re.sub(rb"(^|(?<=\r\n))\.", b"", content)


def longest_line_octets(octets: bytes) -> int:
    """Return the length of the longest line without its CRLF."""
    return max(len(line) for line in octets.split(b"\r\n"))


def line_problem(octets: bytes) -> str | None:
    """Return why octets cannot be sent as lines of text, in half a sentence, or None."""
    if not octets.count(b"\r\n") == octets.count(b"\r") == octets.count(b"\n"):
        return "the message has a CR or LF that is not part of CR LF"  # RFC 5321 section 2.3.8
    if longest_line_octets(octets) > LINE_OCTETS:
        return f"the message has a line of more than {LINE_OCTETS} octets"  # RFC 5322 section 2.1.1
    return None


def is_8bit(octets: bytes) -> bool:
    """Tell whether there is an octet over 127 (RFC 6152)."""
    return not octets.isascii()


# --- making things ---------------------------------------------------------------------------------------------------


def rfc5322_date(at: datetime) -> str:
    """Return a date as RFC 5322 section 3.3 writes it, with a numeric zone."""
    return email.utils.format_datetime(at)


def received_field(
    *,
    from_name: str,
    from_address: str,
    by: str,
    protocol: str,
    queue_id: str,
    at: datetime,
    tls_cipher: str | None = None,
    recipient: str | None = None,
) -> str:
    """Return the value of a Received field (RFC 5321 section 4.4).

    `protocol` is the "with" keyword (RFC 3848); `tls_cipher` adds the clause of RFC 8314 section 4.3; `recipient` must
    be the only one, or None (RFC 5321 section 7.2). Raises UsageError for words that would be more than one.
    """
    for word in (by, protocol, queue_id, *([tls_cipher] if tls_cipher else [])):
        if not _WORD.fullmatch(word):
            raise UsageError(f"{word[:40]!r} cannot stand in a Received field.")
    if recipient is not None and _CONTROLS.search(recipient):
        raise UsageError("A recipient with control characters cannot stand in a Received field.")
    # The client's own words must not add fields, clauses or comments.
    name = re.sub(r"[^A-Za-z0-9.:\[\]-]", "?", from_name[:DOMAIN_OCTETS])
    address = re.sub(r"[^0-9A-Fa-f.:]", "?", from_address)
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    clauses = [f"from {name or literal} ({literal})", f"by {by}", f"with {protocol}"]
    if tls_cipher:
        clauses.append(f"tls {tls_cipher}")
    clauses.append(f"id {queue_id}")
    if recipient:
        clauses.append(f"for <{recipient}>")
    return f"{' '.join(clauses)}; {rfc5322_date(at)}"


def compose(
    text: str,
    sender: str,
    recipients: Sequence[str],
    subject: str,
    date: datetime,
    message_id: str,
    *,
    cc: Sequence[str] = (),
) -> bytes:
    """Return a plain letter, all of it in 7 bits unless an address is not ASCII (RFC 6531).

    Raises UsageError for a header field that is not one line (RFC 5322 section 2.2), and for broken Unicode.
    """
    people = {"From": sender, "To": ", ".join(recipients), "Cc": ", ".join(cc)}
    wanted = {**people, "Subject": subject, "Message-ID": message_id}
    for name, value in wanted.items():
        if len(value.splitlines()) > 1 or _CONTROLS.search(value):
            raise UsageError(f"The field {name} is one line; it cannot contain a line end or control character.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError("The text contains half of a character; it cannot be written as UTF-8.") from error
    policy = email.policy.SMTP if all(map(str.isascii, (sender, *recipients, *cc))) else email.policy.SMTPUTF8
    letter = EmailMessage(policy=policy.clone(cte_type="7bit"))
    for name in ("From", "To", "Cc", "Subject"):
        if wanted[name] or name == "Subject":
            letter[name] = wanted[name]
    letter["Date"], letter["Message-ID"] = date, message_id
    text = re.sub(r"\r\n?", "\n", text)
    plain = text.isascii() and "\0" not in text and all(len(line) <= LINE_OCTETS for line in text.split("\n"))
    letter.set_content(text if text.endswith("\n") else text + "\n", cte="7bit" if plain else None)
    return letter.as_bytes()


def envelope_recipients(octets: bytes) -> list[Address]:
    """Return the recipients that To, Cc and Bcc name, each once (RFC 5321 section 7.2, appendix B).

    Raises UsageError for an address that cannot be read.
    """
    values = [field.value for field in fields(octets) if field.name.lower() in ("to", "cc", "bcc")]
    return list(dict.fromkeys(address for value in values for address in parse_address_list(value)))


_AT_MOST_ONE = ("Sender", "Reply-To", "To", "Cc", "Bcc", "Message-ID", "In-Reply-To", "References", "Subject")


def required_fields_problem(octets: bytes) -> str | None:
    """Return in one sentence which rule of RFC 5322 section 3.6 about numbers of fields is broken, or None."""
    found = fields(octets)
    count = Counter(field.name.lower() for field in found)
    for name in ("Date", "From"):
        if count[name.lower()] != 1:
            return f"The message needs exactly one {name} field, not {count[name.lower()]}."
    for name in _AT_MOST_ONE:
        if count[name.lower()] > 1:
            return f"The message has {count[name.lower()]} {name} fields; one is the most."
    try:
        authors = parse_address_list(next(field.value for field in found if field.name.lower() == "from"))
    except UsageError as error:
        return f"The From field cannot be read: {error}"
    if not authors:
        return "The From field names nobody."
    if len(authors) > 1 and not count["sender"]:
        return "The message has several authors; then it needs one Sender field."
    return None
