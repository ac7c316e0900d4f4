"""Simulated time.

It jumps to the next timer when nothing is left to do, stands still between calls, and is real for strangers.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from selectors import BaseSelector
from typing import Any, Literal

Pace = Literal["jump", "still", "real"]


class Clock:
    """Decides how time passes.

    * "jump": a call is in progress and all peers are ours: waiting costs nothing.
    * "still": no call is in progress, or a helper thread works: no timer fires.
    * "real": a foreign program is connected, or `always_real` was asked for.

    All methods but `time` belong to the thread of the loop.
    """

    def __init__(self, always_real: bool = False) -> None:
        self.always_real = always_real
        self._calls = self._foreign = self._helpers = 0
        self._now_s = 0.0
        self._real_since: float | None = None
        self._adjust()

    def time(self) -> float:
        """Return seconds since the start."""
        if self._real_since is None:
            return self._now_s
        return self._now_s + time.monotonic() - self._real_since

    @property
    def pace(self) -> Pace:
        """How time passes just now."""
        if self.always_real or self._foreign:
            return "real"
        return "jump" if self._calls and not self._helpers else "still"

    def jump_to(self, when_s: float) -> None:
        """Let time pass at once until `when_s`; never backwards."""
        self._now_s = max(self._now_s, when_s)

    @contextmanager
    def call(self) -> Iterator[None]:
        """A call of the learner's is in progress: time may pass."""
        self._count("_calls", +1)
        try:
            yield
        finally:
            self._count("_calls", -1)

    def foreign(self, change: int) -> None:
        """A foreign program connected (+1) or left (-1): its time is real, so ours must be."""
        self._count("_foreign", change)

    def helper(self, change: int) -> None:
        """A helper thread began (+1) or ended (-1): time stands still meanwhile."""
        self._count("_helpers", change)

    def _count(self, what: str, change: int) -> None:
        self._now_s = self.time()
        setattr(self, what, getattr(self, what) + change)
        self._adjust()

    def _adjust(self) -> None:
        self._real_since = time.monotonic() if self.pace == "real" else None


class ClockSelector:
    """Stands where asyncio expects a selector, and lets the clock decide how long to wait.

    `inner` waits for real input; `next_timer` returns the moment of the next timer.
    """

    def __init__(self, clock: Clock, inner: BaseSelector | Wakeup, next_timer: Callable[[], float]) -> None:
        self.clock, self.inner, self.next_timer = clock, inner, next_timer

    def select(self, timeout: float | None = None) -> list[Any]:
        """Wait as long as the pace of the clock says; return what is ready."""
        if timeout is not None and timeout <= 0:
            return self.inner.select(0)
        pace = self.clock.pace
        if pace == "real":
            return self.inner.select(timeout)
        if pace == "still" or timeout is None:
            return self.inner.select(None)
        ready = self.inner.select(0)
        if ready:
            return ready
        when_s = self.next_timer()
        if math.isinf(when_s):  # a timer for never
            return self.inner.select(None)
        self.clock.jump_to(when_s)
        return ready

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class Wakeup:
    """The selector of a loop without sockets: there is nothing to wait for but a call from another thread."""

    def __init__(self) -> None:
        self._called = threading.Event()

    def select(self, timeout: float | None = None) -> list[Any]:
        """Wait until `wake` was called, at most `timeout` seconds of real time; return something if it was."""
        called = self._called.is_set() if timeout is not None and timeout <= 0 else self._called.wait(timeout)
        if called:
            self._called.clear()
        return [self] if called else []

    def wake(self) -> None:
        """End the wait; may be called from any thread."""
        self._called.set()

    def close(self) -> None:
        """Nothing to release."""
