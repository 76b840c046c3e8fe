"""Whether repairs of a model are armed: enough of its instances were Healthy once (design.md 3).

A wrong probe makes a healthy set look dead. So with `armAfterHealthyPercent` the instances of a
model are only watched until that share of them has been Healthy once under the probe in force; the
pair of model and source is then written down and stays armed. An edited probe is another source.
What counts towards it stands in memory only: a restart forgets progress, and never a pair.
"""

from datetime import datetime
from typing import Final, NamedTuple

from scaleset_operator.api.base import Reason
from scaleset_operator.api.ledger import MAX_ARMED, ArmedModel
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Gate
from scaleset_operator.core.revisions import called
from scaleset_operator.core.scene import Scene

_OPEN: Final = Gate(reason=Reason.NOT_ARMED, open=True)


class Muster(NamedTuple):
    """How far one model is.

    Attributes:
        healthy: its live instances that were Healthy once under the source in force.
        needed: how many that must be.
    """

    healthy: int
    needed: int


def muster(scene: Scene, model: str) -> Muster:
    """Count one model's instances.

    The share is of the model's live instances; of the latest model's also of those still to come,
    so that the first of forty does not arm the other thirty-nine, and a batch of a rollout answers
    for itself. Rounded up, at least one.
    """
    base = scene.live_models[model]
    if model == scene.observed.template.model:
        base = max(base, scene.spec.replicas - (scene.live_models.total() - base))
    share = -(-base * scene.policy.arm_after_healthy_percent // 100)
    return Muster(healthy=scene.healthy_once[model], needed=max(1, share))


def arm(scene: Scene) -> tuple[ArmedModel, ...]:
    """The pairs that are armed from now on: those recorded, and those that have come so far.

    Bounded: pairs in use stay, the oldest of the others go. With the gate off nothing is kept.
    """
    known = scene.observed.status.repairs.armed
    if not scene.policy.arm_after_healthy_percent:
        return ()
    source = scene.health_source
    if not source or not scene.observed.view_is_fresh or not scene.policy.enabled:
        return known
    new = [m for m in sorted(scene.live_models) if not _is_armed(scene, m) and _suffices(scene, m)]
    if not new:
        return known
    used = [one for one in known if one.source == source and scene.live_models[one.model]]
    others = [one for one in known if one not in used]
    room = max(0, MAX_ARMED - len(used))
    fresh = [_armed(model, source, scene.now) for model in new[:room]]
    spare = room - len(fresh)
    return (*others[len(others) - min(spare, len(others)) :], *used, *fresh)


def armed_gate(scene: Scene, instance: Instance) -> Gate:
    """Whether the instance's model is armed, as recorded; the numbers where it is not."""
    return _gate(scene, instance.model)


def latest_gate(scene: Scene) -> Gate:
    """The same for the latest model; open while it has no instance."""
    model = scene.observed.template.model
    return _gate(scene, model) if scene.live_models[model] else _OPEN


def _gate(scene: Scene, model: str) -> Gate:
    if not scene.policy.arm_after_healthy_percent or _is_armed(scene, model):
        return _OPEN
    count = muster(scene, model)
    name = called(model, scene.observed.revisions)
    under = "the present probe" if scene.observed.probe is not None else "the present source"
    detail = f"{count.healthy} of {count.needed} needed healthy once under {under}, {name}"
    return Gate(reason=Reason.NOT_ARMED, open=False, detail=detail)


def _is_armed(scene: Scene, model: str) -> bool:
    pair = (model, scene.health_source)
    return any((one.model, one.source) == pair for one in scene.observed.status.repairs.armed)


def _suffices(scene: Scene, model: str) -> bool:
    count = muster(scene, model)
    return count.healthy >= count.needed


def _armed(model: str, source: str, now: datetime) -> ArmedModel:
    return ArmedModel(model=model, source=source, time=now)
