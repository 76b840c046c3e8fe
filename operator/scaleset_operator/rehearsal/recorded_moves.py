"""The port `Relocations` over what was recorded: places as read, windows as they were known.

Evictions and what stands on pods are done anew; what others refused is refused again. Must not
know: what was decided.
"""

from collections.abc import Mapping
from typing import Any

from scaleset_operator.api.base import Reason
from scaleset_operator.core.maintenance_acts import EvictInstance, HoldPlace, ReleasePlace
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.acts import ActKind
from scaleset_operator.reconciler.ports import Conflict, Key, Owner, Refused
from scaleset_operator.reconciler.relocations import Disallowed
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.rehearsal.recorded import RecordedCluster
from scaleset_operator.rehearsal.relocations import FakeRelocations

Refusals = dict[tuple[ActKind, str], list[str]]
"""Kind and instance -> by which errors its acts were refused, in order; empty: it was not."""


class RecordedRelocations(FakeRelocations):
    """See the module."""

    def __init__(self, client: RecordedCluster, resources: Resources, refusals: Refusals) -> None:
        """Prepares it.

        Args:
            client: of the cluster in memory.
            resources: as they were known.
            refusals: are used up one after the other.
        """
        super().__init__(client)
        self._client = client
        self._resources = resources
        self._refusals = refusals

    def node_labels(self) -> Mapping[str, Mapping[str, str]]:
        """See the port."""
        return self._client.seen.labels

    async def read_window(self, key: Key) -> Mapping[str, Any] | None:
        """See the port."""
        self._client.time.until_answered()
        window = self._resources.window(key)
        return None if window is None else window.model_dump(mode="json", by_alias=True)

    async def read_place(self, owner: Owner, name: str) -> Place | None:
        """See the port."""
        self._client.time.until_answered()
        return self._client.seen.held.get((owner.key.namespace, name))

    async def hold_place(self, owner: Owner, action: HoldPlace, not_after: int) -> None:  # noqa: ARG002 - the port's signature
        """See the port; what came of it is recorded."""
        self._refuse(ActKind.HOLD, action.instance)

    async def release_place(self, owner: Owner, action: ReleasePlace) -> None:
        """See the port; what came of it is recorded."""

    async def evict(self, owner: Owner, action: EvictInstance, not_after: int) -> None:
        """See the port."""
        self._refuse(ActKind.EVICT, action.name)
        await super().evict(owner, action, not_after)

    def _refuse(self, kind: ActKind, instance: str) -> None:
        waiting = self._refusals.get((kind, instance))
        fault = waiting.pop(0) if waiting else ""
        words = f"{instance}: as it was recorded"
        faults = {
            "Disallowed": Disallowed(words),
            "Conflict": Conflict(words),
            "Refused": Refused(Reason.CREATE_FORBIDDEN, words),
        }
        if fault in faults:
            raise faults[fault]
