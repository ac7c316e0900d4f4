"""What a passive listener on a link could read: the secrets of a message, searched for in the octets of the wire."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.trace.events import Command, MessageData
from simulator.views.hops import Hop


@dataclass(frozen=True, slots=True)
class Exposure:
    """For one hop: what was there to read, and whether it was readable on the wire."""

    hop: Hop
    items: dict[str, bool | None]
    """Item -> readable; None when it did not travel on this hop."""

    @property
    def readable(self) -> tuple[str, ...]:
        """Names of the items that anybody on the path could read."""
        return tuple(name for name, seen in self.items.items() if seen)


ITEMS = ("EHLO name", "password", "sender", "recipient", "subject", "text")


def exposure(hop: Hop) -> Exposure:
    """Search the wire of one hop for what its ends said to each other."""
    # Behind a box on the path other octets may pass than before it: a listener may sit on either side.
    streams = ("wire.c2s.sent", "wire.c2s.arrived", "wire.s2c.sent", "wire.s2c.arrived")
    wire = b"\0".join(hop.log.stream(name).octets for name in streams)
    found: dict[str, bool | None] = {}
    for name, needles in _needles(hop).items():
        found[name] = any(needle in wire for needle in needles) if needles else None
    return Exposure(hop, found)


def exposures(trace_hops: tuple[Hop, ...]) -> list[Exposure]:
    """Search the wires of several hops."""
    return [exposure(hop) for hop in trace_hops]


def _needles(hop: Hop) -> dict[str, list[bytes]]:
    needles: dict[str, list[bytes]] = {name: [] for name in ITEMS}
    for event in hop.spoken:
        octets = hop.trace.octets(event.span)
        if isinstance(event, Command):
            word = octets.rstrip(b"\r\n").split(b" ")
            if event.verb in ("EHLO", "HELO") and len(word) > 1:
                needles["EHLO name"].append(word[1])
            elif event.verb == "AUTH" and len(word) > 2:
                needles["password"].append(word[2])
            elif event.verb == "*AUTH":
                needles["password"].append(octets.rstrip(b"\r\n"))
            elif event.verb in ("MAIL", "RCPT"):
                inside = octets.partition(b"<")[2].partition(b">")[0]
                if inside:
                    needles["sender" if event.verb == "MAIL" else "recipient"].append(inside)
        elif isinstance(event, MessageData):
            header, _, body = octets.partition(b"\r\n\r\n")
            needles["subject"] += [line for line in header.split(b"\r\n") if line.lower().startswith(b"subject:")]
            needles["text"] += [line for line in body.split(b"\r\n") if len(line) > 3][:1]
    return needles
