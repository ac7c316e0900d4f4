"""Who could read what of a letter: listeners on both links, operators of both servers, and the recipient. Pure.

Every cell is a search in the octets that this party has: on the wire for a listener, above TLS for an operator.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from simulator.errors import UsageError
from simulator.protocol.message import dot_unstuff
from simulator.protocol.tls_records import HEADER_OCTETS, tls_records
from simulator.trace.events import Command, MessageData, MessageStored
from simulator.trace.trace import Trace
from simulator.views.hops import Hop, hops

Sight = Literal["reads", "hidden", "not there"]
ITEMS = ("password", "recipient in the envelope", "From in the letter", "text of the letter", "size")
_SIGNS = {"reads": "\N{BLACK CIRCLE}", "hidden": "\N{WHITE CIRCLE}", "not there": "\N{EN DASH}"}
_SEAL_OCTETS = 17
"""What TLS 1.3 adds to each record: content type and tag (RFC 8446 section 5.2). A listener's guess for 1.2, too."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What one party has of one item."""

    sight: Sight
    detail: str = ""

    @property
    def words(self) -> str:
        """The cell as it is shown."""
        return f"{_SIGNS[self.sight]} {self.detail or self.sight.replace('reads', 'READS IT')}"


@dataclass(frozen=True, slots=True)
class Reader:
    """One party with its column."""

    name: str
    place: str
    cells: dict[str, Cell]
    reached: bool = True
    """False when nothing of the letter's story came by here."""


def reader_table(trace: Trace) -> tuple[Reader, ...]:
    """Return who could read what, from left to right as the letter travels: always five columns.

    Of several hops of one kind the first that carried the letter counts, else the first that spoke. Raises UsageError
    without a connection.
    """
    found = hops(trace)
    if not found:
        raise UsageError("There is nothing to read: the trace has no SMTP connection. Send a message first.")
    needles, passwords = _needles(trace, found), _passwords(trace, found)
    submission, relay = (_first(hop for hop in found if hop.step == step) for step in (1, 2))
    readers: list[Reader] = []
    for hop, listener, operator in (
        (submission, "listener near the sender", "operator of the outgoing server"),
        (relay, "listener between the servers", "operator of the mail exchanger"),
    ):
        if hop is None or not hop.spoken:
            why = f"not reached: {hop.problem}" if hop is not None and hop.problem else "not reached"
            readers += [_not_reached(listener, why), _not_reached(operator, why)]
            continue
        inside, wire = _server(hop), _wire(hop)
        size = _letter_size(hop)
        shown = f"{size} octets" if size else ""
        readers.append(_reader(listener, _link(hop), wire, needles, passwords, inside))
        readers[-1].cells["size"] = _listeners_size(hop, shown)
        readers.append(_reader(operator, hop.log.server_host, inside, needles, passwords))
        readers[-1].cells["size"] = _known(shown)
    stored = trace.of(MessageStored)
    if not stored:
        return (*readers, _not_reached("recipient", "not reached"))
    letter = _letter(trace, stored[0])
    recipient = _reader("recipient", stored[0].mailbox, letter, needles, passwords)
    named = [b"for " + needle.partition(b":")[2] for needle in needles[ITEMS[1]]]
    if any(word in letter for word in named):  # RFC 5321 section 4.4: a server may add it, for a single recipient
        recipient.cells[ITEMS[1]] = Cell("not there", "only in Received")
    recipient.cells["size"] = _known(f"{stored[0].size_octets} octets")
    return (*readers, recipient)


def _first(kind: Iterable[Hop]) -> Hop | None:
    found = list(kind)
    carried = (hop for hop in found if any(isinstance(event, MessageData) for event in hop.spoken))
    spoke = (hop for hop in found if hop.spoken)
    return next(carried, next(spoke, found[0] if found else None))


def _not_reached(name: str, why: str) -> Reader:
    return Reader(name, why, {item: Cell("not there", "not reached") for item in ITEMS}, reached=False)


def _needles(trace: Trace, found: Iterable[Hop]) -> dict[str, list[bytes]]:
    """Return for each item but the password the octets to search for: what was really said somewhere on the way."""
    needles: dict[str, list[bytes]] = {item: [] for item in ITEMS[1:-1]}
    for hop in found:
        for event in hop.spoken:
            octets = trace.octets(event.span)
            if isinstance(event, Command) and event.verb == "RCPT":
                needles[ITEMS[1]].append(b"RCPT TO:" + octets.partition(b":")[2].strip().partition(b">")[0] + b">")
            elif isinstance(event, MessageData):
                header, _, body = octets.partition(b"\r\n\r\n")
                needles[ITEMS[2]] += [line for line in header.split(b"\r\n") if line.lower().startswith(b"from:")]
                lines = [line for line in body.split(b"\r\n") if line.strip(b" .")]
                # The longest line stands for the text; with its line ends, so that "x" is not found in any word.
                needles[ITEMS[3]] += [b"\r\n" + max(lines, key=len) + b"\r\n"] if lines else []
    return needles


