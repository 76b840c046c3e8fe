"""Single instances that a person wants on the latest model: how upgrade mode Manual goes on.

Each is recorded, and then renewed in place or deleted and made up for from the latest model, as in
a rollout and within its batch and floor (protocol rule 22); the unhealthy limits are the rollout's
own, not a person's.
Must not know how a rollout chooses.
"""

from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.api.scalesetstatus import MAX_SCALE_IN, RemovalPurpose, ScaleInVictim
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.requests import UPDATE
from scaleset_operator.core.rollout import Rollout
from scaleset_operator.core.rollout_inplace import begin_renewal
from scaleset_operator.core.rollout_limits import is_lost, max_batch, spare
from scaleset_operator.core.scaling import Scaling
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.ways import why_replaced


def update(scene: Scene, scaling: Scaling, rollout: Rollout, entries: list[RepairEntry]) -> None:
    """Choose the instances that are brought to the latest model on request, as there is room.

    Args:
        scene: what this decision looks at.
        scaling: of this decision; what is missing or leaving counts as taken already.
        rollout: of this decision; whom it takes counts as well, and those chosen here join them.
        entries: repairs in flight; their victims are left alone.
    """
    leaving = {v.uid for v in (*scaling.removing, *rollout.taken)}
    leaving |= {r.uid for r in rollout.renewals}
    steps = rollout.status.surge if rollout.status else ()
    busy = leaving | {e.uid for e in entries} | {s.uid for s in steps}
    wanted = [i for i in scene.live if i.operation == UPDATE and i.uid not in busy]
    wanted = [i for i in wanted if is_behind(scene, i) and not i.protected_from_actions]
    if not wanted or not _is_sound(scene):
        return
    fresh = (i for i in scene.live if not is_behind(scene, i) and i.uid not in leaving)
    coming = sum(not scene.is_available(i) for i in fresh)
    room = max_batch(scene.spec) - len(leaving) - scaling.missing - coming - len(steps)
    room = min(room, MAX_SCALE_IN - len(leaving))
    free = spare(scene, leaving)
    for instance in sorted(wanted, key=lambda i: (not is_lost(scene, i), i.instance_id)):
        lost = is_lost(scene, instance)
        if room <= 0 or not (lost or free > 0):
            break
        room -= 1
        free -= not lost
        if why_replaced(scene, instance):
            rollout.taken.append(
                ScaleInVictim(name=instance.name, uid=instance.uid, purpose=RemovalPurpose.ROLLOUT)
            )
        else:
            rollout.renewals.append(begin_renewal(scene, instance))


def is_behind(scene: Scene, instance: Instance) -> bool:
    """Whether it is of an older model than the latest."""
    return instance.model != scene.observed.template.model


def _is_sound(scene: Scene) -> bool:
    """Whether what is taken could be made anew."""
    seen = scene.observed
    accepted = seen.template.checked and seen.template.fault is None and seen.overlaps_with is None
    return accepted and seen.view_is_fresh and seen.create_refused is None
