"""`Internet` as coroutines, for programs that are asynchronous themselves.

Inside `simulator.aio.run(...)` everything happens on one loop, without a thread:

    async def main():
        async with aio.Internet() as net:
            journey = await net.send("Hello Bob", sender="alice@alice.example", to="bob@bob.example")

    aio.run(main(), medium="memory")

On any other loop (a notebook's, a web server's) the internet gets a thread of its own, and the same calls work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from simulator.errors import UsageError
from simulator.internet.endpoints import EndpointTable
from simulator.internet.internet import RunningInternet
from simulator.internet.plan import Plan, load_plan
from simulator.journey import Journey
from simulator.network.loop import NetworkLoop, new_loop
from simulator.sync import LoopThread

if TYPE_CHECKING:
    from simulator.delivery.mailbox import StoredMessage
    from simulator.dns.questions import Answer

T = TypeVar("T")


def run(
    main: Coroutine[Any, Any, T], *, medium: str = "loopback", clock: str = "simulated", latency_s: float = 0.02
) -> T:
    """Run `main` on a new simulator loop, as `asyncio.run` does on an ordinary one; simulated time passes meanwhile."""
    loop = new_loop(medium, clock, latency_s)
    try:
        with loop.clock.call():
            return loop.run_until_complete(main)
    finally:
        loop.finish()


class Internet:
    """A whole small internet; the same names and options as `simulator.Internet`, but awaited.

    Inside `aio.run` the medium, clock and latency are those of the loop.
    """

    def __init__(
        self,
        medium: str | None = None,
        clock: str | None = None,
        latency_s: float | None = None,
        seed: int = 1,
        plan: Plan | None = None,
        *,
        state_dir: str | Path | None = None,
    ) -> None:
        self._options = medium, clock, latency_s
        self._seed, self._plan, self._state_dir = seed, plan, state_dir
        self._host: LoopThread | None = None
        self._running: RunningInternet | None = None

    @classmethod
    def from_plan(cls, path: str | Path, **options: Any) -> Internet:
        """Make an internet from a plan file (TOML)."""
        return cls(plan=load_plan(path), **options)

    async def __aenter__(self) -> Internet:
        running = asyncio.get_running_loop()
        medium, clock, latency_s = self._options
        if isinstance(running, NetworkLoop):
            if medium not in (None, running.medium) or clock is not None:
                raise UsageError("Inside aio.run the loop decides: give medium and clock to aio.run instead.")
            if latency_s is not None:
                running.network.latency_s = latency_s
            loop = running
        else:
            loop = new_loop(
                medium or "loopback", clock or "simulated", 0.02 if latency_s is None else latency_s, seed=self._seed
            )
            self._host = LoopThread(loop)
        loop.recorder.header["seed"] = self._seed
        try:
            self._running = RunningInternet(loop, self._plan, self._seed, self._state_dir)
            await self._call(self._running.start())
        except BaseException:
            if self._host is not None:
                self._host.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._call(self._core.stop())
        finally:
            self._running = None
            if self._host is not None:
                self._host.stop()

    @property
    def _core(self) -> RunningInternet:
        if self._running is None:
            raise UsageError("This internet is not running; use it inside `async with`.")
        return self._running

    async def _call(self, work: Coroutine[Any, Any, T]) -> T:
        if self._host is None:
            return await work
        return await asyncio.wrap_future(self._host.submit(work))

    async def send(
        self,
        letter: str | bytes | EmailMessage,
        sender: str | None = None,
        to: str | Sequence[str] | None = None,
        mode: str | None = None,
        **options: Any,
    ) -> Journey:
        """Send one message; see `simulator.Internet.send`."""
        label = await self._call(self._core.send(letter, sender, to, mode, **options))
        return self.journey(label)

    def journey(self, message: str) -> Journey:
        """Return the journey of a message by its label."""
        return Journey(self._core.trace(message), message)

    def trace(self) -> Any:
        """Return everything that has happened so far."""
        return self._core.trace()

    def inbox(self, address: str) -> list[StoredMessage]:
        """Return the messages in somebody's mailbox, oldest first."""
        return self._core.inbox(address)

    async def resolve(self, name: str, rdtype: str = "A") -> Answer:
        """Ask the DNS, from the root down."""
        return await self._call(self._core.resolve(name, rdtype))

    async def endpoints(self) -> EndpointTable:
        """Return where every service is, logically and really."""
        return EndpointTable(await self._call(self._core.endpoints()))

    async def run(self, for_s: float) -> None:
        """Let simulated time pass."""
        await self._call(self._core.run(for_s))

    async def run_until_settled(self) -> None:
        """Let simulated time pass until no message waits any more."""
        await self._call(self._core.run_until_settled())
