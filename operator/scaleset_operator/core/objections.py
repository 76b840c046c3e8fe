"""What speaks against touching an instance whose repair is recorded: every gate, asked again.

Until the DELETE, or the new images, a No keeps the act back and in the end cancels the entry
(protocol rules 4 and 5). What becomes of the entry is decided elsewhere.
"""

from datetime import timedelta
from typing import Final, NamedTuple

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.core.gates import first_closed
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.requests import action_asked
from scaleset_operator.core.scene import Scene

RECORD_LIFETIME: Final = timedelta(seconds=5)
"""A victim is deleted within this of its record or not at all (rule 5)."""
CLOCKS_DIFFER: Final = timedelta(seconds=2)
"""By so much two operators' clocks may differ."""
CANCEL_AFTER: Final = RECORD_LIFETIME + CLOCKS_DIFFER
"""Only then may an entry be cancelled: until the record has run out, another operator that is
stopped or slow may still be about to delete, and its slot must not be given away."""


class Objection(NamedTuple):
    """Why a recorded instance is not to be touched now.

    Attributes:
        lasts: whether the entry may be cancelled for it; else it is only waited out.
    """

    reason: Reason
    detail: str = ""
    lasts: bool = True


def dated(scene: Scene, entry: RepairEntry) -> RepairEntry:
    """The entry, as recorded now if its record lies ahead: a clock was ahead that wrote it (X-10).

    Else it could not be cancelled, and would hold its slot, until this clock is there.
    """
    if entry.start_time <= scene.now + CLOCKS_DIFFER:
        return entry
    return entry.model_copy(update={"start_time": scene.now})


def objection(
    scene: Scene, entry: RepairEntry, victim: Instance, *, too_many: bool
) -> Objection | None:
    """The first No; None when nothing speaks against the DELETE, or the new images."""
    if too_many:
        return Objection(Reason.BATCH_LIMIT_REACHED)
    gate = first_closed(scene, victim)
    if gate is not None:
        return Objection(gate.reason, gate.detail)
    asked = action_asked(scene.policy, victim) is not None
    if not asked and scene.verdicts[victim.uid].health is VMHealth.HEALTHY:
        # Cancelled only once Healthy=True stands on the pod (rule 4).
        stands = victim.published is not None and victim.published.health is VMHealth.HEALTHY
        return Objection(Reason.RECOVERED, "healthy again", lasts=stands)
    if scene.now >= entry.start_time + RECORD_LIFETIME:
        return Objection(Reason.RECORD_EXPIRED, "not carried out in time")
    return None
