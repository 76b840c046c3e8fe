"""What the operator relies on in real kubelets: gates, renewal in place, images by their digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcluster import images
from localcluster.commands import CommandError
from localcluster.kind import loading
from tests.kind.pods import VOLUME, condition, container, running
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from localcluster.kind.cluster import KindCluster
    from tests.kind.pods import Json, Namespace


def restarts(seen: Json) -> int:
    """How often the container was started anew."""
    count: int = container(seen)["restartCount"]
    return count


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


def test_another_spelling_of_the_image_renews_the_container_and_keeps_the_pod(
    namespace: Namespace, instance: str
) -> None:
    before = namespace.start("web", instance)
    uid, address = before["metadata"]["uid"], before["status"]["podIP"]
    volume = f"/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~empty-dir/{VOLUME}"
    namespace.on_node(before, "touch", f"{volume}/kept")
    namespace.ask(before, "/_control", {"status": 500})
    assert namespace.ask(before).status == 500

    namespace.set_image("web", images.full_name(instance))
    after = namespace.wait("web", lambda pod: restarts(pod) == 1 and running(pod), "is renewed")
    assert (after["metadata"]["uid"], after["status"]["podIP"]) == (uid, address)
    assert container(after)["containerID"] != container(before)["containerID"]
    assert namespace.on_node(after, "ls", volume) == "kept\n"
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
