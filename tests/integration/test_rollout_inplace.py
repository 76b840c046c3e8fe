"""Rollouts that keep the pods, on a real API server with pretended kubelets, under the auditor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.alongside import alongside
from tests.integration.test_inplace import identity, images
from tests.integration.waiting import eventually
from tests.integration.world import PREFIX, moment, names_of, template, uids_of
from tests.support.auditor_watch import AuditorWatch
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from datetime import datetime

    from tests.integration.world import Json, World

SIZE: Final = 10
IN_PLACE: Final = {"rollingUpgradePolicy": {"inPlaceIfPossible": True}}
STAMP: Final = f"{PREFIX}state-change-time"


def all_have(world: World, image: str) -> bool:
    return all(images(pod) == [image] for pod in world.pods("web"))


@alongside
def test_a_rollout_in_place_keeps_every_pod_and_the_floor(world: World) -> None:
    """R-24, R-26, R-56, R-57, rules 5, 10, 22: name, UID, address, node, labels of one's own; each
    is told of by its rollout first; where more than images differ, all are replaced and that is
    said."""
    world.scale_set("web", SIZE, repairs={"gracePeriod": "PT0S"}, upgradePolicy=IN_PLACE)
    world.await_ready("web")
    before = world.pods("web")
    own = {"metadata": {"labels": {"team": "blue"}}}
    world.api.merge(path_of("Pod", world.namespace, before[0]["metadata"]["name"]), own)
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.change("web", template=template("web", image="web:2"))
        eventually(lambda: all_have(world, "web:2"), "all are new", seconds=60)
        world.await_word("web", "InstancesUpToDate", "True", "UpToDate")
        world.await_ready("web")
        after = world.pods("web")
    assert watch.auditor.violations() == []
    assert sorted(watch.auditor.rolled()) == sorted(names_of(before))
    assert (watch.auditor.renewed(), watch.auditor.repaired()) == ([], [])
    assert [identity(pod) for pod in after] == [identity(pod) for pod in before]
    assert after[0]["metadata"]["labels"]["team"] == "blue"
    models = {pod["metadata"]["labels"][f"{PREFIX}model"] for pod in after}
    assert models == {world.status("web")["latestModel"]}
    for was, now in zip(before, after, strict=True):
        assert stamp(now) > stamp(was)
        assert [row["restartCount"] for row in now["status"]["containerStatuses"]] == [1]
    assert world.status("web")["renewals"] == []
    assert "in place" in world.events("web")["RolloutStarted"]
    more = template("web", image="web:3", marks={"more": "differs"})
    world.change("web", template=more)
    told = world.await_status(
        "web",
        lambda s: "are replaced" in (s.get("rollout") or {}).get("message", ""),
        "it is said why",
    )
    assert "the models differ in more than images" in told["rollout"]["message"]
    eventually(lambda: all_have(world, "web:3"), "all are new", seconds=60)
    world.await_ready("web")
    assert not uids_of(world.pods("web")) & uids_of(before)


def stamp(pod: Json) -> datetime:
    """When its containers last ran anew by our doing."""
    return moment(pod["metadata"]["annotations"][STAMP])
