"""How TCP behaves, and when: the same on both media."""

from __future__ import annotations

import asyncio
import socket

import pytest
from support.wires import CLIENT, LATENCY_S, RTT, SERVER, Echo, Noting, SmallNet

from simulator.errors import UsageError
from simulator.network.link import WINDOW_OCTETS
from simulator.trace.events import ConnectionClosed, ConnectionFailed, ConnectionOpened


class HalfOpen(Noting):
    keep_open = True


# --- opening ---------------------------------------------------------------------------------------------------------


def test_the_client_is_there_after_one_round_trip_and_the_server_after_one_and_a_half(net: SmallNet) -> None:
    async def main() -> None:
        server = Noting(net.loop)
        await net.serve(lambda: server)
        client = Noting(net.loop)
        _, program = await net.dial(client)
        assert program is client
        await asyncio.sleep(1)
        assert client.notes == [(1, "made")]
        assert server.notes == [(1.5, "made")]
        assert client.transport.get_extra_info("peername") == (SERVER, 25)
        assert (
            server.transport.get_extra_info("peername")
            == client.transport.get_extra_info("sockname")
            == (CLIENT, 49152)
        )
        client.transport.close()
        await net.network.quiet()

    net.run(main())


def test_refused_after_exactly_one_round_trip(net: SmallNet) -> None:
    async def main() -> None:
        with pytest.raises(ConnectionRefusedError, match=r"mail\.example refuses connections on port 26"):
            await net.dial(port=26)
        assert net.loop.time() == pytest.approx(RTT, abs=1e-12)

    net.run(main())
    opened, failed = net.events
    assert isinstance(opened, ConnectionOpened)
    assert isinstance(failed, ConnectionFailed)
    assert (failed.reason, failed.at_s) == ("refused", RTT)


@pytest.mark.parametrize("address", ["192.0.2.77", "2001:db8::77", SERVER])
def test_nobody_answers_for_two_minutes(net: SmallNet, address: str) -> None:
    net.network.host("mail.example").silent = True

    async def main() -> None:
        with pytest.raises(TimeoutError, match="does not answer on port 25"):
            await net.loop.create_connection(lambda: Noting(net.loop), address, 25)
        assert net.loop.time() == 127.0

    net.run(main())
    assert [event.reason for event in net.events if isinstance(event, ConnectionFailed)] == ["timed out"]


def test_giving_up_earlier_than_tcp(net: SmallNet) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await net.loop.create_connection(lambda: Noting(net.loop), "192.0.2.77", 25)
        assert net.loop.time() == 5.0

    net.run(main())
    assert [event.at_s for event in net.events if isinstance(event, ConnectionFailed)] == [5.0]


def test_a_name_that_nobody_has(net: SmallNet) -> None:
    async def main() -> None:
        with pytest.raises(socket.gaierror, match=r"no host nobody\.example"):
            await net.loop.create_connection(lambda: Noting(net.loop), "nobody.example", 25)
        assert net.loop.time() == 0

    net.run(main())
    assert net.events == ()


def test_a_dial_that_is_cancelled_never_reaches_the_server(net: SmallNet) -> None:
    async def main() -> None:
        accepted = []
        await net.serve(lambda: accepted.append(1) or Noting(net.loop))  # type: ignore[func-returns-value]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.5 * LATENCY_S):
                await net.dial()
        await net.network.quiet()
        await asyncio.sleep(1)
        assert accepted == []

    net.run(main())
    assert [event.kind for event in net.events] == ["ConnectionOpened", "ConnectionFailed"]


def test_a_server_that_stops_listening_in_the_last_moment(net: SmallNet) -> None:
    async def main() -> None:
        listener = await net.serve(lambda: Noting(net.loop))
        _, client = await net.dial()
        listener.close()
        assert isinstance(await client.lost, ConnectionResetError)
        assert client.notes == [(1, "made"), (2, "ConnectionResetError")]
        with pytest.raises(ConnectionRefusedError):
            await net.dial()

    net.run(main())


