"""Real pods for tests: what one looks like, and how it is asked and told.

Must not know: the operator.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from localcluster.kind import config
from tests.support.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcluster.kind.cluster import KindCluster
    from localcluster.kind.state import State

Json = dict[str, Any]

GATE: Final = "scaleset.dev/InRotation"
PORT: Final = 8080
VOLUME: Final = "scratch"
START_S: Final = 60.0
ASK_S: Final = 5.0


def pod(name: str, image: str) -> Json:
    """Gives a test instance with a readiness gate."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": instance(image) | {"readinessGates": [{"conditionType": GATE}]},
    }


def instance(image: str, **changes: Any) -> Json:
    """The spec of a test instance with a volume that lives as long as the pod.

    Args:
        image: of its container.
        changes: fields of the container beside these, or instead of them.
    """
    container = {
        "name": "instance",
        "image": image,
        "ports": [{"containerPort": PORT}],
        "volumeMounts": [{"name": VOLUME, "mountPath": "/scratch"}],
    }
    return {
        "terminationGracePeriodSeconds": 1,
        "volumes": [{"name": VOLUME, "emptyDir": {}}],
        "containers": [container | changes],
    }


def volume(seen: Json) -> str:
    """Where the pod's volume is on its node."""
    uid = seen["metadata"]["uid"]
    return f"/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~empty-dir/{VOLUME}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What an instance answered."""

    status: int
    body: str


class Namespace:
    """A namespace on the cluster, and the pods in it."""

    def __init__(self, cluster: KindCluster, known: State, name: str) -> None:
        self.name = name
        self._cluster = cluster
        self._known = known
        self._run = cluster.docker(known)

    def definition(self) -> Json:
        """The namespace itself."""
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}

    def kubectl(self, *arguments: str, sent: str = "") -> str:
        """Runs kubectl in this namespace."""
        return self._cluster.kubectl(self._known, "-n", self.name, *arguments, sent=sent)

    def await_account(self) -> None:
        """Wait until pods may be created: before, they are refused, and who tries waits longer."""
        wait_for(
            lambda: "default" in self.kubectl("get", "serviceaccounts", "-o", "name"),
            START_S,
            "the account of the namespace",
        )

    def start(self, name: str, image: str) -> Json:
        """Creates a pod and gives it once its container runs and has an address."""
        self.kubectl("create", "-f", "-", sent=json.dumps(pod(name, image)))
        return self.wait(name, lambda seen: running(seen) and "podIP" in seen["status"], "runs")

    def get(self, name: str) -> Json:
        """The pod as it is."""
        found: Json = json.loads(self.kubectl("get", "pod", name, "-o", "json"))
        return found

    def wait(self, name: str, holds: Any, what: str) -> Json:
        """Gives the pod once something holds of it."""

        def look() -> Json | None:
            seen = self.get(name)
            assert holds(seen), json.dumps(seen["status"])
            return seen

        found = wait_for(look, START_S, f"{name} {what}")
        assert found is not None
        return found

    def open_gate(self, name: str) -> None:
        """Sets the pod's readiness gate."""
        patch = {"status": {"conditions": [{"type": GATE, "status": "True"}]}}
        self.kubectl(
            *("patch", "pod", name, "--subresource=status", "--type=strategic"),
            *("--patch", json.dumps(patch)),
        )

    def set_image(self, name: str, image: str) -> None:
        """Gives the pod's container another image."""
        patch = {"spec": {"containers": [{"name": "instance", "image": image}]}}
        self.kubectl("patch", "pod", name, "--type=strategic", "--patch", json.dumps(patch))

    def on_node(self, seen: Json, *argv: str) -> str:
        """Runs a program on the pod's node."""
        return self._run("docker", "exec", seen["spec"]["nodeName"], *argv)

    def ask(self, seen: Json, path: str = "/", put: Json | None = None) -> Answer:
        """Sends a request to the pod's address: from the host, or a node where it has no route."""
        url = f"http://{seen['status']['podIP']}:{PORT}{path}"
        sent = None if put is None else json.dumps(put)
        return _from_host(url, sent) if self._known.nodes else self._from_node(url, sent)

    def _from_node(self, url: str, sent: str | None) -> Answer:
        body = () if sent is None else ("--request", "PUT", "--data", sent)
        said = self._run(
            *("docker", "exec", config.nodes()[0], "curl", "--silent", "--max-time", str(ASK_S)),
            *("--write-out", "\n%{http_code}", *body, url),
        )
        text, _, status = said.rpartition("\n")
        return Answer(int(status), text)


def _from_host(url: str, sent: str | None) -> Answer:
    request = urllib.request.Request(  # noqa: S310 - an address of a pod of ours
        url, None if sent is None else sent.encode(), method="GET" if sent is None else "PUT"
    )
    try:
        with urllib.request.urlopen(request, timeout=ASK_S) as response:  # noqa: S310 - as above
            return Answer(response.status, response.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, error.read().decode())


def running(seen: Json) -> bool:
    """Whether the pod's container runs."""
    statuses = seen["status"].get("containerStatuses", [])
    return bool(statuses) and "running" in statuses[0]["state"]


def condition(seen: Json, kind: str) -> str | None:
    """The status of one of the pod's conditions."""
    found = [entry["status"] for entry in seen["status"]["conditions"] if entry["type"] == kind]
    return found[0] if found else None


def container(seen: Json) -> Json:
    """The status of the pod's container."""
    found: Json = seen["status"]["containerStatuses"][0]
    return found


def process(seen: Json, on_node: Callable[..., str]) -> str:
    """The number that the process of the pod's container has on its node.

    Args:
        seen: the pod.
        on_node: runs a program there.
    """
    number = container(seen)["containerID"].rpartition("/")[2]
    said = on_node("ctr", "--namespace", "k8s.io", "tasks", "ls")
    tasks = (line.split() for line in said.splitlines())
    return next(task[1] for task in tasks if task[0] == number)
