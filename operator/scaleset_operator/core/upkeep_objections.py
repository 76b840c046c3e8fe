"""What speaks against going on with an instance that is taken for maintenance and not touched yet.

The same for every impact. Must not know what follows from it.
"""

from datetime import timedelta
from typing import Final

from scaleset_operator.api.maintenanceledger import MaintenanceEntry, MaintenancePhase
from scaleset_operator.api.maintenancestatus import Impact
from scaleset_operator.core.draining import shortage
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.windowview import WindowView

LONGEST_WAIT: Final = timedelta(minutes=7)
"""After so long an instance that could not be taken away is left, and tried again later."""
TURN_WAIT: Final = timedelta(seconds=30)
"""How long what is recorded waits for the turn of its window to come back (M-17)."""


def objection(scene: Scene, view: WindowView | None, entry: MaintenanceEntry) -> str:
    """Why the instance is not to be touched; empty where nothing speaks against it.

    Args:
        scene: what this decision looks at.
        view: the window; None where it is announced no more.
        entry: as recorded.
    """
    no = _of_window(scene, view, entry)
    if no:
        return no
    if any(entry.uid == repair.uid for repair in scene.entries):
        return "it is under repair"
    if entry.impact is Impact.REDEPLOY and entry.uid in scene.by_uid:
        lost = model_lost(scene, scene.by_uid[entry.uid])
        if lost:
            return lost
    if scene.now >= entry.start_time + LONGEST_WAIT:
        held = scene.observed.not_evicted.get(entry.instance)
        placed = entry.phase is MaintenancePhase.PLACED
        short = shortage(scene, entry) if placed else ""
        return held[0] if held else short or "the floor had no room for it"
    return ""


def _of_window(scene: Scene, view: WindowView | None, entry: MaintenanceEntry) -> str:
    """What its window, and the iteration, say against it."""
    rows = scene.maintenance.iterations
    stopped = next((r.stopped for r in rows if r.mark == entry.mark), None)
    if view is None or view.deleted:
        return "the window is gone"
    if view.suspended:
        return "the window is suspended"
    if not view.turn and scene.now >= entry.start_time + TURN_WAIT:
        return view.turn_detail or "the other window of the pair has its turn"
    if stopped is not None:
        return f"the iteration has stopped: {stopped.message}"
    return ""


def model_lost(scene: Scene, instance: Instance) -> str:
    """Why it could not be made again as it is (V-21); empty where it can.

    From another model it would be a rollout, past that one's batches and limits.
    """
    if scene.observed.knows_template(instance.model):
        return ""
    return f"no revision of the set keeps its model, {instance.model}"
