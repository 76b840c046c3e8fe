"""Waiting on conditions: until something holds, or as long as something must hold.

Every wait has a deadline and says what it waited for. Must not know what is looked at.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

DEADLINE_S: Final = 60.0
LOOK_S: Final = 0.2
_PAUSE: Final = threading.Event()


def eventually(
    look: Callable[[], T | None],
    what: str,
    *,
    seconds: float = DEADLINE_S,
    every: float = LOOK_S,
    told: Callable[[], object] | None = None,
) -> T:
    """Look until what is seen is true, and give it.

    Args:
        look: may itself assert what must never be seen, and so fail at once.
        what: is waited for, in words.
        seconds: the deadline.
        every: so many seconds it is looked again.
        told: called at the deadline: what a person wants to read then.
    """
    deadline = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > deadline:
            detail = f": {told()}" if told is not None else ""
            message = f"not within {seconds:.0f} s: {what}{detail}"
            raise AssertionError(message)
        _PAUSE.wait(every)
    return seen


def throughout(seconds: float, look: Callable[[], object]) -> int:
    """Look again and again for so long; `look` asserts. Gives how often it looked."""
    deadline = time.monotonic() + seconds
    times = 0
    while time.monotonic() < deadline:
        look()
        times += 1
        _PAUSE.wait(LOOK_S)
    return times
