"""The questions asked before a repair, in order; the first No is the reason (X-11).

Every instance that is unhealthy and not being repaired has exactly one reason, and a time where
time alone changes it. What to do with the answers is decided elsewhere.
"""

from collections.abc import Callable, Iterator
from typing import Final

from scaleset_operator.api.base import Reason, VMHealth, format_time
from scaleset_operator.api.repairpolicy import (
    STANDARD_MAX_REPLICAS,
    DesiredServiceState,
    Limits,
    RepairMode,
)
from scaleset_operator.api.scalesetstatus import RemovalPurpose
from scaleset_operator.core.arming import armed_gate
from scaleset_operator.core.budgets import budget_gate
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Gate
from scaleset_operator.core.requests import action_asked
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.ways import way_of
from scaleset_operator.core.wishes import suspended_because, suspended_until


def _enabled(scene: Scene) -> Gate:
    return Gate(
        reason=Reason.DISABLED, open=scene.policy.enabled, detail="automaticRepairsPolicy.enabled"
    )


def _few_enough(scene: Scene) -> Gate:
    too_many = (
        scene.policy.limits is Limits.STANDARD and scene.spec.replicas > STANDARD_MAX_REPLICAS
    )
    return Gate(
        reason=Reason.TOO_MANY_INSTANCES,
        open=not too_many,
        detail=f"replicas {scene.spec.replicas}, limits {scene.policy.limits}",
    )


def _source(scene: Scene) -> Gate:
    if not scene.has_source:
        return Gate(reason=Reason.NO_PROBE, open=False, detail="no health source is named")
    fault = scene.probe_fault
    if fault is not None:
        return Gate(reason=fault[0], open=False, detail=fault[1])
    return Gate(reason=Reason.NO_PROBE, open=True)


def _accepted(scene: Scene) -> Gate:
    seen = scene.observed
    if seen.overlaps_with is not None:
        return Gate(
            reason=Reason.SELECTOR_OVERLAP, open=False, detail=f"overlaps {seen.overlaps_with}"
        )
    if seen.template.fault is not None:
        return Gate(reason=seen.template.fault, open=False, detail=seen.template.fault_message)
    if seen.create_refused is not None:
        reason, message, until = seen.create_refused
        return Gate(reason=reason, open=False, detail=message, until=until)
    return Gate(reason=Reason.INVALID_TEMPLATE, open=seen.template.checked)


def _fresh_view(scene: Scene) -> Gate:
    return Gate(reason=Reason.STALE_VIEW, open=scene.observed.view_is_fresh)


def _not_suspended_by_user(scene: Scene) -> Gate:
    until = suspended_until(scene)
    spec_says = scene.policy.service_state is DesiredServiceState.SUSPENDED
    by = "serviceState is Suspended" if spec_says else f"until {format_time(until or scene.now)}"
    return Gate(
        reason=Reason.SUSPENDED_BY_USER,
        open=not spec_says and until is None,
        detail=": ".join(part for part in (by, suspended_because(scene)) if part),
        until=None if spec_says else until,
    )


def _not_suspended_by_platform(scene: Scene) -> Gate:
    repairs = scene.observed.status.repairs
    return Gate(
        reason=Reason.SUSPENDED_BY_PLATFORM,
        open=repairs.suspended_since is None,
        detail=repairs.suspended_cause,
    )


def _known(scene: Scene, instance: Instance) -> Gate:
    """The verdict must be fresh: this process has watched a full timeout (X-08)."""
    verdict = scene.verdicts[instance.uid]
    inconclusive = verdict.reason in (Reason.PROBE_INCONCLUSIVE, Reason.PROBE_BLOCKED)
    return Gate(
        reason=verdict.reason if inconclusive else Reason.HEALTH_UNKNOWN,
        open=verdict.fresh and verdict.health is not VMHealth.UNKNOWN,
        detail=verdict.message,
        until=verdict.changes_at,
    )


def _shown(scene: Scene, instance: Instance) -> Gate:
    """The verdict must stand on the pod, for all to see, before the act."""
    published = instance.published
    unhealthy = scene.verdicts[instance.uid].health is VMHealth.UNHEALTHY
    return Gate(
        reason=Reason.HEALTH_UNKNOWN,
        open=not unhealthy or (published is not None and published.health is VMHealth.UNHEALTHY),
        detail="not yet published",
        asks="the verdict stands on the pod, for all to see",
    )


def _has_started(_: Scene, instance: Instance) -> Gate:
    return Gate(
        reason=Reason.NEVER_STARTED,
        open=instance.started is not None,
        detail="its containers have never all run",
    )


