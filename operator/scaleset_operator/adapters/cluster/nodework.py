"""Nodes and the Jobs that work on them, on a real API server: live reads, writes with their fences.

Must not know: which node is next, or when anything is due.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError

from scaleset_operator.adapters.cluster.connection import MERGE, Call, Connection
from scaleset_operator.adapters.cluster.errors import AlreadyExists, Expired
from scaleset_operator.adapters.cluster.nodejobs import job_body, job_view
from scaleset_operator.adapters.cluster.pacing import Urgency
from scaleset_operator.adapters.cluster.pods import pod_record
from scaleset_operator.adapters.cluster.reflector import pages
from scaleset_operator.adapters.cluster.view import pods_path
from scaleset_operator.api.base import (
    ANNOTATION_NODE_MAINTENANCE,
    API_VERSION,
    FIELD_MANAGER,
    LABEL_NAME,
)
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.core.nodeview import (
    CordonNode,
    CreateJob,
    DeleteJob,
    JobView,
    NodeView,
    UncordonNode,
)
from scaleset_operator.reconciler.node_ports import Occupant, Unreadable
from scaleset_operator.reconciler.ports import Clock, Conflict, Gone, Key, TooOld, Unavailable
from scaleset_operator.reconciler.versions import in_words

Json = Mapping[str, Any]

NODES: Final = "/api/v1/nodes"
_METADATA_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_MINE: Final = {"fieldManager": FIELD_MANAGER}
_TRIAL: Final = {"dryRun": "All"}


class NodeGateway:
    """The port `NodeCluster`."""

    def __init__(self, connection: Connection, clock: Clock) -> None:
        self._connection = connection
        self._clock = clock

    async def nodes(self) -> tuple[NodeView, ...]:
        """See the port."""
        return tuple([node_view(node) async for node in self._items(NODES, {})])

    async def node(self, name: str) -> NodeView | None:
        """See the port."""
        # By list: seeing nodes is granted as list and watch.
        async for node in self._items(NODES, {"fieldSelector": f"metadata.name={name}"}):
            return node_view(node)
        return None

    async def claimed(self) -> tuple[NodeView, ...]:
        """See the port."""
        found: list[NodeView] = []
        token = ""
        while True:
            query: dict[str, str | int] = {"limit": 500} | ({"continue": token} if token else {})
            call = Call(method="GET", path=NODES, query=query, accept=_METADATA_ONLY)
            page = await self._connection.read(call)
            found += [view for node in page["items"] or () if (view := node_view(node)).claim]
            token = page["metadata"].get("continue") or ""
            if not token:
                return tuple(found)

    async def occupants(self, namespace: str, node: str) -> tuple[Occupant, ...]:
        """See the port."""
        query = {"fieldSelector": f"spec.nodeName={node}", "labelSelector": LABEL_NAME}
        found = []
        async for pod in self._items(pods_path(namespace), query):
            record = pod_record(pod)
            if record is not None and not record.instance.over:
                found.append(Occupant(record.wakes.name, record.instance))
        return tuple(found)

    async def window(self, key: Key) -> MaintenanceWindow | None:
        """See the port."""
        path = f"/apis/{API_VERSION}/namespaces/{key.namespace}/maintenancewindows"
        async for body in self._items(path, {"fieldSelector": f"metadata.name={key.name}"}):
            try:
                return MaintenanceWindow.model_validate(body)
            except ValidationError as fault:
                name = f"MaintenanceWindow {key.namespace}/{key.name}"
                message = f"{name} cannot be read: {in_words(fault)}"
                raise Unreadable(message) from fault
        return None

    async def cordon(self, act: CordonNode, *, trial: bool = False) -> None:
        """See the port."""
        body = {
            "metadata": {
                "resourceVersion": act.resource_version,
                "annotations": {ANNOTATION_NODE_MAINTENANCE: act.claim},
            },
            "spec": {"unschedulable": True},
        }
        await self._patch(act.node, body, trial=trial, check=self._deadline(act.not_after))

    async def uncordon(self, act: UncordonNode) -> None:
        """See the port."""
        body = {
            "metadata": {
                "resourceVersion": act.resource_version,
                "annotations": {ANNOTATION_NODE_MAINTENANCE: None},
                "labels": dict(act.labels),
            },
            "spec": {"unschedulable": None},
        }
        await self._patch(act.node, body)

    async def job(self, window: MaintenanceWindow, name: str) -> JobView | None:
        """See the port."""
        call = Call(method="GET", path=f"{_jobs(window.metadata.namespace)}/{name}")
        try:
            found = await self._connection.read(call)
        except Gone:
            return None
        return job_view(found, window.metadata.uid)

    async def create_job(
        self,
        window: MaintenanceWindow,
        act: CreateJob,
        template: Mapping[str, Any],
        *,
        trial: bool = False,
    ) -> None:
        """See the port."""
        call = Call(
            method="POST",
            path=_jobs(window.metadata.namespace),
            query=_MINE | (_TRIAL if trial else {}),
            body=job_body(window, act, template),
            check=self._deadline(act.not_after),
        )
        try:
            await self._connection.write(call, Urgency.ACT)
        except AlreadyExists:
            return  # Whose it is, the next read tells.

    async def delete_job(self, namespace: str, act: DeleteJob) -> None:
        """See the port."""
        call = Call(
            method="DELETE",
            path=f"{_jobs(namespace)}/{act.name}",
            body={
                "apiVersion": "v1",
                "kind": "DeleteOptions",
                "propagationPolicy": "Foreground",
                "preconditions": {"uid": act.uid},
            },
        )
        try:
            await self._connection.write(call, Urgency.ACT)
        except (Gone, Conflict):
            return  # It is gone, or another one: the next read tells.

    async def _patch(
        self,
        node: str,
        body: Json,
        *,
        trial: bool = False,
        check: Callable[[], None] | None = None,
    ) -> None:
        call = Call(
            method="PATCH",
            path=f"{NODES}/{node}",
            query=_MINE | (_TRIAL if trial else {}),
            body=body,
            content_type=MERGE,
            check=check,
        )
        await self._connection.write(call, Urgency.ACT)

    async def _items(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Json]:
        self._connection.limit.check_hold()
        try:
            async for page in pages(self._connection, path, query):
                for item in page["items"] or ():
                    yield item
        except Expired as fault:
            raise Unavailable(str(fault)) from fault

    def _deadline(self, not_after: datetime) -> Callable[[], None]:
        def check() -> None:
            now = self._clock.now()
            if now > not_after:
                message = f"the record ran out {(now - not_after).total_seconds():.1f} s ago"
                raise TooOld(message)

        return check


def node_view(node: Json) -> NodeView:
    """Maps one node, or the metadata of one."""
    meta = node["metadata"]
    conditions = (node.get("status") or {}).get("conditions") or ()
    return NodeView(
        name=meta["name"],
        resource_version=meta["resourceVersion"],
        labels=meta.get("labels") or {},
        unschedulable=bool((node.get("spec") or {}).get("unschedulable")),
        claim=(meta.get("annotations") or {}).get(ANNOTATION_NODE_MAINTENANCE, ""),
        ready=any(c["type"] == "Ready" and c["status"] == "True" for c in conditions),
    )


def _jobs(namespace: str) -> str:
    return f"/apis/batch/v1/namespaces/{namespace}/jobs"