def test_without_latency_and_with_two_latencies(net: SmallNet) -> None:
    net.network.add_host("far.example", "198.51.100.1")
    net.network.set_latency(CLIENT, "198.51.100.1", 0.3)

    async def main() -> None:
        for address, latency_s in ((SERVER, LATENCY_S), ("198.51.100.1", 0.3)):
            await net.loop.create_server(lambda: Echo(net.loop), address, 25)
            start = net.loop.time()
            reader, writer = await asyncio.open_connection(address, 25, local_addr=(CLIENT, 0))
            writer.write(b"x")
            assert await reader.read(10) == b"x"
            assert net.loop.time() - start == pytest.approx(4 * latency_s, abs=1e-9)
            writer.close()
            await net.network.quiet()
        net.network.latency_s = 0
        start = net.loop.time()
        reader, writer = await asyncio.open_connection(SERVER, 25, local_addr=(CLIENT, 0))
        writer.write(b"x")
        assert await reader.read(10) == b"x"
        writer.close()
        await net.network.quiet()
        assert net.loop.time() == start

    net.run(main())


def test_a_host_speaks_with_itself_without_latency(net: SmallNet) -> None:
    async def main() -> None:
        await net.serve(lambda: Echo(net.loop))
        _, writer = await asyncio.open_connection("mail.example", 25, local_addr=("mail.example", 0))
        assert net.loop.time() == 0
        writer.close()

    net.run(main())


# --- closing ---------------------------------------------------------------------------------------------------------


def test_fin_travels_behind_the_octets_and_closes_both_ends(net: SmallNet) -> None:
    async def main() -> None:
        server = Noting(net.loop)
        await net.serve(lambda: server)
        transport, client = await net.dial()
        transport.write(b"bye")
        transport.close()
        await net.network.quiet()
        assert client.notes == [(1, "made"), (1, "lost")]
        assert server.notes == [(1.5, "made"), (1.5, b"bye"), (1.5, "eof"), (1.5, "lost")]

    net.run(main())
    closed = [event for event in net.events if isinstance(event, ConnectionClosed)]
    assert [(event.by, event.how, event.at_s) for event in closed] == [("client", "fin", RTT)]


def test_abort_is_a_reset_one_latency_later_even_for_who_does_not_read(net: SmallNet) -> None:
    async def main() -> None:
        server = Noting(net.loop)
        await net.serve(lambda: server)
        transport, client = await net.dial()
        await asyncio.sleep(RTT)
        server.transport.pause_reading()
        transport.write(b"unread")
        await asyncio.sleep(RTT)
        transport.abort()
        assert isinstance(await server.lost, ConnectionResetError)
        assert server.notes == [(1.5, "made"), (3.5, "ConnectionResetError")]
        assert client.notes[-1] == (3, "lost")

    net.run(main())
    assert [(event.by, event.how) for event in net.events if isinstance(event, ConnectionClosed)] == [
        ("client", "reset")
    ]


@pytest.mark.parametrize("first", ["client", "server"])
def test_half_close_in_either_direction(net: SmallNet, first: str) -> None:
    async def main() -> None:
        server = HalfOpen(net.loop)
        await net.serve(lambda: server)
        _, client = await net.dial(HalfOpen(net.loop))
        await asyncio.sleep(RTT)
        ends = [client, server] if first == "client" else [server, client]
        ends[0].transport.write_eof()
        with pytest.raises(RuntimeError, match="after write_eof"):
            ends[0].transport.write(b"x")
        await asyncio.sleep(RTT)
        assert ends[1].notes[-1] == (2.5, "eof")
        ends[1].transport.write(b"still here")
        await asyncio.sleep(RTT)
        assert ends[0].received == b"still here"
        ends[1].transport.close()
        await asyncio.sleep(RTT)
        assert ends[0].notes[-1] == (4.5, "eof")
        ends[0].transport.close()
        await net.network.quiet()
        assert client.lost.result() is server.lost.result() is None

    net.run(main())


def test_octets_for_a_closed_end_are_answered_with_a_reset(net: SmallNet) -> None:
    async def main() -> None:
        server = HalfOpen(net.loop)
        await net.serve(lambda: server)
        transport, _ = await net.dial()
        transport.close()
        await asyncio.sleep(RTT)
        server.transport.write(b"are you there?")
        assert isinstance(await server.lost, ConnectionResetError)
        assert server.notes[-1] == (3, "ConnectionResetError")

    net.run(main())
    assert net.stream("wire.s2c.arrived") == b"are you there?"


def test_closing_with_octets_unread_is_a_reset(net: SmallNet) -> None:
    """RFC 9293 section 3.6.1: the sender must learn that data was lost, or it would wait for ever."""

    async def main() -> None:
        server = Noting(net.loop)
        await net.serve(lambda: server)
        transport, client = await net.dial(HalfOpen(net.loop))
        await asyncio.sleep(RTT)
        server.transport.pause_reading()
        transport.write(bytes(2 * WINDOW_OCTETS))
        assert client.notes[-1][1] == "pause"
        await asyncio.sleep(RTT)
        server.transport.close()
        assert isinstance(await client.lost, ConnectionResetError)

    net.run(main())
    assert [(event.by, event.how) for event in net.events if isinstance(event, ConnectionClosed)] == [
        ("server", "reset")
    ]


