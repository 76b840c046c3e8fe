"""How many writes at once, and how fast: what keeps a burst of ours from hurting the API server.

Must not know: what is written, or to where.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Final

from scaleset_operator.reconciler.ports import Unavailable

START: Final = 8
MOST: Final = 64
SLOW_S: Final = 1.0
"""A mutating call's p99 by the objective of Kubernetes itself; above it, fewer at once."""
WINDOW: Final = 100
"""Latencies that one p99 is taken from."""
HALVING_GAP_S: Final = 1.0
"""One overload answers many calls at once and must halve once."""

BURST: Final = 100
"""Publications waiting at once from which on they are paced."""
PUBLISH_GAP_S: Final = 1 / 50


class Urgency(IntEnum):
    """Who goes first when slots are short."""

    ACT = 0
    RECORD = 1
    PUBLISH = 2
    TELL = 3


class AdaptiveLimit:
    """Slots for writes: one more after each round that went well, half after an overload.

    A Retry-After of the server holds everything: whoever comes meanwhile gets Unavailable with the
    seconds left, and nothing is sent.
    """

    def __init__(self, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._limit = float(START)
        self._busy = 0
        self._waiters: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._latencies: list[float] = []
        self._held_until = 0.0
        self._halved_at = float("-inf")

    @property
    def limit(self) -> int:
        """Writes that may be on their way at once."""
        return int(self._limit)

    @asynccontextmanager
    async def slot(self, urgency: Urgency) -> AsyncIterator[None]:
        """Holds one slot, and learns from how the call in it ended.

        Raises:
            Unavailable: the server asked to be left alone.
        """
        self.check_hold()
        await self._acquire(urgency)
        try:
            self.check_hold()
            begun = self._monotonic()
            yield
            self._went_well(self._monotonic() - begun)
        finally:
            self._busy -= 1
            self._admit()

    def overloaded(self, retry_after: float) -> None:
        """Takes note of a 429 or 503, with the seconds the server asked for."""
        now = self._monotonic()
        self._held_until = max(self._held_until, now + retry_after)
        self._halve(now)

    def check_hold(self) -> None:
        """Raises Unavailable while the server wants to be left alone."""
        left = self._held_until - self._monotonic()
        if left > 0:
            message = f"the API server asked for no request in the next {left:.1f} s"
            raise Unavailable(message, left)

    async def _acquire(self, urgency: Urgency) -> None:
        if self._busy < self.limit and not self._waiters:
            self._busy += 1
            return
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (urgency, next(self._order), admitted))
        try:
            await admitted
        except asyncio.CancelledError:
            if not admitted.cancelled():  # Admitted and cancelled in one breath.
                self._busy -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiters and self._busy < self.limit:
            admitted = heapq.heappop(self._waiters)[2]
            if not admitted.done():
                self._busy += 1
                admitted.set_result(None)

    def _went_well(self, seconds: float) -> None:
        if self._busy >= self.limit:  # Only a limit that is used up says that more would go well.
            self._limit = min(MOST, self._limit + 1 / self._limit)
        self._latencies.append(seconds)
        if len(self._latencies) == WINDOW:
            p99 = sorted(self._latencies)[-2]
            self._latencies.clear()
            if p99 > SLOW_S:
                self._halve(self._monotonic())

    def _halve(self, now: float) -> None:
        if now - self._halved_at >= HALVING_GAP_S:
            self._halved_at = now
            self._limit = max(1.0, self._limit / 2)


class Pace:
    """Lets few pass at once and many only one after the other (at most 50/s)."""

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._monotonic = monotonic
        self._sleep = sleep
        self._inside = 0
        self._next = 0.0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits for its turn; the block is counted as waiting until it is left."""
        self._inside += 1
        try:
            if self._inside > BURST:
                now = self._monotonic()
                self._next = max(self._next, now) + PUBLISH_GAP_S
                await self._sleep(self._next - now)
            yield
        finally:
            self._inside -= 1
