"""Who speaks first: right and wrong pairs of client and port, and how each of them ends."""

from __future__ import annotations

import pytest
from support.boxes import assert_legible, texts_of

from simulator import Internet, UsageError
from simulator.trace.events import ConnectionClosed
from simulator.trace.trace import Trace
from simulator.views.first_bytes import MOST_PAIRS, UNDERSTOOD, first_bytes, pair

PATIENCE_S = 10.0
PAIRS = {
    "plain client, port 25": ("mx.bob.example", 25, False),
    "plain client, port 587": ("mail.alice.example", 587, False),
    "TLS client, port 465": ("mail.alice.example", 465, True),
    "plain client, port 465": ("mail.alice.example", 465, False),
    "TLS client, port 587": ("mail.alice.example", 587, True),
}


@pytest.fixture(scope="module")
def traces() -> dict[str, Trace]:
    made = {}
    with Internet(medium="memory") as net:
        for name, (host, port, tls) in PAIRS.items():
            line = net.connect(host, port, tls=tls, patience_s=PATIENCE_S)
            if not line.greeting.problem:
                line("EHLO laptop.alice.example")
                line("QUIT")
            line.close()
            net.run(for_s=1)  # until the end of the connection has come to the other side
            made[name] = line.trace
    return made


@pytest.mark.parametrize("name", ["plain client, port 25", "plain client, port 587"])
def test_in_clear_the_server_greets_first(traces, name):
    found = pair(name, traces[name])
    assert [first.side for first in found.first] == ["server", "client"]
    assert found.first[0].words.startswith("server greets: 220 ")
    assert found.first[1].words == "client: EHLO laptop.alice.example"
    assert found.end == UNDERSTOOD


def test_with_implicit_tls_the_client_speaks_first(traces):
    found = pair("x", traces["TLS client, port 465"])
    assert [first.words for first in found.first] == [
        "client: TLS record, handshake, ClientHello", "server: TLS record, handshake, ServerHello"]  # fmt: skip
    assert found.end == UNDERSTOOD


def test_a_plain_client_on_465_waits_in_silence_until_its_time_out(traces):
    trace = traces["plain client, port 465"]
    found = pair("x", trace)
    closed = trace.of(ConnectionClosed)[0]
    assert found.until_s == closed.at_s - trace.connections[closed.connection].opened_s >= PATIENCE_S
    assert all(first.after_s is None and not first.octets for first in found.first)
    assert {first.words for first in found.first} == {
        f"{side}: silence for {found.until_s:.3f} s" for side in ("client", "server")
    }
    assert "each waits for the other" in found.end


def test_a_tls_client_on_587_takes_the_greeting_for_a_record(traces):
    found = pair("x", traces["TLS client, port 587"])
    assert {first.side: first.octets[:3] for first in found.first} == {"client": b"\x16\x03\x01", "server": b"220"}
    assert "handshake fails: WRONG_VERSION_NUMBER" in found.end
    assert '"20" is no version' in found.end


def test_a_failed_handshake_between_tls_and_tls_is_no_wrong_version():
    with Internet(medium="memory") as net:
        trace = net.connect("mx.bob.example", 465, tls=True).trace
    assert "WRONG_VERSION" not in pair("nobody there", trace).end
    assert pair("nobody there", trace).end != UNDERSTOOD


def test_first_octets_and_times_are_those_of_the_wire(traces):
    for name, trace in traces.items():
        (log,) = trace.connections.values()
        found = pair(name, trace)
        assert found.port == PAIRS[name][1]
        for first in found.first:
            stream = log.stream("wire.c2s.sent" if first.side == "client" else "wire.s2c.sent")
            assert stream.octets.startswith(first.octets)
            assert (first.after_s is None) == (len(stream) == 0)
            if first.after_s is not None:
                assert first.after_s == stream.moment(0).at_s - log.opened_s
        times = [first.after_s for first in found.first if first.after_s is not None]
        assert times == sorted(times)


def test_the_picture_shows_hex_and_is_legible(traces):
    figure = first_bytes(traces)
    assert_legible(figure)
    shown = [text.get_text() for text in texts_of(figure)]
    assert sum(text.startswith("32 32 30 20") for text in shown) == 3
    assert sum(text.startswith("16 03 01") for text in shown) == 2
    assert all(name in figure.alt_text for name in traces)


def test_hostile_octets_and_long_names_are_drawn_as_text():
    with Internet(medium="memory") as net:
        line = net.connect("mx.bob.example", 25)
        line.octets(b"$x^2$ \xff\x00\x1b[2J " + b"y" * 980 + b"\r\n")
        trace = line.trace
        line.close()
    assert_legible(first_bytes({f"{number} $\\frac$ {'long name ' * 9}": trace for number in range(MOST_PAIRS)}))


def test_none_or_too_many_are_told(traces):
    trace = next(iter(traces.values()))
    for count in (0, MOST_PAIRS + 1):
        with pytest.raises(UsageError, match=f"One to {MOST_PAIRS} pairs"):
            first_bytes({str(number): trace for number in range(count)})
    with pytest.raises(UsageError, match="no SMTP connection"):
        pair("empty", Trace(trace.header, [], []))
