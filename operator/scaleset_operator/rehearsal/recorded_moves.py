"""The port `Relocations` over what was recorded: places as read, windows as they were known.

Evictions and what stands on pods are done anew; what others refused is refused again. Must not
know: what was decided.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from scaleset_operator.api.base import Reason
from scaleset_operator.core.maintenance_acts import EvictInstance, HoldPlace, ReleasePlace
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.acts import Act, ActKind
from scaleset_operator.reconciler.ports import Conflict, Key, Owner, Refused
from scaleset_operator.reconciler.relocations import Disallowed, Reported
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.rehearsal.recorded import RecordedCluster
from scaleset_operator.rehearsal.recording import Answer, Recording
from scaleset_operator.rehearsal.relocations import FakeRelocations


class RecordedRelocations(FakeRelocations):
    """See the module."""

    def __init__(
        self,
        client: RecordedCluster,
        resources: Resources,
        recording: Recording,
        turns: Mapping[Key, int],
    ) -> None:
        """Prepares it.

        Args:
            client: of the cluster in memory.
            resources: as they were known.
            recording: what was answered, and what was refused.
            turns: how many were taken of each set, the one that is being taken included.
        """
        super().__init__(client)
        self._client = client
        self._resources = resources
        self._turns = turns
        self._answers: dict[tuple[Key, str], list[Answer]] = defaultdict(list)
        for one in recording.answers:
            self._answers[one.key, one.place].append(one)
        self._refusals = _refused(recording.acts)

    def node_labels(self) -> Mapping[str, Mapping[str, str]]:
        """See the port."""
        return self._client.seen.labels

    async def read_window(self, key: Key) -> Mapping[str, Any] | None:
        """See the port."""
        self._client.time.asked = True
        window = self._resources.window(key)
        return None if window is None else window.model_dump(mode="json", by_alias=True)

    async def read_place(self, owner: Owner, name: str) -> Place | None:
        """See the port."""
        self._client.time.asked = True
        now = (self._turns.get(owner.key, 0), self._client.time.looked)
        ours = self._answers.get((owner.key, name), [])
        known = [one for one in ours if one.moment <= now]
        if not known or known[-1].moment[0] < now[0]:
            # Where this turn looks less often than the recorded one did, it had its first answer.
            known += [one for one in ours if one.moment[0] == now[0]][:1]
        return known[-1].found if known else None

    async def read_report(self, node: str) -> Reported | None:
        """See the port."""
        self._client.time.asked = True
        return self._client.seen.reports.get(node)

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


def _refused(acts: Iterable[Act]) -> dict[tuple[ActKind, str], list[str]]:
    """Kind and instance -> by which errors these acts failed, in order; empty: by none."""
    found: dict[tuple[ActKind, str], list[str]] = {}
    for act in acts:
        if act.kind in (ActKind.HOLD, ActKind.EVICT):
            found.setdefault((act.kind, act.instance), []).append(act.failed)
    return found
