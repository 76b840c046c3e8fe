"""What the plugin says of MaintenanceWindows: the next occurrences, and which window is open.

All times are `core.calendar`'s. Must not know: how they are shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from heapq import merge
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from scaleset_operator.api.maintenancestatus import ActiveWindow, Impact
from scaleset_operator.api.maintenancewindow import MIN_NOTICE, MaintenanceWindow
from scaleset_operator.api.windowledger import AnnouncedOccurrence
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.ports import Json
from scaleset_operator.core.announcement import announce, meets
from scaleset_operator.core.calendar import (
    LeftOut,
    Occurrence,
    active_window,
    agenda,
    announcement_of,
    next_transition,
    occurrence_of,
)
from scaleset_operator.core.schedule import ScheduleError
from scaleset_operator.reconciler.versions import in_words

UNSEEN: Final = "NotYetSeen"
"""As `status` says it of a set that the operator has not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """One occurrence.

    Attributes:
        announced: when it was or will be announced; now, where that was due and it is too late.
        short: whether that leaves less notice than was promised.
        held: whether it takes place.
    """

    occurrence: Occurrence
    announced: datetime
    short: bool
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What of a window is to come, in order."""

    window: MaintenanceWindow
    items: tuple[Foreseen | LeftOut, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One window as it is now.

    Attributes:
        fault: why it has no calendar; empty where it has one.
        next: the occurrence that is under way or comes next.
        changes: when a window of that opens or closes.
    """

    namespace: str
    name: str
    window: MaintenanceWindow | None
    fault: str = ""
    open: ActiveWindow = ActiveWindow.NONE
    next: Occurrence | None = None
    changes: datetime | None = None

    @property
    def ready(self) -> str:
        """The operator's own word: the reason of the condition Ready."""
        conditions = self.window.status.conditions if self.window is not None else ()
        return next((str(c.reason) for c in conditions if c.type == "Ready"), UNSEEN)


def read(raw: Json) -> MaintenanceWindow:
    """A window as the API server or a file has it.

    Raises:
        Failure: this version cannot read it.
    """
    try:
        return MaintenanceWindow.model_validate(raw)
    except ValidationError as fault:
        line = f"MaintenanceWindow {raw['metadata']['name']} cannot be read: {in_words(fault)}"
        raise Failure(line) from fault


def foreseen(window: MaintenanceWindow, now: datetime, count: int) -> Preview:
    """The next occurrences that take place, and what does not between them.

    Raises:
        Failure: the window cannot be used; names field, value and what is allowed.
    """
    try:
        items = tuple(_first(_ahead(window, now), count))
    except ScheduleError as fault:
        line = f"MaintenanceWindow {window.metadata.name}: {fault}"
        raise Failure(line) from fault
    return Preview(window=window, items=items)


def _ahead(window: MaintenanceWindow, now: datetime) -> Iterator[Foreseen | LeftOut]:
    """What was announced, what the operator would announce now, and what is planned after it."""
    found = announce(window.spec, window.status, now)
    announced = found.occurrences
    certain = [_certain(window, one) for one in announced if one.end_time > now]
    planned = (
        item if isinstance(item, LeftOut) else _planned(window, item, now)
        for item in agenda(window.spec, now)
        if item.scheduled.start not in found.past and not any(meets(item, one) for one in announced)
    )
    return merge(certain, planned, key=begin_of)


def begin_of(item: Foreseen | LeftOut) -> datetime:
    """When its scheduled window opens."""
    return (item if isinstance(item, LeftOut) else item.occurrence).scheduled.start


def _first(items: Iterator[Foreseen | LeftOut], count: int) -> Iterator[Foreseen | LeftOut]:
    """As many that take place, with what does not before and between them."""
    for item in items:
        yield item
        count -= isinstance(item, Foreseen) and item.held
        if not count:
            return


def _certain(window: MaintenanceWindow, one: AnnouncedOccurrence) -> Foreseen:
    """One that is announced; only where instances start anew notice is due (M-01)."""
    occurrence = occurrence_of(one)
    felt = window.spec.impact is Impact.REDEPLOY
    left = occurrence.start - one.announced_time
    return Foreseen(
        occurrence=occurrence,
        announced=one.announced_time,
        short=felt and left < window.spec.notify_before,
        held=True,
    )


def _planned(window: MaintenanceWindow, occurrence: Occurrence, now: datetime) -> Foreseen:
    """One that is not announced; where that was due it does not take place (V-01)."""
    due = announcement_of(occurrence, window.spec)
    return Foreseen(
        occurrence=occurrence, announced=max(due, now), short=due <= now, held=due > now
    )


def standing_of(raw: Json, now: datetime) -> Standing:
    """A window as it is now; one that cannot be used is told of, and hides no other."""
    meta = raw["metadata"]
    namespace, name = meta.get("namespace", ""), meta["name"]
    try:
        window = read(raw)
    except Failure as fault:
        return Standing(namespace=namespace, name=name, window=None, fault=str(fault))
    found = Standing(namespace=namespace, name=name, window=window)
    try:
        coming = next(_takes_place(_ahead(window, now)), None)
    except ScheduleError as fault:
        # What was announced goes on all the same.
        going = (occurrence_of(one) for one in window.status.announced if one.end_time > now)
        coming, found = next(going, None), replace(found, fault=str(fault))
    if coming is None:
        return found
    changes = next_transition(coming, now)
    return replace(found, open=active_window(coming, now), next=coming, changes=changes)


def _takes_place(items: Iterator[Foreseen | LeftOut]) -> Iterator[Occurrence]:
    return (item.occurrence for item in items if isinstance(item, Foreseen) and item.held)


def sorted_(found: Iterable[Json]) -> list[Json]:
    """By namespace and name."""
    return sorted(
        found, key=lambda raw: (raw["metadata"].get("namespace", ""), raw["metadata"]["name"])
    )


def zone_of(window: MaintenanceWindow | None) -> tzinfo | None:
    """By whose clocks a window's times are told: its own zone; None for the reader's."""
    recurring = window.spec.recurring if window is not None else None
    return ZoneInfo(recurring.time_zone) if recurring is not None else None


def is_urgent(window: MaintenanceWindow) -> bool:
    """Whether less notice than is due is given."""
    return window.spec.urgent and window.spec.notify_before < MIN_NOTICE
