"""The small world with nodes' agents, which pause instances as they are asked to, or fail to.

What stands still answers nobody. It must not know the rules.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from scaleset_operator.api.agentreport import PauseState
from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.maintenancestatus import Impact
from scaleset_operator.core.agentview import AgentView, PauseAnswer
from scaleset_operator.core.maintenance_acts import AskPause, ClearPause
from scaleset_operator.core.observed import Instance, Observed, Outcome
from scaleset_operator.core.plan import Action, Plan
from scaleset_operator.core.windowview import WindowView
from tests.core._upkeep import SCHEDULED, UpkeepStory, view
from tests.support.builders import scale_set_spec

SECOND = timedelta(seconds=1)


def pause_view(**fields: Any) -> WindowView:
    """A maintenance in place: nobody may go first, and no node is updated beforehand."""
    usual: dict[str, Any] = {
        "impact": Impact.PAUSE,
        "opens": None,
        "closes": None,
        "updated_nodes": frozenset(),
        "node_labels": (),
    }
    return view(**{**usual, **fields})


@dataclass
class PauseStory(UpkeepStory):
    """A set whose nodes have agents.

    Attributes:
        silent_nodes: whose agent does not run.
        mute_nodes: whose agent acts and can report nothing any more.
        refusals: instance -> how its agent answers instead of pausing it.
        late: how much longer than asked for an instance stands still.
        slow: how long an agent takes to begin.
        frozen: who stands still -> until when.
        stood: each pause: (instance, UID, from, until).
        asked: each request that arrived.
        worst: (time, instance) of each that was published Unhealthy, or whose repair began.
    """

    silent_nodes: set[str] = field(default_factory=set)
    mute_nodes: set[str] = field(default_factory=set)
    refusals: dict[str, PauseState] = field(default_factory=dict)
    late: timedelta = timedelta(0)
    slow: timedelta = SECOND
    frozen: dict[str, datetime] = field(default_factory=dict)
    stood: list[tuple[str, str, datetime, datetime]] = field(default_factory=list)
    asked: list[AskPause] = field(default_factory=list)
    worst: list[tuple[datetime, str]] = field(default_factory=list)
    requests: dict[str, tuple[datetime, AskPause]] = field(default_factory=dict)
    answers: dict[str, PauseAnswer] = field(default_factory=dict)
    handled: set[str] = field(default_factory=set)

    def observe(self) -> Observed:
        return replace(super().observe(), agents=self.agents())

    def agents(self) -> dict[str, AgentView]:
        """What is read of every agent now."""
        nodes = {pod.node for pod in self.pods.values() if pod.node} - self.silent_nodes
        found = {node: AgentView(read=self.now) for node in self.silent_nodes}
        for node in nodes:
            quiet = node in self.mute_nodes
            renewed = self.now - (10 * 60 * SECOND if quiet and self.asked else SECOND)
            mine = {p.uid for p in self.pods.values() if p.node == node}
            answers = {u: a for u, a in self.answers.items() if u in mine and not quiet}
            found[node] = AgentView(
                read=self.now, version=str(self.now), renewed=renewed, answers=answers
            )
        return found

    def turn(self) -> Plan:
        plan = super().turn()
        for pod in self.pods.values():
            said = pod.published
            ill = said is not None and said.health is VMHealth.UNHEALTHY
            if ill or any(e.uid == pod.uid for e in self.seen.status.repairs.in_flight):
                self.worst.append((self.now, pod.name))
        return plan

    def _carry_out(self, act: Action) -> None:
        match act:
            case AskPause():
                self._ask(act)
            case ClearPause():
                self._clear(act)
            case _:
                super()._carry_out(act)

    def _is_meant(self, act: AskPause | ClearPause) -> bool:
        pod = self.pods.get(act.name)
        same = pod is not None and (pod.uid, pod.resource_version) == (
            act.uid,
            act.resource_version,
        )
        return same and (act.not_after is None or self.now <= act.not_after)

    def _ask(self, act: AskPause) -> None:
        if not self._is_meant(act):
            return
        self.asked.append(act)
        self.requests[act.name] = (self.now, act)
        self.change(act.name, pause_request=act.id)

    def _clear(self, act: ClearPause) -> None:
        if not self._is_meant(act):
            return
        self.change(act.name, pause_request="")
        self._forget(act.name)

    def _forget(self, name: str) -> None:
        self.requests.pop(name, None)
        if name in self.pods:
            self.answers.pop(self.pods[name].uid, None)
        if name in self.frozen:
            self._thaw(name)

    def _pass_time(self) -> None:
        super()._pass_time()
        for name in [name for name in self.frozen if name not in self.pods]:
            del self.frozen[name]
        for name, (since, act) in list(self.requests.items()):
            pod = self.pods.get(name)
            if pod is None or pod.uid != act.uid:
                self._forget(name)
            elif act.id not in self.handled and self.now >= since + self.slow:
                self._begin(pod, act)
        for name, until in list(self.frozen.items()):
            if self.now >= until:
                uid = self.pods[name].uid
                self._thaw(name)
                said = self.answers[uid]
                self.answers[uid] = replace(said, state=PauseState.THAWED)

    def _begin(self, pod: Instance, act: AskPause) -> None:
        if pod.node in self.silent_nodes:
            return
        self.handled.add(act.id)
        no = self.refusals.get(pod.name)
        if no is not None:
            self.answers[pod.uid] = PauseAnswer(id=act.id, state=no, message="its cgroup is gone")
            return
        until = self.now + act.seconds * SECOND + self.late
        self.answers[pod.uid] = PauseAnswer(id=act.id, state=PauseState.PAUSED)
        self.frozen[pod.name] = until
        self.stood.append((pod.name, pod.uid, self.now, until))
        self.tell(Outcome.TIMED_OUT, pod.name)

    def _thaw(self, name: str) -> None:
        del self.frozen[name]
        self.tell(Outcome.WRONG_STATUS if name in self.sick else Outcome.OK, name)

    @property
    def bearing(self) -> list[str]:
        """Who bears a request."""
        return [pod.name for pod in self.pods.values() if pod.pause_request]


def opened(size: int = 10, *, window: WindowView | None = None, **spec: Any) -> PauseStory:
    """A set in five domains at the first instant of its scheduled window."""
    story = PauseStory.of(scale_set_spec(replicas=size, **spec), size)
    story.windows = [window or pause_view()]
    story.turn()
    story.skip(SCHEDULED)
    return story
