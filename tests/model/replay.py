"""The model beside the real reconciler: both take the same steps, and must come to the same.

Two real operators on the fake cluster are held before every request. Whoever goes on is let through
by one request, and the model takes the move that says the same; a request for which it has none is
a difference, and so is any in pods or ledger afterwards. It must not know what is decided.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from scaleset_operator.api.base import CONDITION_HEALTHY
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.plan import Record
from scaleset_operator.rehearsal.kubelet import PodScript
from scaleset_operator.rehearsal.objects import HEALTH_OF, FakePod, Run, whole_second
from scaleset_operator.rehearsal.requests import Hooks, Request, Verb
from tests.model.cluster import cluster_moves
from tests.model.moves import moves
from tests.model.states import GRACE, IMAGES, NEW_MODEL, REPORT, State
from tests.model.thought import thought
from tests.model.turns import operator_moves
from tests.simulation.world import KEY, NAMESPACE, Operator, World
from tests.support import builders

if TYPE_CHECKING:
    from random import Random

    from tests.model.steps import Move

ACTS: Final = {
    Verb.PUBLISH: "PublishHealth",
    Verb.DELETE: "DeleteInstance",
    Verb.CREATE: "CreateInstance",
}
HELD: Final = frozenset({Verb.READ, Verb.LIST, Verb.STATUS, *ACTS})
BY_HAND: Final = PodScript(schedule=None, terminate=None)
COME_UP: Final = 30


class Gate(Hooks):
    """Holds every request of one operator until it is let through."""

    def __init__(self) -> None:
        self.is_open = True
        self.waiting: list[tuple[Request, asyncio.Event]] = []

    async def before(self, request: Request) -> None:
        """Waits to be let through."""
        if self.is_open or request.verb not in HELD:
            return
        go = asyncio.Event()
        self.waiting.append((request, go))
        await go.wait()

    async def let(self, *requests: Request) -> None:
        """Let these through, and wait until everybody waits again."""
        for row in [row for row in self.waiting if row[0] in requests]:
            self.waiting.remove(row)
            row[1].set()
        await settled()


async def settled() -> None:
    """Let every task come as far as it can."""
    for _ in range(60):
        await asyncio.sleep(0)


class Pair:
    """One world, and the state of the model that is to be the same.

    Attributes:
        taken: the model's moves so far, for whoever reads a difference.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.world = World()
        self.gates: list[Gate] = []
        self.taken: list[str] = []

    async def begin(self) -> None:
        """A set that has come up, with its sick told of, and repairs off."""
        world = self.world
        self._apply(self.state)
        for _ in self.state.operators:
            self.gates.append(Gate())
            operator = world.start()
            operator.cluster.wire.hooks = self.gates[-1]
        for _ in range(COME_UP):
            await world.step(1)
            for pod in world.live():
                there = self.state.pod(pod.name)
                assert there is not None
                status = {h: s for s, h in HEALTH_OF.items()}[self.state.health(there)]
                if pod.started is not None and REPORT not in pod.conditions:
                    world.kubelet.report(pod, REPORT, status)
        await world.run(6)
        world.script = BY_HAND
        for pod in world.live():
            world.kubelet.stick(pod)
        for gate in self.gates:
            gate.is_open = False
        self.compare()

    def _apply(self, state: State) -> None:
        wanted = state.view.wanted
        image = IMAGES[wanted.model]
        template = {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": image}]},
        }
        spec = builders.raw_spec(
            replicas=wanted.replicas,
            repairs=wanted.enabled,
            grace=GRACE,
            policy={"suspendAfterFailedRepairs": wanted.terms.suspend_after},
            healthProbeRef=None,
            applicationHealth={"podConditionType": REPORT},
            upgradePolicy={"mode": "Rolling"},
            template=template,
        )
        self.world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)

    # --- One step of both ---

    async def step(self, die: Random) -> None:
        """Somebody goes on: an operator, the cluster, or whoever disturbs."""
        able = list(range(len(self.gates)))
        if die.random() < 0.7:
            await self._operator_goes_on(die.choice(able))
        else:
            await self._something_happens(die)
        self.compare()

    async def _operator_goes_on(self, number: int) -> None:
        real, gate = self.world.operators[number], self.gates[number]
        awake = self.state.operators[number].awake
        if real.turn is None or real.turn.done():
            assert not awake, self._story(f"operator {number} has ended its turn")
            await self._begins(number, real)
        elif gate.waiting[0][0].verb is Verb.STATUS:
            await self._records(number, gate)
        else:
            await self._asks(number, gate)
        await self._report(number)
        if real.turn is not None and real.turn.done():
            real.turn.result()
            self._ends(number)

    async def _begins(self, number: int, real: Operator) -> None:
        # What a turn begins with is what it knows of all that it does not read live.
        real.cluster.view.cache.lag = timedelta(0)
        real.turn = asyncio.create_task(real.take_turn())
        await settled()
        real.cluster.view.cache.lag = timedelta(days=1)
        self._take(number, "looks", "rests")

    def _ends(self, number: int) -> None:
        """A turn that has nothing left but a report puts it off, and is as one not begun."""
        one = self.state.operators[number]
        if not one.awake:
            return
        decided_at = one.decided_at
        assert decided_at is not None, self._story(f"operator {number} has ended its turn")
        found = thought(one, decided_at)
        assert found.record is Record.SOON, self._story(f"operator {number} has ended its turn")
        assert not found.hand, self._story(f"operator {number} has not acted")
        self.taken.append(f"operator {number} reports later")
        self.state = self.state.with_operator(number, one.resting())

    async def _report(self, number: int) -> None:
        """A status that only reports is no write of the model: it goes through."""
        gate = self.gates[number]
        pending = [r for r, _ in gate.waiting if r.verb is Verb.STATUS]
        if pending and not any(
            m.word in ("records", "has a conflict") for m in operator_moves(self.state, number)
        ):
            await gate.let(*pending)

    async def _records(self, number: int, gate: Gate) -> None:
        before = self._version()
        await gate.let(gate.waiting[0][0])
        refused = self._version() == before and not gate.waiting
        words = ("has a conflict", "is refused its record") if refused else ("records",)
        self._take(number, *words)

    async def _asks(self, number: int, gate: Gate) -> None:
        move = next(operator_moves(self.state, number), None)
        assert move is not None, self._story(f"operator {number} asks {gate.waiting}")
        if move.word in ("records", "has a conflict") and gate.waiting[0][0].verb in ACTS:
            # Its report waits for company.
            self._take(number, "puts off its report")
            move = next(operator_moves(self.state, number))
        if move.word in ("reads", "lists"):
            verb = Verb.READ if move.word == "reads" else Verb.LIST
            asked = {r.name for r, _ in gate.waiting if r.verb is verb}
            assert verb is Verb.LIST or asked == set(move.what), self._story(f"it reads {asked}")
            await gate.let(*(r for r, _ in gate.waiting))
        else:
            assert len(move.what) == 2, self._story(f"{move.word}, and really {gate.waiting}")
            kind, name = move.what
            meant = [r for r, _ in gate.waiting if (ACTS.get(r.verb), r.name) == (kind, name)]
            assert meant, self._story(f"{move.word} {move.what}, and really {gate.waiting}")
            await gate.let(*meant)
        self._take(number, move.word)

    def _take(self, number: int, *words: str) -> None:
        found = [m for m in operator_moves(self.state, number) if m.word in words]
        if not found:
            assert "rests" in words, self._story(f"operator {number} cannot do any of {words}")
            return
        self._went(found[0])

    async def _something_happens(self, die: Random) -> None:
        held = [r for gate in self.gates for r, _ in gate.waiting]
        patient = all(r.verb in ACTS for r in held)
        able = [*cluster_moves(self.state), *(m for m in moves(self.state) if m.who is None)]
        able = [m for m in able if m.word != "passes" or patient]
        able = [m for m in able if m.kind not in ("conflict", "bad start")]
        if not able:
            return
        move = die.choice(able)
        self._went(move)
        self._befall(move)
        await settled()

    def _befall(self, move: Move) -> None:
        world, pods = self.world, {p.name: p for p in self.world.server.pods(NAMESPACE)}
        match move.word:
            case "passes":
                world.clock.advance(self.state.terms.tick)
            case "is gone":
                world.kubelet.release_stuck(pods[move.what[0]])
                world.clock.advance(0)
            case "starts well":
                self._start(pods[move.what[0]])
            case "fails" | "recovers":
                status = "False" if move.word == "fails" else "True"
                world.kubelet.report(pods[move.what[0]], REPORT, status)
            case _:
                self._apply(self.state)

    def _start(self, pod: FakePod) -> None:
        now = whole_second(self.world.clock.now())
        image = pod.spec["containers"][0]["image"]
        self.world.server.change_pod(
            pod,
            node="node-1",
            ip=f"127.17.0.{pod.instance_id}",
            phase="Running",
            started=now,
            runs=(Run("web", image, 0, now),),
            containers_ready=True,
        )
        self.world.kubelet.report(pod, REPORT, "True")

    def _went(self, move: Move) -> None:
        self.taken.append(str(move.step))
        self.state = move.after

    # --- What must be the same ---

    def compare(self) -> None:
        """Pods and ledger, as both have them."""
        assert self._real_pods() == self._pods(), self._story("other pods")
        real = ScaleSetStatus.model_validate(self.world.status())
        assert _ledger(real) == _ledger(self.state.view.status), self._story("another ledger")

    def _real_pods(self) -> list[tuple[Any, ...]]:
        latest = IMAGES[NEW_MODEL]
        found = []
        for pod in self.world.server.pods(NAMESPACE):
            shown = pod.conditions.get(CONDITION_HEALTHY)
            health = HEALTH_OF[shown.status] if shown and not pod.terminating else None
            new = pod.spec["containers"][0]["image"] == latest
            found.append((pod.name, pod.terminating, health, new and not pod.terminating))
        return sorted(found)

    def _pods(self) -> list[tuple[Any, ...]]:
        return sorted(
            (
                p.name,
                p.terminating,
                p.published.health if p.published else None,
                p.model == NEW_MODEL and not p.terminating,
            )
            for p in self.state.pods
        )

    def _version(self) -> str:
        body = self.world.server.resource("ScaleSet", NAMESPACE, KEY.name)
        return str(body["metadata"]["resourceVersion"])

    def _story(self, difference: str) -> str:
        steps = "\n".join(f"  {number}. {step}" for number, step in enumerate(self.taken, 1))
        return f"the model and the reconciler differ: {difference}\n{steps}"


def _ledger(status: ScaleSetStatus) -> tuple[Any, ...]:
    entries = tuple((e.instance, e.replacement, e.phase) for e in status.repairs.in_flight)
    names = tuple(c.name for c in status.creating)
    leaving = tuple((v.name, v.purpose) for v in status.scale_in)
    return (status.last_instance_id, entries, names, leaving, status.repairs.consecutive_failed)
