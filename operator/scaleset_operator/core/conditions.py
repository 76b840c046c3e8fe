"""The conditions of a ScaleSet, each from the decision as it stands.

Ready, Accepted, InstancesHealthy, InstancesUpToDate, Repairing and RepairsAllowed are always
there; Reconciling and Stalled only when abnormal (kstatus). A transition time moves only when the
status of the condition does.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

from scaleset_operator.api.base import Condition, ConditionStatus, Reason
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.api.upgradepolicy import UpgradeMode
from scaleset_operator.core.adviser import advice
from scaleset_operator.core.arming import latest_gate
from scaleset_operator.core.budgets import budget_gate
from scaleset_operator.core.gates import closed_to_all
from scaleset_operator.core.revisions import called
from scaleset_operator.core.scene import Scene

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


class Word(NamedTuple):
    """One condition without its times."""

    type: str
    status: ConditionStatus
    reason: str
    message: str


def conditions(
    scene: Scene, status: ScaleSetStatus, more: Iterable[Word] = ()
) -> tuple[Condition, ...]:
    """All conditions that hold of this next status.

    Args:
        scene: what this decision looks at.
        status: the next status, conditions aside.
        more: words of what has its own.
    """
    observed = scene.observed
    words = (*_words(scene, status), *more)
    return timed(words, observed.status.conditions, observed.generation, scene.now)


def timed(
    words: Iterable[Word], shown: Iterable[Condition], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Conditions that say these words, of any kind of resource.

    Args:
        words: what holds now.
        shown: the conditions as they stand in the status.
        generation: of the spec that the words speak about.
        now: the time of what was not so before.
    """
    before = {c.type: c for c in shown}
    return tuple(_timed(before.get(word.type), word, generation, now) for word in words)


def _timed(before: Condition | None, word: Word, generation: int, now: datetime) -> Condition:
    same = before is not None and before.status == word.status
    return Condition(
        type=word.type,
        status=word.status,
        reason=word.reason,
        message=word.message,
        # Whole seconds, as every condition in Kubernetes.
        last_transition_time=(
            before.last_transition_time if before and same else now.replace(microsecond=0)
        ),
        observed_generation=generation,
    )


def _words(scene: Scene, status: ScaleSetStatus) -> Iterator[Word]:
    accepted = _accepted(scene)
    yield _ready(scene, status, accepted)
    yield accepted
    yield _healthy(scene, status)
    yield _up_to_date(scene, status)
    yield _repairing(status)
    yield _allowed(scene, status)
    yield from _under_way(scene, status)
    rollout = status.rollout
    if accepted.status is FALSE:
        yield Word("Stalled", TRUE, accepted.reason, accepted.message)
    elif rollout is not None and rollout.reason == Reason.ROLLOUT_STOPPED:
        yield Word("Stalled", TRUE, Reason.ROLLOUT_STOPPED, rollout.message)
    elif status.repairs.stalled:
        names = ", ".join(s.instance for s in status.repairs.stalled)
        yield Word("Stalled", TRUE, Reason.REPAIR_STALLED, f"still Terminating: {names}")


def _under_way(scene: Scene, status: ScaleSetStatus) -> Iterator[Word]:
    """Reconciling: the operator is bringing the set to what is wanted. Mode Manual is at rest."""
    if status.rollout is not None:
        yield Word("Reconciling", TRUE, status.rollout.reason, status.rollout.message)
    elif status.replicas != scene.spec.replicas:
        message = (
            f"{status.replicas} of {scene.spec.replicas}, {status.updated_replicas} up to date"
        )
        yield Word("Reconciling", TRUE, Reason.SCALING, message)


def _ready(scene: Scene, status: ScaleSetStatus, accepted: Word) -> Word:
    short = status.ready_replicas < scene.spec.replicas
    ready = f"{status.ready_replicas} of {scene.spec.replicas} ready"
    if accepted.status is FALSE:
        return Word("Ready", FALSE, accepted.reason, accepted.message)
    if scene.has_source and status.unhealthy_replicas:
        bad = f"{ready}, {status.unhealthy_replicas} unhealthy"
        return Word("Ready", FALSE, Reason.INSTANCES_UNHEALTHY, bad)
    if short:
        return Word("Ready", FALSE, Reason.SCALING, ready)
    if not scene.has_source:
        return Word("Ready", TRUE, Reason.INSTANCES_READY, ready)
    if status.repairs.doubts:
        reason, why = scene.silence
        return Word("Ready", TRUE, reason, f"{ready}; {why}")
    if status.unknown_replicas:
        unknown = f"{ready}, {status.unknown_replicas} not known yet"
        return Word("Ready", TRUE, Reason.HEALTH_UNKNOWN, unknown)
    return Word("Ready", TRUE, Reason.ALL_HEALTHY, ready)


def _accepted(scene: Scene) -> Word:
    seen = scene.observed
    if seen.overlaps_with is not None:
        other = seen.overlaps_with
        message = f"spec.selector matches the template labels of {other}, or that of {other} ours"
        return Word("Accepted", FALSE, Reason.SELECTOR_OVERLAP, message)
    if seen.template.fault is not None:
        return Word("Accepted", FALSE, seen.template.fault, seen.template.fault_message)
    if seen.create_refused is not None:
        return Word("Accepted", FALSE, seen.create_refused[0], seen.create_refused[1])
    if scene.probe_fault is not None:
        return Word("Accepted", FALSE, *scene.probe_fault)
    if not seen.template.checked:
        return Word("Accepted", UNKNOWN, Reason.HEALTH_UNKNOWN, "the template is being checked")
    if seen.foreign:
        message = f"not taken over: {', '.join(seen.foreign)}"
        return Word("Accepted", TRUE, Reason.FOREIGN_PODS, message)
    warning = advice(scene)
    return Word("Accepted", TRUE, Reason.GRACE_TOO_SHORT if warning else Reason.VALID, warning)


