"""The status of a MaintenanceWindow in words: counts over its sets, conditions, what is made known.

Adds nothing to what was announced and done.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from scaleset_operator.api.base import ConditionStatus, Reason, format_time
from scaleset_operator.api.maintenanceledger import SetIteration
from scaleset_operator.api.maintenancestatus import (
    ActiveWindow,
    InstanceCounts,
    LastOperation,
)
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import (
    MAX_NOTICES,
    MAX_WORDS,
    AnnouncedOccurrence,
    NoticeKind,
    PendingNotice,
)
from scaleset_operator.core.announcement import Announcements
from scaleset_operator.core.calendar import active_window, occurrence_of
from scaleset_operator.core.conditions import Word

TRUE, FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """The next maintenance of a window, or the open one, with the rows of its sets."""

    occurrence: AnnouncedOccurrence
    rows: tuple[SetIteration, ...]
    now: datetime

    @property
    def phase(self) -> ActiveWindow:
        """Which of its windows is open."""
        return active_window(occurrence_of(self.occurrence), self.now)

    @property
    def counts(self) -> InstanceCounts:
        """Summed over the sets."""
        return counted(self.rows)


def counted(rows: Sequence[SetIteration]) -> InstanceCounts:
    """The instances of one iteration, over all sets."""
    return InstanceCounts(
        targeted=sum(r.targeted for r in rows),
        pending=sum(r.pending for r in rows),
        in_progress=sum(r.in_progress for r in rows),
        completed=sum(r.completed for r in rows),
        aborted=sum(r.aborted for r in rows),
    )


def last_operation(
    rows: Sequence[SetIteration], before: LastOperation | None
) -> LastOperation | None:
    """The latest on any instance; what was last stays after its iteration (V-16)."""
    found = [r.last_operation for r in rows if r.last_operation is not None]
    found += [before] if before is not None else []
    return max(found, key=lambda one: (one.time, one.instance), default=None)


def words(
    window: MaintenanceWindow, plan: Announcements, present: Present | None, no_pair: str | None
) -> Iterator[Word]:
    """The conditions of a window whose plan can be used."""
    if no_pair is not None:
        yield Word("Accepted", FALSE, Reason.INVALID_PAIR, no_pair)
    else:
        yield Word("Accepted", TRUE, Reason.VALID, "")
    yield _announced(window, plan, present)
    yield _open("SelfServiceOpen", present, ActiveWindow.SELF_SERVICE)
    yield _open("ScheduledOpen", present, ActiveWindow.SCHEDULED)
    yield _progressing(window, present)
    yield _completed(present)
    if no_pair is not None:
        yield Word("Ready", FALSE, Reason.INVALID_PAIR, no_pair)
    else:
        yield Word("Ready", TRUE, Reason.VALID, "urgent" if window.spec.urgent else "")


def _announced(window: MaintenanceWindow, plan: Announcements, present: Present | None) -> Word:
    if present is not None:
        one = present.occurrence
        when = format_time(one.pre_start_time or one.start_time)
        urgent = "urgent: " if window.spec.urgent else ""
        message = f"{urgent}iteration {one.iteration} begins at {when}"
        return Word("Announced", TRUE, Reason.ANNOUNCED, message)
    if plan.too_short:
        return Word("Announced", FALSE, Reason.NOTICE_TOO_SHORT, plan.too_short)
    if plan.next_time is not None:
        message = f"the next is announced at {format_time(plan.next_time)}"
        return Word("Announced", FALSE, Reason.NOT_ANNOUNCED, message)
    return Word("Announced", FALSE, Reason.NOTHING_AHEAD, "it does not open again")


def _open(kind: str, present: Present | None, which: ActiveWindow) -> Word:
    if present is not None and present.phase is which:
        return Word(kind, TRUE, Reason.WINDOW_OPEN, "")
    return Word(kind, FALSE, Reason.WINDOW_CLOSED, "")


def _progressing(window: MaintenanceWindow, present: Present | None) -> Word:
    kind = "Progressing"
    rows = () if present is None else present.rows
    busy = sum(r.in_progress for r in rows)
    if busy:
        return Word(kind, TRUE, Reason.MAINTENANCE_IN_PROGRESS, f"{busy} under way")
    stopped = next((r.stopped for r in rows if r.stopped is not None), None)
    if stopped is not None:
        return Word(kind, FALSE, Reason.MAINTENANCE_STOPPED, stopped.message)
    if window.spec.suspend:
        return Word(kind, FALSE, Reason.WINDOW_SUSPENDED, "spec.suspend")
    held = next((r for r in rows if r.waits_for and r.pending), None)
    if held is not None and held.waits_for is not None:
        return Word(kind, FALSE, held.waits_for, held.message)
    return Word(kind, FALSE, Reason.NOTHING_TO_DO, "nothing is under way")


def _completed(present: Present | None) -> Word:
    kind = "Completed"
    if present is None:
        return Word(kind, FALSE, Reason.NOTHING_AHEAD, "no maintenance is announced")
    counts = present.counts
    done = f"{counts.completed} of {counts.targeted} done"
    left = counts.pending + counts.in_progress + counts.aborted
    if counts.targeted and not left:
        return Word(kind, TRUE, Reason.NOTHING_TO_DO, done)
    return Word(kind, FALSE, Reason.ANNOUNCED, f"{done}, {counts.aborted} left out")


def due(
    window: MaintenanceWindow,
    plan: Announcements,
    present: Present | None,
    ended: Sequence[tuple[AnnouncedOccurrence, InstanceCounts]],
    now: datetime,
) -> tuple[tuple[PendingNotice, ...], tuple[NoticeKind, ...]]:
    """What is to be made known now, once for each phase of an iteration (V-23, V-24, V-26).

    Args:
        window: with what was made known before.
        plan: what is announced.
        present: the next or open maintenance.
        ended: those that are over now, with their counts.
        now: time of the decision.

    Returns:
        New notices, and the kinds that the present iteration has had.
    """
    new: list[PendingNotice] = []
    audiences = window.spec.audiences

    def add(kind: NoticeKind, iteration: int, message: str) -> None:
        notice = PendingNotice(kind=kind, iteration=iteration, time=now, audiences=audiences)
        new.append(notice.model_copy(update={"message": message[:MAX_WORDS]}))

    for one in plan.new:
        add(NoticeKind.ANNOUNCED, one.iteration, f"from {format_time(opening(one))}")
    for one, counts in ended:
        result = f"{counts.completed} of {counts.targeted} done, {counts.aborted} aborted"
        add(NoticeKind.ENDED, one.iteration, result)
    if present is None:
        return tuple(new), ()
    same = window.status.iteration == present.occurrence.iteration
    had = list(window.status.last_notices) if same else [NoticeKind.ANNOUNCED]
    for kind, message in _phases(present):
        if kind not in had:
            had.append(kind)
            add(kind, present.occurrence.iteration, message)
    return tuple(new), tuple(had)


def opening(one: AnnouncedOccurrence) -> datetime:
    """Its first instant."""
    return one.pre_start_time or one.start_time


def _phases(present: Present) -> Iterator[tuple[NoticeKind, str]]:
    counts, one = present.counts, present.occurrence
    if present.phase is ActiveWindow.SELF_SERVICE and one.pre_end_time is not None:
        yield NoticeKind.SELF_SERVICE_OPENED, f"until {format_time(one.pre_end_time)}"
    if present.phase is ActiveWindow.SCHEDULED:
        message = f"until {format_time(one.end_time)}, {counts.pending} to be moved"
        yield NoticeKind.SCHEDULED_OPENED, message
    if counts.in_progress or counts.completed:
        yield NoticeKind.STARTED, f"of {counts.targeted} instances"
    stopped = next((r.stopped for r in present.rows if r.stopped is not None), None)
    if stopped is not None:
        yield NoticeKind.STOPPED, stopped.message


def waiting(
    before: Sequence[PendingNotice], new: Sequence[PendingNotice]
) -> tuple[PendingNotice, ...]:
    """Those that somebody has not had yet, oldest first, bounded."""
    found = [one for one in (*before, *new) if one.audiences]
    return tuple(found[-MAX_NOTICES:])


EVENTS = {
    NoticeKind.ANNOUNCED: Reason.ANNOUNCED,
    NoticeKind.SELF_SERVICE_OPENED: Reason.SELF_SERVICE_OPENED,
    NoticeKind.SCHEDULED_OPENED: Reason.SCHEDULED_OPENED,
    NoticeKind.STARTED: Reason.MAINTENANCE_STARTED,
    NoticeKind.STOPPED: Reason.MAINTENANCE_STOPPED,
    NoticeKind.ENDED: Reason.MAINTENANCE_ENDED,
}
"""The Event that says the same."""
