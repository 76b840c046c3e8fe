"""One operator's loop over the simulated world, turned by hand, one turn at a time.

It must not know what any turn decides.
"""

import asyncio
from datetime import datetime
from typing import Any

from scaleset_operator.core.plan import CreateInstance, DeleteInstance, Purpose
from scaleset_operator.reconciler.ports import Key, Owner
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.requests import Hooks, Request, Verb
from tests.simulation.world import KEY, NAMESPACE, World, probe_spec, set_spec

FAR_FUTURE = 10**18


class Stage:
    """A set of which nothing has been created yet, and an operator that has heard of it."""

    def __init__(self, replicas: int = 3, **policy: Any) -> None:
        self.world = World()
        self.clock = self.world.clock
        self.server = self.world.server
        self.server.apply("HealthProbe", NAMESPACE, "web-http", probe_spec())
        self.server.apply("ScaleSet", NAMESPACE, KEY.name, set_spec(replicas, **policy))
        self.operator = self.world.start()
        self.cluster = self.operator.cluster
        self.reconciler = self.operator.reconciler

    async def turn(self, key: Key = KEY) -> datetime | None:
        """Hear what is new, and take one turn."""
        self.operator.hear()
        return await self.reconciler.turn(key)

    async def run(self, seconds: int) -> None:
        """Let time pass, with one turn in each second."""
        for _ in range(seconds):
            self.clock.advance(1)
            await self.turn()

    async def until_due(self, due: datetime | None, within: float) -> None:
        """Let time pass until the turn that was asked for is due, which is within so long."""
        assert due is not None
        wait = (due - self.clock.now()).total_seconds()
        assert 0 < wait <= within, f"the next turn is due in {wait} s"
        self.clock.advance(wait)

    def change_spec(self, **fields: Any) -> None:
        """The owner edits the set; None takes a field away."""
        spec = {**self.server.resource("ScaleSet", *KEY)["spec"], **fields}
        self.server.apply("ScaleSet", *KEY, {k: v for k, v in spec.items() if v is not None})

    def restart(self, name: str) -> None:
        """A pod's containers are restarted, and run again a minute later."""
        self.world.kubelet.restart_containers(self.pod(name), down_for=60.0)

    def made(self, *verbs: Verb) -> list[Request]:
        """The requests of these kinds so far."""
        return [request for request in self.cluster.wire.requests if request.verb in verbs]

    def forget_requests(self) -> None:
        """Count from here."""
        self.cluster.wire.requests.clear()

    def status(self) -> dict[str, Any]:
        """The set's status as it stands in the server."""
        return self.world.status()

    def condition(self, kind: str) -> dict[str, Any]:
        """One condition of the set."""
        rows: list[dict[str, Any]] = self.status()["conditions"]
        return next(row for row in rows if row["type"] == kind)

    def pod(self, name: str) -> FakePod:
        """A pod by its name."""
        return self.server.pod(NAMESPACE, name)

    def pods(self) -> list[str]:
        """The names of all pods."""
        return sorted(pod.name for pod in self.server.pods(NAMESPACE))

    def owner(self) -> Owner:
        """The set as acts need it."""
        self.operator.hear()
        known = self.operator.resources.scale_set(KEY)
        assert known is not None
        return known.owner


class Gathered(Hooks):
    """Lets requests that are made together be seen together.

    Attributes:
        batches: the names of each group of CREATEs that were under way at once.
        order: every request, as it was sent.
    """

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.order: list[Request] = []
        self._under_way = 0

    async def before(self, request: Request) -> None:
        """Counts it in."""
        self.order.append(request)
        if request.verb is not Verb.CREATE:
            return
        if self._under_way == 0:
            self.batches.append([])
        self.batches[-1].append(request.name)
        self._under_way += 1
        await yield_to_all()
        self._under_way -= 1


async def yield_to_all() -> None:
    """Let every other task come as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


def creation(number: int, **fields: Any) -> CreateInstance:
    """The create of instance `number`."""
    values: dict[str, Any] = {"instance_id": number, "update_domain": 0, "model": "m1"}
    return CreateInstance(name=f"{KEY.name}-{number}", **(values | fields))


def deletion(pod: FakePod, **fields: Any) -> DeleteInstance:
    """The DELETE of a pod as it stands."""
    values: dict[str, Any] = {"uid": pod.uid, "resource_version": str(pod.resource_version)}
    return DeleteInstance(name=pod.name, purpose=Purpose.REPAIR, **(values | fields))
