"""Keeping the history of a set's models: read and written when the model changes, and only then.

A history that cannot be kept holds up nothing but the moves of instances that have an older model,
for these are made from it again. Chooses nothing: `core.revisions` does.
"""

import logging
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Final, Protocol

from scaleset_operator.core.revisions import Revision, Upkeep, after, upkeep
from scaleset_operator.reconciler.memory import Memory
from scaleset_operator.reconciler.ports import (
    Clock,
    Cluster,
    Conflict,
    Gone,
    Owner,
    Refused,
    Unavailable,
)
from scaleset_operator.reconciler.resources import KnownSet

RETRY: Final = timedelta(seconds=30)
RETRY_REFUSED: Final = timedelta(minutes=10)
"""A right that is missing comes back by no act of ours."""

_log = logging.getLogger(__name__)


class Revisions(Protocol):
    """Where the revisions are kept; each call raises Unavailable or Refused as the server says."""

    async def list_revisions(self, owner: Owner) -> tuple[Revision, ...]:
        """The revisions that this set controls, with their templates, in no order."""
        ...

    async def write_revision(self, owner: Owner, revision: Revision) -> Revision:
        """Keep the owner's template under this number, or give what is kept another number.

        Returns:
            The revision as it stands.

        Raises:
            Conflict: an object of that name is there already.
            Gone: the revision that was to be numbered anew is not there any more.
        """
        ...

    async def drop_revision(self, owner: Owner, revision: Revision) -> None:
        """Delete exactly this one; one that is gone is success.

        Raises:
            Conflict: another object has the name now.
        """
        ...


class History:
    """Keeps every set's history."""

    def __init__(self, revisions: Revisions, cluster: Cluster, clock: Clock) -> None:
        self._revisions = revisions
        self._cluster = cluster
        self._clock = clock

    async def keep(self, known: KnownSet, memory: Memory) -> None:
        """See to it that the present template is in the history; nothing where it was seen to.

        A template that the API server refuses is no model of the set, and nothing to go back to.
        """
        no_model = memory.template is None or memory.template.fault is not None
        if no_model or memory.revised == known.model:
            memory.revisions_retry = None
            return
        if memory.revisions_retry is not None and self._clock.now() < memory.revisions_retry:
            return
        wait = RETRY
        try:
            memory.revisions = await self._keep(known.owner, known.model, _moving(known))
        except Refused as refused:
            wait = RETRY_REFUSED
            _log.warning("%s/%s: no history is kept: %s", *known.key, refused.message)
        except (Conflict, Gone, Unavailable) as fault:
            _log.info("%s/%s: the history is kept later: %s", *known.key, fault)
        else:
            memory.revised, memory.revisions_retry = known.model, None
            return
        memory.revisions_retry = self._clock.now() + wait

    async def _keep(
        self, owner: Owner, model: str, moving: Collection[str]
    ) -> tuple[Revision, ...]:
        known = await self._revisions.list_revisions(owner)
        pods = self._cluster.pods(owner)
        in_use = {pod.model for pod in pods.instances}.union(moving)
        needed = upkeep(owner.key.name, known, model, in_use)
        if not pods.fresh:  # Which models are in use is not known: nothing is dropped.
            needed = Upkeep(write=needed.write)
        if needed.write is not None:
            stored = await self._revisions.write_revision(owner, needed.write)
            written = replace(stored, template=owner.template)
            needed = Upkeep(write=written, drop=needed.drop)
        for revision in needed.drop:
            await self._revisions.drop_revision(owner, revision)
        return after(known, needed)


def _moving(known: KnownSet) -> set[str]:
    """Models of instances that are to come again, and may be away."""
    maintenance = known.resource.status.maintenance
    return {entry.model for entry in maintenance.in_flight} if maintenance is not None else set()
