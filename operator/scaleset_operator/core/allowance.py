"""How many repairs may be in flight: the base and the share of it (protocol rule 1).

Must not know who is repaired.
"""

from typing import TYPE_CHECKING

from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.api.maintenanceledger import MaintenanceEntry, MaintenancePhase
from scaleset_operator.api.maintenancestatus import Impact

if TYPE_CHECKING:
    from scaleset_operator.core.scene import Scene


def batch_allowance(total: int, percent: int) -> int:
    """How many instances may be under repair at once: rounded down, at least one (R-11, R-12)."""
    return max(1, total * percent // 100)


def total(scene: "Scene") -> int:
    """The base: live instances that have run, and those owed; never more than are wanted (R-13).

    The surplus of a notice lends no slots: its victim counts as gone.
    """
    ran = sum(i.started is not None for i in scene.staying)
    owed = 0
    for entry in scene.entries:
        successor = scene.replacement(entry)
        counted = successor is not None and successor.live and successor.started is not None
        missing = scene.has_made_way(entry) and not scene.is_not_replaced(entry)
        owed += missing and not counted
        # Told to restart, and not run again yet: it has been counted and still is.
        owed += _restarts(scene, entry)
    owed += sum(_is_between(scene, entry) for entry in scene.moves)
    return min(scene.spec.replicas, ran + owed)


def _is_between(scene: "Scene", entry: MaintenanceEntry) -> bool:
    """Whether it has left its old pod and its new one has not run yet."""
    away = entry.phase in (MaintenancePhase.MOVING, MaintenancePhase.RETURNING)
    pod = scene.by_name.get(entry.instance)
    leaves = away and entry.impact is not Impact.PAUSE
    return leaves and (pod is None or not pod.live or pod.started is None)


def _restarts(scene: "Scene", entry: RepairEntry) -> bool:
    instance = scene.by_uid.get(entry.uid)
    return (
        entry.in_place
        and instance is not None
        and instance.live
        and instance.renewing
        and instance.started is None
    )
