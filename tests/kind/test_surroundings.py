"""What a cluster does to an operator: its leader dies, its API server restarts, its nodes go."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from localcluster.commands import CommandError
from tests.integration.sets import names_of, uids_of
from tests.integration.waiting import eventually, throughout
from tests.kind.pods import GATE, PORT, condition, process
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.sets import Json
    from tests.kind.deployment import Deployment
    from tests.kind.world import KindWorld

SIZE: Final = 24
REPAIRS: Final = {"gracePeriod": "PT5S"}
READY_S: Final = 120.0
REPAIRED_S: Final = 120.0
TAKE_OVER_S: Final = 20.0
NODE_LOST_S: Final = 150.0
SOON: Final = [
    {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute"}
    | {"tolerationSeconds": 5}
    for what in ("unreachable", "not-ready")
]
"""Pods leave a node that is gone after five seconds, and not after five minutes."""
SILENT_S: Final = 100.0
"""The doubt holds for a minute, then sends a witness and gives it its grace."""


@pytest.fixture
def fleet(world: KindWorld) -> KindWorld:
    """A set of 24 real instances that is repaired."""
    world.scale_set("web", SIZE, repairs=REPAIRS)
    world.await_ready("web", seconds=READY_S)
    return world


def await_replaced(world: KindWorld, pod: Json) -> None:
    """Wait until another instance stands in the place of this one."""
    eventually(
        partial(is_replaced, world, pod),
        f"{pod['metadata']['name']} is replaced",
        seconds=REPAIRED_S,
        told=lambda: world.told("web"),
    )
    world.await_ready("web", seconds=READY_S)


def kill(deployment: Deployment, pod: Json) -> None:
    """End the process of a pod's container at once."""
    on_node = partial(deployment.on_node, pod["spec"]["nodeName"])
    on_node("kill", "-KILL", process(pod, on_node))


def test_another_replica_leads_soon_after_the_leader_was_killed(
    fleet: KindWorld, deployment: Deployment
) -> None:
    """R-16, R-17: and goes on with the repairs of the one that is gone."""
    first = fleet.pods("web")[2]
    with AuditorWatch(fleet.api, namespace=fleet.namespace) as watch:
        fleet.tell(first, status=500)
        holder = deployment.holder()
        leader = deployment.leader()
        (pod,) = (p for p in deployment.pods() if p["metadata"]["name"] == leader)
        kill(deployment, pod)
        began = time.monotonic()
        eventually(lambda: deployment.holder() not in {"", holder}, "another leads", seconds=60)
        assert time.monotonic() - began < TAKE_OVER_S
        await_replaced(fleet, first)
        deployment.await_ready()
    watch.auditor.expect_repaired(names_of([first]))
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []


def test_repairs_go_on_after_the_api_server_was_killed(
    fleet: KindWorld, deployment: Deployment
) -> None:
    """R-16, X-07: nothing is repaired twice, and nobody is lost."""
    first = fleet.pods("web")[2]
    with AuditorWatch(fleet.api, namespace=fleet.namespace) as watch:
        fleet.tell(first, status=500)
        kill(deployment, api_server(deployment))
        eventually(partial(answers, deployment), "the API server is back", seconds=60)
        await_replaced(fleet, first)
    watch.auditor.expect_repaired(names_of([first]))
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []


def api_server(deployment: Deployment) -> Json:
    said = deployment.kubectl(
        "-n", "kube-system", "get", "pods", "-l", "component=kube-apiserver", "-o", "json"
    )
    (pod,) = json.loads(said)["items"]
    found: Json = pod
    return found


def answers(deployment: Deployment) -> bool:
    try:
        deployment.kubectl("get", "--raw", "/readyz")
    except CommandError:
        return False
    return True


def is_replaced(world: KindWorld, pod: Json) -> bool:
    """Whether another instance stands in its place; not while the API server is away."""
    try:
        return pod["metadata"]["uid"] not in uids_of(world.pods("web"))
    except OSError:
        return False


def test_an_operator_that_is_cut_off_from_all_instances_repairs_none(
    fleet: KindWorld, deployment: Deployment
) -> None:
    """X-05, rules 16 to 18: silence alone, of everybody at once, is no verdict."""
    before = fleet.pods("web")
    everybody = uids_of(before)
    with AuditorWatch(fleet.api, namespace=fleet.namespace) as watch:
        with cut_off(deployment):
            fleet.await_status("web", lambda s: s["repairs"].get("doubts"), "it doubts itself")

            def untouched() -> None:
                assert everybody <= uids_of(fleet.pods("web"))

            throughout(SILENT_S, untouched)
            assert all(
                condition(pod, GATE) == "True"
                for pod in fleet.pods("web")
                if pod["metadata"]["uid"] in everybody
            )
        fleet.await_status("web", lambda s: not s["repairs"].get("doubts"), "it sees again")
        fleet.await_ready("web", seconds=READY_S)
    assert uids_of(fleet.pods("web")) == everybody
    assert "WitnessCreated" in fleet.events("web")
    watch.auditor.expect_repaired([])
    assert watch.auditor.violations() == []


