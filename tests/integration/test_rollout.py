"""Bringing instances to a new model: within the batch, above the floor, together with repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually
from tests.integration.world import HEALTHY, PREFIX, domain, template, uids_of, word
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from tests.integration.world import Json, World

SIZE: Final = 20
BATCH: Final = 4
"""maxBatchInstancePercent 20 of 20."""


def images(world: World) -> set[str]:
    return {pod["spec"]["containers"][0]["image"] for pod in world.pods("web")}


def available(world: World) -> list[Json]:
    return [pod for pod in world.pods("web") if word(pod, HEALTHY).status == "True"]


@alongside
def test_a_rolling_update_replaces_all_and_keeps_the_floor(world: World) -> None:
    """R-57, M-11: never more than a batch is missing; domains stay balanced; a change of replicas
    alone replaces nobody."""
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


@alongside
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
