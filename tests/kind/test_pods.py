"""What the operator relies on in real kubelets: gates, renewal in place, images by their digest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from localcluster import images
from localcluster.commands import CommandError
from localcluster.kind import loading
from tests.kind.pods import PORT, condition, container, running, volume
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from localcluster.kind.cluster import KindCluster
    from tests.kind.pods import Json, Namespace


def restarts(seen: Json) -> int:
    """How often the container was started anew."""
    count: int = container(seen)["restartCount"]
    return count


def answers(namespace: Namespace, seen: Json, ask: tuple[str, ...]) -> str | None:
    """What a program on the pod's node prints; None when it fails."""
    try:
        return namespace.on_node(seen, *ask)
    except CommandError:
        return None


def test_a_pod_on_a_worker_answers_at_its_address_and_is_ready_by_its_gate(
    namespace: Namespace, instance: str
) -> None:
    seen = namespace.start("web", instance)
    assert "worker" in seen["spec"]["nodeName"]
    answer = wait_for(lambda: namespace.ask(seen), 10, "an answer")
    assert (answer.status, answer.body) == (200, "web\n")

    waiting = namespace.wait("web", lambda pod: condition(pod, "ContainersReady") == "True", "runs")
    assert condition(waiting, "Ready") == "False"
    namespace.open_gate("web")
    namespace.wait("web", lambda pod: condition(pod, "Ready") == "True", "is ready")


def test_a_service_leads_to_a_pod_once_its_gate_is_open(
    namespace: Namespace, instance: str
) -> None:
    seen = namespace.start("web", instance)
    namespace.kubectl("label", "pod", "web", "app=web")
    namespace.kubectl("create", "service", "clusterip", "web", f"--tcp=80:{PORT}")
    service = json.loads(namespace.kubectl("get", "service", "web", "-o", "json"))
    ask = ("curl", "--silent", "--max-time", "1", f"http://{service['spec']['clusterIP']}/")

    with pytest.raises(CommandError):
        namespace.on_node(seen, *ask)
    namespace.open_gate("web")
    wait_for(lambda: answers(namespace, seen, ask) == "web\n", 20, "an answer through the service")


def test_another_spelling_of_the_image_renews_the_container_and_keeps_the_pod(
    namespace: Namespace, instance: str
) -> None:
    before = namespace.start("web", instance)
    uid, address = before["metadata"]["uid"], before["status"]["podIP"]
    namespace.on_node(before, "touch", f"{volume(before)}/kept")
    namespace.ask(before, "/_control", {"status": 500})
    assert namespace.ask(before).status == 500

    namespace.set_image("web", images.full_name(instance))
    after = namespace.wait("web", lambda pod: restarts(pod) == 1 and running(pod), "is renewed")
    assert (after["metadata"]["uid"], after["status"]["podIP"]) == (uid, address)
    assert container(after)["containerID"] != container(before)["containerID"]
    assert namespace.on_node(after, "ls", volume(after)) == "kept\n"
    wait_for(lambda: namespace.ask(after).status == 200, 10, "the new container answers")


def test_an_image_is_found_by_its_digest(
    namespace: Namespace, instance: str, cluster: KindCluster
) -> None:
    seen = namespace.start("web", loading.by_digest(cluster, instance))
    assert "@sha256:" in seen["spec"]["containers"][0]["image"]
    assert wait_for(lambda: namespace.ask(seen).status == 200, 10, "an answer")


def test_an_instance_behaves_as_it_is_told(namespace: Namespace, instance: str) -> None:
    seen = namespace.start("web", instance)
    namespace.ask(seen, "/_control", {"status": 503, "body": "tired", "delay": "50ms"})
    answer = namespace.ask(seen)
    assert (answer.status, answer.body) == (503, "tired")
    assert namespace.ask(seen, "/_control", {"nonsense": 1}).status == 400

    namespace.ask(seen, "/_control", {"hang": True})
    with pytest.raises((TimeoutError, CommandError)):
        namespace.ask(seen)
    namespace.ask(seen, "/_control", {})
    assert namespace.ask(seen).status == 200

    namespace.ask(seen, "/_control", {"exit": 3})
    ended = namespace.wait("web", lambda pod: restarts(pod) == 1 and running(pod), "came back")
    assert container(ended)["lastState"]["terminated"]["exitCode"] == 3
