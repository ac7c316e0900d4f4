"""From a trace to what the player's page needs, as plain values for JSON. Pure.

The steps are cut where a question stops the player. A part holds all that appears in its steps for the first time:
hosts, links, connections, octets on the wire, lenses. So a page that has only the first part knows nothing of later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

from simulator.errors import UsageError
from simulator.trace.trace import Trace
from simulator.views.hops import SERVICES
from simulator.views.lens import Lens, lens_of, lenses, sight
from simulator.views.place import HEIGHT, WIDTH, place_hosts, role_of, territories
from simulator.views.place import lines as map_lines
from simulator.views.player.asks import Ask, place_asks
from simulator.views.player.records import TICK_S, Shown, Wires
from simulator.views.steps import BOX, Step, steps

PANES = ("map", "ladder", "wire", "all")
MOST_LINES, MOST_CHARACTERS = 400, 4000
"""Of one step; a letter of ten megabytes must not become a page of ten megabytes."""


def player_data(
    trace: Trace,
    *,
    title: str = "",
    lens: str | Lens | None = None,
    present: bool = False,
    asks: Iterable[Ask] = (),
    pane: str | None = None,
) -> dict[str, Any]:
    """Return the page's data: {"title", "pane", "lens", "present", "parts": [...]}; times in seconds.

    Raises UsageError when nothing happened, and for a lens, pane or question that does not exist.
    """
    found = steps(trace)
    if not found:
        raise UsageError("There is nothing to play: the trace has no steps. Send a message first.")
    if pane is not None and pane not in PANES:
        raise UsageError(f'There is no pane "{pane}"; there are {", ".join(PANES)}.')
    chosen = lens_of(lens, trace)
    stops = place_asks(asks, found)
    return {
        "title": title or title_of(found),
        "pane": pane or "",
        "lens": chosen.name,
        "present": present,
        "parts": _Parts(trace, found, stops, chosen).build(),
    }


def title_of(found: Sequence[Step]) -> str:
    """Return a title in plain words: who wrote to whom."""
    composed = next((step for step in found if step.kind == "compose"), None)
    return composed.lines[0] if composed else "A journey through the mail system"


class _Parts:
    """Cuts a trace into parts, each of which introduces what is new in it."""

    def __init__(self, trace: Trace, found: Sequence[Step], stops: Sequence[tuple[int, Ask]], chosen: Lens) -> None:
        self.trace, self.steps, self.stops = trace, found, stops
        self.lenses = _lenses_to_offer(trace, chosen)
        self.chosen = chosen
        self.positions = place_hosts(trace)
        self.columns = columns(trace, found)
        self.links = _links(trace)
        self.link_numbers = {(link["client"], link["server"], link["port"]): i for i, link in enumerate(self.links)}
        self.wires = Wires(trace)
        self.steps_on: dict[int, list[Step]] = {}
        for step in found:
            if step.connection is not None:
                self.steps_on.setdefault(step.connection, []).append(step)
        self.sent: dict[int, int] = {}
        """Connection -> how many of its records stand in a part already."""
        self.known_hosts: set[str] = set()
        self.known_links: set[int] = set()
        self.known_connections: set[int] = set()
        self.known_lenses: set[int] = set()

    def build(self) -> list[dict[str, Any]]:
        cuts = sorted({index for index, _ in self.stops} | {0, len(self.steps)})
        built = []
        for start, end in pairwise(cuts):
            part = self._part(self.steps[start:end], last=end == len(self.steps))
            part["asks"] = [_question(ask) for index, ask in self.stops if index == end]
            # An answer belongs to what is later, except for a question before everything, which has no earlier part.
            part["answers"] = [_answer(ask) for index, ask in self.stops if index == start]
            built.append(part)
        if self.stops and self.stops[0][0] == 0:
            first = {"asks": [_question(ask) for index, ask in self.stops if index == 0], "answers": []}
            built.insert(0, self._part((), last=False) | first)
        return built

    def _part(self, found: Sequence[Step], *, last: bool) -> dict[str, Any]:
        reasons: dict[str, int] = {}
        new_lenses = self._new_lenses(found, last)
        hosts = self._new_hosts(found)
        links = self._new_links(found)
        connections = self._new_connections(found)
        records = self._new_records(found, last)
        told = [self._step(step, reasons) for step in found]
        return {
            "lenses": new_lenses,
            "hosts": hosts,
            "links": links,
            "connections": connections,
            "records": records,
            "reasons": list(reasons),
            "steps": told,
        }

    # --- what is new -------------------------------------------------------------------------------------------------

    def _new_lenses(self, found: Sequence[Step], last: bool) -> list[dict[str, Any]]:
        hosts = {host for step in found for host in (step.from_host, step.to_host)}
        reached = {str(step.hop) for step in found}
        new: list[dict[str, Any]] = []
        for index, lens in enumerate(self.lenses):
            local = lens.kind in ("listener", "operator") and lens.where
            if index in self.known_lenses or (
                local and lens != self.chosen and lens.where not in hosts | reached and not last
            ):
                continue
            self.known_lenses.add(index)
            words, about = lens_words(lens, self.trace, self.steps)
            new.append({"index": index, "name": lens.name, "words": words, "about": about})
        return new

    def _new_hosts(self, found: Sequence[Step]) -> list[dict[str, Any]]:
        drawn = map_lines(self.trace)
        new: list[dict[str, Any]] = []
        homes = {host: territory.name for territory in territories(self.trace) for host in territory.hosts}
        for step in found:
            for host in (step.from_host, step.to_host):
                if host in self.known_hosts:
                    continue
                self.known_hosts.add(host)
                x, y = self.positions.get(host) or self._elsewhere(host)
                new.append(
                    {
                        "name": host,
                        "column": self.columns.index(host),
                        "x": round(x / WIDTH, 4),
                        "y": round(1 - y / HEIGHT, 4),
                        "role": "changes or stops octets" if host == BOX else role_of(host, drawn),
                        "territory": homes.get(host, ""),
                    }
                )
        return new

    def _elsewhere(self, host: str) -> tuple[float, float]:
        """Return where a host stands that made no connection: a box in the middle of its link, others at the edge."""
        if host == BOX:
            meddled = next(
                (s for s in self.steps if s.connection is not None and BOX in (s.from_host, s.to_host)), None
            )
            if meddled is not None and meddled.connection in self.trace.connections:
                log = self.trace.connections[meddled.connection]
                (x0, y0), (x1, y1) = self.positions[log.client_host], self.positions[log.server_host]
                return (x0 + x1) / 2, (y0 + y1) / 2
        return WIDTH * 0.12, HEIGHT * 0.2

    def _new_links(self, found: Sequence[Step]) -> list[dict[str, Any]]:
        new: list[dict[str, Any]] = []
        for step in found:
            index = self._link_of(step)
            if index >= 0 and index not in self.known_links:
                self.known_links.add(index)
                new.append({"index": index} | self.links[index])
        return new

    def _new_connections(self, found: Sequence[Step]) -> list[dict[str, Any]]:
        new: list[dict[str, Any]] = []
        for step in found:
            number = step.connection
            if number is None or number in self.known_connections or number not in self.trace.connections:
                continue
            self.known_connections.add(number)
            log = self.trace.connections[number]
            service = "DNS" if log.server_port == 53 else SERVICES.get(log.server_port, "port")
            new.append(
                {
                    "number": number,
                    "client": log.client_host,
                    "server": log.server_host,
                    "name": f"{service} {log.server_port}, {log.transport.upper()}",
                    "seen": "".join("1" if self._wire_seen(lens, number) else "0" for lens in self.lenses),
                }
            )
        return new

    def _wire_seen(self, lens: Lens, number: int) -> bool:
        if lens.kind == "receiver":  # who reads a letter has the letter, not the octets that carried it
            return False
        return any(sight(lens, step) != "absent" for step in self.steps_on.get(number, ()))

    def _new_records(self, found: Sequence[Step], last: bool) -> list[dict[str, Any]]:
        """Return what was on the wire until the end of a part."""
        until_s = max((step.from_s for step in found), default=-1.0)
        new: list[dict[str, Any]] = []
        for number in sorted({s.connection for s in found if s.connection is not None} | set(self.sent)):
            records = self.wires.records(number)
            start = self.sent.get(number, 0)
            end = len(records) if last else start
            while end < len(records) and records[end].at_s <= until_s + TICK_S:
                end += 1
            self.sent[number] = end
            new.extend(_record(number, record) for record in records[start:end])
        return new

    # --- one step ----------------------------------------------------------------------------------------------------

    def _link_of(self, step: Step) -> int:
        log = self.trace.connections.get(step.connection) if step.connection is not None else None
        if log is None or not (step.travels or BOX in (step.from_host, step.to_host)):
            return -1
        key = (log.client_host, log.server_host, log.server_port)
        return self.link_numbers.get(key, -1)

    def _step(self, step: Step, reasons: dict[str, int]) -> dict[str, Any]:
        shown, full = _short(step.masked), _short(step.lines)
        told: dict[str, Any] = {
            "number": step.number,
            "kind": step.kind,
            "mark": step.mark,
            "from": step.from_host,
            "to": step.to_host,
            "at": round(step.from_s, 9),
            "until": round(step.to_s, 9),
            "lines": shown,
            "why": reasons.setdefault(step.explanation, len(reasons)),
            "sight": "".join(sight(lens, step)[0] for lens in self.lenses),
        }
        optional: dict[str, Any] = {
            "full": full if full != shown else None,
            "hop": step.hop,
            "connection": step.connection,
            "tls": step.tls,
            "broken": not step.complete,
            "size": step.size_octets,
            "stored": step.stored,
        }
        told |= {name: value for name, value in optional.items() if value}
        link = self._link_of(step)
        if link >= 0:
            told["link"] = link
        record = self.wires.carrier(step)
        if record is not None:
            told["record"] = record
        return told


def columns(trace: Trace, found: Sequence[Step]) -> list[str]:
    """Return the hosts of a ladder from left to right; a box on the path stands between its neighbours."""
    ordered = [host for territory in territories(trace) for host in territory.hosts]
    for step in found:
        for host in (step.from_host, step.to_host):
            if host not in ordered and host != BOX:
                ordered.append(host)
    for step in found:
        ends = {step.from_host, step.to_host} - {BOX}
        if BOX in (step.from_host, step.to_host) and BOX not in ordered and ends:
            log = trace.connections[step.connection] if step.connection is not None else None
            places = [ordered.index(host) for host in ((log.client_host, log.server_host) if log else ends)]
            ordered.insert(min(places) + 1, BOX)
    return ordered if BOX in ordered or all(BOX not in (s.from_host, s.to_host) for s in found) else [*ordered, BOX]


MOST_LENSES = 40
"""With more of them nobody finds one in a list, and a long trace would cost its square."""


def _lenses_to_offer(trace: Trace, chosen: Lens) -> tuple[Lens, ...]:
    """Return the lenses that a page offers: of very many links, the listener on all of them only."""
    found = lenses(trace)
    if len(found) <= MOST_LENSES:
        return found
    general = [lens for lens in found if not (lens.kind == "listener" and lens.where) or lens == chosen]
    return tuple(general[:MOST_LENSES] if chosen in general[:MOST_LENSES] else [*general[: MOST_LENSES - 1], chosen])


def lens_words(lens: Lens, trace: Trace, found: Sequence[Step]) -> tuple[str, str]:
    """Return what a lens is called, and a sentence about what it shows."""
    if lens.kind == "everything":
        return "Everything", "All of it, with protected passwords masked."
    if lens.kind == "sender":
        return "Sender", f"What {lens.where} sends and hears."
    if lens.kind == "receiver":
        return "Receiver", "Only what lies in the mailbox in the end."
    if lens.kind == "operator":
        return f"Operator of {lens.where}", "Reads everything at the own host, also what came inside TLS."
    if not lens.where:
        return "Listener on every link", "Reads what is in clear; of TLS only sizes and times."
    log = next(
        (trace.connections[s.connection] for s in found if str(s.hop) == lens.where and s.connection is not None), None
    )
    link = f"{log.client_host} to {log.server_host}" if log else f"link {lens.where}"
    return f"Listener {lens.where}: {link}", "Has the octets of this one link; of TLS only sizes and times."


def _links(trace: Trace) -> list[dict[str, Any]]:
    """Return who dials whom at which port, in order of first contact; how protected, the steps tell."""
    found: dict[tuple[str, str, int], dict[str, Any]] = {}
    for line in map_lines(trace):
        key = (line.client, line.server, line.port)
        if key in found:
            continue
        service = "DNS" if line.port == 53 else f"{SERVICES.get(line.port, 'port')} {line.port}"
        found[key] = {
            "client": line.client,
            "server": line.server,
            "port": line.port,
            "name": service,
            "dns": line.port == 53,
        }
    return list(found.values())


def _record(connection: int, record: Shown) -> dict[str, Any]:
    return {
        "connection": connection,
        "at": round(record.at_s, 9),
        "up": record.to_server,
        "name": record.name,
        "why": record.explanation,
        "hex": record.octets.hex(),
        "size": record.size_octets,
        "kind": record.kind,
    }


def _short(lines: Sequence[str]) -> list[str]:
    kept = [
        line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]} [and {len(line) - MOST_CHARACTERS} more]"
        for line in lines[:MOST_LINES]
    ]
    return kept if len(lines) <= MOST_LINES else [*kept, f"[and {len(lines) - MOST_LINES} more lines]"]


def _question(ask: Ask) -> dict[str, Any]:
    return {"question": ask.question, "options": list(ask.options)}


def _answer(ask: Ask) -> dict[str, Any]:
    return {"explain": ask.explain, "right": ask.right}
