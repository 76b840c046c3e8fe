"""The bounds of a rollout: batch, floor, unhealthy limits (protocol rules 22, 23).

Every percent is of what its field names, compared without rounding up. Chooses nobody.
"""

from dataclasses import dataclass

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.api.upgradepolicy import UpgradeMode
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.scene import Scene


def max_batch(spec: ScaleSetSpec) -> int:
    """Instances that may be taken at once: a share of the wanted, rounded down, at least one."""
    if spec.upgrade_policy.mode is UpgradeMode.AUTOMATIC:
        return max(1, spec.replicas)
    percent = spec.upgrade_policy.rolling_upgrade_policy.max_batch_instance_percent
    return max(1, spec.replicas * percent // 100)


def spare(scene: Scene, leaving: set[str]) -> int:
    """Available instances above the floor; one in doubt is not available here (rule 22).

    Args:
        scene: what this decision looks at.
        leaving: UIDs of those that are on their way out and no longer count.
    """
    available = sum(scene.is_available(i) and i.uid not in leaving for i in scene.live)
    return available - (scene.spec.replicas - max_batch(scene.spec))


def is_lost(scene: Scene, instance: Instance) -> bool:
    """Whether taking it costs nothing.

    One in doubt counts as available for taking (rule 22), and one whose health is about to be
    shown does too.
    """
    verdict = scene.verdicts[instance.uid]
    well = scene.is_available(instance) or verdict.health is VMHealth.HEALTHY
    return not well and verdict.doubt is None


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
