"""Audiences are told what the windows' turns have recorded for them: each at least once (V-24).

Beside the turns, which never wait for it. What was delivered is taken out of the window's status by
compare and swap, so a crash in between tells it once more, under the same id. To one audience the
notices of a window go in their order; one audience does not hold up another.
Must not know: what is told, or where anybody is reached.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import NoticeKind, PendingNotice
from scaleset_operator.core.notices import delivered, event_of
from scaleset_operator.core.plan import Note
from scaleset_operator.reconciler.leadership import Leadership
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
from scaleset_operator.reconciler.window_turn import KIND, Told

LOOK_S: Final = 1.0
FIRST_WAIT: Final = timedelta(seconds=5)
LONGEST_WAIT: Final = timedelta(minutes=10)
_log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]


class Notifier(Protocol):
    """The way to the audiences."""

    async def send(self, audience: str, event: Mapping[str, Any]) -> None:
        """Send an event to an audience; one that is reached nowhere has it.

        Raises:
            Unavailable: not now.
            Refused: never.
        """
        ...


class EventsAlone:
    """Where nothing else is configured, audiences have the Events of the cluster."""

    async def send(self, audience: str, event: Mapping[str, Any]) -> None:
        """See the port."""


class Errand(NamedTuple):
    """One notice for one audience; `uid` is the window's."""

    uid: str
    kind: NoticeKind
    iteration: int
    audience: str


class Wait(NamedTuple):
    """When an errand is tried again, and after how many failures."""

    until: datetime
    failures: int


class Notifying:
    """Sends what waits in the statuses of the windows."""

    def __init__(
        self,
        resources: Resources,
        cluster: Cluster,
        clock: Clock,
        leadership: Leadership,
        notifier: Notifier,
        tell: Told,
    ) -> None:
        """Prepares it.

        Args:
            resources: the windows as last heard.
            cluster: takes the statuses.
            clock: the operator's.
            leadership: a standby sends nothing.
            notifier: sends.
            tell: posts an Event on a window.
        """
        self._resources, self._cluster, self._clock = resources, cluster, clock
        self._leadership, self._notifier, self._tell = leadership, notifier, tell
        self._waits: dict[Errand, Wait] = {}
        self._done: set[Errand] = set()

    async def run(self, sleep: Sleep = asyncio.sleep) -> None:
        """Send, until cancelled."""
        while True:
            await self.look()
            await sleep(LOOK_S)

    async def look(self) -> None:
        """Send everything that is due now, and record it."""
        if not self._leadership.leads():
            return
        windows = [w for k in self._resources.window_keys() if (w := self._resources.window(k))]
        open_ = {errand for window in windows for errand in _errands(window)}
        self._waits = {errand: wait for errand, wait in self._waits.items() if errand in open_}
        self._done &= open_
        await asyncio.gather(*(self._serve(w) for w in windows if w.status.notices))

    async def _serve(self, window: MaintenanceWindow) -> None:
        """Send what waits for the audiences of one window, each audience by itself."""
        audiences = {name for notice in window.status.notices for name in notice.audiences}
        await asyncio.gather(*(self._tell_all(window, name) for name in sorted(audiences)))
        if self._done & set(_errands(window)):
            await self._record(Key(window.metadata.namespace, window.metadata.name))

    async def _tell_all(self, window: MaintenanceWindow, audience: str) -> None:
        """Send an audience its notices in their order, up to the first that fails."""
        for notice in window.status.notices:
            if audience not in notice.audiences:
                continue
            errand = Errand(window.metadata.uid, notice.kind, notice.iteration, audience)
            if errand not in self._done and not await self._try(window, notice, errand):
                return

    async def _try(self, window: MaintenanceWindow, notice: PendingNotice, errand: Errand) -> bool:
        """Send one if it is due; says whether it is done with."""
        wait = self._waits.get(errand)
        if wait is not None and self._clock.now() < wait.until:
            return False
        try:
            await self._notifier.send(errand.audience, event_of(window, notice))
        except Unavailable as fault:
            self._put_off(errand, fault, 0 if wait is None else wait.failures)
            return False
        except Refused as fault:
            self._give_up(window, errand, str(fault))
        except Exception as fault:  # noqa: BLE001 - whatever it is, the next audience is told
            problem = Unavailable(f"in an unforeseen way: {type(fault).__name__}")
            self._put_off(errand, problem, 0 if wait is None else wait.failures)
            return False
        self._done.add(errand)
        return True

    def _put_off(self, errand: Errand, fault: Unavailable, failures: int) -> None:
        """Twice as long after each failure; not before the receiver wants it."""
        wait = min(FIRST_WAIT * 2 ** min(failures, 10), LONGEST_WAIT)
        wait = max(wait, timedelta(seconds=fault.retry_after))
        self._waits[errand] = Wait(self._clock.now() + wait, failures + 1)
        line = "audience %s was not told %s, again in %s: %s"
        _log.warning(line, errand.audience, errand.kind, wait, fault)

    def _give_up(self, window: MaintenanceWindow, errand: Errand, why: str) -> None:
        meta = window.metadata
        message = f"audience {errand.audience}, {errand.kind} of {errand.iteration}: {why}"
        note = Note(reason=Reason.NOTIFICATION_FAILED, message=message, warning=True)
        self._tell(Key(meta.namespace, meta.name), meta.uid, note)

    async def _record(self, key: Key) -> None:
        """Take what is done with out of the status; where it was overtaken, at the next look."""
        window = self._resources.window(key)
        if window is None:
            return
        had = [errand[1:] for errand in self._done if errand.uid == window.metadata.uid]
        left = delivered(window.status.notices, had)
        if left == window.status.notices:
            return
        status = window.status.model_copy(update={"notices": left})
        said = status.model_dump(mode="json", by_alias=True, exclude_none=True)
        version = window.metadata.resource_version
        try:
            version = await self._cluster.record_report(KIND, key, version, said)
        except (Conflict, Gone, Unavailable, Refused) as fault:
            _log.debug("%s/%s: notices are recorded later: %s", *key, fault)
            return
        self._resources.put_window_status(key, status, version)


def _errands(window: MaintenanceWindow) -> list[Errand]:
    """What waits in a window's status."""
    return [
        Errand(window.metadata.uid, notice.kind, notice.iteration, name)
        for notice in window.status.notices
        for name in notice.audiences
    ]
