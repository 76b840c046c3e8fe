"""The pretended kubelets of the local cluster behave as real ones, or misbehave as told."""

from __future__ import annotations

import ipaddress
import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.localcluster.pods import GATE, Pods, answer_of, eventually, in_own_namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.cluster import LocalCluster


@pytest.fixture
def pods(control_plane: LocalCluster, request: pytest.FixtureRequest) -> Iterator[Pods]:
    yield from in_own_namespace(control_plane, request)


def test_a_pods_address_is_in_the_clusters_block_and_answers(pods: Pods) -> None:
    pods.create("one")
    eventually(lambda: pods.is_ready("one"))
    address = pods.status("one")["podIP"]
    block = ipaddress.IPv4Network(pods.cluster.pod_cidr)
    assert ipaddress.IPv4Address(address) in block
    assert answer_of(address, pods.cluster.responder.port) == 200


def test_ready_follows_the_readiness_gate_both_ways_and_nobody_sets_it(pods: Pods) -> None:
    pods.create("gated", gate=True)
    eventually(lambda: pods.condition("gated", "ContainersReady") == "True")
    assert pods.condition("gated", GATE) is None
    assert pods.condition("gated", "Ready") == "False"
    pods.set_gate("gated", "True")
    eventually(lambda: pods.is_ready("gated"))
    pods.set_gate("gated", "False")
    eventually(lambda: pods.condition("gated", "Ready") == "False")
    assert pods.condition("gated", "ContainersReady") == "True"


def test_conditions_somebody_wiped_are_written_back(pods: Pods) -> None:
    pods.create("wiped", gate=True)
    eventually(lambda: pods.condition("wiped", "ContainersReady") == "True")
    only_ours = {"status": {"conditions": [{"type": GATE, "status": "True"}]}}
    patch = ("--subresource=status", "--type=merge", "-p", json.dumps(only_ours))
    pods.kubectl("patch", "pod", "wiped", *patch)
    eventually(lambda: pods.is_ready("wiped"))
    assert pods.condition("wiped", "Initialized") == "True"
    assert pods.condition("wiped", GATE) == "True"


def test_a_slow_pod_starts_after_its_delay_whatever_else_changes(pods: Pods) -> None:
    pods.create("slow", gate=True, start_delay="2")
    eventually(lambda: "waiting" in pods.container("slow").get("state", {}))
    accepted = time.monotonic()
    time_of_change = accepted + 1
    eventually(lambda: time.monotonic() > time_of_change)
    pods.set_gate("slow", "True")  # must not start the delay anew
    assert not pods.is_ready("slow")
    eventually(lambda: pods.is_ready("slow"))
    assert 1.5 < time.monotonic() - accepted < 2.9


def test_a_pod_that_never_starts_does_once_its_mark_goes(pods: Pods) -> None:
    pods.create("never", never_ready="true")
    eventually(lambda: "waiting" in pods.container("never").get("state", {}))
    assert pods.status("never")["phase"] == "Pending"
    assert pods.condition("never", "Ready") == "False"
    pods.kubectl("label", "pod", "never", "localcluster/never-ready-")
    eventually(lambda: pods.is_ready("never"))


def test_a_crashing_pod_counts_its_restarts_and_recovers(pods: Pods) -> None:
    pods.create("crash", crash="true")
    eventually(lambda: pods.container("crash").get("restartCount") == 1)
    assert pods.container("crash")["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    eventually(lambda: pods.container("crash").get("restartCount") == 2, seconds=14)
    pods.kubectl("label", "pod", "crash", "localcluster/crash-")
    eventually(lambda: pods.is_ready("crash"))
    assert pods.container("crash")["restartCount"] == 2


def test_a_stuck_pod_terminates_once_its_mark_goes(pods: Pods) -> None:
    pods.create("stuck", gate=True, stuck_terminating="true")
    pods.create("other")
    eventually(lambda: pods.is_ready("other"))
    eventually(lambda: pods.condition("stuck", "ContainersReady") == "True")
    pods.kubectl("delete", "pod", "stuck", "other", "--wait=false")
    eventually(lambda: pods.names() == ["pod/stuck"])
    pods.set_gate("stuck", "True")  # its kubelet is still there
    eventually(lambda: pods.is_ready("stuck"))
    pods.kubectl("label", "pod", "stuck", "localcluster/stuck-terminating-")
    eventually(lambda: pods.names() == [])


def test_a_pod_may_take_its_time_to_stop(pods: Pods) -> None:
    pods.create("lingering", stop_delay="3")
    eventually(lambda: pods.is_ready("lingering"))
    pods.kubectl("delete", "pod", "lingering", "--wait=false")
    deleted = time.monotonic()
    eventually(lambda: pods.names() == [])
    assert 1.9 < time.monotonic() - deleted < 4.5


def test_an_image_changed_in_place_restarts_the_container_and_keeps_the_pod(pods: Pods) -> None:
    pods.create("renewed")
    eventually(lambda: pods.is_ready("renewed"))
    before, address = pods.container("renewed"), pods.status("renewed")["podIP"]
    next_second = time.monotonic() + 1.1  # times of start are whole seconds
    eventually(lambda: time.monotonic() > next_second)
    pods.kubectl("set", "image", "pod/renewed", "main=instance:2")
    eventually(lambda: pods.container("renewed").get("restartCount") == 1)
    after = pods.container("renewed")
    assert after["image"] == "instance:2"
    assert after["imageID"] != before["imageID"]
    assert after["containerID"] != before["containerID"]
    assert after["state"]["running"]["startedAt"] > before["state"]["running"]["startedAt"]
    assert after["lastState"]["terminated"]["startedAt"] == before["state"]["running"]["startedAt"]
    assert pods.is_ready("renewed")
    assert pods.status("renewed")["podIP"] == address


def test_a_lost_node_takes_its_pods_along_and_brings_them_back(pods: Pods) -> None:
    (node,) = pods.cluster.add_nodes(1)
    assert node in pods.cluster.nodes
    spec = {"nodeName": node, "containers": [{"name": "main", "image": "instance:1"}]}
    meta = {"name": "lost", "labels": {}}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
    pods.kubectl("create", "-f", "-", input=json.dumps(pod))
    eventually(lambda: pods.is_ready("lost"))
    pods.cluster.stop_node(node)
    assert pods.condition("lost", "Ready") == "False"
    shown = pods.cluster.kubectl("get", "node", node)
    assert "NotReady" in shown
    pods.kubectl("delete", "pod", "lost", "--wait=false")
    lease = ("get", "lease", node, "--namespace=kube-node-lease", "-o", "json")
    renewed = json.loads(pods.cluster.kubectl(*lease))["spec"]["renewTime"]
    assert pods.names() == ["pod/lost"]
    pods.cluster.start_node(node)
    eventually(lambda: pods.names() == [])
    eventually(lambda: " Ready" in pods.cluster.kubectl("get", "node", node))
    assert json.loads(pods.cluster.kubectl(*lease))["spec"]["renewTime"] >= renewed
    pods.cluster.kubectl("delete", "node", node)
