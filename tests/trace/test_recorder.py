"""The pen: numbers, labels, parts of a trace, and forgetting."""

from __future__ import annotations

import io
from typing import Any

import pytest
from support.traces import new_recorder, open_connection, say

from simulator.errors import UsageError
from simulator.trace.events import ConnectionOpened, Note, TlsFailed
from simulator.trace.recorder import EVENT_OCTETS, Recorder
from simulator.trace.store import load, save
from simulator.trace.trace import ConnectionLog


def note(recorder: Recorder, text: str = "x", **where: Any) -> int:
    return recorder.record(Note, host="mail.alice.example", seen_by="server", text=text, **where)


def test_numbers_grow_and_every_line_has_one() -> None:
    recorder = new_recorder()
    log = open_connection(recorder)
    first = note(recorder)
    assert recorder.spoken(log, "client.sent", b"one\r\ntwo\r\nthr") == first + 3
    assert recorder.spoken(log, "client.sent", b"ee\r\n") == first + 4
    assert log.stream("client.sent").moment(6).number == first + 2
    assert note(recorder) > first + 4


def test_the_part_of_a_message_is_its_events_and_its_connections() -> None:
    recorder = new_recorder()
    one, other = open_connection(recorder), open_connection(recorder, port=2)
    note(recorder, "before the label", connection=one.number)
    recorder.label(one, "m1")
    note(recorder, "by connection", connection=one.number)
    note(recorder, "by label", message="m1")
    note(recorder, "elsewhere", connection=other.number)
    for again in ("m2", "m1"):
        recorder.label(one, again)
    part = recorder.trace("m1")
    assert [event.facts()["text"] for event in part.events] == ["before the label", "by connection", "by label"]
    assert list(part.connections) == [one.number]
    assert part.story() == recorder.trace().only("m1").story()
    assert recorder.trace("m3").events == ()
    assert one.message_at(0) == "m1"
    assert one.message == "m1"


def test_an_event_is_found_by_its_number() -> None:
    recorder = new_recorder()
    numbers = [note(recorder, str(index)) for index in range(5)]
    trace = recorder.trace()
    assert [trace.event(number).number for number in numbers] == numbers
    with pytest.raises(KeyError):
        trace.event(99)


def test_a_wrong_connection_number_is_a_defect() -> None:
    with pytest.raises(KeyError):
        note(new_recorder(), connection=7)


def test_random_octets_of_a_failed_handshake_are_no_part_of_the_story() -> None:
    def told(hello: bytes) -> object:
        recorder = new_recorder()
        log = open_connection(recorder)
        say(recorder, log, b"STARTTLS\r\n")
        recorder.wire(log, "wire.c2s.sent", hello)
        recorder.wire(log, "wire.c2s.arrived", hello)
        recorder.record(TlsFailed, host="x.example", seen_by="client", connection=1, implicit=False, reason="no trust")
        return recorder.trace().story()

    assert told(b"\x16\x03\x01random") == told(b"\x16\x03\x01chance!")


# --- forgetting ------------------------------------------------------------------------------------------------------


def visit(recorder: Recorder, octets: int = 1000, port: int = 1) -> ConnectionLog:
    """Open a connection, say something and end it, as a server sees all day."""
    log = open_connection(recorder, port=port)
    recorder.record(
        ConnectionOpened,
        host="x.example",
        seen_by="wire",
        connection=log.number,
        peer="y.example",
        transport="tcp",
        client_address="192.0.2.1",
        client_port=port,
        server_address="192.0.2.2",
        server_port=25,
    )
    say(recorder, log, bytes(octets))
    recorder.label(log, f"m{log.number}")
    note(recorder, connection=log.number)
    recorder.over(log)
    return log


def test_a_limited_trace_drops_the_oldest_that_is_over() -> None:
    recorder = new_recorder(limit_octets=20_000)
    still_open = open_connection(recorder)
    say(recorder, still_open, b"x" * 500)
    logs = [visit(recorder, port=port) for port in range(2, 102)]
    trace = recorder.trace()
    assert still_open.number in trace.connections
    kept = [log.number for log in logs if log.number in trace.connections]
    assert 5 < len(kept) < 15
    assert kept == [log.number for log in logs[-len(kept) :]]
    assert {event.connection for event in trace.events} <= set(trace.connections)
    dropped = trace.header["dropped"]
    assert dropped["connections"] == 100 - len(kept)
    assert dropped["events"] == 2 * dropped["connections"]
    assert dropped["octets"] > 1000 * dropped["connections"]
    file = io.StringIO()
    save(trace, file)
    assert load(io.StringIO(file.getvalue())).header["dropped"] == dropped
    assert recorder.trace("m2").events == ()
    assert recorder.trace(f"m{kept[-1]}").connections


def test_what_holds_no_connection_is_dropped_by_age() -> None:
    recorder = new_recorder(limit_octets=100 * EVENT_OCTETS)
    numbers = [note(recorder, message=f"m{index}") for index in range(1000)]
    left = [event.number for event in recorder.trace().events]
    assert left == numbers[-len(left) :]
    assert 70 <= len(left) <= 100
    assert len(recorder._by_message) == len(left)


def test_what_is_in_use_is_never_dropped_and_costs_no_endless_search(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = new_recorder(limit_octets=10_000)
    log = open_connection(recorder)
    searches = 0
    shrink = recorder._shrink

    def counted() -> None:
        nonlocal searches
        searches += 1
        shrink()

    monkeypatch.setattr(recorder, "_shrink", counted)
    for _ in range(1000):
        say(recorder, log, bytes(100))
    assert len(log.stream("client.sent")) == 100_000
    assert 0 < searches < 150
    recorder.over(log)
    assert not recorder.trace().connections


def test_late_events_of_a_dropped_connection_stand_alone() -> None:
    recorder = new_recorder(limit_octets=1000)
    log = visit(recorder, octets=5000)
    assert log.number not in recorder.connections
    number = note(recorder, "late", connection=log.number)
    recorder.wire(log, "wire.c2s.arrived", b"later still")
    recorder.label(log, "m9")
    assert recorder.trace().event(number).connection is None
    assert recorder.trace("m9").connections == {}
    assert open_connection(recorder).number == log.number + 1


def test_without_a_limit_nothing_is_dropped() -> None:
    recorder = new_recorder()
    for port in range(1, 101):
        visit(recorder, port=port)
    assert len(recorder.trace().connections) == 100
    assert "dropped" not in recorder.trace().header


def test_a_limit_must_leave_room() -> None:
    with pytest.raises(UsageError, match="above 0"):
        Recorder(lambda: 0.0, limit_octets=0)
