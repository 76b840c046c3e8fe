"""The key queue: each key at most once, one turn at a time for each, a few keys at once.

Wakes by event and by time; a turn that fails is tried again with growing waits. Knows nothing of
what a turn does.
"""

import asyncio
import contextlib
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, TypeVar

from scaleset_operator.reconciler.ports import Clock, Unavailable
from scaleset_operator.reconciler.stopwatch import Stopwatch

K = TypeVar("K")

FIRST_RETRY: Final = 0.005
LONGEST_RETRY: Final = 60.0
LONGEST_REST: Final = 0.25
"""Even the largest set is looked at again so soon."""
SHORTEST_REST: Final = 0.002
"""A turn shorter than this needs no rest: waiting would cost more than it spares."""
_log = logging.getLogger(__name__)


class TurnEnd(StrEnum):
    """How a turn ended."""

    DONE = "Done"
    UNAVAILABLE = "Unavailable"
    FAILED = "Failed"


@dataclass(slots=True)
class KeyQueue(Generic[K]):
    """Hands keys to workers.

    Attributes:
        turn: takes one turn for a key; returns when to look again, None for never.
        workers: turns that may be under way at once.
        ended: told of each turn: how it ended, and after how many seconds.
        beat: when the queue last looked round; 0 before it serves. Times are the loop's.
        moved: when a turn last began or ended; None before the first.
    """

    turn: Callable[[K], Awaitable[datetime | None]]
    clock: Clock
    workers: int = 5
    ended: Callable[[TurnEnd, float], None] = lambda _end, _seconds: None
    _ready: dict[K, float] = field(default_factory=dict)
    _busy: set[K] = field(default_factory=set)
    _later: list[tuple[float, int, K]] = field(default_factory=list)
    _due: dict[K, float] = field(default_factory=dict)
    _failures: dict[K, int] = field(default_factory=dict)
    _rested: dict[K, float] = field(default_factory=dict)
    _wakened: asyncio.Event = field(default_factory=asyncio.Event)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)
    beat: float = 0.0
    moved: float | None = None

    def wake(self, key: K) -> None:
        """Have a turn taken for this key soon; once, however often it is asked for.

        A key rests for as long as its last turn computed: what happens meanwhile shares one turn,
        and a set of thousands leaves half of the processor to the others.
        """
        now = asyncio.get_running_loop().time()
        rest = self._rested.get(key, 0.0) - now
        if rest > SHORTEST_REST:
            self.wake_in(key, rest)
        else:
            self._ready.setdefault(key, now)
        self._wakened.set()

    def depth(self) -> int:
        """How many keys wait for a worker; may be asked from any thread."""
        return len(self._ready)

    def oldest(self) -> float | None:
        """Since when the key that waits longest has waited; may be asked from any thread."""
        return min(list(self._ready.values()), default=None)

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            free = asyncio.Semaphore(self.workers)
            while True:
                self.beat = asyncio.get_running_loop().time()
                self._ring()
                # No wait for a worker here: turns that wait for the API server stop no heart.
                key = None if free.locked() else self._next()
                if key is None:
                    await self._rest()
                    continue
                await free.acquire()
                group.create_task(self._serve(key, free))

    def _ring(self) -> None:
        """Keep the appointments that are due."""
        now = asyncio.get_running_loop().time()
        while self._later and self._later[0][0] <= now:
            due, _, waiting = heapq.heappop(self._later)
            if self._due.get(waiting) == due:
                del self._due[waiting]
                self._ready.setdefault(waiting, now)

    def _next(self) -> K | None:
        key = next((k for k in self._ready if k not in self._busy), None)
        if key is not None:
            del self._ready[key]
            self._busy.add(key)
        return key

    async def _rest(self) -> None:
        """Sleep until the next due time or wake-up; at most a second, so that the beat is seen."""
        wait = 1.0
        if self._later:
            wait = min(wait, max(0.0, self._later[0][0] - asyncio.get_running_loop().time()))
        self._wakened.clear()
        # Not asyncio.wait_for: up to 3.11 that loses a cancellation that comes with a wake-up.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wakened.wait()

    async def _serve(self, key: K, free: asyncio.Semaphore) -> None:
        loop = asyncio.get_running_loop()
        worked = Stopwatch(self.turn(key), loop.time)
        began = self.moved = loop.time()
        end = TurnEnd.DONE
        try:
            again = await worked
        except Unavailable as fault:
            end = TurnEnd.UNAVAILABLE
            self._retry(key, fault.retry_after)
            _log.warning("%s: %s", key, fault)
        except Exception:  # noqa: BLE001 - one broken resource never stops the others
            end = TurnEnd.FAILED
            self._retry(key, 1.0)
            _log.exception("%s: the turn failed", key)
        else:
            self._failures.pop(key, None)
            if again is not None:
                self.wake_in(key, (again - self.clock.now()).total_seconds())
        finally:
            self.moved = loop.time()
            self.ended(end, self.moved - began)
            self._busy.discard(key)
            self._rest_for(key, worked.seconds)
            free.release()
            self._wakened.set()

    def _rest_for(self, key: K, seconds: float) -> None:
        """The key rests as long as its turn computed; a wake-up in between waits for that."""
        now = asyncio.get_running_loop().time()
        self._rested = {k: until for k, until in self._rested.items() if until > now}
        self._rested[key] = now + min(seconds, LONGEST_REST)
        if key in self._ready:
            del self._ready[key]
            self.wake(key)

    def _retry(self, key: K, at_least: float) -> None:
        times = self._failures.get(key, 0)
        self._failures[key] = times + 1
        self.wake_in(key, max(at_least, min(FIRST_RETRY * 2.0**times, LONGEST_RETRY)))

    def wake_in(self, key: K, seconds: float) -> None:
        """Have a turn taken after this time; an earlier appointment stands."""
        due = asyncio.get_running_loop().time() + max(0.0, seconds)
        if self._due.get(key, due) < due:
            return
        self._due[key] = due
        heapq.heappush(self._later, (due, next(self._order), key))
        self._wakened.set()
