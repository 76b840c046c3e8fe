"""A turn's live reads: what a plan asks for before it can go further, read and remembered.

Chooses nothing; what was read live is forgotten with each record.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from scaleset_operator.core.plan import Plan
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.observe import NOTHING_READ, LiveReads
from scaleset_operator.reconciler.ports import Clock, Cluster, Key, Owner
from scaleset_operator.reconciler.relocations import Relocations
from scaleset_operator.reconciler.resources import KnownSet, Resources
from scaleset_operator.reconciler.windows_seen import partner_behind


@dataclass(slots=True)
class Round:
    """How far a turn has come.

    Attributes:
        recorded_ns: CLOCK_BOOTTIME just before the last record or confirmation was sent.
        read_ns: the same of the first live read since then.
        beside: what else than pods was read live since then.
    """

    live_reads: frozenset[str] = frozenset()
    listed: bool = False
    recorded_ns: int | None = None
    read_ns: int | None = None
    beside: LiveReads = NOTHING_READ

    def forget_reads(self) -> None:
        """Whatever was read live is to be read again."""
        self.live_reads, self.listed, self.read_ns = frozenset(), False, None
        self.beside = NOTHING_READ


class Closer:
    """Reads live what plans ask for."""

    def __init__(
        self, resources: Resources, cluster: Cluster, relocations: Relocations, clock: Clock
    ) -> None:
        self._resources = resources
        self._cluster = cluster
        self._relocations = relocations
        self._clock = clock

    async def look(self, known: KnownSet, plan: Plan, state: Round) -> bool:
        """Read what is not read yet; True when there is more to decide on now."""
        read_ns = state.read_ns or self._clock.boottime_ns()
        if plan.list_live and not state.listed:
            await self._cluster.list_instances(known.owner)
            state.listed, state.read_ns = True, read_ns
            return True
        pods = plan.reads - state.live_reads
        windows = plan.read_windows - state.beside.windows
        places = plan.read_places - state.beside.places.keys()
        if not (pods or windows or places):
            return False
        owner = known.owner
        await asyncio.gather(
            *(self._cluster.read_instance(owner, name) for name in sorted(pods)),
            *(self._read_window(Key(owner.key.namespace, name)) for name in sorted(windows)),
        )
        found = await self._read_places(owner, places)
        state.live_reads, state.read_ns = state.live_reads | pods, read_ns
        state.beside = LiveReads(
            windows=state.beside.windows | windows, places={**state.beside.places, **found}
        )
        return True

    async def _read_window(self, key: Key) -> None:
        """A window, then the other of its pair: which one that is, the first read says."""
        await self._read_one(key)
        partner = partner_behind(key, self._resources)
        if partner is not None:
            await self._read_one(partner)

    async def _read_one(self, key: Key) -> None:
        """One that is gone is dropped."""
        body = await self._relocations.read_window(key)
        if body is None:
            self._resources.drop_window(key)
        else:
            self._resources.put_window(body)

    async def _read_places(self, owner: Owner, names: frozenset[str]) -> Mapping[str, Place | None]:
        wanted = sorted(names)
        found = await asyncio.gather(*(self._relocations.read_place(owner, n) for n in wanted))
        return dict(zip(wanted, found, strict=True))
