"""Repair, rollout, scale-in and protection at once, many times over, before the auditor's eyes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.api.base import LABEL_PROTECT_FROM_ACTIONS, LABEL_PROTECT_FROM_SCALE_IN
from scaleset_operator.rehearsal.api_server import Change
from scaleset_operator.rehearsal.endpoints import STATUS_500
from tests.simulation.world import KEY, NAMESPACE, World, ready_world, set_spec
from tests.support.auditor import Auditor

if TYPE_CHECKING:
    from scaleset_operator.rehearsal.objects import FakePod

SIZE: Final = 20
FEWER: Final = 16
SEEDS: Final = (0, 2, 7, 10, 32, 42)
"""Of a hundred that were tried, those that once broke a rule, and one with one operator."""
KINDS: Final = ("ScaleSet", "HealthProbe", "Pod")


def audited(world: World) -> Auditor:
    """The auditor of the real control plane, fed by the fake one."""
    auditor, server = Auditor(), world.server

    def see(change: Change) -> None:
        auditor.see(change.verb, {"kind": change.key.kind, **change.manifest()}, change.at)

    for key, stored in sorted(server.objects().items(), key=lambda row: row[0].kind != KINDS[0]):
        if key.kind in KINDS:
            now, version = world.clock.now(), server.version
            see(Change(version=version, at=now, verb="ADDED", key=key, stored=stored))
    server.subscribe(see)
    return auditor


def outdated(pod: FakePod) -> bool:
    return bool(pod.spec["containers"][0]["image"] != "web:2")


@pytest.mark.parametrize("rolling", [{}, {"maxSurge": True}], ids=["in turn", "surge"])
@pytest.mark.parametrize("seed", SEEDS)
async def test_repair_rollout_scale_in_and_protection_share_one_floor(
    seed: int, rolling: dict[str, Any]
) -> None:
    """R-11, R-47, R-48, R-57, X-02, rules 22 to 24 and 28: whatever comes first."""
    bounds = {"maxUnhealthyUpgradedInstancePercent": 100, **rolling}
    world = await ready_world(seed, SIZE, gracePeriod="PT0S")
    if seed % 3:
        world.start(lag=seed % 4 * 0.7, resource_lag=seed % 2 * 0.5)
    auditor = audited(world)
    pods = world.live()
    kept, spared, sick = pods[0], pods[-1], pods[5:7]
    world.server.change_pod(kept, labels={**kept.labels, LABEL_PROTECT_FROM_ACTIONS: "true"})
    world.server.change_pod(spared, labels={**spared.labels, LABEL_PROTECT_FROM_SCALE_IN: "true"})
    for pod in (kept, *sick):
        world.endpoints.set(pod.uid, STATUS_500)
    await world.run(9 + seed % 5, step=0.25)
    spec = set_spec(FEWER, image="web:2", rolling=bounds, gracePeriod="PT0S")
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    for _ in range(200):
        await world.run(1, step=0.25)
        assert auditor.violations() == []
        behind = [p.name for p in world.live() if outdated(p)]
        if behind == [kept.name] and len(world.live()) == FEWER:
            break
    await world.run(10)
    assert auditor.violations() == []
    assert auditor.max_in_flight <= 1
    assert [p.name for p in world.live() if outdated(p)] == [kept.name]
    assert len(world.live()) == FEWER
    await world.close()
