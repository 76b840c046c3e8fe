"""Events on ScaleSets (events.k8s.io/v1), few of them: the same again becomes a count.

One text of one reason on one set gives one Event per 15 minutes, with a series that is written at
most each 10 s. Nothing here ever raises, waits for the caller, or grows without bound.
Must not know: which reasons there are.
"""

import asyncio
import logging
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

from scaleset_operator.adapters.cluster.connection import MERGE, Call, Connection
from scaleset_operator.adapters.cluster.errors import cut
from scaleset_operator.adapters.cluster.pacing import Urgency
from scaleset_operator.adapters.cluster.pods import SCALE_SET
from scaleset_operator.api.base import API_VERSION, FIELD_MANAGER, GROUP, format_micro_time
from scaleset_operator.core.plan import Note
from scaleset_operator.reconciler.ports import Clock, Gone, Key, Owner, Unavailable

log = logging.getLogger(__name__)

SERIES_S: Final = 15 * 60.0
WRITE_GAP_S: Final = 10.0
MOST_SERIES: Final = 1_000
"""Series remembered; beyond them the one that has been quiet for longest is forgotten."""
LONGEST_NOTE_BYTES: Final = 1_024
LONGEST_NAME: Final = 253
CONTROLLER: Final = f"{GROUP}/{FIELD_MANAGER}"
_NS_PER_S: Final = 1e9


@dataclass(slots=True, kw_only=True)
class _Series:
    """One text on one set; times are seconds of the clock that goes on while we are stopped."""

    kind: str
    owner: Key
    uid: str
    note: Note
    begun: float
    last: float
    count: int = 0
    written: int = 0
    next_write: float = 0.0
    name: str | None = None

    @property
    def pending(self) -> bool:
        return self.count > self.written


class EventRecorder:
    """Takes notes at once, and writes them when it may."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        *,
        write_gap: float = WRITE_GAP_S,
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._series: dict[tuple[str, str, str], _Series] = {}
        self._write_gap = write_gap
        self._told = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._instance = f"{FIELD_MANAGER}-{socket.gethostname()[:63]}-{os.getpid()}"

    async def start(self) -> None:
        """Begins to write."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stops; what waits is let go."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    def tell(self, owner: Owner, note: Note) -> None:
        """Takes one note on a set."""
        self.tell_of(SCALE_SET, owner.key, owner.uid, note)

    def tell_of(self, kind: str, about: Key, uid: str, note: Note) -> None:
        """Takes one note; it is one more of its series, or begins one."""
        now = self._now()
        key = (uid, note.reason, note.message)
        series = self._series.pop(key, None)
        if series is None or (now - series.last > SERIES_S and not series.pending):
            series = _Series(kind=kind, owner=about, uid=uid, note=note, begun=now, last=now)
        series.count += 1
        series.last = now
        self._series[key] = series  # At the end: the order is that of the last note.
        if len(self._series) > MOST_SERIES:
            quiet = next(iter(self._series))
            if self._series.pop(quiet).pending:
                log.warning("An Event %s was let go: too many wait", quiet[1])
        self._told.set()

    async def _run(self) -> None:
        while True:
            now = self._now()
            waiting = [series for series in self._series.values() if series.pending]
            for series in (s for s in waiting if s.next_write <= now):
                await self._write(series)
            due = [series.next_write for series in self._series.values() if series.pending]
            with suppress(TimeoutError):
                async with asyncio.timeout(min(due) - self._now() if due else None):
                    await self._told.wait()
            self._told.clear()

    async def _write(self, series: _Series) -> None:
        series.next_write = self._now() + self._write_gap
        try:
            if series.name is None:
                await self._create(series)
            else:
                await self._count(series)
        except Unavailable as fault:
            log.debug("The Event %s waits: %s", series.note.reason, fault)
        except Exception as fault:  # noqa: BLE001 - an Event is never worth a failure
            log.info("The Event %s is let go: %s", series.note.reason, cut(str(fault)))
            series.name, series.written = None, series.count

    async def _create(self, series: _Series) -> None:
        suffix = uuid4().hex[:16]
        name = f"{series.owner.name[: LONGEST_NAME - len(suffix) - 1]}.{suffix}"
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": series.owner.namespace},
            "eventTime": self._timestamp(),
            "reportingController": CONTROLLER,
            "reportingInstance": self._instance,
            "action": series.note.reason,
            "reason": series.note.reason,
            "type": "Warning" if series.note.warning else "Normal",
            "note": _shortened(series.note.message),
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": series.kind,
                "namespace": series.owner.namespace,
                "name": series.owner.name,
                "uid": series.uid,
            },
        }
        call = Call(method="POST", path=_path(series.owner), body=body)
        await self._connection.write(call, Urgency.TELL)
        series.name, series.written = name, 1  # What was told since the first goes as a count.

    async def _count(self, series: _Series) -> None:
        count = series.count
        body: dict[str, Any] = {
            "series": {"count": count, "lastObservedTime": self._timestamp()},
        }
        call = Call(
            method="PATCH",
            path=f"{_path(series.owner)}/{series.name}",
            body=body,
            content_type=MERGE,
        )
        try:
            await self._connection.write(call, Urgency.TELL)
        except Gone:  # It has aged out: what it did not count begins a new one.
            series.name, series.count, series.written = None, count - series.written, 0
        else:
            series.written = count

    def _now(self) -> float:
        return self._clock.boottime_ns() / _NS_PER_S

    def _timestamp(self) -> str:
        return format_micro_time(self._clock.now())


def _path(owner: Key) -> str:
    return f"/apis/events.k8s.io/v1/namespaces/{owner.namespace}/events"


def _shortened(note: str) -> str:
    """At most 1 KiB, as the API server bounds it, never through a character."""
    data = note.encode()
    if len(data) <= LONGEST_NOTE_BYTES:
        return note
    return data[: LONGEST_NOTE_BYTES - 3].decode(errors="ignore") + "…"
