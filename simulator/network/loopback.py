"""The carrier with sockets: every octet goes through the kernel's own TCP or UDP on 127.0.0.1.

Where both ends are ours, `carry` writes into one socket and reads from the other before it returns. So no octet is ever
inside the kernel while simulated time moves, and the pieces are the same in every run; *when* they arrive is up to the link.
Nothing here ever binds or dials anything but loopback.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Callable

from simulator.errors import InternalError, UsageError

LOOPBACK = "127.0.0.1"
PATIENCE_S = 10.0
"""Real seconds after which octets that do not come out of the kernel are a defect, not a delay."""


def _wait(socket_: socket.socket, *, write: bool = False) -> None:
    """Wait until the kernel has something for us; never longer than `PATIENCE_S`."""
    if hasattr(select, "poll"):  # select() cannot watch more than 1024 descriptors
        poll = select.poll()
        poll.register(socket_, select.POLLOUT if write else select.POLLIN)
        ready = bool(poll.poll(PATIENCE_S * 1000))
    else:
        reads, writes, _ = select.select([] if write else [socket_], [socket_] if write else [], [], PATIENCE_S)
        ready = bool(reads or writes)
    if not ready:
        raise InternalError("The kernel keeps octets on the loopback interface; is a firewall filtering 127.0.0.1?")


def check_loopback(address: str) -> None:
    """Raise UsageError unless `address` is in 127.0.0.0/8 or ::1: the simulator never touches a real network."""
    if not (address.startswith("127.") or address == "::1"):
        raise UsageError(f"The simulator only uses loopback addresses such as 127.0.0.1, not {address}.")


def listen(address: str = LOOPBACK, port: int = 0) -> socket.socket:
    """Open a listening TCP socket on loopback. Raises UsageError when the port cannot be had."""
    check_loopback(address)
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows: nobody else may share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise UsageError(port_problem(address, port, error)) from error
    listener.setblocking(False)
    return listener


def port_problem(address: str, port: int, error: OSError) -> str:
    """Say in one sentence why a port could not be opened and what to do."""
    if isinstance(error, PermissionError):
        return f"This system does not let you open port {port} on {address}; use the high ports (leave out --real-ports)."
    return f"Port {port} on {address} cannot be opened ({error.strerror or error}); stop the program that uses it."


class SocketPair:
    """Two connected TCP sockets on loopback, one per end."""

    def __init__(self, listener: socket.socket, stranger: Callable[[socket.socket], None]) -> None:
        """Connect to our own `listener`; whoever else was waiting there is handed to `stranger`."""
        self._client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            self._client.bind((LOOPBACK, 0))
            self._client.settimeout(PATIENCE_S)
            self._client.connect(listener.getsockname())
            own = self._client.getsockname()
            while True:
                _wait(listener)
                accepted, peer = listener.accept()
                if peer == own:
                    break
                stranger(accepted)
        except OSError as error:
            self._client.close()
            raise InternalError(f"The loopback interface did not carry a connection: {error}.") from error
        self._server = accepted
        for end in (self._client, self._server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def carry(self, from_client: bool, octets: bytes) -> bytes:
        """Move octets through the kernel and return them as they came out."""
        source, target = (self._client, self._server) if from_client else (self._server, self._client)
        waiting, out = memoryview(octets), bytearray()
        while len(out) < len(octets):
            if waiting:
                with contextlib.suppress(BlockingIOError):
                    waiting = waiting[source.send(waiting):]
            try:
                piece = target.recv(len(octets) - len(out))
            except BlockingIOError:
                _wait(target)
                continue
            if not piece:
                raise InternalError("A loopback connection ended in the middle of our own octets.")
            out += piece
        return bytes(out)

    def finish(self, from_client: bool) -> None:
        """Half-close: the kernel sends a FIN."""
        with contextlib.suppress(OSError):  # the other side may have reset it already
            (self._client if from_client else self._server).shutdown(socket.SHUT_WR)

    def close(self, reset: bool = False) -> None:
        """Release both sockets."""
        if reset:
            for end in (self._client, self._server):
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._client.close()
        self._server.close()


class SocketDatagrams:
    """One UDP socket on loopback."""

    def __init__(self, address: str = LOOPBACK, port: int = 0) -> None:
        check_loopback(address)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((address, port))
        except OSError as error:
            self._socket.close()
            raise UsageError(port_problem(address, port, error)) from error
        self._socket.setblocking(False)
        self.real_address: tuple[str, int] = self._socket.getsockname()
        self.on_stranger: Callable[[bytes, tuple[str, int]], None] = lambda octets, source: None

    def fileno(self) -> int:
        """Return the descriptor, for a loop to watch."""
        return self._socket.fileno()

    def carry(self, octets: bytes, to: SocketDatagrams) -> bytes:
        """Move one datagram through the kernel and return it as it came out."""
        self._socket.sendto(octets, to.real_address)
        while True:
            _wait(to._socket)
            datagram, source = to._receive()
            if source == self.real_address:
                return datagram
            if source is not None:
                to.on_stranger(datagram, source)

    def send_out(self, octets: bytes, real_address: tuple[str, int]) -> None:
        """Send a datagram to a foreign program on this machine."""
        check_loopback(real_address[0])
        with contextlib.suppress(OSError):  # it may be gone; UDP promises nothing
            self._socket.sendto(octets, real_address)

    def read_strangers(self) -> None:
        """Hand over every datagram that waits; all of them come from foreign programs."""
        while True:
            datagram, source = self._receive()
            if source is None:
                return
            self.on_stranger(datagram, source)

    def _receive(self) -> tuple[bytes, tuple[str, int] | None]:
        try:
            return self._socket.recvfrom(65535)
        except BlockingIOError:
            return b"", None
        except ConnectionError:  # Windows reports an earlier datagram that nobody wanted
            return b"", ("", 0)

    def close(self) -> None:
        """Release the socket."""
        self._socket.close()
