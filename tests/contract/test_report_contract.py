"""The port `Cluster`: what is said in the status of other kinds, fake and real alike.

The blocks of an OutboundRule stand there, so of two operators one must write in vain (S-16).
"""

from typing import Any

import pytest

from scaleset_operator.api.outboundrule import OutboundRuleStatus, PortAllocation
from scaleset_operator.reconciler.ports import Conflict, Gone
from tests.contract.worlds import World

KIND = "OutboundRule"


def blocks(*instances: str) -> dict[str, Any]:
    """A status by which these have the first blocks of eight ports, as it is sent."""
    rows = tuple(
        PortAllocation(
            instance=name,
            frontend_ip="192.0.2.9",
            first_port=1024 + 8 * place,
            last_port=1031 + 8 * place,
        )
        for place, name in enumerate(instances)
    )
    said = OutboundRuleStatus(pool_size=len(rows), allocations=rows)
    return said.model_dump(mode="json", by_alias=True, exclude_none=True)


def owners(status: dict[str, Any]) -> list[str]:
    """Who has a block, by the first port."""
    return [row["instance"] for row in status["allocations"]]


async def test_what_is_said_of_a_rule_is_recorded_on_its_version(world: World) -> None:
    """S-16, rule 25: compare and swap; what is left out goes."""
    key, made = await world.make_rule("out")
    version = await world.cluster.record_report(KIND, key, made, blocks("web-1", "web-2"))
    assert version != made
    again = await world.cluster.record_report(KIND, key, version, blocks("web-2"))
    assert again not in {made, version}
    assert owners(await world.rule_status(key)) == ["web-2"]


async def test_of_two_who_decided_on_one_version_the_second_writes_in_vain(world: World) -> None:
    """S-16: neither a block of its own nor the loss of another's."""
    key, made = await world.make_rule("out")
    version = await world.cluster.record_report(KIND, key, made, blocks("web-1"))
    with pytest.raises(Conflict):
        await world.cluster.record_report(KIND, key, made, blocks("web-2"))
    assert owners(await world.rule_status(key)) == ["web-1"]
    await world.cluster.record_report(KIND, key, version, blocks("web-1", "web-2"))
    assert owners(await world.rule_status(key)) == ["web-1", "web-2"]


async def test_nothing_is_said_of_a_rule_that_is_gone_or_of_its_successor(world: World) -> None:
    """S-16: the fence holds for another rule of the same name."""
    key, made = await world.make_rule("out")
    await world.drop_rule(key)
    with pytest.raises(Gone):
        await world.cluster.record_report(KIND, key, made, blocks("web-1"))
    await world.make_rule("out")
    with pytest.raises((Conflict, Gone)):
        await world.cluster.record_report(KIND, key, made, blocks("web-1"))
    assert "allocations" not in await world.rule_status(key)
