"""An approval, on the operator's own loop: who asks is looked at anew, then it is written.

Decides nothing: it writes what `kubectl scaleset approve` writes, and the loop sees it on the pod
as it would have seen that. Must not know: HTTP, or what follows.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final, Protocol

from scaleset_operator.adapters.cluster.approvals import Claimant, Marked
from scaleset_operator.adapters.scheduled_events.answers import (
    Code,
    Declined,
    Outcome,
    later,
    stranger,
)
from scaleset_operator.adapters.scheduled_events.asker import Asker
from scaleset_operator.api.base import Reason, format_time
from scaleset_operator.core.plan import Note
from scaleset_operator.core.scheduled_events import (
    EventStatus,
    ScheduledEvent,
    events_of,
    in_order,
    own_event,
)
from scaleset_operator.reconciler.leadership import Leadership
from scaleset_operator.reconciler.ports import Key, Owner, Refused, Unavailable
from scaleset_operator.reconciler.resources import KnownSet

AT_ONCE: Final = 4
"""Approvals under way; the loop has other things to ask of the API server."""
REMEMBERED_S: Final = 5.0
MOST_REMEMBERED: Final = 1_000
_log = logging.getLogger(__name__)

Sets = Callable[[Key], KnownSet | None]
"""A ScaleSet as last heard."""
Tell = Callable[[Owner, Note], Awaitable[None]]
"""Posts an Event on a ScaleSet."""


class Writer(Protocol):
    """The live cluster, as far as an approval needs it."""

    async def claimants(self, address: str) -> Sequence[Claimant]:
        """The live pods that have an address."""
        ...

    async def mark(self, owner: Owner, pod: tuple[str, str], mark: tuple[str, str]) -> Marked:
        """Write an annotation on exactly this pod."""
        ...


class Approvals:
    """Approves for instances that ask."""

    def __init__(
        self,
        sets: Sets,
        writer: Writer,
        leadership: Leadership,
        tell: Tell,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepares it.

        Args:
            sets: as last heard.
            writer: the live cluster.
            leadership: a standby writes nothing.
            tell: posts Events.
            now: the operator's clock.
            monotonic: a clock, in seconds.
        """
        self._sets = sets
        self._writer = writer
        self._leadership = leadership
        self._tell = tell
        self._now = now
        self._monotonic = monotonic
        self._under_way = 0
        self._done: dict[str, float] = {}

    async def approve(self, asker: Asker, ids: frozenset[str]) -> None:
        """Approve these events of the asker's set; those that have begun need none.

        Raises:
            Declined: nothing was approved, or not all: the message says so.
        """
        if not self._leadership.leads():
            message = "this replica stands by and writes nothing; ask again, and the other answers"
            raise later(Code.STANDING_BY, message, outcome=Outcome.STANDING_BY)
        known = known_set(self._sets, asker)
        wanted = [event for event in _named(known, asker, ids) if not self._is_done(event)]
        for event in wanted:
            _check_open(event, self._now())
        if not wanted:
            return
        if self._under_way >= AT_ONCE:
            message = f"{AT_ONCE} approvals are under way; ask again"
            raise later(Code.BUSY, message)
        self._under_way += 1
        try:
            await self._carry_out(asker, known.owner, wanted)
        finally:
            self._under_way -= 1

    async def _carry_out(self, asker: Asker, owner: Owner, wanted: list[ScheduledEvent]) -> None:
        try:
            await self._check_claim(asker)
            for event in wanted:
                await self._approve(asker, owner, event)
        except Unavailable as fault:
            message = f"the API server cannot be asked now, ask again: {fault}"
            raise later(Code.API_UNAVAILABLE, message) from fault
        except Refused as fault:
            message = f"the API server does not let the operator do it: {fault}"
            raise later(Code.API_REFUSED, message, seconds=30) from fault

    async def _check_claim(self, asker: Asker) -> None:
        """An address that has just changed hands does not speak for whom it had."""
        claimants = await self._writer.claimants(asker.ip)
        if [claimant.uid for claimant in claimants] != [asker.uid]:
            message = f"{asker.ip} is not, or not only, the address of {asker.pod.name} any more"
            raise stranger(Code.ADDRESS_MOVED, message)

    async def _approve(self, asker: Asker, owner: Owner, event: ScheduledEvent) -> None:
        if event.approval is None:
            return
        marked = [await self._writer.mark(owner, pod, event.approval) for pod in event.instances]
        if len(self._done) >= MOST_REMEMBERED:
            self._done.clear()
        self._done[event.event_id] = self._monotonic()
        if Marked.WRITTEN not in marked:
            return
        names = ", ".join(name for name, _ in event.instances)
        what = f"{event.event_type} of {names}, due at {format_time(event.not_before)}"
        line = "%s/%s: %s at %s approved event %s: %s"
        _log.info(line, *owner.key, asker.pod.name, asker.ip, event.event_id, what)
        note = Note(reason=Reason.EVENT_APPROVED, message=f"{asker.pod.name} approved: {what}")
        await self._tell(owner, note)

    def _is_done(self, event: ScheduledEvent) -> bool:
        """Whether it has begun, or was approved here just now: then nothing is asked or sent."""
        at = self._done.get(event.event_id)
        lately = at is not None and self._monotonic() - at < REMEMBERED_S
        return lately or event.status is EventStatus.STARTED or event.approval is None


def known_set(sets: Sets, asker: Asker) -> KnownSet:
    """The set of an asker.

    Raises:
        Declined: it is not known here, or not yet.
    """
    known = sets(asker.scale_set)
    if known is None or known.owner.uid != asker.set_uid:
        message = f"the ScaleSet {asker.scale_set.name} is not known here, or not yet; ask again"
        raise later(Code.SET_NOT_KNOWN, message)
    return known


def _named(known: KnownSet, asker: Asker, ids: frozenset[str]) -> list[ScheduledEvent]:
    """The events of these ids, in the order of the document; all of them, or none."""
    status = known.resource.status
    own = own_event(status, asker.instance)
    told = [*events_of(status), *([own] if own is not None else [])]
    events: Mapping[str, ScheduledEvent] = {event.event_id: event for event in in_order(told)}
    unknown = sorted(ids - events.keys())
    if unknown:
        message = f"no event of yours has the id {unknown[0][:60]!r}; nothing was approved"
        raise Declined(Outcome.UNKNOWN_EVENT, HTTPStatus.NOT_FOUND, Code.UNKNOWN_EVENT, message)
    return [event for id_, event in events.items() if id_ in ids]


def _check_open(event: ScheduledEvent, now: datetime) -> None:
    """Refuse what would be refused on the pod: owners start maintenance in their window alone."""
    if event.open is None or event.open[0] <= now < event.open[1]:
        return
    opens, closes = (format_time(edge) for edge in event.open)
    between = f"is open from {opens} until {closes}" if opens != closes else "is none"
    message = (
        f"{event.event_type} of {event.instances[0][0]} may be started by its owner in the "
        f"self-service window alone, which {between}; it begins at the earliest at "
        f"{format_time(event.not_before)}. Nothing was approved"
    )
    raise Declined(Outcome.NOT_OPEN, HTTPStatus.CONFLICT, Code.NOT_IN_SELF_SERVICE, message)
