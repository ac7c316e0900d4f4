"""The simulator touches loopback addresses only, whatever happens."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from simulator.errors import UsageError
from simulator.network import loopback
from simulator.network.loopback import LOOPBACK, check_loopback, listen, new_socket, port_problem

ROOT = Path(__file__).resolve().parents[2]

WATCHED = """
import asyncio, ipaddress, sys, threading, socket
from support.wires import CLIENT, SERVER, Echo, SmallNet, run_while
seen = set()
def watch(event, args):
    if event in ("socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg"):
        seen.add((event, args[1][0]))
    elif event.startswith("socket.get"):
        seen.add((event, "asks"))
sys.addaudithook(watch)
net = SmallNet("loopback")
class Program(asyncio.DatagramProtocol):
    def connection_made(self, transport): self.transport = transport
    def datagram_received(self, data, addr):
        if self.transport.get_extra_info("peername") is None: self.transport.sendto(data, addr)
async def main():
    net.network.add_host("off.example", "192.0.2.66").silent = True
    await net.serve(lambda: Echo(net.loop))
    await net.loop.create_datagram_endpoint(Program, local_addr=(SERVER, 53))
    for host in (SERVER, "mail.example", "192.0.2.66", "192.0.2.99", "nobody.example"):
        try:
            reader, writer = await asyncio.open_connection(host, 25, local_addr=(CLIENT, 0))
            writer.write(b"x"); await reader.read(1); writer.close()
        except OSError:
            pass
        if host != "nobody.example":
            transport, _ = await net.loop.create_datagram_endpoint(Program, remote_addr=(host, 53))
            transport.sendto(b"x"); await asyncio.sleep(1); transport.close()
    await net.loop.getaddrinfo("mail.example", 25)
    await net.loop.getnameinfo((SERVER, 25))
net.run(main())
real = net.loop.real_address(SERVER, 25)
def work():
    with socket.create_connection(real) as sock:
        sock.sendall(b"x"); sock.recv(1)
run_while(net, work)
net.loop.finish()
foreign = {("socket.getaddrinfo", "asks")}  # the test's own create_connection
assert {event for event, _ in seen} >= {"socket.bind", "socket.connect", "socket.sendto"}, seen
for event, address in seen - foreign:
    assert ipaddress.ip_address(address).is_loopback, (event, address)
"""


def test_a_busy_net_binds_and_dials_loopback_only() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", WATCHED],
        cwd=ROOT / "tests",
        env={"PYTHONPATH": f"{ROOT}{':' if sys.platform != 'win32' else ';'}{ROOT / 'tests'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("address", ["127.0.0.1", "127.3.2.1", "::1"])
def test_what_is_loopback(address: str) -> None:
    check_loopback(address)


@pytest.mark.parametrize(
    "address",
    ["0.0.0.0", "::", "192.0.2.1", "127.0.0.1.evil.example", "localhost", "", "::ffff:" + LOOPBACK, "2001:db8::1"],
)
def test_what_is_not(address: str) -> None:
    for use in (check_loopback, listen, lambda address: new_socket(address, socket.SOCK_DGRAM)):
        with pytest.raises(UsageError, match="only uses loopback addresses"):
            use(address)


def test_a_port_that_is_taken() -> None:
    with listen() as door:
        port = door.getsockname()[1]
        with pytest.raises(UsageError, match=f"Port {port} on 127.0.0.1 cannot be opened"):
            listen(port=port)


def test_ports_that_the_system_does_not_give() -> None:
    assert "leave out --real-ports" in port_problem("127.0.0.1", 25, PermissionError(errno.EACCES, "no"))
    assert "Too many sockets" in port_problem("127.0.0.1", 0, OSError(errno.EMFILE, "full"))


def test_thousands_of_connections_do_not_use_up_the_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loopback, "ORDERLY_ENDS", next(loopback.SocketPair._made) + 2)
    resets: list[socket.socket] = []
    monkeypatch.setattr(loopback, "reset_on_close", resets.append)
    with listen() as door:
        for _ in range(3):
            pair = loopback.SocketPair(door, lambda *stranger: None)
            assert pair.carry(True, b"x") == b"x"
            for from_client in (True, False):
                pair.finish(from_client)
            pair.close()
    assert len(resets) == 2 * 2
