"""What the instances of a set are told of coming events, as Azure's scheduled events have it.

A document is made from the recorded status and nothing else: not from pods, which change at other
moments, nor from the clock. So every replica that has read the same status tells the same, and what
has been told is known after a crash. Another kind of event is one more source in SOURCES.

Decides nothing. Must not know: who asks, how a document is sent, or how an approval is written.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from scaleset_operator.api.base import ANNOTATION_APPROVE_TERMINATION
from scaleset_operator.api.ledger import RepairEntry, RepairPhase
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.requests import was_requested

YES: Final = "true"
_ID_HEX: Final = 32


class EventType(StrEnum):
    """What will happen to the instances; the words are Azure's."""

    FREEZE = "Freeze"
    REBOOT = "Reboot"
    REDEPLOY = "Redeploy"
    TERMINATE = "Terminate"


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
        approval: the annotation, and its value, by which a person approves it on a pod.
        duration: how long the instances are away; None where that is unknown, or for ever.
    """

    event_id: str
    event_type: EventType
    instances: tuple[tuple[str, str], ...]
    not_before: datetime
    description: str
    source: EventSource
    approval: tuple[str, str]
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


SOURCES: Final[tuple[Source, ...]] = (terminations,)


def events_of(
    status: ScaleSetStatus, sources: Iterable[Source] = SOURCES
) -> tuple[ScheduledEvent, ...]:
    """All coming events of the set, the next one first."""
    found = (event for source in sources for event in source(status))
    return tuple(sorted(found, key=lambda event: (event.not_before, event.event_id)))


def incarnation(before: ScaleSetStatus, after: ScaleSetStatus, now: datetime) -> int | None:
    """The incarnation of the document of the next status; None before there was any event.

    It stands in the status beside what the document is made from, and both are written by one
    compare and swap: so it rises with each change of the document and with nothing else, whoever
    leads, and is the same wherever that status is read. It is the time of the change in seconds,
    or one more than the last where that is not later: it rises also where a status was lost.

    Args:
        before: the recorded status.
        after: the next one.
        now: of the decision.
    """
    last = before.scheduled_events_incarnation
    if events_of(before) == events_of(after):
        return last
    return max((last or 0) + 1, int(now.timestamp()))


def _termination(entry: RepairEntry, deadline: datetime) -> ScheduledEvent:
    return ScheduledEvent(
        event_id=_id(EventType.TERMINATE, entry.uid, entry.start_time),
        event_type=EventType.TERMINATE,
        instances=((entry.instance, entry.uid),),
        not_before=deadline,
        description=f"Repair: {entry.cause}",
        source=EventSource.USER if was_requested(entry.cause) else EventSource.PLATFORM,
        approval=(ANNOTATION_APPROVE_TERMINATION, YES),
    )


@lru_cache(maxsize=4_096)
def _id(event_type: EventType, of: str, since: datetime) -> str:
    """A GUID that follows from what the event is; another attempt on the same pod has another."""
    digest = sha256(f"{event_type}/{of}/{since.isoformat()}".encode()).hexdigest()[:_ID_HEX]
    parts = (digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:])
    return "-".join(parts)
