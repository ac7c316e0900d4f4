"""From octets to what was said: commands, replies and messages, whoever sent them and however they were cut.

`read_dialogue` is pure: two runs of octets in, items out. `read_connection` does it for a connection of a trace and
gives every item its time. There is no second record of the dialogue that could disagree with the octets.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple
from weakref import WeakKeyDictionary

from simulator.trace.events import Command, ConnectionOpened, Direction, MessageData, Reply, SeenBy, Span, Spoken
from simulator.trace.streams import Piece, Stream
from simulator.trace.trace import ConnectionLog, Trace

Kind = Literal["command", "auth", "reply", "data", "chunk", "other"]

# A listener is more patient than our own client, which takes CRLF only: he shows what was meant.
_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])[^\n]*)?\r?\n")
_VERB = re.compile(rb"[A-Za-z][A-Za-z0-9]{0,30}(?=[ \r]|\Z)")
_BDAT = re.compile(rb"BDAT +([0-9]{1,18})(?: +LAST)? *\r\n", re.IGNORECASE)
_TLS_RECORD = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")


class Said(NamedTuple):
    """One thing that was said: octets start..end of one direction."""

    direction: Direction
    start: int
    end: int
    kind: Kind
    """"other" is what the server said that is no reply: lines that are none, or half a reply."""
    verb: str = ""
    """Of a command: in capitals. Of a reply: the verb that it answers; "" for the greeting."""
    code: int = 0
    """Of a reply."""
    answers: int | None = None
    """Of a reply: index of the item that it answers."""
    complete: bool = True
    """False when the octets ended in the middle of it."""


class _Reader:
    def __init__(self, client: bytes, server: bytes, outside: bool) -> None:
        self.client, self.server, self.outside = client, server, outside
        self.at_client = self.at_server = 0
        self.silent = False
        """True when there is no whole line of the server's left."""
        self.items: list[Said] = []

    def read(self) -> list[Said]:
        self._reply(None)  # RFC 5321 section 3.1: the server speaks first, and its first reply answers nothing
        while self.at_client < len(self.client) and not self._tls(self.client, self.at_client):
            self._command()
        while self._reply(None):
            pass
        if self.at_server < len(self.server) and not self._tls(self.server, self.at_server):
            self.items.append(Said("s2c", self.at_server, len(self.server), "other", complete=False))
        return self.items

    def _tls(self, octets: bytes, at: int) -> bool:
        """On the wire: from here on there are TLS records."""
        return self.outside and _TLS_RECORD.match(octets, at) is not None

    # --- the client's side -------------------------------------------------------------------------------------------

    def _line(self, kind: Kind, verb: str | None = None) -> Said:
        """Take one line; only CRLF ends it (RFC 5321 section 2.3.8)."""
        start, found = self.at_client, self.client.find(b"\r\n", self.at_client)
        end = self.at_client = len(self.client) if found < 0 else found + 2
        if verb is None:
            # RFC 5321 section 2.4: verbs do not depend on case
            word = _VERB.match(self.client, start, end)
            verb = word[0].decode("ascii").upper() if word else ""
        said = Said("c2s", start, end, kind, verb, complete=found >= 0)
        self.items.append(said)
        return said

    def _command(self) -> None:
        question, said = len(self.items), self._line("command")
        if not said.complete:
            return
        if said.verb == "BDAT":
            self._chunk(said)
        code = self._answer(question)
        # RFC 5321 section 4.2.1: any 3yz asks for more
        if said.verb == "DATA" and code // 100 == 3:
            self._content()
        while said.verb == "AUTH" and code // 100 == 3 and self.at_client < len(self.client):
            question, line = len(self.items), self._line("auth", "*AUTH")
            code = self._answer(question) if line.complete else 0

    def _content(self) -> None:
        """RFC 5321 section 4.1.1.4: only CRLF . CRLF ends the message."""
        start, question = self.at_client, len(self.items)
        if self.client.startswith(b".\r\n", start):
            end = start + 3
        else:
            found = self.client.find(b"\r\n.\r\n", start)
            end = found + 5 if found >= 0 else -1
        self.at_client = len(self.client) if end < 0 else end
        if self.at_client > start:
            self.items.append(Said("c2s", start, self.at_client, "data", "DATA", complete=end >= 0))
            self._answer(question)

    def _chunk(self, line: Said) -> None:
        """RFC 3030 section 2: the given number of octets follows at once, whatever they are and whatever the answer."""
        size = _BDAT.fullmatch(self.client, line.start, line.end)
        wanted = line.end + (int(size[1]) if size else 0)
        self.at_client = min(wanted, len(self.client))
        if self.at_client > line.end:
            complete = wanted <= len(self.client)
            self.items.append(Said("c2s", line.end, self.at_client, "chunk", "BDAT", complete=complete))

    # --- the server's side -------------------------------------------------------------------------------------------

    def _answer(self, question: int) -> int:
        """Read the reply to an item; return its code, 0 when there is none."""
        while self._reply(question):
            if self.items[-1].kind == "reply":
                return self.items[-1].code
        return 0

    def _reply(self, question: int | None) -> bool:
        """Read one whole reply, or one line that is none; False when there is nothing more."""
        start = position = self.at_server
        if self.silent or self._tls(self.server, start):
            return False
        while True:
            end = self.server.find(b"\n", position) + 1
            if not end:
                self.silent = True
                return False
            line = _REPLY_LINE.fullmatch(self.server, position, end)
            if line is None and position > start:  # what breaks into a reply is not part of it
                end = position
            position = end
            if line is None or line[2] != b"-":
                break
        self.at_server = position
        if line is None:
            if self.items and self.items[-1].kind == "other":
                start = self.items.pop().start
            self.items.append(Said("s2c", start, position, "other"))
        else:
            verb = self.items[question].verb if question is not None else ""
            self.items.append(Said("s2c", start, position, "reply", verb, int(line[1]), question))
        return True


