"""The operator in the cluster under test: as people install it, in one way or the other.

Must not know: what the operator is to do.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from demo import deployment
from tests.integration import charts
from tests.kind.pods import process

if TYPE_CHECKING:
    from tests.integration.sets import Json


class Deployment(deployment.Deployment):
    """The operator, by kustomize or by the chart."""

    def install_by_chart(self, image: str, **values: Any) -> None:
        """Apply what the Helm chart renders with this image."""
        repository, _, tag = image.partition(":")
        chosen = {"image": {"repository": repository, "tag": tag}} | values
        self.apply(deployment.ROOM)
        everything = {"apiVersion": "v1", "kind": "List", "items": charts.objects(chosen)}
        self.apply(everything)
        self.await_ready()

    def leading(self) -> Json:
        """The pod that holds the lease."""
        leader = self.leader()
        (pod,) = (pod for pod in self.pods() if pod["metadata"]["name"] == leader)
        return pod

    def signal(self, pod: Json, name: str) -> None:
        """Send a signal, such as KILL, to the process of a pod's container."""
        on_node = partial(self.on_node, pod["spec"]["nodeName"])
        on_node("kill", f"-{name}", process(pod, on_node))

    def stop_node(self, name: str) -> None:
        """End a node at once."""
        self._cluster.stop_node(self._known, name)

    def start_node(self, name: str) -> None:
        """Bring it back."""
        self._cluster.start_node(self._known, name)