def _unprotected(_: Scene, instance: Instance) -> Gate:
    flag = "scale-in" if instance.protected_from_scale_in else "scale-set-actions"
    return Gate(
        reason=Reason.INSTANCE_PROTECTED, open=not instance.protected, detail=f"protect-from-{flag}"
    )


def _out_of_grace(scene: Scene, instance: Instance) -> Gate:
    """Grace runs from the end of the last state change, and from enabling (R-24, R-36)."""
    enabled = scene.observed.status.repairs.enabled_time
    begun = enabled is not None and instance.started is not None
    until = max(instance.started or scene.now, enabled or scene.now) + scene.policy.grace_period
    return Gate(
        reason=Reason.IN_GRACE_PERIOD,
        open=begun and scene.now >= until,
        detail=f"until {format_time(until)}",
        until=until,
    )


def _not_refused(scene: Scene, instance: Instance) -> Gate:
    until = scene.observed.refused_until.get(instance.name)
    return Gate(
        reason=Reason.REPAIR_BACK_OFF,
        open=until is None or scene.now >= until,
        detail="the API server refused a write to it",
        until=until,
    )


def _not_leaving(scene: Scene, instance: Instance) -> Gate:
    """One that is to be removed anyway is not repaired as well (R-22)."""
    purpose = next(
        (v.purpose for v in scene.observed.status.scale_in if v.uid == instance.uid), None
    )
    surges = any(s.uid == instance.uid for s in scene.surge_steps)
    renews = any(r.uid == instance.uid for r in scene.renewals)
    in_step = instance.name in scene.surplus or surges or renews
    in_batch = in_step or purpose is RemovalPurpose.ROLLOUT
    return Gate(
        reason=Reason.ROLLOUT_IN_PROGRESS if in_batch else Reason.SCALED_IN,
        open=purpose is None and not in_step,
    )


def _not_maintained(scene: Scene, instance: Instance) -> Gate:
    """One under maintenance is neither judged nor repaired for what that does to it (X-01)."""
    return Gate(
        reason=Reason.MAINTENANCE_IN_PROGRESS,
        open=instance.uid not in scene.moving,
        detail="it is being moved to an updated node, or paused in place",
    )


def _renewable(scene: Scene, instance: Instance) -> Gate:
    """One that is to keep its pod needs another spelling of every image (design.md section 3)."""
    return Gate(
        reason=Reason.NO_EQUIVALENT_IMAGE,
        open=way_of(scene, instance) is not None,
        detail=f"images {', '.join(instance.containers.images)}",
    )


def _may_act(scene: Scene) -> Gate:
    return Gate(reason=Reason.OBSERVE_MODE, open=scene.policy.mode is RepairMode.ACT)


OF_THE_SET: Final[tuple[Callable[[Scene], Gate], ...]] = (
    _enabled,
    _few_enough,
    _source,
    _accepted,
    _fresh_view,
    _not_suspended_by_user,
    _not_suspended_by_platform,
)
OF_THE_INSTANCE: Final[tuple[Callable[[Scene, Instance], Gate], ...]] = (
    _known,
    _has_started,
    _unprotected,
    _out_of_grace,
    armed_gate,
    _not_refused,
    _not_leaving,
    _not_maintained,
    _renewable,
    _shown,
    budget_gate,
)


NOT_ON_REQUEST: Final[frozenset[Callable[..., Gate]]] = frozenset(
    {_enabled, _few_enough, _source, _known, _has_started, _out_of_grace, armed_gate, _shown}
)
"""What keeps the operator from acting too early of its own accord: a person who asks has looked.
What protects the instance, the set or the budget is asked of everybody."""


def ask(scene: Scene, instance: Instance) -> Iterator[Gate]:
    """Ask every gate about one instance, in order; whether we may act at all comes last."""
    asked = action_asked(scene.policy, instance) is not None
    skipped = NOT_ON_REQUEST if asked else frozenset[Callable[..., Gate]]()
    yield from (gate(scene) for gate in OF_THE_SET if gate not in skipped)
    yield from (gate(scene, instance) for gate in OF_THE_INSTANCE if gate not in skipped)
    yield _may_act(scene)


def first_closed(scene: Scene, instance: Instance) -> Gate | None:
    """The first gate that does not let a repair pass; None when all are open."""
    return next((gate for gate in ask(scene, instance) if not gate.open), None)


def closed_to_all(scene: Scene) -> Gate | None:
    """The first closed gate that concerns the whole set; the condition RepairsAllowed shows it."""
    gates = (gate(scene) for gate in (*OF_THE_SET, _may_act))
    return next((gate for gate in gates if not gate.open), None)
