"""Nodes that windows work on: a pool of them, the Jobs that run there, and who has cordoned what.

Imports nothing of the operator. It must not know what any test expects.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tests.integration.maintained import UPDATED
from tests.integration.sets import PREFIX
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.sets import Json, Sets
    from tests.integration.world import World

POOL: Final = {"maintenance/pool": "web"}
CLAIM: Final = f"{PREFIX}node-maintenance"
PATCH: Final[dict[str, Any]] = {
    "backoffLimit": 0,
    "template": {"spec": {"containers": [{"name": "patch", "image": "patch:1"}]}},
}
ON_THE_POOL: Final[dict[str, Any]] = {
    "nodeSelector": {"matchLabels": POOL},
    "jobTemplate": {"spec": PATCH},
    "timeout": "PT5M",
}
OF_A_JOB: Final = "batch.kubernetes.io/job-name"


class Machine(NamedTuple):
    """A node, as far as work on it goes."""

    cordoned: bool = False
    claim: str = ""
    updated: bool = False
    taints: tuple[str, ...] = ()


FREE: Final = Machine()
DONE: Final = Machine(updated=True)


@contextmanager
def pool(world: World) -> Iterator[list[str]]:
    """The cluster's nodes, as a pool inside, and without a trace of it after."""
    with pool_of(world, world.cluster.nodes) as names:
        yield names


@contextmanager
def pool_of(world: Sets, names: list[str]) -> Iterator[list[str]]:
    """These nodes, likewise."""
    for name in names:
        world.api.merge(node_path(name), {"metadata": {"labels": POOL}})
    try:
        yield names
    finally:
        for name in names:
            forget(world, name)
        world.api.delete(jobs_path(world))


def forget(world: Sets, name: str) -> None:
    """A node bears nothing any more, by a person's hand."""
    labels = dict.fromkeys((*POOL, *UPDATED))
    body = {
        "metadata": {"labels": labels, "annotations": {CLAIM: None}},
        "spec": {"unschedulable": None},
    }
    world.api.merge(node_path(name), body)


def machine(world: Sets, name: str, updated: dict[str, str] = UPDATED) -> Machine:
    """A node as it is."""
    node = world.api.get(node_path(name))
    meta, spec = node["metadata"], node["spec"]
    return Machine(
        cordoned=bool(spec.get("unschedulable")),
        claim=meta.get("annotations", {}).get(CLAIM, ""),
        updated=meta.get("labels", {}).items() >= updated.items(),
        taints=tuple(taint["key"] for taint in spec.get("taints") or ()),
    )


def cordon(world: Sets, name: str, *, claim: str | None = None, by: bool = True) -> None:
    """Cordon a node or take its cordon away, as anybody may."""
    body: Json = {"spec": {"unschedulable": by or None}}
    if claim is not None:
        body["metadata"] = {"annotations": {CLAIM: claim}}
    world.api.merge(node_path(name), body)


def node_path(name: str) -> str:
    """Of one node."""
    return f"/api/v1/nodes/{name}"


def jobs_path(world: Sets) -> str:
    """Of the namespace's Jobs."""
    return f"/apis/batch/v1/namespaces/{world.namespace}/jobs"


def jobs(world: Sets) -> list[Json]:
    """The Jobs that are there, those that are going included."""
    return world.api.items(jobs_path(world))


def node_of(job: Json) -> str:
    """The node that a Job is held to."""
    affinity = job["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
    (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    (field,) = term["matchFields"]
    (name,) = field["values"]
    return str(name)


def end_jobs(world: Sets, phase: str = "Succeeded") -> int:
    """The pods of all Jobs that run end so; gives how many."""
    running = [
        pod
        for pod in world.api.items(path_of("Pod", world.namespace), labelSelector=OF_A_JOB)
        if pod["spec"].get("nodeName") and pod["status"].get("phase") in {"Pending", "Running"}
    ]
    for pod in running:
        path = path_of("Pod", world.namespace, pod["metadata"]["name"], "status")
        world.api.merge(path, {"status": {"phase": phase}})
    return len(running)


def node_work(world: Sets, window: str) -> Json:
    """The node that a window works on; empty where there is none."""
    status = world.get(window, "MaintenanceWindow").get("status") or {}
    work: Json = status.get("nodeWork") or {}
    return work


def node_records(world: Sets, window: str) -> list[Json]:
    """The nodes that it worked on, newest first."""
    status = world.get(window, "MaintenanceWindow").get("status") or {}
    rows: list[Json] = status.get("nodeRecords") or []
    return rows
