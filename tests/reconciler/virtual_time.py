"""Stories told in virtual time: an event loop that never waits, and a clock that goes with it.

Whenever nothing is ready, the loop's time jumps to the next timer. It must not know what runs.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from tests.support.fake_clock import T0

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Never blocks: what would have been waited for is added to the time."""

    passed = 0.0
    rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.rounds += 1
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "nothing would ever happen again"
            self.passed += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is made up."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.passed

    def compute(self, seconds: float) -> None:
        """Let time pass without giving way to anybody, as a computation does."""
        self._jumping.passed += seconds

    @property
    def rounds(self) -> int:
        """How often it has looked for something to do."""
        return self._jumping.rounds


class LoopClock:
    """The port `Clock`, on the time of the running loop, which began at T0."""

    def now(self) -> datetime:
        """See the port."""
        return T0 + timedelta(seconds=asyncio.get_running_loop().time())

    def boottime_ns(self) -> int:
        """See the port."""
        return round(asyncio.get_running_loop().time() * 1e9)


def tell(story: Coroutine[Any, Any, T]) -> T:
    """Run a story to its end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(story)
