"""What moves to updated nodes and pauses need of the cluster, as a Protocol; the adapters fill it.

As in `ports`, nothing here knows a client. The default knows no windows and moves nobody.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from scaleset_operator.api.agentreport import AgentReport
from scaleset_operator.core.maintenance_acts import (
    AskPause,
    ClearPause,
    EvictInstance,
    HoldPlace,
    PublishMaintenance,
    ReleasePlace,
)
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.ports import Key, Owner, Unavailable


class Disallowed(Unavailable):
    """PodDisruptionBudgets do not allow the eviction now (429 with its cause, or more than one)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reported:
    """A node's agent's report as it was read.

    Attributes:
        version: another one with every renewal of the Lease that it stands on.
    """

    version: str
    report: AgentReport


class Relocations(Protocol):
    """The API server, as far as maintenance goes; every call raises as those of `Cluster` do.

    `not_after` is a CLOCK_BOOTTIME in nanoseconds, checked right before sending.
    """

    def node_labels(self) -> Mapping[str, Mapping[str, str]]:
        """Node name -> its labels, from the cache; empty where nodes may not be read."""
        ...

    async def read_window(self, key: Key) -> Mapping[str, Any] | None:
        """A MaintenanceWindow, live; None where there is none."""
        ...

    async def windows_at_work(self, namespace: str) -> frozenset[str]:
        """Names of the windows that any ScaleSet there has an instance under, read live."""
        ...

    async def read_place(self, owner: Owner, name: str) -> Place | None:
        """A placeholder of the set, live; None where there is none of this name and set."""
        ...

    async def hold_place(self, owner: Owner, action: HoldPlace, not_after: int) -> None:
        """Create a placeholder; one of this set that is there already is success.

        Raises:
            Conflict: the name is another pod's.
            Refused: quota, policy.
            TooOld: not sent.
        """
        ...

    async def release_place(self, owner: Owner, action: ReleasePlace) -> None:
        """Delete a placeholder at once; one that is gone is success."""
        ...

    async def evict(self, owner: Owner, action: EvictInstance, not_after: int) -> None:
        """Evict exactly the pod that was read; one that is gone is success.

        Raises:
            Disallowed: a PodDisruptionBudget has no room now.
            Conflict: the pod has changed since it was read.
            Refused: 403 or 422.
            TooOld: not sent.
        """
        ...

    async def publish_maintenance(self, owner: Owner, action: PublishMaintenance) -> None:
        """Write the annotations of one pod in one patch.

        Raises:
            Conflict: it names a resourceVersion, and the pod has changed since.
            Gone: it is not there, or another pod.
        """
        ...

    async def read_report(self, node: str) -> Reported | None:
        """What the agent of a node reports, live; None where there is none that can be read."""
        ...

    async def ask_pause(self, owner: Owner, action: AskPause, not_after: int) -> None:
        """Write the request for a pause onto exactly the pod that was read.

        Raises:
            Conflict: the pod has changed since it was read.
            Gone: it is not there, or another pod.
            TooOld: not sent.
        """
        ...

    async def clear_pause(self, owner: Owner, action: ClearPause, not_after: int) -> None:
        """Take the request off exactly the pod that was read; raises as `ask_pause`."""
        ...


def at_work(scale_sets: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Names of the windows under which ScaleSets, as the server sent them, have an instance."""
    found: set[str] = set()
    for body in scale_sets:
        maintenance = (body.get("status") or {}).get("maintenance") or {}
        found |= {entry["window"] for entry in maintenance.get("inFlight") or ()}
    return frozenset(found)


class NoRelocations:
    """The default: there are no windows, so nothing of this is ever asked for."""

    def node_labels(self) -> Mapping[str, Mapping[str, str]]:
        """See the port."""
        return {}

    async def read_window(self, key: Key) -> Mapping[str, Any] | None:  # noqa: ARG002 - the port's signature
        """See the port."""
        return None

    async def windows_at_work(self, namespace: str) -> frozenset[str]:  # noqa: ARG002 - as above
        """See the port."""
        return frozenset()

    async def read_place(self, owner: Owner, name: str) -> Place | None:  # noqa: ARG002 - as above
        """See the port."""
        return None

    async def hold_place(self, owner: Owner, action: HoldPlace, not_after: int) -> None:
        """See the port."""

    async def release_place(self, owner: Owner, action: ReleasePlace) -> None:
        """See the port."""

    async def evict(self, owner: Owner, action: EvictInstance, not_after: int) -> None:
        """See the port."""

    async def publish_maintenance(self, owner: Owner, action: PublishMaintenance) -> None:
        """See the port."""

    async def read_report(self, node: str) -> Reported | None:  # noqa: ARG002 - as above
        """See the port."""
        return None

    async def ask_pause(self, owner: Owner, action: AskPause, not_after: int) -> None:
        """See the port."""

    async def clear_pause(self, owner: Owner, action: ClearPause, not_after: int) -> None:
        """See the port."""
