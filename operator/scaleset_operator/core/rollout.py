"""Bringing instances to the latest model, without breaking the floor (protocol rules 22, 23).

Names who is taken next: by new images in the pod where that is wanted and can be, else by being
recorded, deleted and made up for, or with `maxSurge` by a successor that is made first. Unavailable
instances go first, held up by neither floor, limits nor pause, so that a good model can always cure
a bad one. How far the rollout is, is said elsewhere.
"""

from dataclasses import dataclass, field
from datetime import datetime

from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.api.rolloutstatus import MAX_SURGE, Renewal, RolloutStatus, SurgeStep
from scaleset_operator.api.scalesetstatus import MAX_SCALE_IN, RemovalPurpose, ScaleInVictim
from scaleset_operator.api.upgradepolicy import UpgradeMode
from scaleset_operator.core.naming import Names
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import CreateInstance, RenewInstance
from scaleset_operator.core.rollout_inplace import Renewals, begin_renewal, carry_on
from scaleset_operator.core.rollout_limits import is_lost, max_batch, objection, spare
from scaleset_operator.core.rollout_progress import Standing, awaited, told
from scaleset_operator.core.scaling import Scaling
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.surge import Surge, advance, begin, wait_after
from scaleset_operator.core.ways import why_replaced


@dataclass(slots=True)
class Rollout:
    """Who is taken next, what is due, and how the rollout stands.

    Attributes:
        taken: instances that go, recorded before their DELETE.
        renewals: instances that are renewed in place, recorded before their patch.
        status: of the rollout as it now is; None when there is none.
        again: moments at which time alone lets more go.
        reads: names to be read live before this can go further.
    """

    taken: list[ScaleInVictim] = field(default_factory=list)
    renewals: list[Renewal] = field(default_factory=list)
    acts: list[CreateInstance | RenewInstance] = field(default_factory=list)
    status: RolloutStatus | None = None
    again: list[datetime] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)


def roll_out(scene: Scene, names: Names, scaling: Scaling, entries: list[RepairEntry]) -> Rollout:
    """Choose the instances of older models that are taken now.

    Args:
        scene: what this decision looks at.
        names: hands out the names of successors that are made first.
        scaling: of this decision; what is missing or leaving counts as taken already.
        entries: repairs in flight; their victims and replacements in the making are left alone.
    """
    if not scene.observed.view_is_fresh:
        status = scene.observed.status
        return Rollout(status=status.rollout, renewals=list(status.renewals))
    return _Choice(scene, names, scaling, entries).rollout()


