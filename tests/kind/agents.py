"""The node agents in the cluster under test: installed and taken away as the documentation says.

Must not know what an agent is to do.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from localcluster.kind import config
from manifests.generator.sources import AGENT_NAMESPACE, NAMESPACE
from scaleset_operator.api.agentreport import AgentReport, lease_name
from tests.integration.waiting import eventually
from tests.kind.pods import container, running

if TYPE_CHECKING:
    from tests.integration.sets import Json
    from tests.kind.deployment import Deployment

NAME: Final = "scaleset-agent"
ACCOUNT: Final = f"system:serviceaccount:{AGENT_NAMESPACE}:{NAME}"
PAGE: Final = Path(__file__).parents[2] / "docs" / "agent.md"
TAKE_AWAY: Final = r"^```console\n(\$ kubectl -n scaleset-agents patch.*?)^```"
ADMIN: Final = "/etc/kubernetes/admin.conf"
READY_S: Final = 120
FOREIGN: Final = """\
table ip foreign {
    set some {
        type ipv4_addr
        elements = { 192.0.2.1, 192.0.2.2 }
    }
    chain way {
        type filter hook forward priority filter; policy accept;
        ip saddr @some counter accept
    }
}
"""
"""Rules of somebody else, on each node."""


class Agents:
    """The DaemonSet.

    Attributes:
        found: node -> its whole rule set, before the first agent came.
    """

    def __init__(self, deployment: Deployment, image: str) -> None:
        self._deployment = deployment
        self._image = image
        self.found: dict[str, str] = {}

    def install(self) -> None:
        """Add the component, with the cluster's own networks as the inside, and wait for it."""
        for node in config.nodes():
            self._on_node(node, "sh", "-c", 'printf %s "$1" | nft -f -', "sh", FOREIGN)
        self.found = {node: self._settled(node) for node in config.nodes()}
        self._deployment.apply_overlay(self._image, "agent", patches=[self._inside()])
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until every node has one, of the present form, which is ready."""
        status = ("rollout", "status", f"daemonset/{NAME}", f"--timeout={READY_S}s")
        self._kubectl(*status)

    def take_away(self) -> None:
        """Do what the documentation says, word by word."""
        (said,) = re.findall(TAKE_AWAY, PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        commands = [line.removeprefix("$ ") for line in said.replace("\\\n", "").splitlines()]
        within = ("env", f"KUBECONFIG={ADMIN}", "timeout", str(READY_S))
        self._on_node(config.nodes()[0], *within, "sh", "-c", " && ".join(commands))

    def remove(self) -> None:
        """Leave nothing of it, and no foreign rules, whatever became of it."""
        gone = ("--ignore-not-found", "--wait=true")
        self._kubectl("delete", "namespace", AGENT_NAMESPACE, *gone)
        self._kubectl("delete", "clusterrolebinding,clusterrole", NAME, *gone)
        self._deployment.kubectl("-n", NAMESPACE, "delete", "rolebinding,role", NAME, *gone)
        for node in config.nodes():
            for table in ("foreign", "scaleset_outbound"):
                # First made, for it may not be there: an error of ours would hide the test's own.
                self._on_node(node, "nft", "add", "table", "ip", table)
                self._on_node(node, "nft", "delete", "table", "ip", table)

    def pod(self, node: str) -> Json:
        """The agent of a node."""
        where = ("--field-selector", f"spec.nodeName={node}", "-o", "json")
        (found,) = json.loads(self._kubectl("get", "pods", *where))["items"]
        pod: Json = found
        return pod

    def kill(self, node: str) -> str:
        """Kill its process; gives the container that it was."""
        pod = self.pod(node)
        self._deployment.signal(pod, "KILL")
        return str(container(pod)["containerID"])

    def await_another(self, node: str, former: str) -> None:
        """Wait until kubelet has started it again, and it is ready."""

        def stands() -> bool:
            pod = self.pod(node)
            return running(pod) and container(pod)["containerID"] != former

        eventually(stands, "it was started again", seconds=READY_S, told=lambda: self.story(node))
        self.await_ready()

    def report(self, node: str) -> AgentReport | None:
        """What it last reported; None where there is nothing."""
        lease = ("get", "lease", lease_name(node), "--ignore-not-found", "-o", "json")
        said = self._deployment.kubectl("-n", NAMESPACE, *lease)
        return AgentReport.of(json.loads(said)["metadata"]["annotations"]) if said.strip() else None

    def rules(self, node: str) -> str:
        """The whole rule set of a node, without its counts, and without kube-proxy's own chains.

        It writes these in another order whenever any Service changes.
        """
        found = self._on_node(node, "nft", "--stateless", "list", "ruleset")
        others = re.sub(r"\tchain KUBE-[^{]*\{.*?\n\t\}\n\n?", "", found, flags=re.DOTALL)
        return "\n".join(line for line in others.splitlines() if "KUBE-" not in line)

    def story(self, node: str) -> str:
        """What it said last."""
        return self._kubectl("logs", self.pod(node)["metadata"]["name"], "--tail=30")

    def _settled(self, node: str) -> str:
        """Its rules once kube-proxy has come to its end with them."""
        seen = [self.rules(node)]

        def stands() -> str:
            seen.append(self.rules(node))
            return seen[-1] if seen[-1] == seen[-2] else ""

        return eventually(stands, f"the rules of {node} stand", every=2.0)

    def _inside(self) -> Json:
        """The patch that names the networks of pods and nodes: the server's is private, too."""
        nodes = json.loads(self._deployment.kubectl("get", "nodes", "-o", "json"))["items"]
        networks = [node["spec"]["podCIDR"] for node in nodes]
        networks += [
            f"{one['address']}/32"
            for node in nodes
            for one in node["status"]["addresses"]
            if one["type"] == "InternalIP"
        ]
        variable = {"name": "SCALESET_AGENT_INSIDE", "value": ",".join(networks)}
        container = {"name": "agent", "env": [variable]}
        spec = {"template": {"spec": {"containers": [container]}}}
        whose = {"apiVersion": "apps/v1", "kind": "DaemonSet"}
        named = {"metadata": {"name": NAME, "namespace": AGENT_NAMESPACE}}
        return {"patch": json.dumps(whose | named | {"spec": spec})}

    def _kubectl(self, *arguments: str) -> str:
        return self._deployment.kubectl("-n", AGENT_NAMESPACE, *arguments)

    def _on_node(self, node: str, *argv: str) -> str:
        return self._deployment.on_node(node, *argv)
