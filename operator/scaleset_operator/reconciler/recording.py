"""The loop's ports, each written down: between the loop and them, changing nothing.

Must not know: the form of a line.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.core.observed import Evidence, Neighbour, ProberView
from scaleset_operator.core.policies import Policy, ProberPlace
from scaleset_operator.core.revisions import Revision
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.acts import Act
from scaleset_operator.reconciler.leadership import Leadership
from scaleset_operator.reconciler.noting import NotedCluster, NotedRelocations
from scaleset_operator.reconciler.outlook import Policies, Vantage
from scaleset_operator.reconciler.ports import (
    Clock,
    Cluster,
    Key,
    Owner,
    Pods,
    Probes,
    ProbeTarget,
    Refused,
    for_rotation,
)
from scaleset_operator.reconciler.recorder import (
    ACT,
    BUDGETS,
    HELD,
    PLACE,
    POLICIES,
    REPORTED,
    REVISIONS,
    VIEW,
    Recorder,
)
from scaleset_operator.reconciler.relocations import Relocations, Reported
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.reconciler.revisions import Revisions
from scaleset_operator.reconciler.turn import Reconciler


def record(loop: Reconciler, recorder: Recorder) -> None:
    """Have all that this loop asks and does written from now on.

    Args:
        loop: its ports are replaced by ones that write.
        recorder: is to be told of its turns by whoever takes them.
    """
    cluster = RecordingCluster(loop.cluster, loop.clock, loop.resources, recorder)
    loop.cluster = cluster
    moves = RecordingRelocations(loop.relocations, cluster, loop.resources, recorder)
    loop.relocations = moves
    loop.revisions = RecordingRevisions(loop.revisions, recorder)
    loop.probes = RecordingProbes(loop.probes, recorder)
    loop.vantage = RecordingVantage(loop.vantage, recorder)
    loop.policies = RecordingPolicies(loop.policies, recorder)
    loop.leadership = RecordingLeadership(loop.leadership, recorder)


class RecordingCluster(NotedCluster):
    """The port `Cluster`, writing what it gives and what it is told to do."""

    def __init__(
        self, cluster: Cluster, clock: Clock, resources: Resources, recorder: Recorder
    ) -> None:
        def status_of(key: Key) -> ScaleSetStatus:
            known = resources.scale_set(key)
            return ScaleSetStatus() if known is None else known.resource.status

        super().__init__(cluster, clock, status_of, self._write_act)
        self._recorder = recorder

    def _write_act(self, act: Act) -> None:
        self._recorder.line("act", at=act.at, act=ACT.dump_python(act, mode="json"))

    def pods(self, owner: Owner) -> Pods:
        """See the port; an observation begins with it."""
        found = super().pods(owner)
        self._recorder.begin_observation(owner.key)
        self._recorder.saw_pods(owner.key, found.instances)
        self._recorder.saw("fresh", owner.key, found.fresh, found.fresh)
        return found

    def node_ready(self) -> Mapping[str, bool]:
        """See the port."""
        found = super().node_ready()
        self._recorder.saw("nodes", (), dict(found), dict(found))
        return found

    def disruption(self, owner: Owner, names: Collection[str]) -> Disruption:
        """See the port."""
        found = super().disruption(owner, names)
        if names:
            data = BUDGETS.dump_python(found, mode="json")
            self._recorder.saw("budgets", owner.key, found, data)
        return found

    async def dry_run(self, owner: Owner) -> None:
        """See the port."""
        try:
            await super().dry_run(owner)
        except Refused as fault:
            said = [fault.reason.value, fault.message]
            self._recorder.begin_observation()
            self._recorder.saw("template", owner.key, said, said)
            raise
        self._recorder.begin_observation()
        self._recorder.saw("template", owner.key, [], [])


class RecordingRelocations(NotedRelocations):
    """The port `Relocations`, writing what it gives, what it is told to do, and the windows."""

    def __init__(
        self,
        relocations: Relocations,
        noted: NotedCluster,
        resources: Resources,
        recorder: Recorder,
    ) -> None:
        super().__init__(relocations, noted)
        self._resources = resources
        self._recorder = recorder

    def node_labels(self) -> Mapping[str, Mapping[str, str]]:
        """See the port; of the labels only those are written that a window asks for."""
        found = super().node_labels()
        heard = self._resources.windows_heard
        self._recorder.saw("heard", (), heard, heard)
        windows = {key: self._resources.window(key) for key in self._resources.window_keys()}
        known = {key: window for key, window in windows.items() if window is not None}
        self._recorder.saw_windows(known)
        asked = {label for window in known.values() for label in _labels_of(window)}
        borne = {
            node: {label: text for label, text in labels.items() if label in asked}
            for node, labels in (found.items() if asked else ())
        }
        bearing = {node: labels for node, labels in borne.items() if labels}
        self._recorder.saw("labels", (), bearing, bearing)
        return found

    async def read_place(self, owner: Owner, name: str) -> Place | None:
        """See the port; each answer is written, for which one a turn had matters."""
        found = await super().read_place(owner, name)
        data = HELD.dump_python(found, mode="json")
        self._recorder.line("held", of=[*owner.key, name], value=data)
        return found

    async def read_report(self, node: str) -> Reported | None:
        """See the port."""
        found = await super().read_report(node)
        self._recorder.was_told("agent", (node,), found, REPORTED.dump_python(found, mode="json"))
        return found


def _labels_of(window: MaintenanceWindow) -> Collection[str]:
    selector = window.spec.updated_node_selector
    return () if selector is None else selector.match_labels


class RecordingRevisions:
    """The port `Revisions`, writing what is kept: moved instances are made from it again."""

    def __init__(self, revisions: Revisions, recorder: Recorder) -> None:
        self._revisions = revisions
        self._recorder = recorder

    async def list_revisions(self, owner: Owner) -> tuple[Revision, ...]:
        """See the port."""
        found = await self._revisions.list_revisions(owner)
        data = REVISIONS.dump_python(found, mode="json")
        self._recorder.begin_observation()
        self._recorder.saw("revisions", owner.key, data, data)
        return found

    async def write_revision(self, owner: Owner, revision: Revision) -> Revision:
        """See the port."""
        return await self._revisions.write_revision(owner, revision)

    async def drop_revision(self, owner: Owner, revision: Revision) -> None:
        """See the port."""
        await self._revisions.drop_revision(owner, revision)


class RecordingProbes:
    """The port `Probes`, writing what it gives."""

    def __init__(self, probes: Probes, recorder: Recorder) -> None:
        self._probes = probes
        self._recorder = recorder

    def watch(self, owner: Key, targets: Mapping[str, ProbeTarget]) -> None:
        """See the port."""
        self._probes.watch(owner, targets)

    def evidence(self, watch: str) -> Evidence | None:
        """See the port."""
        found = self._probes.evidence(watch)
        self._recorder.saw_evidence(watch, found)
        return found

    def neighbour(self, pod_uid: str) -> Neighbour | None:
        """See the port; it is made of evidence, which is what is written."""
        for watch in (pod_uid, for_rotation(pod_uid)):
            self._recorder.saw_evidence(watch, self._probes.evidence(watch))
        return self._probes.neighbour(pod_uid)

    def view(self) -> ProberView:
        """See the port."""
        found = self._probes.view()
        self._recorder.saw("prober", (), found, VIEW.dump_python(found, mode="json"))
        return found


class RecordingVantage:
    """The port `Vantage`, writing what it gives."""

    def __init__(self, vantage: Vantage, recorder: Recorder) -> None:
        self._vantage = vantage
        self._recorder = recorder

    def votes(self, pod_uid: str) -> datetime | None:
        """See the port."""
        found = self._vantage.votes(pod_uid)
        self._recorder.saw_vote(pod_uid, found)
        return found


class RecordingPolicies:
    """The port `Policies`, writing what it gives."""

    def __init__(self, policies: Policies, recorder: Recorder) -> None:
        self._policies = policies
        self._recorder = recorder

    async def policies(self, namespace: str) -> tuple[Policy, ...] | None:
        """See the port."""
        found = await self._policies.policies(namespace)
        data = POLICIES.dump_python(found, mode="json")
        self._recorder.was_told("policies", (namespace,), found, data)
        return found

    async def place(self) -> ProberPlace:
        """See the port."""
        found = await self._policies.place()
        self._recorder.was_told("place", (), found, PLACE.dump_python(found, mode="json"))
        return found


class RecordingLeadership:
    """The port `Leadership`, writing what it says at the turns; other threads ask the other one."""

    def __init__(self, leadership: Leadership, recorder: Recorder) -> None:
        self._leadership = leadership
        self._recorder = recorder

    def leads(self) -> bool:
        """See the port."""
        found = self._leadership.leads()
        self._recorder.begin_observation()
        self._recorder.saw("leads", (), found, found)
        return found
