"""Outbound ports on a real API server: the rule's turn end to end, with what agents report."""

from __future__ import annotations

import secrets
import threading
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.agents import agents_of
from tests.integration.operator_fixture import OperatorProcess
from tests.integration.waiting import eventually
from tests.support.kube_api import ApiError, path_of
from tests.support.scraping import Scrape

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.agents import AgentAt
    from tests.integration.world import Json, World

RULE: Final = "web-out"
KIND: Final = "OutboundRule"
SUFFICIENT: Final = "OutboundPortsSufficient"
Block = tuple[str, int, int]


def an_address() -> str:
    """One that no other test's rule has: an address is one in the whole cluster."""
    return f"192.0.2.{secrets.randbelow(250) + 1}"


@pytest.fixture
def address(world: World) -> Iterator[str]:
    """A front-end address; the rules that name it are gone at the end."""
    yield an_address()
    world.api.delete(path_of(KIND, world.namespace))


@pytest.fixture
def agents(world: World, address: str, tmp_path: Path) -> Iterator[dict[str, AgentAt]]:
    """One on every node."""
    with agents_of(world, address, tmp_path) as found:
        yield found


def pool(world: World, replicas: int, address: str, **spec: Any) -> None:
    """A set, spread over the nodes, and the rule that selects it."""
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
    }
    template = world.template("web")
    template["spec"]["topologySpreadConstraints"] = [spread]
    world.scale_set("web", replicas, template=template)
    path = path_of("ScaleSet", world.namespace, "web")
    world.api.merge(path, {"metadata": {"labels": {"tier": "web"}}})
    usual = {"scaleSetSelector": {"matchLabels": {"tier": "web"}}, "frontendIPs": [address]}
    world.create(KIND, RULE, usual | spec)


def await_blocks(world: World, count: int, ports: int) -> dict[str, Block]:
    """Wait until so many have so many ports each, and give who has which."""
    status = world.await_status(
        RULE,
        lambda s: s["portsPerInstance"] == ports and len(s.get("allocations", ())) == count,
        f"{count} blocks of {ports}",
        kind=KIND,
    )
    return blocks_of(status)


def blocks_of(status: Json) -> dict[str, Block]:
    rows = status.get("allocations") or ()
    found = {r["instance"]: (r["frontendIP"], r["firstPort"], r["lastPort"]) for r in rows}
    assert len(found) == len(rows), "an instance stands twice"
    return found


def shared(blocks: dict[str, Block]) -> list[tuple[Block, Block]]:
    """Blocks that have a port in common."""
    rows = sorted(blocks.values())
    return [(a, b) for a, b in pairwise(rows) if a[0] == b[0] and b[1] <= a[2]]


def sizes(blocks: dict[str, Block]) -> set[int]:
    return {last - first + 1 for _, first, last in blocks.values()}


def has(world: World, replicas: int) -> bool:
    """Whether the set has so many instances, and no other is still leaving."""
    return len(world.everything_of("web")) == replicas


def says(world: World, condition: str, status: str, reason: str) -> str:
    return world.await_word(RULE, condition, status, reason, kind=KIND).message


def test_blocks_are_a_plan_until_agents_report_them_and_running_out_is_seen(
    operator: OperatorProcess, world: World, address: str, agents: dict[str, AgentAt]
) -> None:
    """S-01, S-06, S-12, S-17, S-29, S-34."""
    pool(world, 3, address)
    world.await_ready("web")
    blocks = await_blocks(world, 3, 1024)
    assert {frontend for frontend, _, _ in blocks.values()} == {address}
    assert not shared(blocks)
    assert "web-1" in says(world, "Programmed", "False", "PlanOnly")
    summary = {"rule": RULE, "poolSize": 3, "portsPerInstance": 1024, "instancesToNextTier": 47}
    world.await_status("web", lambda s: s.get("outbound") == summary, "the set says so in short")
    assert world.await_word("web", SUFFICIENT, "True", "WithinTier").message

    for agent in agents.values():
        agent.round()
    says(world, "Programmed", "True", "Programmed")
    says(world, SUFFICIENT, "True", "WithinTier")
    assert all(row["programmed"] for row in world.get(RULE, KIND)["status"]["allocations"])

    pod = world.pods("web")[0]
    name, at = pod["metadata"]["name"], agents[pod["spec"]["nodeName"]]
    at.use(name, 1024, refused=7)
    at.round()
    told = says(world, SUFFICIENT, "False", "PortsExhausted")
    assert f"{name} to 203.0.113.5:443/tcp" in told
    assert not [n for n in blocks if n != name and f"{n} " in told], "neighbours are not concerned"
    world.await_word("web", SUFFICIENT, "False", "PortsExhausted")
    busiest = {"instance": name, "destination": "203.0.113.5:443/tcp", "ports": 1024}
    world.await_status(RULE, lambda s: s.get("busiest") == busiest, "who it is", kind=KIND)
    found = Scrape(operator.page("/metrics")[1])
    mine = {"namespace": world.namespace, "rule": RULE, "instance_name": name}
    figures = {
        part: found.value(f"scaleset_outbound_{part}", **mine)
        for part in ("allocated_ports", "used_ports", "peak_ports", "refused_flows_total")
    }
    assert [*figures.values()] == [1024, 1024, 1024, 7], figures

    at.use(name, 5)
    at.round()
    says(world, SUFFICIENT, "True", "WithinTier")
    assert await_blocks(world, 3, 1024) == blocks, "nothing of it moved anybody"


