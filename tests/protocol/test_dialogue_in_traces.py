"""The dialogue of a connection in a trace: numbers, times, causes and protection, however the octets were cut."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from itertools import cycle, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.traces import new_recorder, open_connection, say

from simulator.errors import UsageError
from simulator.protocol.dialogue import read_connection
from simulator.protocol.round_trips import round_trips
from simulator.trace.events import Command, ConnectionOpened, MessageData, Reply, SeenBy, Spoken, TlsEstablished
from simulator.trace.recorder import Recorder
from simulator.trace.store import load, save
from simulator.trace.trace import ConnectionLog, Trace

DIALOGUE = [
    ("s2c", b"220 mail.alice.example\r\n"),
    ("c2s", b"EHLO laptop.alice.example\r\n"),
    ("s2c", b"250-mail.alice.example\r\n250 STARTTLS\r\n"),
    ("c2s", b"STARTTLS\r\n"),
    ("s2c", b"220 go\r\n"),
    ("tls", b""),
    ("c2s", b"EHLO laptop.alice.example\r\n"),
    ("s2c", b"250-mail.alice.example\r\n250 PIPELINING\r\n"),
    ("c2s", b"MAIL FROM:<a@alice.example>\r\nRCPT TO:<b@bob.example>\r\nDATA\r\n"),
    ("s2c", b"250 ok\r\n250 ok\r\n354 go\r\n"),
    ("c2s", b"Subject: x\r\n\r\nhello\r\n.\r\n"),
    ("s2c", b"250 taken\r\n"),
    ("c2s", b"QUIT\r\n"),
    ("s2c", b"221 bye\r\n"),
]
WHOLE = "220 EHLO 250 STARTTLS 220 EHLO 250 MAIL RCPT DATA 250 250 354 text 250 QUIT 221".split()


def opened(**facts: object) -> tuple[Recorder, ConnectionLog]:
    """Open a connection, with its event."""
    recorder = new_recorder()
    log = open_connection(recorder, **facts)
    recorder.record(
        ConnectionOpened, host=log.client_host, seen_by="client", connection=log.number, peer=log.server_host,
        transport="tcp", client_address=log.client_address, client_port=log.client_port,
        server_address=log.server_address, server_port=log.server_port)  # fmt: skip
    return recorder, log


def tls(recorder: Recorder, log: ConnectionLog) -> None:
    """Note that both ends have TLS now."""
    for end in ("client", "server"):
        recorder.record(TlsEstablished, host=end, seen_by=end, connection=log.number, implicit=False,  # type: ignore[arg-type]
                        version="TLSv1.3", cipher="x", server_name=None)  # fmt: skip


def play(dialogue: list[tuple[str, bytes]], cuts: Iterator[int] | None = None) -> Trace:
    """Record a dialogue with all taps, each part in pieces as long as `cuts` says."""
    recorder, log = opened()
    recorder.label(log, "m1")
    for way, octets in dialogue:
        if way == "tls":
            tls(recorder, log)
        while octets:
            length = max(1, next(cuts)) if cuts is not None else len(octets)
            say(recorder, log, octets[:length], way)
            octets = octets[length:]
    return recorder.trace()


def words(event: Spoken) -> str:
    """Name an event in short."""
    match event:
        case Command():
            return event.verb or "?"
        case Reply():
            return str(event.code)
    return "text"


def check(trace: Trace, seen_by: SeenBy) -> tuple[Spoken, ...]:
    """Read the connection; expect what is always true of numbers, causes and octets."""
    events = read_connection(trace, 1, seen_by)
    numbers = [event.number for event in events]
    assert all(one < other for one, other in pairwise(numbers))
    assert all(one.at_s <= other.at_s for one, other in pairwise(events))
    known = {event.number for event in trace.events}
    for lens in ("client", "server"):
        known |= {event.number for event in read_connection(trace, 1, lens)}
    for event in events:
        assert event.seen_by == seen_by
        assert event.connection == event.span.connection == 1
        assert event.message == trace.connections[1].message
        assert event.cause is not None
        assert event.cause < event.number
        if seen_by != "wire":
            assert event.cause in known
    return events


def by_number(trace: Trace) -> dict[int, str]:
    """Return number -> end and event in short, for both ends and what was recorded."""
    found = {event.number: event.kind for event in trace.events}
    for end in ("client", "server"):
        for event in read_connection(trace, 1, end):
            assert event.number not in found
            found[event.number] = f"{end} {words(event)}"
    return found


@pytest.mark.parametrize("seen_by", ["client", "server"])
def test_a_dialogue_as_its_ends_saw_it(seen_by: SeenBy) -> None:
    trace = play(DIALOGUE)
    events = check(trace, seen_by)
    assert [words(event) for event in events] == WHOLE
    assert [event.tls for event in events] == [False] * 5 + [True] * 12
    assert all(event.complete for event in events)
    assert {event.host for event in events} == {"laptop.alice.example" if seen_by == "client" else "mail.alice.example"}
    (data,) = (event for event in events if isinstance(event, MessageData))
    assert data.size_octets == len(trace.octets(data.span)) == len(DIALOGUE[10][1])
    assert [event.verb for event in events if isinstance(event, Reply)] == [
        "", "EHLO", "STARTTLS", "EHLO", "MAIL", "RCPT", "DATA", "DATA", "QUIT"]  # fmt: skip
    for event in events:
        octets = trace.octets(event.span)
        assert octets.startswith(words(event).encode()) or isinstance(event, MessageData)
        assert trace.stream(1, event.span.stream).moment(event.span.end - 1) == (event.at_s, event.number)


def test_causes_go_round_between_the_ends() -> None:
    trace = play(DIALOGUE)
    names = by_number(trace)
    causes = {
        end: [(words(e), names[e.cause or 0]) for e in read_connection(trace, 1, end)] for end in ("client", "server")
    }
    assert causes["client"][:5] == [
        ("220", "server 220"), ("EHLO", "client 220"), ("250", "server 250"), ("STARTTLS", "client 250"),
        ("220", "server 220")]  # fmt: skip
    assert causes["server"][:4] == [
        ("220", "ConnectionOpened"),
        ("EHLO", "client EHLO"),
        ("250", "server EHLO"),
        ("STARTTLS", "client STARTTLS"),
    ]
    assert causes["client"][7:15] == [
        ("MAIL", "client 250"), ("RCPT", "client 250"), ("DATA", "client 250"), ("250", "server 250"), ("250", "server 250"),
        ("354", "server 354"), ("text", "client 354"), ("250", "server 250")]  # fmt: skip
    assert causes["server"][10:15] == [
        ("250", "server MAIL"),
        ("250", "server RCPT"),
        ("354", "server DATA"),
        ("text", "client text"),
        ("250", "server text"),
    ]


def test_the_listener_on_the_wire() -> None:
    trace = play(DIALOGUE[:5])
    events = check(trace, "wire")
    assert [words(event) for event in events] == WHOLE[:5]
    assert not any(event.tls for event in events)
    assert {event.host for event in events} == {"on the path"}
    assert [event.cause for event in events] == [1, *(event.number for event in events[:-1])]


def test_the_listener_sees_no_dialogue_inside_tls() -> None:
    recorder, log = opened()
    for way, octets in DIALOGUE[:5]:
        say(recorder, log, octets, way)
    tls(recorder, log)
    for way, octets in DIALOGUE[6:]:
        sender = "client" if way == "c2s" else "server"
        recorder.wire(log, f"wire.{way}.sent", b"\x17\x03\x03" + bytes([0, len(octets)]) + b"\n" * len(octets))
        recorder.spoken(log, f"{sender}.sent", octets)
    assert [words(event) for event in read_connection(recorder.trace(), 1, "wire")] == WHOLE[:5]


@given(st.data())
def test_the_dialogue_does_not_depend_on_how_octets_were_cut(data: st.DataObject) -> None:
    lengths = data.draw(st.lists(st.integers(1, 40), min_size=1, max_size=30))
    trace, whole = play(DIALOGUE, cycle(lengths)), play(DIALOGUE)
    for end in ("client", "server"):
        events = check(trace, end)
        assert [words(event) for event in events] == WHOLE
        assert [event.tls for event in events] == [False] * 5 + [True] * 12
        assert [trace.octets(event.span) for event in events] == [
            whole.octets(event.span) for event in read_connection(whole, 1, end)
        ]
    names = by_number(trace)
    assert [names[event.cause or 0].split()[-1] for event in read_connection(trace, 1, "server")][1:3] == [
        "EHLO",
        "EHLO",
    ]


def test_a_saved_trace_says_the_same() -> None:
    trace, file = play(DIALOGUE, cycle([7])), io.StringIO()
    save(trace, file)
    file.seek(0)
    loaded = load(file)
    for seen_by in ("client", "server", "wire"):
        assert read_connection(loaded, 1, seen_by) == read_connection(trace, 1, seen_by)


def test_a_trace_that_has_grown_is_read_again() -> None:
    recorder, log = opened()
    say(recorder, log, b"220 x\r\n", "s2c")
    trace = recorder.trace()
    first = read_connection(trace, 1, "client")
    assert read_connection(trace, 1, "client") is first
    say(recorder, log, b"NOOP\r\n")
    assert [words(event) for event in read_connection(trace, 1, "client")] == ["220", "NOOP"]


def test_nothing_said() -> None:
    recorder, _ = opened()
    for seen_by in ("client", "server", "wire"):
        assert read_connection(recorder.trace(), 1, seen_by) == ()


# --- cut off, interfered with, one end only --------------------------------------------------------------------------


def test_what_was_cut_off_says_so() -> None:
    for last, name in ((("c2s", b"MAIL FROM:<a@al"), "MAIL"), (("c2s", b"EH"), "EH")):
        events = check(play([*DIALOGUE[:3], last]), "client")
        assert [(words(event), event.complete) for event in events][-2:] == [("250", True), (name, False)]
    events = check(play([*DIALOGUE[:10], ("c2s", b"Subject: x\r\n\r\nhel")]), "server")
    assert isinstance(events[-1], MessageData)
    assert (events[-1].complete, events[-1].size_octets) == (False, 17)
    # half a reply is nobody's answer
    assert [
        words(e) for e in check(play([*DIALOGUE[:2], ("s2c", b"250-mail.alice.example\r\n250 ST")]), "client")
    ] == WHOLE[:2]


def test_P17_a_421_that_was_there_before_the_next_command_does_not_answer_it() -> None:
    trace = play([*DIALOGUE[:3], ("s2c", b"421 idle\r\n"), ("c2s", b"QUIT\r\n")])
    for end in ("client", "server"):
        events = check(trace, end)
        assert [words(event) for event in events] == [*WHOLE[:3], "421", "QUIT"]
        assert isinstance(events[3], Reply)
        assert events[3].verb == ""


def test_a_foreign_client_is_known_from_the_server_alone() -> None:
    recorder, log = opened(foreign=True)
    for way, octets in DIALOGUE[:3]:
        recorder.wire(log, f"wire.{way}.sent", octets)
        recorder.spoken(log, "server.sent" if way == "s2c" else "server.received", octets)
    trace = recorder.trace()
    events = check(trace, "server")
    assert [event.cause for event in events] == [1, events[0].number, events[1].number]
    assert read_connection(trace, 1, "client") == ()


def interfered(seen: list[tuple[str, bytes, bytes]]) -> Trace:
    """Record what an end said and what the other end heard instead."""
    recorder, log = opened()
    for way, said, heard in seen:
        sender, receiver = ("client", "server") if way == "c2s" else ("server", "client")
        recorder.wire(log, f"wire.{way}.sent", said)
        if said:
            recorder.spoken(log, f"{sender}.sent", said)
        if heard:
            recorder.wire(log, f"wire.{way}.arrived", heard)
            recorder.spoken(log, f"{receiver}.received", heard)
    return recorder.trace()


def test_causes_survive_a_box_that_strips() -> None:
    trace = interfered([
        ("s2c", b"220 x\r\n", b"220 x\r\n"),
        ("c2s", b"EHLO x\r\n", b"EHLO x\r\n"),
        ("s2c", b"250-x\r\n250 STARTTLS\r\n", b"250 x\r\n"),
        ("c2s", b"MAIL FROM:<>\r\n", b"MAIL FROM:<>\r\n"),
    ])  # fmt: skip
    names = by_number(trace)
    assert [names[event.cause or 0] for event in check(trace, "client")] == [
        "server 220", "client 220", "server 250", "client 250"]  # fmt: skip


def test_causes_survive_a_box_that_injects_and_swallows() -> None:
    trace = interfered([
        ("s2c", b"220 x\r\n", b"220 x\r\n"),
        ("c2s", b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<eve@eve.example>\r\n"),
        ("s2c", b"250 x\r\n250 ok\r\n", b"250 x\r\n"),
        ("c2s", b"NOOP\r\n", b""),
        ("c2s", b"MAIL FROM:<>\r\n", b"MAIL FROM:<>\r\n"),
        ("s2c", b"503 no\r\n", b"503 no\r\n"),
    ])  # fmt: skip
    names = by_number(trace)
    server = check(trace, "server")
    causes = [(words(event), names[event.cause or 0]) for event in server if isinstance(event, Command)]
    assert causes[0] == ("EHLO", "client EHLO")
    assert causes[1] == ("MAIL", "server 220")  # nobody at the other end had said it
    assert causes[2] == ("MAIL", "client MAIL")


# --- octets that end within a line, and many of them -----------------------------------------------------------------


def test_P27_chunks_within_a_line_have_numbers_of_their_own() -> None:
    trace = play(
        [*DIALOGUE[:3], ("c2s", b"BDAT 1\r\naBDAT 1\r\nbBDAT 3 LAST\r\nc\r\nQUIT\r\n"), ("s2c", b"250 ok\r\n" * 4)]
    )
    for end in ("client", "server"):
        events = check(trace, end)
        assert [words(event) for event in events[3:]] == [
            "BDAT",
            "text",
            "BDAT",
            "text",
            "BDAT",
            "text",
            "QUIT",
            *["250"] * 4,
        ]
        assert [event.verb for event in events if isinstance(event, Reply)][2:] == ["BDAT", "BDAT", "BDAT", "QUIT"]


@pytest.mark.parametrize("count", [100_000])
def test_many_lines_in_one_piece_take_linear_time(count: int) -> None:
    recorder, log = opened()
    say(recorder, log, b"220 x\r\n", "s2c")
    say(recorder, log, b"NOOP\r\n" * count)
    say(recorder, log, b"250 ok\r\n" * count, "s2c")
    trace = recorder.trace()
    started = time.perf_counter()
    assert len(read_connection(trace, 1, "wire")) == 2 * count + 1
    assert time.perf_counter() - started < 8  # quadratic: minutes


def test_many_connections_take_linear_time() -> None:
    recorder, count = new_recorder(), 3000
    for _ in range(count):
        log = open_connection(recorder)
        say(recorder, log, b"220 x\r\n", "s2c")
        recorder.record(TlsEstablished, host="x", seen_by="client", connection=log.number, implicit=False,
                        version="TLSv1.3", cipher="x", server_name=None)  # fmt: skip
    trace = recorder.trace()
    started = time.perf_counter()
    assert all(len(read_connection(trace, number, "client")) == 1 for number in trace.connections)
    assert time.perf_counter() - started < 8


# --- round trips -----------------------------------------------------------------------------------------------------


def test_round_trips_say_when_they_cannot_be_counted() -> None:
    cut = [*DIALOGUE[:4]]
    for trace, until in ((play(cut), "MAIL"), (play(cut), "250"), (play(DIALOGUE), "QUIT")):
        with pytest.raises(UsageError, match=until):
            round_trips(trace, 1, until)
    recorder, log = opened(latency_s=0.0)
    say(recorder, log, b"MAIL FROM:<>\r\n")
    with pytest.raises(UsageError, match="latency"):
        round_trips(recorder.trace(), 1, "MAIL")


def test_a_message_that_was_cut_off_has_no_250() -> None:
    trace = play([*DIALOGUE[:10], ("c2s", b"half a letter\r\n"), ("s2c", b"421 too slow\r\n")])
    assert round_trips(trace, 1, "MAIL") > 0
    with pytest.raises(UsageError, match="250"):
        round_trips(trace, 1, "250")
