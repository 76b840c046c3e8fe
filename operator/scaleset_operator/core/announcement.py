"""What of a window's plan is announced: which maintenances, with which numbers, times and shares.

From its announcement on a maintenance has absolute times and is not moved (M-23); one whose notice
would be too short does not take place, unless it is urgent (V-01). Must not know who is maintained.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import takewhile
from typing import Final

from scaleset_operator.api.base import Reason, format_time
from scaleset_operator.api.durations import format_duration
from scaleset_operator.api.maintenancestatus import MaintenanceWindowStatus
from scaleset_operator.api.maintenancewindow import MaintenanceWindowSpec
from scaleset_operator.api.windowledger import (
    MAX_ANNOUNCED,
    MAX_UPCOMING,
    AnnouncedOccurrence,
    MissedOccurrence,
)
from scaleset_operator.core.calendar import (
    LeftOut,
    Occurrence,
    announcement_of,
    is_strict,
    occurrences,
)
from scaleset_operator.core.schedule import EXPRESSION, ScheduleError, Span

WHOLE: Final = 100
_HASH_SHOWN: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcements:
    """All that is announced, as it now stands.

    Attributes:
        occurrences: those that are not over, the next one first.
        new: of these, those that are announced now.
        over: those that ended since the last look.
        past: when all that are over began, the latest first: none of them comes again.
        next_time: when the next one is to be announced.
        too_short: a maintenance that does not take place for want of notice, where it is the next.
    """

    occurrences: tuple[AnnouncedOccurrence, ...] = ()
    new: tuple[AnnouncedOccurrence, ...] = ()
    over: tuple[AnnouncedOccurrence, ...] = ()
    past: tuple[datetime, ...] = ()
    last_iteration: int = 0
    campaign: str = ""
    campaign_iteration: int = 0
    missed: tuple[MissedOccurrence, ...] = ()
    upcoming: tuple[datetime, ...] = ()
    next_time: datetime | None = None
    too_short: str = field(default="")


def announce(
    spec: MaintenanceWindowSpec,
    status: MaintenanceWindowStatus,
    now: datetime,
    unfinished: Sequence[int] = (),
) -> Announcements:
    """Bring what is announced up to date.

    Args:
        spec: of the window.
        status: as recorded.
        now: time of the decision.
        unfinished: iterations of which an instance is still under way: not over before (M-25).

    Raises:
        ScheduleError: nothing can be made of the spec.
    """
    state = _campaign(spec, standing(status, now, unfinished), now)
    plan = tuple(_plan(spec, state, now))
    state = _add(spec, state, plan, now)
    return replace(state, upcoming=_upcoming(spec, state, plan, now))


def _plan(spec: MaintenanceWindowSpec, state: Announcements, now: datetime) -> Iterator[Occurrence]:
    """What is not announced yet, as far ahead as matters now.

    Raises:
        ScheduleError: more would be announced at once than can be.
    """
    begin = now + spec.notify_before if is_strict(spec) else now
    yield from takewhile(lambda one: one.start < begin, _free(spec, state, now))
    first, ahead = None, 0
    for number, one in enumerate(o for o in _free(spec, state, begin) if o.start >= begin):
        first, due = first or one.start, announcement_of(one, spec)
        if number >= MAX_ANNOUNCED and due <= first:
            raise _too_many(spec)
        yield one
        ahead += due > now
        if ahead > MAX_UPCOMING and due > first:
            return


def _free(
    spec: MaintenanceWindowSpec, state: Announcements, after: datetime
) -> Iterator[Occurrence]:
    """Those that claim no instant of what is announced, and were not held already.

    The latter lie ahead again where a clock ran ahead and was put right (X-10).
    """
    fresh = (o for o in occurrences(spec, after) if o.scheduled.start not in state.past)
    return (o for o in fresh if not any(meets(o, a) for a in state.occurrences))


def standing(
    status: MaintenanceWindowStatus, now: datetime, unfinished: Sequence[int] = ()
) -> Announcements:
    """What was announced and goes on to its end, whatever became of its plan; nothing is added.

    Args:
        status: as recorded.
        now: time of the decision.
        unfinished: iterations of which an instance is still under way: not over before (M-25).
    """
    over = tuple(a for a in status.announced if _is_over(a, now, unfinished))
    kept = tuple(a for a in status.announced if a not in over)
    return Announcements(
        occurrences=kept,
        over=over,
        past=(*(a.start_time for a in reversed(over)), *status.past)[:MAX_ANNOUNCED],
        last_iteration=status.last_iteration,
        campaign=status.campaign,
        campaign_iteration=status.campaign_iteration,
        missed=status.missed,
        upcoming=tuple(a.start_time for a in kept[1 : MAX_UPCOMING + 1]),
    )


def _is_over(one: AnnouncedOccurrence, now: datetime, unfinished: Sequence[int]) -> bool:
    return now >= one.end_time and one.iteration not in unfinished


def _campaign(spec: MaintenanceWindowSpec, state: Announcements, now: datetime) -> Announcements:
    """Another updatedNodeSelector begins small again, with what has not opened yet (V-06)."""
    name = campaign_of(spec)
    if name == state.campaign:
        return state
    kept = state.occurrences
    waiting = [a.iteration for a in kept if now < (a.pre_start_time or a.start_time)]
    first = min(waiting, default=state.last_iteration + 1)
    kept = tuple(
        a
        if a.iteration not in waiting
        else a.model_copy(update={"share_percent": share(spec, a.iteration - first)})
        for a in kept
    )
    return replace(state, occurrences=kept, campaign=name, campaign_iteration=first)


def campaign_of(spec: MaintenanceWindowSpec) -> str:
    """What tells one campaign from the next: the nodes that count as updated."""
    selector = spec.updated_node_selector
    labels = sorted(selector.match_labels.items()) if selector is not None else []
    return sha256(repr(labels).encode()).hexdigest()[:_HASH_SHOWN]


def share(spec: MaintenanceWindowSpec, number: int) -> int:
    """The share of a set in the first, second and further iteration of a campaign."""
    if spec.recurring is None:
        return WHOLE
    percents = spec.iterations.percents
    return percents[min(max(0, number), len(percents) - 1)]


def _add(
    spec: MaintenanceWindowSpec, state: Announcements, plan: Sequence[Occurrence], now: datetime
) -> Announcements:
    """Announce what is due, in order."""
    announced, new, missed = list(state.occurrences), [], list(state.missed)
    number, next_time, too_short = state.last_iteration, None, ""
    for one in plan:
        due = announcement_of(one, spec)
        if due > now:
            next_time = due
            break
        if len(announced) >= MAX_ANNOUNCED:
            raise _too_many(spec)
        why = _too_late(spec, one, now)
        if why:
            too_short = too_short or why
            missed = _noted(missed, one, why)
            continue
        number += 1
        made = _announced(one, number, now, share(spec, number - state.campaign_iteration))
        announced.append(made)
        new.append(made)
    return replace(
        state,
        occurrences=tuple(sorted(announced, key=lambda a: a.start_time)),
        new=tuple(new),
        last_iteration=number,
        missed=tuple(missed[:MAX_UPCOMING]),
        next_time=next_time,
        too_short="" if announced else too_short,
    )


def _too_many(spec: MaintenanceWindowSpec) -> ScheduleError:
    given = spec.recurring.schedule if spec.recurring is not None else ""
    notice = format_duration(spec.notify_before)
    allowed = (
        f"it opens more than {MAX_ANNOUNCED} times within spec.notifyBefore ({notice}); allowed "
        "are rarer schedules, or less notice with urgent: true"
    )
    return ScheduleError(EXPRESSION, given, allowed)


def meets(one: Occurrence | LeftOut, other: AnnouncedOccurrence) -> bool:
    """Whether both claim an instant, or are the same."""
    begin = other.pre_start_time or other.start_time
    start = one.scheduled.start if isinstance(one, LeftOut) else one.start
    return start < other.end_time and begin < one.scheduled.end


def _too_late(spec: MaintenanceWindowSpec, one: Occurrence, now: datetime) -> str:
    """Why it is not held: less notice is left than was promised (V-01)."""
    left = one.start - now
    if not is_strict(spec) or left >= spec.notify_before:
        return ""
    shown = format_duration(_whole(max(left, timedelta(0))))
    least = format_duration(spec.notify_before)
    return (
        f"the maintenance of {format_time(one.start)} has {shown} of notice left and needs "
        f"{least}; urgent: true accepts less"
    )


def _whole(span: timedelta) -> timedelta:
    return timedelta(seconds=int(span.total_seconds()))


def _noted(missed: list[MissedOccurrence], one: Occurrence, why: str) -> list[MissedOccurrence]:
    """Told once: later than any that was, for the list forgets the oldest."""
    start = one.scheduled.start
    told = (m.start_time for m in missed if m.reason == Reason.NOTICE_TOO_SHORT)
    if any(start <= other for other in told):
        return missed
    note = MissedOccurrence(start_time=start, reason=Reason.NOTICE_TOO_SHORT, message=why)
    return [note, *missed]


def _announced(one: Occurrence, number: int, now: datetime, percent: int) -> AnnouncedOccurrence:
    owners: Span | None = one.self_service
    return AnnouncedOccurrence(
        iteration=number,
        announced_time=now,
        pre_start_time=None if owners is None else owners.start,
        pre_end_time=None if owners is None else owners.end,
        start_time=one.scheduled.start,
        end_time=one.scheduled.end,
        share_percent=percent,
    )


def _upcoming(
    spec: MaintenanceWindowSpec, state: Announcements, plan: Sequence[Occurrence], now: datetime
) -> tuple[datetime, ...]:
    """When scheduled windows open after the present one: as announced, then as planned.

    What was due to be announced and was not does not take place.
    """
    known = {a.start_time for a in state.occurrences[1:]}
    planned = {one.scheduled.start for one in plan if announcement_of(one, spec) > now}
    return tuple(sorted(known | planned)[:MAX_UPCOMING])
