"""The node agent on real nodes: flows of real pods to a server outside the cluster, and its end."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import pytest

from localcluster.kind import config
from manifests.generator.files import AGENT_ROLES
from manifests.generator.sources import NAMESPACE, read
from tests.integration.audit import requests_in
from tests.integration.maintained import tier
from tests.integration.test_rights_used import used
from tests.integration.waiting import eventually
from tests.kind.agents import ACCOUNT, NAME
from tests.kind.outside import Outside, Running, Seen, outside
from tests.manifests.grants import granted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from localcluster.kind.cluster import KindCluster
    from tests.integration.sets import Json
    from tests.kind.agents import Agents
    from tests.kind.world import KindWorld

PORTS: Final = 8
SIZE: Final = 4
READY_S: Final = 120.0

pytestmark = pytest.mark.timeout(420)


@pytest.fixture(scope="module")
def far(cluster: KindCluster, image: str) -> Iterator[Outside]:
    """A server outside, and a front-end address on each worker."""
    with outside(cluster, image) as made:
        yield made


def pool(world: KindWorld, far: Outside) -> dict[str, Json]:
    """A set, and a rule that every agent carries out; gives its blocks, by instance."""
    world.scale_set("web", SIZE)
    tier(world, "web", "web")
    spec = {
        "scaleSetSelector": {"matchLabels": {"tier": "web"}},
        "frontendIPs": sorted(far.fronts.values()),
        "allocatedOutboundPorts": PORTS,
    }
    world.create("OutboundRule", "web", spec)
    world.await_ready("web", seconds=READY_S)
    status = world.await_status("web", is_real, "every block is real", kind="OutboundRule")
    return {one["instance"]: one for one in status["allocations"]}


def is_real(status: Json) -> bool:
    """Whether each instance has its block, and its agent carries that out."""
    blocks = status.get("allocations", [])
    return len(blocks) == SIZE and all(one.get("programmed") for one in blocks)


def whole(block: Json) -> set[Seen]:
    """Everywhere that flows of a block may come from."""
    ports = range(block["firstPort"], block["lastPort"] + 1)
    return {Seen(block["frontendIP"], port) for port in ports}


def test_flows_leave_from_their_own_blocks_until_the_agents_are_taken_away(
    world: KindWorld,
    far: Outside,
    agents: Agents,
    cluster: KindCluster,
    session_began: datetime,
) -> None:
    """S-15, S-16, S-17, S-18, S-34: what the server sees is what the rule says, no end of an agent
    breaks a flow, and what is taken away leaves foreign rules as they were. No right more or less
    than is granted is used."""
    blocks = pool(world, far)
    pods = {pod["metadata"]["name"]: pod for pod in world.pods("web")}
    assert blocks.keys() == pods.keys()
    for name, pod in pods.items():
        assert blocks[name]["frontendIP"] == far.fronts[pod["spec"]["nodeName"]]
        for protocol in ("tcp", "udp"):
            seen = far.flows(world, pod, 3, protocol)
            assert len(seen) == len(set(seen)) == 3, (name, protocol, seen)
            assert set(seen) <= whole(blocks[name]), (name, protocol, blocks[name])
    first, second, *_ = pods.values()
    mine, others = (blocks[pod["metadata"]["name"]] for pod in (first, second))
    assert set(far.flows(world, second, PORTS + 1)) == whole(others), "and no port more"
    running = far.running(world, first)
    assert running.seen() in whole(mine)
    assert_outlives(world, far, agents, first, running)
    assert set(far.flows(world, first, 1)) < whole(mine)
    world.await_ready("web")
    for node in far.fronts:
        assert agents.rules(node) != agents.found[node]
    agents.take_away()
    for node in config.nodes():
        assert agents.rules(node) == agents.found[node]
    (seen_now,) = far.flows(world, first, 1)
    assert seen_now.address not in far.fronts.values()
    assert_rights(cluster, session_began)


def assert_outlives(
    world: KindWorld, far: Outside, agents: Agents, pod: Json, running: Running
) -> None:
    """No death of an agent breaks a flow, nor does the start of the next."""
    node, came_from = pod["spec"]["nodeName"], running.seen().address
    killed = agents.kill(node)
    assert running.is_alive(), "nobody is there, and the rules are"
    (seen,) = far.flows(world, pod, 1)
    assert seen.address == came_from
    agents.await_another(node, killed)
    eventually(partial(reported, agents, node), "it reports anew")
    assert running.is_alive()


def reported(agents: Agents, node: str) -> bool:
    """Whether the agent says that it carries out what is there."""
    report = agents.report(node)
    return report is not None and bool(report.instances) and not report.message


def assert_rights(cluster: KindCluster, since: datetime) -> None:
    """Least rights, both ways, by the API server's own audit log."""
    known = cluster.state()
    assert known is not None
    found = requests_in(cluster.audit_log(known), user=ACCOUNT, since=since)
    assert [request for request in found if request.code == 403] == []
    grants = granted(read(AGENT_ROLES), NAME)
    assert {grant.right for grant in used(found)} == {grant.right for grant in grants}
    writes = [request for request in found if request.writes]
    assert {(request.resource, request.namespace) for request in writes} == {("leases", NAMESPACE)}
