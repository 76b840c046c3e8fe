"""Pods of the local cluster in a namespace of their own, and what a test asks about them.

Must not know: the operator, or any single test.
"""

from __future__ import annotations

import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pytest

    from localcluster.cluster import LocalCluster

GATE = "example.org/open"


class Pods:
    """Pods in a namespace of their own."""

    def __init__(self, cluster: LocalCluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        cluster.kubectl("create", "namespace", namespace)

    def kubectl(self, *arguments: str, **options: str) -> str:
        return self.cluster.kubectl(f"--namespace={self.namespace}", *arguments, **options)

    def create(self, name: str, *, gate: bool = False, **marks: str) -> None:
        """Make a pod; `start_delay="2"` marks it `localcluster/start-delay: "2"`."""
        labels = {f"localcluster/{mark.replace('_', '-')}": text for mark, text in marks.items()}
        spec: dict[str, Any] = {"containers": [{"name": "main", "image": "instance:1"}]}
        if gate:
            spec["readinessGates"] = [{"conditionType": GATE}]
        meta = {"name": name, "labels": labels}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
        self.kubectl("create", "-f", "-", input=json.dumps(pod))

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "pod", name, "-o", "json"))
        return found["status"] if "conditions" in found["status"] else {}

    def condition(self, name: str, kind: str) -> str | None:
        conditions = self.status(name).get("conditions", ())
        return next((entry["status"] for entry in conditions if entry["type"] == kind), None)

    def is_ready(self, name: str) -> bool:
        return self.condition(name, "Ready") == "True"

    def container(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = next(iter(self.status(name).get("containerStatuses", [{}])))
        return found

    def set_gate(self, name: str, status: str) -> None:
        conditions = [{"type": GATE, "status": status}]
        patch = json.dumps({"status": {"conditions": conditions}})
        self.kubectl("patch", "pod", name, "--subresource=status", "-p", patch)

    def names(self) -> list[str]:
        return self.kubectl("get", "pods", "-o", "name").split()


def in_own_namespace(cluster: LocalCluster, request: pytest.FixtureRequest) -> Iterator[Pods]:
    """Give pods in a namespace named after the test, for as long as it runs."""
    made = Pods(cluster, request.node.name.replace("_", "-")[-60:].strip("-"))
    yield made
    cluster.kubectl("delete", "namespace", made.namespace, "--wait=false")


def eventually(condition: Callable[[], bool], seconds: float = 15) -> None:
    """Wait for a condition, with an end."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true"
        time.sleep(0.05)


def answer_of(address: str, port: int) -> int:
    """Give the status a pod's health page answers with."""
    with urllib.request.urlopen(f"http://{address}:{port}/healthz", timeout=5) as answer:
        return int(answer.status)
