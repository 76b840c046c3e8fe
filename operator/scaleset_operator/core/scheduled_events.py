"""What the instances of a set are told of coming events, as Azure's scheduled events have it.

What all instances are told is made from the recorded status and nothing else: not from pods, which
change at other moments, nor from the clock. So every replica that has read the same status tells
the same, and what has been told is known after a crash. Another kind of event is one more source
in SOURCES. A maintenance that is ahead is told to each included instance alone, for that it is
included stands on its own pod and nowhere else.

Decides nothing. Must not know: who asks, how a document is sent, or how an approval is written.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from scaleset_operator.api.base import (
    ANNOTATION_APPROVE_TERMINATION,
    ANNOTATION_PERFORM_MAINTENANCE,
)
from scaleset_operator.api.ledger import RepairEntry, RepairPhase
from scaleset_operator.api.maintenanceledger import (
    MaintenanceEntry,
    MaintenancePhase,
    MaintenanceSummary,
    Origin,
    SetIteration,
)
from scaleset_operator.api.maintenancestatus import Impact
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.marks import Standing, standing_of
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.pause import PAUSE
from scaleset_operator.core.requests import was_requested

YES: Final = "true"
STEP: Final = 3
"""From one recorded number to the next: room for an instance's own maintenance, ahead and over."""
_NO_MAINTENANCE: Final = MaintenanceSummary()
_ID_HEX: Final = 32


class EventType(StrEnum):
    """What will happen to the instances; the words are Azure's."""

    FREEZE = "Freeze"
    REBOOT = "Reboot"
    REDEPLOY = "Redeploy"
    TERMINATE = "Terminate"


TYPES: Final[Mapping[Impact, EventType]] = {
    Impact.REDEPLOY: EventType.REDEPLOY,
    Impact.PAUSE: EventType.FREEZE,
}
"""An impact that is not felt is not told."""
_NOT_BEGUN: Final = frozenset(
    {MaintenancePhase.RECORDED, MaintenancePhase.PLACED, MaintenancePhase.LEAVING}
)
_DURATIONS: Final[Mapping[Impact, timedelta]] = {Impact.PAUSE: PAUSE}


class EventStatus(StrEnum):
    """How far it is; what is over is not told any more (V-30)."""

    SCHEDULED = "Scheduled"
    STARTED = "Started"


class EventSource(StrEnum):
    """Who wanted it."""

    PLATFORM = "Platform"
    USER = "User"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledEvent:
    """One coming event.

    Attributes:
        event_id: the same as long as the event is; in the form of a GUID.
        instances: (pod name, UID) of those that it happens to.
        not_before: it does not begin earlier, unless it is approved.
        description: why, in words.
        approval: the annotation, and its value, by which a person approves it on a pod; None where
            it begins by itself at any moment.
        open: from when until before when it may be approved; None for always.
        duration: how long the instances are away; None where that is unknown, or for ever.
    """

    event_id: str
    event_type: EventType
    instances: tuple[tuple[str, str], ...]
    not_before: datetime
    description: str
    source: EventSource
    approval: tuple[str, str] | None
    open: tuple[datetime, datetime] | None = None
    status: EventStatus = EventStatus.SCHEDULED
    duration: timedelta | None = None


Source = Callable[[ScaleSetStatus], Iterable[ScheduledEvent]]
"""From a recorded status to the events of one kind, bounded as the status is."""


def terminations(status: ScaleSetStatus) -> Iterable[ScheduledEvent]:
    """The terminate notices that were given and not yet carried out (R-51, R-54).

    One leaves with the record that its instance is on its way out: an instance that is being
    deleted learns that by SIGTERM, and its preStop hook.
    """
    for entry in status.repairs.in_flight:
        if entry.phase is RepairPhase.NOTIFIED and entry.terminate_at is not None:
            yield _termination(entry, entry.terminate_at)


def moves(status: ScaleSetStatus) -> Iterable[ScheduledEvent]:
    """Instances whose maintenance was begun, until its result is known (M-19, V-30)."""
    ledger = status.maintenance or _NO_MAINTENANCE
    for entry in ledger.in_flight:
        if entry.impact in TYPES and entry.phase is not MaintenancePhase.ENDING:
            yield _move(entry, _row(ledger, entry.mark))


SOURCES: Final[tuple[Source, ...]] = (terminations, moves)


def events_of(
    status: ScaleSetStatus, sources: Iterable[Source] = SOURCES
) -> tuple[ScheduledEvent, ...]:
    """All coming events of the set, the next one first."""
    return in_order(event for source in sources for event in source(status))


def in_order(events: Iterable[ScheduledEvent]) -> tuple[ScheduledEvent, ...]:
    """The next one first."""
    return tuple(sorted(events, key=lambda event: (event.not_before, event.event_id)))


