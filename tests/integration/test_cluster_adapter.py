"""The adapter `KubernetesCluster` on a real API server: what no fake can vouch for."""

from __future__ import annotations

import asyncio
import time
import uuid
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from localcluster.cluster import LocalCluster
from scaleset_operator.adapters.cluster.connection import Call, Connection
from scaleset_operator.adapters.cluster.gateway import KubernetesCluster
from scaleset_operator.adapters.vitals import CUT_OFF_S
from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.plan import (
    AdoptInstance,
    CreateInstance,
    DeleteInstance,
    Note,
    PublishHealth,
    Purpose,
    ReleaseInstance,
)
from scaleset_operator.reconciler.ports import (
    Conflict,
    Created,
    Gone,
    Key,
    Owner,
    Refused,
    TooOld,
    Unavailable,
)
from tests.support.kube_api import Api, path_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from pathlib import Path

    from scaleset_operator.core.observed import Instance

TEMPLATE: Final[dict[str, Any]] = {
    "metadata": {"labels": {"app": "web"}},
    "spec": {"containers": [{"name": "web", "image": "web:1"}]},
}
OURS: Final = ("Healthy", "InRotation")
LATER: Final = 2**63
SECONDS: Final = 30.0


class SystemClock:
    """The port `Clock` on this machine; `ahead` of it where a test needs time to have passed."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def boottime_ns(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class World:
    """One set on the API server, and the adapter that is looked at."""

    def __init__(self, api: Api, namespace: str, connection: Connection) -> None:
        self.api = api
        self.namespace = namespace
        self.woken: list[Key] = []
        self.clock = SystemClock()
        self.cluster = KubernetesCluster(connection, self.clock, self.woken.append, (namespace,))
        stored = api.create(
            path_of("ScaleSet", namespace),
            {
                "apiVersion": "scaleset.dev/v1alpha1",
                "kind": "ScaleSet",
                "metadata": {"name": "web"},
                "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": {"app": "web"}},
                    "template": TEMPLATE,
                },
            },
        )
        self.owner = self.owner_of(stored)

    def owner_of(self, stored: dict[str, Any]) -> Owner:
        return Owner(
            key=Key(self.namespace, "web"),
            uid=stored["metadata"]["uid"],
            resource_version=stored["metadata"]["resourceVersion"],
            match_labels={"app": "web"},
            template=TEMPLATE,
        )

    @property
    def pods(self) -> str:
        return path_of("Pod", self.namespace)

    def stored(self, name: str) -> dict[str, Any]:
        return self.api.get(f"{self.pods}/{name}")

    async def create(self, number: int = 1, *, not_after: int = LATER) -> Created:
        action = CreateInstance(
            name=f"web-{number}", instance_id=number, update_domain=2, model="m1"
        )
        return await self.cluster.create_instance(self.owner, action, not_after)

    def seen(self, name: str = "web-1") -> Instance | None:
        pods = self.cluster.pods(self.owner)
        return next((pod for pod in pods.instances if pod.name == name), None)

    async def running(self, name: str = "web-1") -> Instance:
        """The instance once its container runs and the view is fresh."""
        await until(lambda: bool((pod := self.seen(name)) and pod.containers_ready))
        await until(lambda: self.cluster.pods(self.owner).fresh)
        pod = self.seen(name)
        assert pod is not None
        return pod


async def until(holds: Callable[[], bool], within: float = SECONDS) -> None:
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110 - what is waited for is in another process
            await asyncio.sleep(0.01)


async def until_refused(call: Callable[[], Awaitable[None]]) -> None:
    """Admission learns of a new quota through a watch of its own."""
    async with asyncio.timeout(SECONDS):
        with suppress(Refused):
            while True:
                await call()


def delete_of(pod: Instance, **changes: str) -> DeleteInstance:
    known: dict[str, Any] = {
        "name": pod.name,
        "uid": pod.uid,
        "resource_version": pod.resource_version,
    }
    return DeleteInstance(**(known | changes), purpose=Purpose.REPAIR)


@pytest.fixture
def api(kinds: LocalCluster) -> Iterator[Api]:
    with Api(kinds.server, kinds.token, kinds.ca_file) as api:
        yield api


@pytest.fixture
def namespace(api: Api) -> Iterator[str]:
    name = f"adapter-{uuid.uuid4().hex[:8]}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
async def connection(kinds: LocalCluster) -> AsyncIterator[Connection]:
    connection = await Connection.open(str(kinds.user_kubeconfig("operator")))
    yield connection
    await connection.close()


@pytest.fixture
async def world(api: Api, connection: Connection, namespace: str) -> AsyncIterator[World]:
    world = World(api, namespace, connection)
    try:
        await world.cluster.start()
        await until(lambda: world.cluster.view.cut_for() is not None)
        yield world
    finally:
        await world.cluster.close()


async def test_a_created_instance_comes_into_view_as_it_starts(world: World) -> None:
    """R-24."""
    assert await world.create() is Created.CREATED
    pod = await world.running()
    assert (pod.instance_id, pod.update_domain, pod.model) == (1, 2, "m1")
    assert pod.live
    assert pod.ip
    assert pod.node in world.cluster.node_ready()
    assert pod in world.cluster.pods_on(pod.node or "")
    assert pod.started
    assert not pod.started_is_recorded
    assert not pod.ready, "Ready waits for our gate"
    assert pod.reports[0][:2] == ("Ready", VMHealth.HEALTHY)
    assert set(world.woken) == {world.owner.key}


async def test_the_view_is_not_fresh_until_the_watch_has_our_own_write(world: World) -> None:
    """X-07."""
    await until(lambda: world.cluster.pods(world.owner).fresh)
    await world.create()
    await until(lambda: world.cluster.pods(world.owner).fresh)
    assert world.seen() is not None


async def test_creating_the_same_instance_again_is_success(world: World) -> None:
    await world.create()
    assert await world.create() is Created.ALREADY_OURS


async def test_a_name_taken_by_another_pod_is_a_conflict(world: World) -> None:
    world.api.create(world.pods, {"metadata": {"name": "web-1"}, "spec": TEMPLATE["spec"]})
    with pytest.raises(Conflict):
        await world.create()


async def test_a_name_taken_by_a_pod_that_is_going_is_a_conflict(world: World) -> None:
    await world.create()
    world.api.merge(
        f"{world.pods}/web-1",
        {"metadata": {"labels": {"localcluster/stuck-terminating": "true"}}},
    )
    await world.running()  # From then on nobody else writes to it.
    pod = await world.cluster.read_instance(world.owner, "web-1")
    assert pod is not None
    await world.cluster.delete_instance(world.owner, delete_of(pod), LATER)
    with pytest.raises(Conflict):
        await world.create()


async def test_an_act_that_is_too_old_is_not_sent(world: World) -> None:
    """Protocol rule 5."""
    with pytest.raises(TooOld):
        await world.create(not_after=time.clock_gettime_ns(time.CLOCK_BOOTTIME) - 1)
    assert await world.cluster.read_instance(world.owner, "web-1") is None


async def test_a_delete_carries_the_uid_and_the_version(world: World) -> None:
    """Protocol rule 5."""
    await world.create()
    pod = await world.running()
    with pytest.raises(Conflict):
        await world.cluster.delete_instance(
            world.owner, delete_of(pod, resource_version="1"), LATER
        )
    with pytest.raises(Conflict):
        await world.cluster.delete_instance(world.owner, delete_of(pod, uid="another"), LATER)
    assert world.stored("web-1")["metadata"].get("deletionTimestamp") is None


async def test_a_deleted_instance_is_terminating_at_once_and_then_gone(world: World) -> None:
    await world.create()
    pod = await world.running()
    await world.cluster.delete_instance(world.owner, delete_of(pod), LATER)
    seen = world.seen()
    assert seen is None or seen.terminating
    await until(lambda: world.seen() is None and world.cluster.pods(world.owner).fresh)
    await world.cluster.delete_instance(world.owner, delete_of(pod), LATER)


async def test_one_patch_publishes_and_keeps_the_conditions_of_kubelet(world: World) -> None:
    """Protocol rule 26."""
    await world.create()
    pod = await world.running()
    before = {c["type"] for c in world.stored("web-1")["status"]["conditions"]}
    action = PublishHealth(
        name="web-1",
        uid=pod.uid,
        health=VMHealth.HEALTHY,
        reason="Answering",
        message="200",
        in_rotation=True,
        state_change_time=pod.started,
    )
    await world.cluster.publish(world.owner, action)
    await until(lambda: bool((seen := world.seen()) and seen.ready))
    stored = world.stored("web-1")
    kinds = {c["type"] for c in stored["status"]["conditions"]}
    assert kinds == before | {"scaleset.dev/Healthy", "scaleset.dev/InRotation"}
    seen = world.seen()
    assert seen is not None
    assert seen.published
    assert seen.published.health is VMHealth.HEALTHY
    assert seen.in_rotation
    assert seen.started_is_recorded
    assert seen.started == pod.started


async def test_the_transition_time_stays_while_the_status_does(world: World) -> None:
    await world.create()
    pod = await world.running()
    times = set()
    for reason in ("Answering", "ReportedHealthy"):
        await world.cluster.publish(
            world.owner,
            PublishHealth(
                name="web-1",
                uid=pod.uid,
                health=VMHealth.HEALTHY,
                reason=reason,
                message="",
                in_rotation=False,
            ),
        )
        seen = world.seen()
        assert seen is not None
        assert seen.published
        assert seen.published.reason == reason
        stored = {c["type"]: c for c in world.stored("web-1")["status"]["conditions"]}
        times |= {stored[f"scaleset.dev/{kind}"]["lastTransitionTime"] for kind in OURS}
        world.clock.ahead += timedelta(hours=1)
    assert len(times) == 1


async def test_nothing_is_published_on_another_pod_of_the_name(world: World) -> None:
    await world.create()
    with pytest.raises(Gone):
        await world.cluster.publish(
            world.owner,
            PublishHealth(
                name="web-1", uid="another", health=VMHealth.UNHEALTHY, reason="X", message=""
            ),
        )
    with pytest.raises(Gone):
        await world.cluster.publish(
            world.owner,
            PublishHealth(
                name="web-9", uid="another", health=VMHealth.UNHEALTHY, reason="X", message=""
            ),
        )


async def test_the_first_healthy_takes_the_repair_attempt_away(world: World) -> None:
    action = CreateInstance(
        name="web-1", instance_id=1, update_domain=0, model="m1", attempt=2, replaces="web-0"
    )
    await world.cluster.create_instance(world.owner, action, LATER)
    pod = await world.running()
    assert (pod.attempt, pod.replaces) == (2, "web-0")
    await world.cluster.publish(
        world.owner,
        PublishHealth(
            name="web-1",
            uid=pod.uid,
            health=VMHealth.HEALTHY,
            reason="Answering",
            message="",
            clear_attempt=True,
        ),
    )
    assert "scaleset.dev/repair-attempt" not in world.stored("web-1")["metadata"]["annotations"]


async def test_the_status_is_compared_and_swapped(world: World) -> None:
    """Protocol rule 25."""
    status = {"replicas": 1, "repairs": {"inFlight": []}}
    version = await world.cluster.record_status(world.owner, status)
    assert version != world.owner.resource_version
    with pytest.raises(Conflict):
        await world.cluster.record_status(world.owner, {"replicas": 2})

    current = world.api.get(path_of("ScaleSet", world.namespace, "web"))
    assert current["metadata"]["resourceVersion"] == version
    assert current["status"]["replicas"] == 1
    owner = world.owner_of(current)
    assert await world.cluster.record_status(owner, status) == version, "nothing has changed"


async def test_the_status_of_a_set_that_is_gone_cannot_be_recorded(world: World) -> None:
    world.api.delete(path_of("ScaleSet", world.namespace, "web"))
    with pytest.raises(Gone):
        await world.cluster.record_status(world.owner, {"replicas": 1})


async def test_an_orphan_is_adopted_and_given_up_again(world: World) -> None:
    labels = {"app": "web", "scaleset.dev/name": "web", "scaleset.dev/instance-id": "7"}
    world.api.create(
        world.pods,
        {"metadata": {"name": "web-7", "labels": labels}, "spec": TEMPLATE["spec"]},
    )
    await until(lambda: bool(world.cluster.pods(world.owner).adoptable))
    (orphan,) = world.cluster.pods(world.owner).adoptable
    with pytest.raises(Conflict):
        await world.cluster.adopt(
            world.owner, AdoptInstance(name="web-7", uid=orphan.uid, resource_version="1")
        )
    read = world.stored("web-7")["metadata"]
    await world.cluster.adopt(
        world.owner,
        AdoptInstance(name="web-7", uid=orphan.uid, resource_version=read["resourceVersion"]),
    )
    pods = world.cluster.pods(world.owner)
    assert [pod.name for pod in pods.instances] == ["web-7"]
    assert pods.adoptable == ()

    world.api.merge(f"{world.pods}/web-7", {"metadata": {"labels": {"app": "other"}}})
    await until(lambda: bool(world.cluster.pods(world.owner).released))
    read = world.stored("web-7")["metadata"]
    await world.cluster.release(
        world.owner,
        ReleaseInstance(name="web-7", uid=orphan.uid, resource_version=read["resourceVersion"]),
    )
    assert "ownerReferences" not in world.stored("web-7")["metadata"]
    pods = world.cluster.pods(world.owner)
    assert (pods.instances, pods.adoptable, pods.released) == ((), (), ())


async def test_pods_that_match_and_bear_no_name_are_foreign(world: World) -> None:
    await world.create()
    world.api.create(
        world.pods,
        {"metadata": {"name": "stray", "labels": {"app": "web"}}, "spec": TEMPLATE["spec"]},
    )
    assert await world.cluster.foreign_pods(world.owner) == ("stray",)


@pytest.mark.parametrize(
    "spec", [{"containers": []}, {"containers": "none"}], ids=["invalid", "malformed"]
)
async def test_a_bad_template_is_refused_by_the_dry_run(world: World, spec: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        await world.cluster.dry_run(replace(world.owner, template={"spec": spec}))
    assert refused.value.reason is Reason.INVALID_TEMPLATE
    assert "containers" in refused.value.message.lower()


async def test_a_quota_refuses_the_dry_run_and_the_create(world: World) -> None:
    await world.cluster.dry_run(world.owner)
    world.api.create(
        path_of("ResourceQuota", world.namespace),
        {"metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}},
    )
    quota = path_of("ResourceQuota", world.namespace, "none", "status")
    none = {"pods": "0"}
    world.api.merge(quota, {"status": {"hard": none, "used": none}})
    await until_refused(lambda: world.cluster.dry_run(world.owner))
    with pytest.raises(Refused) as refused:
        await world.cluster.dry_run(world.owner)
    assert refused.value.reason is Reason.CREATE_FORBIDDEN
    with pytest.raises(Refused):
        await world.create()


async def test_a_live_list_brings_the_cache_up_to_date_without_the_watch(
    connection: Connection, world: World
) -> None:
    """Protocol rule 24."""
    blind = KubernetesCluster(connection, SystemClock(), world.woken.append)
    await world.create(1)
    await world.create(2)
    await blind.list_instances(world.owner)
    assert {pod.name for pod in blind.pods(world.owner).instances} == {"web-1", "web-2"}
    world.api.delete(f"{world.pods}/web-1", gracePeriodSeconds=0)
    await blind.list_instances(world.owner)
    assert {pod.name for pod in blind.pods(world.owner).instances} == {"web-2"}
    world.api.delete(f"{world.pods}/web-2", gracePeriodSeconds=0)
    assert await blind.read_instance(world.owner, "web-2") is None
    assert blind.pods(world.owner).instances == ()
    assert not blind.pods(world.owner).fresh


async def test_the_same_again_becomes_a_count_on_one_event(world: World) -> None:
    path = f"/apis/events.k8s.io/v1/namespaces/{world.namespace}/events"
    note = Note(reason="RepairStarted", message="web-1 is replaced", warning=True)
    for _ in range(3):
        await world.cluster.tell(world.owner, note)

    def written() -> list[dict[str, Any]]:
        return [e for e in world.api.get(path)["items"] if e["reason"] == "RepairStarted"]

    await until(lambda: bool(written()))
    (event,) = written()
    assert event["note"] == "web-1 is replaced"
    assert event["regarding"]["uid"] == world.owner.uid
    assert event["reportingController"] == "scaleset.dev/scaleset-operator"


async def one_question(kubeconfig: Path) -> float:
    """How many seconds an answer over a new connection takes on this machine, once there is one."""
    connection = await Connection.open(str(kubeconfig))
    try:
        while True:
            began = time.monotonic()
            try:
                await connection.read(Call(method="GET", path="/api/v1/namespaces"))
            except Unavailable:
                await asyncio.sleep(0.1)
            else:
                return time.monotonic() - began
    finally:
        await connection.close()


async def test_the_view_is_whole_again_soon_after_the_api_server_is_back() -> None:
    """X-07, and 5 s to be in order again."""
    owner = Owner(key=Key("default", "web"), uid="none", resource_version="0", template=TEMPLATE)
    woken: list[Key] = []
    async with AsyncExitStack() as opened:
        own = opened.enter_context(
            LocalCluster(nodes=0, name="adapter-outage", components=(), audit=False)
        )
        connection = await Connection.open(str(own.kubeconfig))
        opened.push_async_callback(connection.close)
        cluster = KubernetesCluster(connection, SystemClock(), woken.append)
        opened.push_async_callback(cluster.close)
        await cluster.start()
        await until(lambda: cluster.pods(owner).fresh)
        action = CreateInstance(name="web-1", instance_id=1, update_domain=0, model="m1")
        await cluster.create_instance(owner, action, LATER)
        await asyncio.to_thread(own.stop_component, "kube-apiserver")
        with pytest.raises(Unavailable):
            await cluster.read_instance(owner, "web-1")
        await until(lambda: not cluster.pods(owner).fresh)
        cut_for = cluster.view.cut_for()
        assert cut_for is not None
        assert 0 < cut_for < CUT_OFF_S, "the readiness probe is more patient"
        woken.clear()
        await asyncio.to_thread(own.start_component, "kube-apiserver")
        # On a busy machine a question takes long, and so does each of the few that this needs.
        busy = await one_question(own.kubeconfig)
        await until(lambda: cluster.pods(owner).fresh, within=max(5.0, 20 * busy))
        assert woken == [owner.key]
        assert len(cluster.pods(owner).instances) == 1
