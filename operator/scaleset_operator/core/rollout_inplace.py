"""The life of a renewal: an instance that a rollout brings to the latest model in its pod.

Recorded, then one patch, then held until the new containers are Healthy or their grace has ended,
so that whoever reads the record counts it as not available (protocol rules 3, 5, 10 and 22). What a
newer model supersedes is not written. Begins none by itself: `rollout` says for whom there is room.
"""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

from scaleset_operator.api.rolloutstatus import Renewal
from scaleset_operator.core.inplace import changes, is_well, renewed_from, slot_ends
from scaleset_operator.core.objections import CANCEL_AFTER, RECORD_LIFETIME
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Purpose, RenewInstance
from scaleset_operator.core.rollout_limits import spare
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.ways import update_images, why_replaced


@dataclass(slots=True)
class Renewals:
    """What became of the recorded renewals.

    Attributes:
        steps: those that go on; each holds a place of the batch.
        waiting: names of those whose new containers have not shown themselves yet.
        reads: names to be read live before a patch may be sent, or a step ends without it.
    """

    steps: list[Renewal] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    acts: list[RenewInstance] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    again: list[datetime] = field(default_factory=list)

    @property
    def uids(self) -> frozenset[str]:
        """UIDs of the instances that are being renewed."""
        return frozenset(step.uid for step in self.steps)


def carry_on(scene: Scene, leaving: AbstractSet[str]) -> Renewals:
    """Bring every recorded renewal forward as far as this observation allows.

    Args:
        scene: what this decision looks at.
        leaving: UIDs of those that are on their way out.
    """
    found = Renewals()
    free = spare(scene, set(leaving))
    for step in scene.renewals:
        instance = scene.by_uid.get(step.uid)
        if instance is None and step.instance not in scene.observed.live_reads:
            found.reads.add(step.instance)
            _go_on(found, step)
        elif instance is None or not instance.live or step.uid in leaving:
            continue  # It goes, and is made up for like any other.
        elif instance.model == step.model:
            _after_patch(scene, found, step, instance)
        else:
            free -= _before_patch(scene, found, step, instance, free)
    return found


def begin_renewal(scene: Scene, instance: Instance) -> Renewal:
    """A renewal of this instance: recorded first, its patch sent by the next decision."""
    return Renewal(
        instance=instance.name,
        uid=instance.uid,
        model=scene.observed.template.model,
        from_model=instance.model,
        start_time=scene.now,
    )


def _go_on(found: Renewals, step: Renewal, *, waits: bool = True) -> None:
    found.steps.append(step)
    if waits:
        found.waiting.append(step.instance)


def _before_patch(
    scene: Scene, found: Renewals, step: Renewal, instance: Instance, free: int
) -> bool:
    """Ask again whether it may be; patch what was read live, or end the step without it.

    It ends only once nobody can be about to send the patch any more. Returns whether the patch
    takes one that is available.
    """
    if step.instance not in scene.observed.live_reads:
        found.reads.add(step.instance)
        _go_on(found, step)
        return False
    available = scene.is_available(instance)
    held = not may_write(scene, step, instance) or (available and free <= 0)
    cancel_from = step.start_time + CANCEL_AFTER
    if held and scene.now >= cancel_from:
        return False
    _go_on(found, step)
    if held:
        found.again.append(cancel_from)
        return False
    found.acts.append(_patch(scene, step, instance))
    return available


def may_write(scene: Scene, step: Renewal, instance: Instance) -> bool:
    """Whether the step is still wanted, and the pod is as it was recorded (protocol rule 10)."""
    template = scene.observed.template
    as_recorded = step.model == template.model and step.from_model == instance.model
    sound = template.checked and template.fault is None and scene.observed.overlaps_with is None
    in_time = scene.now < step.start_time + RECORD_LIFETIME
    allowed = not instance.protected_from_actions and not why_replaced(scene, instance)
    return as_recorded and sound and in_time and allowed


def _patch(scene: Scene, step: Renewal, instance: Instance) -> RenewInstance:
    """The one patch: the template's images where they are others, and the model they are of."""
    images = update_images(scene, instance)
    return RenewInstance(
        name=instance.name,
        uid=instance.uid,
        resource_version=instance.resource_version,
        images=changes(instance.containers, images),
        renewed_from=renewed_from(instance.containers, images),
        model=step.model,
        purpose=Purpose.ROLLOUT,
        not_after=step.start_time + RECORD_LIFETIME,
    )


def _after_patch(scene: Scene, found: Renewals, step: Renewal, instance: Instance) -> None:
    """Hold it until it is well or its grace has ended; a newer model chooses it anew at once."""
    begun = step.renewed_time or scene.now
    ends = slot_ends(scene, instance, begun)
    newer = step.model != scene.observed.template.model
    if newer or is_well(scene, instance) or scene.now >= ends:
        return
    found.again.append(ends)
    held = step.model_copy(update={"renewed_time": begun})
    _go_on(found, held, waits=instance.started is None or instance.renewing)
