"""What people ask of single instances by annotation: the words, and what each means.

A request for a repair skips the questions that keep the operator itself from acting too early, and
none that protects (`gates`). Must not know whether a request can be met, or when (`answers`).
"""

from typing import Final

from scaleset_operator.api.repairpolicy import AutomaticRepairsPolicy, RepairAction
from scaleset_operator.core.observed import Instance

REQUESTED: Final = "requested"
UPDATE: Final = "update"
REDEPLOY: Final = "redeploy"
REPAIRS: Final = {"restart": RepairAction.RESTART, "reimage": RepairAction.REIMAGE}
_ASKED: Final = "requested: "


def words_of(instance: Instance) -> str:
    """The request on a pod as it is shown, the operation before the plain repair; else empty."""
    if instance.operation:
        return f"operation={instance.operation}"
    return f"repair={instance.repair_request}" if instance.repair_request else ""


def as_cause(instance: Instance) -> str:
    """The request as the cause of a repair, or behind another one."""
    return f"{_ASKED}{words_of(instance)}"


def was_requested(cause: str) -> bool:
    """Whether a person's request is in the cause of a repair."""
    return _ASKED in cause


def action_asked(policy: AutomaticRepairsPolicy, instance: Instance) -> RepairAction | None:
    """The repair that a person asks for; None where none is asked for, or not in these words."""
    if instance.operation:
        return REPAIRS.get(instance.operation)
    return policy.repair_action if instance.repair_request == REQUESTED else None
