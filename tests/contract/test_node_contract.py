"""The port `NodeCluster` on a real API server: one patch for cordon and claim, Jobs in place."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.__main__ import SteadyClock
from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.nodework import NodeGateway
from scaleset_operator.api.base import ANNOTATION_NODE_MAINTENANCE, format_time
from scaleset_operator.api.windowledger import NodePhase, NodeWork
from scaleset_operator.core.nodeview import CordonNode, CreateJob, DeleteJob, JobView, UncordonNode
from scaleset_operator.reconciler.node_turn import NodeKeeper
from scaleset_operator.reconciler.ports import Conflict, Gone, Key, Refused, TooOld
from scaleset_operator.reconciler.resources import Resources
from tests.api.manifests import WINDOW, manifest
from tests.contract.conftest import all_sockets_closed, namespace_of
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from localcluster.cluster import LocalCluster
    from scaleset_operator.api.maintenancewindow import MaintenanceWindow
    from tests.support.kube_api import Api

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

UPDATED: Final = {"maintenance/updated": "contract"}
CLAIM: Final = "shop/patch/1"
POD: Final = {"containers": [{"name": "patch", "image": "patch:1"}]}
TEMPLATE: Final = {
    "metadata": {"labels": {"team": "hosts"}},
    "spec": {"backoffLimit": 2, "template": {"spec": POD}},
}


class Place:
    """One namespace with a window, one node of the cluster, and the adapter."""

    def __init__(self, api: Api, namespace: str, gateway: NodeGateway, clock: SteadyClock) -> None:
        self.api = api
        self.namespace = namespace
        self.gateway = gateway
        self.clock = clock
        self.node = max(n["metadata"]["name"] for n in api.items("/api/v1/nodes"))
        changes = {
            "spec.updatedNodeSelector": {"matchLabels": UPDATED},
            "spec.nodeMaintenance": {"jobTemplate": TEMPLATE},
        }
        api.create(path_of(WINDOW, namespace), manifest(WINDOW, name="patch", changes=changes))

    async def window(self) -> MaintenanceWindow:
        found = await self.gateway.window(Key(self.namespace, "patch"))
        assert found is not None
        return found

    def raw(self) -> dict[str, Any]:
        return self.api.get(f"/api/v1/nodes/{self.node}")

    async def cordon(self, *, trial: bool = False, claim: str = CLAIM) -> None:
        async def once(version: str) -> None:
            end = self.clock.now() + timedelta(seconds=5)
            act = CordonNode(node=self.node, resource_version=version, claim=claim, not_after=end)
            await self.gateway.cordon(act, trial=trial)

        await self.insist(once)

    async def free(self) -> None:
        async def once(version: str) -> None:
            labels = tuple(UPDATED.items())
            act = UncordonNode(node=self.node, resource_version=version, labels=labels)
            await self.gateway.uncordon(act)

        await self.insist(once)

    async def insist(self, once: Callable[[str], Awaitable[None]]) -> None:
        """As the next turn does: the node's own controllers write to it as well."""
        while True:
            view = await self.gateway.node(self.node)
            assert view is not None
            try:
                return await once(view.resource_version)
            except Conflict:
                await asyncio.sleep(0.05)

    def creation(self, name: str = "patch-1-ab") -> CreateJob:
        end = self.clock.now() + timedelta(seconds=5)
        return CreateJob(name=name, node=self.node, iteration=1, not_after=end)

    def jobs(self, name: str = "") -> str:
        return f"/apis/batch/v1/namespaces/{self.namespace}/jobs" + (f"/{name}" if name else "")

    def clean(self) -> None:
        mine = dict.fromkeys((*UPDATED, "contract"))
        body = {
            "metadata": {
                "annotations": {ANNOTATION_NODE_MAINTENANCE: None, "touched": None},
                "labels": mine,
            },
            "spec": {"unschedulable": None},
        }
        self.api.merge(f"/api/v1/nodes/{self.node}", body)


@pytest.fixture
async def place(kinds: LocalCluster) -> AsyncIterator[Place]:
    clock = SteadyClock()
    with namespace_of(kinds) as (api, namespace):
        connection = await Connection.open(str(kinds.kubeconfig))
        found = Place(api, namespace, NodeGateway(connection, clock), clock)
        try:
            yield found
        finally:
            found.clean()
            await connection.close()
            await all_sockets_closed()


