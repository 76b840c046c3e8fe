"""Act: carry out what a plan says, and remember what was refused.

Deletes before the creates that make up for them; creates by slow start. Decides nothing: an act
that fails leaves the ledger as it is, and the next turn sees to it.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from scaleset_operator.core.maintenance_acts import (
    AskPause,
    ClearPause,
    EvictInstance,
    HoldPlace,
    PublishMaintenance,
    ReleasePlace,
)
from scaleset_operator.core.plan import (
    Action,
    AdoptInstance,
    AnswerRequest,
    CreateInstance,
    DeleteInstance,
    GiveNotice,
    PublishHealth,
    ReleaseInstance,
    RenewInstance,
)
from scaleset_operator.reconciler.account import Account, EvictionEnd, NoAccount
from scaleset_operator.reconciler.memory import Memory
from scaleset_operator.reconciler.ports import (
    Clock,
    Cluster,
    Conflict,
    Gone,
    Owner,
    Refused,
    TooOld,
    Unavailable,
)
from scaleset_operator.reconciler.relocations import Disallowed, NoRelocations, Relocations

LARGEST_BATCH: Final = 500

Touch = AskPause | ClearPause | DeleteInstance | EvictInstance | GiveNotice | RenewInstance
"""What is done to an instance that is there, on the very version that was read."""

_ENDS: Final[dict[type[Exception], EvictionEnd]] = {
    Conflict: EvictionEnd.CHANGED,
    Gone: EvictionEnd.CHANGED,
    Refused: EvictionEnd.REFUSED,
    TooOld: EvictionEnd.TOO_LATE,
    Unavailable: EvictionEnd.UNAVAILABLE,
}


class Actor:
    """Carries out one set's acts."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        account: Account | None = None,
        relocations: Relocations | None = None,
    ) -> None:
        self._cluster = cluster
        self._clock = clock
        self._account = account or NoAccount()
        self._relocations = relocations or NoRelocations()

    async def act(
        self, owner: Owner, actions: Sequence[Action], memory: Memory, not_after: int
    ) -> bool:
        """Carry out the acts of one plan.

        Args:
            owner: the set.
            actions: of the plan, in its order.
            memory: learns of refusals and taken names.
            not_after: CLOCK_BOOTTIME in nanoseconds past which nothing is sent (rule 5).

        Returns:
            Whether every create, DELETE and renewal was carried out; no event follows one that was
            not.

        Raises:
            Unavailable: the API server could not be asked for some of them.
        """
        publishing = [
            self._publish(owner, a)
            for a in actions
            if isinstance(a, PublishHealth | PublishMaintenance)
        ]
        acting = self._fenced(owner, actions, memory, not_after)
        undone, *unpublished = await asyncio.gather(acting, *publishing)
        for fault in (undone, *unpublished):
            if isinstance(fault, Unavailable):
                raise fault
        return undone is None

    async def _publish(
        self, owner: Owner, action: PublishHealth | PublishMaintenance
    ) -> Unavailable | None:
        try:
            if isinstance(action, PublishHealth):
                await self._cluster.publish(owner, action)
            else:
                await self._relocations.publish_maintenance(owner, action)
        except (Gone, Conflict, Refused):
            return None
        except Unavailable as fault:
            return fault
        return None

    async def _fenced(
        self, owner: Owner, actions: Sequence[Action], memory: Memory, not_after: int
    ) -> Exception | None:
        """None when all was done, else why not; Unavailable goes before other faults."""
        for action in actions:
            if isinstance(action, AdoptInstance | AnswerRequest | ReleaseInstance):
                await self._take_or_leave(owner, action)
        placed = [
            await self._place(owner, a, memory, not_after)
            for a in actions
            if isinstance(a, HoldPlace | ReleasePlace)
        ]
        touching = [a for a in actions if isinstance(a, Touch)]
        done = await asyncio.gather(*(self._touch(owner, a, memory, not_after) for a in touching))
        accepted = {a.uid for a, fault in zip(touching, done, strict=True) if fault is None}
        creates = [
            a
            for a in actions
            if isinstance(a, CreateInstance) and (a.after is None or a.after in accepted)
        ]
        fault = await self._create_all(owner, creates, memory, not_after)
        faults = [f for f in (*placed, *done, fault) if f is not None]
        return min(faults, key=lambda f: not isinstance(f, Unavailable), default=None)

    async def _take_or_leave(
        self, owner: Owner, action: AdoptInstance | AnswerRequest | ReleaseInstance
    ) -> None:
        try:
            if isinstance(action, AdoptInstance):
                await self._cluster.adopt(owner, action)
            elif isinstance(action, AnswerRequest):
                await self._cluster.answer(owner, action)
            else:
                await self._cluster.release(owner, action)
        except (Gone, Conflict, Refused):
            return

    async def _place(
        self, owner: Owner, action: HoldPlace | ReleasePlace, memory: Memory, not_after: int
    ) -> Exception | None:
        """None when the place is held, or let go; what is refused fails the move in time."""
        try:
            if isinstance(action, HoldPlace):
                maker = _of_model(owner, action.model, memory)
                await self._relocations.hold_place(maker, action, not_after)
            else:
                await self._relocations.release_place(owner, action)
        except (Conflict, Refused) as no:
            whose = action.instance if isinstance(action, HoldPlace) else action.name
            memory.refuse_eviction(whose, str(no), self._clock.now())
            return no
        except (Gone, TooOld, Unavailable) as fault:
            return fault
        return None

    async def _touch(
        self, owner: Owner, action: Touch, memory: Memory, not_after: int
    ) -> Exception | None:
        """None when the DELETE, the notice of it or the new images were accepted, else why not."""
        if action.not_after is not None:
            left = action.not_after - self._clock.now()
            own = self._clock.boottime_ns() + left // timedelta(microseconds=1) * 1_000
            not_after = min(not_after, own)
        try:
            if isinstance(action, DeleteInstance):
                await self._cluster.delete_instance(owner, action, not_after)
                self._account.deleted(owner.key, action.purpose)
            elif isinstance(action, GiveNotice):
                await self._cluster.give_notice(owner, action, not_after)
            elif isinstance(action, RenewInstance):
                await self._cluster.renew(owner, action, not_after)
            else:
                await self._maintain(owner, action, memory, not_after)
        except Refused as refused:
            if isinstance(action, AskPause | ClearPause | EvictInstance):
                memory.refuse_eviction(action.name, refused.message, self._clock.now())
            else:
                memory.refuse_touch(action.name, self._clock.now())
            return refused
        except (Conflict, Gone, TooOld, Unavailable) as fault:
            return fault
        memory.refusals.pop(action.name, None)
        memory.refused_until.pop(action.name, None)
        return None

    async def _maintain(
        self,
        owner: Owner,
        action: AskPause | ClearPause | EvictInstance,
        memory: Memory,
        not_after: int,
    ) -> None:
        """A budget that says no is waited for, and is no fault of the API server."""
        if isinstance(action, AskPause):
            await self._relocations.ask_pause(owner, action, not_after)
            return
        if isinstance(action, ClearPause):
            await self._relocations.clear_pause(owner, action, not_after)
            return
        told = partial(self._account.evicted, owner.key)
        try:
            await self._relocations.evict(owner, action, not_after)
        except Disallowed as budget:
            told(EvictionEnd.DISRUPTION_BUDGET)
            memory.refuse_eviction(action.name, str(budget), self._clock.now())
        except tuple(_ENDS) as fault:
            told(next(end for kind, end in _ENDS.items() if isinstance(fault, kind)))
            raise
        else:
            told(EvictionEnd.ACCEPTED)

    async def _create_all(
        self, owner: Owner, creates: list[CreateInstance], memory: Memory, not_after: int
    ) -> Exception | None:
        """Slow start, as a ReplicaSet does it: one, two, four; the first failure ends it.

        A name that is taken ends nothing: the next turn gives another.
        """
        size = 1
        taken: Exception | None = None
        while creates:
            batch, creates = creates[:size], creates[size:]
            done = await asyncio.gather(*(self._create(owner, a, memory, not_after) for a in batch))
            taken = _first(f for f in (taken, *done) if isinstance(f, Conflict))
            fault = _first(f for f in done if not isinstance(f, Conflict))
            if fault is not None:
                return fault
            size = min(2 * size, LARGEST_BATCH)
        return taken

    async def _create(
        self, owner: Owner, action: CreateInstance, memory: Memory, not_after: int
    ) -> Exception | None:
        try:
            maker = _of_model(owner, action.model, memory)
            await self._cluster.create_instance(maker, action, not_after)
        except Conflict as taken:
            memory.unusable.add(action.name)
            return taken
        except Refused as refused:
            memory.refuse_create(refused, self._clock.now())
            return refused
        except (TooOld, Unavailable, Gone) as fault:
            return fault
        memory.create_passed()
        return None


def _first(faults: Iterable[Exception | None]) -> Exception | None:
    return next((f for f in faults if f is not None), None)


def _of_model(owner: Owner, model: str, memory: Memory) -> Owner:
    """The set with the template of that model: of an older one the history's, else its own."""
    if memory.template is not None and model == memory.template.model:
        return owner
    kept = (r.template for r in memory.revisions if r.model == model)
    template = next((t for t in kept if t is not None), None)
    return owner if template is None else replace(owner, template=template)
