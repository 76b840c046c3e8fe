"""What the plugin says of MaintenanceWindows: the next occurrences, and which window is open.

All times are `core.calendar`'s. Must not know: how they are shown.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from scaleset_operator.api.maintenancestatus import ActiveWindow, Impact
from scaleset_operator.api.maintenancewindow import MIN_NOTICE, MaintenanceWindow
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.ports import Json
from scaleset_operator.core.calendar import (
    LeftOut,
    Occurrence,
    active_window,
    agenda,
    announcement_of,
    next_transition,
    occurrences,
)
from scaleset_operator.core.schedule import ScheduleError
from scaleset_operator.reconciler.resources import in_words

UNSEEN: Final = "NotYetSeen"
"""As `status` says it of a set that the operator has not looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """One occurrence that will be.

    Attributes:
        announced: when it is announced, by its window's notice.
        short: whether the window came too late for that.
    """

    occurrence: Occurrence
    announced: datetime
    short: bool


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
    """The next occurrences, and what is left out between them.

    Raises:
        Failure: the window cannot be used; names field, value and what is allowed.
    """
    since = window.metadata.creation_timestamp or now
    try:
        items = list(_first(agenda(window.spec, now), count))
    except ScheduleError as fault:
        line = f"MaintenanceWindow {window.metadata.name}: {fault}"
        raise Failure(line) from fault
    shown = [
        item if isinstance(item, LeftOut) else _foreseen(window, item, since) for item in items
    ]
    return Preview(window=window, items=tuple(shown))


def _first(items: Iterator[Occurrence | LeftOut], count: int) -> Iterator[Occurrence | LeftOut]:
    """As many occurrences, with what is left out before and between them."""
    for item in items:
        yield item
        count -= isinstance(item, Occurrence)
        if not count:
            return


def _foreseen(window: MaintenanceWindow, occurrence: Occurrence, since: datetime) -> Foreseen:
    """One to come; only where instances start anew notice is due (M-01)."""
    announced = max(announcement_of(occurrence, window.spec), since)
    left = occurrence.start - announced
    felt = window.spec.impact is Impact.REDEPLOY
    return Foreseen(
        occurrence=occurrence,
        announced=announced,
        short=felt and left < window.spec.notify_before,
    )


def standing_of(raw: Json, now: datetime) -> Standing:
    """A window as it is now; one that cannot be used is told of, and hides no other."""
    meta = raw["metadata"]
    namespace, name = meta.get("namespace", ""), meta["name"]
    try:
        window = read(raw)
    except Failure as fault:
        return Standing(namespace=namespace, name=name, window=None, fault=str(fault))
    try:
        coming = next(occurrences(window.spec, now), None)
    except ScheduleError as fault:
        return Standing(namespace=namespace, name=name, window=window, fault=str(fault))
    if coming is None:
        return Standing(namespace=namespace, name=name, window=window)
    return Standing(
        namespace=namespace,
        name=name,
        window=window,
        open=active_window(coming, now),
        next=coming,
        changes=next_transition(coming, now),
    )


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
