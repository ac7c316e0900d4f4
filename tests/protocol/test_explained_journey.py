"""A real journey, explained line by line, and what its wires show of TLS to somebody without keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulator import Internet
from simulator.protocol.dialogue import read_connection
from simulator.protocol.explain import explain
from simulator.protocol.tls_records import server_name, tls_records
from simulator.trace.events import Command, Reply
from simulator.trace.trace import Trace


def journey(mode: str, **options: str) -> Trace:
    """Send a letter to a mailbox that exists and to one that does not; return all that was recorded."""
    with Internet(medium="memory") as net:
        net.send(
            "Hello", sender="alice@alice.example", to=["bob@bob.example", "nobody@bob.example"], mode=mode, **options
        )
        trace: Trace = net.trace()
    return trace


def spoken(trace: Trace) -> Iterator[tuple[Command | Reply, bytes]]:
    """Yield every command and reply with its octets."""
    for number, log in trace.connections.items():
        if log.transport == "tcp":
            for event in read_connection(trace, number, "client"):
                if isinstance(event, (Command, Reply)):
                    yield event, trace.octets(event.span)


@pytest.mark.parametrize("mode", ["implicit", "starttls"])
def test_every_line_of_a_journey_is_explained(mode: str) -> None:
    explained = {octets: explain(octets, verb=event.verb) for event, octets in spoken(journey(mode))}
    assert len(explained) > 20
    for octets, text in explained.items():
        assert "(RFC " in text, f"{octets!r} has no explanation"
        assert "not used here" not in text


def test_every_extension_that_our_servers_offer_is_explained() -> None:
    offers = {
        line
        for event, octets in spoken(journey("starttls"))
        if isinstance(event, Reply) and event.verb == "EHLO"
        for line in octets.decode().splitlines()[1:]
    }
    assert len(offers) > 5
    assert [line for line in offers if explain(line) == explain("250 OK")] == []


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_the_wire_shows_the_name_of_the_server_and_records_to_the_end(version: str) -> None:
    trace = journey("implicit", tls_version=version)
    log = next(log for log in trace.connections.values() if log.server_port == 465)
    octets = log.stream("wire.c2s.sent").octets
    assert server_name(octets) == log.server_host
    assert {found.name for found in tls_records(octets)} >= {"handshake", "application_data"}
    for way in ("c2s", "s2c"):
        octets = log.stream(f"wire.{way}.sent").octets
        found = tls_records(octets)
        assert (found[0].start, found[-1].end) == (0, len(octets))
        assert all(record.complete for record in found)


def test_after_starttls_the_wire_shows_records_only() -> None:
    trace = journey("starttls")
    log = next(log for log in trace.connections.values() if log.server_port == 587)
    octets = log.stream("wire.c2s.sent").octets
    begin = octets.index(b"STARTTLS\r\n") + len(b"STARTTLS\r\n")
    assert tls_records(octets) == []
    assert tls_records(octets, begin)[-1].end == len(octets)
    assert server_name(octets, begin) == log.server_host
