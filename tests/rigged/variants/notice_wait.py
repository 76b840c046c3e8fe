"""A broken variant: whoever was told is deleted at once, as if it had approved (R-51, rule 8)."""

from dataclasses import replace

from pytest import MonkeyPatch  # noqa: PT013 - a rig is no test

from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.core import notice
from scaleset_operator.core.ledger import Progress
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.scene import Scene

waits = notice._part  # noqa: SLF001 - a rig breaks what is inside


def hurry(scene: Scene, entry: RepairEntry, victim: Instance, progress: Progress) -> None:
    """Nobody asked it."""
    waits(scene, entry, replace(victim, termination_approved=True), progress)


MonkeyPatch().setattr(notice, "_part", hurry)