@contextmanager
def cut_off(deployment: Deployment) -> Iterator[None]:
    """Drop what the operator's replicas send to instances, on the nodes that they are on."""
    rules = []
    for pod in deployment.pods():
        ends = ("ip", "saddr", pod["status"]["podIP"], "tcp", "dport", str(PORT))
        rules.append((pod["spec"]["nodeName"], ends))
    try:
        for node, ends in rules:
            nft = partial(deployment.on_node, node, "nft")
            nft("add", "table", "inet", "cut")
            nft("add", "chain", "inet", "cut", "way", "{ type filter hook forward priority -50; }")
            nft("add", "rule", "inet", "cut", "way", *ends, "drop")
        yield
    finally:
        for node in {node for node, _ in rules}:
            # First made, for it may not be there: an error of ours would hide the test's own.
            deployment.on_node(node, "nft", "add", "table", "inet", "cut")
            deployment.on_node(node, "nft", "delete", "table", "inet", "cut")


def test_instances_of_a_node_that_is_drained_by_force_come_again_elsewhere(
    fleet: KindWorld, deployment: Deployment
) -> None:
    """R-19: as many as are wanted, none twice, and those on other nodes untouched."""
    node = fleet.pods("web")[0]["spec"]["nodeName"]
    gone = [pod for pod in fleet.pods("web") if pod["spec"]["nodeName"] == node]
    stay = uids_of(fleet.pods("web")) - uids_of(gone)
    with AuditorWatch(fleet.api, namespace=fleet.namespace) as watch:
        watch.auditor.forgive(*names_of(gone))
        try:
            deployment.kubectl(
                *("drain", node, "--force", "--ignore-daemonsets", "--delete-emptydir-data"),
                *("--disable-eviction", "--timeout=120s"),
            )
            fleet.await_ready("web", seconds=READY_S)
        finally:
            deployment.kubectl("uncordon", node)
        deployment.await_ready()
    assert stay <= uids_of(fleet.pods("web"))
    assert not uids_of(gone) & uids_of(fleet.pods("web"))
    watch.auditor.expect_repaired([])
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []


@pytest.mark.timeout(600)
def test_a_node_is_lost_with_the_leader_and_half_of_the_instances_and_comes_back(
    world: KindWorld, deployment: Deployment
) -> None:
    """X-05: silence there is the node's; what is stuck there makes nobody a second."""
    template = world.template("web")
    template["spec"]["tolerations"] = SOON
    world.scale_set("web", SIZE, template=template, repairs=REPAIRS)
    world.await_ready("web", seconds=READY_S)
    leader = deployment.leader()
    (node,) = (p["spec"]["nodeName"] for p in deployment.pods() if p["metadata"]["name"] == leader)
    lost = [pod for pod in world.pods("web") if pod["spec"]["nodeName"] == node]
    stay = uids_of(world.pods("web")) - uids_of(lost)
    assert lost
    assert stay
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        watch.auditor.forgive(*names_of(lost))
        with lost_node(deployment, node):
            await_others(world, deployment, lost)
            assert stay <= uids_of(world.pods("web"))
        world.await_ready("web", seconds=READY_S)
        eventually(
            lambda: len(world.everything_of("web")) == SIZE,
            "what was stuck is gone",
            seconds=READY_S,
        )
        deployment.await_ready()
    assert stay <= uids_of(world.pods("web"))
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []


@contextmanager
def lost_node(deployment: Deployment, node: str) -> Iterator[None]:
    """Inside, the node is without power."""
    deployment.stop_node(node)
    try:
        yield
    finally:
        deployment.start_node(node)


def await_others(world: KindWorld, deployment: Deployment, lost: list[Json]) -> None:
    """Wait until the lost are told to go, and as many others stand in for them."""
    eventually(
        lambda: not uids_of(lost) & uids_of(world.pods("web")),
        "those on the node are told to go",
        seconds=NODE_LOST_S,
        every=1.0,
        told=deployment.story,
    )
    eventually(
        lambda: len(world.pods("web")) == SIZE,
        "others stand in for them",
        seconds=READY_S,
        told=lambda: f"{world.told('web')}\n{deployment.story()}",
    )