async def test_a_node_is_cordoned_and_claimed_in_one_patch_and_likewise_freed(place: Place) -> None:
    before = await place.gateway.node(place.node)
    assert before is not None
    assert before.ready
    assert place.node in {node.name for node in await place.gateway.nodes()}
    await place.cordon(trial=True)
    assert await place.gateway.claimed() == ()
    await place.cordon()
    raw = place.raw()
    assert raw["spec"]["unschedulable"] is True
    assert raw["metadata"]["annotations"][ANNOTATION_NODE_MAINTENANCE] == CLAIM
    (claimed,) = await place.gateway.claimed()
    assert (claimed.name, claimed.claim) == (place.node, CLAIM)
    view = await place.gateway.node(place.node)
    assert view is not None
    assert (view.unschedulable, view.claim) == (True, CLAIM)
    stale = UncordonNode(node=place.node, resource_version=before.resource_version)
    with pytest.raises(Conflict):
        await place.gateway.uncordon(stale)
    await place.free()
    raw = place.raw()
    assert "unschedulable" not in raw["spec"]
    assert ANNOTATION_NODE_MAINTENANCE not in raw["metadata"].get("annotations", {})
    assert raw["metadata"]["labels"].items() >= UPDATED.items()
    assert raw["metadata"]["labels"].items() >= before.labels.items(), "and nothing else is lost"


async def test_a_cordon_on_what_was_read_before_a_change_or_too_late_is_not_made(
    place: Place,
) -> None:
    view = await place.gateway.node(place.node)
    assert view is not None
    path = f"/api/v1/nodes/{place.node}"
    place.api.merge(path, {"metadata": {"annotations": {"touched": place.namespace}}})
    act = CordonNode(
        node=place.node,
        resource_version=view.resource_version,
        claim=CLAIM,
        not_after=place.clock.now() + timedelta(seconds=5),
    )
    with pytest.raises(Conflict):
        await place.gateway.cordon(act)
    with pytest.raises(TooOld):
        await place.gateway.cordon(replace(act, not_after=place.clock.now()))
    with pytest.raises(Gone):
        await place.gateway.cordon(replace(act, node="no-such-node"))
    assert await place.gateway.node("no-such-node") is None
    assert await place.gateway.claimed() == ()


async def test_a_job_goes_to_its_cordoned_node_and_its_end_is_read(place: Place) -> None:
    window = await place.window()
    await place.cordon()
    await place.gateway.create_job(window, place.creation(), TEMPLATE, trial=True)
    assert await place.gateway.job(window, "patch-1-ab") is None
    await place.gateway.create_job(window, place.creation(), TEMPLATE)
    await place.gateway.create_job(window, place.creation(), TEMPLATE)
    job = await place.gateway.job(window, "patch-1-ab")
    assert job is not None
    assert (job.ours, job.complete, job.failed) == (True, False, False)
    raw = place.api.get(place.jobs("patch-1-ab"))
    assert raw["metadata"]["labels"]["team"] == "hosts"
    assert raw["spec"]["backoffLimit"] == 2
    pod = await pod_of(place, "patch-1-ab")
    assert pod["spec"]["nodeName"] == place.node, "the scheduler put it on the cordoned node"
    other = window.model_copy(
        update={"metadata": window.metadata.model_copy(update={"uid": "another"})}
    )
    foreign = await place.gateway.job(other, "patch-1-ab")
    assert foreign is not None
    assert not foreign.ours
    done = await ended(place, window, "patch-1-ab", "Succeeded")
    assert (done.uid, done.complete, done.failed) == (job.uid, True, False)


async def test_a_job_is_deleted_as_the_very_one_and_a_failed_one_says_why(place: Place) -> None:
    window = await place.window()
    once = {"spec": {"backoffLimit": 0, "template": {"spec": POD}}}
    await place.gateway.create_job(window, place.creation(), once)
    job = await ended(place, window, "patch-1-ab", "Failed")
    assert (job.complete, job.failed) == (False, True)
    assert "backoff limit" in job.message
    await place.gateway.delete_job(place.namespace, DeleteJob(name=job.name, uid="another"))
    assert await place.gateway.job(window, job.name) is not None
    await place.gateway.delete_job(place.namespace, DeleteJob(name=job.name, uid=job.uid))
    left = await place.gateway.job(window, job.name)
    assert left is None or left.terminating
    await place.gateway.delete_job(place.namespace, DeleteJob(name="no-such", uid="u"))
    broken = {"spec": {"template": {"spec": {**POD, "restartPolicy": "Always"}}}}
    with pytest.raises(Refused, match="restartPolicy"):
        await place.gateway.create_job(window, place.creation("patch-1-cd"), broken, trial=True)


