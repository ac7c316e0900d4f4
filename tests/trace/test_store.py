"""A saved trace comes back whole, or one sentence says what is wrong with the file."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.traces import full_trace, new_recorder, open_connection, record_example, say

from simulator.errors import PlanError, UsageError
from simulator.trace.events import KINDS, Command, Event, Span
from simulator.trace.store import load, save
from simulator.trace.streams import STREAMS
from simulator.trace.trace import Trace


def written(trace: Trace, **options: Any) -> str:
    file = io.StringIO()
    save(trace, file, **options)
    return file.getvalue()


GOOD = written(full_trace())


# --- out and in again ------------------------------------------------------------------------------------------------


def test_every_kind_of_event_comes_back(tmp_path: Path) -> None:
    trace = full_trace()
    save(trace, tmp_path / "t.jsonl")
    again = load(tmp_path / "t.jsonl")
    assert again.story() == trace.story()
    assert again.header == trace.header
    assert {event.kind for event in again.events} == {name for name, kind in KINDS.items() if not kind.spoken}
    assert written(again) == GOOD


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(STREAMS), st.binary(max_size=20)), max_size=25),
    st.lists(st.sampled_from([kind for kind in KINDS.values() if not kind.spoken]), max_size=8),
)
def test_any_trace_comes_back(octets: Any, kinds: list[type[Event]]) -> None:
    recorder = new_recorder()
    logs = [open_connection(recorder, port=port) for port in (1, 2, 3)]
    for index, stream, piece in octets:
        (recorder.wire if stream.startswith("wire") else recorder.spoken)(logs[index], stream, piece)
    for index, kind in enumerate(kinds):
        recorder.label(logs[index % 3], f"m{index}")
        record_example(recorder, kind, logs[index % 3])
    trace = recorder.trace()
    again = load(io.StringIO(written(trace)))
    assert again.story() == trace.story()
    for number, log in trace.connections.items():
        for name, stream in log.streams.items():
            assert again.stream(number, name).octets == stream.octets
            assert again.stream(number, name).own_octets == stream.own_octets


def test_looking_at_a_trace_does_not_change_its_story() -> None:
    trace = full_trace()
    before = trace.story()
    for number in trace.connections:
        for name in STREAMS:
            assert trace.stream(number, name).octets is not None
    assert trace.story() == before
    assert load(io.StringIO(written(trace))).story() == before


def test_spoken_events_are_written_for_others_and_read_from_the_octets_here() -> None:
    trace = full_trace()
    spoken = Command(
        number=4,
        at_s=0.5,
        host="x.example",
        seen_by="client",
        connection=1,
        direction="c2s",
        tls=False,
        span=Span(1, "client.sent", 0, 27),
        verb="EHLO",
    )
    text = written(trace, extra_events=[spoken])
    line = next(json.loads(line) for line in text.splitlines() if '"Command"' in line)
    assert line["verb"] == "EHLO"
    assert line["span"] == [1, "client.sent", 0, 27]
    again = load(io.StringIO(text))
    assert again.story() == trace.story()


def test_files_in_text_and_in_octets_both_work() -> None:
    trace = full_trace()
    raw = io.BytesIO()
    save(trace, raw)
    assert raw.getvalue().decode() == GOOD
    assert load(io.BytesIO(raw.getvalue())).story() == trace.story()


def test_line_ends_and_marks_of_other_editors_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert load(path).story() == full_trace().story()


def test_a_large_trace_is_written_line_by_line() -> None:
    recorder = new_recorder()
    for port in range(50):
        say(recorder, open_connection(recorder, port=port), bytes(100_000))
    longest = 0

    class Counting(io.StringIO):
        def write(self, text: str) -> int:
            nonlocal longest
            longest = max(longest, len(text))
            return len(text)

    save(recorder.trace(), Counting())
    assert 100_000 < longest < 200_000


# --- giving away -----------------------------------------------------------------------------------------------------


def secret_spans(trace: Trace) -> list[Span]:
    found = trace.stream(1, "client.sent").octets.index(b"AUTH")
    end = len(trace.stream(1, "client.sent"))
    return [Span(1, "client.sent", found, end)]


def octets_in(text: str) -> bytes:
    """Everything that a thief could find in a saved trace."""
    lines = [json.loads(line) for line in text.splitlines()]
    streams = [stream for line in lines for stream in line.get("streams", {}).values()]
    return text.encode() + b"".join(base64.b64decode(stream["own"]) for stream in streams)


def test_masks_blank_the_octets_in_every_stream_and_keep_the_lines() -> None:
    trace = full_trace()
    text = written(trace, masks=secret_spans(trace))
    assert b"AGFsaWNl" not in octets_in(text)
    again = load(io.StringIO(text))
    hidden = b"*" * len(b"AUTH PLAIN AGFsaWNlAHdvbmRlcmxhbmQ=") + b"\r\n"
    for name in ("wire.c2s.sent", "wire.c2s.arrived", "client.sent", "server.received"):
        assert again.stream(1, name).octets == b"EHLO laptop.alice.example\r\n" + hidden
    assert trace.stream(1, "client.sent").octets.endswith(b"AGFsaWNlAHdvbmRlcmxhbmQ=\r\n")


def test_masks_find_copies_in_streams_that_a_box_has_changed() -> None:
    recorder = new_recorder()
    log = open_connection(recorder)
    secret = b"AUTH PLAIN AGFsaWNlAHdvbmRlcmxhbmQ=\r\n"
    recorder.wire(log, "wire.c2s.sent", b"NOOP\r\n" + secret)
    recorder.spoken(log, "client.sent", b"NOOP\r\n" + secret)
    recorder.wire(log, "wire.c2s.arrived", b"RSET\r\n" + secret)
    recorder.spoken(log, "server.received", b"RSET\r\n" + secret)
    from simulator.trace.events import OnPathAction

    recorder.record(
        OnPathAction,
        host="on the path",
        seen_by="wire",
        connection=1,
        action="change",
        direction="c2s",
        detail="RSET\r\nAUTH PLAIN AGFsaWNl",
    )
    text = written(recorder.trace(), masks=[Span(1, "client.sent", 6, 6 + len(secret))])
    assert b"AGFsaWNl" not in octets_in(text)
    assert load(io.StringIO(text)).stream(1, "wire.c2s.arrived").octets.startswith(b"RSET\r\n***")


def test_keys_stay_at_home_when_a_trace_is_shared() -> None:
    trace = full_trace()
    assert "secret" in GOOD
    assert "keylog" not in load(io.StringIO(written(trace, share=True))).header
    assert "keylog" not in load(io.StringIO(written(trace, masks=secret_spans(trace)))).header
    assert trace.header["keylog"] == "secret"


# --- a file that is no trace -----------------------------------------------------------------------------------------


def lines_with(number: int, change: Callable[[Any], object]) -> str:
    lines = [json.loads(line) for line in GOOD.splitlines()]
    change(lines[number])
    return "\n".join(json.dumps(line) for line in lines) + "\n"


BROKEN = {
    "empty": ("", "it is empty"),
    "not JSON": ("hello\n", "line 1: this is not JSON"),
    "not an object": ("[]\n", "line 1: a line must hold a JSON object"),
    "deep": ("[" * 100_000 + "\n", "line 1: this is not JSON"),
    "other format": ('{"format":"har","version":1}\n', "line 1: this is no saved trace"),
    "newer": ('{"format":"mail-lab-trace","version":2}\n', "line 1: its version 2 is newer"),
    "true is no version": ('{"format":"mail-lab-trace","version":true}\n', "line 1: its version is no number"),
    "header only": ('{"format":"mail-lab-trace","version":1}\n', "cut off after line 1"),
    "infinite": ('{"format":"mail-lab-trace","version":1,"latency_s":1e999}\n', "line 1: this is not JSON"),
    "cut off": (GOOD[:-60], "cut off after line|not JSON"),
    "line lost": (GOOD.replace(GOOD.splitlines(keepends=True)[3], ""), "lines are missing"),
    "line twice": (GOOD.replace(GOOD.splitlines(keepends=True)[1], GOOD.splitlines(keepends=True)[1] * 2), "twice"),
    "after the end": (GOOD + "{}\n", "something after the end"),
    "wrong type": (lines_with(1, lambda line: line.update(opened_s="soon")), "line 2: opened_s is not what"),
    "missing fact": (lines_with(1, lambda line: line.pop("server_host")), "line 2: server_host is not what"),
    "negative": (lines_with(1, lambda line: line.update(client_port=-1)), "line 2: client_port"),
    "too large": (lines_with(1, lambda line: line.update(connection=2**60)), "line 2: connection"),
    "no streams": (lines_with(1, lambda line: line.pop("streams")), "line 2: its streams are missing"),
    "no base64": (lines_with(1, lambda line: line["streams"]["wire.c2s.sent"].update(own="???")), "line 2: "),
    "shares too much": (lines_with(1, lambda line: line["streams"]["client.sent"].update(shared=999)), "not there"),
    "base unknown": (lines_with(1, lambda line: line["streams"]["client.sent"].update(base="x")), "not there before"),
    "pieces short": (lines_with(1, lambda line: line["streams"]["wire.c2s.sent"]["pieces"].pop()), "do not cover"),
    "TLS too late": (lines_with(1, lambda line: line["streams"]["client.sent"].update(tls_from=999)), "TLS begins"),
    "unknown event": (lines_with(3, lambda line: line.update(event="Miracle")), "line 4: there is no kind"),
    "event of no name": (lines_with(3, lambda line: line.update(event=[])), "line 4: there is no kind"),
    "unknown fact": (lines_with(3, lambda line: line.update(colour="red")), "line 4: .* has no 'colour'"),
    "event incomplete": (lines_with(3, lambda line: line.pop("host")), "line 4: .* is not complete"),
    "wrong word": (lines_with(3, lambda line: line.update(seen_by="nobody")), "line 4: seen_by is not what"),
    "neither": (lines_with(3, lambda line: line.clear()), "line 4: this is neither"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_is_wrong_is_said_in_one_sentence(what: str, tmp_path: Path) -> None:
    text, sentence = BROKEN[what]
    path = tmp_path / "t.jsonl"
    path.write_text(text)
    with pytest.raises(PlanError, match=sentence) as caught:
        load(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: path.write_bytes(bytes(range(256)) * 10), "not text"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: None, "cannot be read: No such file"),
    ],
    ids=["binary", "folder", "missing"],
)
def test_what_cannot_be_read_at_all(make: Any, sentence: str, tmp_path: Path) -> None:
    make(tmp_path / "t.jsonl")
    with pytest.raises(PlanError, match=sentence):
        load(tmp_path / "t.jsonl")


def test_a_name_that_no_system_knows() -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        load("a\0b")


WEEDS = (b"null", b"-1", b"[]", b'"', b"\n", b"1e400", b"{}", b"true", b"9" * 30, b"\xff")


def sentence_of(file: IO[Any]) -> str:
    """Load what may be broken; return what is said about it."""
    try:
        load(file).story()
        return ""
    except PlanError as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_whatever_happened_to_a_file_the_error_is_ours(seed: int) -> None:
    rng = random.Random(seed)
    raw = bytearray(GOOD.encode())
    for _ in range(rng.choice((1, 1, 2, 8))):
        if not raw:
            break
        at = rng.randrange(len(raw) + 1)
        match rng.randrange(4):
            case 0:
                raw[at : at + 1] = rng.randbytes(1)
            case 1:
                del raw[at : at + rng.choice((1, 5, 100))]
            case 2:
                raw[at:at] = rng.choice(WEEDS)
            case 3:
                del raw[at:]
                raw += b" "
    assert "\n" not in sentence_of(io.BytesIO(bytes(raw)))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_whatever_values_stand_in_a_file_the_error_is_ours(data: st.DataObject) -> None:
    lines = [json.loads(line) for line in GOOD.splitlines()]
    place = data.draw(st.sampled_from(lines))
    while True:
        key = data.draw(st.sampled_from(sorted(place)) if isinstance(place, dict) else st.integers(0, len(place) - 1))
        if not place[key] or not isinstance(place[key], dict | list) or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON)
    assert "\n" not in sentence_of(io.StringIO("\n".join(json.dumps(line) for line in lines)))


# --- writing ---------------------------------------------------------------------------------------------------------


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text("precious")
    trace = full_trace()
    wrong: Any = object()  # cannot be written as JSON
    broken = dataclasses.replace(trace.events[0], host=wrong)
    with pytest.raises(TypeError):
        save(Trace(trace.header, trace.connections.values(), [broken]), path)
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["t.jsonl"]


def test_no_folder_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing.t\.jsonl cannot be written: No such file"):
        save(full_trace(), tmp_path / "missing" / "t.jsonl")


def test_a_folder_in_the_place_of_the_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        save(full_trace(), tmp_path)


@pytest.mark.skipif(
    sys.platform == "win32" or (hasattr(os, "geteuid") and os.geteuid() == 0),
    reason="the superuser may write everywhere",
)
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(UsageError, match="cannot be written: Permission denied"):
        save(full_trace(), tmp_path / "t.jsonl")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is a thing of Linux")
def test_a_full_disk() -> None:
    with pytest.raises(UsageError, match="/dev/full cannot be written: No space left"):
        save(full_trace(), "/dev/full")
    assert Path("/dev/full").is_char_device()


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    try:
        (tmp_path / "link").symlink_to(tmp_path / "t.jsonl")
    except OSError:
        pytest.skip("links need rights on this system")
    save(full_trace(), tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "t.jsonl").read_text() == GOOD
