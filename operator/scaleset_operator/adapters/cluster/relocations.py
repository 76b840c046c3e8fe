"""The port `Relocations` on a real API server: places, evictions, and what stands on pods of them.

Must not know: why an instance is moved, or when.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from scaleset_operator.adapters.cluster.calls import pod_patch, pod_path
from scaleset_operator.adapters.cluster.connection import Call, Connection
from scaleset_operator.adapters.cluster.errors import AlreadyExists
from scaleset_operator.adapters.cluster.lease import LeasePlace
from scaleset_operator.adapters.cluster.pacing import Urgency
from scaleset_operator.adapters.cluster.placeholders import place_of, placeholder
from scaleset_operator.adapters.cluster.reflector import pages
from scaleset_operator.adapters.cluster.view import ClusterView, pods_path
from scaleset_operator.api.agentreport import AgentReport, lease_name
from scaleset_operator.api.base import (
    ANNOTATION_MAINTENANCE_ITERATION,
    ANNOTATION_MAINTENANCE_STATUS,
    ANNOTATION_PERFORM_MAINTENANCE,
    ANNOTATION_STATE_CHANGE_TIME,
    API_VERSION,
    FIELD_MANAGER,
    format_time,
)
from scaleset_operator.api.pauserequest import ANNOTATION_PAUSE, PauseRequest
from scaleset_operator.core.maintenance_acts import (
    AskPause,
    ClearPause,
    EvictInstance,
    HoldPlace,
    PublishMaintenance,
    ReleasePlace,
)
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.ports import Clock, Conflict, Gone, Key, Owner, Refused, TooOld
from scaleset_operator.reconciler.relocations import Reported, at_work


class KubernetesRelocations:
    """The port on one connection; what it writes is fed to the view."""

    def __init__(
        self,
        connection: Connection,
        view: ClusterView,
        clock: Clock,
        image: str,
        agents: str,
    ) -> None:
        """Prepares it.

        Args:
            connection: to the API server; closed by whoever opened it.
            view: of the pods and nodes.
            clock: the operator's own.
            image: of placeholders.
            agents: the namespace in which nodes' agents report.
        """
        self._connection = connection
        self._view = view
        self._clock = clock
        self._image = image
        self._agents = agents

    def node_labels(self) -> Mapping[str, Mapping[str, str]]:
        """See the port."""
        return self._view.node_labels()

    async def read_window(self, key: Key) -> Mapping[str, Any] | None:
        """See the port."""
        path = f"/apis/{API_VERSION}/namespaces/{key.namespace}/maintenancewindows/{key.name}"
        try:
            return await self._connection.read(Call(method="GET", path=path))
        except Gone:
            return None

    async def windows_at_work(self, namespace: str) -> frozenset[str]:
        """See the port."""
        path = f"/apis/{API_VERSION}/namespaces/{namespace}/scalesets"
        found: frozenset[str] = frozenset()
        async for page in pages(self._connection, path, {}):
            found |= at_work(page["items"])
        return found

    async def read_place(self, owner: Owner, name: str) -> Place | None:
        """See the port."""
        path = f"{pods_path(owner.key.namespace)}/{name}"
        try:
            pod = await self._connection.read(Call(method="GET", path=path))
        except Gone:
            return None
        return place_of(owner, pod)

    async def hold_place(self, owner: Owner, action: HoldPlace, not_after: int) -> None:
        """See the port."""
        call = Call(
            method="POST",
            path=pods_path(owner.key.namespace),
            query={"fieldManager": FIELD_MANAGER},
            body=placeholder(owner, action, self._image),
            check=self._deadline(not_after),
        )
        try:
            await self._connection.write(call, Urgency.ACT)
        except AlreadyExists:
            if await self.read_place(owner, action.name) is None:
                message = f"the name {action.name} is taken by another pod"
                raise Conflict(message) from None

    async def release_place(self, owner: Owner, action: ReleasePlace) -> None:
        """See the port."""
        place = await self.read_place(owner, action.name)
        if place is None or (action.uid is not None and place.uid != action.uid):
            return
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": 0,
            "preconditions": {"uid": place.uid},
        }
        call = Call(method="DELETE", path=pod_path(owner, action.name), body=body)
        with suppress(Gone, Conflict):
            await self._connection.write(call, Urgency.ACT)

    async def evict(self, owner: Owner, action: EvictInstance, not_after: int) -> None:
        """See the port."""
        fence = {"uid": action.uid, "resourceVersion": action.resource_version}
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": action.name, "namespace": owner.key.namespace},
            "deleteOptions": {"preconditions": fence},
        }
        call = Call(
            method="POST",
            path=f"{pod_path(owner, action.name)}/eviction",
            body=body,
            check=self._deadline(not_after),
        )
        with suppress(Gone):
            await self._connection.write(call, Urgency.ACT)

    async def publish_maintenance(self, owner: Owner, action: PublishMaintenance) -> None:
        """See the port."""
        annotations: dict[str, str | None] = {
            ANNOTATION_MAINTENANCE_ITERATION: action.mark,
            ANNOTATION_MAINTENANCE_STATUS: action.status,
        }
        if action.answered:
            annotations[ANNOTATION_PERFORM_MAINTENANCE] = None
        if action.state_change_time is not None:
            annotations[ANNOTATION_STATE_CHANGE_TIME] = format_time(action.state_change_time)
        metadata: dict[str, Any] = {"uid": action.uid, "annotations": annotations}
        if action.resource_version is not None:
            metadata["resourceVersion"] = action.resource_version
        call = pod_patch(owner, action.name, {"metadata": metadata})
        self._view.wrote(owner, await self._connection.write(call, Urgency.PUBLISH))

    async def read_report(self, node: str) -> Reported | None:
        """See the port."""
        place = LeasePlace(namespace=self._agents, name=lease_name(node))
        try:
            path = f"{place.collection}/{place.name}"
            lease = await self._connection.read(Call(method="GET", path=path))
        except (Gone, Refused):
            return None  # What is not granted holds up no other work of the set.
        metadata = lease["metadata"]
        report = AgentReport.of(metadata.get("annotations") or {})
        if report is None or report.node != node:
            return None
        return Reported(version=metadata["resourceVersion"], report=report)

    async def ask_pause(self, owner: Owner, action: AskPause, not_after: int) -> None:
        """See the port."""
        asked = PauseRequest(id=action.id, deadline=action.deadline, seconds=action.seconds)
        await self._write_request(owner, action, asked.text(), not_after)

    async def clear_pause(self, owner: Owner, action: ClearPause, not_after: int) -> None:
        """See the port."""
        await self._write_request(owner, action, None, not_after)

    async def _write_request(
        self, owner: Owner, action: AskPause | ClearPause, text: str | None, not_after: int
    ) -> None:
        metadata = {
            "uid": action.uid,
            "resourceVersion": action.resource_version,
            "annotations": {ANNOTATION_PAUSE: text},
        }
        check = self._deadline(not_after)
        call = pod_patch(owner, action.name, {"metadata": metadata}, check)
        self._view.wrote(owner, await self._connection.write(call, Urgency.ACT))

    def _deadline(self, not_after: int) -> Callable[[], None]:
        def check() -> None:
            late = self._clock.boottime_ns() - not_after
            if late > 0:
                message = f"the record is {late / 1e9:.1f} s older than an act may be"
                raise TooOld(message)

        return check
