"""The box on the path: it interferes where it should and nowhere else, and all that it does is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.wires import CLIENT, LATENCY_S, RTT, SERVER, Echo, Noting, SmallNet

from simulator.errors import UsageError
from simulator.network.onpath import Action, Box, Cut, CutWhenSeen, Divert, Forward, Inject, LineBox, OnConnect
from simulator.trace.events import ConnectionClosed, ConnectionFailed, Direction, OnPathAction


def actions(net: SmallNet) -> list[tuple[str, str, str]]:
    return [(e.action, e.direction, e.detail) for e in net.events if isinstance(e, OnPathAction)]


async def talk(net: SmallNet, pieces: Iterable[bytes], box: Box | None = None) -> tuple[Any, Any]:
    """Let the client send pieces to a server that only listens; return both programs when all is over."""
    server = Noting(net.loop)
    await net.serve(lambda: server)
    if box is not None:
        net.network.place_box(box, lambda log: log.server_port == 25)
    transport, client = await net.dial()
    await asyncio.sleep(RTT)
    for piece in pieces:
        transport.write(piece)
        await asyncio.sleep(0.001)
    await asyncio.sleep(RTT)
    transport.close()
    await net.network.quiet()
    return client, server


# --- opening ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "error", "at_s", "reason"),
    [(OnConnect.REFUSE, ConnectionRefusedError, RTT, "refused"), (OnConnect.DROP, TimeoutError, 127.0, "timed out")],
)
def test_refuse_and_drop(net: SmallNet, verdict: OnConnect, error: type[Exception], at_s: float, reason: str) -> None:
    class Firewall(Box):
        def on_connect(self, connection: Any) -> OnConnect:
            return verdict

    async def main() -> None:
        await net.serve(lambda: Noting(net.loop))
        box = Firewall()
        net.network.place_box(box, lambda log: log.server_port == 25)
        with pytest.raises(error):
            await net.dial()
        assert net.loop.time() == at_s
        net.network.remove_box(box)
        transport, _ = await net.dial()
        transport.close()

    net.run(main())
    assert actions(net) == [(verdict.value, "c2s", "")]
    assert [event.reason for event in net.events if isinstance(event, ConnectionFailed)] == [reason]


def test_a_firewall_refuses_before_the_host_is_reached(net: SmallNet) -> None:
    class Firewall(Box):
        def on_connect(self, connection: Any) -> OnConnect:
            return OnConnect.REFUSE

    async def wake() -> None:
        raise AssertionError("nobody may be woken")

    async def main() -> None:
        net.network.add_host("asleep.example", "192.0.2.53", wake)
        net.network.place_box(Firewall(), lambda log: True)
        for address in ("192.0.2.53", "192.0.2.77"):
            with pytest.raises(ConnectionRefusedError):
                await net.loop.create_connection(lambda: Noting(net.loop), address, 25)

    net.run(main())


def test_divert_to_a_machine_in_the_middle(net: SmallNet) -> None:
    class Diversion(Box):
        def on_connect(self, connection: Any) -> Divert:
            return Divert("192.0.2.66", 2525)

    async def main() -> None:
        net.network.add_host("mallory.example", "192.0.2.66")
        mallory = Noting(net.loop)
        await net.serve(lambda: Noting(net.loop))
        await net.loop.create_server(lambda: mallory, "192.0.2.66", 2525)
        net.network.place_box(Diversion(), lambda log: True)
        transport, _ = await net.dial()
        assert transport.get_extra_info("peername") == (SERVER, 25)
        transport.write(b"secret")
        transport.close()
        await net.network.quiet()
        assert mallory.received == b"secret"

    net.run(main())
    assert actions(net) == [("divert", "c2s", "to mallory.example, port 2525")]


# --- octets ----------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=5), min_size=1, max_size=8))
def test_a_box_that_passes_leaves_no_mark(pieces: list[bytes]) -> None:
    for box in (None, Box(), LineBox()):
        net = SmallNet("memory")
        _, server = net.run(talk(net, pieces, box))
        assert server.received == b"".join(pieces)
        assert net.stream("wire.c2s.sent") == net.stream("wire.c2s.arrived") == b"".join(pieces)
        assert {action for action, _, _ in actions(net)} <= ({"hold"} if isinstance(box, LineBox) else set())
        net.loop.finish()


@pytest.mark.parametrize("cut_at", range(16))
def test_the_marker_is_seen_however_it_is_cut(net: SmallNet, cut_at: int) -> None:
    text = b"EHLO x\r\nSTARTTLS"

    async def main() -> None:
        box = CutWhenSeen(b"STARTTLS")
        client, server = await talk(net, [text[:cut_at], text[cut_at:], b"\r\n"], box)
        assert isinstance(client.lost.result(), ConnectionResetError)
        assert isinstance(server.lost.result(), ConnectionResetError)
        assert server.received == text[:cut_at]
        assert box._tails == {}

    net.run(main())
    assert actions(net) == [("cut", "c2s", "saw STARTTLS")]
    assert [(e.by, e.how) for e in net.events if isinstance(e, ConnectionClosed)] == [("path", "cut")]


def test_the_marker_may_be_in_many_pieces_and_in_one_direction_only(net: SmallNet) -> None:
    async def main() -> None:
        _, server = await talk(net, [b"S", b"T", b"O", b"S", b"TO", b"P", b"?"], CutWhenSeen(b"STOP"))
        assert server.received == b"STOSTO"  # what has passed the box arrives

    net.run(main())
    with pytest.raises(UsageError, match="needs something to look for"):
        CutWhenSeen(b"")


class Reacting(Box):
    """Does what a function says."""

    def __init__(self, react: Any) -> None:
        self.react = react

    def on_octets(self, connection: Any, direction: Direction, octets: bytes) -> Iterable[Action]:
        return self.react(direction, octets)  # type: ignore[no-any-return]


def test_changing(net: SmallNet) -> None:
    def change(direction: str, octets: bytes) -> list[Action]:
        return [Forward(octets.replace(b"good", b"evil"))]

    async def main() -> None:
        _, server = await talk(net, [b"a good day\r\n", b"a bad day\r\n"], Reacting(change))
        assert server.received == b"a evil day\r\na bad day\r\n"

    net.run(main())
    assert actions(net) == [("change", "c2s", "a good day became a evil day")]
    assert net.stream("wire.c2s.sent") == b"a good day\r\na bad day\r\n"
    assert net.stream("wire.c2s.arrived") == b"a evil day\r\na bad day\r\n"


def test_injecting_forwards_and_back(net: SmallNet) -> None:
    def inject(direction: str, octets: bytes) -> list[Action]:
        return [Inject(b"psst\r\n"), Forward(octets), Inject(b"500 no\r\n", back=True)]

    async def main() -> None:
        client, server = Noting(net.loop), Noting(net.loop)
        await net.serve(lambda: server)
        net.network.place_box(Reacting(inject), lambda log: True)
        transport, _ = await net.dial(client)
        transport.write(b"NOOP\r\n")
        await asyncio.sleep(RTT)
        assert server.notes[1:] == [(1.5, b"psst\r\n"), (1.5, b"NOOP\r\n")]
        assert client.notes[1:] == [(1.5, b"500 no\r\n")]
        assert transport.get_write_buffer_size() == 0
        server.transport.write_eof()
        transport.write(b"QUIT\r\n")  # nothing can be injected behind a FIN
        await asyncio.sleep(RTT)
        transport.close()
        await net.network.quiet()
        assert client.received == b"500 no\r\n"

    net.run(main())
    assert actions(net)[:2] == [("inject", "c2s", "psst\r\n"), ("inject back", "c2s", "500 no\r\n")]
    assert net.stream("wire.c2s.sent") == b"NOOP\r\nQUIT\r\n"
    assert net.stream("wire.s2c.sent") == b""


def test_holding_and_letting_go(net: SmallNet) -> None:
    held: list[bytes] = []

    def hold(direction: str, octets: bytes) -> list[Action]:
        held.append(octets)
        if len(held) < 3:
            return []
        return [Forward(b"".join(held[:2])), Forward(held[2])]

    async def main() -> None:
        _, server = await talk(net, [b"1", b"2", b"3"], Reacting(hold))
        assert server.received == b"123"

    net.run(main())
    assert actions(net) == [("hold", "c2s", "")] * 2
    assert net.stream("wire.c2s.sent") == net.stream("wire.c2s.arrived") == b"123"


def test_a_cut_lets_nothing_more_through(net: SmallNet) -> None:
    def cut(direction: str, octets: bytes) -> list[Action]:
        return [Forward(b"this"), Cut("enough"), Forward(b"but not this")]

    async def main() -> None:
        server = Echo(net.loop)
        await net.serve(lambda: server)
        net.network.place_box(Reacting(cut), lambda log: True)
        transport, client = await net.dial()
        await asyncio.sleep(RTT)
        transport.write(b"x")
        transport.write(b"y")
        await net.network.quiet()
        assert server.notes[1:] == [(2.5, b"this"), (2.5, "ConnectionResetError")]
        assert client.notes[1:] == [(2.5, "ConnectionResetError")]
        await asyncio.sleep(1)

    net.run(main())
    assert actions(net) == [("cut", "c2s", "enough")]
    assert net.stream("wire.c2s.sent") == b"xy"
    assert net.stream("wire.c2s.arrived") == b"this"
    assert net.stream("wire.s2c.sent") == b"this"  # the echo, in the moment before the reset
    assert net.stream("wire.s2c.arrived") == b""


def test_a_broken_box_cuts_and_is_told(net: SmallNet) -> None:
    def broken(direction: str, octets: bytes) -> list[Action]:
        raise ZeroDivisionError("oh")

    async def main() -> None:
        client, _ = await talk(net, [b"x"], Reacting(broken))
        assert isinstance(client.lost.result(), ConnectionResetError)

    net.run(main())
    assert actions(net) == [("cut", "c2s", "the box on the path failed: oh")]
    assert [type(complaint["exception"]) for complaint in net.complaints] == [ZeroDivisionError]
    net.complaints.clear()


def test_tls_records_do_not_get_into_the_story(net: SmallNet) -> None:
    async def main() -> None:
        await talk(net, [b"\x16\x03\x01random"], Reacting(lambda direction, octets: [Forward(octets + b"!")]))

    net.run(main())
    assert actions(net) == [("change", "c2s", "TLS records")]


# --- lines -----------------------------------------------------------------------------------------------------------


class Stripper(LineBox):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[bytes] = []

    def on_line(self, connection: Any, direction: Direction, line: bytes) -> Iterable[Action]:
        self.lines.append(line)
        return [] if b"STARTTLS" in line else [Forward(line)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 70), max_size=6))
def test_whole_lines_however_the_octets_are_cut(cuts: list[int]) -> None:
    text = b"250-mail.example\r\n250-STARTTLS\r\n\r\n250 HELP\r\nunfinished"
    places = sorted({0, *(cut for cut in cuts if cut < len(text)), len(text)})
    pieces = [text[start:end] for start, end in pairwise(places)]
    net = SmallNet("memory")
    box = Stripper()
    _, server = net.run(talk(net, pieces, box))
    assert server.received == text.replace(b"250-STARTTLS\r\n", b"")
    assert box.lines == text.splitlines(keepends=True)[:-1]
    assert box._rest == {}
    assert box._blind == set()
    net.loop.finish()


def test_a_line_box_is_blind_for_tls_and_for_endless_lines(net: SmallNet) -> None:
    box = Stripper()
    endless = bytes(box.LONGEST_LINE_OCTETS + 1)

    async def main() -> None:
        _, server = await talk(net, [b"STARTTLS\r\n", b"\x16\x03\x01STARTTLS\nrecord", b"\nSTARTTLS\n"], box)
        assert server.received == b"\x16\x03\x01STARTTLS\nrecord\nSTARTTLS\n"
        other = Noting(net.loop)
        await net.serve(lambda: other, 26)
        net.network.place_box(box, lambda log: log.server_port == 26)
        transport, _ = await net.dial(port=26)
        transport.write(endless)
        await asyncio.sleep(RTT)
        assert other.received == endless
        transport.close()

    net.run(main())


def test_lines_of_a_large_write_are_found_in_linear_time(net: SmallNet) -> None:
    text = b"a line of text\r\n" * 100_000

    async def main() -> None:
        _, server = await talk(net, [text], LineBox())
        assert server.received == text

    net.run(main())
    assert actions(net) == []


def test_only_where_it_was_placed(net: SmallNet) -> None:
    async def main() -> None:
        net.network.place_box(CutWhenSeen(b"x"), lambda log: log.client_address == "192.0.2.66")
        await net.serve(lambda: Echo(net.loop))
        reader, writer = await asyncio.open_connection(SERVER, 25, local_addr=(CLIENT, 0))
        writer.write(b"x")
        assert await reader.read(10) == b"x"
        assert net.loop.time() == pytest.approx(4 * LATENCY_S)
        writer.close()

    net.run(main())
    assert actions(net) == []
