"""The operator in the cluster under test: as people install it, in one way or the other.

Must not know: what the operator is to do.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from demo import deployment
from localcluster.commands import CommandError
from localcluster.kind import config
from tests.integration import charts
from tests.integration.waiting import eventually
from tests.kind.pods import process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.sets import Json

ACCOUNT: Final = f"system:serviceaccount:{deployment.NAMESPACE}:{deployment.NAME}"
NODE_COMPONENTS: Final = ("node-maintenance", "node-jobs")
NODE_ROLES: Final = tuple(f"{deployment.NAME}-{name}" for name in NODE_COMPONENTS)
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

    @contextmanager
    def working_on_nodes(self, image: str) -> Iterator[None]:
        """Inside, it has the rights that windows with nodeMaintenance need, as people add them."""
        try:
            self.apply_overlay(image, *NODE_COMPONENTS)
            # The API server hears of roles a moment later, and who is refused asks minutes later.
            for asked in (("patch", "nodes"), ("create", "jobs"), ("delete", "jobs")):
                eventually(partial(self.may, *asked), f"it may {asked}", told=self.story)
            yield
        finally:
            for kind in ("clusterrolebinding", "clusterrole"):
                self.kubectl("delete", kind, "--ignore-not-found", *NODE_ROLES)

    def may(self, verb: str, resource: str) -> bool:
        """Whether its account may do that in every namespace, by the API server's word."""
        can_i = ("auth", "can-i", "--as", ACCOUNT, "--all-namespaces", verb, resource)
        try:
            return self.kubectl(*can_i).strip() == "yes"
        except CommandError:
            return False

    def force_away(self, pod: Json) -> None:
        """Delete a replica without waiting for its kubelet; another one is made in its place."""
        forced = ("--force", "--grace-period=0")
        name = pod["metadata"]["name"]
        self.kubectl("-n", deployment.NAMESPACE, "delete", "pod", name, *forced)

    def spread(self) -> None:
        """See that the replicas stand on two nodes; a drain leaves them on one."""
        while len({pod["spec"]["nodeName"] for pod in self.pods()}) < config.WORKERS:
            leader = self.leader()
            self.force_away(next(p for p in self.pods() if p["metadata"]["name"] != leader))
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
