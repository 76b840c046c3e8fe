"""When a target is probed: its place on the interval, and a wheel of what is due.

Pure arithmetic on nanoseconds. Must not know sockets, processes or the clock: `now` is given.
"""

from heapq import heappop, heappush
from typing import Final, Generic, TypeVar

Item = TypeVar("Item")

TICK_BITS: Final = 23
"""One slot of the wheel is 2**23 ns, about 8 ms: what begins together shares the system calls of
the loop, which costs a third less than slots of 1 ms."""

FIRST_WITHIN_NS: Final = 1_000_000_000
"""An attempt that our own stall spoiled is made again within this, or within its interval."""

NEWCOMER_GAP_NS: Final = 100_000
"""Between the first attempts on new targets: one alone is tried at once, 10,000 take a second."""

JITTER_PERCENT: Final = 2
"""To either side of the place on the interval, so that no two stay in step for ever (P-27)."""

_ONE_TICK_LESS: Final = (1 << TICK_BITS) - 1


class Wheel(Generic[Item]):
    """Items by the tick they fall due in: constant cost, however many there are.

    Nothing is ever taken out early: whoever adds an item judges on its return whether it still
    matters.
    """

    __slots__ = ("_slots", "_ticks")

    def __init__(self) -> None:
        self._slots: dict[int, list[Item]] = {}
        self._ticks: list[int] = []

    def add(self, when_ns: int, item: Item) -> None:
        """Files an item; it comes back at its time or up to one tick later, never before."""
        tick = (when_ns + _ONE_TICK_LESS) >> TICK_BITS
        slot = self._slots.get(tick)
        if slot is None:
            self._slots[tick] = [item]
            heappush(self._ticks, tick)
        else:
            slot.append(item)

    def next_ns(self) -> int | None:
        """When the next item falls due; None when there is none."""
        return self._ticks[0] << TICK_BITS if self._ticks else None

    def due(self, now_ns: int) -> list[Item]:
        """Takes out what has fallen due, earliest tick first."""
        tick_now = now_ns >> TICK_BITS
        ticks = self._ticks
        items: list[Item] = []
        while ticks and ticks[0] <= tick_now:
            items += self._slots.pop(heappop(ticks))
        return items


def first_due(now_ns: int, interval_ns: int, seed: int) -> int:
    """When a target whose attempt was spoiled is tried again: soon, and not all at once.

    Args:
        now_ns: the present.
        interval_ns: its interval.
        seed: 32 bits, from the pod's UID.
    """
    return now_ns + (seed * min(interval_ns, FIRST_WITHIN_NS) >> 32)


def next_due(begun_ns: int, interval_ns: int, seed: int) -> int:
    """When a target is tried again: its place on the interval, give or take the jitter (P-27).

    The place depends on the seed alone, so it survives a restart. The gap to an attempt that began
    in its place is one interval, to one that began elsewhere half to one and a half.

    Args:
        begun_ns: when the last attempt began.
        interval_ns: its interval.
        seed: 32 bits, from the pod's UID.
    """
    phase = seed * interval_ns >> 32
    turn = -(-(begun_ns + interval_ns // 2 - phase) // interval_ns)
    span = interval_ns * JITTER_PERCENT // 100
    mixed = ((seed ^ (turn * 0x9E3779B1)) * 0x85EBCA6B) & 0xFFFFFFFF
    return phase + turn * interval_ns + (mixed * (2 * span + 1) >> 32) - span
