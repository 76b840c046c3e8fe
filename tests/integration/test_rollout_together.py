"""Repair, rollout, scale-in and protection at once, under the auditor; and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually
from tests.integration.world import PREFIX, VERDICT_S, instance_id, template, uids_of
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from tests.integration.world import Json, World

SIZE: Final = 20
FEWER: Final = 16
REVISIONS: Final = "/apis/apps/v1/namespaces/{}/controllerrevisions"


def models(world: World) -> set[str]:
    return {pod["metadata"]["labels"][f"{PREFIX}model"] for pod in world.pods("web")}


def all_at_once(world: World, rolling: dict[str, Any]) -> None:
    """Three break, one of them protected; the template changes; four fewer are wanted."""
    upgrade = {"rollingUpgradePolicy": rolling}
    world.scale_set("web", SIZE, repairs={"gracePeriod": "PT0S"}, upgradePolicy=upgrade)
    world.await_ready("web")
    pods = world.pods("web")
    kept, spared = pods[0], pods[-1]
    world.label(kept, __protect_from_scale_set_actions="true")
    world.label(spared, __protect_from_scale_in="true")
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.endpoints.tell([kept, *pods[5:7]], "status:500")
        world.await_reason("web", kept, "InstanceProtected")
        world.change("web", template=template("web", image="web:2"), replicas=FEWER)

        def settled() -> bool:
            now = world.pods("web")
            behind = [p for p in now if p["spec"]["containers"][0]["image"] != "web:2"]
            return uids_of(behind) == uids_of([kept]) and len(now) == FEWER

        eventually(settled, "all but one are new", seconds=150, told=lambda: world.told("web"))
        world.await_status("web", lambda s: "rollout" not in s, "the rollout has ended")
    assert watch.auditor.violations() == []
    assert watch.auditor.max_in_flight <= 1
    assert instance_id(kept) in {instance_id(pod) for pod in world.pods("web")}
    word = world.word("web", "InstancesUpToDate")
    assert word[:2] == ("False", "OutOfDate")
    assert word.message.startswith(f"1 of {FEWER} not on")


@alongside
def test_repair_rollout_scale_in_and_protection_share_one_floor(world: World) -> None:
    """R-11, R-47, R-48, R-57, X-02, protocol rules 22 to 24 and 28."""
    all_at_once(world, {"maxUnhealthyUpgradedInstancePercent": 100})


@alongside
def test_a_surge_shares_a_set_with_repair_scale_in_and_protection(world: World) -> None:
    """R-11, R-47, R-53, R-57, X-02: the surplus is no part of what is counted or trimmed."""
    all_at_once(world, {"maxSurge": True, "maxUnhealthyUpgradedInstancePercent": 100})


@alongside
def test_a_rollout_is_undone_from_its_history(world: World) -> None:
    """The revision keeps the template; going back numbers it anew, and nobody is missing."""
    rolling = {"rollingUpgradePolicy": {"maxSurge": True, "maxBatchInstancePercent": 50}}
    world.scale_set("web", 4, repairs={"gracePeriod": "PT0S"}, upgradePolicy=rolling)
    world.await_ready("web")
    first = models(world)
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.change("web", template=template("web", image="web:2"))
        eventually(lambda: not models(world) & first, "all are new", seconds=VERDICT_S + 30)
        history = {item["revision"]: item for item in revisions(world)}
        assert sorted(history) == [1, 2]
        assert history[1]["data"] == template("web")
        world.change("web", template=history[1]["data"])
        eventually(lambda: models(world) == first, "all are as before", seconds=VERDICT_S + 30)
        world.await_word("web", "InstancesUpToDate", "True", "UpToDate")
    assert watch.auditor.violations() == []
    assert sorted(item["revision"] for item in revisions(world)) == [2, 3]


def revisions(world: World) -> list[Json]:
    return world.api.items(REVISIONS.format(world.namespace))
