"""`Internet` for scripts and notebooks: plain calls that return when what they ask for has happened.

This is the only file with a thread. The internet lives on a loop of its own in there, so it also works where another
loop runs already (a notebook). Between calls simulated time stands still.
"""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine, Iterable, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from simulator.by_hand import ByHand
from simulator.errors import UsageError
from simulator.internet.endpoints import Endpoint, EndpointTable
from simulator.internet.internet import RunningInternet
from simulator.internet.plan import Plan, load_plan
from simulator.journey import Journey
from simulator.network.loop import NetworkLoop, new_loop
from simulator.smtp.console import PATIENCE_S

if TYPE_CHECKING:
    from simulator.delivery.mailbox import StoredMessage
    from simulator.dns.questions import Answer
    from simulator.network.onpath import Box
from simulator.trace.trace import ConnectionLog

T = TypeVar("T")


class LoopThread:
    """A loop that runs in a thread of its own, and calls into it."""

    def __init__(self, loop: NetworkLoop) -> None:
        self.loop = loop
        self._thread = threading.Thread(target=self._run, name="simulator", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.finish()
            asyncio.set_event_loop(None)

    @property
    def is_current(self) -> bool:
        """True inside the loop's own thread."""
        return threading.current_thread() is self._thread

    def submit(self, work: Coroutine[Any, Any, T]) -> Any:
        """Start `work` as a call (simulated time may pass); return a concurrent future."""
        return asyncio.run_coroutine_threadsafe(self._in_call(work), self.loop)

    async def _in_call(self, work: Coroutine[Any, Any, T]) -> T:
        with self.loop.clock.call():
            return await work

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` and return its result; Ctrl-C cancels it."""
        if not self._thread.is_alive():
            work.close()
            raise UsageError("This internet is closed; make a new one.")
        if self.is_current:
            work.close()
            raise UsageError("Inside the simulator's own loop use simulator.aio instead.")
        future = self.submit(work)
        try:
            return future.result()  # type: ignore[no-any-return]
        except BaseException:
            future.cancel()
            raise

    def stop(self) -> None:
        """Stop the loop and wait for the thread."""
        if self._thread.is_alive():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join()


def _end(host: LoopThread, core: RunningInternet) -> None:
    if host.is_current:  # an internet that nobody closed was collected in the middle of its own loop's work
        threading.Thread(target=_end, args=(host, core), name="simulator end").start()
        return
    try:
        host.call(core.stop())
    finally:
        host.stop()


class Internet:
    """A whole small internet on this machine.

    `medium` "loopback" (real sockets on 127.0.0.1) or "memory"; `clock` "simulated" or "real"; `latency_s` one way
    between any two hosts; `seed` for everything random; `plan` a `Plan`, or None for alice.example and bob.example.
    `state_dir` keeps mailboxes in a folder of yours; otherwise they live in a temporary one. Raises UsageError or
    PlanError.

    Use it in a `with` block, or call `close()` at the end.
    """

    def __init__(
        self,
        medium: str = "loopback",
        clock: str = "simulated",
        latency_s: float = 0.02,
        seed: int = 1,
        plan: Plan | None = None,
        *,
        state_dir: str | Path | None = None,
    ) -> None:
        core_loop = new_loop(medium, clock, latency_s, seed=seed)
        try:
            self._core = RunningInternet(core_loop, plan, seed, state_dir)
        except BaseException:
            core_loop.close()
            raise
        self._host = LoopThread(core_loop)
        self._closer = weakref.finalize(self, _end, self._host, self._core)
        self._call(self._core.start())

    @classmethod
    def from_plan(cls, path: str | Path, **options: Any) -> Internet:
        """Make an internet from a plan file (TOML). Raises PlanError with what is wrong in it."""
        return cls(plan=load_plan(path), **options)

    def __enter__(self) -> Internet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop all servers and release everything; more calls raise UsageError."""
        self._closer()

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return self._host.call(work)

    def __repr__(self) -> str:
        return f"<Internet on {self._core.loop.medium}: {', '.join(list(self._core.plan.by_domain)[:4])}>"

    # --- what learners call ------------------------------------------------------------------------------------------

    def send(
        self,
        letter: str | bytes | EmailMessage,
        sender: str | None = None,
        to: str | Sequence[str] | None = None,
        mode: str | None = None,
        **options: Any,
    ) -> Journey:
        """Send one message and return its journey when every recipient is delivered, failed or deferred.

        `letter` is the text of a letter, or a whole message (bytes, or an `EmailMessage`). `mode` is "implicit",
        "starttls", "starttls-if-offered", "cleartext", or None for the ordered policy (implicit, then STARTTLS
        required). Further options: see `simulator.submission.letter.SendOptions`. A refusal by a server is an outcome
        of the journey; a wrong call raises UsageError.
        """
        label = self._call(self._core.send(letter, sender, to, mode, **options))
        return self.journey(label)

    def journey(self, message: str) -> Journey:
        """Return the journey of a message by its label, such as "m1"."""
        return Journey(self._core.trace(message), message)

    def trace(self) -> Any:
        """Return everything that has happened so far."""
        return self._core.trace()

    def inbox(self, address: str) -> list[StoredMessage]:
        """Return the messages in somebody's mailbox, oldest first. Raises UsageError when there is no such mailbox."""
        return self._core.inbox(address)

    def resolve(self, name: str, rdtype: str = "A") -> Answer:
        """Ask the DNS, from the root down, and return the answer."""
        return self._call(self._core.resolve(name, rdtype))

    def endpoints(self) -> EndpointTable:
        """Return where every service is: host, logical address and port, and the real ones for programs of your own."""
        return EndpointTable(self._call(self._core.endpoints()))

    def connect(
        self,
        host: str,
        port: int = 25,
        *,
        tls: bool = False,
        verify: bool = True,
        from_host: str | None = None,
        patience_s: float = PATIENCE_S,
    ) -> ByHand:
        """Open a line to a server and speak to it yourself, line by line; see `simulator.by_hand.ByHand`.

        `tls` begins with the first octet, as on port 465; `verify` checks the certificate. It dials from the first
        organisation's laptop, or from `from_host`. Nobody there, a failed handshake and silence for `patience_s`
        simulated seconds are results, not errors: look at `greeting`. Raises UsageError for an unknown host.
        """
        console, greeting = self._call(self._core.connect(host, port, tls, verify, from_host, patience_s))
        return ByHand(console, self._call, self._core.trace, self._core.client_context, greeting)

    def run(self, for_s: float) -> None:
        """Let simulated time pass."""
        self._call(self._core.run(for_s))

    def run_until_settled(self) -> None:
        """Let simulated time pass until no message waits any more: each one is delivered or has failed."""
        self._call(self._core.run_until_settled())

    @property
    def now_s(self) -> float:
        """Simulated seconds since the start."""
        return self._core.loop.clock.time()

    @property
    def plan(self) -> Plan:
        """Who exists here."""
        return self._core.plan

    @property
    def ca_pem(self) -> bytes:
        """The certificate of the local authority, for clients of your own."""
        return self._core.authority.certificate_pem

    def switch_off(self, host: str) -> None:
        """Let a host answer nothing at all, as if it were switched off. Raises UsageError for an unknown host."""
        self._core.network.host(host).silent = True

    def switch_on(self, host: str) -> None:
        """Let a host answer again."""
        self._core.network.host(host).silent = False

    def place_box(self, box: Box, where: Callable[[ConnectionLog], bool] = lambda connection: True) -> None:
        """Put a box on the path of later connections (see `simulator.network.onpath`)."""
        self._core.network.place_box(box, where)

    def remove_box(self, box: Box) -> None:
        """Take a box away."""
        self._core.network.remove_box(box)


__all__ = ["Endpoint", "EndpointTable", "Internet", "Iterable", "LoopThread"]
