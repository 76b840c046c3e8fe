"""A year of a zone's clocks, step by step: when a schedule opens, found by walking.

Shares no code with what it is to check: no cron library, no reasoning about clock changes.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Callable

ZONES: Final = ("Europe/Amsterdam", "America/Havana", "Australia/Lord_Howe", "UTC")
"""An hour at night, an hour at midnight, half an hour, and none."""
BEGIN: Final = datetime(2026, 12, 25, tzinfo=UTC)
MINUTE: Final = timedelta(minutes=1)
STEP: Final = 5 * MINUTE
"""All times that are looked for, and all clock changes of the year, are multiples of it."""
STEPS: Final = 425 * 24 * 12
END: Final = BEGIN + STEPS * STEP
_ZERO: Final = datetime(2026, 1, 1)  # noqa: DTZ001 - what clocks show has no zone


@dataclass(frozen=True)
class Pattern:
    """What a schedule names, and the same as cron writes it."""

    days: Callable[[date], bool]
    cron_days: str
    hours: tuple[int, ...]
    minutes: tuple[int, ...]

    @property
    def cron(self) -> str:
        """The expression."""
        minutes, hours = (",".join(map(str, part)) for part in (self.minutes, self.hours))
        return f"{minutes} {hours} {self.cron_days}"


def last_of_month(day: date) -> bool:
    return (day + timedelta(days=1)).day == 1


def second_tuesday(day: date) -> bool:
    return day.weekday() == 1 and 8 <= day.day <= 14


DAYS: Final[tuple[tuple[Callable[[date], bool], str], ...]] = (
    (lambda _: True, "* * *"),
    (lambda day: day.weekday() == 6, "* * SUN"),
    (second_tuesday, "* * TUE#2"),
    (last_of_month, "L * *"),
    (lambda day: day.month in (3, 10, 11) and day.day <= 14, "1-14 3,10,11 *"),
    (lambda day: day.weekday() < 5, "* * 1-5"),
)


@cache
def clocks(zone: str) -> list[int]:
    """For each step of UTC the latest time that the clocks have shown by then."""
    shown, latest, place = [], 0, ZoneInfo(zone)
    for number in range(STEPS):
        local = (BEGIN + number * STEP).astimezone(place).replace(tzinfo=None)
        latest = max(latest, (local - _ZERO) // MINUTE)
        shown.append(latest)
    return shown


def opens(pattern: Pattern, zone: str) -> list[datetime]:
    """The first step at which the clocks show each named time or a later one, each once."""
    shown = clocks(zone)
    found: list[datetime] = []
    for number in range(430):
        day = date(2026, 12, 24) + timedelta(days=number)
        if not pattern.days(day):
            continue
        midnight = (datetime(day.year, day.month, day.day) - _ZERO) // MINUTE  # noqa: DTZ001 - as _ZERO
        for time in sorted(60 * h + m for h in pattern.hours for m in pattern.minutes):
            place = bisect_left(shown, midnight + time)
            step = BEGIN + place * STEP
            if 0 < place < STEPS and (not found or found[-1] != step):
                found.append(step)
    return found


def days_of(zone: str, start: datetime, end: datetime) -> set[date]:
    """Days that the clocks show in a span."""
    place, moments = ZoneInfo(zone), [end - STEP]
    while start < end:
        moments.append(start)
        start += timedelta(hours=6)
    return {moment.astimezone(place).date() for moment in moments}
