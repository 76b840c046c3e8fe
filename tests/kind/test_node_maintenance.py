"""Windows that work on real nodes: Jobs that change the host, evictions under a budget, no leader.

The rights for it are added as people add them, and taken away at the end.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest

from localcluster.kind import config
from tests.integration.audit import requests_in
from tests.integration.maintained import announce, iteration, nodes_of, places, tier
from tests.integration.nodepool import (
    DONE,
    FREE,
    OF_A_JOB,
    POOL,
    cordon,
    jobs,
    machine,
    node_of,
    node_records,
    node_work,
    pool_of,
)
from tests.integration.sets import names_of, uids_of
from tests.integration.waiting import eventually
from tests.kind.deployment import ACCOUNT
from tests.kind.pods import running
from tests.kind.test_maintenance import all_on_the_old_node, served
from tests.kind.test_service import expose
from tests.support.auditor_watch import AuditorWatch
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.kind.cluster import KindCluster
    from tests.integration.audit import Request
    from tests.integration.sets import Json
    from tests.kind.deployment import Deployment
    from tests.kind.world import KindWorld

_, OLD, NEW = config.nodes()
SIZE: Final = 4
DOMAINS: Final = 2
CREATED: Final = 201
WINDOW: Final = "MaintenanceWindow"
OPEN_S: Final = 900.0
WALK_S: Final = 300.0
SOON_S: Final = 90.0
"""Another leads within 20 s, and looks at every node's claim then; a machine may be busy."""
HOST: Final = "/var/lib/scaleset-tests"
PATCH: Final = (
    "import os, pathlib, time; time.sleep(5);"
    "pathlib.Path('/host/patched').write_text(os.environ['NODE'])"
)
"""Long enough for a leader to be ended meanwhile."""
ENDLESS: Final = "import time; time.sleep(3600)"

pytestmark = pytest.mark.timeout(600)


