"""When maintenance is: the occurrences of a window, each with its two spans, in absolute time.

No instant is in two spans, of one occurrence or of several (M-05).
Must not know: the present time, or what is done in a window.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from scaleset_operator.api.maintenancestatus import ActiveWindow, Impact
from scaleset_operator.api.maintenancewindow import MaintenanceWindowSpec, OnceWindow, TimeRange
from scaleset_operator.api.windowledger import AnnouncedOccurrence
from scaleset_operator.core.schedule import Schedule, Span, read_schedule
from scaleset_operator.core.windowrules import check

EARLY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One maintenance: the owners' window, if there is one, and the operator's after it (V-08)."""

    self_service: Span | None
    scheduled: Span

    @property
    def start(self) -> datetime:
        """Its first instant."""
        return (self.self_service or self.scheduled).start


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A time that the schedule names and that is no maintenance, for it touches a blackout date."""

    scheduled: Span
    blackout: date


def occurrence_of(announced: AnnouncedOccurrence) -> Occurrence:
    """The spans of a maintenance that was announced: absolute, whatever became of its plan."""
    owners = None
    if announced.pre_start_time is not None and announced.pre_end_time is not None:
        owners = Span(announced.pre_start_time, announced.pre_end_time)
    return Occurrence(owners, Span(announced.start_time, announced.end_time))


def agenda(spec: MaintenanceWindowSpec, after: datetime) -> Iterator[Occurrence | LeftOut]:
    """What of a plan is not over at an instant, in order, for the next eight years.

    Raises:
        ScheduleError: before anything is given: the spec cannot be used.
    """
    check(spec)
    if spec.recurring is None:
        return iter(_once(spec.once, after))
    schedule = read_schedule(spec.recurring, after)
    return _recurring(schedule, spec.recurring.self_service_lead, after)


def occurrences(spec: MaintenanceWindowSpec, after: datetime) -> Iterator[Occurrence]:
    """Those of the agenda that take place; raises as `agenda`."""
    return (found for found in agenda(spec, after) if isinstance(found, Occurrence))


def announcement_of(occurrence: Occurrence, spec: MaintenanceWindowSpec) -> datetime:
    """When an occurrence is announced (V-01): a day early where no less notice is accepted.

    Else an hour without an operator, at the wrong time, would cost the whole maintenance.
    """
    early = EARLY if is_strict(spec) else timedelta(0)
    return occurrence.start - spec.notify_before - early


def is_strict(spec: MaintenanceWindowSpec) -> bool:
    """Whether a maintenance with less notice than was promised does not take place (V-01)."""
    return spec.impact is Impact.REDEPLOY and not spec.urgent


def active_window(occurrence: Occurrence, now: datetime) -> ActiveWindow:
    """Which of its two windows is open; at the instant where they meet, the later one (V-12)."""
    if occurrence.scheduled.holds(now):
        return ActiveWindow.SCHEDULED
    if occurrence.self_service is not None and occurrence.self_service.holds(now):
        return ActiveWindow.SELF_SERVICE
    return ActiveWindow.NONE


def next_transition(occurrence: Occurrence, now: datetime) -> datetime | None:
    """When one of its windows opens or closes next; None when it is over (V-11)."""
    spans = (occurrence.self_service, occurrence.scheduled)
    edges = (edge for span in spans if span is not None for edge in (span.start, span.end))
    return next((edge for edge in edges if edge > now), None)


def _once(window: OnceWindow | None, after: datetime) -> Iterator[Occurrence]:
    if window is not None and window.scheduled.end_time > after:
        owners = window.self_service
        yield Occurrence(None if owners is None else _span(owners), _span(window.scheduled))


def _span(given: TimeRange) -> Span:
    return Span(given.start_time, given.end_time)


def _recurring(
    schedule: Schedule, lead: timedelta | None, after: datetime
) -> Iterator[Occurrence | LeftOut]:
    for opening in schedule.openings(after):
        scheduled = opening.span
        if opening.blackout is not None:
            yield LeftOut(scheduled, opening.blackout)
            continue
        if lead is None:
            yield Occurrence(None, scheduled)
            continue
        begin = scheduled.start - lead
        begin = max(begin, schedule.end_before(scheduled.start, lead) or begin)
        owners = Span(begin, scheduled.start) if begin < scheduled.start else None
        yield Occurrence(owners, scheduled)
