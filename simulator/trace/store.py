"""A trace as a file: JSON lines, versioned, readable by any program, and read again without losing anything.

First a header, then one line for each connection with its octets (base64), then one line for each event, then an end
line with the number of lines. Spoken events may stand there for other programs; they are read out of the octets again.
"""

from __future__ import annotations

import io
import json
import math
import os
import secrets
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import IO, Any

from simulator.errors import PlanError, UsageError
from simulator.trace.check import NotThis, checked
from simulator.trace.events import KINDS, Event, OnPathAction, Span
from simulator.trace.masks import Masks
from simulator.trace.streams import STREAMS, Stream
from simulator.trace.trace import ConnectionLog, Trace

FORMAT = "mail-lab-trace"
VERSION = 1

_FACTS = tuple(field.name for field in fields(ConnectionLog) if field.name not in ("number", "labels", "streams"))
_COMMON = tuple(field.name for field in fields(Event))
_ORDER = sorted(STREAMS, key=lambda name: (name.endswith(".received"), STREAMS.index(name)))
"""Streams, each after the one whose octets it may share."""


# --- out -------------------------------------------------------------------------------------------------------------


def save(
    trace: Trace,
    path_or_file: str | os.PathLike[str] | IO[Any],
    extra_events: Iterable[Event] = (),
    masks: Iterable[Span] = (),
    *,
    share: bool = False,
) -> None:
    """Write a trace. `extra_events` are spoken events, for other programs.

    The octets of `masks` become "*" (line ends stay) wherever they are kept. With `share`, or masks, TLS keys are left
    out. A path is written whole or not at all. Raises UsageError when it cannot be written.
    """
    hidden = Masks(trace, masks)
    lines = _lines(
        trace,
        sorted([*trace.events, *extra_events], key=lambda event: event.number),
        hidden,
        with_keys=not (share or hidden),
    )
    try:
        if isinstance(path_or_file, (str, os.PathLike)):
            with _whole(Path(path_or_file)) as file:
                file.writelines(lines)
        elif isinstance(path_or_file, (io.RawIOBase, io.BufferedIOBase)):
            path_or_file.writelines(line.encode("ascii") for line in lines)
        else:
            path_or_file.writelines(lines)
    except OSError as error:
        raise UsageError(f"{_name(path_or_file)} cannot be written: {error.strerror or error}.") from error


def _lines(trace: Trace, events: list[Event], hidden: Masks, with_keys: bool) -> Iterator[str]:
    header = {key: value for key, value in trace.header.items() if with_keys or key != "keylog"}
    yield _line({"format": FORMAT, "version": VERSION, **header})
    for log in trace.connections.values():
        yield _line(_connection(log, hidden))
    for event in events:
        yield _line(_event(event, hidden))
    yield _line({"end": True, "lines": 2 + len(trace.connections) + len(events)})


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n"


def _connection(log: ConnectionLog, hidden: Masks) -> dict[str, Any]:
    streams = {}
    for name in _ORDER:
        stream = log.streams.get(name)
        if stream is not None and not (stream.empty and stream.tls_from is None):
            streams[name] = {
                "base": log.base_name(name),
                "shared": stream.shared,
                "tls_from": stream.tls_from,
                "own": b64encode(hidden.own_octets(log.number, stream)).decode("ascii"),
                "pieces": [[piece.at_s, piece.number, piece.end] for piece in stream.pieces()],
            }
    return {
        "connection": log.number,
        **{name: getattr(log, name) for name in _FACTS},
        "labels": log.labels,
        "streams": streams,
    }


def _event(event: Event, hidden: Masks) -> dict[str, Any]:
    facts = event.facts()
    if isinstance(event, OnPathAction) and hidden.concerns(event.connection):
        facts["detail"] = "*" if event.detail else ""
    return {"event": event.kind, **{name: getattr(event, name) for name in _COMMON}, **facts}


