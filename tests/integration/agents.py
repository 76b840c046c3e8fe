"""Node agents beside the local control plane: their own code, on data planes that only remember.

What they report they write as they do on a node, with the agent's own writer, on the Lease of
their node. It must not know what any test expects.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING, Final, cast

from scaleset_operator.adapters.cluster.agentlease import AgentLease
from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.agent.lastknown import Known, LastKnown
from scaleset_operator.agent.members import member_of
from scaleset_operator.agent.nodeagent import NodeAgent, Parts
from scaleset_operator.agent.pausedesk import PauseDesk
from scaleset_operator.agent.usage import Triple, Usage
from scaleset_operator.api.agentreport import lease_name
from scaleset_operator.api.outboundrule import OutboundRule
from tests.agent.test_nodeagent import Planes
from tests.agent.test_pausedesk import Freezers
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scaleset_operator.agent.plane import Plane
    from tests.integration.world import Json, World

LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
"""Where an operator that runs outside of a pod looks for the agents' Leases."""
FAR: Final = Triple(IPv4Address("203.0.113.5"), 443, "tcp")


class AgentAt:
    """The agent of one node.

    Attributes:
        plane: its data plane; what is put into `usage` is what it reads.
    """

    def __init__(self, world: World, node: str, address: str, folder: Path) -> None:
        self._world, self.node = world, node
        self.plane = Planes()
        parts = Parts(
            plane=cast("Plane", self.plane),
            desk=PauseDesk(Freezers(), folder, lambda _: folder, lambda: datetime.now(UTC)),
            last=LastKnown(folder),
            fib_trie=lambda: f"  |-- {address}\n     /32 host LOCAL\n",
            inside=(IPv4Network("10.0.0.0/8"),),
        )
        self._agent = NodeAgent(parts, node=node, version="1.2.3")

    def round(self) -> None:
        """Sees what there is, carries it out, reads what is used, and reports."""
        world = self._world
        rules = world.api.items(path_of("OutboundRule", world.namespace))
        pods = [
            pod
            for pod in world.api.items(path_of("Pod", world.namespace))
            if pod["spec"].get("nodeName") == self.node
        ]
        members = tuple(one for one in map(member_of, pods) if one is not None)
        self._agent.see(Known(members, tuple(map(OutboundRule.model_validate, rules))))
        self._agent.read()
        self.write(self._agent.report().text())

    def write(self, report: str) -> None:
        """Renews the Lease with a report, whatever it says."""

        async def sent() -> None:
            connection = await Connection.open(str(self._world.cluster.user_kubeconfig("admin")))
            try:
                lease = AgentLease(connection, "default", self.node)
                await lease.write(report, datetime.now(UTC))
            finally:
                await connection.close()

        asyncio.run(sent())

    def use(self, instance: str, ports: int, *, refused: int = 0) -> None:
        """From now on so many flows of an instance are open to one destination."""
        read = Usage(flows=ports, ports=ports, triples={FAR: ports}, drops=refused)
        self.plane.usage[f"{self._world.namespace}/{instance}"] = read

    def withdraw(self) -> None:
        """Takes its Lease away."""
        self._world.api.delete(f"{LEASES}/{lease_name(self.node)}")


@contextmanager
def agents_of(world: World, address: str, folder: Path) -> Iterator[dict[str, AgentAt]]:
    """An agent on every node, all of which hold the address; their Leases go at the end."""
    nodes: list[Json] = world.api.items("/api/v1/nodes")
    names = [node["metadata"]["name"] for node in nodes]
    found = {name: AgentAt(world, name, address, folder / name) for name in names}
    try:
        yield found
    finally:
        for agent in found.values():
            agent.withdraw()
