"""When a recurring window opens: its cron expression, read by the clocks of its zone.

A time of these clocks is made an instant once and for all: the first at which they show it or a
later one. So what comes twice opens once, and what is skipped opens when the clocks go on.
Must not know: the present time, or what a window is for.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain, pairwise, takewhile
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from scaleset_operator.api.durations import format_duration
from scaleset_operator.api.maintenancewindow import MIN_DURATION, RecurringWindow

EXPRESSION: Final = "spec.recurring.schedule"
DURATION: Final = "spec.recurring.duration"
TIME_ZONE: Final = "spec.recurring.timeZone"
HORIZON: Final = timedelta(days=8 * 366)
"""29 February is at most eight years away, over 2100 as well; what is further away is a mistake."""
MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
LONGEST_REPEAT: Final = DAY
"""The most that a zone has put its clocks back at once."""
OF_THE_MACHINE: Final = ("localtime", "posixrules", "Factory", "posix/", "right/")
"""What some machines keep beside the zones: another zone on each, or seconds that are not UTC's."""
CRON_ALLOWED: Final = (
    "minute, hour, day of month, month and day of week, such as 0 2 * * TUE#2 or 30 1 L * *"
)


class ScheduleError(Exception):
    """A window that cannot be used, and why.

    Attributes:
        field: its path in the resource.
        value: what stands there.
        allowed: what could.
    """

    def __init__(self, field: str, value: object, allowed: str) -> None:
        super().__init__(f"{field} is {str(value)!r}: {allowed}")
        self.field = field
        self.value = value
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time, half-open: its end belongs to what comes after it (M-05)."""

    start: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        """Whether an instant is in it."""
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class Opening:
    """One time that a schedule names.

    Attributes:
        blackout: the day for which it is left out.
    """

    span: Span
    blackout: date | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A recurring window whose expression and zone could be read."""

    expression: str
    zone: ZoneInfo
    duration: timedelta
    blackout_dates: frozenset[date]

    def openings(self, after: datetime) -> Iterator[Opening]:
        """Those whose span ends after an instant, in order, for as long as the horizon is."""
        local = self._local(after - self.duration)
        near = takewhile(lambda start: start - after <= HORIZON, self._instants(local))
        for start, following in pairwise(chain(near, (datetime.max.replace(tzinfo=UTC),))):
            if min(start + self.duration, following) > after:
                yield self._opening(start, following)

    def end_before(self, start: datetime, reach: timedelta) -> datetime | None:
        """The end of the last span before an opening that is not left out, if it is in reach."""
        following = start
        sim = CronSim(self.expression, self._local(start) + LONGEST_REPEAT, reverse=True)
        begins = (resolved(local, self.zone) for local in sim)
        for begin in takewhile(lambda begin: begin + self.duration > start - reach, begins):
            if begin < following:
                found = self._opening(begin, following)
                if found.blackout is None:
                    return found.span.end
                following = begin
        return None

    def too_short_distance(self, after: datetime, least: timedelta) -> timedelta | None:
        """From one opening to the next by the zone's clocks, where that is ever below `least`."""
        local = self._local(after)
        sim = CronSim(self.expression, local)
        times = sorted(timedelta(hours=h, minutes=m) for h in sim.hours for m in sim.minutes)
        distances = [later - one for one, later in pairwise(times)]
        over_night = times[0] - times[-1]
        if over_night + DAY < least:
            _, _, *days = self.expression.split()
            midnights = CronSim(" ".join(("0", "0", *days)), local)
            near = takewhile(lambda day: day - local <= HORIZON, midnights)
            distances += [later - one + over_night for one, later in pairwise(near)]
        shortest = min(distances, default=least)
        return shortest if shortest < least else None

    def _instants(self, local: datetime) -> Iterator[datetime]:
        """Every opening from a local time on, each instant once."""
        last: datetime | None = None
        for time in CronSim(self.expression, local - timedelta(seconds=1)):
            instant = resolved(time, self.zone)
            if instant != last:
                yield instant
            last = instant

    def _opening(self, start: datetime, following: datetime) -> Opening:
        span = Span(start, min(start + self.duration, following))
        first = self._local(span.start).date()
        last = self._local(span.end - timedelta.resolution).date()
        touched = (day for day in sorted(self.blackout_dates) if first <= day <= last)
        return Opening(span, next(touched, None))

    def _local(self, moment: datetime) -> datetime:
        """What the zone's clocks show."""
        return moment.astimezone(self.zone).replace(tzinfo=None)


def resolved(local: datetime, zone: ZoneInfo) -> datetime:
    """The first instant at which the clocks of a zone show a time or a later one, in UTC."""
    while True:
        moment = local.replace(tzinfo=zone).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) == local:
            return moment
        local += MINUTE


def read_schedule(window: RecurringWindow, after: datetime) -> Schedule:
    """The schedule of a window, fit for use from an instant on.

    Raises:
        ScheduleError: no expression, no zone; it never opens, or overlaps itself.
    """
    schedule = Schedule(
        expression=window.schedule,
        zone=_zone(window.time_zone),
        duration=window.duration,
        blackout_dates=frozenset(window.blackout_dates),
    )
    try:
        CronSim(schedule.expression, after.replace(tzinfo=None))
    except CronSimError as fault:
        allowed = f"{str(fault).lower()}; allowed are {CRON_ALLOWED}"
        raise ScheduleError(EXPRESSION, window.schedule, allowed) from fault
    if next(schedule.openings(after), None) is None:
        allowed = "it does not open within 8 years; allowed are days that come within them"
        raise ScheduleError(EXPRESSION, window.schedule, allowed)
    _refuse_overlap(schedule, after, MINUTE if window.self_service_lead else timedelta(0))
    return schedule


def _refuse_overlap(schedule: Schedule, after: datetime, left: timedelta) -> None:
    """No window may reach into the next one; where owners go first, each leaves them time."""
    distance = schedule.too_short_distance(after, schedule.duration + left)
    if distance is None:
        return
    least, far = format_duration(MIN_DURATION), format_duration(distance)
    if distance - left < MIN_DURATION:
        rarer = format_duration(MIN_DURATION + left)
        allowed = (
            f"it opens {far} after it opened; allowed are schedules that leave {rarer} or more"
        )
        raise ScheduleError(EXPRESSION, schedule.expression, allowed)
    given, most = format_duration(schedule.duration), format_duration(distance - left)
    allowed = f"the next window opens {far} after one opened; allowed are {least} to {most}"
    raise ScheduleError(DURATION, given, allowed)


def _zone(name: str) -> ZoneInfo:
    fault: Exception | None = None
    if not name.startswith(OF_THE_MACHINE):
        try:
            return ZoneInfo(name)
        except (KeyError, ValueError, OSError) as problem:
            fault = problem
    allowed = "no such time zone; allowed are names of the time zone database, as Europe/Amsterdam"
    raise ScheduleError(TIME_ZONE, name, allowed) from fault