@contextmanager
def _whole(path: Path) -> Iterator[IO[str]]:
    """Write a file beside `path` and put it in its place when it is complete."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():  # a pipe or a device cannot be replaced
        with open(target, "w", encoding="ascii", newline="\n") as file:
            yield file
        return
    part = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with open(part, "x", encoding="ascii", newline="\n") as file:
            yield file
        os.replace(part, target)
    finally:
        with suppress(FileNotFoundError):
            part.unlink()


# --- in --------------------------------------------------------------------------------------------------------------


def load(path_or_file: str | os.PathLike[str] | IO[Any]) -> Trace:
    """Read a trace. Raises PlanError, naming file and line, when it is not one, is damaged, or is too new."""
    name = _name(path_or_file)
    try:
        if isinstance(path_or_file, (str, os.PathLike)):
            with open(path_or_file, encoding="utf-8-sig") as file:
                return _Reader(name).read(file)
        return _Reader(name).read(path_or_file)
    except OSError as error:
        raise PlanError(f"{name} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise PlanError(f"{name} is no saved trace: it is not text.") from error
    except ValueError as error:  # a path that no system knows, or a closed file
        raise PlanError(f"{name} cannot be read: {error}.") from error


class _Reader:
    def __init__(self, name: str) -> None:
        self._name = name
        self._header: dict[str, Any] = {}
        self._connections: dict[int, ConnectionLog] = {}
        self._events: dict[int, Event] = {}
        self._ended = False

    def read(self, lines: Iterable[str | bytes]) -> Trace:
        number = 0
        for number, line in enumerate(lines, 1):
            try:
                self._take(number, _value(line))
            except NotThis as problem:
                raise PlanError(f"{self._name}, line {number}: {problem}.") from None
        if not self._ended:
            raise PlanError(
                f"{self._name} is cut off after line {number}: its end is missing."
                if number
                else f"{self._name} is no saved trace: it is empty."
            )
        return Trace(self._header, self._connections.values(), self._events.values())

    def _take(self, number: int, value: dict[str, Any]) -> None:
        if self._ended:
            raise NotThis("there is something after the end")
        if number == 1:
            self._take_header(value)
        elif "connection" in value and "event" not in value:
            log = _read_connection(value)
            if log.number in self._connections:
                raise NotThis(f"connection {log.number} stands there twice")
            self._connections[log.number] = log
        elif "event" in value:
            event = _read_event(value)
            if event is not None:
                if event.number in self._events:
                    raise NotThis(f"event {event.number} stands there twice")
                self._events[event.number] = event
        elif value.get("end") is True:
            if checked(int, value.get("lines"), "lines") != number:
                raise NotThis(f"lines are missing: there should be {value['lines']}")
            self._ended = True
        else:
            raise NotThis("this is neither a connection nor an event")

    def _take_header(self, value: dict[str, Any]) -> None:
        if value.get("format") != FORMAT:
            raise NotThis("this is no saved trace; give a file that was written by save()")
        version = value.get("version")
        if type(version) is not int or version < 1:
            raise NotThis("its version is no number")
        if version > VERSION:
            raise NotThis(f"its version {version} is newer than the {VERSION} that is known here; update the simulator")
        self._header = {key: fact for key, fact in value.items() if key not in ("format", "version")}


def _value(line: str | bytes) -> dict[str, Any]:
    """Return what a line says."""
    try:
        value = json.loads(line, parse_constant=_no_constant, parse_float=_finite)
    except (ValueError, RecursionError):
        raise NotThis("this is not JSON; the file is damaged or of another kind") from None
    if not isinstance(value, dict):
        raise NotThis("a line must hold a JSON object")
    return value


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _finite(digits: str) -> float:
    if math.isinf(value := float(digits)):
        raise ValueError(digits)
    return value


def _read_connection(value: dict[str, Any]) -> ConnectionLog:
    facts = {name: value.get(name) for name in _FACTS}
    hints = {"opened_s": float, "latency_s": float, "client_port": int, "server_port": int, "foreign": bool}
    known = {name: checked(hints.get(name, str), fact, name) for name, fact in facts.items()}
    labels = checked(list[tuple[int, str]], value.get("labels"), "labels")
    log = ConnectionLog(number=checked(int, value.get("connection"), "connection"), labels=labels, **known)
    streams = value.get("streams")
    if not isinstance(streams, dict):
        raise NotThis("its streams are missing")
    for name, saved in streams.items():
        if name not in STREAMS or not isinstance(saved, dict):
            raise NotThis(f"there is no stream {name!r}")
        log.streams[name] = _read_stream(log, saved)
    return log


def _read_stream(log: ConnectionLog, saved: dict[str, Any]) -> Stream:
    base = checked(str | None, saved.get("base"), "base")
    if base is not None and base not in log.streams:
        raise NotThis(f"a stream shares octets with {base!r}, which is not there before it")
    stream = Stream(log.streams[base] if base is not None else None)
    try:
        own = b64decode(checked(str, saved.get("own"), "own"), validate=True)
        stream.restore(
            checked(int, saved.get("shared"), "shared"),
            own,
            checked(int | None, saved.get("tls_from"), "tls_from"),
            checked(list[tuple[float, int, int]], saved.get("pieces"), "pieces"),
        )
    except ValueError as error:
        raise NotThis(str(error)) from None
    return stream


def _read_event(value: dict[str, Any]) -> Event | None:
    """Return the event of a line; None for a spoken one, which is read out of the octets."""
    name = value.pop("event")
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        raise NotThis(f"there is no kind of event {name!r}")
    if kind.spoken:
        return None
    hints = event_hints(kind)
    unknown = value.keys() - hints.keys()
    if unknown:
        raise NotThis(f"{name} has no {min(unknown)!r}")
    known = {key: checked(hints[key], fact, key) for key, fact in value.items()}
    try:
        return kind(**known)
    except TypeError:
        raise NotThis(f"{name} is not complete") from None


def event_hints(kind: type[Event]) -> dict[str, Any]:
    """Return the types of all fields of a kind of event."""
    found = _hints.get(kind)
    if found is None:
        from typing import get_type_hints

        hints = get_type_hints(kind)
        found = _hints[kind] = {field.name: hints[field.name] for field in fields(kind)}
    return found


_hints: dict[type[Event], dict[str, Any]] = {}


def _name(path_or_file: str | os.PathLike[str] | IO[Any]) -> str:
    if isinstance(path_or_file, (str, os.PathLike)):
        return os.fspath(path_or_file)
    name = getattr(path_or_file, "name", None)
    return name if isinstance(name, str) else "the trace"
