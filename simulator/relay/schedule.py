"""When to try again: a pure function of how long a message has waited (RFC 5321 section 4.5.4.1)."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_S = 60.0
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Retry times. The defaults are those that RFC 5321 section 4.5.4.1 suggests."""

    first_retries_s: float = 30 * MINUTE_S
    """Pause in the first hour: two tries there."""
    later_retries_s: float = 2 * HOUR_S
    """Pause after the first hour: "every two or three hours"."""
    give_up_after_s: float = 5 * DAY_S
    """At least 4 to 5 days."""

    def next_try_s(self, queued_s: float, now_s: float) -> float | None:
        """Return when to try again after a failed attempt at `now_s`; None: give up."""
        if now_s - queued_s >= self.give_up_after_s:
            return None
        pause = self.first_retries_s if now_s - queued_s < HOUR_S else self.later_retries_s
        return min(now_s + pause, queued_s + self.give_up_after_s)
