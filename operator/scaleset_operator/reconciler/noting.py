"""The loop's ports, each act on them noted: a cluster behind these is asked and told as without.

Acts of one turn that go out together are numbered in the order in which they were begun, not in
which they ended. Must not know: what becomes of an act that was noted.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from itertools import count
from typing import Any, TypeVar

from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.core.maintenance_acts import (
    AskPause,
    ClearPause,
    EvictInstance,
    HoldPlace,
    PublishMaintenance,
    ReleasePlace,
)
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import (
    AdoptInstance,
    AnswerRequest,
    CreateInstance,
    DeleteInstance,
    GiveNotice,
    Note,
    PublishHealth,
    ReleaseInstance,
    RenewInstance,
)
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.acts import Act, ActKind, Said, marked, published, recorded
from scaleset_operator.reconciler.ports import (
    Clock,
    Cluster,
    Conflict,
    Created,
    Gone,
    Key,
    Owner,
    Pods,
    Refused,
    TooOld,
    Unavailable,
)
from scaleset_operator.reconciler.relocations import Relocations, Reported

T = TypeVar("T")


class NotedCluster:
    """The port `Cluster` over another one, telling each act once it is known how it ended."""

    def __init__(
        self,
        cluster: Cluster,
        clock: Clock,
        status_of: Callable[[Key], ScaleSetStatus],
        note: Callable[[Act], None],
    ) -> None:
        """Prepares it.

        Args:
            cluster: the one that is asked.
            clock: dates the acts.
            status_of: a set's status as it stood before the next record.
            note: told of each act.
        """
        self._cluster = cluster
        self._clock = clock
        self._status_of = status_of
        self._note = note
        self._numbers = count()

    # What is asked.

    def pods(self, owner: Owner) -> Pods:
        """See the port."""
        return self._cluster.pods(owner)

    def node_ready(self) -> Mapping[str, bool]:
        """See the port."""
        return self._cluster.node_ready()

    def pods_on(self, node: str) -> tuple[Instance, ...]:
        """See the port."""
        return self._cluster.pods_on(node)

    def disruption(self, owner: Owner, names: Collection[str]) -> Disruption:
        """See the port."""
        return self._cluster.disruption(owner, names)

    async def read_instance(self, owner: Owner, name: str) -> Instance | None:
        """See the port."""
        return await self._cluster.read_instance(owner, name)

    async def list_instances(self, owner: Owner) -> None:
        """See the port."""
        await self._cluster.list_instances(owner)

    async def foreign_pods(self, owner: Owner) -> tuple[str, ...]:
        """See the port."""
        return await self._cluster.foreign_pods(owner)

    async def dry_run(self, owner: Owner) -> None:
        """See the port."""
        await self._cluster.dry_run(owner)

    async def tell(self, owner: Owner, note: Note) -> None:
        """See the port."""
        await self._cluster.tell(owner, note)

    async def record_report(
        self, kind: str, key: Key, resource_version: str, status: Mapping[str, Any]
    ) -> str:
        """See the port."""
        return await self._cluster.record_report(kind, key, resource_version, status)

    # What is done.

    async def record_status(self, owner: Owner, status: Mapping[str, Any]) -> str:
        """See the port."""
        before, number = self._status_of(owner.key), next(self._numbers)
        version = await self._cluster.record_status(owner, status)
        for said in recorded(before, ScaleSetStatus.model_validate(status)):
            self._tell_of(number, owner, said)
        return version

    async def create_instance(
        self, owner: Owner, action: CreateInstance, not_after: int
    ) -> Created:
        """See the port."""
        sent = self._cluster.create_instance(owner, action, not_after)
        said = (ActKind.CREATE, action.name, "repair" if action.attempt else "", "", "")
        return await self.noted(owner, said, sent)

    async def delete_instance(self, owner: Owner, action: DeleteInstance, not_after: int) -> None:
        """See the port."""
        sent = self._cluster.delete_instance(owner, action, not_after)
        await self.noted(owner, (ActKind.DELETE, action.name, action.purpose, "", ""), sent)

    async def renew(self, owner: Owner, action: RenewInstance, not_after: int) -> None:
        """See the port."""
        sent = self._cluster.renew(owner, action, not_after)
        await self.noted(owner, (ActKind.RENEW, action.name, action.purpose, "", ""), sent)

    async def give_notice(self, owner: Owner, action: GiveNotice, not_after: int) -> None:
        """See the port."""
        sent = self._cluster.give_notice(owner, action, not_after)
        await self.noted(owner, (ActKind.NOTICE, action.name, "", "", ""), sent)

    async def publish(self, owner: Owner, action: PublishHealth) -> None:
        """See the port."""
        sent = self._cluster.publish(owner, action)
        await self.noted(owner, published(action), sent)

    async def answer(self, owner: Owner, action: AnswerRequest) -> None:
        """See the port."""
        sent = self._cluster.answer(owner, action)
        await self.noted(owner, (ActKind.ANSWER, action.name, "", "", ""), sent)

    async def adopt(self, owner: Owner, action: AdoptInstance) -> None:
        """See the port."""
        sent = self._cluster.adopt(owner, action)
        await self.noted(owner, (ActKind.ADOPT, action.name, "", "", ""), sent)

    async def release(self, owner: Owner, action: ReleaseInstance) -> None:
        """See the port."""
        sent = self._cluster.release(owner, action)
        await self.noted(owner, (ActKind.RELEASE, action.name, "", "", ""), sent)

    async def noted(self, owner: Owner, said: Said, sent: Awaitable[T]) -> T:
        """Do one thing, and tell how it ended."""
        number = next(self._numbers)
        try:
            answer = await sent
        except (Conflict, Gone, Refused, TooOld, Unavailable) as fault:
            self._tell_of(number, owner, said, type(fault).__name__)
            raise
        self._tell_of(number, owner, said)
        return answer

    def _tell_of(self, number: int, owner: Owner, said: Said, failed: str = "") -> None:
        kind, instance, what, reason, detail = said
        self._note(
            Act(
                number=number,
                at=self._clock.now(),
                key=owner.key,
                kind=kind,
                instance=instance,
                what=str(what),
                reason=str(reason),
                detail=detail,
                failed=failed,
            )
        )


class NotedRelocations:
    """The port `Relocations` likewise; its acts are numbered among those of the cluster."""

    def __init__(self, relocations: Relocations, noted: NotedCluster) -> None:
        """Prepares it.

        Args:
            relocations: the one that is asked.
            noted: the same operator's, which numbers and tells.
        """
        self._relocations = relocations
        self._noted = noted

    # What is asked.

    def node_labels(self) -> Mapping[str, Mapping[str, str]]:
        """See the port."""
        return self._relocations.node_labels()

    async def read_window(self, key: Key) -> Mapping[str, Any] | None:
        """See the port."""
        return await self._relocations.read_window(key)

    async def windows_at_work(self, namespace: str) -> frozenset[str]:
        """See the port."""
        return await self._relocations.windows_at_work(namespace)

    async def read_place(self, owner: Owner, name: str) -> Place | None:
        """See the port."""
        return await self._relocations.read_place(owner, name)

    async def read_report(self, node: str) -> Reported | None:
        """See the port."""
        return await self._relocations.read_report(node)

    # What is done.

    async def hold_place(self, owner: Owner, action: HoldPlace, not_after: int) -> None:
        """See the port."""
        sent = self._relocations.hold_place(owner, action, not_after)
        await self._noted.noted(owner, (ActKind.HOLD, action.instance, "", "", action.name), sent)

    async def release_place(self, owner: Owner, action: ReleasePlace) -> None:
        """See the port."""
        sent = self._relocations.release_place(owner, action)
        await self._noted.noted(owner, (ActKind.FREE, action.name, "", "", ""), sent)

    async def evict(self, owner: Owner, action: EvictInstance, not_after: int) -> None:
        """See the port."""
        sent = self._relocations.evict(owner, action, not_after)
        await self._noted.noted(owner, (ActKind.EVICT, action.name, "", "", ""), sent)

    async def publish_maintenance(self, owner: Owner, action: PublishMaintenance) -> None:
        """See the port."""
        sent = self._relocations.publish_maintenance(owner, action)
        await self._noted.noted(owner, marked(action), sent)

    async def ask_pause(self, owner: Owner, action: AskPause, not_after: int) -> None:
        """See the port."""
        sent = self._relocations.ask_pause(owner, action, not_after)
        await self._noted.noted(owner, (ActKind.PAUSE, action.name, "", "", action.id), sent)

    async def clear_pause(self, owner: Owner, action: ClearPause, not_after: int) -> None:
        """See the port."""
        sent = self._relocations.clear_pause(owner, action, not_after)
        await self._noted.noted(owner, (ActKind.UNPAUSE, action.name, "", "", ""), sent)
