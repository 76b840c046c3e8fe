"""The status of a MaintenanceWindow: whether it can be used, and when its times come next.

Written on change only. Nothing is announced and nothing is carried out, and the condition Ready
says so. Must not know: whose instances a window is for.
"""

from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from scaleset_operator.api.base import ConditionStatus, Reason, format_time
from scaleset_operator.api.maintenancestatus import MaintenanceWindowStatus
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import MAX_UPCOMING
from scaleset_operator.core.calendar import occurrences
from scaleset_operator.core.conditions import Word, timed
from scaleset_operator.core.pairing import objection, partner_of
from scaleset_operator.core.schedule import ScheduleError
from scaleset_operator.reconciler.leadership import Alone, Leadership
from scaleset_operator.reconciler.ports import Clock, Cluster, Conflict, Gone, Key
from scaleset_operator.reconciler.resources import Resources

KIND: Final = "MaintenanceWindow"
RETRY: Final = timedelta(seconds=1)
LOOK_AGAIN: Final = timedelta(hours=1)
"""At the latest: an appointment weeks ahead would not notice that the clock was put right."""
SAID: Final = {"observed_generation", "upcoming", "conditions"}
"""The rest is left out and left alone: its zeros would be statements."""
NOT_YET: Final = (
    "this version of the operator carries no maintenance out yet: nothing is announced, and "
    "nothing starts"
)


class WindowReporter:
    """Writes the windows' statuses."""

    def __init__(
        self,
        resources: Resources,
        cluster: Cluster,
        clock: Clock,
        leadership: Leadership | None = None,
    ) -> None:
        self._resources = resources
        self._cluster = cluster
        self._clock = clock
        self._leadership = leadership or Alone()

    async def turn(self, key: Key) -> datetime | None:
        """Write one window's status if it is not what it should be; returns when to look again."""
        window = self._resources.window(key)
        if window is None or not self._leadership.leads():
            return None  # Everybody is woken when that changes.
        now = self._clock.now()
        status = _status(window, self._no_pair(window), now)
        if status != window.status:
            said = status.model_dump(mode="json", by_alias=True, include=SAID)
            version = window.metadata.resource_version
            try:
                await self._cluster.record_report(KIND, key, version, said)
            except Conflict:
                return now + RETRY
            except Gone:
                return None
            self._resources.put_window_status(key, status)
        return min((*status.upcoming, now + LOOK_AGAIN))

    def _no_pair(self, window: MaintenanceWindow) -> str | None:
        named = partner_of(window)
        return objection(window, named and self._resources.window(Key(*named)))


def _status(
    window: MaintenanceWindow, no_pair: str | None, now: datetime
) -> MaintenanceWindowStatus:
    state, reason = ConditionStatus.TRUE, Reason.VALID
    upcoming: tuple[datetime, ...] = ()
    try:
        starts = (one.scheduled.start for one in occurrences(window.spec, now))
        upcoming = tuple(islice((start for start in starts if start > now), MAX_UPCOMING))
        message = f"opens next at {format_time(upcoming[0])}" if upcoming else "does not open again"
        if no_pair is not None:
            state, reason, message = ConditionStatus.FALSE, Reason.INVALID_PAIR, no_pair
    except ScheduleError as fault:
        state, reason, message = ConditionStatus.FALSE, Reason.INVALID_SCHEDULE, str(fault)
    accepted = Word("Accepted", state, reason, message)
    ready = Word("Ready", ConditionStatus.FALSE, Reason.NOT_YET_SUPPORTED, NOT_YET)
    generation = window.metadata.generation
    said = {
        "observed_generation": generation,
        "upcoming": upcoming,
        "conditions": timed((accepted, ready), window.status.conditions, generation, now),
    }
    return window.status.model_copy(update=said)
