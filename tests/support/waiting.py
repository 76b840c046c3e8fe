"""Waiting for what a test expects: on a condition, with a deadline, and never by sleep alone.

It must not know what is waited for.
"""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

EVERY_S: Final = 0.1


def wait_for(told: Callable[[], T], timeout: float, what: str, *, every: float = EVERY_S) -> T:
    """Ask until the answer is true, and give it.

    Args:
        told: asked again and again; an AssertionError counts as no, and is shown at the end.
        timeout: seconds.
        what: in words, for the failure.
        every: seconds between two questions.

    Raises:
        AssertionError: it did not come about in time; the last answer is named.
    """
    deadline = time.monotonic() + timeout
    last: object = None
    while True:
        try:
            answer = told()
        except AssertionError as no:
            last = no
        else:
            if answer:
                return answer
            last = answer
        if time.monotonic() >= deadline:
            message = f"not within {timeout:.0f} s: {what}; last seen: {last!r}"
            raise AssertionError(message)
        time.sleep(every)
