"""The agents of all nodes, scripted: they freeze what bears a request, and report it.

What stands still answers nobody. It must not know the operator.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from scaleset_operator.api.agentreport import AgentReport, PauseReport, PauseState
from scaleset_operator.api.pauserequest import PauseRequest
from scaleset_operator.reconciler.relocations import Reported
from scaleset_operator.rehearsal.api_server import FakeApiServer
from scaleset_operator.rehearsal.endpoints import HANG, FakeEndpoints
from scaleset_operator.rehearsal.objects import FakePod

VERSION = "rehearsed"


@dataclass(slots=True)
class FakeAgents:
    """One on each node with a pod of the namespaces that it is asked about.

    Attributes:
        silent: nodes whose agent does not run; what stands still there goes on by itself.
        reports: node -> what was reported last: for the port.
        stood: each pause: (pod's UID, request's id).
        frozen: UID -> until when it stands still.
    """

    server: FakeApiServer
    endpoints: FakeEndpoints
    namespace: str
    silent: set[str] = field(default_factory=set)
    reports: dict[str, Reported] = field(default_factory=dict)
    stood: list[tuple[str, str]] = field(default_factory=list)
    frozen: dict[str, datetime] = field(default_factory=dict)
    _answers: dict[str, PauseReport] = field(default_factory=dict)
    _renewals: int = 0

    def work(self) -> None:
        """Look at every pod, freeze, thaw and report; to be called every second or so."""
        now = self.server.clock.now()
        pods = {pod.uid: pod for pod in self.server.pods(self.namespace)}
        asked = {uid: PauseRequest.of(pod.annotations) for uid, pod in pods.items()}
        for uid, until in list(self.frozen.items()):
            if asked.get(uid) is None or now >= until:
                self._thaw(uid)
        for uid, request in asked.items():
            if not isinstance(request, PauseRequest):
                self._answers.pop(uid, None)
            elif pods[uid].node not in self.silent:
                self._answer(pods[uid], request, now)
        self._report(pods)

    def _answer(self, pod: FakePod, request: PauseRequest, now: datetime) -> None:
        """Carry a request out once, and never one that should have begun earlier."""
        if (pod.uid, request.id) in self.stood:
            return
        if now > request.deadline:
            late = PauseReport(id=request.id, state=PauseState.REFUSED, message="too late")
            self._answers[pod.uid] = late
            return
        self.stood.append((pod.uid, request.id))
        self.frozen[pod.uid] = now + timedelta(seconds=request.seconds)
        self._answers[pod.uid] = PauseReport(id=request.id, state=PauseState.PAUSED)
        self.endpoints.set(pod.uid, HANG)

    def _thaw(self, uid: str) -> None:
        del self.frozen[uid]
        self.endpoints.heal(uid)
        before = self._answers.get(uid)
        if before is not None:
            self._answers[uid] = before.model_copy(update={"state": PauseState.THAWED})

    def _report(self, pods: dict[str, FakePod]) -> None:
        self._renewals += 1
        for node in {pod.node for pod in pods.values() if pod.node} - self.silent:
            mine = {u: a for u, a in self._answers.items() if u in pods and pods[u].node == node}
            report = AgentReport(version=VERSION, node=node, pauses=mine)
            self.reports[node] = Reported(version=str(self._renewals), report=report)