class _Choice:
    """One decision's choice, in the order in which the bounds are asked."""

    def __init__(
        self, scene: Scene, names: Names, scaling: Scaling, entries: list[RepairEntry]
    ) -> None:
        self.scene, self.names, self.scaling = scene, names, scaling
        self.policy = scene.spec.upgrade_policy.rolling_upgrade_policy
        self.model = scene.observed.template.model
        leaving = {v.uid for v in scaling.removing}
        self.renewals: Renewals = carry_on(scene, leaving)
        moving = {i.uid for i in scene.live if i.uid in scene.moving}
        held = leaving | self.renewals.uids | moving
        free = spare(scene, held) if scene.surge_steps else 0
        self.surge: Surge = advance(scene, names, scaling, free)
        self.leaving = leaving | {v.uid for v in self.surge.leaving}
        self.out = self.leaving | self.renewals.uids | moving
        busy = self.out | {e.uid for e in entries} | {s.uid for s in self.surge.steps}
        self.behind = [
            i for i in scene.live if i.model != self.model and not i.protected_from_actions
        ]
        self.old = [i for i in self.behind if i.uid not in busy]
        self.record = self._record()
        self.taken: list[Instance] = []
        self.renewed: list[Renewal] = []
        self.begun: list[SurgeStep] = []
        self.objection = ""

    def _record(self) -> RolloutStatus | None:
        """The rollout as recorded; another model begins another one (R-58)."""
        before = self.scene.observed.status.rollout
        if before is not None and before.model == self.model:
            return before
        if not self.behind or self.scene.spec.upgrade_policy.mode is UpgradeMode.MANUAL:
            return None
        return RolloutStatus(model=self.model, start_time=self.scene.now, reason="RollingOut")

    def rollout(self) -> Rollout:
        """Choose, and say how it stands."""
        again = [*self.surge.again, *self.renewals.again]
        if self.record is not None:
            self.record = self._after_surge(self.record)
            if self._may_roll():
                self._choose(self.record)
        taken = [_victim(i) for i in self.taken]
        status = self._status()
        if status is not None:
            again += [at for at in (self._pause_end(status), status.next_time) if at is not None]
        return Rollout(
            taken=[*self.surge.leaving, *taken],
            renewals=[*self.renewals.steps, *self.renewed],
            acts=[*self.surge.acts, *self.renewals.acts],
            status=status,
            again=again,
            reads=self.surge.reads | self.renewals.reads,
        )

    def _after_surge(self, record: RolloutStatus) -> RolloutStatus:
        """Count what the surge came to: a success forgets the failures before it."""
        if self.surge.failed:
            failures = record.failed_surges + self.surge.failed
            until = self.scene.now + wait_after(failures)
            return record.model_copy(update={"failed_surges": failures, "next_time": until})
        if self.surge.done and record.failed_surges:
            return record.model_copy(update={"failed_surges": 0, "next_time": None})
        return record

    def _may_roll(self) -> bool:
        seen = self.scene.observed
        sound = seen.template.checked and seen.template.fault is None and seen.overlaps_with is None
        manual = self.scene.spec.upgrade_policy.mode is UpgradeMode.MANUAL
        return sound and seen.create_refused is None and not manual

    def _choose(self, record: RolloutStatus) -> None:
        """Take the lost ones as the batch has room, the others as all bounds allow."""
        order = sorted(self.old, key=lambda i: (not self._lost(i), i.update_domain, i.instance_id))
        listed = len(self.scaling.removing) + len(self.surge.leaving) + len(self.renewals.steps)
        if self.scene.spec.upgrade_policy.mode is UpgradeMode.AUTOMATIC:
            self._take(order[: max(0, MAX_SCALE_IN - listed)])
            return
        room = min(max_batch(self.scene.spec) - self._under_way(), MAX_SCALE_IN - listed)
        lost = [i for i in order if self._lost(i)][: max(0, room)]
        self._take(lost)
        room -= len(lost)
        self.objection = objection(self.scene)
        if room <= 0 or self.objection or self._is_paused(record):
            return
        others = [i for i in order if not self._lost(i)]
        at_once = [i for i in others if self._stays(i)] if self.policy.max_surge else others
        at_once = at_once[: max(0, min(room, spare(self.scene, self.out)))]
        self._take(at_once)
        if self.policy.max_surge:
            others = [i for i in others if not self._stays(i)]
            self._surge(record, others, room - len(at_once))

    def _surge(self, record: RolloutStatus, others: list[Instance], room: int) -> None:
        """Begin successors for those that cannot be renewed, as there is room."""
        if not self.scene.observed.status.repairs.doubts and not self._is_backing_off(record):
            # After a failure the next successor comes alone: it shows whether more are worth it.
            room = min(room, MAX_SURGE - len(self.surge.steps))
            room = min(room, 1 - len(self.surge.steps)) if record.failed_surges else room
            self._begin(others[: max(0, room)])

    def _take(self, chosen: list[Instance]) -> None:
        """Renew in their pods those that can be; the others go."""
        self.renewed += [begin_renewal(self.scene, i) for i in chosen if self._stays(i)]
        self.taken += [i for i in chosen if not self._stays(i)]

    def _stays(self, instance: Instance) -> bool:
        return not why_replaced(self.scene, instance)

    def _begin(self, chosen: list[Instance]) -> None:
        """Begin a step for each, once all were read live: a successor of one gone is too many."""
        unread = {i.name for i in chosen} - self.scene.observed.live_reads
        self.surge.reads |= unread
        if not unread:
            self.begun = [begin(self.scene, self.names, i) for i in chosen]

    def _lost(self, instance: Instance) -> bool:
        return is_lost(self.scene, instance)

    def _under_way(self) -> int:
        """Instances that are being taken: leaving, missing, renewed, in steps, not well yet."""
        successors = {s.replacement for s in self.surge.steps}
        counted = self.out | self.scene.noticed
        coming = sum(
            i.model == self.model
            and i.name not in successors
            and i.uid not in counted
            and not self.scene.is_available(i)
            for i in self.scene.live
        )
        owed = sum(self.scene.move_owes(entry) for entry in self.scene.moves)
        return len(self.out) + owed + self.scaling.missing + coming + len(self.surge.steps)

    def _is_backing_off(self, record: RolloutStatus) -> bool:
        until = record.next_time if record.failed_surges else None
        return until is not None and self.scene.now < until

    def _is_paused(self, record: RolloutStatus) -> bool:
        """Whether the last batch is not healthy yet, or not for long enough."""
        pause = self.policy.pause_time_between_batches
        if not pause or record.batch_time is None:
            return False
        healthy = self._healthy_time(record)
        return healthy is None or self.scene.now < healthy + pause

    def _healthy_time(self, record: RolloutStatus) -> datetime | None:
        """Since when nobody of the last batch is waited for; kept once it was seen."""
        if record.healthy_time is not None:
            return record.healthy_time
        renewing = self.renewals.waiting
        waited_for = self.leaving or self.scaling.missing or self.surge.steps or renewing
        starting = any(i.model == self.model for i in awaited(self.scene))
        return None if waited_for or starting else self.scene.now

    def _pause_end(self, status: RolloutStatus) -> datetime | None:
        pause = self.policy.pause_time_between_batches
        return status.healthy_time + pause if pause and status.healthy_time else None

    def _status(self) -> RolloutStatus | None:
        """The record as it now is, with how far the rollout has come; None when it is over."""
        record = self.record
        if record is None:
            return None
        if self.policy.pause_time_between_batches and record.batch_time is not None:
            record = record.model_copy(update={"healthy_time": self._healthy_time(record)})
        if self.taken or self.renewed or self.begun:
            times = {"batch_time": self.scene.now, "healthy_time": None}
            record = record.model_copy(update=times)
        steps = (*self.surge.steps, *self.begun)
        record = record.model_copy(update={"surge": steps})
        standing = Standing(
            behind=tuple(self.behind),
            leaving=len(self.leaving) + len(self.taken),
            held=self.scaling.held,
            missing=self.scaling.missing,
            renewing=(*self.renewals.waiting, *(r.instance for r in self.renewed)),
            objection=self.objection,
            pause_until=self._pause_end(record),
        )
        return told(self.scene, record, standing)


def _victim(instance: Instance) -> ScaleInVictim:
    return ScaleInVictim(name=instance.name, uid=instance.uid, purpose=RemovalPurpose.ROLLOUT)