async def test_who_is_on_a_node_is_read_live(place: Place) -> None:
    for name, labels in (("web-1", {"scaleset.dev/instance-id": "1"}), ("other", {})):
        named = {"scaleset.dev/name": "web", **labels}
        spec = {"nodeName": place.node, "containers": [{"name": "web", "image": "web:1"}]}
        body = {"metadata": {"name": name, "labels": named}, "spec": spec}
        place.api.create(path_of("Pod", place.namespace), body)
    found = await place.gateway.occupants(place.namespace, place.node)
    assert [(one.scale_set, one.instance.name) for one in found] == [("web", "web-1")]
    assert await place.gateway.occupants("no-such-namespace", place.node) == ()


async def test_a_claim_of_a_window_that_is_gone_is_swept_and_a_recorded_one_stays(
    place: Place,
) -> None:
    cluster: Any = None
    keeper = NodeKeeper(place.gateway, cluster, Resources(), place.clock)
    claim = f"{place.namespace}/patch/1"
    await place.cordon(claim=claim)
    work = NodeWork(node=place.node, iteration=1, phase=NodePhase.EMPTYING, time=place.clock.now())
    status = {"nodeWork": work.model_dump(mode="json", by_alias=True, exclude_none=True)}
    path = path_of(WINDOW, place.namespace, "patch")
    place.api.merge(f"{path}/status", {"status": status})
    await keeper.sweep()
    assert place.raw()["spec"].get("unschedulable") is True
    place.api.delete(path)
    while "unschedulable" in place.raw()["spec"]:
        await keeper.sweep()


async def test_a_node_goes_all_the_way_and_comes_back_labelled(place: Place) -> None:
    """M-07: every step on the real API server, each from the record of the one before."""
    path = path_of(WINDOW, place.namespace, "patch")
    pool = {"contract": place.namespace}
    place.api.merge(f"/api/v1/nodes/{place.node}", {"metadata": {"labels": pool}})
    selector = {"nodeSelector": {"matchLabels": pool}}
    place.api.merge(path, {"spec": {"nodeMaintenance": selector}})
    start, end = place.clock.now() - timedelta(minutes=1), place.clock.now() + timedelta(hours=1)
    row = {
        "iteration": 1,
        "announcedTime": format_time(start),
        "startTime": format_time(start),
        "endTime": format_time(end),
    }
    place.api.merge(f"{path}/status", {"status": {"announced": [row]}})
    cluster: Any = None
    keeper = NodeKeeper(place.gateway, cluster, Resources(), place.clock)
    phases: list[str] = []
    while True:
        window = await place.window()
        if window.status.node_records:
            break
        work = window.status.node_work
        if work is not None and work.phase not in phases:
            phases.append(work.phase)
        if work is not None and work.job_uid is not None and work.phase is NodePhase.WORKING:
            await ended(place, window, str(work.job), "Succeeded")
        parts = (await keeper.turn(window)).parts
        if parts:
            written = window.status.model_copy(update=dict(parts))
            said = written.model_dump(mode="json", by_alias=True, include=set(parts))
            place.api.merge(f"{path}/status", {"status": said})
        await asyncio.sleep(0.05)
    assert phases == ["Cordoning", "Emptying", "Working", "Unwinding"]
    (record,) = window.status.node_records
    assert (record.node, record.updated, record.message) == (place.node, True, "")
    raw = place.raw()
    assert raw["metadata"]["labels"].items() >= UPDATED.items()
    assert "unschedulable" not in raw["spec"]
    assert await place.gateway.claimed() == ()


async def pod_of(place: Place, job: str) -> dict[str, Any]:
    """The Job's pod, once it is placed."""
    while True:
        query = {"labelSelector": f"batch.kubernetes.io/job-name={job}"}
        for pod in place.api.items(path_of("Pod", place.namespace), **query):
            if "nodeName" in pod["spec"]:
                return pod
        await asyncio.sleep(0.05)


async def ended(place: Place, window: MaintenanceWindow, name: str, phase: str) -> JobView:
    """The Job, once its controller has seen that its pod ended so; pods do not run here."""
    pod = await pod_of(place, name)
    path = path_of("Pod", place.namespace, pod["metadata"]["name"], "status")
    place.api.merge(path, {"status": {"phase": phase}})
    while True:
        job = await place.gateway.job(window, name)
        assert job is not None
        if job.complete or job.failed:
            return job
        await asyncio.sleep(0.05)
