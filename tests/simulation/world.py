"""The simulated world: one API server, its kubelets, endpoints, and any number of operators.

Every operator is the real reconciler over its own lagging cache and its own prober. Time is
virtual. The world can kill an operator at any request, stop it there and let it go on later, and
interleave two of them at every request. It knows nothing of what is decided.
"""

import asyncio
import random
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from scaleset_operator.api.base import CONDITION_HEALTHY
from scaleset_operator.core.plan import DeleteInstance, RenewInstance
from scaleset_operator.reconciler.ports import Key, Owner, Unavailable
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.reconciler.turn import Reconciler
from scaleset_operator.rehearsal.api_server import FakeApiServer
from scaleset_operator.rehearsal.cluster import FakeCluster
from scaleset_operator.rehearsal.disruption import FakeDisruption
from scaleset_operator.rehearsal.endpoints import FakeEndpoints
from scaleset_operator.rehearsal.kubelet import FakeKubelet, PodScript
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.probes import FakeProbes
from scaleset_operator.rehearsal.relocations import FakeRelocations
from scaleset_operator.rehearsal.requests import WRITES, Crash, Fault, Faults, Hooks, Request
from scaleset_operator.rehearsal.revisions import FakeRevisions, RevisionBook
from tests.simulation.referee import Referee
from tests.simulation.told import Documents
from tests.support.fake_clock import FakeClock

HTTP_OK: Final = 200
NAMESPACE: Final = "shop"
KEY: Final = Key(NAMESPACE, "web")


class Trouble(Hooks):
    """What may happen to one operator around its requests, by a seeded die.

    Attributes:
        crash_at: kill it after so many writes; 0 before the next one, None for never. Whoever dies
            before a later write leaves what it left after the last.
        hold_at: stop it instead when so many write points (before, after) have passed, until `go`
            is set.
    """

    def __init__(self, die: random.Random) -> None:
        self.die = die
        self.crash_at: int | None = None
        self.hold_at: int | None = None
        self.held = False
        self.go = asyncio.Event()

    async def before(self, request: Request) -> None:
        """Just before sending."""
        await self._point(request, sent=False)

    async def after(self, request: Request) -> None:
        """Carried out, and the operator does not know yet."""
        await self._point(request, sent=True)

    async def _point(self, request: Request, *, sent: bool) -> None:
        for _ in range(self.die.randrange(3)):
            await asyncio.sleep(0)
        if request.verb not in WRITES:
            return
        if sent and self.crash_at:
            self.crash_at -= 1
        if self.crash_at == 0:
            self.crash_at = None
            raise Crash(request)
        if self.hold_at is not None:
            self.hold_at -= 1
            if self.hold_at < 0:
                self.hold_at = None
                self.held = True
                await self.go.wait()
                self.held = False


class WatchedCluster(FakeCluster):
    """Tells the referee what every DELETE and every renewal is for, before it is sent."""

    referee: Referee

    async def delete_instance(self, owner: Owner, action: DeleteInstance, not_after: int) -> None:
        """See the port."""
        self.referee.announce(action)
        await super().delete_instance(owner, action, not_after)

    async def renew(self, owner: Owner, action: RenewInstance, not_after: int) -> None:
        """See the port."""
        self.referee.announce(action)
        await super().renew(owner, action, not_after)


class Operator:
    """One operator process: it lives from its start to its crash."""

    def __init__(self, world: "World", *, lag: float = 0.0, resource_lag: float = 0.0) -> None:
        self.world = world
        self.trouble = Trouble(world.die)
        self.faults = Faults(self._fault)
        self.fault_rate = 0.0
        self.cluster = WatchedCluster(
            world.server,
            lag=timedelta(seconds=lag),
            resource_lag=timedelta(seconds=resource_lag),
            faults=self.faults,
            hooks=self.trouble,
        )
        self.cluster.referee = world.referee
        self.relocations = FakeRelocations(self.cluster)
        self.probes = FakeProbes(world.clock, world.endpoints)
        self.resources = Resources()
        self.reconciler = Reconciler(
            resources=self.resources,
            cluster=self.cluster,
            probes=self.probes,
            clock=world.clock,
            revisions=FakeRevisions(world.book, self.cluster.wire),
            relocations=self.relocations,
        )
        self.turn: asyncio.Task[Any] | None = None

    def _fault(self, _: Request) -> Fault | None:
        if self.world.die.random() >= self.fault_rate:
            return None
        return self.world.die.choice(list(Fault))

    @property
    def alive(self) -> bool:
        """Whether its process has not been killed."""
        return not self.cluster.wire.dead

    def hear(self) -> None:
        """Take in the resources as its own watch shows them."""
        self.cluster.view.sync()
        probes = self.cluster.view.health_probes()
        for body in probes.values():
            self.resources.put_probe(body)
        for key in set(self.resources.probe_keys()) - probes.keys():
            self.resources.drop_probe(key)
        windows = self.cluster.view.windows()
        for body in windows.values():
            self.resources.put_window(body)
        for key in set(self.resources.window_keys()) - windows.keys():
            self.resources.drop_window(key)
        sets = self.cluster.view.scale_sets()
        for body in sets.values():
            self.resources.put_scale_set(body)
        for key in set(self.resources.keys()) - sets.keys():
            self.resources.drop_scale_set(key)

    async def take_turn(self) -> None:
        """One turn for every set, as the queue would take it."""
        self.hear()
        for key in self.resources.keys() or (KEY,):
            try:
                await self.reconciler.turn(key)
            except Unavailable:
                continue
            except Crash:
                return


