"""Telling audiences outside of the cluster: each notice to each audience, at least once.

A turn of its own, so that nobody who does not answer holds up a window. What was told is recorded
in the window's status; until that stands it is remembered here. Decides nothing of what is told.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import PendingNotice
from scaleset_operator.core.notices import delivered, event_of, name_of
from scaleset_operator.core.plan import Note
from scaleset_operator.reconciler.leadership import Alone, Leadership
from scaleset_operator.reconciler.ports import (
    Clock,
    Cluster,
    Conflict,
    Gone,
    Key,
    Refused,
    Unavailable,
)
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.reconciler.window_turn import KIND, Told, tell_nobody

FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=10)
GIVEN_UP_AFTER: Final = timedelta(days=1)
RETRY: Final = timedelta(seconds=1)

_log = logging.getLogger(__name__)


class Notifier(Protocol):
    """The way to an audience."""

    async def send(self, audience: str, event: Mapping[str, Any]) -> None:
        """Send a CloudEvent.

        Raises:
            Unavailable: not now.
            Refused: it does not want it; it is not sent again.
        """
        ...


@dataclass(slots=True)
class _Tries:
    """How often one notice was tried for one audience, and when it is tried again."""

    count: int = 0
    due: datetime | None = None


@dataclass(slots=True)
class _Memory:
    """Of one window: what was told and does not stand in its status yet, and what failed."""

    done: set[tuple[str, str]] = field(default_factory=set)
    tries: dict[tuple[str, str], _Tries] = field(default_factory=dict)


class Notifying:
    """Takes turns for windows, beside their own."""

    def __init__(
        self,
        resources: Resources,
        cluster: Cluster,
        clock: Clock,
        notifier: Notifier,
        leadership: Leadership | None = None,
        tell: Told = tell_nobody,
    ) -> None:
        self._resources = resources
        self._cluster = cluster
        self._clock = clock
        self._notifier = notifier
        self._leadership = leadership or Alone()
        self._tell = tell
        self._memories: dict[tuple[Key, str], _Memory] = {}

    async def turn(self, key: Key) -> datetime | None:
        """Tell whoever has not been told; returns when to try again."""
        window = self._resources.window(key)
        if window is None or not self._leadership.leads():
            return None
        place = (key, window.metadata.uid)
        if not window.status.notices:
            self._memories.pop(place, None)
            return None
        memory = self._memories.setdefault(place, _Memory())
        for notice in window.status.notices:
            for audience in notice.audiences:
                await self._try(window, notice, audience, memory)
        if memory.done and not await self._record(key, memory):
            return self._clock.now() + RETRY
        waits = [t.due for at, t in memory.tries.items() if t.due and at not in memory.done]
        return min(waits, default=None)

    async def _try(
        self, window: MaintenanceWindow, notice: PendingNotice, audience: str, memory: _Memory
    ) -> None:
        place, now = (name_of(notice), audience), self._clock.now()
        tries = memory.tries.setdefault(place, _Tries())
        if place in memory.done or (tries.due is not None and now < tries.due):
            return
        try:
            await self._notifier.send(audience, event_of(window, notice))
        except Refused as no:
            self._give_up(window, notice, audience, no.message)
        except Unavailable as fault:
            if now < notice.time + GIVEN_UP_AFTER:
                tries.count += 1
                tries.due = now + max(_wait(tries.count), timedelta(seconds=fault.retry_after))
                _log.info("%s waits to be told of %s: %s", audience, name_of(notice), fault)
                return
            self._give_up(window, notice, audience, str(fault))
        memory.done.add(place)

    def _give_up(
        self, window: MaintenanceWindow, notice: PendingNotice, audience: str, why: str
    ) -> None:
        """Said once, where everybody can read it."""
        key = Key(window.metadata.namespace, window.metadata.name)
        message = f"{audience} was not told of {name_of(notice)}: {why}"
        note = Note(reason=Reason.NOTIFICATION_FAILED, message=message, warning=True)
        self._tell(key, window.metadata.uid, note)

    async def _record(self, key: Key, memory: _Memory) -> bool:
        """Write what was told; False where somebody wrote in between."""
        window = self._resources.window(key)
        if window is None:
            return True
        left = delivered(window.status.notices, memory.done)
        status = window.status.model_copy(update={"notices": left})
        said = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        version = window.metadata.resource_version
        try:
            version = await self._cluster.record_report(KIND, key, version, said)
        except Conflict:
            return False
        except Gone:
            return True
        self._resources.put_window_status(key, status, version)
        for place in memory.done:
            memory.tries.pop(place, None)
        memory.done.clear()
        return True


def _wait(times: int) -> timedelta:
    doubled: timedelta = FIRST_WAIT * 2.0 ** min(times - 1, 10)
    return min(doubled, LONGEST_WAIT)
