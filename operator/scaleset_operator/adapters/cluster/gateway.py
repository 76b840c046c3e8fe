"""The Kubernetes API as the loop uses it: reads from the cache, writes with their fences.

Must not know: why an act is carried out, or when.
"""

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext, suppress
from typing import Any, Final

from scaleset_operator.adapters.cluster import bodies
from scaleset_operator.adapters.cluster.calls import pod_patch, pod_path, status_apply
from scaleset_operator.adapters.cluster.connection import Call, Connection
from scaleset_operator.adapters.cluster.errors import AlreadyExists, Expired
from scaleset_operator.adapters.cluster.events import EventRecorder
from scaleset_operator.adapters.cluster.pacing import Pace, Urgency
from scaleset_operator.adapters.cluster.pods import PodRecord, pod_record
from scaleset_operator.adapters.cluster.reflector import Timing, pages
from scaleset_operator.adapters.cluster.view import ClusterView, pods_path
from scaleset_operator.api.base import FIELD_MANAGER, LABEL_NAME, VMHealth
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
    Conflict,
    Created,
    Gone,
    Key,
    Owner,
    Pods,
    TooOld,
    Unavailable,
    Wake,
)

MOST_FOREIGN: Final = 10
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class KubernetesCluster:
    """The port `Cluster`, on a real API server; `view` is what it has seen of it."""

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        wake: Wake,
        namespaces: tuple[str, ...] = (),
        *,
        timing: Timing | None = None,
    ) -> None:
        """Prepares it; nothing is sent before `start`.

        Args:
            connection: to the API server; closed by whoever opened it.
            clock: the operator's own.
            wake: called with each set that has to be looked at again.
            namespaces: the ones in view; none for all.
            timing: clocks and chance of the watches.
        """
        self._connection = connection
        self._clock = clock
        self.view = ClusterView(connection, wake, namespaces, timing=timing)
        self._events = EventRecorder(connection, clock)
        self._pace = Pace()

    async def start(self) -> None:
        """Begins to list and to watch; the view is not fresh before the first list is in."""
        await self.view.start()
        await self._events.start()

    async def close(self) -> None:
        """Ends every watch; Events that wait are let go."""
        await self.view.close()
        await self._events.close()

    # --- From the cache ----------------------------------------------------------------------

    def pods(self, owner: Owner) -> Pods:
        """See the port."""
        return self.view.pods(owner)

    def node_ready(self) -> Mapping[str, bool]:
        """See the port."""
        return self.view.node_ready()

    def pods_on(self, node: str) -> tuple[Instance, ...]:
        """See the port."""
        return self.view.pods_on(node)

    def disruption(self, owner: Owner, names: Collection[str]) -> Disruption:
        """See the port."""
        return self.view.disruption(owner, names)

    async def read_instance(self, owner: Owner, name: str) -> Instance | None:
        """See the port."""
        record = await self._read(Key(owner.key.namespace, name))
        if record is None or record.owner is None or record.owner.uid != owner.uid:
            return None
        return record.instance

    async def list_instances(self, owner: Owner) -> None:
        """See the port."""
        query = {"labelSelector": f"{LABEL_NAME}={owner.key.name}"}
        names: list[str] = []
        version = 0
        self._connection.limit.check_hold()
        try:
            async for page in pages(self._connection, pods_path(owner.key.namespace), query):
                version = int(page["metadata"]["resourceVersion"])
                for pod in page["items"] or ():
                    names.append(pod["metadata"]["name"])
                    self.view.cache.feed(pod)
        except Expired as fault:
            raise Unavailable(str(fault)) from fault
        self.view.cache.feed_list(owner, names, version)

    async def foreign_pods(self, owner: Owner) -> tuple[str, ...]:
        """See the port."""
        selector = [f"{key}={value}" for key, value in owner.match_labels.items()]
        call = Call(
            method="GET",
            path=pods_path(owner.key.namespace),
            query={"labelSelector": ",".join([*selector, f"!{LABEL_NAME}"]), "limit": MOST_FOREIGN},
            accept=_METADATA_ONLY,
        )
        found = await self._connection.read(call)
        return tuple(item["metadata"]["name"] for item in found["items"] or ())

    async def dry_run(self, owner: Owner) -> None:
        """See the port."""
        sample = CreateInstance(
            name=f"{owner.key.name}-dry-run", instance_id=0, update_domain=0, model="dry-run"
        )
        call = Call(
            method="POST",
            path=pods_path(owner.key.namespace),
            query={"dryRun": "All"},
            body=bodies.new_pod(owner, sample),
        )
        try:
            await self._connection.write(call, Urgency.RECORD)
        except AlreadyExists:
            return  # Somebody's pod of that name; admission and validation have passed by then.

    # --- Writes ------------------------------------------------------------------------------

    async def record_status(self, owner: Owner, status: Mapping[str, Any]) -> str:
        """See the port."""
        body = bodies.status_apply(owner, status)
        return await self._apply_status("scalesets", owner.key, body)

    async def record_report(
        self, kind: str, key: Key, resource_version: str, status: Mapping[str, Any]
    ) -> str:
        """See the port."""
        body = bodies.report_apply(kind, key, resource_version, status)
        return await self._apply_status(f"{kind.lower()}s", key, body)

    async def _apply_status(self, kinds: str, key: Key, body: Mapping[str, Any]) -> str:
        answer = await self._connection.write(status_apply(kinds, key, body), Urgency.RECORD)
        return str(answer["metadata"]["resourceVersion"])

    async def create_instance(
        self, owner: Owner, action: CreateInstance, not_after: int
    ) -> Created:
        """See the port."""
        call = Call(
            method="POST",
            path=pods_path(owner.key.namespace),
            query={"fieldManager": FIELD_MANAGER},
            body=bodies.new_pod(owner, action),
            check=self._deadline(not_after),
        )
        try:
            pod = await self._connection.write(call, Urgency.ACT)
        except AlreadyExists:
            await self._check_ours(owner, action)
            return Created.ALREADY_OURS
        self.view.wrote(owner, pod)
        return Created.CREATED

    async def delete_instance(self, owner: Owner, action: DeleteInstance, not_after: int) -> None:
        """See the port."""
        call = Call(
            method="DELETE",
            path=pod_path(owner, action.name),
            body=bodies.deletion(action),
            check=self._deadline(not_after),
        )
        with suppress(Gone):
            pod = await self._connection.write(call, Urgency.ACT)
            # One that ended while the API server marked it comes back without a version.
            if "resourceVersion" in pod["metadata"]:
                self.view.wrote(owner, pod)
                return
        self.view.cache.feed_absence(Key(owner.key.namespace, action.name), action.uid)

    async def renew(self, owner: Owner, action: RenewInstance, not_after: int) -> None:
        """See the port."""
        body, check = bodies.renewal(action), self._deadline(not_after)
        await self._patch(owner, action.name, body, Urgency.ACT, check)

    async def give_notice(self, owner: Owner, action: GiveNotice, not_after: int) -> None:
        """See the port."""
        body = bodies.notice(action, self._seen(owner, action), self._clock.now())
        path, check = f"{action.name}/status", self._deadline(not_after)
        await self._patch(owner, path, body, Urgency.ACT, check)

    async def publish(self, owner: Owner, action: PublishHealth) -> None:
        """See the port."""
        # Bad news of thousands at once is paced; good news is what everybody waits for.
        well = action.health in (VMHealth.HEALTHY, None)
        async with nullcontext() if well else self._pace.turn():
            body = bodies.publication(action, self._seen(owner, action), self._clock.now())
            await self._patch(owner, f"{action.name}/status", body, Urgency.PUBLISH)

    async def answer(self, owner: Owner, action: AnswerRequest) -> None:
        """See the port."""
        await self._patch(owner, action.name, bodies.answer(action), Urgency.ACT)

    async def adopt(self, owner: Owner, action: AdoptInstance) -> None:
        """See the port."""
        await self._patch(owner, action.name, bodies.adoption(owner, action), Urgency.ACT)

    async def release(self, owner: Owner, action: ReleaseInstance) -> None:
        """See the port."""
        await self._patch(owner, action.name, bodies.release(owner, action), Urgency.ACT)

    async def tell(self, owner: Owner, note: Note) -> None:
        """See the port."""
        self._events.tell(owner, note)

    def tell_window(self, key: Key, uid: str, note: Note) -> None:
        """Post an Event on a MaintenanceWindow, aggregated; never raises."""
        self._events.tell_of("MaintenanceWindow", key, uid, note)

    def _seen(self, owner: Owner, action: GiveNotice | PublishHealth) -> Instance | None:
        """The very pod that is meant, as the cache has it."""
        known = self.view.cache.known(Key(owner.key.namespace, action.name))
        return known.instance if known and known.instance.uid == action.uid else None

    async def _patch(
        self,
        owner: Owner,
        name: str,
        body: Mapping[str, Any],
        urgency: Urgency,
        check: Callable[[], None] | None = None,
    ) -> None:
        call = pod_patch(owner, name, body, check)
        self.view.wrote(owner, await self._connection.write(call, urgency))

    async def _read(self, key: Key) -> PodRecord | None:
        """The live pod; feeds the cache."""
        before = self.view.cache.known(key)
        call = Call(method="GET", path=f"{pods_path(key.namespace)}/{key.name}")
        try:
            pod = await self._connection.read(call)
        except Gone:
            # The pod known when the question was asked, and not one made since.
            if before is not None:
                self.view.cache.feed_absence(key, before.instance.uid)
            return None
        self.view.cache.feed(pod)
        return pod_record(pod)

    async def _check_ours(self, owner: Owner, action: CreateInstance) -> None:
        """Raises Conflict unless the pod of the name is the recorded one, ours, and stays."""
        record = await self._read(Key(owner.key.namespace, action.name))
        ours = (
            record is not None
            and record.owner is not None
            and record.owner.uid == owner.uid
            and record.instance.instance_id == action.instance_id
            and not record.instance.terminating
        )
        if not ours:
            message = f"the name {action.name} is taken by another pod, or by one that is going"
            raise Conflict(message)

    def _deadline(self, not_after: int) -> Callable[[], None]:
        def check() -> None:
            late = self._clock.boottime_ns() - not_after
            if late > 0:
                message = f"the record is {late / 1e9:.1f} s older than an act may be"
                raise TooOld(message)

        return check
