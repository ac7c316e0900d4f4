"""The carrier with sockets: every octet goes through the kernel's own TCP or UDP on 127.0.0.1.

Where both ends are ours, `carry` writes into one socket and reads from the other before it returns. So no octet is ever
inside the kernel while simulated time moves, and the pieces are the same in every run; *when* they arrive is up to the
link. Nothing here ever binds or dials anything but loopback.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import itertools
import os
import select
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

from simulator.errors import InternalError, UsageError
from simulator.network.end import Side

LOOPBACK = "127.0.0.1"
PATIENCE_S = 10.0
"""Real seconds after which octets that do not come out of the kernel are a defect, not a delay."""
RESEND_S = 0.25
"""Real seconds after which a datagram between our own programs is taken for lost: a full buffer drops what comes."""
STRANGERS_AT_ONCE = 64
"""How many foreign datagrams are read before the loop gets on with other things."""
ORDERLY_ENDS = 5000
"""So many connections end with FIN, as a capture of the loopback interface should show. Each of these keeps a port for
a minute or longer (TIME-WAIT, RFC 9293 section 3.6.1), and there are few: after that, ends are resets in the kernel."""
FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_STUCK = "The kernel keeps octets on the loopback interface; is a firewall filtering 127.0.0.1?"
_UNDER_WAY = (0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EAGAIN, getattr(errno, "WSAEWOULDBLOCK", 0))


def _ready(socket_: socket.socket, patience_s: float) -> bool:
    """Wait until the kernel has something for us; tell whether it has."""
    if hasattr(select, "poll"):  # select() cannot watch more than 1024 descriptors
        poll = select.poll()
        poll.register(socket_, select.POLLIN)
        return bool(poll.poll(patience_s * 1000))
    return bool(select.select([socket_], [], [], patience_s)[0])


def _wait(socket_: socket.socket) -> None:
    if not _ready(socket_, PATIENCE_S):
        raise InternalError(_STUCK)


def check_loopback(address: str) -> None:
    """Raise UsageError unless `address` is in 127.0.0.0/8 or ::1: the simulator never touches a real network."""
    with contextlib.suppress(ValueError):
        parsed = ipaddress.ip_address(address)
        if parsed == ipaddress.IPv6Address("::1") or (parsed.version == 4 and parsed.is_loopback):
            return
    raise UsageError(f"The simulator only uses loopback addresses such as 127.0.0.1, not {address}.")


def new_socket(address: str, kind: socket.SocketKind) -> socket.socket:
    """Make a socket for a loopback address. Raises UsageError for any other address, and when there are too many."""
    check_loopback(address)
    try:
        return socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    except OSError as error:
        raise UsageError(socket_problem(error)) from error


def socket_problem(error: OSError) -> str:
    """Say in one sentence why there is no socket and what to do."""
    if error.errno in (*FULL, errno.EADDRNOTAVAIL):
        return (
            "Too many sockets are open for this system, or were a minute ago; raise its limit (ulimit -n), wait, "
            'or use medium="memory", which needs none.'
        )
    return f'The loopback interface does not work ({error.strerror or error}); use medium="memory".'


def port_problem(address: str, port: int, error: OSError) -> str:
    """Say in one sentence why a port could not be opened and what to do."""
    if isinstance(error, PermissionError):
        return f"This system does not let you open port {port} on {address}; leave out --real-ports."
    if error.errno in FULL:
        return socket_problem(error)
    if error.errno == errno.EADDRNOTAVAIL and address != LOOPBACK:  # macOS knows 127.0.0.1 only, until it is told more
        return f"This system has no address {address}; leave out --real-ports, or add it: ifconfig lo0 alias {address}"
    return f"Port {port} on {address} cannot be opened ({error.strerror or error}); stop the program that uses it."


def listen(address: str = LOOPBACK, port: int = 0) -> socket.socket:
    """Open a listening TCP socket on loopback. Raises UsageError when the port cannot be had."""
    listener = new_socket(address, socket.SOCK_STREAM)
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


def reset_on_close(sock: socket.socket) -> None:
    """Let closing be a reset instead of a FIN."""
    with contextlib.suppress(OSError):  # closed already
        on_for_no_time = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, on_for_no_time)


class SocketPair:
    """Two connected TCP sockets on loopback, one per end."""

    _made = itertools.count()

    def __init__(self, listener: socket.socket, stranger: Callable[[socket.socket, Any], None]) -> None:
        """Connect to our own `listener`; whoever else was waiting there is handed to `stranger`, with its address."""
        self._orderly = next(self._made) < ORDERLY_ENDS
        target = listener.getsockname()
        self._client = new_socket(target[0], socket.SOCK_STREAM)
        try:
            self._client.setblocking(False)  # with strangers queueing for the listener, only accepting them gets us in
            problem = self._client.connect_ex(target)
            if problem not in _UNDER_WAY:
                raise OSError(problem, os.strerror(problem))
            self._server = self._accept(listener, stranger)
            for end in (self._client, self._server):
                end.setblocking(False)
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self._client.close()
            raise UsageError(socket_problem(error)) from error
        except BaseException:
            self._client.close()
            raise

    def _accept(self, listener: socket.socket, stranger: Callable[[socket.socket, Any], None]) -> socket.socket:
        while True:
            try:
                accepted, peer = listener.accept()
            except BlockingIOError:
                _wait(listener)
                continue
            except ConnectionError:
                continue  # a stranger that has gone again
            if peer == self._client.getsockname():
                return accepted
            stranger(accepted, peer)

    def carry(self, from_client: bool, octets: bytes) -> bytes:
        """Move octets through the kernel and return them as they came out."""
        source, target = (self._client, self._server) if from_client else (self._server, self._client)
        waiting, out = memoryview(octets), bytearray()
        while len(out) < len(octets):
            try:
                if waiting:
                    waiting = waiting[source.send(waiting) :]
            except BlockingIOError:
                pass  # the buffers are full: make room by reading
            try:
                piece = target.recv(len(octets) - len(out))
            except BlockingIOError:
                _wait(target)
                continue
            if len(piece) == len(octets):
                return piece  # nearly always
            if not piece:
                raise InternalError("A loopback connection ended in the middle of our own octets.")
            out += piece
        return bytes(out)

    def finish(self, from_client: bool) -> None:
        """Half-close: the kernel sends a FIN."""
        if not self._orderly:
            return
        with contextlib.suppress(OSError):  # some systems mind when the other side has finished too
            (self._client if from_client else self._server).shutdown(socket.SHUT_WR)

    def left(self, side: Side) -> None:
        """One end is gone; its socket stays for what the other end may still send."""

    def close(self, reset: bool = False) -> None:
        """Release both sockets."""
        if reset or not self._orderly:
            reset_on_close(self._client)
            reset_on_close(self._server)
        self._client.close()
        self._server.close()


class SocketDatagrams:
    """One UDP socket on loopback. `ours` holds the real addresses of all sockets of this kind."""

    def __init__(self, ours: set[tuple[str, int]], address: str = LOOPBACK, port: int = 0) -> None:
        """Raises UsageError when the port cannot be had."""
        self._socket = new_socket(address, socket.SOCK_DGRAM)
        try:
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**18)  # macOS: else at most 9216 octets
            self._socket.bind((address, port))
        except OSError as error:
            self._socket.close()
            raise UsageError(port_problem(address, port, error)) from error
        self._socket.setblocking(False)
        self.real_address: tuple[str, int] = self._socket.getsockname()[:2]
        self.on_stranger: Callable[[bytes, tuple[str, int]], None] = lambda octets, source: None
        self._ours = ours
        ours.add(self.real_address)

    def fileno(self) -> int:
        """Return the descriptor, for a loop to watch."""
        return self._socket.fileno()

    def carry(self, octets: bytes, to: SocketDatagrams) -> bytes:
        """Move one datagram through the kernel and return it as it came out."""
        give_up = time.monotonic() + PATIENCE_S
        to.read_strangers()  # make room
        while (now := time.monotonic()) < give_up:
            self._send(octets, to.real_address)
            while True:
                datagram, source = to._receive()
                if source is None:
                    if _ready(to._socket, RESEND_S):
                        continue
                    break  # it was dropped: the buffer was full
                if source == self.real_address and datagram == octets:
                    return datagram
                to._hand_on(datagram, source)
                if time.monotonic() > now + RESEND_S:
                    break  # in a flood from outside
        raise InternalError(_STUCK)

    def _send(self, octets: bytes, real_address: tuple[str, int]) -> None:
        try:
            self._socket.sendto(octets, real_address)
        except OSError as error:
            if error.errno not in (*FULL, errno.EAGAIN, errno.EWOULDBLOCK):  # full: sent again later
                raise UsageError(socket_problem(error)) from error

    def send_out(self, octets: bytes, real_address: tuple[str, int]) -> None:
        """Send a datagram to a foreign program on this machine."""
        check_loopback(real_address[0])
        with contextlib.suppress(OSError):  # it may be gone; UDP promises nothing
            self._socket.sendto(octets, real_address)

    def read_strangers(self) -> None:
        """Hand over datagrams that wait; all of them come from foreign programs."""
        for _ in range(STRANGERS_AT_ONCE):
            datagram, source = self._receive()
            if source is None:
                return
            self._hand_on(datagram, source)

    def _hand_on(self, octets: bytes, source: tuple[str, int] | None) -> None:
        if source and source[0] and source not in self._ours:  # ours: sent again because it was late, not lost
            self.on_stranger(octets, source)

    def _receive(self) -> tuple[bytes, tuple[str, int] | None]:
        """Return a datagram and its source: None when nothing waits, an empty address when it is no datagram."""
        try:
            datagram, source = self._socket.recvfrom(65535)
        except BlockingIOError:
            return b"", None
        except ConnectionError:  # Windows reports an earlier datagram that nobody wanted (WSAECONNRESET)
            return b"", ("", 0)
        return datagram, source[:2]

    def close(self) -> None:
        """Release the socket."""
        self._ours.discard(self.real_address)
        self._socket.close()