def test_growth_over_the_edge_halves_blocks_and_shrinking_takes_nothing(
    operator: OperatorProcess,  # noqa: ARG001 - it acts
    world: World,
    address: str,
) -> None:
    """S-01, S-07, S-09, S-11, S-32: the kept half stays where it is."""
    pool(world, 49, address)
    before = await_blocks(world, 49, 1024)
    says(world, SUFFICIENT, "True", "WithinTier")
    world.change("web", replicas=50)
    full = await_blocks(world, 50, 1024)
    assert before.items() <= full.items(), "inside a row nothing changes"
    assert "0 more fit" in says(world, SUFFICIENT, "True", "NearTierEdge")
    world.await_word("web", SUFFICIENT, "True", "NearTierEdge")

    world.change("web", replicas=51)
    halved = await_blocks(world, 51, 512)
    assert not shared(halved)
    assert {name: halved[name] for name in full} == {
        name: (front, first, first + 511) for name, (front, first, _) in full.items()
    }
    says(world, SUFFICIENT, "True", "WithinTier")

    world.change("web", replicas=3)
    eventually(partial(has, world, 3), "the others are gone")
    left = await_blocks(world, 3, 1024)
    assert not shared(left)
    for name, (front, first, last) in left.items():
        at, low, high = halved[name]
        assert (front, first) <= (at, low), name
        assert last >= high, f"{name} lost ports to a shrink"


def test_two_operators_one_of_them_killed_again_and_again_give_no_port_to_two(
    operator: OperatorProcess, world: World, address: str, tmp_path: Path
) -> None:
    """S-16, S-18: in every status that ever stood, and nobody's ports move."""
    pool(world, 3, address)
    await_blocks(world, 3, 1024)
    seen: list[Json] = []
    version = world.get(RULE, KIND)["metadata"]["resourceVersion"]
    watcher = world.api.another()

    def look() -> None:
        path = path_of(KIND, world.namespace)
        with suppress(OSError, ValueError):  # It is hung up on in the middle of a line.
            seen.extend(
                event["object"]["status"]
                for event in watcher.watch(path, version)
                if event["type"] == "MODIFIED"
            )

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    second = OperatorProcess(operator.cluster, tmp_path, "--namespace", world.namespace)
    second.start()
    try:
        second.await_ready()
        for replicas, each in ((20, 1024), (51, 512), (40, 1024)):
            world.change("web", replicas=replicas)
            second.kill()
            second.start()
            eventually(
                partial(has, world, replicas),
                f"{replicas} instances",
            )
            second.await_ready()
            await_blocks(world, replicas, each)
        operator.kill()
        world.change("web", replicas=45)
        await_blocks(world, 45, 1024)
        operator.start()
        operator.await_ready()
    finally:
        second.kill()
        watcher.hang_up()
        thread.join(10)
    history = [blocks_of(status) for status in seen]
    assert len(history) > 3
    assert not [found for blocks in history if (found := shared(blocks))]
    for earlier, later in pairwise(history):
        for name in earlier.keys() & later.keys():
            (front, first, last), (at, low, high) = earlier[name], later[name]
            assert front == at, name
            inside = first <= low <= high <= last or low <= first <= last <= high
            assert inside, f"{name} moved from {earlier[name]} to {later[name]}"
    assert not second.faults()