def test_what_is_said_to_a_closed_transport_is_not_heard(net: SmallNet) -> None:
    async def main() -> None:
        await net.serve(lambda: Noting(net.loop))
        transport, _ = await net.dial()
        transport.close()
        transport.write(b"x")
        transport.write_eof()
        transport.close()
        transport.abort()
        await net.network.quiet()
        assert transport.is_closing()

    net.run(main())
    assert net.stream("wire.c2s.sent") == b""


def test_quiet_waits_for_both_ends(net: SmallNet) -> None:
    async def main() -> None:
        server = HalfOpen(net.loop)
        await net.serve(lambda: server)
        transport, _ = await net.dial()
        assert net.network.open_connections == 1
        net.loop.call_later(5, transport.close)
        net.loop.call_later(7, lambda: server.transport.close())
        await asyncio.gather(net.network.quiet(), net.network.quiet())
        assert net.loop.time() == pytest.approx(7 + RTT)
        assert net.network.open_connections == 0
        await net.network.quiet()

    net.run(main())


def test_a_broken_program_loses_its_connection_and_the_network_goes_on(net: SmallNet) -> None:
    class Broken(Noting):
        def data_received(self, data: bytes) -> None:
            raise ZeroDivisionError

    class NotEvenMade(Noting):
        def connection_made(self, transport: object) -> None:
            raise ZeroDivisionError

    def no_program() -> asyncio.BaseProtocol:
        raise ZeroDivisionError

    async def main() -> None:
        server = Broken(net.loop)
        await net.serve(lambda: server)
        await net.serve(no_program, 26)
        await net.serve(lambda: NotEvenMade(net.loop), 27)
        transport, client = await net.dial()
        transport.write(b"x")
        assert isinstance(await client.lost, ConnectionResetError)
        assert isinstance(server.lost.result(), ZeroDivisionError)
        for port in (26, 27):
            _, client = await net.dial(port=port)
            assert isinstance(await client.lost, ConnectionResetError)
        await net.network.quiet()

    net.run(main())
    assert [type(complaint["exception"]) for complaint in net.complaints] == [ZeroDivisionError] * 3
    net.complaints.clear()


# --- wrong calls -----------------------------------------------------------------------------------------------------


def test_wrong_calls_are_told_what_to_do(net: SmallNet) -> None:
    async def main() -> None:
        listener = await net.serve(lambda: Noting(net.loop))
        with pytest.raises(UsageError, match=r"Port 25 on 192\.0\.2\.25 is already taken"):
            await net.serve(lambda: Noting(net.loop))
        with pytest.raises(UsageError, match="needs a logical address and a port"):
            await net.loop.create_server(lambda: Noting(net.loop), None, 25)
        with pytest.raises(UsageError, match="give a logical address and a port"):
            await net.loop.create_connection(lambda: Noting(net.loop), None, 25)
        with pytest.raises(UsageError, match="no host nobody"):
            net.network.host("nobody.example")
        with pytest.raises(UsageError, match="Two hosts have the address"):
            net.network.add_host("other.example", SERVER)
        for wrong in (-1, float("nan"), float("inf")):
            with pytest.raises(UsageError, match="latency"):
                net.network.set_latency(SERVER, CLIENT, wrong)
        assert listener.is_serving()
        listener.close()
        assert not listener.is_serving()
        assert listener.sockets == ()
        anywhere = await net.loop.create_server(lambda: Noting(net.loop), SERVER, 0)
        address, port = anywhere.sockets[0].getsockname()
        assert address == SERVER
        assert port >= 49152
        assert await net.loop.getnameinfo((SERVER, 25)) == ("mail.example", "25")

    net.run(main())


@pytest.mark.parametrize(
    "options", [{"medium": "pigeon"}, {"clock": "cuckoo"}, {"latency_s": -1.0}, {"limit_octets": -1}]
)
def test_a_loop_of_no_kind(options: dict[str, object]) -> None:
    from simulator.network.loop import new_loop

    with pytest.raises(UsageError):
        new_loop(**options)  # type: ignore[arg-type]
