"""Whether an instance that is to be moved may leave rotation now: PodDisruptionBudgets have room.

What is out of rotation is no healthy pod to Kubernetes, so the Eviction API takes nothing off a
budget for it, and with AlwaysAllow asks none: of two that left together both could be evicted on
numbers from before. So room is asked for here, first, one claim after the other (X-02). Where
budgets are not known the Eviction API alone says no. Must not know how a budget is counted.
"""

from scaleset_operator.api.maintenanceledger import MaintenanceEntry, MaintenancePhase
from scaleset_operator.core.budgets import REFLECTED_AFTER, has_room, shown
from scaleset_operator.core.scene import Scene

_AWAY = (MaintenancePhase.MOVING, MaintenancePhase.RETURNING)


def shortage(scene: Scene, entry: MaintenanceEntry) -> str:
    """Why it stays in rotation for now; empty where it may leave, or has left.

    Args:
        scene: what this decision looks at.
        entry: a move whose place is held.
    """
    victim = scene.by_uid.get(entry.uid)
    seen = scene.observed.disruption
    if seen is None or seen.fault or victim is None or not victim.in_rotation:
        return ""
    budgets = seen.over.get(entry.instance, ())
    if len(budgets) > 1:
        names = ", ".join(sorted(budget.name for budget in budgets))
        return f"PodDisruptionBudgets {names}: the Eviction API takes one over a pod"
    pending = sum(_spends(scene, other, entry) for other in scene.moves)
    full = (budget for budget in budgets if not has_room(budget, pending, counted_out=False))
    return next((shown(budget, pending, "moves") for budget in full), "")


def _spends(scene: Scene, other: MaintenanceEntry, entry: MaintenanceEntry) -> bool:
    """Whether another move has the older claim, or may not be in the budget's numbers yet."""
    if other.uid == entry.uid or other.result is not None:
        return False
    if other.phase in _AWAY:
        return scene.now < other.phase_time + REFLECTED_AFTER
    older = (other.start_time, other.instance) < (entry.start_time, entry.instance)
    left = other.uid in scene.by_uid and not scene.by_uid[other.uid].in_rotation
    return other.phase is MaintenancePhase.PLACED and (older or left)
