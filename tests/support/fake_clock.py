"""Virtual time for the test world: one steady clock, its timers, and a wall clock that may jump.

Nothing here sleeps. Time moves only by `advance`, which runs every timer on its way at exactly its
own moment, in the order of due time and then of registration. It must not know what is timed.
"""

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

T0: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
"""Where every test's time begins."""

BOOT: Final = timedelta(hours=5)
"""How long the machine had been up at T0."""

Callback = Callable[[], None]


class FakeClock:
    """The port `Clock` over virtual time; all simulated processes of one test share it.

    Attributes:
        wall_offset: how far the wall clock is off the steady one; no caller of `now` sees it.
    """

    def __init__(self, start: datetime = T0) -> None:
        self._start = start
        self._now = start
        self._timers: list[tuple[datetime, int, Callback]] = []
        self._registered = 0
        self.wall_offset = timedelta()

    def now(self) -> datetime:
        """The steady time, aware, in UTC (X-10)."""
        return self._now

    def wall(self) -> datetime:
        """What a wall clock would show: the steady time and every jump."""
        return self._now + self.wall_offset

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME in nanoseconds: goes on while a simulated process is stopped."""
        return (self._now - self._start + BOOT) // timedelta(microseconds=1) * 1_000

    def jump_wall(self, by: timedelta) -> None:
        """Set the wall clock forward or back, as NTP or a person would; steady time stands."""
        self.wall_offset += by

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
