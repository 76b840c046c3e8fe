"""One attempt on each of a few targets, now and here: the prober's own attempts, without its loop.

For a person who asks; the operator's evidence comes from the prober alone. Must not know: verdicts.
"""

import select
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Final

from scaleset_operator.adapters.prober.attempt import Attempt, Target
from scaleset_operator.adapters.prober.engine import boottime_ns
from scaleset_operator.adapters.prober.evidence import OUTCOME_OF, TargetSpec
from scaleset_operator.adapters.prober.wire import Code
from scaleset_operator.core.attempts import Attempted

AT_ONCE: Final = 64
"""Attempts in the air; the rest wait, so that no attempt is late by our own doing."""

_FAULT: Final = select.EPOLLERR | select.EPOLLHUP


def attempt_each(targets: Sequence[TargetSpec]) -> tuple[Attempted, ...]:
    """Attempt each target once; blocks until the last has ended, min(interval, timeout) at most.

    Returns:
        What came of each, in the order of the targets.
    """
    with select.epoll() as epoll:
        found: list[Attempted] = []
        for first in range(0, len(targets), AT_ONCE):
            found += _attempt_some(targets[first : first + AT_ONCE], epoll)
        return tuple(found)


def _attempt_some(targets: Iterable[TargetSpec], epoll: select.epoll) -> list[Attempted]:
    """As many as may be in the air at once."""
    tries = [_Try(number, target) for number, target in enumerate(targets)]
    for each in tries:
        each.open(epoll)
    in_the_air = {each.attempt.fd: each for each in tries if each.ended is None}
    while in_the_air:
        next_ns = min(each.attempt.deadline_ns for each in in_the_air.values())
        for fd, events in epoll.poll(max(0, next_ns - boottime_ns()) / 1e9):
            in_the_air[fd].advance(events)
        for each in in_the_air.values():
            each.expire()
        in_the_air = {fd: each for fd, each in in_the_air.items() if each.ended is None}
    return [each.ended for each in tries if each.ended is not None]


class _Try:
    """One attempt with what a person wants to see of it."""

    def __init__(self, number: int, target: TargetSpec) -> None:
        self.attempt = Attempt(Target(target.command(number, 1)), boottime_ns())
        self.ended: Attempted | None = None
        self._connected_ns: int | None = None

    def open(self, epoll: select.epoll) -> None:
        self._note(self.attempt.open(epoll))

    def advance(self, events: int) -> None:
        if self.ended is not None:
            return
        if self._connected_ns is None and not events & _FAULT:
            self._connected_ns = boottime_ns()
        self._note(self.attempt.advance(events))

    def expire(self) -> None:
        """What comes after its time is a time-out, as for the operator (P-31)."""
        if self.ended is None and boottime_ns() >= self.attempt.deadline_ns:
            self._note(Code.TIMED_OUT)

    def _note(self, code: Code | None) -> None:
        if code is None:
            return
        attempt, now_ns = self.attempt, boottime_ns()
        connected = self._connected_ns
        self.ended = Attempted(
            outcome=OUTCOME_OF.get(int(code)),
            http_status=attempt.status,
            connected=None if connected is None else _span(connected - attempt.begun_ns),
            took=_span(now_ns - attempt.begun_ns),
            first_bytes=attempt.answer,
        )
        attempt.close()


def _span(nanoseconds: int) -> timedelta:
    return timedelta(microseconds=nanoseconds / 1_000)
