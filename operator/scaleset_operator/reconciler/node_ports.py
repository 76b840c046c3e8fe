"""What work on nodes needs of the world, as a Protocol; an adapter fills it.

Every call raises Unavailable where the server cannot be asked, and Refused where it will not.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.core.nodeview import (
    CordonNode,
    CreateJob,
    DeleteJob,
    JobView,
    NodeView,
    UncordonNode,
)
from scaleset_operator.core.observed import Instance
from scaleset_operator.reconciler.ports import Key


class Unreadable(Exception):  # noqa: N818 - an expected outcome, like those of the other ports
    """A resource is there and not understood: a newer operator may have written it."""


class Occupant(NamedTuple):
    """An instance that is on a node, Terminating ones included."""

    scale_set: str
    instance: Instance


class NodeCluster(Protocol):
    """Nodes, and the Jobs that work on them. Reads are live: a node's turn is rare.

    With `trial` a write is asked for in earnest and left without effect (dryRun=All).
    """

    async def nodes(self) -> tuple[NodeView, ...]:
        """Every node."""
        ...

    async def node(self, name: str) -> NodeView | None:
        """One node; None where there is none."""
        ...

    async def claimed(self) -> tuple[NodeView, ...]:
        """The nodes that bear a claim; what is not metadata is not read, and says nothing."""
        ...

    async def occupants(self, namespace: str, node: str) -> tuple[Occupant, ...]:
        """The instances of a namespace's sets that are on a node and have not ended."""
        ...

    async def window(self, key: Key) -> MaintenanceWindow | None:
        """The window of this name; None where there is none.

        Raises:
            Unreadable: it cannot be understood.
        """
        ...

    async def cordon(self, act: CordonNode, *, trial: bool = False) -> None:
        """Cordon and claim, in one patch.

        Raises:
            Conflict: the node has changed since it was read.
            Gone: it is not there.
            TooOld: not sent.
        """
        ...

    async def uncordon(self, act: UncordonNode) -> None:
        """Take cordon and claim away, put labels on, in one patch; raises as `cordon` does."""
        ...

    async def job(self, window: MaintenanceWindow, name: str) -> JobView | None:
        """The Job of this name in the window's namespace; None where there is none."""
        ...

    async def create_job(
        self,
        window: MaintenanceWindow,
        act: CreateJob,
        template: Mapping[str, Any],
        *,
        trial: bool = False,
    ) -> None:
        """Create the recorded Job on its node, owned by the window; one that is there is success.

        Raises:
            TooOld: not sent.
        """
        ...

    async def delete_job(self, namespace: str, act: DeleteJob) -> None:
        """Delete the very Job, its pods before it; one that is gone is success."""
        ...