def read_dialogue(client: bytes, server: bytes, *, outside: bool = False) -> list[Said]:
    """Return what was said on a connection, from the whole octets of both directions.

    Every command is followed by its reply, also where several were sent in one group (RFC 2920): the octets alone do
    not tell. How they were cut does not matter, and no octets make it raise. With `outside` the octets are those of the
    wire: reading stops where TLS records begin.
    """
    return _Reader(client, server, outside).read()


# --- in a trace ------------------------------------------------------------------------------------------------------

_STREAMS: dict[SeenBy, tuple[str, str]] = {
    "client": ("client.sent", "client.received"),
    "server": ("server.received", "server.sent"),
    "wire": ("wire.c2s.sent", "wire.s2c.sent"),
}
_OPENED: WeakKeyDictionary[Trace, dict[int, int]] = WeakKeyDictionary()
"""Trace -> connection -> number of the event that opened it."""


def read_connection(trace: Trace, number: int, seen_by: SeenBy) -> tuple[Spoken, ...]:
    """Return the commands, replies and messages of one connection as one end, or a listener on the wire, saw them.

    They come in the order of their numbers. Times are those at which the last octet was there. What a server hears is
    caused by what the client said, and the other way round, where both ends are recorded. What was cut off is there
    with `complete` False, except for half a reply; that, and lines from the server that are no reply, can only be seen
    in the octets. `size_octets` of a message counts what travelled, with doubled dots and the lone dot.
    """
    log = trace.connections[number]
    lengths = tuple(
        len(log.streams[name]) if name in log.streams else 0 for names in _STREAMS.values() for name in names
    )
    kept = trace.spoken.get((number, seen_by))
    if kept is not None and kept[0] == lengths:
        return kept[1]
    if seen_by == "wire":
        trace.spoken[number, "wire"] = lengths, tuple(_events(trace, log, "wire"))
    else:
        client, server = _events(trace, log, "client"), _events(trace, log, "server")
        trace.spoken[number, "client"] = lengths, tuple(_linked(client, server, "s2c"))
        trace.spoken[number, "server"] = lengths, tuple(_linked(server, client, "c2s"))
    return trace.spoken[number, seen_by][1]


class _Draft(NamedTuple):
    """An item of a dialogue with its place in time."""

    piece: int
    position: int
    line: int
    at_s: float
    said: Said


