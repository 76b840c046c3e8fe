"""The end that a signal asks for: an exception in whatever runs, and again where it went under.

Must not know: what is cleaned up on its way.
"""

from __future__ import annotations

import signal
import weakref
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
LOOK_S: Final = 0.5
"""So long after it was raised it is looked whether it went under."""


class Stopped(BaseException):
    """A signal asks the demo to end; what is open closes on its way up."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Stopping:
    """Turns the first signal into `Stopped`.

    Python drops what is raised within a finalizer or a hook of fork, and a signal may come there:
    it is raised again then. From `heard` on it is not.
    """

    def __init__(self) -> None:
        self._number = 0
        self._raised: Callable[[], Stopped | None] = lambda: None

    def listen(self) -> None:
        """Take the signals from now on."""
        signal.signal(signal.SIGALRM, self._look)
        for number in SIGNALS:
            signal.signal(number, self._stop)

    def heard(self) -> None:
        """It has done what it is for, or will."""
        signal.setitimer(signal.ITIMER_REAL, 0.0)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        for each in SIGNALS:
            # The clean-up begins; asking again must not cut it short.
            signal.signal(each, signal.SIG_IGN)
        self._number = number
        self._raise()

    def _look(self, _number: int, _frame: FrameType | None) -> None:
        if self._raised() is None:
            self._raise()

    def _raise(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, LOOK_S, LOOK_S)
        stopped = Stopped(self._number)
        self._raised = weakref.ref(stopped)
        try:
            raise stopped
        finally:
            del stopped  # It lives as long as somebody has it in hand.