def _passwords(trace: Trace, found: Iterable[Hop]) -> list[bytes]:
    """Return the passwords that travelled as such. SCRAM sends a proof instead (RFC 5802 section 3)."""
    passwords: list[bytes] = []
    for hop in found:
        mechanism, words = b"", list[bytes]()
        for event in hop.spoken:
            if not isinstance(event, Command):
                continue
            line = trace.octets(event.span).split()
            if event.verb == "AUTH":
                mechanism, words = (line[1].upper() if len(line) > 1 else b""), line[2:]
            elif event.verb == "*AUTH":
                words = words + line[:1]
            else:
                mechanism, words = b"", []
            plain = [_plain(word) for word in words]
            if mechanism == b"PLAIN" and plain and plain[-1].count(b"\0") == 2:  # RFC 4616 section 2
                passwords.append(plain[-1].rsplit(b"\0", 1)[1])
            elif mechanism == b"LOGIN" and len(plain) == 2:
                passwords.append(plain[1])
    return [password for password in passwords if password]


def _plain(word: bytes) -> bytes:
    try:
        return b64decode(word, validate=True)
    except ValueError:
        return b""


def _has_password(octets: bytes, passwords: list[bytes]) -> bool:
    """Tell whether a password is among the base64 words in some octets: base64 is no protection."""
    if not passwords:
        return False
    wanted = set(passwords)
    # Only short lines can be lines of AUTH (RFC 4954 section 4); a long letter need not be decoded.
    words = (line.split()[-1] for line in octets.split(b"\r\n") if line.strip() and len(line) < 512)
    return any(plain in wanted or (plain.count(b"\0") == 2 and plain.rsplit(b"\0", 1)[1] in wanted)
               for plain in map(_plain, words) if plain)  # fmt: skip


def _reader(name: str, place: str, octets: bytes, needles: dict[str, list[bytes]], passwords: list[bytes],
            inside: bytes = b"") -> Reader:  # fmt: skip
    """Return a column: `octets` is what this party has, `inside` what passes by it, be it protected or not."""
    found = {ITEMS[0]: (_has_password(octets, passwords), _has_password(inside, passwords))}
    for item, words in needles.items():
        found[item] = any(word in octets for word in words), any(word in inside for word in words)
    sights: dict[str, Sight] = {
        item: "reads" if has else "hidden" if passes else "not there" for item, (has, passes) in found.items()
    }
    return Reader(name, place, {item: Cell(sight) for item, sight in sights.items()})


def _link(hop: Hop) -> str:
    return f"{hop.log.client_host} to port {hop.log.server_port}: {hop.how}"


def _wire(hop: Hop) -> bytes:
    return hop.log.stream("wire.c2s.sent").octets + b"\0" + hop.log.stream("wire.s2c.sent").octets


def _server(hop: Hop) -> bytes:
    """Return what a server's own program received; that of a foreign server is known from the client's side."""
    received = hop.log.stream("server.received").octets
    return received or hop.log.stream("client.sent").octets


# --- how long the letter was -----------------------------------------------------------------------------------------


def _letter_size(hop: Hop) -> int:
    said = next((event for event in hop.spoken if isinstance(event, MessageData)), None)
    return len(dot_unstuff(hop.trace.octets(said.span))) if said else 0


def _known(shown: str) -> Cell:
    return Cell("reads", shown) if shown else Cell("not there")


def _listeners_size(hop: Hop, shown: str) -> Cell:
    """Return what a listener can tell of the size: in clear the letter's own, under TLS the longest run of records.

    TLS does not hide lengths (RFC 8446 appendix E.3).
    """
    start = hop.trace.tls_offset(hop.log, "wire.c2s.sent")
    if start is None:
        return _known(shown)
    return Cell("reads", f"about {longest_run_octets(hop, start)} octets")


def longest_run_octets(hop: Hop, start: int) -> int:
    """Return what the client's longest run of application data carried, from the records alone: most often the letter.

    A run ends where the server says something. `start`: where TLS begins in what the client put on the wire.
    """
    stream = hop.log.stream("wire.c2s.sent")
    answers = [piece.number for piece in hop.log.stream("wire.s2c.sent").pieces()]
    runs: dict[int, int] = {}
    for record in tls_records(stream.octets, start):
        if record.name == "application_data":
            number = stream.moment(record.start).number
            before = sum(answer < number for answer in answers)
            carried = max(0, record.size_octets - HEADER_OCTETS - _SEAL_OCTETS)
            runs[before] = runs.get(before, 0) + carried
    return max(runs.values(), default=0)


def _letter(trace: Trace, stored: MessageStored) -> bytes:
    """Return the letter as the last server received it; what that one put on top is not in the trace."""
    for hop in hops(trace):
        if hop.log.number == stored.connection:
            said = hop.spoken_by("server") or hop.spoken
            letters = [e for e in said if isinstance(e, MessageData) and e.number < stored.number]
            return dot_unstuff(trace.octets(letters[-1].span)) if letters else b""
    return b""
