"""What the loop does, act by act, as values: for whoever shows, records or compares it.

A cluster behind this one is asked and told exactly as it would be without. Acts of one turn that go
out together are numbered in the order in which they were begun, not in which they ended.
Must not know: what becomes of an act that was noted.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import count
from typing import Any, TypeVar

from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.disruption import Disruption
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

T = TypeVar("T")


class ActKind(StrEnum):
    """Kinds of acts: the first six are what a record of the status says, the others requests."""

    BEGIN = "Begin"
    END = "End"
    DOUBT = "Doubt"
    CERTAIN = "Certain"
    SERVICE = "Service"
    TAKE = "Take"
    CREATE = "Create"
    DELETE = "Delete"
    RENEW = "Renew"
    NOTICE = "Notice"
    PUBLISH = "Publish"
    ANSWER = "Answer"
    ADOPT = "Adopt"
    RELEASE = "Release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act.

    Attributes:
        number: in the order in which acts were begun.
        instance: whom it is about; for a doubt its group, empty for the set as a whole.
        what: of its kind: the repair action, the result, the purpose, the health, the state.
        reason: a reason code, where there is one.
        detail: in words.
        failed: name of the port's error; empty when it was carried out.
        turn: of its set's turns, where they are counted.
    """

    number: int
    at: datetime
    key: Key
    kind: ActKind
    instance: str
    what: str = ""
    reason: str = ""
    detail: str = ""
    failed: str = ""
    turn: int = 0


Said = tuple[ActKind, str, str, str, str]
"""Kind, instance, what, reason, detail."""


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
        return await self._noted(owner, said, sent)

    async def delete_instance(self, owner: Owner, action: DeleteInstance, not_after: int) -> None:
        """See the port."""
        sent = self._cluster.delete_instance(owner, action, not_after)
        await self._noted(owner, (ActKind.DELETE, action.name, action.purpose, "", ""), sent)

    async def renew(self, owner: Owner, action: RenewInstance, not_after: int) -> None:
        """See the port."""
        sent = self._cluster.renew(owner, action, not_after)
        await self._noted(owner, (ActKind.RENEW, action.name, action.purpose, "", ""), sent)

    async def give_notice(self, owner: Owner, action: GiveNotice, not_after: int) -> None:
        """See the port."""
        sent = self._cluster.give_notice(owner, action, not_after)
        await self._noted(owner, (ActKind.NOTICE, action.name, "", "", ""), sent)

    async def publish(self, owner: Owner, action: PublishHealth) -> None:
        """See the port."""
        sent = self._cluster.publish(owner, action)
        await self._noted(owner, _published(action), sent)

    async def answer(self, owner: Owner, action: AnswerRequest) -> None:
        """See the port."""
        sent = self._cluster.answer(owner, action)
        await self._noted(owner, (ActKind.ANSWER, action.name, "", "", ""), sent)

    async def adopt(self, owner: Owner, action: AdoptInstance) -> None:
        """See the port."""
        sent = self._cluster.adopt(owner, action)
        await self._noted(owner, (ActKind.ADOPT, action.name, "", "", ""), sent)

    async def release(self, owner: Owner, action: ReleaseInstance) -> None:
        """See the port."""
        sent = self._cluster.release(owner, action)
        await self._noted(owner, (ActKind.RELEASE, action.name, "", "", ""), sent)

    # Inside.

    async def _noted(self, owner: Owner, said: Said, sent: Awaitable[T]) -> T:
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


def _published(action: PublishHealth) -> Said:
    gate = {None: "", True: "in rotation", False: "out of rotation"}[action.in_rotation]
    words = [action.health or "", gate, "started" if action.state_change_time else ""]
    what = ", ".join(str(word) for word in words if word)
    return (ActKind.PUBLISH, action.name, what, action.reason, action.message)


def recorded(before: ScaleSetStatus, after: ScaleSetStatus) -> Iterator[Said]:
    """What a record of the status says that the one before did not."""
    yield from _repairs(before, after)
    then = {d.group: d for d in before.repairs.doubts}
    now = {d.group: d for d in after.repairs.doubts}
    for group, doubt in now.items():
        known = then.get(group)
        if known is None or known.witness != doubt.witness:
            witness = f"witness {doubt.witness}" if doubt.witness else ""
            yield (ActKind.DOUBT, group, witness, "", "")
    for group in (one for one in then if one not in now):
        yield (ActKind.CERTAIN, group, "", "", "")
    services = {s.service_name: (s.service_state, s.reason) for s in before.orchestration_services}
    for service in after.orchestration_services:
        if services.get(service.service_name) != (service.service_state, service.reason):
            why = (service.reason or "", service.message)
            yield (ActKind.SERVICE, "", service.service_state, *why)
    known_victims = {v.uid for v in before.scale_in}
    for victim in after.scale_in:
        if victim.uid not in known_victims:
            yield (ActKind.TAKE, victim.name, victim.purpose, "", "")


def _repairs(before: ScaleSetStatus, after: ScaleSetStatus) -> Iterator[Said]:
    then = {(e.instance, e.start_time): e for e in before.repairs.in_flight}
    now = {(e.instance, e.start_time): e for e in after.repairs.in_flight}
    ended = {(r.instance, r.start_time): r for r in after.repairs.history}
    for place in (one for one in then if one not in now):
        record = ended.get(place)
        result = (record.result, record.reason or "") if record else ("", "")
        by = then[place].replacement
        yield (ActKind.END, place[0], *result, f"by {by}" if by else "")
    for place, entry in now.items():
        if place not in then:
            said = (entry.cause_reason or "", entry.cause)
            yield (ActKind.BEGIN, entry.instance, entry.action, *said)
