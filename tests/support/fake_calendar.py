"""Virtual time that also dates moments of CLOCK_BOOTTIME, as the program's one clock does."""

from datetime import datetime, timedelta

from scaleset_operator.rehearsal.clock import BOOT
from tests.support.fake_clock import T0, FakeClock


class FakeCalendar:
    """The ports `Clock` and `Calendar`."""

    def __init__(self) -> None:
        self._clock = FakeClock()

    def now(self) -> datetime:
        """See the port."""
        return self._clock.now()

    def boottime_ns(self) -> int:
        """See the port."""
        return self._clock.boottime_ns()

    def at(self, boottime_ns: int) -> datetime:
        """See the port."""
        return T0 - BOOT + timedelta(microseconds=boottime_ns // 1_000)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._clock.advance(seconds)
