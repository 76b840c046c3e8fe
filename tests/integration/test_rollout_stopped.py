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

    from tests.integration.world import World

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
    """R-57, R-58, R-55, R-40: rollout and repair together take no more than the batch; a newer
    model replaces the broken one although instances are unhealthy."""
    world.scale_set("web", SIZE, repairs={"gracePeriod": "PT0S"})
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
        throughout(8, the_floor_holds)
        assert len(uids_of(old) & uids_of(world.pods("web"))) == SIZE - BATCH
        world.cluster.responder.clear("default")
        world.change("web", template=template("web", image="web:good"))
        eventually(lambda: images(world) == {"web:good"}, "all are good", seconds=120)
        world.await_ready("web")
    assert watch.auditor.violations() == []
    assert len(world.pods("web")) == SIZE
