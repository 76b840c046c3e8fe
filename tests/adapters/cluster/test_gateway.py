"""The port `Cluster` on a scripted API server: each call's request, and each of its outcomes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.adapters.cluster.gateway import KubernetesCluster
from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.plan import (
    AdoptInstance,
    CreateInstance,
    DeleteInstance,
    GiveNotice,
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
    Refused,
    TooOld,
    Unavailable,
)
from tests.adapters.cluster.fake_api import (
    NODES,
    Answer,
    FakeApi,
    Request,
    Watch,
    bookmark,
    event,
    listing,
    until,
)
from tests.adapters.cluster.objects import OWNER, WEB, controller, pod
from tests.support.fake_clock import T0, FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scaleset_operator.adapters.cluster.connection import Connection

IN_DEFAULT: Final = "/api/v1/namespaces/default/pods"
CREATE: Final = CreateInstance(name="web-1", instance_id=1, update_domain=2, model="m1")
DELETE: Final = DeleteInstance(
    name="web-1", uid="uid-1", resource_version="10", purpose=Purpose.REPAIR
)
NOTICE: Final = GiveNotice(name="web-1", uid="uid-1", resource_version="10", terminate_at=T0)
PUBLISH: Final = PublishHealth(
    name="web-1", uid="uid-1", health=VMHealth.HEALTHY, reason="Answering", message="200"
)
TAKEN: Final = {"reason": "AlreadyExists", "message": "taken"}


class Bench:
    """The adapter, its clock, and which sets it has woken."""

    def __init__(self, api: FakeApi, connection: Connection) -> None:
        self.api = api
        self.clock = FakeClock()
        self.woken: list[Key] = []
        self.cluster = KubernetesCluster(connection, self.clock, self.woken.append)
        self.later = self.clock.boottime_ns() + 5_000_000_000

    @property
    def fresh(self) -> bool:
        return self.cluster.pods(OWNER).fresh

    @property
    def names(self) -> list[str]:
        return [one.name for one in self.cluster.pods(OWNER).instances]

    def request(self, method: str) -> Request:
        (request,) = self.api.of(method)
        return request

    async def watching(self, *pods: dict[str, Any], version: int = 50) -> None:
        """Starts it, with these pods on its first list."""
        self.api.lists.append(Answer(body=listing(version, *pods)))
        await self.cluster.start()
        await until(lambda: self.fresh)
        self.api.requests.clear()
        self.woken.clear()


@pytest.fixture
async def bench(api: FakeApi, connection: Connection) -> AsyncIterator[Bench]:
    bench = Bench(api, connection)
    yield bench
    await bench.cluster.close()


# --- The view ------------------------------------------------------------------------------------


async def test_nothing_is_fresh_before_the_first_list_is_in(bench: Bench) -> None:
    """X-07."""
    assert not bench.fresh
    assert bench.cluster.view.cut_for() is None
    await bench.cluster.start()
    await until(lambda: bench.woken == [WEB])
    assert bench.fresh
    assert bench.cluster.view.cut_for() == 0.0


async def test_deletes_that_were_missed_are_found_by_the_list_after_a_410(bench: Bench) -> None:
    bench.api.watches.append(Watch(events=[bookmark(60)]))
    await bench.watching(pod(1), pod(2), pod(3))
    bench.api.lists.append(Answer(body=listing(90, pod(2))))
    await bench.api.push(event("ERROR", {"kind": "Status", "code": 410}))
    await until(lambda: bench.names == ["web-2"])
    assert set(bench.woken) == {WEB}


async def test_the_view_is_not_fresh_until_the_watch_has_our_own_write(bench: Bench) -> None:
    """X-07."""
    await bench.watching()
    bench.api.answer("POST", Answer(body=pod(1, 60), status=201))
    assert await bench.cluster.create_instance(OWNER, CREATE, bench.later) is Created.CREATED
    assert bench.names == ["web-1"], "the answer is taken in at once"
    assert not bench.fresh
    bench.woken.clear()
    await bench.api.push(bookmark(59))
    await bench.api.push(event("ADDED", pod(1, 60)))
    await until(lambda: bench.fresh)
    assert bench.woken == [WEB], "for the wait, and not for the pod"


async def test_a_write_that_the_watch_was_faster_to_show_is_not_waited_for(bench: Bench) -> None:
    await bench.watching()
    answer = asyncio.Event()
    bench.api.answer("POST", Answer(body=pod(1, 60), wait_for=answer))
    create = asyncio.create_task(bench.cluster.create_instance(OWNER, CREATE, bench.later))
    await bench.api.push(event("ADDED", pod(1, 60)))
    await until(lambda: bench.names == ["web-1"])
    answer.set()
    await create
    assert bench.fresh


async def test_a_pod_ended_before_its_create_was_answered_stays_ended(bench: Bench) -> None:
    await bench.watching()
    answer = asyncio.Event()
    bench.api.answer("POST", Answer(body=pod(1, 60), wait_for=answer))
    create = asyncio.create_task(bench.cluster.create_instance(OWNER, CREATE, bench.later))
    await bench.api.push(event("ADDED", pod(1, 60)), event("DELETED", pod(1, 61)), bookmark(62))
    await until(lambda: len(bench.woken) == 2)
    answer.set()
    await create
    assert bench.names == []


async def test_a_call_that_hangs_holds_up_no_reading(bench: Bench) -> None:
    """The API server cuts a watcher that reads slowly."""
    await bench.watching()
    never = asyncio.Event()
    bench.api.answer("POST", Answer(body=pod(1, 60), wait_for=never))
    create = asyncio.create_task(bench.cluster.create_instance(OWNER, CREATE, bench.later))
    await until(lambda: bool(bench.api.of("POST")))
    await bench.api.push(*(event("ADDED", pod(n, 100 + n)) for n in range(1000)))
    await until(lambda: len(bench.names) == 1000)
    assert not create.done()
    never.set()
    await create


async def test_single_namespaces_are_watched_on_their_own(
    api: FakeApi, connection: Connection
) -> None:
    api.answer("GET", *(Answer(body=listing(10)) for _ in range(2)))
    cluster = KubernetesCluster(connection, FakeClock(), lambda _: None, ("default", "other"))
    await cluster.start()
    await until(lambda: cluster.pods(OWNER).fresh)
    assert {r.path for r in api.pod_watches} >= {IN_DEFAULT}
    elsewhere = replace(OWNER, key=Key("hidden", "web"))
    assert not cluster.pods(elsewhere).fresh
    await cluster.close()


async def test_a_node_that_turns_wakes_the_sets_on_it(bench: Bench) -> None:
    def node(ready: str, version: int) -> dict[str, Any]:
        conditions = [{"type": "Ready", "status": ready}]
        metadata = {"name": "node-1", "resourceVersion": str(version)}
        return {"metadata": metadata, "status": {"conditions": conditions}}

    bench.api.nodes += [node("True", 1)]
    await bench.watching(pod(1), pod(2, ownerReferences=[controller("other", "db")]))
    await until(lambda: bench.cluster.node_ready() == {"node-1": True})
    assert [one.name for one in bench.cluster.pods_on("node-1")] == ["web-1", "web-2"]
    await until(lambda: bench.api.watched(NODES))
    bench.woken.clear()
    await bench.api.push_node(event("MODIFIED", node("True", 70)))
    await bench.api.push_node(event("MODIFIED", node("Unknown", 71)))
    await until(lambda: set(bench.woken) == {WEB, Key("default", "db")})
    assert bench.cluster.node_ready() == {"node-1": False}
    bench.woken.clear()
    await bench.api.push_node(event("DELETED", node("Unknown", 72)))
    await until(lambda: bench.cluster.node_ready() == {})
    assert set(bench.woken) == {WEB, Key("default", "db")}


async def test_a_node_that_a_list_does_not_name_is_gone(bench: Bench) -> None:
    conditions = [{"type": "Ready", "status": "True"}]
    metadata = {"name": "node-1", "resourceVersion": "1"}
    bench.api.nodes.append({"metadata": metadata, "status": {"conditions": conditions}})
    await bench.watching(pod(1))
    await until(lambda: bench.api.watched(NODES))
    bench.api.nodes.clear()
    await bench.api.push_node(event("ERROR", {"kind": "Status", "code": 410}))
    await until(lambda: bench.cluster.node_ready() == {})
    assert bench.woken == [WEB]


# --- Live reads ----------------------------------------------------------------------------------


async def test_a_live_read_gives_the_sets_own_pod_and_feeds_the_cache(bench: Bench) -> None:
    bench.api.answer("GET", Answer(body=pod(1, 60)))
    instance = await bench.cluster.read_instance(OWNER, "web-1")
    assert instance is not None
    assert (instance.uid, bench.names) == ("uid-1", ["web-1"])
    assert bench.request("GET").path == f"{IN_DEFAULT}/web-1"


@pytest.mark.parametrize(
    "changes",
    [
        {"ownerReferences": None},
        {"ownerReferences": [controller("uid-of-another")]},
        {"labels": {"scaleset.dev/instance-id": "x"}},
    ],
)
async def test_a_live_read_gives_no_pod_that_is_not_the_sets(
    bench: Bench, changes: dict[str, Any]
) -> None:
    bench.api.answer("GET", Answer(body=pod(1, 60, **changes)))
    assert await bench.cluster.read_instance(OWNER, "web-1") is None


async def test_a_live_read_that_finds_nothing_ends_what_was_known_before(bench: Bench) -> None:
    await bench.watching(pod(1))
    bench.api.answer("GET", Answer(status=404))
    assert await bench.cluster.read_instance(OWNER, "web-1") is None
    assert bench.names == []


async def test_a_live_read_that_finds_nothing_does_not_end_a_pod_made_meanwhile(
    bench: Bench,
) -> None:
    await bench.watching()
    answer = asyncio.Event()
    bench.api.answer("GET", Answer(status=404, wait_for=answer))
    read = asyncio.create_task(bench.cluster.read_instance(OWNER, "web-1"))
    await until(lambda: bool(bench.api.of("GET")))
    await bench.api.push(event("ADDED", pod(1, 60)))
    await until(lambda: bench.names == ["web-1"])
    answer.set()
    assert await read is None
    assert bench.names == ["web-1"]


async def test_a_live_list_is_of_the_sets_name_and_ends_what_is_gone(bench: Bench) -> None:
    """Protocol rule 24."""
    await bench.watching(pod(1), pod(2))
    bench.api.answer(
        "GET",
        Answer(body=listing(80, pod(2, 10), more="next")),
        Answer(body=listing(80, pod(3, 70))),
    )
    await bench.cluster.list_instances(OWNER)
    assert bench.names == ["web-2", "web-3"]
    first, second = bench.api.of("GET")
    assert first.query == {"labelSelector": "scaleset.dev/name=web", "limit": "100"}
    assert second.query["continue"] == "next"


async def test_a_live_list_that_expires_is_unavailable(bench: Bench) -> None:
    bench.api.answer("GET", Answer(body=listing(80, more="next")), Answer(status=410))
    with pytest.raises(Unavailable):
        await bench.cluster.list_instances(OWNER)


async def test_foreign_pods_are_asked_for_by_name_only(bench: Bench) -> None:
    bench.api.answer("GET", Answer(body=listing(80, pod(1), pod(2))))
    assert await bench.cluster.foreign_pods(OWNER) == ("web-1", "web-2")
    request = bench.request("GET")
    assert request.query == {"labelSelector": "app=web,!scaleset.dev/name", "limit": "10"}
    assert "PartialObjectMetadataList" in request.headers["Accept"]


# --- Dry run -------------------------------------------------------------------------------------


async def test_a_dry_run_creates_nothing(bench: Bench) -> None:
    bench.api.answer("POST", Answer(status=201))
    await bench.cluster.dry_run(OWNER)
    request = bench.request("POST")
    assert request.path == IN_DEFAULT
    assert request.query == {"dryRun": "All"}
    assert request.body["metadata"]["name"] == "web-dry-run"


async def test_a_pod_that_bears_the_name_of_the_dry_run_is_no_fault(bench: Bench) -> None:
    bench.api.answer("POST", Answer(status=409, body=TAKEN))
    await bench.cluster.dry_run(OWNER)


@pytest.mark.parametrize(
    ("status", "reason"), [(422, Reason.INVALID_TEMPLATE), (403, Reason.CREATE_FORBIDDEN)]
)
async def test_a_refused_dry_run_says_why(bench: Bench, status: int, reason: Reason) -> None:
    bench.api.answer("POST", Answer(status=status, body={"message": "because " * 100}))
    with pytest.raises(Refused, match="because") as refused:
        await bench.cluster.dry_run(OWNER)
    assert refused.value.reason is reason
    assert len(refused.value.message) <= 256


# --- Status --------------------------------------------------------------------------------------


async def test_the_whole_status_is_applied_by_one_manager_with_force(bench: Bench) -> None:
    """Protocol rule 25."""
    bench.api.answer("PATCH", Answer(body={"metadata": {"resourceVersion": "8"}}))
    assert await bench.cluster.record_status(OWNER, {"replicas": 1}) == "8"
    request = bench.request("PATCH")
    assert request.path == "/apis/scaleset.dev/v1alpha1/namespaces/default/scalesets/web/status"
    assert request.query == {"fieldManager": "scaleset-operator", "force": "true"}
    assert request.headers["Content-Type"] == "application/apply-patch+yaml"
    assert request.body["metadata"]["resourceVersion"] == "7"


@pytest.mark.parametrize(("status", "kind"), [(409, Conflict), (404, Gone), (500, Unavailable)])
async def test_a_status_that_cannot_be_recorded_says_why(
    bench: Bench, status: int, kind: type[Exception]
) -> None:
    bench.api.answer("PATCH", Answer(status=status), Answer(status=status))
    with pytest.raises(kind):
        await bench.cluster.record_status(OWNER, {})
    with pytest.raises(kind):
        await bench.cluster.record_report("HealthProbe", WEB, "7", {"scaleSets": 1})


@pytest.mark.parametrize(
    ("of", "plural"), [("HealthProbe", "healthprobes"), ("MaintenanceWindow", "maintenancewindows")]
)
async def test_the_status_of_another_kind_is_applied_likewise(
    bench: Bench, of: str, plural: str
) -> None:
    bench.api.answer("PATCH", Answer(body={"metadata": {"resourceVersion": "8"}}))
    await bench.cluster.record_report(of, Key("default", "http"), "7", {"scaleSets": 1})
    request = bench.request("PATCH")
    assert request.path.endswith(f"/namespaces/default/{plural}/http/status")
    assert request.body["kind"] == of
    assert request.body["metadata"]["resourceVersion"] == "7"
    assert request.body["status"] == {"scaleSets": 1}


# --- Create and delete ---------------------------------------------------------------------------


async def test_a_create_that_finds_our_own_live_pod_is_success(bench: Bench) -> None:
    bench.api.answer("POST", Answer(status=409, body=TAKEN))
    bench.api.answer("GET", Answer(body=pod(1, 60)))
    assert await bench.cluster.create_instance(OWNER, CREATE, bench.later) is Created.ALREADY_OURS
    assert bench.names == ["web-1"]


@pytest.mark.parametrize(
    "found",
    [
        Answer(body=pod(1, 60, ownerReferences=[controller("uid-of-another")])),
        Answer(body=pod(1, 60, ownerReferences=None)),
        Answer(body=pod(1, 60, deletionTimestamp="2026-11-21T08:10:00Z")),
        Answer(body=pod(1, 60, labels={"scaleset.dev/instance-id": "2"})),
        Answer(body=pod(1, 60, labels={"scaleset.dev/instance-id": "x"})),
        Answer(status=404),
    ],
    ids=["another set's", "nobody's", "going", "another id", "no id", "gone meanwhile"],
)
async def test_a_create_that_finds_anything_else_is_a_conflict(bench: Bench, found: Answer) -> None:
    bench.api.answer("POST", Answer(status=409, body=TAKEN))
    bench.api.answer("GET", found)
    with pytest.raises(Conflict):
        await bench.cluster.create_instance(OWNER, CREATE, bench.later)


async def test_a_create_whose_answer_is_lost_is_found_by_the_next(bench: Bench) -> None:
    bench.api.answer("POST", Answer(status=500), Answer(status=409, body=TAKEN))
    bench.api.answer("GET", Answer(body=pod(1, 60)))
    with pytest.raises(Unavailable):
        await bench.cluster.create_instance(OWNER, CREATE, bench.later)
    assert await bench.cluster.create_instance(OWNER, CREATE, bench.later) is Created.ALREADY_OURS


async def test_acts_that_are_too_old_are_not_sent(bench: Bench) -> None:
    """Protocol rule 5."""
    bench.clock.advance(5.001)
    with pytest.raises(TooOld):
        await bench.cluster.create_instance(OWNER, CREATE, bench.later)
    with pytest.raises(TooOld):
        await bench.cluster.delete_instance(OWNER, DELETE, bench.later)
    with pytest.raises(TooOld):
        await bench.cluster.give_notice(OWNER, NOTICE, bench.later)
    assert bench.api.requests == []


async def test_an_act_of_the_last_moment_is_sent(bench: Bench) -> None:
    """Protocol rule 5."""
    bench.clock.advance(5)
    bench.api.answer("POST", Answer(body=pod(1, 60), status=201))
    await bench.cluster.create_instance(OWNER, CREATE, bench.later)


async def test_a_delete_names_the_pod_that_was_read(bench: Bench) -> None:
    """Protocol rule 5."""
    await bench.watching(pod(1, 10))
    going = pod(1, 60, deletionTimestamp="2026-11-21T08:10:00Z")
    bench.api.answer("DELETE", Answer(body=going))
    await bench.cluster.delete_instance(OWNER, DELETE, bench.later)
    request = bench.request("DELETE")
    assert request.path == f"{IN_DEFAULT}/web-1"
    assert request.body["preconditions"] == {"uid": "uid-1", "resourceVersion": "10"}
    (instance,) = bench.cluster.pods(OWNER).instances
    assert instance.terminating, "at once, before the watch tells"
    assert not bench.fresh
    await bench.api.push(event("DELETED", going))
    await until(lambda: bench.fresh)
    assert bench.names == []


async def test_a_notice_patches_the_status_of_the_pod_that_was_read(bench: Bench) -> None:
    """Protocol rules 5 and 8."""
    bench.api.answer("PATCH", Answer(body=pod(1, 61)))
    await bench.cluster.give_notice(OWNER, NOTICE, bench.later)
    request = bench.request("PATCH")
    assert request.path == f"{IN_DEFAULT}/web-1/status"
    assert request.body["metadata"]["resourceVersion"] == "10"


async def test_deleting_what_is_gone_is_success(bench: Bench) -> None:
    await bench.watching(pod(1, 10))
    bench.api.answer("DELETE", Answer(status=404))
    await bench.cluster.delete_instance(OWNER, DELETE, bench.later)
    assert bench.names == []
    assert bench.fresh


async def test_a_pod_that_ends_while_it_is_marked_as_going_is_gone(bench: Bench) -> None:
    """The API server then answers with the last that it knew, of no version."""
    await bench.watching(pod(1, 10))
    ended = pod(1, 60, deletionTimestamp="2026-11-21T08:10:00Z")
    del ended["metadata"]["resourceVersion"]
    bench.api.answer("DELETE", Answer(body=ended))
    await bench.cluster.delete_instance(OWNER, DELETE, bench.later)
    assert bench.names == []
    assert bench.fresh


@pytest.mark.parametrize(("status", "kind"), [(409, Conflict), (403, Refused), (503, Unavailable)])
async def test_a_delete_that_fails_says_why_and_changes_nothing(
    bench: Bench, status: int, kind: type[Exception]
) -> None:
    await bench.watching(pod(1, 10))
    bench.api.answer("DELETE", Answer(status=status))
    with pytest.raises(kind):
        await bench.cluster.delete_instance(OWNER, DELETE, bench.later)
    assert bench.cluster.pods(OWNER).instances[0].live


# --- Patches -------------------------------------------------------------------------------------


async def test_health_and_gate_go_in_one_patch(bench: Bench) -> None:
    """Protocol rule 26."""
    await bench.watching(pod(1, 10))
    bench.api.answer("PATCH", Answer(body=pod(1, 60)))
    await bench.cluster.publish(OWNER, replace(PUBLISH, in_rotation=True))
    request = bench.request("PATCH")
    assert request.path == f"{IN_DEFAULT}/web-1/status"
    assert request.headers["Content-Type"] == "application/strategic-merge-patch+json"
    assert request.body["metadata"] == {"uid": "uid-1"}
    kinds = [one["type"] for one in request.body["status"]["conditions"]]
    assert kinds == ["scaleset.dev/Healthy", "scaleset.dev/InRotation"]
    assert not bench.fresh


async def test_what_is_known_of_another_pod_of_the_name_says_nothing_of_its_conditions(
    bench: Bench,
) -> None:
    said = [{"type": "scaleset.dev/Healthy", "status": "True"}]
    await bench.watching(pod(1, 10, uid="uid-before", status={"conditions": said}))
    bench.api.answer("PATCH", Answer(body=pod(1, 60)))
    await bench.cluster.publish(OWNER, PUBLISH)
    (condition,) = bench.request("PATCH").body["status"]["conditions"]
    assert condition["lastTransitionTime"] == "2026-11-21T08:00:00Z"


async def test_a_patch_meant_for_another_uid_is_gone(bench: Bench) -> None:
    cause = {"field": "metadata.uid"}
    bench.api.answer("PATCH", Answer(status=422, body={"details": {"causes": [cause]}}))
    with pytest.raises(Gone):
        await bench.cluster.publish(OWNER, PUBLISH)


async def test_adopting_and_releasing_patch_the_pod(bench: Bench) -> None:
    await bench.watching(pod(1, 10, ownerReferences=None))
    bench.api.answer(
        "PATCH", Answer(body=pod(1, 60)), Answer(body=pod(1, 61, ownerReferences=None))
    )
    meant: dict[str, Any] = {"name": "web-1", "uid": "uid-1", "resource_version": "10"}
    await bench.cluster.adopt(OWNER, AdoptInstance(**meant))
    assert bench.names == ["web-1"]
    await bench.cluster.release(OWNER, ReleaseInstance(**meant))
    assert bench.names == []
    for request in bench.api.of("PATCH"):
        assert request.path == f"{IN_DEFAULT}/web-1"
        assert request.body["metadata"]["resourceVersion"] == "10"


async def test_telling_waits_for_nothing(bench: Bench) -> None:
    await bench.cluster.tell(OWNER, Note(reason="RepairStarted", message="web-1 is replaced"))
    assert bench.api.requests == []


async def test_closing_leaves_nothing_running(bench: Bench) -> None:
    await bench.watching()
    await bench.cluster.close()
    running = {getattr(task.get_coro(), "__qualname__", "") for task in asyncio.all_tasks()}
    assert running.isdisjoint({"Reflector.run", "EventRecorder._run"})
