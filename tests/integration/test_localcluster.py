"""The local cluster itself, on real processes: its users, its faults, and its end."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import signal
import socket
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

from localcluster import components, slots
from localcluster.cluster import KubectlError, LocalCluster, Tuning
from localcluster.controlplane import StartError
from localcluster.processes import ProcessId, is_running
from localcluster.supervisor import python_environment
from tests.localcluster.pods import Pods, answer_of, eventually, in_own_namespace

if TYPE_CHECKING:
    from collections.abc import Iterator


OWNER = """
import time
from localcluster.cluster import LocalCluster
with LocalCluster(nodes=1, name="killed"):
    print("up", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def pods(control_plane: LocalCluster, request: pytest.FixtureRequest) -> Iterator[Pods]:
    yield from in_own_namespace(control_plane, request)


@pytest.fixture(scope="module")
def fragile() -> Iterator[LocalCluster]:
    """Give a cluster whose processes may be stopped: the others need a while to find them again."""
    with LocalCluster(nodes=1, name="fragile") as cluster:
        yield cluster


def processes_of(name: str) -> list[ProcessId]:
    """Give every process of a cluster that is up."""
    (state,) = [state for state in slots.taken() if state["name"] == name]
    parts = [ProcessId(part["pid"], part["started"]) for part in state["processes"].values()]
    return [ProcessId(*state["supervisor"]), *parts]


def test_the_server_is_the_release_that_is_pinned(control_plane: LocalCluster) -> None:
    told = json.loads(control_plane.kubectl("version", "-o", "json"))["serverVersion"]
    assert (told["major"], told["minor"]) == ("1", "36")


def test_each_user_is_known_by_its_own_name(control_plane: LocalCluster) -> None:
    for user in ("operator", "auditor", "peer", "admin"):
        who = (
            "auth",
            "whoami",
            "-o",
            "json",
            f"--kubeconfig={control_plane.user_kubeconfig(user)}",
        )
        told = json.loads(control_plane.kubectl(*who))["status"]["userInfo"]
        assert told["username"] == user
        assert "system:masters" in told["groups"]
    with pytest.raises(KeyError):
        control_plane.user_kubeconfig("eve")


def test_the_audit_log_tells_who_did_what_and_spares_the_machinery(pods: Pods) -> None:
    config = f"--kubeconfig={pods.cluster.user_kubeconfig('operator')}"
    pods.kubectl(config, "create", "configmap", "noted")
    pods.kubectl(config, "get", "configmaps")
    events = [json.loads(line) for line in pods.cluster.audit_log.read_text().splitlines()]
    ours = [
        event
        for event in events
        if event["user"]["username"] == "operator"
        and event.get("objectRef", {}).get("namespace") == pods.namespace
    ]
    assert [event["verb"] for event in ours] == ["create", "list"]
    assert all(event["userAgent"].startswith("kubectl/") for event in ours)
    assert {event["stage"] for event in events} == {"ResponseComplete"}
    assert {event["level"] for event in events} == {"Metadata"}
    assert not [event for event in events if event["user"]["username"] == "system:apiserver"]
    machinery = [event for event in events if event["user"]["username"].startswith("system:")]
    assert not {event["verb"] for event in machinery} & {"get", "list", "watch"}
    assert "leases" not in {event.get("objectRef", {}).get("resource") for event in machinery}


def test_a_paused_server_answers_nobody_until_it_is_resumed(fragile: LocalCluster) -> None:
    port = int(fragile.server.rpartition(":")[2])
    fragile.pause(components.APISERVER)
    with socket.create_connection(("127.0.0.1", port), timeout=0.3) as connection:
        connection.sendall(b"hello")
        with pytest.raises(TimeoutError):
            connection.recv(1)
    fragile.resume(components.APISERVER)
    assert "default" in fragile.kubectl("get", "namespaces")


def test_a_restarted_server_keeps_its_address_and_its_objects(fragile: LocalCluster) -> None:
    pods = Pods(fragile, "kept")
    pods.create("kept")
    server = pods.cluster.server
    pods.cluster.restart(components.APISERVER)
    assert pods.cluster.server == server
    assert pods.names() == ["pod/kept"]
    pods.create("later")  # the others have found it again
    eventually(lambda: pods.is_ready("later"))


def test_a_stopped_server_refuses_until_it_is_started(fragile: LocalCluster) -> None:
    fragile.stop_component(components.APISERVER)
    with pytest.raises(KubectlError, match="refused"):
        fragile.kubectl("get", "namespaces")
    fragile.start_component(components.APISERVER)

    def answers() -> bool:
        with contextlib.suppress(KubectlError):
            return "default" in fragile.kubectl("get", "namespaces")
        return False

    eventually(answers)


def test_two_clusters_side_by_side_do_not_disturb_each_other(pods: Pods) -> None:
    first = pods.cluster
    pods.create("here")
    eventually(lambda: pods.is_ready("here"))
    address = pods.status("here")["podIP"]
    tuning = Tuning(node_prefix=24)
    with LocalCluster(nodes=2, name="second", tuning=tuning, users={"eve": ()}) as second:
        assert second.start_seconds < 15
        other = Pods(second, pods.namespace)
        other.create("there")
        eventually(lambda: other.is_ready("there"))
        assert (pods.names(), other.names()) == (["pod/here"], ["pod/there"])
        blocks = [ipaddress.IPv4Network(cluster.pod_cidr) for cluster in (first, second)]
        assert not blocks[0].overlaps(blocks[1])
        node = json.loads(other.kubectl("get", "pod", "there", "-o", "json"))["spec"]["nodeName"]
        block = json.loads(second.kubectl("get", "node", node, "-o", "json"))["spec"]["podCIDR"]
        assert ipaddress.IPv4Address(other.status("there")["podIP"]) in ipaddress.ip_network(block)
        second.responder.set("default", "status:204")
        assert answer_of(other.status("there")["podIP"], second.responder.port) == 204
        with pytest.raises(KubectlError, match="orbidden"):
            second.kubectl("get", "pods", f"--kubeconfig={second.user_kubeconfig('eve')}")
        folder = second.audit_log.parent
    assert not folder.exists()
    assert answer_of(address, first.responder.port) == 200
    assert pods.is_ready("here")


def test_nothing_is_left_when_the_owner_is_killed() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, env=python_environment()
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        processes = processes_of("killed")
        assert len(processes) == 7
        assert all(map(is_running, processes))
        owner.kill()
    eventually(lambda: not any(map(is_running, processes)))
    eventually(lambda: "killed" not in {state["name"] for state in slots.taken()})


def test_ctrl_c_stops_everything() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "localcluster", "up", "--name", "stopped", "--nodes", "1"],
        stdout=subprocess.PIPE,
        env=python_environment(),
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().startswith(b"Ready in")
        processes = processes_of("stopped")
        owner.send_signal(signal.SIGINT)
        assert owner.wait(20) == 130
        assert not any(map(is_running, processes))


