"""What a cluster does to an operator: its API server restarts, its paths are cut, its nodes go."""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from localcluster.commands import CommandError
from tests.integration.sets import names_of, uids_of
from tests.integration.waiting import eventually, throughout
from tests.kind.cuts import cut_off
from tests.kind.fleet import READY_S, REPAIRS, SIZE, await_replaced
from tests.kind.pods import GATE, condition
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.sets import Json
    from tests.kind.deployment import Deployment
    from tests.kind.world import KindWorld

NODE_LOST_S: Final = 150.0
SOON: Final = [
    {"key": f"node.kubernetes.io/{what}", "operator": "Exists", "effect": "NoExecute"}
    | {"tolerationSeconds": 5}
    for what in ("unreachable", "not-ready")
]
"""Pods leave a node that is gone after five seconds, and not after five minutes."""
SILENT_S: Final = 100.0
"""The doubt holds for a minute, then sends a witness and gives it its grace."""


def test_repairs_go_on_after_the_api_server_was_killed(
    fleet: KindWorld, deployment: Deployment
) -> None:
    """R-16, X-07: nothing is repaired twice, and nobody is lost."""
    first = fleet.pods("web")[2]
    with AuditorWatch(fleet.api, namespace=fleet.namespace) as watch:
        fleet.tell(first, status=500)
        deployment.signal(api_server(deployment), "KILL")
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


def test_an_operator_that_is_cut_off_from_all_instances_repairs_none(
    fleet: KindWorld, deployment: Deployment
) -> None:
    """X-05, rules 16 to 18: silence alone, of everybody at once, is no verdict."""
    before = fleet.pods("web")
    everybody = uids_of(before)
    with AuditorWatch(fleet.api, namespace=fleet.namespace) as watch:
        with cut_off(deployment, deployment.pods()):
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
    deployment.spread()
    node = deployment.leading()["spec"]["nodeName"]
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
