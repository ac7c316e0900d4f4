"""A trace with one of everything, for tests of what reads and stores traces."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from simulator.trace.events import KINDS, Event, Span
from simulator.trace.recorder import Recorder
from simulator.trace.store import event_hints
from simulator.trace.trace import ConnectionLog, Trace

COMMON = {"number", "at_s", "host", "seen_by", "connection", "message", "cause"}


class Ticking:
    """A clock that moves a little with every look."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        self.now_s = round(self.now_s + 0.01, 9)
        return self.now_s


def new_recorder(**options: Any) -> Recorder:
    """Return a recorder with a clock of its own."""
    return Recorder(Ticking(), **options)


def open_connection(recorder: Recorder, port: int = 49152, **facts: Any) -> ConnectionLog:
    """Start the log of a connection from a laptop to a mail server."""
    return recorder.connection(
        **{
            "transport": "tcp",
            "client_host": "laptop.alice.example",
            "client_address": "192.0.2.9",
            "client_port": port,
            "server_host": "mail.alice.example",
            "server_address": "192.0.2.25",
            "server_port": 587,
            "latency_s": 0.02,
        }
        | facts
    )


def example_of(hint: Any) -> Any:
    """Return some value of a type that events use."""
    examples = {str: "ein Gruß \udcff", int: 7, float: 1.5, bool: True}
    parts = get_args(hint)
    if hint in examples:
        return examples[hint]
    if get_origin(hint) is tuple:
        return tuple(example_of(part) for part in parts if part is not Ellipsis)
    if hint is Span:
        return Span(1, "client.sent", 0, 4)
    return parts[0] if isinstance(parts[0], str) else example_of(parts[0])


def say(recorder: Recorder, log: ConnectionLog, octets: bytes, way: str = "c2s") -> None:
    """Let an end say something that travels undisturbed, with all taps."""
    sender, receiver = ("client", "server") if way == "c2s" else ("server", "client")
    recorder.wire(log, f"wire.{way}.sent", octets)
    recorder.spoken(log, f"{sender}.sent", octets)
    recorder.wire(log, f"wire.{way}.arrived", octets)
    recorder.spoken(log, f"{receiver}.received", octets)


def full_trace() -> Trace:
    """Return a trace with every recorded kind of event, shared and changed octets, and a login."""
    recorder = new_recorder(
        medium="memory", latency_s=0.02, hosts={"mail.alice.example": "192.0.2.25"}, keylog="secret"
    )
    log = open_connection(recorder)
    recorder.label(log, "m1")
    say(recorder, log, b"220 mail.alice.example\r\n", "s2c")
    say(recorder, log, b"EHLO laptop.alice.example\r\n")
    say(recorder, log, b"AUTH PLAIN AGFsaWNlAHdvbmRlcmxhbmQ=\r\n")
    changed = open_connection(recorder, port=49153)
    recorder.wire(changed, "wire.s2c.sent", b"250 STARTTLS\r\n")
    recorder.wire(changed, "wire.s2c.arrived", b"250 XXXXXXXX\r\n")
    recorder.wire(changed, "wire.s2c.arrived", b"")
    recorder.spoken(changed, "client.received", b"250 XXXXXXXX\r\n")
    for kind in KINDS.values():
        if not kind.spoken:
            record_example(recorder, kind, changed)
    return recorder.trace()


def record_example(recorder: Recorder, kind: type[Event], log: ConnectionLog) -> int:
    """Record an event of some kind with a value for each of its facts."""
    facts = {name: example_of(hint) for name, hint in event_hints(kind).items() if name not in COMMON}
    return recorder.record(kind, host="mail.alice.example", seen_by="server", connection=log.number, cause=1, **facts)
