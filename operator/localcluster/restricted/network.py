"""The pod network where no network plugin's image can be had: one link per pod, routes by hand.

Each node gives its pods addresses of its own block (`ptp` with `host-local`); host and nodes have a
route to each block. NetworkPolicies are not enforced. The files and routes are values here; who
writes them is told by the caller.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from localcluster.commands import Commands

CONFIGURATION = "/etc/cni/net.d/10-ptp.conflist"


@dataclass(frozen=True, slots=True)
class Node:
    """A node as the network sees it."""

    name: str
    address: str
    pod_cidr: str


def nodes_of(listed: Mapping[str, Any]) -> list[Node]:
    """Read the nodes from a NodeList."""
    return [
        Node(
            item["metadata"]["name"],
            next(
                entry["address"]
                for entry in item["status"]["addresses"]
                if entry["type"] == "InternalIP"
            ),
            item["spec"]["podCIDR"],
        )
        for item in listed["items"]
    ]


def conflist(pod_cidr: str) -> str:
    """Give the CNI configuration of a node whose pods have this block."""
    return json.dumps(
        {
            "cniVersion": "0.4.0",
            "name": "ptp",
            "plugins": [
                {
                    "type": "ptp",
                    "ipMasq": False,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": "/run/cni-ipam-state",
                        "ranges": [[{"subnet": pod_cidr}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        }
    )


def set_up(nodes: Iterable[Node], run: Commands) -> None:
    """Let the pods of all nodes reach each other, and the host reach them; raises CommandError."""
    known = list(nodes)
    for node in known:
        inside = ("docker", "exec", "--interactive", node.name)
        run(
            *inside,
            *("cp", "/dev/stdin", CONFIGURATION),
            stdin=conflist(node.pod_cidr).encode(),
        )
        run("ip", *_route("replace", node))
        for other in known:
            if other != node:
                run(*inside, "ip", *_route("replace", other))


def tear_down(nodes: Iterable[Node], run: Commands) -> None:
    """Take the routes off the host; one that is gone already is no fault."""
    for node in nodes:
        run.succeeds("ip", *_route("del", node))


def _route(verb: str, node: Node) -> tuple[str, ...]:
    return ("route", verb, node.pod_cidr, "via", node.address)
