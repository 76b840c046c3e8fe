"""One instance at a time to the latest model, on request: mode Manual on a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.alongside import alongside
from tests.integration.test_inplace import identity, images, request
from tests.integration.waiting import eventually
from tests.integration.world import PREFIX, template, uids_of
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from tests.integration.world import Json, World

IN_PLACE: Final = {"rollingUpgradePolicy": {"inPlaceIfPossible": True}}


@alongside
def test_mode_manual_goes_on_with_the_instances_that_a_person_names(world: World) -> None:
    """X-11, rule 22: by another one in its place, or in its pod where that is wished for; one that
    has the latest model is answered."""
    manual = {"mode": "Manual"}
    world.scale_set("web", 4, repairs={"gracePeriod": "PT0S"}, upgradePolicy=manual)
    world.await_ready("web")
    first, second, third, fourth = world.pods("web")
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.change("web", template=template("web", image="web:2"))
        world.await_word("web", "InstancesUpToDate", "False", "OutOfDate")
        request(world, second, "update")
        eventually(lambda: not uids_of([second]) & uids_of(world.pods("web")), "it is replaced")
        world.await_ready("web")
        (new,) = (pod for pod in world.pods("web") if images(pod) == ["web:2"])
        assert uids_of(world.pods("web")) == uids_of([first, third, fourth, new])
        assert world.status("web")["updatedReplicas"] == 1

        world.change("web", upgradePolicy=manual | IN_PLACE)
        request(world, third, "update")
        after = updated(world, third, "web:2")
        assert identity(after) == identity(third)
        assert f"{PREFIX}operation" not in after["metadata"]["annotations"]
        world.await_status("web", lambda s: s["updatedReplicas"] == 2, "two are up to date")
        world.await_ready("web")

        request(world, after, "update")
        (row,) = world.await_status(
            "web", lambda s: s["requests"] and s["requests"][0]["state"] == "Answered", "answered"
        )["requests"]
        assert (row["instance"], row["reason"]) == (third["metadata"]["name"], "UpToDate")
    assert watch.auditor.violations() == []
    assert watch.auditor.rolled() == [third["metadata"]["name"]]
    assert [images(pod) for pod in world.pods("web")].count(["web:1"]) == 2


def updated(world: World, pod: Json, image: str) -> Json:
    """Wait until the pod has this image, and nothing is under way any more; give it."""
    name = pod["metadata"]["name"]
    eventually(lambda: images(world.get(name, "Pod")) == [image], f"{name} has {image}")
    world.await_status("web", lambda s: s["renewals"] == [], "it is well again")
    return world.get(name, "Pod")
