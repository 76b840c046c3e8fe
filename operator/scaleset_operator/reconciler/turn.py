"""One turn of one ScaleSet: observe, decide, record, act.

Acts follow only from a status that was recorded, or confirmed, in this very turn; what is read
live is read again after a record. Chooses nothing: `core.decide` does.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.decide import decide
from scaleset_operator.core.maintenance_acts import PublishMaintenance
from scaleset_operator.core.model import images_of
from scaleset_operator.core.objections import CANCEL_AFTER, RECORD_LIFETIME
from scaleset_operator.core.observed import TemplateView
from scaleset_operator.core.plan import Plan, PublishHealth, Record
from scaleset_operator.reconciler.account import Account, NoAccount
from scaleset_operator.reconciler.act import Actor
from scaleset_operator.reconciler.acts import ended_moves
from scaleset_operator.reconciler.agents import Inquirer
from scaleset_operator.reconciler.closer import Closer, Round
from scaleset_operator.reconciler.leadership import Alone, Leadership
from scaleset_operator.reconciler.memory import FleetBook, Memory
from scaleset_operator.reconciler.observe import Observer
from scaleset_operator.reconciler.outlook import NoPolicies, NoVantage, Policies, Vantage
from scaleset_operator.reconciler.ports import (
    Clock,
    Cluster,
    Conflict,
    Gone,
    Key,
    Probes,
    Refused,
    Unavailable,
)
from scaleset_operator.reconciler.relocations import NoRelocations, Relocations
from scaleset_operator.reconciler.resources import KnownSet, Resources
from scaleset_operator.reconciler.revisions import History, Revisions
from scaleset_operator.reconciler.surroundings import Lookout

MAX_ROUNDS: Final = 12
"""Rounds of one turn; each follows a live read or a record, so a handful is the rule."""
MAX_RECORD_AGE_NS: Final = 5_000_000_000
"""An act older than this since its record is dropped (protocol rule 5)."""
MAX_READ_AGE_NS: Final = (CANCEL_AFTER - RECORD_LIFETIME) // timedelta(microseconds=1) * 1_000
"""A live read older than this is none: what a repair that may be cancelled has sent was sent before
it, or was not sent at all."""
STATUS_PAUSE: Final = timedelta(seconds=2)
"""Least time between two status writes that only report."""
STATUS_SETTLE: Final = timedelta(milliseconds=500)
"""How long a report waits for others to share its write."""
TEMPLATE_RETRY: Final = timedelta(seconds=30)
UNFENCED: Final = (PublishHealth, PublishMaintenance)
"""What stands on a pod follows from it and the clock: no record has to come first."""
RESERVE: Final = timedelta(minutes=10)
"""A turn is taken at least this often, so that nothing hangs on one lost event."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Reconciler:
    """Takes turns for all ScaleSets; one at a time for each."""

    resources: Resources
    cluster: Cluster
    probes: Probes
    clock: Clock
    revisions: Revisions
    fleet: FleetBook = field(default_factory=FleetBook)
    account: Account = field(default_factory=NoAccount)
    vantage: Vantage = field(default_factory=NoVantage)
    policies: Policies = field(default_factory=NoPolicies)
    leadership: Leadership = field(default_factory=Alone)
    relocations: Relocations = field(default_factory=NoRelocations)
    _memories: dict[Key, Memory] = field(default_factory=dict)
    _plans: dict[Key, Plan] = field(default_factory=dict)

    def last_plan(self, key: Key) -> Plan | None:
        """The plan that the last turn of this set ended with."""
        return self._plans.get(key)

    def last_plans(self) -> dict[Key, Plan]:
        """The same of every set; may be asked from any thread."""
        return self._plans.copy()

    async def turn(self, key: Key) -> datetime | None:
        """Take one turn.

        Returns:
            When to look again even if nothing happens; None when the set is gone.

        Raises:
            Unavailable: the API server cannot be asked; try again later.
        """
        known = self.resources.scale_set(key)
        if known is None:
            self._forget(key)
            return None
        memory = self._memories.setdefault(key, Memory())
        if not self.leadership.leads():
            return self._stand_by(known, memory)
        try:
            await self._check_template(known, memory)
            await History(self.revisions, self.cluster, self.clock).keep(known, memory)
            return await self._rounds(key, memory)
        except Conflict:
            return self.clock.now() + STATUS_SETTLE
        except Refused as refused:
            # A right that is missing comes back by no act of ours: wait, longer each time.
            message = f"refused: {refused.message}"
            raise Unavailable(message) from refused
        except Gone:
            self.resources.drop_scale_set(key)
            self._forget(key)
            return None

    def _stand_by(self, known: KnownSet, memory: Memory) -> datetime:
        """What a leader would decide on is gathered and kept warm; nothing is asked or sent."""
        now = self.clock.now()
        observer = Observer(self.resources, self.cluster, self.probes, self.fleet)
        observer.observe(known, memory, frozenset(), listed=False, now=now)
        self._note_silence(known, known.resource.status)
        return now + RESERVE

    def _forget(self, key: Key) -> None:
        self._memories.pop(key, None)
        self._plans.pop(key, None)
        self.fleet.forget(key)
        self.account.forgotten(key)
        self.probes.watch(key, {})

    async def _rounds(self, key: Key, memory: Memory) -> datetime | None:
        state = Round()
        for _ in range(MAX_ROUNDS):
            known = self.resources.scale_set(key)
            if known is None:
                return None
            if memory.template is not None and memory.template.model != known.model:
                # Edited since it was checked: nothing is made from what was not.
                return self.clock.now()
            plan = self._decide(known, memory, state)
            closer = Closer(self.resources, self.cluster, self.relocations, self.clock)
            if await closer.look(known, plan, state):
                continue
            if await Lookout(self.policies, self.clock).look(known, plan, memory):
                continue
            if await Inquirer(self.relocations, self.clock).look(plan, memory):
                continue
            if plan.record is Record.NOW:
                await self._record(known, plan, memory, state)
                continue
            return await self._finish(known, plan, memory, state)
        _log.warning("%s/%s: a turn did not settle in %d rounds", *key, MAX_ROUNDS)
        return self.clock.now() + STATUS_SETTLE

    def _decide(self, known: KnownSet, memory: Memory, state: Round) -> Plan:
        seen_by = (self.cluster, self.probes, self.fleet, self.vantage, self.relocations)
        observer = Observer(self.resources, *seen_by)
        now = self.clock.now()
        if state.read_ns is not None and self.clock.boottime_ns() - state.read_ns > MAX_READ_AGE_NS:
            # The process was stopped, or the answers were late: the cluster has gone on meanwhile.
            state.forget_reads()
        observed = observer.observe(
            known, memory, state.live_reads, listed=state.listed, now=now, live=state.beside
        )
        plan = decide(known.resource.spec, observed, now)
        self._note_silence(known, plan.status)
        self._plans[known.key] = plan
        return plan

    def _note_silence(self, known: KnownSet, status: ScaleSetStatus) -> None:
        doubts = status.repairs.doubts
        self.fleet.note(
            known.key,
            watched=known.resource.spec.health_probe_ref is not None,
            silent=bool(doubts),
            witness=any(d.witness for d in doubts),
        )

    async def _record(self, known: KnownSet, plan: Plan, memory: Memory, state: Round) -> None:
        """Write the whole status by compare and swap; everything read live is old after that."""
        sent_ns = self.clock.boottime_ns()
        body = plan.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        version = await self.cluster.record_status(known.owner, body)
        self.resources.put_status(known.key, plan.status, version)
        state.recorded_ns = sent_ns
        state.forget_reads()
        memory.written = self.clock.now()
        memory.pending_since = None
        for repair in plan.ended:
            self.account.repair_ended(known.key, repair)
        for move in ended_moves(known.resource.status, plan.status):
            self.account.move_ended(known.key, move)
        for note in plan.notes:
            await self.cluster.tell(known.owner, note)

    async def _finish(
        self, known: KnownSet, plan: Plan, memory: Memory, state: Round
    ) -> datetime | None:
        """Act on the recorded status, confirming it first, and report what may wait."""
        now = self.clock.now()
        again = [now + RESERVE]
        waits = (plan.look_again_at, memory.template_retry, memory.revisions_retry)
        again += [at for at in waits if at is not None]
        if memory.create_refused is not None and memory.create_refused[2] > now:
            again.append(memory.create_refused[2])
        if plan.look_at_policies and memory.policies_due is not None:
            again.append(memory.policies_due)
        fenced = any(not isinstance(a, UNFENCED) for a in plan.actions)
        if fenced and state.recorded_ns is None:
            await self._record(known, plan, memory, state)
        elif plan.record is Record.SOON:
            due = self._report_due(memory, now)
            if now >= due:
                await self._record(known, plan, memory, state)
            else:
                again.append(due)
        if plan.actions:
            not_after = (state.recorded_ns or self.clock.boottime_ns()) + MAX_RECORD_AGE_NS
            actor = Actor(self.cluster, self.clock, self.account, self.relocations)
            # From the template that was decided on, whatever was heard since: acts name its model.
            done = await actor.act(known.owner, plan.actions, memory, not_after)
            again += memory.note_acts(self.clock.now(), done=done)
        return min(again)

    def _report_due(self, memory: Memory, now: datetime) -> datetime:
        memory.pending_since = memory.pending_since or now
        settled = memory.pending_since + STATUS_SETTLE
        return max(settled, memory.written + STATUS_PAUSE) if memory.written else settled

    async def _check_template(self, known: KnownSet, memory: Memory) -> None:
        """Ask the API server about one pod of the template, once per model (design section 3)."""
        view, now = memory.template, self.clock.now()
        due = memory.template_retry is not None and now >= memory.template_retry
        if view is not None and view.model == known.model and not due:
            await self._look_for_foreign(known, memory, now)
            return
        try:
            await self.cluster.dry_run(known.owner)
        except Refused as refused:
            memory.template_retry = now + TEMPLATE_RETRY
            memory.template = TemplateView(
                model=known.model, fault=refused.reason, fault_message=refused.message
            )
        else:
            memory.template_retry = None
            images = images_of(known.owner.template)
            memory.template = TemplateView(model=known.model, images=images)
        await self._look_for_foreign(known, memory, now, anew=True)

    async def _look_for_foreign(
        self, known: KnownSet, memory: Memory, now: datetime, *, anew: bool = False
    ) -> None:
        """Pods that match the selector and are nobody's: the watch does not show them."""
        if anew or memory.foreign_looked is None or now >= memory.foreign_looked + RESERVE:
            memory.foreign = await self.cluster.foreign_pods(known.owner)
            memory.foreign_looked = now