class _Clock:
    """Finds the moments of ever later octets of a stream, in one walk."""

    def __init__(self, stream: Stream) -> None:
        self.octets = stream.octets
        self._pieces = stream.pieces()
        self._piece = Piece(0.0, 0, 0, 0)
        self._counted = self._lines = 0

    def look(self, offset: int) -> tuple[Piece, int]:
        """Return the piece with the octet at `offset`, and on which line of the piece it stands."""
        while offset >= self._piece.end:
            self._piece = next(self._pieces)
            self._counted, self._lines = self._piece.start, 0
        self._lines += self.octets.count(b"\n", self._counted, offset)
        self._counted = offset
        return self._piece, self._lines


def _events(trace: Trace, log: ConnectionLog, seen_by: SeenBy) -> list[Spoken]:
    names: dict[Direction, str] = dict(zip(("c2s", "s2c"), _STREAMS[seen_by], strict=True))
    streams = {direction: log.stream(name) for direction, name in names.items()}
    if not any(len(stream) for stream in streams.values()):
        return []
    clocks = {direction: _Clock(stream) for direction, stream in streams.items()}
    host = {"client": log.client_host, "server": log.server_host, "wire": "on the path"}[seen_by]
    items = read_dialogue(clocks["c2s"].octets, clocks["s2c"].octets, outside=seen_by == "wire")
    drafts = []
    for position, said in enumerate(items):
        if said.kind != "other":
            piece, line = clocks[said.direction].look(said.end - 1)
            drafts.append(_Draft(piece.number, position, line, piece.at_s, said))
    events: list[Spoken] = []
    numbers: dict[int, int] = {}  # position in the dialogue -> number of the event
    last = 0
    last_reply = _opened(trace).get(log.number)  # what opened the connection is the cause of the greeting
    for piece_number, position, line, at_s, said in sorted(drafts):
        # A recorder gives every line a number of its own, but not what ends within a line (a BDAT chunk).
        last = numbers[position] = max(piece_number + line, last + 1)
        tls_from = streams[said.direction].tls_from
        common: dict[str, Any] = {
            "number": last,
            "at_s": at_s,
            "host": host,
            "seen_by": seen_by,
            "connection": log.number,
            "message": log.message_at(last),
            "direction": said.direction,
            "tls": tls_from is not None and said.start >= tls_from,
            "span": Span(log.number, names[said.direction], said.start, said.end),
            "complete": said.complete,
        }
        if said.kind == "reply":
            asked = numbers.get(said.answers) if said.answers is not None else None
            # RFC 5321 section 3.8: a 421 can be there before the command that it seems to answer
            verb = said.verb if asked is not None else ""
            events.append(Reply(**common, cause=last_reply if asked is None else asked, code=said.code, verb=verb))
            last_reply = last
        elif said.kind in ("data", "chunk"):
            events.append(MessageData(**common, cause=last_reply, size_octets=said.end - said.start))
        else:
            events.append(Command(**common, cause=last_reply, verb=said.verb))
    return events


def _opened(trace: Trace) -> dict[int, int]:
    found = _OPENED.get(trace)
    if found is None:
        opened = trace.of(ConnectionOpened)
        found = _OPENED[trace] = {event.connection: event.number for event in opened if event.connection is not None}
    return found


def _linked(own: Sequence[Spoken], other: Sequence[Spoken], heard: Direction) -> list[Spoken]:
    """Let what one end heard be caused by what the other end said.

    Where a box on the path took something out or put something in, the rest still finds its cause: the next thing of
    the same kind that had been said by then.
    """
    sources: dict[tuple[object, ...], deque[tuple[int, Spoken]]] = defaultdict(deque)
    for position, event in enumerate(other):
        if event.direction == heard:
            sources[_what(event)].append((position, event))
    found, reached = list[Spoken](), -1
    for event in own:
        candidates = sources.get(_what(event)) if event.direction == heard else None
        while candidates and candidates[0][0] <= reached:
            candidates.popleft()
        if candidates and candidates[0][1].at_s <= event.at_s:
            reached, source = candidates.popleft()
            event = replace(event, cause=source.number)
        found.append(event)
    return found


def _what(event: Spoken) -> tuple[object, ...]:
    return event.kind, getattr(event, "verb", ""), getattr(event, "code", 0)
