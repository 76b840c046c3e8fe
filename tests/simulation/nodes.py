"""A window that works on nodes, its operators, and the people around them; step by step.

An operator's turn stops before and after each of its requests, so that others come in between, and
it may be killed there. The referee looks at every write. It must not know what a test is about.
"""

from __future__ import annotations

import types
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from scaleset_operator.api.base import format_time
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import AnnouncedOccurrence
from scaleset_operator.reconciler.node_ports import Occupant
from scaleset_operator.reconciler.node_turn import NodeKeeper, NodeTurn
from scaleset_operator.reconciler.ports import Key, Owner, Pods
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.rehearsal.nodes import FakeNodes
from tests.api.manifests import SET, WINDOW, manifest
from tests.support.builders import instance
from tests.support.fake_clock import T0, FakeClock

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping

    from scaleset_operator.core.nodeview import CordonNode, UncordonNode

KEY: Final = Key("shop", "patch")
UID: Final = "0b6f6a0c-1111"
UPDATED: Final = {"maintenance/updated": "2026-11"}
POOL: Final = {"pool": "web"}
END: Final = T0 + timedelta(hours=4)
MARK: Final = f"patch/1/0b6f6a0c/{format_time(END)}"
ABORTED: Final = '{"lastOperationResultCode":"MaintenanceAborted"}'
JOB: Final = {"spec": {"template": {"spec": {"containers": [{"name": "patch", "image": "p:1"}]}}}}
SETTLING_ROUNDS: Final = 150


@types.coroutine
def _pause() -> Generator[None]:
    yield


class Referee(FakeNodes):
    """Nodes that look at every write.

    Attributes:
        foreign: nodes that a person cordoned.
        done: nodes whose Job has completed.
    """

    foreign: set[str]
    done: set[str]

    async def cordon(self, act: CordonNode, *, trial: bool = False) -> None:
        await super().cordon(act, trial=trial)
        if not trial:
            assert act.node not in self.foreign, "a cordon of somebody else is left alone"
            held = [node.name for node in self.machines.values() if node.claim]
            assert held == [act.node], f"one node at once, not {held}"
            window = self.windows.get(KEY)
            records = () if window is None else window.status.node_records
            failed = [
                r for r in records if r.work_failed and act.claim == f"shop/patch/{r.iteration}"
            ]
            assert not failed, "no further node after a failed Job"

    async def uncordon(self, act: UncordonNode) -> None:
        node = self.machines.get(act.node)
        assert node is None or node.resource_version != act.resource_version or node.claim
        await super().uncordon(act)
        assert not act.labels or act.node in self.done, "updated is what its Job has completed on"

    async def create_job(self, *args: Any, **options: Any) -> None:
        await super().create_job(*args, **options)
        assert len(set(self.made)) == len(self.made), "no node is worked on twice in an iteration"


class Gate:
    """The port, with a stop before and after each request."""

    def __init__(self, nodes: FakeNodes) -> None:
        self._nodes = nodes

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._nodes, name)

        async def asked(*args: Any, **options: Any) -> Any:
            await _pause()
            answer = await method(*args, **options)
            await _pause()
            return answer

        return asked