def test_a_detached_cluster_is_up_until_it_is_taken_down() -> None:
    def run(*arguments: str) -> str:
        command = [sys.executable, "-m", "localcluster", *arguments]
        return subprocess.run(
            command, env=python_environment(), capture_output=True, text=True, check=True
        ).stdout

    shown = run("up", "--detach", "--name", "detached", "--nodes", "1")
    assert "export KUBECONFIG=" in shown
    processes = processes_of("detached")
    assert all(map(is_running, processes))
    states = json.loads(run("status", "-o", "json"))
    assert "detached" in {state["name"] for state in states}
    assert run("down", "--name", "detached") == "detached: stopped\n"
    assert not any(map(is_running, processes))


def test_a_start_that_fails_shows_why_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    tuning = Tuning(arguments={components.APISERVER: ["--no-such-flag"]})
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)  # nobody else's clusters are in it
        with pytest.raises(StartError, match=r"ended with code 1:(.|\n)*no-such-flag"):
            LocalCluster(nodes=0, name="failing", tuning=tuning).start()
        assert not [path for path in slots.root().iterdir() if path.is_dir()]
    monkeypatch.undo()


def test_ports_somebody_else_took_meanwhile_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    free_ports = slots.free_ports
    with socket.socket() as rival:
        rival.bind(("127.0.0.1", 0))
        rival.listen()
        taken = rival.getsockname()[1]
        given = iter([[*free_ports(2), taken]])
        monkeypatch.setattr(
            slots, "free_ports", lambda count: next(given, None) or free_ports(count)
        )
        with LocalCluster(nodes=1, name="displaced") as cluster:
            assert cluster.server != f"https://127.0.0.1:{taken}"
            assert cluster.nodes == ["node-0"]
