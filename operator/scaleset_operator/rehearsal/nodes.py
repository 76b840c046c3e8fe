"""Nodes and Jobs in memory: the port `NodeCluster`, with the API server's preconditions.

Must not know: why a node is cordoned, or which is next.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.core.nodeview import (
    CordonNode,
    CreateJob,
    DeleteJob,
    JobView,
    NodeView,
    UncordonNode,
)
from scaleset_operator.reconciler.node_ports import Occupant
from scaleset_operator.reconciler.ports import Conflict, Gone, Key, TooOld


@dataclass(slots=True)
class FakeJob:
    """A Job that is there.

    Attributes:
        owner: UID of the window that controls it.
    """

    view: JobView
    namespace: str
    node: str
    owner: str
    template: Mapping[str, Any] = field(default_factory=dict)


class FakeNodes:
    """The port `NodeCluster`.

    Attributes:
        machines: nodes by name.
        jobs: by name.
        on: node -> the instances that are on it.
        windows: those that are there.
        made: every Job that was ever created: its node and iteration.
    """

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._version = 0
        self.machines: dict[str, NodeView] = {}
        self.jobs: dict[str, FakeJob] = {}
        self.on: dict[str, list[Occupant]] = {}
        self.windows: dict[Key, MaintenanceWindow] = {}
        self.made: list[tuple[str, int]] = []

    def put(self, name: str, **changes: Any) -> None:
        """Make a node, or change it, as anybody would."""
        before = self.machines.get(name) or NodeView(name=name, resource_version="")
        version = self._next_version()
        self.machines[name] = replace(before, resource_version=version, **changes)

    def end_job(self, name: str, *, complete: bool) -> None:
        """A Job ends."""
        job = self.jobs[name]
        job.view = replace(job.view, complete=complete, failed=not complete)

    async def nodes(self) -> tuple[NodeView, ...]:
        """See the port."""
        return tuple(self.machines.values())

    async def node(self, name: str) -> NodeView | None:
        """See the port."""
        return self.machines.get(name)

    async def claimed(self) -> tuple[NodeView, ...]:
        """See the port."""
        return tuple(node for node in self.machines.values() if node.claim)

    async def occupants(self, namespace: str, node: str) -> tuple[Occupant, ...]:
        """See the port."""
        del namespace
        return tuple(self.on.get(node, ()))

    async def window(self, key: Key) -> MaintenanceWindow | None:
        """See the port."""
        return self.windows.get(key)

    async def cordon(self, act: CordonNode, *, trial: bool = False) -> None:
        """See the port."""
        self._in_time(act.not_after)
        self._unchanged(act.node, act.resource_version)
        if not trial:
            self.put(act.node, unschedulable=True, claim=act.claim)

    async def uncordon(self, act: UncordonNode) -> None:
        """See the port."""
        node = self._unchanged(act.node, act.resource_version)
        labels = {**node.labels, **dict(act.labels)}
        self.put(act.node, unschedulable=False, claim="", labels=labels)

    async def job(self, window: MaintenanceWindow, name: str) -> JobView | None:
        """See the port."""
        found = self.jobs.get(name)
        if found is None:
            return None
        return replace(found.view, ours=found.owner == window.metadata.uid)

    async def create_job(
        self,
        window: MaintenanceWindow,
        act: CreateJob,
        template: Mapping[str, Any],
        *,
        trial: bool = False,
    ) -> None:
        """See the port."""
        self._in_time(act.not_after)
        if trial or act.name in self.jobs:
            return
        meta = window.metadata
        view = JobView(name=act.name, uid=f"job-{self._next_version()}")
        self.jobs[act.name] = FakeJob(view, meta.namespace, act.node, meta.uid, template)
        self.made.append((act.node, act.iteration))

    async def delete_job(self, namespace: str, act: DeleteJob) -> None:
        """See the port."""
        del namespace
        found = self.jobs.get(act.name)
        if found is not None and found.view.uid == act.uid:
            del self.jobs[act.name]

    def _unchanged(self, name: str, version: str) -> NodeView:
        node = self.machines.get(name)
        if node is None:
            raise Gone(name)
        if node.resource_version != version:
            raise Conflict(name)
        return node

    def _in_time(self, not_after: datetime) -> None:
        if self._now() > not_after:
            message = "the record ran out"
            raise TooOld(message)

    def _next_version(self) -> str:
        self._version += 1
        return str(self._version)
