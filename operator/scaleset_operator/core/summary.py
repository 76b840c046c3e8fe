"""The next status as people read it: counts, service state, explanations.

Adds nothing to what was decided; conditions are made in `conditions`.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import MAX_HISTORY, RepairRecord, RepairsStatus
from scaleset_operator.api.repairpolicy import DesiredServiceState
from scaleset_operator.api.scalesetstatus import (
    MAX_UNHEALTHY_LISTED,
    OrchestrationService,
    RepairDecision,
    ServiceState,
    SuspendedBy,
    UnhealthyInstance,
)
from scaleset_operator.core.conditions import Word
from scaleset_operator.core.ledger import Closed
from scaleset_operator.core.plan import Decision
from scaleset_operator.core.rotation import tally
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.wishes import suspended_because, suspended_until, unreadable

_HEALTHS: Final = (VMHealth.HEALTHY, VMHealth.UNHEALTHY, VMHealth.UNKNOWN)


def counts(scene: Scene, in_flight: int) -> dict[str, Any]:
    """The figures of the status, over pods that are neither Terminating nor over."""
    live = scene.live
    verdicts = scene.verdicts
    by_health = dict.fromkeys(_HEALTHS, 0)
    for instance in live:
        by_health[verdicts[instance.uid].health] += 1
    labels = sorted(scene.spec.selector.match_labels.items())
    return {
        "observed_generation": scene.observed.generation,
        "replicas": len(live),
        "ready_replicas": sum(i.ready for i in live),
        "updated_replicas": sum(i.model == scene.observed.template.model for i in live),
        "healthy_replicas": by_health[VMHealth.HEALTHY],
        "unhealthy_replicas": by_health[VMHealth.UNHEALTHY],
        "unknown_replicas": by_health[VMHealth.UNKNOWN],
        "repairing_replicas": in_flight,
        "protected_replicas": sum(i.protected for i in live),
        "selector": ",".join(f"{key}={value}" for key, value in labels),
        "latest_model": scene.observed.template.model,
        "rotation": tally(scene.observed, verdicts),
        "outbound": scene.observed.outbound and scene.observed.outbound[0],
    }


def outbound(scene: Scene) -> Iterator[Word]:
    """OutboundPortsSufficient as the set's OutboundRule has it; nothing where none selects it."""
    if scene.observed.outbound is not None:
        said = scene.observed.outbound[1]
        yield Word(said.type, said.status, said.reason, said.message)


def services(scene: Scene, repairs: RepairsStatus) -> tuple[OrchestrationService, ...]:
    """The state of automatic repairs; none without a policy (R-37).

    A suspension by the platform stays visible while repairs are disabled (R-45).

    Args:
        scene: what this decision looks at.
        repairs: with the suspension by the platform as now decided.
    """
    if scene.spec.automatic_repairs_policy is None:
        return ()
    by_spec = scene.policy.service_state is DesiredServiceState.SUSPENDED
    until = suspended_until(scene)
    suspended_since = repairs.suspended_since
    why = repairs.suspended_cause
    if not scene.policy.enabled:
        state, reason = ServiceState.NOT_RUNNING, Reason.DISABLED
    elif suspended_since is not None:
        state, reason = ServiceState.SUSPENDED, Reason.SUSPENDED_BY_PLATFORM
    elif by_spec or until is not None:
        state, reason = ServiceState.SUSPENDED, Reason.SUSPENDED_BY_USER
        why = suspended_because(scene)
    else:
        state, reason = ServiceState.RUNNING, Reason.POLICY_ENABLED
    suspended_by = SuspendedBy.PLATFORM if suspended_since is not None else None
    if suspended_by is None and state is ServiceState.SUSPENDED:
        suspended_by = SuspendedBy.USER
    before = next(iter(scene.observed.status.orchestration_services), None)
    same = before is not None and before.service_state == state and before.reason == reason
    since = before.since_time if before is not None and same else scene.now
    return (
        OrchestrationService(
            service_state=state,
            reason=reason,
            suspended_by=suspended_by,
            since_time=since,
            until_time=None if by_spec or reason is not Reason.SUSPENDED_BY_USER else until,
            message=unreadable(scene) or why,
        ),
    )


def explained(decisions: Iterable[Decision]) -> tuple[UnhealthyInstance, ...]:
    """The longest unhealthy ones, bounded; every one is on its own pod (X-11)."""
    repairing = RepairDecision.REPAIRING
    unwell = (d for d in decisions if VMHealth.HEALTHY is not d.health or d.decision is repairing)
    first = sorted(unwell, key=lambda d: (d.since, d.instance))[:MAX_UNHEALTHY_LISTED]
    return tuple(
        UnhealthyInstance(
            name=d.instance,
            vm_health=d.health,
            since_time=d.since,
            repair_decision=d.decision,
            reason=d.reason,
            eligible_time=d.until,
        )
        for d in first
    )


def ended(scene: Scene, closed: Iterable[Closed]) -> tuple[RepairRecord, ...]:
    """All repairs that end now, in the order they end."""
    return tuple(
        RepairRecord(
            instance=end.entry.instance,
            replacement=end.entry.replacement if scene.past_delete(end.entry) else None,
            action=end.entry.action,
            cause=end.entry.cause,
            cause_reason=end.entry.cause_reason,
            result=end.result,
            reason=end.reason,
            start_time=end.entry.start_time,
            end_time=scene.now,
        )
        for end in closed
    )


def history(scene: Scene, closed: Iterable[Closed]) -> tuple[RepairRecord, ...]:
    """The last repairs that ended, newest first, bounded."""
    return (*reversed(ended(scene, closed)), *scene.observed.status.repairs.history)[:MAX_HISTORY]


def next_eligible(decisions: Iterable[Decision], now: datetime) -> datetime | None:
    """When the first waiting instance may be repaired, as far as time alone says."""
    waiting = (d for d in decisions if d.decision is not RepairDecision.REPAIRING)
    return min((d.until for d in waiting if d.until is not None and d.until > now), default=None)