def own_event(status: ScaleSetStatus, asker: Instance | None) -> ScheduledEvent | None:
    """The maintenance that is ahead of the asker itself; None without one.

    It is told once status and pod both say so, and until it has begun or is ahead no more.

    Args:
        status: as recorded.
        asker: the instance that asks, as its pod has it.
    """
    ledger = status.maintenance or _NO_MAINTENANCE
    row = _row(ledger, asker.mark) if asker is not None else None
    if asker is None or row is None or row.start_time is None or row.impact not in TYPES:
        return None
    begun = any(entry.instance == asker.name for entry in ledger.in_flight)
    if begun or row.stopped is not None or standing_of(asker) is not Standing.PENDING:
        return None
    closed = (row.start_time, row.start_time)
    opens, closes = row.pre_start_time, row.pre_end_time
    return ScheduledEvent(
        event_id=_id(TYPES[row.impact], f"{asker.uid}/{row.mark}"),
        event_type=TYPES[row.impact],
        instances=((asker.name, asker.uid),),
        not_before=row.start_time,
        description=f"Maintenance: {row.window}, iteration {row.iteration}",
        source=EventSource.PLATFORM,
        approval=(ANNOTATION_PERFORM_MAINTENANCE, row.window),
        open=(opens, closes) if opens is not None and closes is not None else closed,
        duration=_DURATIONS.get(row.impact),
    )


def number_for(status: ScaleSetStatus, asker: Instance | None) -> int:
    """The incarnation of the document of one instance; 0 before there was any event.

    What all are told has the recorded number. While its own maintenance is ahead it is one more,
    and afterwards two, so that another document never has the same number; STEP keeps it below the
    next recorded one.
    """
    ledger = status.maintenance or _NO_MAINTENANCE
    number = status.scheduled_events_incarnation or 0
    if asker is None or _row(ledger, asker.mark) is None:
        return number
    return number + (1 if standing_of(asker) is Standing.PENDING else STEP - 1)


def incarnation(before: ScaleSetStatus, after: ScaleSetStatus, now: datetime) -> int | None:
    """The incarnation of the document of the next status; None before there was any event.

    It stands in the status beside what the document is made from, and both are written by one
    compare and swap: so it rises with each change of what any instance is told and with nothing
    else, whoever leads, and is the same wherever that status is read. It is the time of the change
    in seconds, or a step more than the last where that is not later: it rises also where a status
    was lost.

    Args:
        before: the recorded status.
        after: the next one.
        now: of the decision.
    """
    last = before.scheduled_events_incarnation
    if _told(before) == _told(after):
        return last
    return max((last or 0) + STEP, int(now.timestamp()))


def _told(status: ScaleSetStatus) -> tuple[object, ...]:
    """All that documents are made from, but for what stands on the pods."""
    ledger = status.maintenance or _NO_MAINTENANCE
    begun = tuple(sorted((entry.instance, entry.mark) for entry in ledger.in_flight))
    rows = tuple(
        (row.mark, row.impact, row.pre_start_time, row.pre_end_time, row.start_time)
        for row in ledger.iterations
        if row.stopped is None
    )
    return (events_of(status), begun, frozenset(rows))


def _row(ledger: MaintenanceSummary, mark: str) -> SetIteration | None:
    return next((row for row in ledger.iterations if row.mark == mark), None)


def _move(entry: MaintenanceEntry, row: SetIteration | None) -> ScheduledEvent:
    """One that was begun. Its id is that under which the instance itself was told before."""
    by_owner = entry.origin is Origin.SELF_SERVICE
    start = row.start_time if row is not None and row.start_time is not None else entry.start_time
    kind = TYPES[entry.impact]
    waits = entry.phase in _NOT_BEGUN
    return ScheduledEvent(
        event_id=_id(kind, f"{entry.uid}/{entry.mark}"),
        event_type=kind,
        instances=((entry.instance, entry.successor_uid or entry.uid),),
        not_before=entry.start_time if by_owner else min(start, entry.start_time),
        description=f"Maintenance: {entry.window}, iteration {entry.iteration}",
        source=EventSource.USER if by_owner else EventSource.PLATFORM,
        approval=None,
        status=EventStatus.SCHEDULED if waits else EventStatus.STARTED,
        duration=_DURATIONS.get(entry.impact),
    )


def _termination(entry: RepairEntry, deadline: datetime) -> ScheduledEvent:
    return ScheduledEvent(
        event_id=_id(EventType.TERMINATE, f"{entry.uid}/{entry.start_time.isoformat()}"),
        event_type=EventType.TERMINATE,
        instances=((entry.instance, entry.uid),),
        not_before=deadline,
        description=f"Repair: {entry.cause}",
        source=EventSource.USER if was_requested(entry.cause) else EventSource.PLATFORM,
        approval=(ANNOTATION_APPROVE_TERMINATION, YES),
    )


@lru_cache(maxsize=4_096)
def _id(event_type: EventType, of: str) -> str:
    """A GUID that follows from what the event is; another attempt on the same pod has another."""
    digest = sha256(f"{event_type}/{of}".encode()).hexdigest()[:_ID_HEX]
    parts = (digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:])
    return "-".join(parts)