def work_on_nodes(world: KindWorld, image: str, script: str) -> None:
    """A window that opens in a moment, and runs a script on each node of the pool."""
    container = {
        "name": "patch",
        "image": image,
        "command": ["python", "-c", script],
        "env": [{"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "securityContext": {"runAsUser": 0},
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
    }
    folder = {"name": "host", "hostPath": {"path": HOST, "type": "DirectoryOrCreate"}}
    pod: dict[str, Any] = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "containers": [container],
        "volumes": [folder],
    }
    work = {
        "nodeSelector": {"matchLabels": POOL},
        "jobTemplate": {"spec": {"backoffLimit": 0, "template": {"spec": pod}}},
        "timeout": "PT5M",
    }
    announce(world, "patch", "web", ask=1, work=OPEN_S, nodeMaintenance=work)


@contextmanager
def nodes_to_work_on(
    world: KindWorld, deployment: Deployment, image: str, *nodes: str
) -> Iterator[None]:
    """Inside, the operator may work on these; after, no trace of that is left, the window neither.

    The window goes first, while its rights are there: without them it would be refused something.
    """
    with deployment.working_on_nodes(image), pool_of(world, [*nodes]):
        try:
            yield
        finally:
            world.delete(WINDOW, "patch")
            for node in nodes:
                deployment.on_node(node, "rm", "-rf", HOST)


@dataclass
class Seen:
    """What was seen on the way.

    Attributes:
        fewest: ready endpoints of the Service, at the worst moment.
        ended: phases of a node in which the leader was ended.
    """

    fewest: int = SIZE
    ended: set[str] = field(default_factory=set)


def test_a_node_is_emptied_within_its_budget_patched_and_freed_whoever_leads(
    world: KindWorld, deployment: Deployment, cluster: KindCluster, image: str
) -> None:
    """M-07, M-09, M-12, M-14, X-02: everybody is evicted once, and no cordon is left behind."""
    began = datetime.now(UTC)
    before = all_on_old(world, deployment)
    with (
        nodes_to_work_on(world, deployment, image, OLD, NEW),
        AuditorWatch(world.api, namespace=world.namespace) as watch,
    ):
        work_on_nodes(world, image, PATCH)
        seen = walk(world, deployment)
        eventually(lambda: places(world) == [], "no place is held any more")
        assert seen.ended == {"Emptying", "Working"}
        assert seen.fewest >= SIZE - 1, "the budget is kept"
        records = node_records(world, "patch")
        assert [row["node"] for row in records] == [OLD, NEW], "the free one went first"
        assert all(row["updated"] for row in records)
        assert iteration(world, "web")["completed"] == SIZE
        assert sorted(node_of(job) for job in jobs(world)) == [OLD, NEW]
        for node in (OLD, NEW):
            assert deployment.on_node(node, "cat", f"{HOST}/patched") == node
    after = world.pods("web")
    assert nodes_of(world, "web") == {NEW}
    assert names_of(after) == names_of(before)
    assert not uids_of(after) & uids_of(before)
    sent = requests_of(cluster, world.namespace, began)
    evicted = [one.name for one in sent if one.resource == "pods/eviction" and one.code == CREATED]
    assert sorted(evicted) == names_of(before), "by the Eviction API, each once"
    deleted = {one.name for one in sent if (one.verb, one.resource) == ("delete", "pods")}
    assert not deleted & {*names_of(before)}
    watch.auditor.expect_repaired([])
    assert watch.auditor.violations() == []
    deployment.await_ready()


def all_on_old(world: KindWorld, deployment: Deployment) -> list[Json]:
    """A set that a Service and a budget of one are for, all of it on one node; gives its pods."""
    expose(world, "web")
    budget = {"minAvailable": SIZE - 1, "selector": {"matchLabels": {"app": "web"}}}
    body = {"metadata": {"name": "web"}, "spec": budget}
    world.api.create(path_of("PodDisruptionBudget", world.namespace), body)
    pace = {"rollingUpgradePolicy": {"maxBatchInstancePercent": 100 // DOMAINS}}
    with all_on_the_old_node(deployment):
        world.scale_set("web", SIZE, updateDomainCount=DOMAINS, upgradePolicy=pace)
        world.await_ready("web", seconds=SOON_S)
    tier(world, "web", "web")
    eventually(lambda: served(world, "web") == SIZE, "all are served", seconds=SOON_S)
    assert nodes_of(world, "web") == {OLD}
    return world.pods("web")


def walk(world: KindWorld, deployment: Deployment) -> Seen:
    """Until both are done: the leader is killed between two moves, and deleted while a Job runs."""
    seen = Seen()
    deadline = time.monotonic() + WALK_S
    while node_work(world, "patch") or any(machine(world, n) != DONE for n in (OLD, NEW)):
        assert time.monotonic() < deadline, told(world)
        seen.fewest = min(seen.fewest, served(world, "web"))
        held = [node for node in (OLD, NEW) if machine(world, node).cordoned]
        assert len(held) <= 1, "one node at a time"
        work = node_work(world, "patch")
        phase = work.get("phase") if work.get("node") == OLD else None
        if phase == "Emptying" and phase not in seen.ended:
            if iteration(world, "web").get("completed", 0):
                deployment.signal(leading(deployment), "KILL")
                seen.ended.add(phase)
        elif phase == "Working" and phase not in seen.ended and patching(world):
            deployment.force_away(leading(deployment))
            seen.ended.add(phase)
        time.sleep(0.2)
    return seen


def test_a_node_that_is_uncordoned_while_nobody_leads_is_left_alone_and_its_job_ended(
    world: KindWorld, deployment: Deployment, image: str
) -> None:
    """M-09, X-02: whoever leads next takes a person's word, and leaves nothing behind."""
    with nodes_to_work_on(world, deployment, image, NEW):
        work_on_nodes(world, image, ENDLESS)
        eventually(
            partial(patching, world), "its Job runs", seconds=SOON_S, told=lambda: told(world)
        )
        assert machine(world, NEW).cordoned
        assert node_of(jobs(world)[0]) == NEW
        deployment.signal(leading(deployment), "KILL")
        cordon(world, NEW, by=False)
        (row,) = eventually(
            partial(node_records, world, "patch"),
            "it is given up",
            seconds=SOON_S,
            told=lambda: told(world),
        )
        assert (row["updated"], row["message"]) == (False, "somebody uncordoned the node")
        eventually(lambda: machine(world, NEW) == FREE, "nothing of it is left on the node")
        eventually(lambda: jobs(world) == [], "its Job is gone", seconds=SOON_S)
    deployment.await_ready()


def patching(world: KindWorld) -> bool:
    """Whether a Job's container runs."""
    pods = world.api.items(path_of("Pod", world.namespace), labelSelector=OF_A_JOB)
    return any(running(pod) for pod in pods)


def leading(deployment: Deployment) -> Json:
    """The replica that leads, once one does."""
    return eventually(
        lambda: next(
            (p for p in deployment.pods() if p["metadata"]["name"] == deployment.leader()), {}
        ),
        "one leads",
        seconds=SOON_S,
        told=deployment.story,
    )


def told(world: KindWorld) -> str:
    """For the message of a failure."""
    return world.told("patch", kind=WINDOW)


def requests_of(cluster: KindCluster, namespace: str, since: datetime) -> list[Request]:
    """What the replicas have asked for there, as the API server received it."""
    known = cluster.state()
    assert known is not None
    found = requests_in(cluster.audit_log(known), user=ACCOUNT, since=since)
    return [one for one in found if one.namespace == namespace and not one.dry]
