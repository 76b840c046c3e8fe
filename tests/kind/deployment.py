"""The operator in the cluster under test: as people install it, in one way or the other.

Must not know: what the operator is to do.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from demo import deployment
from tests.integration import charts
from tests.kind.pods import process

if TYPE_CHECKING:
    from tests.integration.sets import Json

_CHART: Final = (charts.RELEASE, str(charts.CHART))
_WAIT: Final = ("--wait", "--timeout=120s")


class Deployment(deployment.Deployment):
    """The operator, by kustomize or by the chart."""

    def install_by_chart(self, helm: charts.Helm, image: str) -> None:
        """Install the Helm chart with this image, and wait until it is ready."""
        repository, _, tag = image.partition(":")
        chosen = {"image": {"repository": repository, "tag": tag}}
        helm("install", *_CHART, "--create-namespace", *_WAIT, values=chosen)
        self.await_ready()

    def upgrade_by_chart(self, helm: charts.Helm, **values: Any) -> None:
        """Upgrade to the chart as it is, with these values beside those that it has."""
        helm("upgrade", *_CHART, "--reuse-values", *_WAIT, values=values)
        self.await_ready()

    def vantage(self) -> Json:
        """The Secret that the replicas share."""
        secret = ("get", "secret", f"{deployment.NAME}-vantage", "-o", "json")
        found: Json = json.loads(self.kubectl("-n", deployment.NAMESPACE, *secret))
        return found

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
