"""A model that is bad: it takes one batch and no more, and a good one cures it.

Alone in its module: it changes what every instance answers that nobody told otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.waiting import eventually, throughout
from tests.integration.world import HEALTHY, VERDICT_S, template, uids_of, word
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.world import Json, World

REVISIONS: Final = "/apis/apps/v1/namespaces/{}/controllerrevisions"
SIZE: Final = 20
BATCH: Final = 4
"""maxBatchInstancePercent 20 of 20."""


def available(world: World) -> int:
    return sum(word(pod, HEALTHY).status == "True" for pod in world.pods("web"))


def images(world: World) -> set[str]:
    return {pod["spec"]["containers"][0]["image"] for pod in world.pods("web")}


@pytest.fixture
def bad_by_default(world: World) -> Iterator[None]:
    """Whatever nobody told otherwise answers 500; in this cluster, only this test's instances."""
    yield
    world.cluster.responder.clear("default")


@pytest.mark.usefixtures("bad_by_default")
def test_a_bad_model_stops_within_one_batch_and_a_good_one_cures_it(world: World) -> None:
    """R-57, R-58, R-55, R-40: rollout and repair together take no more than the batch; the rollout
    stops by its own limits and the repairs by their lineage, both naming the revision; a newer
    model replaces the broken one although instances are unhealthy and repairs are suspended."""
    world.scale_set("web", SIZE, repairs={"gracePeriod": "PT0S", "suspendAfterFailedRepairs": 1})
    world.await_ready("web")
    old = world.pods("web")
    world.endpoints.tell(old, "ok")
    world.cluster.responder.set("default", "status:500")

    def the_floor_holds() -> None:
        assert available(world) >= SIZE - BATCH

    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.change("web", template=template("web", image="web:bad"))
        eventually(
            lambda: world.status("web")["unhealthyReplicas"] == BATCH,
            "one batch is unhealthy",
            seconds=VERDICT_S,
            told=lambda: world.told("web"),
        )
        said = world.await_word("web", "InstancesUpToDate", "False", "RolloutStopped")
        assert "revision 2; 4 of 4 upgraded instances are unhealthy" in said.message
        assert world.word("web", "Stalled")[:2] == ("True", "RolloutStopped")
        throughout(5, the_floor_holds)
        suspended = world.await_status("web", is_suspended, "repairs stop by their lineage")
        assert "revision 2" in suspended["repairs"]["suspendedCause"]
        the_floor_holds()
        assert len(uids_of(old) & uids_of(world.pods("web"))) == SIZE - BATCH
        assert "web:bad" in world.events("web")["RolloutStopped"] + str(revisions(world)[2])
        world.cluster.responder.clear("default")
        world.change("web", template=template("web", image="web:good"))
        eventually(lambda: images(world) == {"web:good"}, "all are good", seconds=120)
        world.await_ready("web")
    assert watch.auditor.violations() == []
    assert watch.auditor.max_in_flight == 1
    assert len(world.pods("web")) == SIZE
    assert is_suspended(world.status("web")), "a new model resumes nothing"
    eventually(lambda: "RolloutCompleted" in world.events("web"), "the end is told")


@pytest.mark.usefixtures("bad_by_default")
def test_a_bad_model_under_surge_costs_nothing(world: World) -> None:
    """R-57, R-58, rule 22: the new ones stand beside the old ones until a good model comes."""
    rolling = {"rollingUpgradePolicy": {"maxSurge": True}}
    world.scale_set("web", SIZE, repairs={"gracePeriod": "PT0S"}, upgradePolicy=rolling)
    world.await_ready("web")
    old = world.pods("web")
    world.endpoints.tell(old, "ok")
    world.cluster.responder.set("default", "status:500")

    def nobody_is_missing() -> None:
        assert available(world) >= SIZE
        assert len(world.pods("web")) <= SIZE + BATCH

    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.change("web", template=template("web", image="web:bad"))
        world.await_word("web", "InstancesUpToDate", "False", "RolloutStopped")
        throughout(5, nobody_is_missing)
        assert uids_of(old) <= uids_of(world.pods("web"))
        world.cluster.responder.clear("default")
        world.change("web", template=template("web", image="web:good"))

        def all_are_good() -> bool:
            nobody_is_missing()
            return images(world) == {"web:good"} and len(world.pods("web")) == SIZE

        eventually(all_are_good, "all are good", seconds=120, told=lambda: world.told("web"))
    assert watch.auditor.violations() == []
    assert watch.auditor.repaired() == []


def is_suspended(status: Json) -> bool:
    return bool(status["orchestrationServices"][0]["reason"] == "SuspendedByPlatform")


def revisions(world: World) -> dict[int, Json]:
    """Number -> template, of the set's history."""
    found = world.api.items(REVISIONS.format(world.namespace))
    return {item["revision"]: item["data"] for item in found}