class NodeWorld:
    """The API server, the nodes, and what is on them."""

    def __init__(self, *, selects: bool = True, spec: Mapping[str, Any] | None = None) -> None:
        self.clock = FakeClock(T0)
        self.nodes = Referee(self.clock.now)
        self.nodes.foreign, self.nodes.done = set(), set()
        work: dict[str, Any] = {"jobTemplate": JOB, "timeout": "PT30M"}
        if selects:
            work["nodeSelector"] = {"matchLabels": POOL}
        changes = {
            "spec.updatedNodeSelector": {"matchLabels": UPDATED},
            "spec.nodeMaintenance": work,
            **(spec or {}),
        }
        body = manifest(WINDOW, name=KEY.name, changes=changes)
        body["metadata"] |= {"namespace": KEY.namespace, "uid": UID, "resourceVersion": "1"}
        window = MaintenanceWindow.model_validate(body)
        announced = AnnouncedOccurrence(iteration=1, announced_time=T0, start_time=T0, end_time=END)
        self.store(window, announced=(announced,))

    @property
    def window(self) -> MaintenanceWindow | None:
        return self.nodes.windows.get(KEY)

    def store(self, window: MaintenanceWindow, **status: Any) -> None:
        """Write the window as it is, with these parts of its status."""
        version = str(int(window.metadata.resource_version or 0) + 1)
        meta = window.metadata.model_copy(update={"resource_version": version})
        written = window.status.model_copy(update=status)
        changes = {"status": written, "metadata": meta}
        self.nodes.windows[KEY] = window.model_copy(update=changes)

    def edit(self, **spec: Any) -> None:
        if self.window is not None:
            changed = self.window.spec.model_copy(update=spec)
            self.store(self.window.model_copy(update={"spec": changed}))

    def fill(self, node: str, *numbers: int, mark: str = MARK, **fields: Any) -> None:
        here = [
            Occupant("web", instance(number=number, node=node, mark=mark, **fields))
            for number in numbers
        ]
        self.nodes.on[node] = [*self.nodes.on.get(node, ()), *here]

    def move_one(self) -> bool:
        """What a set does in its turn: one instance leaves the node that is emptied."""
        work = None if self.window is None else self.window.status.node_work
        there = any(n.bears(UPDATED) for n in self.nodes.machines.values())
        here = [] if work is None else self.nodes.on.get(work.node, [])
        if work is None or work.phase != "Emptying" or not (here and there):
            return False
        here.pop()
        return True

    def end_job(self, *, complete: bool) -> None:
        for name, job in self.nodes.jobs.items():
            if not (job.view.complete or job.view.failed):
                self.nodes.end_job(name, complete=complete)
                if complete:
                    self.nodes.done.add(job.node)

    def pods(self, _: Owner) -> Pods:
        found = [one.instance for here in self.nodes.on.values() for one in here]
        return Pods(instances=tuple(found))

    def settle(self) -> None:
        """A lone operator, and time until nothing is to be done any more."""
        operator = Operator(self)
        for seconds in (*[20.0] * SETTLING_ROUNDS, (END - T0).total_seconds(), *[20.0] * 10):
            operator.hear()
            operator.finish(operator.turn())
            operator.finish(operator.sweep())
            self.move_one()
            self.end_job(complete=True)
            self.clock.advance(seconds)


class Operator:
    """One process: what it has heard, and the turn that it is in.

    Attributes:
        again: of its last turn.
    """

    def __init__(self, world: NodeWorld) -> None:
        self.world = world
        self.window: MaintenanceWindow | None = None
        self.running: Coroutine[Any, Any, Any] | None = None
        self.last = NodeTurn()
        self.restart()

    def restart(self) -> None:
        """Killed where it is, and started anew: nothing is kept but what was recorded."""
        if self.running is not None:
            self.running.close()
        self.running = None
        self.resources = Resources()
        labels = {"tier": "web"}
        body = manifest(SET, name="web")
        body["metadata"] |= {"namespace": KEY.namespace, "uid": "u", "labels": labels}
        self.resources.put_scale_set(body)
        gate: Any = Gate(self.world.nodes)
        cluster: Any = self.world
        self.keeper = NodeKeeper(gate, cluster, self.resources, self.world.clock)
        self.hear()

    def hear(self) -> None:
        self.window = self.world.window

    async def turn(self) -> None:
        """As the window's turn does it: the parts are written by compare and swap."""
        window = self.window
        if window is None:
            return
        self.last = await self.keeper.turn(window)
        if not self.last.parts:
            return
        await _pause()
        stored = self.world.window
        if stored is None or stored.metadata.resource_version != window.metadata.resource_version:
            return
        self.world.store(stored, **self.last.parts)
        await _pause()
        status = window.status.model_copy(update=dict(self.last.parts))
        self.window = window.model_copy(update={"status": status})

    async def sweep(self) -> None:
        await self.keeper.sweep()

    def step(self, count: int) -> None:
        """Go on with what it is in the middle of."""
        for _ in range(count):
            if self.running is None:
                return
            try:
                self.running.send(None)
            except StopIteration:
                self.running = None

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        if self.running is None:
            self.running = work
        else:
            work.close()

    def finish(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it whole."""
        self.step(1_000)
        self.running = work
        self.step(1_000)
        assert self.running is None

    def live(self, turns: int = 1) -> None:
        """Whole turns, each with all news heard."""
        for _ in range(turns):
            self.hear()
            self.finish(self.turn())


def not_ready(world: NodeWorld, name: str) -> None:
    world.nodes.machines[name] = replace(world.nodes.machines[name], ready=False)
