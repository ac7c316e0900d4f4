"""From octets to what was said: commands, replies and messages, whoever sent them and however they were cut.

`read_dialogue` is pure: two runs of octets in, items out. `read_connection` does it for a connection of a trace and
gives every item its time. There is no second record of the dialogue that could disagree with the octets.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from simulator.trace.events import Command, ConnectionOpened, Direction, MessageData, Reply, SeenBy, Span, Spoken
from simulator.trace.streams import Stream
from simulator.trace.trace import Trace

Kind = Literal["command", "auth", "reply", "data", "chunk", "other"]

_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])[^\n]*)?\r?\n?")
_TLS_RECORD = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")
_DECIDED_BY_REPLY = ("AUTH", "DATA", "STARTTLS")
"""After these, what the client's next octets mean depends on the reply."""


@dataclass(frozen=True, slots=True)
class Said:
    """One thing that was said: octets start..end of one direction."""

    direction: Direction
    start: int
    end: int
    kind: Kind
    verb: str = ""
    """Of a command: in capitals. Of a reply: the verb that it answers; "" for the greeting."""
    code: int = 0
    """Of a reply; 0 for a line that is no reply."""
    answers: int | None = None
    """Of a reply: index of the item that it answers."""
    complete: bool = True
    """False when the connection ended in the middle of it."""


class _Reader:
    def __init__(self, client: bytes, server: bytes, outside: bool) -> None:
        self.client, self.server, self.outside = client, server, outside
        self.at_client = self.at_server = 0
        self.items: list[Said] = []
        self.unanswered: deque[int] = deque()
        self.inside_tls = self.greeted = False

    def read(self) -> list[Said]:
        self._reply()  # RFC 5321 section 3.1: the server speaks first
        while self.at_client < len(self.client) and not self._encrypted():
            self._line()
        while self._reply():
            pass
        if self.at_server < len(self.server) and not self.inside_tls:
            self.items.append(Said("s2c", self.at_server, len(self.server), "other", complete=False))
        return self.items

    def _encrypted(self) -> bool:
        """On the wire: from here on there are TLS records."""
        if self.outside and _TLS_RECORD.match(self.client, self.at_client):
            self.inside_tls = True
        return self.inside_tls

    # --- the client's side -------------------------------------------------------------------------------------------

    def _line(self) -> None:
        start, end = self.at_client, self.client.find(b"\r\n", self.at_client)
        self.at_client = len(self.client) if end < 0 else end + 2
        # RFC 5321 section 2.4: verbs do not depend on case
        word = re.match(rb"[ -~]*?(?=[ \r\n]|$)", self.client[start : min(self.at_client, start + 64)])
        verb = word[0].decode("ascii").upper() if word else ""
        if not verb.isalnum():
            verb = ""
        self._add(Said("c2s", start, self.at_client, "command", verb, complete=end >= 0))
        if end < 0:
            return
        if verb == "BDAT":
            self._chunk(start)
        elif verb in _DECIDED_BY_REPLY:
            code = self._decision()
            if verb == "DATA" and code == 354:
                self._content()
            elif verb == "AUTH":
                self._login(code)

    def _decision(self) -> int:
        """Read replies until the latest command is answered; return its code, 0 when it never was."""
        wanted = len(self.items) - 1
        while self.unanswered and self.unanswered[0] <= wanted:
            if not self._reply():
                return 0
        found = next((item for item in reversed(self.items) if item.answers == wanted), None)
        return found.code if found else 0

    def _login(self, code: int) -> None:
        while code == 334 and self.at_client < len(self.client):
            start, end = self.at_client, self.client.find(b"\r\n", self.at_client)
            self.at_client = len(self.client) if end < 0 else end + 2
            self._add(Said("c2s", start, self.at_client, "auth", "*AUTH", complete=end >= 0))
            if end < 0:
                return
            code = self._decision()

    def _content(self) -> None:
        """RFC 5321 section 4.1.1.4: only CRLF . CRLF ends the message."""
        start = self.at_client
        if self.client.startswith(b".\r\n", start):
            end = start + 3
        else:
            found = self.client.find(b"\r\n.\r\n", start)
            end = found + 5 if found >= 0 else -1
        self.at_client = len(self.client) if end < 0 else end
        if self.at_client > start:
            self._add(Said("c2s", start, self.at_client, "data", "DATA", complete=end >= 0))

    def _chunk(self, start: int) -> None:
        """RFC 3030 section 2: the given number of octets follows at once, whatever they are."""
        size = re.match(rb"BDAT +([0-9]{1,18})", self.client[start : self.at_client], re.IGNORECASE)
        begin = self.at_client
        wanted = begin + (int(size[1]) if size else 0)
        self.at_client = min(wanted, len(self.client))
        if self.at_client > begin:
            self.items.append(Said("c2s", begin, self.at_client, "chunk", "BDAT", complete=wanted <= len(self.client)))

    def _add(self, said: Said) -> None:
        self.unanswered.append(len(self.items))
        self.items.append(said)

    # --- the server's side -------------------------------------------------------------------------------------------

    def _reply(self) -> bool:
        """Read one whole reply; False when there is none."""
        start = position = self.at_server
        while True:
            end = self.server.find(b"\n", position)
            if end < 0 or (self.outside and _TLS_RECORD.match(self.server, start)):
                return False
            line = _REPLY_LINE.fullmatch(self.server, position, end + 1)
            position = end + 1
            if line is None or line[2] != b"-":
                break
        self.at_server = position
        if line is None:
            self.items.append(Said("s2c", start, position, "other"))
            return True
        # RFC 5321 section 3.1: the first reply is the greeting and answers nothing
        question = self.unanswered.popleft() if self.unanswered and self.greeted else None
        self.greeted = True
        verb = self.items[question].verb if question is not None else ""
        self.items.append(Said("s2c", start, position, "reply", verb, int(line[1]), question))
        return True


