"""What a passive listener learned from one connection: every cell is a search in the octets of the wire. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulator.protocol.tls_hellos import server_hello
from simulator.protocol.tls_records import server_name
from simulator.trace.events import Command, Reply
from simulator.views.hops import Hop
from simulator.views.listener import exposure

Seen = Literal["read", "hidden", "not sent"]


@dataclass(frozen=True, slots=True)
class Leak:
    """One thing that there was to learn."""

    what: str
    seen: Seen
    detail: str = ""
    """What it was, when it could be read."""

    @property
    def words(self) -> str:
        """The cell in words, with a sign."""
        sign = {"read": "\N{BLACK CIRCLE}", "hidden": "\N{WHITE CIRCLE}", "not sent": "\N{EN DASH}"}[self.seen]
        word = {"read": "READ", "hidden": "hidden", "not sent": "not sent"}[self.seen]
        return f"{sign} {self.detail or word}"


def leaks(hop: Hop) -> tuple[Leak, ...]:
    """Return what a listener on the link of one hop learned, from harmless to secret."""
    c2s, s2c = hop.log.stream("wire.c2s.sent").octets, hop.log.stream("wire.s2c.sent").octets
    # A box on the path may have changed them: what came out of it was on the wire, too.
    after = [hop.log.stream(f"wire.{way}.arrived").octets for way in ("c2s", "s2c")]
    said, answered = c2s + b"\0" + after[0], s2c + b"\0" + after[1]
    replies = [event for event in hop.spoken if isinstance(event, Reply)]
    greeting = hop.trace.octets(replies[0].span) if replies else b""
    offers = [hop.trace.octets(event.span) for event in replies if event.verb == "EHLO"]
    upgrades = [
        hop.trace.octets(event.span) for event in hop.spoken if isinstance(event, Command) and event.verb == "STARTTLS"
    ]
    found = exposure(hop).items
    begin = hop.trace.tls_offset(hop.log, "wire.c2s.sent"), hop.trace.tls_offset(hop.log, "wire.s2c.sent")
    name = server_name(c2s, begin[0]) if begin[0] is not None else None
    hello = server_hello(s2c, begin[1]) if begin[1] is not None else None
    certificate: Seen = "not sent" if hop.tls is None else "read" if hello and hello.certificate else "hidden"
    rows = [
        Leak("banner", _seen(greeting, answered)),
        Leak("EHLO name", _of(found["EHLO name"])),
        Leak(
            "what the server offers",
            "read" if any(o in answered for o in offers) else "hidden" if offers else "not sent",
        ),
        Leak("the word STARTTLS", _seen(upgrades[0] if upgrades else b"", said)),
        Leak("server name (SNI)", "read" if name else "not sent", name or ""),
        Leak("certificate", certificate),
        Leak("size of it all", "read", f"{len(c2s) + len(s2c)} octets"),
    ]
    rows += [Leak(item, _of(found[item])) for item in ("password", "sender", "recipient", "subject", "text")]
    return tuple(rows)


def _seen(octets: bytes, wire: bytes) -> Seen:
    return "not sent" if not octets else "read" if octets in wire else "hidden"


def _of(readable: bool | None) -> Seen:
    return "not sent" if readable is None else "read" if readable else "hidden"
