"""Who could read what of a letter: listeners on both links, operators of both servers, and the recipient.

Every cell is a search in the octets that this party has: on the wire for a listener, above TLS for an operator.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from simulator.errors import UsageError
from simulator.trace.events import Command, MessageData, MessageStored
from simulator.trace.trace import ConnectionLog, Trace
from simulator.views.hops import Hop, hops
from simulator.views.lettering import INK, PAGE_HEIGHT, PAGE_WIDTH, cut, new_page, wrapped, write
from simulator.views.network_map import GROUND, STYLES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Sight = Literal["reads", "hidden", "not there"]
ITEMS = ("password", "recipient in the envelope", "From in the letter", "text of the letter", "size")
_SIGNS = {"reads": "\N{BLACK CIRCLE}", "hidden": "\N{WHITE CIRCLE}", "not there": "\N{EN DASH}"}


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


def reader_table(trace: Trace) -> tuple[Reader, ...]:
    """Return who could read what, from left to right as the letter travels. Raises UsageError without a connection."""
    found = hops(trace)
    if not found:
        raise UsageError("There is nothing to read: the trace has no SMTP connection. Send a message first.")
    needles = _needles(trace, found)
    submission = next((hop for hop in found if hop.step == 1), None)
    relay = next((hop for hop in found if hop.step == 2 and hop.spoken), None)
    readers = []
    if submission is not None:
        readers += [
            _reader("listener near the sender", _link(submission), _wire(submission.log), needles, _server(submission)),
            _reader("operator of the outgoing server", submission.log.server_host, _server(submission), needles),
        ]
    if relay is not None:
        readers += [
            _reader("listener between the servers", _link(relay), _wire(relay.log), needles, _server(relay)),
            _reader("operator of the mail exchanger", relay.log.server_host, _server(relay), needles),
        ]
    stored = trace.of(MessageStored)
    if stored:
        readers.append(_reader("recipient", stored[0].mailbox, _letter(trace, stored[0]), needles))
    return tuple(readers)


def _needles(trace: Trace, found: Iterable[Hop]) -> dict[str, list[bytes]]:
    """Return for each item the octets to search for: what was really said somewhere on the way."""
    needles: dict[str, list[bytes]] = {item: [] for item in ITEMS[:-1]}
    for hop in found:
        for event in hop.spoken:
            octets = trace.octets(event.span)
            if isinstance(event, Command) and event.verb in ("AUTH", "*AUTH"):
                word = octets.rstrip(b"\r\n").split(b" ")[-1]
                if len(word) > 8:  # longer than the name of a mechanism: user and password, or a proof
                    needles["password"].append(word)
            elif isinstance(event, Command) and event.verb == "RCPT":
                needles["recipient in the envelope"].append(b"RCPT TO:" + octets.partition(b":")[2].partition(b">")[0])
            elif isinstance(event, MessageData):
                header, _, body = octets.partition(b"\r\n\r\n")
                fields = [line for line in header.split(b"\r\n") if line.lower().startswith(b"from:")]
                needles["From in the letter"] += fields
                needles["text of the letter"] += [line for line in body.split(b"\r\n") if len(line) > 3][:1]
    return needles


def password_in(word: bytes) -> str:
    """Return what a base64 word of AUTH PLAIN or LOGIN says, for those who want to see that it is no secret."""
    try:
        return b64decode(word, validate=True).decode("utf-8").replace("\0", " ").strip()
    except ValueError:
        return ""


def _reader(name: str, place: str, octets: bytes, needles: dict[str, list[bytes]], inside: bytes = b"") -> Reader:
    """Return a column: `octets` is what this party has, `inside` what passes by it, be it protected or not."""
    cells = {}
    for item, words in needles.items():
        sight: Sight = "not there"
        if any(word in octets for word in words):
            sight = "reads"
        elif any(word in inside for word in words):
            sight = "hidden"
        cells[item] = Cell(sight)
    cells["size"] = Cell("reads", f"{chr(0x2248) if inside else ''} {len(octets)} octets".strip())
    return Reader(name, place, cells)


def _link(hop: Hop) -> str:
    return f"{hop.log.client_host} to port {hop.log.server_port}: {hop.how}"


def _wire(log: ConnectionLog) -> bytes:
    return log.stream("wire.c2s.sent").octets + b"\0" + log.stream("wire.s2c.sent").octets


def _server(hop: Hop) -> bytes:
    """Return what a server's own program received; that of a foreign server is known from the client's side."""
    received = hop.log.stream("server.received").octets
    return received or hop.log.stream("client.sent").octets


def _letter(trace: Trace, stored: MessageStored) -> bytes:
    for hop in hops(trace):
        if hop.log.number == stored.connection:
            letters = [trace.octets(event.span) for event in hop.spoken if isinstance(event, MessageData)]
            return letters[-1] if letters else b""
    return b""


def alt_text(readers: Iterable[Reader]) -> str:
    """Describe the table in words."""
    told = []
    for reader in readers:
        read = [item for item in ITEMS[:-1] if reader.cells[item].sight == "reads"]
        told.append(f"{reader.name} ({reader.place}) reads {', '.join(read) or 'nothing but sizes'}.")
    return "Who could read what. " + " ".join(told)


def readers(trace: Trace) -> Figure:
    """Draw the table, 1280 x 720 pixels. Raises UsageError without a connection or without matplotlib."""
    table = reader_table(trace)
    figure, axes = new_page(alt_text(table), "Who could read what")
    left, top, row = 250.0, 210.0, 84.0
    width = (PAGE_WIDTH - left - 16) / len(table)
    for number, item in enumerate(ITEMS):
        y = top + (number + 0.5) * row
        if number % 2 == 0:
            axes.axhspan(y - row / 2, y + row / 2, color=GROUND, zorder=0)
        for index, line in enumerate(wrapped(item, left - 40, 2, 15)):
            write(axes, 20, y - 10 + index * 24, line, fontsize=15, fontweight="bold")
    for index, reader in enumerate(table):
        _column(axes, reader, left + index * width, width, top, row)
    write(axes, 20, PAGE_HEIGHT - 38, "Each cell is a search in the octets that this party has. TLS protects links: "
          "at both of its ends the letter is in clear.", fontsize=13)  # fmt: skip
    return figure


def _column(axes: Any, reader: Reader, x: float, width: float, top: float, row: float) -> None:
    lines = wrapped(reader.name, width - 20, 3, 14)
    for index, line in enumerate(lines):
        write(axes, x + 6, 72 + index * 22, line, fontsize=14, fontweight="bold")
    for index, line in enumerate(wrapped(reader.place, width - 18, 3, 12)):
        write(axes, x + 6, 76 + len(lines) * 22 + index * 20, line, fontsize=12, style="italic")
    for number, item in enumerate(ITEMS):
        cell = reader.cells[item]
        look = STYLES["readable" if cell.sight == "reads" else "protected"]
        color = INK if cell.sight == "not there" or item == "size" else look.color
        bold = cell.sight == "reads" and item != "size"
        y = top + (number + 0.5) * row
        write(axes, x + 6, y, cut(cell.words, width - 12, 14, bold=bold), fontsize=14, color=color,
              fontweight="bold" if bold else "normal")  # fmt: skip
