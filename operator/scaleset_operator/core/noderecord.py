"""What a recorded work on a node goes by: its claim, its Job's name, and whom it concerns.

Must not know: which node is next, or what is done to it.
"""

from hashlib import sha256
from typing import Final

from scaleset_operator.api.base import MAX_LABEL_LENGTH
from scaleset_operator.api.maintenancestatus import MaintenanceWindowStatus
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import NodePhase
from scaleset_operator.core.nodechoice import updated_labels
from scaleset_operator.core.nodeview import NodeView

HASH_LENGTH: Final = 8


def claim_of(window: MaintenanceWindow, iteration: int) -> str:
    """What stands on a node that is cordoned for an iteration of a window."""
    return f"{window.metadata.namespace}/{window.metadata.name}/{iteration}"


def job_name(window: MaintenanceWindow, iteration: int, node: str) -> str:
    """The one name of a node's Job; another selector of updated nodes is other work."""
    labels = sorted(updated_labels(window).items())
    text = repr((window.metadata.uid, node, labels))
    tail = f"-{iteration}-{sha256(text.encode()).hexdigest()[:HASH_LENGTH]}"
    head = window.metadata.name[: MAX_LABEL_LENGTH - len(tail)]
    return f"{head.rstrip('-.')}{tail}"


def works_on_nodes(window: MaintenanceWindow) -> bool:
    """Whether a window is to work on nodes, or has one yet to unwind."""
    return window.spec.node_maintenance is not None or window.status.node_work is not None


def emptied_node(status: MaintenanceWindowStatus) -> str | None:
    """The node whose instances are to be moved now, by the record."""
    work = status.node_work
    return work.node if work is not None and work.phase is NodePhase.EMPTYING else None


def needed(node: NodeView, window: MaintenanceWindow | None) -> bool:
    """Whether a claim on a node stands for work that is recorded; one that does not is unwound.

    Args:
        node: that bears a claim.
        window: that the claim names, read live after the node; None where there is none.
    """
    work = None if window is None else window.status.node_work
    if window is None or work is None:
        return False
    return work.node == node.name and node.claim == claim_of(window, work.iteration)
