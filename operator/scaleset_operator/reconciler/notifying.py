"""Telling audiences outside of the cluster: each notice to each audience, in order, at least once.

Each audience of each window has a lane of its own, so that nobody who does not answer holds up
another audience, another window, or the loop. What was told is recorded in the window's status;
until that stands it is remembered here. Decides nothing of what is told.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import PendingNotice
from scaleset_operator.core.notices import audiences_of, delivered, event_of, name_of, next_for
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
from scaleset_operator.reconciler.queue import KeyQueue
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.reconciler.window_turn import KIND, Told, tell_nobody

FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=10)
GIVEN_UP_AFTER: Final = timedelta(days=1)
RETRY: Final = timedelta(seconds=1)
AT_ONCE: Final = 4
"""Events that are on their way to one audience, of however many windows."""
WORKERS: Final = 16 * AT_ONCE
"""Sixteen audiences may hang at once before anybody waits for a worker, ten seconds at most."""

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


class Lane(NamedTuple):
    """What one window tells one audience, one notice after the other."""

    key: Key
    audience: str


@dataclass(slots=True)
class _Tries:
    """How often the first notice of a lane was tried, and when it is tried again."""

    name: str
    count: int = 0
    due: datetime | None = None


@dataclass(slots=True)
class _Memory:
    """Of one window: what was told and does not stand in its status yet, and what failed."""

    uid: str
    done: set[tuple[str, str]] = field(default_factory=set)
    tries: dict[str, _Tries] = field(default_factory=dict)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)


class Notifying:
    """Takes turns for lanes, beside those of windows.

    Attributes:
        queue: of the lanes; to be served.
    """

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
        self._memories: dict[Key, _Memory] = {}
        self._under_way: Counter[str] = Counter()
        self._waiting: dict[str, set[Lane]] = {}
        self.queue = KeyQueue[Lane](turn=self.turn, clock=clock, workers=WORKERS)

    def wake(self, key: Key) -> None:
        """Somebody may have to be told of this window."""
        window = self._resources.window(key)
        for audience in () if window is None else audiences_of(window.status.notices):
            self.queue.wake(Lane(key, audience))

    async def turn(self, lane: Lane) -> datetime | None:
        """Tell the audience what it is to be told next; returns when to look again."""
        window = self._resources.window(lane.key)
        if window is None or not window.status.notices:
            self._memories.pop(lane.key, None)
            return None
        if not self._leadership.leads():
            return None  # Everybody is woken when that changes.
        memory = self._memory(window)
        notice = next_for(lane.audience, window.status.notices, memory.done)
        if notice is not None:
            due = await self._try(window, notice, lane, memory)
            if due is not None:
                return due
        if memory.done and not await self._record(lane.key, memory):
            return self._clock.now() + RETRY
        # One at a time: what comes next, and whether there is anything, is seen by looking again.
        return None if notice is None else self._clock.now()

    def _memory(self, window: MaintenanceWindow) -> _Memory:
        meta = window.metadata
        key = Key(meta.namespace, meta.name)
        known = self._memories.get(key)
        if known is None or known.uid != meta.uid:
            known = self._memories[key] = _Memory(uid=meta.uid)
        return known

    async def _try(
        self, window: MaintenanceWindow, notice: PendingNotice, lane: Lane, memory: _Memory
    ) -> datetime | None:
        """None once the audience has it, or never will; else when to look again."""
        audience, name = lane.audience, name_of(notice)
        tries = memory.tries.get(audience)
        if tries is None or tries.name != name:
            tries = memory.tries[audience] = _Tries(name)
        if tries.due is not None and self._clock.now() < tries.due:
            return tries.due
        if self._under_way[audience] >= AT_ONCE:
            self._waiting.setdefault(audience, set()).add(lane)
            return self._clock.now() + LONGEST_WAIT
        self._under_way[audience] += 1
        try:
            why, at_least = await self._send(audience, window, notice)
        finally:
            self._make_room(audience)
        now = self._clock.now()
        if why and now < notice.time + GIVEN_UP_AFTER and at_least is not None:
            tries.count += 1
            tries.due = now + max(_wait(tries.count), at_least)
            _log.info("%s waits to be told of %s: %s", audience, name, why)
            return tries.due
        if why:
            self._give_up(window, notice, audience, why)
        memory.done.add((name, audience))
        del memory.tries[audience]
        return None

    def _make_room(self, audience: str) -> None:
        """Whoever waited for this audience looks again."""
        self._under_way[audience] -= 1
        if not self._under_way[audience]:
            del self._under_way[audience]
        for lane in self._waiting.pop(audience, ()):
            self.queue.wake(lane)

    async def _send(
        self, audience: str, window: MaintenanceWindow, notice: PendingNotice
    ) -> tuple[str, timedelta | None]:
        """Why it was not delivered, empty where it was, and the shortest wait; None for never."""
        try:
            await self._notifier.send(audience, event_of(window, notice))
        except Refused as no:
            return no.message or str(no.reason), None
        except Unavailable as fault:
            return str(fault), timedelta(seconds=fault.retry_after)
        except Exception as fault:  # noqa: BLE001 - of this notice alone: others go on
            _log.exception("%s could not be told of %s", audience, name_of(notice))
            return type(fault).__name__, timedelta(0)
        return "", None

    def _give_up(
        self, window: MaintenanceWindow, notice: PendingNotice, audience: str, why: str
    ) -> None:
        """Said once, where everybody can read it."""
        key = Key(window.metadata.namespace, window.metadata.name)
        message = f"{audience} was not told of {name_of(notice)}: {why}"
        note = Note(reason=Reason.NOTIFICATION_FAILED, message=message, warning=True)
        self._tell(key, window.metadata.uid, note)

    async def _record(self, key: Key, memory: _Memory) -> bool:
        """Write what was told, by all lanes together; False where somebody wrote in between."""
        async with memory.writing:
            window = self._resources.window(key)
            if window is None or window.metadata.uid != memory.uid:
                return True
            told = set(memory.done)
            left = delivered(window.status.notices, told)
            if left != window.status.notices:
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
            memory.done -= told
            return True


def _wait(times: int) -> timedelta:
    doubled: timedelta = FIRST_WAIT * 2.0 ** min(times - 1, 10)
    return min(doubled, LONGEST_WAIT)
