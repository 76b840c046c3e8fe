"""Pretended nodes: making them, silencing them, bringing them back.

A node is kept alive by KWOK while it bears `stages.KUBELET_LABEL`; without it its lease runs out
and its pods are looked after by nobody, as when a machine is lost. It must not know the processes.
"""

from __future__ import annotations

import contextlib
import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localcluster.api import ApiError
from localcluster.stages import KUBELET_LABEL, KUBELET_RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcluster.api import ApiClient

_NODES = "/api/v1/nodes"
_ZONES = 3
_SILENT = {
    "status": "Unknown",
    "reason": "NodeStatusUnknown",
    "message": "Kubelet stopped posting node status.",
}
# The first may cross a last word of the pretended kubelet's.
_PASSES = 2


@dataclass(frozen=True, slots=True)
class NodeBlocks:
    """How pods' addresses tell their node: each node has a block of its own, or none has."""

    pod_cidr: str
    prefix: int | None = None

    def block(self, index: int) -> str | None:
        """Give the block of the node with this index.

        Raises:
            ValueError: the cluster's block has no room for so many nodes.
        """
        if self.prefix is None:
            return None
        whole = ipaddress.IPv4Network(self.pod_cidr)
        size = 1 << (32 - self.prefix)
        if (index + 1) * size > whole.num_addresses:
            message = f"{self.pod_cidr} has no room for node {index} with /{self.prefix} blocks"
            raise ValueError(message)
        return f"{whole.network_address + index * size}/{self.prefix}"


class Nodes:
    """The nodes of one cluster."""

    def __init__(
        self, connect: Callable[[], ApiClient], blocks: NodeBlocks, *, untaint: bool
    ) -> None:
        """Remember how to make nodes.

        Args:
            connect: gives a new connection; one kept for long may be closed at the other end.
            blocks: the addresses of their pods.
            untaint: whether a controller manager will lift the taint new nodes bear.
        """
        self._connect = connect
        self._blocks = blocks
        self._untaint = untaint
        self._made = 0

    def names(self) -> list[str]:
        """Give the names of all nodes, in order."""
        return sorted(node["metadata"]["name"] for node in self._all())

    def add(self, count: int) -> list[str]:
        """Make more nodes, spread over three zones, and give their names; raises ApiError."""
        names = []
        with contextlib.closing(self._connect()) as api:
            for index in range(self._made, self._made + count):
                node = _node(index, self._blocks.block(index))
                api.create(_NODES, node)
                names.append(node["metadata"]["name"])
        self._made += count
        return names

    def stop(self, name: str) -> None:
        """Lose a node, at once what the control plane would find out a lease's length later.

        Its lease is no longer renewed and its pods are looked after by nobody; it is not Ready,
        and neither are they.
        """
        with contextlib.closing(self._connect()) as api:
            _mark(api, name, None)
            _unready(api, f"{_NODES}/{name}", **_SILENT)
            for _ in range(_PASSES):
                for path in _ready_pods(api, name):
                    _unready(api, path, status="False", reason="NodeNotReady", message="")

    def start(self, name: str) -> None:
        """Bring a lost node back."""
        with contextlib.closing(self._connect()) as api:
            _mark(api, name, KUBELET_RUNNING)

    def are_ready(self, names: list[str]) -> bool:
        """Say whether these nodes are Ready and take pods."""
        return set(names) <= {node["metadata"]["name"] for node in self._all() if self._fit(node)}

    def _fit(self, node: dict[str, Any]) -> bool:
        return _is_ready(node) and not (self._untaint and node["spec"].get("taints"))

    def _all(self) -> list[dict[str, Any]]:
        with contextlib.closing(self._connect()) as api:
            items: list[dict[str, Any]] = api.get(_NODES)["items"]
        return items


def _mark(api: ApiClient, name: str, value: str | None) -> None:
    api.merge(f"{_NODES}/{name}", {"metadata": {"labels": {KUBELET_LABEL: value}}})


def _unready(api: ApiClient, path: str, **condition: str) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ready = {"type": "Ready", "lastTransitionTime": now, **condition}
    # What is gone meanwhile needs no telling.
    with contextlib.suppress(ApiError):
        api.patch_status(path, {"conditions": [ready]})


def _ready_pods(api: ApiClient, node: str) -> list[str]:
    pods = api.get(f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")["items"]
    return [
        f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"
        for pod in pods
        if _is_ready(pod)
    ]


def _node(index: int, block: str | None) -> dict[str, Any]:
    name = f"node-{index}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": {
                KUBELET_LABEL: KUBELET_RUNNING,
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                "kubernetes.io/arch": "amd64",
                "topology.kubernetes.io/region": "local",
                "topology.kubernetes.io/zone": f"zone-{index % _ZONES}",
            },
        },
        "spec": {"podCIDR": block, "podCIDRs": [block]} if block else {},
    }


def _is_ready(thing: dict[str, Any]) -> bool:
    return any(
        condition["type"] == "Ready" and condition["status"] == "True"
        for condition in thing.get("status", {}).get("conditions", ())
    )
