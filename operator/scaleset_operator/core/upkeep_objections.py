"""What speaks against going on with an instance that is taken for maintenance and not touched yet.

The same for every impact. Must not know what follows from it.
"""

from datetime import timedelta
from typing import Final

from scaleset_operator.api.maintenanceledger import MaintenanceEntry
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
    if any(entry.uid == repair.uid for repair in scene.entries):
        return "it is under repair"
    if scene.now >= entry.start_time + LONGEST_WAIT:
        held = scene.observed.not_evicted.get(entry.instance)
        return held[0] if held else "the floor had no room for it"
    return ""