class World:
    """All of it, over one seeded die.

    Attributes:
        operators: alive or stopped; a killed one leaves the list.
        disruption: counts what PodDisruptionBudgets allow, where there are any.
        documents: what instances are told.
    """

    def __init__(self, seed: int = 0, *, nodes: int = 3) -> None:
        self.die = random.Random(seed)  # noqa: S311 - a seeded world, no secret
        self.clock = FakeClock()
        self.server = FakeApiServer(self.clock)
        self.scripts: dict[str, PodScript] = {}
        self.script = PodScript()
        self.kubelet = FakeKubelet(self.server, lambda _: self.script, nodes=nodes)
        self.endpoints = FakeEndpoints(self.kubelet)
        self.referee = Referee(self.server)
        self.documents = Documents(self.server)
        self.book = RevisionBook()
        self.operators: list[Operator] = []
        self.disruption = FakeDisruption(self.server)

    def start(self, *, lag: float = 0.0, resource_lag: float = 0.0) -> Operator:
        """Start one more operator."""
        operator = Operator(self, lag=lag, resource_lag=resource_lag)
        self.operators.append(operator)
        return operator

    def kill(self, operator: Operator) -> None:
        """kill -9, wherever it is."""
        operator.cluster.wire.dead = True
        if operator.turn is not None:
            operator.turn.cancel()
        self.operators.remove(operator)

    async def step(self, seconds: float) -> None:
        """Let time pass, then let every operator take a turn, interleaved at every request."""
        self.clock.advance(seconds)
        for operator in self.operators:
            if operator.turn is None or operator.turn.done():
                operator.turn = asyncio.create_task(operator.take_turn())
        for _ in range(20_000):
            await asyncio.sleep(0)
            if all(o.turn is None or o.turn.done() or o.trouble.held for o in self.operators):
                break
        else:
            message = "a turn did not end"
            raise AssertionError(message)
        for operator in list(self.operators):
            if operator.turn is not None and operator.turn.done():
                operator.turn.result()
            if not operator.alive:
                self.operators.remove(operator)
        self.referee.check()
        assert not self.documents.fouls, self.documents.fouls[0]

    async def run(self, seconds: float, *, step: float = 1.0) -> None:
        """Let so much time pass in steps."""
        for _ in range(round(seconds / step)):
            await self.step(step)

    async def close(self) -> None:
        """End what is still under way."""
        for operator in self.operators:
            operator.trouble.go.set()
            if operator.turn is not None:
                operator.turn.cancel()
                await asyncio.gather(operator.turn, return_exceptions=True)

    def live(self) -> list[FakePod]:
        """The set's pods that are neither over nor Terminating."""
        return [p for p in self.server.pods(NAMESPACE) if p.live and p.controller is not None]

    def serving(self) -> int:
        """How many of them are Healthy, as everybody sees it, and answer."""
        healthy = (p for p in self.live() if p.conditions.get(CONDITION_HEALTHY))
        return sum(
            p.conditions[CONDITION_HEALTHY].status == "True"
            and self.endpoints.answer(p.ip or "").status == HTTP_OK
            for p in healthy
        )

    def status(self) -> dict[str, Any]:
        """The ScaleSet's status as it stands."""
        status: dict[str, Any] = self.server.resource("ScaleSet", NAMESPACE, KEY.name)["status"]
        return status


def probe_spec(**changes: Any) -> dict[str, Any]:
    """An http probe of 5/11."""
    return {
        "protocol": "http",
        "path": "/healthz",
        "port": 8080,
        "intervalInSeconds": 5,
        "timeoutInSeconds": 11,
        **changes,
    }


def set_spec(
    replicas: int,
    *,
    image: str = "web:1",
    rolling: Mapping[str, Any] | None = None,
    notice: str | None = None,
    **policy: Any,
) -> dict[str, Any]:
    """A set with repairs on, extended limits and a grace of 20 s.

    Args:
        replicas: how many are wanted.
        image: of the one container.
        rolling: the bounds of a rollout.
        notice: how long before its deletion a victim is told; None for no notice.
        policy: more of automaticRepairsPolicy.
    """
    upgrade = {"upgradePolicy": {"rollingUpgradePolicy": dict(rolling)}} if rolling else {}
    profile = {"enable": notice is not None, "notBeforeTimeout": notice or "PT5M"}
    return {
        **upgrade,
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": image}]},
        },
        "healthProbeRef": {"name": "web-http"},
        "terminateNotificationProfile": profile,
        "automaticRepairsPolicy": {
            "enabled": True,
            "limits": "Extended",
            "gracePeriod": "PT20S",
            "suspendAfterFailedRepairs": 100,
            **policy,
        },
    }


async def ready_world(seed: int, replicas: int, **policy: Any) -> World:
    """A world with one operator and a set that has come up whole."""
    world = World(seed)
    world.server.apply("HealthProbe", NAMESPACE, "web-http", probe_spec())
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, set_spec(replicas, **policy))
    world.start()
    await world.run(30.0)
    return world


async def ready_in_domains(
    seed: int, replicas: int, *, domains: int, rolling: dict[str, Any]
) -> World:
    """One whose set has so many update domains from now on, and the label that windows ask for."""
    world = await ready_world(seed, replicas)
    spec = set_spec(replicas, rolling=rolling) | {"updateDomainCount": domains}
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    body = world.server.resource("ScaleSet", *KEY)
    labels = {"labels": {"tier": "web"}}
    world.server.restore("ScaleSet", {**body, "metadata": {**body["metadata"], **labels}})
    return world