def read_dialogue(client: bytes, server: bytes, *, outside: bool = False) -> list[Said]:
    """Return what was said on a connection, from the whole octets of both directions.

    The order is that of cause and effect as far as the octets tell; how they were cut does not matter. Octets that are
    no SMTP never raise. With `outside` the octets are those of the wire: reading stops where TLS records begin.
    """
    return _Reader(client, server, outside).read()


# --- in a trace ------------------------------------------------------------------------------------------------------

_STREAMS: dict[SeenBy, tuple[str, str]] = {
    "client": ("client.sent", "client.received"),
    "server": ("server.received", "server.sent"),
    "wire": ("wire.c2s.sent", "wire.s2c.sent"),
}


def read_connection(trace: Trace, number: int, seen_by: SeenBy) -> tuple[Spoken, ...]:
    """Return the commands, replies and messages of one connection as one end, or a listener on the wire, saw them.

    Times are those at which the last octet was there. What a server hears is caused by what the client said, and the
    other way round, where both ends are recorded.
    """
    log = trace.connections[number]
    lengths = tuple(
        len(log.streams[name]) if name in log.streams else 0 for names in _STREAMS.values() for name in names
    )
    kept = trace.spoken.get((number, seen_by))
    if kept is not None and kept[0] == lengths:
        return kept[1]
    if seen_by == "wire":
        found = {"wire": list(_events(trace, number, "wire"))}
    else:
        found = {end: list(_events(trace, number, end)) for end in ("client", "server")}  # type: ignore[arg-type]
        _link(found["client"], found["server"])
    for end, events in found.items():
        trace.spoken[number, end] = lengths, tuple(sorted(events, key=lambda event: event.number))  # type: ignore[index]
    return trace.spoken[number, seen_by][1]


def _events(trace: Trace, number: int, seen_by: SeenBy) -> Iterator[Spoken]:
    log = trace.connections[number]
    names = dict(zip(("c2s", "s2c"), _STREAMS[seen_by], strict=True))
    streams: dict[str, Stream] = {direction: log.stream(name) for direction, name in names.items()}
    if not len(streams["c2s"]) and not len(streams["s2c"]):
        return
    host = {"client": log.client_host, "server": log.server_host, "wire": "on the path"}[seen_by]
    items = read_dialogue(streams["c2s"].octets, streams["s2c"].octets, outside=seen_by == "wire")
    numbers: dict[int, int] = {}
    # What opened the connection is the cause of the greeting.
    last_reply = next(
        (e.number for e in trace.events if e.connection == number and isinstance(e, ConnectionOpened)), None
    )
    for index, item in enumerate(items):
        if item.kind == "other":
            continue
        stream = streams[item.direction]
        at_s, event_number = stream.moment(item.end - 1)
        numbers[index] = event_number
        tls = stream.tls_from is not None and item.start >= stream.tls_from
        span = Span(number, names[item.direction], item.start, item.end)
        common = {
            "number": event_number,
            "at_s": at_s,
            "host": host,
            "seen_by": seen_by,
            "connection": number,
            "message": log.message_at(event_number),
            "direction": item.direction,
            "tls": tls,
            "span": span,
        }
        if item.kind == "reply":
            cause = numbers.get(item.answers) if item.answers is not None else last_reply
            last_reply = event_number
            yield Reply(**common, cause=cause, code=item.code, verb=item.verb)  # type: ignore[arg-type]
        elif item.kind in ("data", "chunk"):
            yield MessageData(**common, cause=last_reply, size_octets=item.end - item.start)  # type: ignore[arg-type]
        else:
            yield Command(**common, cause=last_reply, verb=item.verb)  # type: ignore[arg-type]


def _link(client: list[Spoken], server: list[Spoken]) -> None:
    """Let what one end heard be caused by what the other end said."""
    if not client or not server:
        return
    for heard, said, direction in ((server, client, "c2s"), (client, server, "s2c")):
        there = [index for index, event in enumerate(heard) if event.direction == direction]
        sources = [event for event in said if event.direction == direction]
        for index, source in zip(there, sources, strict=False):
            object.__setattr__(heard[index], "cause", source.number)
