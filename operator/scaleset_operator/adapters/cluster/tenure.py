"""How long this process may lead, and its hard end when that is over.

Whoever notices first that the time has passed ends the process: a thread that does nothing else, or
the check right before each write, which also holds for a process that was stopped and goes on.
Must not know: how the time is gained.
"""

import logging
import os
import threading
from collections.abc import Callable
from typing import Final

from scaleset_operator.core.election import NS
from scaleset_operator.reconciler.ports import Unavailable

LOST_STATUS: Final = 1
LOOK_S: Final = 0.5
"""A thread's waits stand still while the machine sleeps; CLOCK_BOOTTIME does not."""
LAST_WORDS_S: Final = 0.2
_log = logging.getLogger(__name__)


def end_process(why: str) -> None:
    """End it without another instruction of anybody else; the log gets a moment, and no more."""
    words = threading.Thread(
        target=_log.critical,
        args=("%s: this process ends at once, before it writes anything more", why),
        daemon=True,
    )
    words.start()
    words.join(LAST_WORDS_S)  # A log that blocks must not keep a lost leader alive.
    os._exit(LOST_STATUS)


class Tenure:
    """The port `Leadership`; asked, and told, from any thread."""

    def __init__(
        self, boottime_ns: Callable[[], int], leave: Callable[[str], None] = end_process
    ) -> None:
        """Begins without one.

        Args:
            boottime_ns: our clock.
            leave: ends the process, and so does not return outside of tests.
        """
        self._now = boottime_ns
        self._leave = leave
        self._until: int | None = None
        self._over = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="tenure", daemon=True)

    def start(self) -> None:
        """Begin to watch the time."""
        self._thread.start()

    def leads(self) -> bool:
        """See the port."""
        until = self._until
        return until is not None and not self._over and self._now() < until

    def check(self) -> None:
        """Whether a write may go out now.

        Raises:
            Unavailable: it may not: this process stands by, or has given the place back.
        """
        if self.leads():
            return
        if self._is_past():
            self.lost("the lease was not renewed in time")
        message = "this process does not lead, so it writes nothing"
        raise Unavailable(message)

    def extend(self, until: int) -> None:
        """It leads until then, if nothing more is heard."""
        with self._changed:
            self._until = until
            self._changed.notify_all()

    def lost(self, why: str) -> None:
        """Somebody else leads, or may: end the process, unless the place was given back before."""
        if not self._over:
            self._leave(why)

    def end(self) -> None:
        """Give the place back: nothing is written from now on, and nothing ends the process."""
        with self._changed:
            self._over = True
            self._changed.notify_all()

    def _is_past(self) -> bool:
        return self._until is not None and not self._over and self._now() >= self._until

    def _watch(self) -> None:
        with self._changed:
            while not self._over:
                if self._is_past():
                    self.lost("the lease was not renewed in time")
                    return
                left = LOOK_S if self._until is None else (self._until - self._now()) / NS
                self._changed.wait(min(max(left, 0.001), LOOK_S))
