"""What is written on each pod: on a change, in one patch, and never otherwise (rule 26, G9).

Compares every verdict with the pod as it stands; a gate that something else has set is set back.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.maintenanceledger import MaintenancePhase
from scaleset_operator.core.adviser import first_healthy
from scaleset_operator.core.health import RotationWord, Verdict
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import PublishHealth
from scaleset_operator.core.rotation import departures
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.stillness import keeps_out

TOLD: Final = RotationWord(
    reason=Reason.TERMINATION_DELAYED, message="it was told to go: no new traffic"
)
MOVES: Final = RotationWord(
    reason=Reason.MAINTENANCE_IN_PROGRESS, message="it is about to be moved: no new traffic"
)
STANDS_STILL: Final = RotationWord(
    reason=Reason.MAINTENANCE_IN_PROGRESS, message="it is about to be paused: no new traffic"
)
LEDGER_LAG: Final = timedelta(minutes=1)
"""Longer than any view of the ledger is behind that may still write."""
LONGEST_NOTICE: Final = timedelta(days=1, minutes=1)
"""What a profile may promise, and what clocks may differ by."""


def publications(scene: Scene) -> Iterator[PublishHealth]:
    """One patch for each pod whose condition or gate is not what it should be.

    Those on their way out come first (P-20).
    """
    yield from departures(scene.observed.instances)
    for instance in scene.live:
        verdict = _kept_out(scene, instance)
        if not scene.has_source:
            if _gate_differs(instance, verdict):
                yield _patch(scene, instance, verdict, None)
            continue
        # Before its containers run there is no start to record: each turn would say the same.
        renewed = instance.renewing and verdict.fresh and instance.started is not None
        if renewed or _health_differs(instance, verdict) or _gate_differs(instance, verdict):
            known = verdict.health is not VMHealth.UNKNOWN or instance.published is not None
            health = verdict.health if known or verdict.doubt else None
            yield _patch(scene, instance, verdict, health)


def _kept_out(scene: Scene, instance: Instance) -> Verdict:
    """The verdict, but that nothing is sent to one that was told that it goes (rule 8).

    A deadline on the pod without a repair that we know of brings nothing back either, for a while:
    the ledger may be ahead of what we have seen of it. A time that no notice could name holds
    nothing.
    """
    verdict, due = scene.verdicts[instance.uid], instance.terminate_at
    if instance.uid in scene.noticed:
        return replace(verdict, in_rotation=False, rotation=TOLD)
    if any(e.uid == instance.uid and e.phase is MaintenancePhase.PLACED for e in scene.moves):
        return replace(verdict, in_rotation=False, rotation=MOVES)
    if any(e.uid == instance.uid and keeps_out(e) for e in scene.moves):
        return replace(verdict, in_rotation=False, rotation=STANDS_STILL)
    plausible = due is not None and -LONGEST_NOTICE < scene.now - due < LEDGER_LAG
    if plausible and not instance.in_rotation:
        return replace(verdict, in_rotation=None)
    return verdict


def _health_differs(instance: Instance, verdict: Verdict) -> bool:
    """Unknown is the state of a pod without the condition: it is written only over another."""
    if instance.published is None:
        return verdict.health is not VMHealth.UNKNOWN
    return instance.published.health is not verdict.health


def _gate_differs(instance: Instance, verdict: Verdict) -> bool:
    if verdict.in_rotation is None:
        return False
    return verdict.in_rotation != bool(instance.in_rotation)


def _patch(
    scene: Scene, instance: Instance, verdict: Verdict, health: VMHealth | None
) -> PublishHealth:
    started = None if instance.started_is_recorded else instance.started
    returns = instance.in_rotation is False and verdict.in_rotation is True
    # Who has not seen that the new containers were heard must not say again that they were not.
    fenced = returns or instance.renewing
    return PublishHealth(
        name=instance.name,
        uid=instance.uid,
        health=health,
        reason=verdict.reason,
        message=verdict.message + first_healthy(scene, instance),
        in_rotation=verdict.in_rotation,
        gate_reason=None if verdict.rotation is None else verdict.rotation.reason,
        gate_message="" if verdict.rotation is None else verdict.rotation.message,
        resource_version=instance.resource_version if fenced else None,
        state_change_time=started,
        clear_attempt=verdict.health is VMHealth.HEALTHY and instance.attempt > 0,
    )