def test_an_agent_that_talks_nonsense_or_goes_away_leaves_a_plan_and_the_others(
    operator: OperatorProcess,  # noqa: ARG001 - it acts
    world: World,
    address: str,
    agents: dict[str, AgentAt],
) -> None:
    """S-34: its node's figures are a plan again; nobody's block moves for it."""
    pool(world, 6, address)
    world.await_ready("web")
    blocks = await_blocks(world, 6, 1024)
    for agent in agents.values():
        agent.round()
    says(world, "Programmed", "True", "Programmed")
    pods = world.pods("web")
    gone = pods[0]["spec"]["nodeName"]
    there = {p["metadata"]["name"] for p in pods if p["spec"]["nodeName"] != gone}
    assert there, "instances lie on several nodes"
    for broken in ("not json", '{"version": 1, "node": []}', '{"frontends": ["localhost"]}'):
        agents[gone].write(broken)
        says(world, "Programmed", "False", "PlanOnly")
        rows = world.get(RULE, KIND)["status"]["allocations"]
        assert {row["instance"] for row in rows if row.get("programmed")} == there
        agents[gone].round()
        says(world, "Programmed", "True", "Programmed")
    agents[gone].withdraw()
    says(world, "Programmed", "False", "PlanOnly")
    assert await_blocks(world, 6, 1024) == blocks


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"allocatedOutboundPorts": 12}, "spec.allocatedOutboundPorts"),
        ({"allocatedOutboundPorts": 64008}, "spec.allocatedOutboundPorts"),
        ({"allocatedOutboundPorts": -8}, "spec.allocatedOutboundPorts"),
        ({"frontendIPs": []}, "must name 1 to 16 addresses, or set denyOutbound to true"),
        ({"frontendIPs": ["192.0.2.256"]}, "spec.frontendIPs[0]"),
        ({"frontendIPs": ["2001:db8::1"]}, "spec.frontendIPs[0]"),
        ({"frontendIPs": ["192.0.2.9", "192.0.2.9"]}, "spec.frontendIPs[1]"),
        ({"idleTimeout": "PT3M59S"}, "spec.idleTimeout must be PT4M to PT120M"),
        ({"idleTimeout": "PT121M"}, "spec.idleTimeout must be PT4M to PT120M"),
        ({"idleTimeout": "4m"}, "spec.idleTimeout"),
        ({"denyOutbound": "yes"}, "spec.denyOutbound"),
        ({"scaleSetSelector": None}, "spec.scaleSetSelector"),
    ],
)
def test_a_rule_that_is_wrong_is_refused_with_the_field(
    world: World, spec: Json, words: str
) -> None:
    """S-19, S-33."""
    usual = {"scaleSetSelector": {"matchLabels": {"tier": "web"}}, "frontendIPs": ["192.0.2.9"]}
    with pytest.raises(ApiError) as refused:
        world.create(KIND, "wrong", usual | spec)
    assert refused.value.status == 422
    assert words in refused.value.message


def test_a_manual_allocation_without_room_is_refused_and_the_one_before_stands(
    operator: OperatorProcess,  # noqa: ARG001 - it acts
    world: World,
    address: str,
) -> None:
    """S-33: checked with the largest count; nobody loses ports to a refusal."""
    pool(world, 4, address, allocatedOutboundPorts=16000)
    blocks = await_blocks(world, 4, 16000)
    says(world, "Accepted", "True", "Valid")
    world.change("web", replicas=5)
    told = says(world, "Accepted", "False", "PortsOvercommitted")
    assert "spec.allocatedOutboundPorts: 16000 for 5 instances" in told
    assert "room for 4" in told
    status = world.get(RULE, KIND)["status"]
    assert blocks_of(status).items() >= blocks.items()
    world.change(RULE, KIND, allocatedOutboundPorts=8000)
    says(world, "Accepted", "True", "Valid")
    assert sizes(await_blocks(world, 5, 8000)) == {8000}


def test_who_is_denied_has_no_ports_and_the_rule_says_so(
    operator: OperatorProcess,  # noqa: ARG001 - it acts
    world: World,
    address: str,
) -> None:
    """S-31: and gets them back when it is taken away."""
    pool(world, 2, address)
    await_blocks(world, 2, 1024)
    world.change(RULE, KIND, denyOutbound=True)
    says(world, SUFFICIENT, "True", "OutboundDenied")
    status = world.get(RULE, KIND)["status"]
    assert sorted(status["denied"]) == ["web-1", "web-2"]
    assert not status.get("allocations")
    world.change(RULE, KIND, denyOutbound=False)
    await_blocks(world, 2, 1024)
    assert not world.get(RULE, KIND)["status"].get("denied")
