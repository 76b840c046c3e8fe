"""The bounds of a rollout: batch, floor, unhealthy limits (protocol rules 22, 23).

Every percent is of what its field names, compared without rounding up. Chooses nobody.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.api.scalesetstatus import RemovalPurpose, ScaleInVictim
from scaleset_operator.api.upgradepolicy import UpgradeMode
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.scene import Scene


def max_batch(spec: ScaleSetSpec) -> int:
    """Instances that may be taken at once: a share of the wanted, rounded down, at least one."""
    if spec.upgrade_policy.mode is UpgradeMode.AUTOMATIC:
        return max(1, spec.replicas)
    percent = spec.upgrade_policy.rolling_upgrade_policy.max_batch_instance_percent
    return max(1, spec.replicas * percent // 100)


def spare(scene: Scene, leaving: Collection[str]) -> int:
    """Available instances above the floor; one in doubt is not available here (rule 22).

    Args:
        scene: what this decision looks at.
        leaving: UIDs of those that are on their way out and no longer count.
    """
    available = sum(scene.is_available(i) and i.uid not in leaving for i in scene.live)
    return available - (scene.spec.replicas - max_batch(scene.spec))


def is_lost(scene: Scene, instance: Instance) -> bool:
    """Whether taking it costs nothing.

    One in doubt counts as available for taking (rule 22), and so does one whose health or illness
    is about to be shown: until it stands on the pod, a Service may send it traffic.
    """
    verdict, published = scene.verdicts[instance.uid], instance.published
    stands = published is not None and published.health is VMHealth.HEALTHY
    shown = scene.has_source and stands and not instance.renewing
    well = scene.is_available(instance) or shown or verdict.health is VMHealth.HEALTHY
    return not well and verdict.doubt is None


def affordable(scene: Scene, victims: Sequence[ScaleInVictim]) -> frozenset[str]:
    """Which recorded victims may be deleted now: those of a rollout as the floor has room.

    The floor is asked again (rule 22): between the record and the DELETE others may have failed,
    most of all where no operator ran in between. Who is held stays recorded, for another operator
    may be about to delete it.

    Args:
        scene: what this decision looks at.
        victims: live ones, in the order in which they go.

    Returns:
        UIDs.
    """
    everyone = frozenset(v.uid for v in victims)
    if scene.spec.upgrade_policy.mode is UpgradeMode.AUTOMATIC:
        return everyone
    rolled = [v.uid for v in victims if v.purpose is RemovalPurpose.ROLLOUT]
    well = [uid for uid in rolled if not is_lost(scene, scene.by_uid[uid])]
    free = spare(scene, scene.moving | everyone.difference(rolled))
    return everyone.difference(well[max(0, free) :])


@dataclass(frozen=True, slots=True, kw_only=True)
class Toll:
    """How many are unhealthy, in all and among those on the latest model, and of how many."""

    bad: int
    size: int
    bad_updated: int
    updated: int

    @classmethod
    def of(cls, scene: Scene) -> "Toll":
        """Count the live instances."""
        model = scene.observed.template.model
        bad = [i for i in scene.live if scene.verdicts[i.uid].health is VMHealth.UNHEALTHY]
        return cls(
            bad=len(bad),
            size=len(scene.live),
            bad_updated=sum(i.model == model for i in bad),
            updated=sum(i.model == model for i in scene.live),
        )


def objection(scene: Scene) -> str:
    """Which unhealthy limit is exceeded, in words; empty where none is.

    Both gate the taking of available instances only, so that a good model can always cure a bad
    one (rule 23).
    """
    limits = scene.spec.upgrade_policy.rolling_upgrade_policy
    toll = Toll.of(scene)
    most, most_updated = (
        limits.max_unhealthy_instance_percent,
        limits.max_unhealthy_upgraded_instance_percent,
    )
    if toll.bad_updated * 100 > most_updated * max(1, toll.updated):
        return (
            f"{toll.bad_updated} of {toll.updated} upgraded instances are unhealthy, "
            f"maxUnhealthyUpgradedInstancePercent is {most_updated}"
        )
    if toll.bad * 100 > most * max(1, toll.size):
        return (
            f"{toll.bad} of {toll.size} instances are unhealthy, "
            f"maxUnhealthyInstancePercent is {most}"
        )
    return ""
