"""The tests' clock: virtual time from a moment they all share, and a wall clock that may jump.

It must not know what is timed.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from scaleset_operator.rehearsal.clock import VirtualClock

T0: Final = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
"""Where every test's time begins."""


class FakeClock(VirtualClock):
    """The port `Clock` of the tests.

    Attributes:
        wall_offset: how far the wall clock is off the steady one; no caller of `now` sees it.
    """

    def __init__(self, start: datetime = T0) -> None:
        super().__init__(start)
        self.wall_offset = timedelta()

    def wall(self) -> datetime:
        """What a wall clock would show: the steady time and every jump."""
        return self.now() + self.wall_offset

    def jump_wall(self, by: timedelta) -> None:
        """Set the wall clock forward or back, as NTP or a person would; steady time stands."""
        self.wall_offset += by
