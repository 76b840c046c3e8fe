"""Which budgets are asked about: none with Ignore, and only those over the sick."""

from typing import Any

import pytest

from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.reconciler.disruption import disruption_over
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.resources import KnownSet
from scaleset_operator.rehearsal.endpoints import STATUS_500
from tests.reconciler.stage import Stage
from tests.simulation.world import KEY, NAMESPACE, set_spec


async def sick_stage(**policy: Any) -> Stage:
    """Three instances, of which the first is Unhealthy, under a budget over all."""
    stage = Stage(3, **policy)
    stage.world.disruption.make("web-pdb", NAMESPACE, minAvailable=1)
    await stage.world.run(30)
    stage.world.endpoints.set(stage.pod("web-1").uid, STATUS_500)
    await stage.world.run(14)
    stage.operator.hear()
    return stage


def asked(stage: Stage) -> Disruption | None:
    known = known_set(stage)
    instances = stage.cluster.pods(known.owner).instances
    return disruption_over(known, instances, stage.cluster, stage.operator.resources)


def known_set(stage: Stage) -> KnownSet:
    known = stage.operator.resources.scale_set(KEY)
    assert known is not None
    return known


@pytest.mark.parametrize("policy", [{"disruptionBudgets": "Ignore"}, {"enabled": False}])
async def test_with_ignore_or_repairs_off_no_budget_is_looked_at(policy: dict[str, Any]) -> None:
    stage = await sick_stage(**policy)
    assert asked(stage) is None
    await stage.world.close()


async def test_only_the_sick_are_asked_about() -> None:
    """Mode Observe, so that the sick one stays."""
    stage = await sick_stage(mode="Observe")
    seen = asked(stage)
    assert seen is not None
    assert {name: [b.name for b in found] for name, found in seen.over.items()} == {
        "web-1": ["web-pdb"]
    }
    await stage.world.close()


async def test_the_other_sets_of_the_namespace_are_heard() -> None:
    """Their repairs spend the same budgets; those of another namespace do not."""
    stage = await sick_stage(mode="Observe")
    for namespace, name in ((NAMESPACE, "api"), ("elsewhere", "api")):
        spec = set_spec(1)
        spec["selector"] = {"matchLabels": {"app": "api"}}
        spec["template"]["metadata"]["labels"] = {"app": "api"}
        stage.server.apply("ScaleSet", namespace, name, spec)
        entry = {
            "instance": f"{name}-1",
            "uid": f"uid-{namespace}",
            "action": "Replace",
            "cause": "",
            "phase": "Recorded",
            "startTime": stage.clock.now().isoformat(),
            "budgets": ["web-pdb"],
        }
        stage.server.edit_status(namespace, name, {"repairs": {"inFlight": [entry]}})
    stage.operator.hear()
    assert stage.operator.resources.scale_set(Key("elsewhere", "api")) is not None
    seen = asked(stage)
    assert seen is not None
    assert [type(one) for one in seen.others] == [RepairEntry]
    assert [one.uid for one in seen.others] == [f"uid-{NAMESPACE}"]
    await stage.world.close()
