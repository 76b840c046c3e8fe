"""What the prober's processes have counted, summed up over all of them, on both sides of the link.

The child counts each attempt here and tells the sums with its heartbeat; the operator adds up what
one process after the other told. Must not import anything beyond the standard library and its own
package: the child loads it.
"""

from bisect import bisect_left
from collections import deque
from typing import Final

from scaleset_operator.adapters.prober.counts import (
    DURATION_BOUNDS_NS,
    DURATIONS,
    NO_COUNTS,
    RESULTS,
    Counts,
)
from scaleset_operator.adapters.prober.wire import Code, Heartbeat

LAG_WINDOW_NS: Final = 60_000_000_000


class Tally:
    """The child's own: attempts by result and by duration; references are left out."""

    __slots__ = ("_durations", "_results", "_spent_ns")

    def __init__(self) -> None:
        self._results = [0] * RESULTS
        self._durations = [0] * DURATIONS
        self._spent_ns = 0

    def add(self, code: Code, took_ns: int) -> None:
        """Counts one attempt that ended."""
        self._results[code] += 1
        self._durations[bisect_left(DURATION_BOUNDS_NS, took_ns)] += 1
        self._spent_ns += took_ns

    def counts(self, voided: int) -> Counts:
        """The sums so far; attempts that the prober spoiled have no duration."""
        results = (voided, *self._results[1:])
        return Counts(results, tuple(self._durations), self._spent_ns)


class Totals:
    """The operator's: over all processes, one after the other. May be read from any thread."""

    def __init__(self) -> None:
        self._sums = (NO_COUNTS, NO_COUNTS)
        self._lags: deque[tuple[int, int]] = deque()

    def beat(self, heartbeat: Heartbeat) -> None:
        """Takes in a heartbeat of the present process."""
        self._sums = (self._sums[0], heartbeat.counts)
        self._lags.append((heartbeat.boottime, heartbeat.lag))
        while self._lags[0][0] < heartbeat.boottime - LAG_WINDOW_NS:
            self._lags.popleft()

    def process_ended(self) -> None:
        """The next process counts from 0."""
        self._sums = (self.counts(), NO_COUNTS)

    def counts(self) -> Counts:
        """The sums over all processes so far."""
        past, present = self._sums
        return Counts(
            _plus(past.results, present.results),
            _plus(past.durations, present.durations),
            past.spent_ns + present.spent_ns,
        )

    def lag_ns(self, now_ns: int) -> int:
        """The longest delay of an attempt behind its due time within the last minute."""
        recent = [lag for at, lag in list(self._lags) if at >= now_ns - LAG_WINDOW_NS]
        return max(recent, default=0)


def _plus(some: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(int.__add__, some, more))
