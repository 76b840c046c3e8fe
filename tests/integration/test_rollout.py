"""Bringing instances to a new model: within the batch, above the floor, together with repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.waiting import eventually, throughout
from tests.integration.world import HEALTHY, PREFIX, VERDICT_S, domain, template, uids_of, word
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.world import Json, World

SIZE: Final = 20
BATCH: Final = 4
"""maxBatchInstancePercent 20 of 20."""


def images(world: World) -> set[str]:
    return {pod["spec"]["containers"][0]["image"] for pod in world.pods("web")}


def available(world: World) -> list[Json]:
    return [pod for pod in world.pods("web") if word(pod, HEALTHY).status == "True"]


def test_a_rolling_update_replaces_all_and_keeps_the_floor(world: World) -> None:
    """R-57, R-27, M-11: never more than a batch is missing; domains stay balanced; a change of
    replicas alone replaces nobody."""
    world.scale_set("web", SIZE, repairs={"gracePeriod": "PT0S"})
    world.await_ready("web")
    before = world.pods("web")
    fewest = SIZE

    def done() -> bool:
        nonlocal fewest
        fewest = min(fewest, len(available(world)))
        assert fewest >= SIZE - BATCH, "below the floor"
        return images(world) == {"web:2"} and len(world.pods("web")) == SIZE

    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.change("web", template=template("web", image="web:2"))
        eventually(done, "all are new", seconds=120, told=lambda: world.told("web"))
        world.await_ready("web")
    assert fewest < SIZE
    assert watch.auditor.violations() == []
    assert watch.auditor.repaired() == []
    after = world.pods("web")
    assert not uids_of(after) & uids_of(before)
    assert sorted(map(domain, after)) == sorted(map(domain, before))
    models = {pod["metadata"]["labels"][f"{PREFIX}model"] for pod in after}
    assert models == {world.status("web")["latestModel"]}
    assert world.word("web", "InstancesUpToDate")[:2] == ("True", "UpToDate")


@pytest.fixture
def bad_by_default(world: World) -> Iterator[None]:
    """Whatever nobody told otherwise answers 500; in this cluster, only this test's instances."""
    yield
    world.cluster.responder.clear("default")


@pytest.mark.usefixtures("bad_by_default")
def test_a_bad_model_stops_within_one_batch_and_a_good_one_cures_it(world: World) -> None:
    """R-57, R-58, R-55, R-40: rollout and repair together take no more than the batch; a newer
    model replaces the broken one although instances are unhealthy."""
    world.scale_set("web", SIZE, repairs={"gracePeriod": "PT0S"})
    world.await_ready("web")
    old = world.pods("web")
    world.endpoints.tell(old, "ok")
    world.cluster.responder.set("default", "status:500")

    def the_floor_holds() -> None:
        assert len(available(world)) >= SIZE - BATCH

    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.change("web", template=template("web", image="web:bad"))
        eventually(
            lambda: world.status("web")["unhealthyReplicas"] == BATCH,
            "one batch is unhealthy",
            seconds=VERDICT_S,
            told=lambda: world.told("web"),
        )
        throughout(8, the_floor_holds)
        assert len(uids_of(old) & uids_of(world.pods("web"))) == SIZE - BATCH
        world.cluster.responder.clear("default")
        world.change("web", template=template("web", image="web:good"))
        eventually(lambda: images(world) == {"web:good"}, "all are good", seconds=120)
        world.await_ready("web")
    assert watch.auditor.violations() == []
    assert len(world.pods("web")) == SIZE


def test_in_mode_manual_only_what_is_new_has_the_new_model(world: World) -> None:
    """R-55: a repair builds from the latest model; nothing else is touched."""
    world.scale_set("web", 4, repairs={"gracePeriod": "PT0S"}, upgradePolicy={"mode": "Manual"})
    world.await_ready("web")
    before = world.pods("web")
    world.change("web", template=template("web", image="web:2"))
    world.await_word("web", "InstancesUpToDate", "False", "OutOfDate")
    world.endpoints.tell(before[:1], "status:500")
    eventually(
        lambda: uids_of(world.pods("web")) & uids_of(before) == uids_of(before[1:]),
        "the sick one is replaced",
    )
    world.await_ready("web")
    assert [p["spec"]["containers"][0]["image"] for p in world.pods("web")] == [
        *["web:1"] * 3,
        "web:2",
    ]
    assert world.status("web")["updatedReplicas"] == 1
