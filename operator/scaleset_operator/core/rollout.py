"""Bringing instances to the latest model, without breaking the floor (protocol rules 22, 23).

Only names who is taken next; the create that follows is `scaling`'s. An instance is taken by
being recorded, deleted and made up for from the latest model, in its own time.
"""

from dataclasses import dataclass, field
from datetime import datetime

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.api.scalesetstatus import RemovalPurpose, ScaleInVictim
from scaleset_operator.api.upgradepolicy import UpgradeMode
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.scaling import Scaling
from scaleset_operator.core.scene import Scene


@dataclass(slots=True)
class Rollout:
    """Who is taken next, and when time alone lets more go."""

    taken: list[ScaleInVictim] = field(default_factory=list)
    again: list[datetime] = field(default_factory=list)


def roll_out(scene: Scene, scaling: Scaling, entries: list[RepairEntry]) -> Rollout:
    """Choose the instances of older models that are taken now.

    Args:
        scene: what this decision looks at.
        scaling: of this decision; what is missing or leaving counts as taken already.
        entries: repairs in flight; their victims and replacements in the making are left alone.
    """
    result = Rollout()
    old = _outdated(scene, scaling, entries)
    if not old or not _may_roll(scene) or _pausing(scene, result):
        return result
    batch = max_batch(scene)
    leaving = {v.uid for v in scaling.removing}
    updated = [i for i in scene.live if i.model == scene.observed.template.model]
    coming = sum(not scene.is_available(i) for i in updated if i.uid not in scene.noticed)
    room = batch - len(leaving) - scaling.missing - coming
    spare = _spare(scene, leaving, batch)
    good_enough = _healthy_enough(scene, updated)
    for instance in sorted(
        old, key=lambda i: (_is_lost(scene, i) is False, i.update_domain, i.instance_id)
    ):
        lost = _is_lost(scene, instance)
        if room <= 0 or (not lost and (spare <= 0 or not good_enough)):
            break
        room -= 1
        spare -= not lost
        result.taken.append(
            ScaleInVictim(name=instance.name, uid=instance.uid, purpose=RemovalPurpose.ROLLOUT)
        )
    return result


def max_batch(scene: Scene) -> int:
    """Instances that may be taken at once: a share of the wanted, rounded down, at least one."""
    if scene.spec.upgrade_policy.mode is UpgradeMode.AUTOMATIC:
        return max(1, scene.spec.replicas)
    percent = scene.spec.upgrade_policy.rolling_upgrade_policy.max_batch_instance_percent
    return max(1, scene.spec.replicas * percent // 100)


def _may_roll(scene: Scene) -> bool:
    seen = scene.observed
    sound = seen.template.checked and seen.template.fault is None and seen.overlaps_with is None
    return (
        sound
        and seen.view_is_fresh
        and seen.create_refused is None
        and scene.spec.upgrade_policy.mode is not UpgradeMode.MANUAL
    )


def _outdated(scene: Scene, scaling: Scaling, entries: list[RepairEntry]) -> list[Instance]:
    model = scene.observed.template.model
    busy = {v.uid for v in scaling.removing} | {e.uid for e in entries}
    return [
        i
        for i in scene.live
        if i.model != model and i.uid not in busy and not i.protected_from_actions
    ]


def _pausing(scene: Scene, result: Rollout) -> bool:
    """Whether the pause since the last batch still runs."""
    pause = scene.spec.upgrade_policy.rolling_upgrade_policy.pause_time_between_batches
    model = scene.observed.template.model
    newest = max((i.created for i in scene.live if i.model == model), default=None)
    if not pause or newest is None or scene.now >= newest + pause:
        return False
    result.again.append(newest + pause)
    return True


def _spare(scene: Scene, leaving: set[str], batch: int) -> int:
    """Available instances above the floor (rule 22); one in doubt is not available here."""
    available = sum(scene.is_available(i) and i.uid not in leaving for i in scene.live)
    return available - (scene.spec.replicas - batch)


def _is_lost(scene: Scene, instance: Instance) -> bool:
    """Whether taking it costs nothing.

    One in doubt counts as available for taking (rule 22), and one whose health is about to be
    shown does too.
    """
    verdict = scene.verdicts[instance.uid]
    well = scene.is_available(instance) or verdict.health is VMHealth.HEALTHY
    return not well and verdict.doubt is None


def _healthy_enough(scene: Scene, updated: list[Instance]) -> bool:
    """The two unhealthy limits; they gate available instances only (rule 23)."""
    limits = scene.spec.upgrade_policy.rolling_upgrade_policy
    bad = [i for i in scene.live if scene.verdicts[i.uid].health is VMHealth.UNHEALTHY]
    bad_updated = sum(i.model == scene.observed.template.model for i in bad)
    few = len(bad) * 100 <= limits.max_unhealthy_instance_percent * max(1, len(scene.live))
    few_updated = bad_updated * 100 <= limits.max_unhealthy_upgraded_instance_percent * max(
        1, len(updated)
    )
    return few and few_updated
