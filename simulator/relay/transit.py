"""Which messages are on their way, and who waits for them [IO]."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any


class InTransit:
    """All messages that some relay of this internet is responsible for."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._tasks: set[asyncio.Task[None]] = set()
        self._untried: Counter[str] = Counter()
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    def take(self, label: str, work: Coroutine[Any, Any, None]) -> None:
        """Let a relay work on the message `label` until it is done."""
        self._untried[label] += 1
        task = self._loop.create_task(work)
        self._tasks.add(
            task
        )  # asyncio keeps only weak references: a forgotten task would be lost, and the mail with it
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._loop.call_exception_handler({"message": "a relay failed", "exception": error, "task": task})
        self._tell()

    def tried(self, label: str) -> None:
        """One queue has tried the message once for every recipient."""
        self._untried[label] -= 1
        if self._untried[label] <= 0:
            del self._untried[label]
        self._tell()

    def _tell(self) -> None:
        still = []
        for reached, future in self._waiting:
            if reached() and not future.done():
                future.set_result(None)
            elif not future.done():
                still.append((reached, future))
        self._waiting = still

    async def _until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            future = self._loop.create_future()
            self._waiting.append((reached, future))
            await future

    async def attempted(self, label: str) -> None:
        """Wait until every queue that holds the message has tried it once."""
        await self._until(lambda: label not in self._untried)

    async def settled(self) -> None:
        """Wait until no queue holds any message."""
        await self._until(lambda: not self._tasks)

    @property
    def waiting(self) -> int:
        """How many messages are in queues."""
        return len(self._tasks)

    async def stop(self) -> None:
        """End all work; what is still in a queue stays undelivered."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
