"""Virtual time: one steady clock and its timers.

Nothing here sleeps. Time moves only by `advance`, which runs every timer on its way at exactly its
own moment, in the order of due time and then of registration. It must not know what is timed.
"""

import heapq
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

BOOT: Final = timedelta(hours=5)
"""How long the machine had been up when its time begins."""

Callback = Callable[[], None]


class VirtualClock:
    """The port `Clock` over virtual time; all simulated processes of one world share it."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self._now = start
        self._timers: list[tuple[datetime, int, Callback]] = []
        self._registered = 0

    def now(self) -> datetime:
        """The steady time, aware, in UTC (X-10)."""
        return self._now

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME in nanoseconds: goes on while a simulated process is stopped."""
        return (self._now - self._start + BOOT) // timedelta(microseconds=1) * 1_000

    def at(self, when: datetime, callback: Callback) -> None:
        """Run `callback` when time reaches `when`; at the next advance if that has passed."""
        self._registered += 1
        heapq.heappush(self._timers, (max(when, self._now), self._registered, callback))

    def after(self, delay: timedelta, callback: Callback) -> None:
        """Run `callback` after `delay`, which may be zero but not negative."""
        assert delay >= timedelta(), f"a timer in the past: {delay}"
        self.at(self._now + delay, callback)

    def advance(self, by: timedelta | float) -> None:
        """Let time pass: seconds, or a span; timers that fall due run on the way."""
        span = by if isinstance(by, timedelta) else timedelta(seconds=by)
        assert span >= timedelta(), f"steady time never goes back: {span}"
        self.advance_to(self._now + span)

    def advance_to(self, when: datetime) -> None:
        """Let time pass until `when`, which is not before now."""
        assert when >= self._now, f"steady time never goes back: {when} < {self._now}"
        while self._timers and self._timers[0][0] <= when:
            due, _, callback = heapq.heappop(self._timers)
            self._now = due
            callback()
        self._now = when

    def next_timer(self) -> datetime | None:
        """When the next timer falls due; None when nothing waits."""
        return self._timers[0][0] if self._timers else None
