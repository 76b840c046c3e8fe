"""A set rehearsed: the real loop over a cluster in memory, a scenario, and what came of it.

The same manifests, scenario and seed give the same run. Must not know: how a run is shown.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from scaleset_operator.core.plan import Decision
from scaleset_operator.reconciler.acts import Act
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.rehearsal.api_server import FakeApiServer
from scaleset_operator.rehearsal.clock import VirtualClock
from scaleset_operator.rehearsal.cluster import FakeCluster
from scaleset_operator.rehearsal.disruption import FakeDisruption
from scaleset_operator.rehearsal.endpoints import OK, Answer, FakeEndpoints
from scaleset_operator.rehearsal.events import Event
from scaleset_operator.rehearsal.film import Film
from scaleset_operator.rehearsal.kubelet import FakeKubelet, PodScript
from scaleset_operator.rehearsal.loop import Loop
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.probes import FakeProbes

SCHEDULED_AFTER: Final = 0.1
"""Seconds from a pod's creation until it has a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A decision that is another than before; None: nothing is to be decided any more."""

    at: datetime
    instance: str
    decision: Decision | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """An event of the scenario, and what it did."""

    at: datetime
    event: Event
    words: str


class Rehearsal:
    """One set, its cluster, and one operator.

    Attributes:
        newborn: how instances made from now on answer; None: their containers never run.
        by_image: the same for those of an image, before `newborn`.
        start_after: seconds from an instance's place on a node until its containers run.
        acts: what the operator did, in order.
        decided: what it decided about each instance that is not healthy, as it changed.
        happened: the scenario's events.
    """

    def __init__(self, key: Key, begin: datetime, *, seed: int = 0, nodes: int = 3) -> None:
        """An empty cluster; nothing runs yet.

        Args:
            key: of the set.
            begin: when the rehearsal's time begins.
            seed: of the lots that are drawn.
            nodes: how many there are.
        """
        self.key = key
        self.begin = begin
        self.chance = random.Random(seed)  # noqa: S311 - lots that can be drawn again, no secret
        self.clock = VirtualClock(begin)
        self.server = FakeApiServer(self.clock)
        self.newborn: Answer | None = OK
        self.by_image: dict[str, Answer | None] = {}
        self.start_after = 20.0
        self._born: dict[str, Answer] = {}
        self.kubelet = FakeKubelet(self.server, self._script, nodes=nodes)
        self.endpoints = FakeEndpoints(self.kubelet, self._answer)
        self.disruption = FakeDisruption(self.server)
        self.film = Film(self.server, key)
        self.acts: list[Act] = []
        self.decided: list[Decided] = []
        self.happened: list[Happened] = []
        self._standing: dict[str, Decision] = {}
        self.prober = FakeProbes(self.clock, self.endpoints)
        self.loop = Loop(
            FakeCluster(self.server), self.prober, self.prober.next_change, self._note_act
        )
        self.loop.arrived, self.loop.settled = self.prober.sync, self._note_decisions
        self.prober.on_change = lambda _: self.loop.wake_all()

    @property
    def scale_set(self) -> Mapping[str, Any]:
        """The set as it stands."""
        return self.server.resource("ScaleSet", *self.key)

    def instances(self) -> list[FakePod]:
        """The set's pods that are neither over nor on their way out, in the order of their ids."""
        pods = self.server.pods(self.key.namespace)
        ours = [p for p in pods if p.controller is not None and p.controller.name == self.key.name]
        return sorted((p for p in ours if p.live), key=lambda pod: pod.instance_id or 0)

    async def run(self, until: timedelta, scenario: Sequence[Event] = ()) -> None:
        """Let so much time pass, from the begin on, with the scenario's events at their times.

        Raises:
            NobodyMeantError: an event means what is not there.
        """
        from scaleset_operator.rehearsal.staging import carry_out  # noqa: PLC0415 - knows this class

        for event in sorted(scenario, key=lambda one: one.after):
            if event.after > until:
                break
            await self.loop.run_until(self.begin + event.after)
            words = carry_out(event.what, self)
            self.happened.append(Happened(at=self.clock.now(), event=event, words=words))
        await self.loop.run_until(self.begin + until)
        self.acts.sort(key=lambda act: act.number)

    def _script(self, pod: FakePod) -> PodScript:
        """What becomes of a new pod."""
        answer = self.newborn
        for row in pod.spec.get("containers", ()):
            answer = self.by_image.get(row["image"], answer)
        if answer is not None:
            self._born[pod.uid] = answer
        start = None if answer is None else self.start_after
        return PodScript(schedule=SCHEDULED_AFTER, start=start, renew=start)

    def _answer(self, pod: FakePod) -> Answer:
        """How a pod with no script of its own answers: as its image does, else as it was born."""
        answers = [self.by_image[run.image] for run in pod.runs if run.image in self.by_image]
        return next((a for a in answers if a is not None), self._born.get(pod.uid, OK))

    def _note_act(self, act: Act) -> None:
        self.acts.append(act)

    def _note_decisions(self) -> None:
        """What the operator decided in the end, at one moment."""
        plan = self.loop.reconciler.last_plan(self.key)
        at, now = self.clock.now(), {d.instance: d for d in plan.decisions} if plan else {}
        for name, decision in now.items():
            before = self._standing.get(name)
            if before is None or _gist(before) != _gist(decision):
                self.decided.append(Decided(at=at, instance=name, decision=decision))
        for name in [name for name in self._standing if name not in now]:
            self.decided.append(Decided(at=at, instance=name, decision=None))
        self._standing = now


def _gist(decision: Decision) -> tuple[str, str, datetime | None]:
    return decision.decision, decision.reason, decision.until
