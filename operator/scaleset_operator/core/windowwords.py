"""The status of a MaintenanceWindow in words: counts over its sets, conditions, what is made known.

Adds nothing to what was announced and done.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from scaleset_operator.api.base import ConditionStatus, Reason, format_time
from scaleset_operator.api.maintenanceledger import SetIteration
from scaleset_operator.api.maintenancestatus import (
    ActiveWindow,
    LastOperation,
)
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import (
    MAX_NOTICES,
    MAX_WORDS,
    AnnouncedOccurrence,
    InstanceCounts,
    NoticeKind,
    PendingNotice,
)
from scaleset_operator.core.announcement import Announcements
from scaleset_operator.core.calendar import active_window, occurrence_of
from scaleset_operator.core.conditions import Word
from scaleset_operator.core.nodeview import NodePlan
from scaleset_operator.core.plan import Note

TRUE, FALSE = ConditionStatus.TRUE, ConditionStatus.FALSE
NODE_WORK = "NodeWork"
"""The condition of windows that work on nodes."""


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


class Refused(NamedTuple):
    """Why a window is not accepted; what was announced goes on all the same."""

    reason: Reason
    message: str


def words(
    window: MaintenanceWindow, plan: Announcements, present: Present | None, no: Refused | None
) -> Iterator[Word]:
    """The conditions of a window."""
    if no is not None:
        yield Word("Accepted", FALSE, *no)
    else:
        yield Word("Accepted", TRUE, Reason.VALID, "")
    if no is not None and no.reason is Reason.INVALID_SCHEDULE and present is None:
        yield Word("Announced", FALSE, *no)
    else:
        yield _announced(window, plan, present)
    yield _open("SelfServiceOpen", present, ActiveWindow.SELF_SERVICE)
    yield _open("ScheduledOpen", present, ActiveWindow.SCHEDULED)
    yield _progressing(window, present)
    yield _completed(present)
    if no is not None:
        yield Word("Ready", FALSE, *no)
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


def node_word(plan: NodePlan) -> Word:
    """Which node is worked on and how far it is, or why none is."""
    work = plan.work
    if work is None:
        return Word(NODE_WORK, FALSE, plan.reason, plan.words)
    return Word(NODE_WORK, TRUE, Reason.NODE_CORDONED, plan.words or f"{work.node}: {work.phase}")


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
    found: list[_Said] = [
        (NoticeKind.ANNOUNCED, one.iteration, f"from {format_time(opening(one))}", None)
        for one in plan.new
    ]
    for one, counts in ended:
        result = f"{counts.completed} of {counts.targeted} done, {counts.aborted} aborted"
        found.append((NoticeKind.ENDED, one.iteration, result, counts))
    had: list[NoticeKind] = []
    if present is not None:
        number = present.occurrence.iteration
        same = window.status.iteration == number
        had = list(window.status.last_notices) if same else [NoticeKind.ANNOUNCED]
        fresh = [said for said in _phases(present) if said[0] not in had]
        had += [kind for kind, _ in fresh]
        found += [(kind, number, message, present.counts) for kind, message in fresh]
    return tuple(_notice(window, now, said) for said in found), tuple(had)


_Said = tuple[NoticeKind, int, str, InstanceCounts | None]
"""What is told, of which iteration, in words, and with which counts."""


def _notice(window: MaintenanceWindow, now: datetime, said: _Said) -> PendingNotice:
    kind, iteration, message, counts = said
    who = window.spec.audiences
    notice = PendingNotice(kind=kind, iteration=iteration, time=now, audiences=who)
    return notice.model_copy(update={"message": message[:MAX_WORDS], "instances": counts})


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
) -> tuple[tuple[PendingNotice, ...], tuple[PendingNotice, ...]]:
    """Those that somebody has not had yet, oldest first, and those that are one too many.

    Whatever an audience is not told has that many newer ones waiting for it, or for others.
    """
    found = tuple(one for one in (*before, *new) if one.audiences)
    return found[-MAX_NOTICES:], found[:-MAX_NOTICES]


def dropped(notice: PendingNotice) -> Note:
    """Said of a notice that nobody is told of any more."""
    who = ", ".join(notice.audiences)
    why = f"{MAX_NOTICES} newer notifications of this window wait"
    message = f"{who} was not told of {notice.iteration}/{notice.kind}: {why}"
    return Note(reason=Reason.NOTIFICATION_FAILED, message=message, warning=True)


EVENTS = {
    NoticeKind.ANNOUNCED: Reason.ANNOUNCED,
    NoticeKind.SELF_SERVICE_OPENED: Reason.SELF_SERVICE_OPENED,
    NoticeKind.SCHEDULED_OPENED: Reason.SCHEDULED_OPENED,
    NoticeKind.STARTED: Reason.MAINTENANCE_STARTED,
    NoticeKind.STOPPED: Reason.MAINTENANCE_STOPPED,
    NoticeKind.ENDED: Reason.MAINTENANCE_ENDED,
}
"""The Event that says the same."""
