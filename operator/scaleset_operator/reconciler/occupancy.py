"""Which instances of a window's sets are on which node, and what their marks say of them.

Must not know: what a node is emptied for, or whether it is time.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Final

from scaleset_operator.api.maintenancestatus import OperationResultCode
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.core.nodeview import Occupants
from scaleset_operator.core.observed import Instance
from scaleset_operator.reconciler.node_ports import Occupant
from scaleset_operator.reconciler.ports import Cluster
from scaleset_operator.reconciler.resources import KnownSet, Resources

UID_SHOWN: Final = 8
_PENDING: Final = frozenset({None, OperationResultCode.NONE, OperationResultCode.RETRY_LATER})


class Census:
    """Counts the instances of the sets that a window selects."""

    def __init__(self, resources: Resources, cluster: Cluster) -> None:
        self._resources = resources
        self._cluster = cluster

    def by_node(self, window: MaintenanceWindow, iteration: int) -> dict[str, Occupants] | None:
        """Node -> who is on it, from the cache; None while that is too old to go by."""
        on: dict[str, list[Occupant]] = defaultdict(list)
        for known in self._resources.sets_of(window):
            pods = self._cluster.pods(known.owner)
            if not pods.fresh:
                return None
            for instance in pods.instances:
                if instance.node is not None and not instance.over:
                    on[instance.node].append(Occupant(known.key.name, instance))
        return {node: self.counted(window, iteration, here) for node, here in on.items()}

    def counted(
        self, window: MaintenanceWindow, iteration: int, here: Iterable[Occupant]
    ) -> Occupants:
        """Those of the window's sets, by what becomes of them in this iteration."""
        prefix = f"{window.metadata.name}/{iteration}/{window.metadata.uid[:UID_SHOWN]}/"
        sets = {known.key.name: known for known in self._resources.sets_of(window)}
        movable = 0
        stuck: list[str] = []
        others: list[str] = []
        for name, instance in here:
            known = sets.get(name)
            if known is None:
                continue
            included = instance.mark.startswith(prefix)
            moves = _code(instance) in _PENDING and not _has_stopped(known, instance.mark)
            if instance.terminating or (included and moves):
                movable += 1
            else:
                (stuck if included else others).append(instance.name)
        return Occupants(movable=movable, stuck=tuple(sorted(stuck)), others=tuple(sorted(others)))


def _has_stopped(known: KnownSet, mark: str) -> bool:
    """Whether the set takes no more instances in the iteration of this mark (M-16)."""
    summary = known.resource.status.maintenance
    iterations = () if summary is None else summary.iterations
    return any(one.mark == mark and one.stopped is not None for one in iterations)


def _code(instance: Instance) -> str | None:
    """The last result on the instance; what cannot be read says nothing."""
    try:
        said = json.loads(instance.maintenance or "{}")
    except ValueError:
        return None
    return said.get("lastOperationResultCode") if isinstance(said, dict) else None
