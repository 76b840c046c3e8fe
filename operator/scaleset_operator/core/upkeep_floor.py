"""How many may be away at once: maintenance, rollout, scale-in and repairs under one floor.

The floor is that of the rolling upgrade policy (protocol rule 22), whatever the mode: maintenance
is never in a hurry (X-02, X-03). Chooses nobody.
"""

from collections.abc import Collection

from scaleset_operator.api.maintenanceledger import MaintenanceEntry, MaintenancePhase
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.rollout_limits import is_lost
from scaleset_operator.core.scene import Scene


def batch(scene: Scene) -> int:
    """Instances that may be away at once by maintenance and rollout together."""
    percent = scene.spec.upgrade_policy.rolling_upgrade_policy.max_batch_instance_percent
    return max(1, scene.spec.replicas * percent // 100)


def floor(scene: Scene) -> int:
    """Instances that must stay available where an available one is taken."""
    return scene.spec.replicas - batch(scene)


def available(scene: Scene, away: Collection[str]) -> int:
    """Available instances, those left out that are on their way.

    Args:
        scene: what this decision looks at.
        away: UIDs that do not count any more.
    """
    return sum(is_up(scene, i) and i.uid not in away for i in scene.live)


def is_up(scene: Scene, instance: Instance) -> bool:
    """Whether it serves: available, and Ready as its Services see it."""
    return instance.ready and scene.is_available(instance)


def about_to_go(entries: Collection[MaintenanceEntry]) -> set[str]:
    """UIDs of the pods that will be evicted or have been: no longer counted on.

    A view that is behind may show one as it was before its eviction.
    """
    return {e.uid for e in entries if e.result is None or e.successor_uid is not None}


def past_eviction(entries: Collection[MaintenanceEntry]) -> set[str]:
    """UIDs of the pods that have been evicted, whatever a view still shows of them."""
    gone = (MaintenancePhase.MOVING, MaintenancePhase.RETURNING)
    return {e.uid for e in entries if e.phase in gone or e.successor_uid is not None}


def costs_nothing(scene: Scene, instance: Instance) -> bool:
    """Whether one that is out of rotation by our own doing is none that the floor counts on."""
    return is_lost(scene, instance) if scene.has_source else not instance.containers_ready


def has_room(scene: Scene, uid: str, gone: Collection[str]) -> bool:
    """Whether one that is recorded may go now: others may have failed since (rule 22).

    Args:
        scene: what this decision looks at.
        uid: whose turn it is.
        gone: UIDs of those that go by this very decision.
    """
    status = scene.observed.status
    going = {v.uid for v in status.scale_in} | {r.uid for r in status.renewals}
    going |= {s.uid for s in scene.surge_steps} | {e.uid for e in scene.entries}
    going |= {*gone, uid} | past_eviction(scene.moves)
    return available(scene, going) >= floor(scene)