def _healthy(scene: Scene, status: ScaleSetStatus) -> Word:
    """The health of the whole, and by which source: the default one is blind to errors (P-21)."""
    kind = "InstancesHealthy"
    named = _source(scene)
    if not named:
        message = "no health source is named; rotation follows readiness"
        return Word(kind, UNKNOWN, Reason.NO_PROBE, message)
    source = f"by {named}"
    if status.repairs.doubts:
        reason, why = scene.silence
        return Word(kind, UNKNOWN, reason, f"{source}, {why}")
    if status.unhealthy_replicas:
        message = f"{status.unhealthy_replicas} of {status.replicas} unhealthy {source}"
        return Word(kind, FALSE, Reason.INSTANCES_UNHEALTHY, message)
    if status.unknown_replicas:
        often = scene.restarts_too_often
        reason = Reason.FREQUENT_RESTARTS if often else Reason.HEALTH_UNKNOWN
        message = f"{status.unknown_replicas} of {status.replicas} not known yet {source}"
        return Word(kind, UNKNOWN, reason, message)
    if not status.replicas:
        return Word(kind, TRUE, Reason.NO_INSTANCES, "")
    return Word(kind, TRUE, Reason.ALL_HEALTHY, f"{status.healthy_replicas} healthy {source}")


def _source(scene: Scene) -> str:
    """The health source in force; empty where none is named."""
    own = scene.spec.application_health
    if own is not None:
        return f"pod condition {own.pod_condition_type}"
    ref = scene.spec.health_probe_ref
    return f"HealthProbe {ref.name}" if ref is not None else ""


def _up_to_date(scene: Scene, status: ScaleSetStatus) -> Word:
    behind = status.replicas - status.updated_replicas
    if not behind:
        return Word("InstancesUpToDate", TRUE, Reason.UP_TO_DATE, "")
    if status.rollout is not None:
        return Word("InstancesUpToDate", FALSE, status.rollout.reason, status.rollout.message)
    model = called(scene.observed.template.model, scene.observed.revisions)
    manual = scene.spec.upgrade_policy.mode is UpgradeMode.MANUAL
    why = "mode Manual brings none by itself" if manual else "they are protected or under repair"
    message = f"{behind} of {status.replicas} not on {model}; {why}"
    return Word("InstancesUpToDate", FALSE, Reason.OUT_OF_DATE, message)


def _repairing(status: ScaleSetStatus) -> Word:
    entries = status.repairs.in_flight
    if not entries:
        return Word("Repairing", FALSE, Reason.IDLE, "")
    names = ", ".join(e.instance for e in entries[:10])
    message = f"{len(entries)} of {status.repairs.batch_limit} in flight: {names}"
    return Word("Repairing", TRUE, Reason.IN_BATCH, message)


def _allowed(scene: Scene, status: ScaleSetStatus) -> Word:
    kind = "RepairsAllowed"
    if status.repairs.suspended_since is not None and scene.policy.enabled:
        return Word(kind, FALSE, Reason.SUSPENDED_BY_PLATFORM, status.repairs.suspended_cause)
    closed = closed_to_all(scene)
    if closed is not None and closed.reason is not Reason.STALE_VIEW:
        return Word(kind, FALSE, closed.reason, closed.detail)
    if status.repairs.doubts:
        reason, why = scene.silence
        return Word(kind, FALSE, reason, f"nothing is repaired on silence alone; {why}")
    if scene.restarts_too_often:
        message = "the operator started three times in ten minutes; no full timeout watched yet"
        return Word(kind, FALSE, Reason.FREQUENT_RESTARTS, message)
    arming = latest_gate(scene)
    if not arming.open:
        return Word(kind, FALSE, arming.reason, arming.detail)
    return _room(scene, status)


def _room(scene: Scene, status: ScaleSetStatus) -> Word:
    """Repairs may start: whether one could now, by the allowance and the budgets."""
    kind = "RepairsAllowed"
    used = len(status.repairs.in_flight)
    if scene.in_storm:
        return _storm(scene, used)
    if used >= status.repairs.batch_limit:
        message = f"{used} of {status.repairs.batch_limit} in flight"
        return Word(kind, FALSE, Reason.BATCH_LIMIT_REACHED, message)
    held = [u.name for u in status.unhealthy_instances if u.reason == Reason.DISRUPTION_BUDGET]
    if held:
        return _short_of_budget(scene, held)
    return Word(kind, TRUE, Reason.BATCH_AVAILABLE, f"{status.repairs.batch_limit} at a time")


def _storm(scene: Scene, used: int) -> Word:
    """Paced to one at a time, and never stopped: with no repair in flight one may start (R-60)."""
    share = f"{scene.unhealthy} of {scene.spec.replicas} unhealthy"
    limit = f"more than {scene.policy.max_unhealthy_percent} %: one repair at a time"
    free = TRUE if used < scene.allowance else FALSE
    return Word("RepairsAllowed", free, Reason.HEALTH_STORM, f"{share}, {limit}")


def _short_of_budget(scene: Scene, held: list[str]) -> Word:
    """A slot is free, and whoever could have it waits for a PodDisruptionBudget."""
    first = scene.by_name[held[0]]
    why = budget_gate(scene, first).detail or "spent by the repairs that begin now"
    message = f"{len(held)} wait, {first.name} for {why}"
    return Word("RepairsAllowed", FALSE, Reason.DISRUPTION_BUDGET, message)
