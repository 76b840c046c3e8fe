"""Repairs of real pods by the operator as it is installed: image, service account, two replicas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.alongside import alongside
from tests.integration.sets import names_of, uids_of
from tests.integration.waiting import eventually
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from tests.kind.world import KindWorld

SIZE: Final = 24
REPAIRS: Final = {"gracePeriod": "PT15S"}
REPAIRED_S: Final = 240.0
READY_S: Final = 120.0


@alongside
def test_broken_instances_are_replaced_one_at_a_time_however_they_broke(world: KindWorld) -> None:
    """R-03, R-04, R-11: by HTTP 500, by hanging, by a frozen process. One that ends is started
    again by its kubelet, and is none of ours."""
    world.scale_set("web", SIZE, repairs=REPAIRS)
    world.await_ready("web", seconds=READY_S)
    ill, hanging, frozen, ending = world.pods("web")[3:7]
    nodes = {pod["spec"]["nodeName"] for pod in world.pods("web")}
    assert len(nodes) == 2  # The control plane's node takes no pods of others.
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.tell(ill, status=500)
        world.tell(hanging, hang=True)
        world.freeze(frozen)
        world.tell(ending, exit=1)
        sick = [ill, hanging, frozen]
        eventually(
            lambda: not uids_of(world.pods("web")) & uids_of(sick),
            "all three are replaced",
            seconds=REPAIRED_S,
            told=lambda: world.told("web"),
        )
        world.await_ready("web", seconds=READY_S)
    watch.auditor.expect_repaired(names_of(sick))
    watch.auditor.expect_settled()
    assert watch.auditor.violations() == []
    assert watch.auditor.max_in_flight == 1
    again = world.get(ending["metadata"]["name"], "Pod")
    assert again["metadata"]["uid"] == ending["metadata"]["uid"]
    assert again["status"]["containerStatuses"][0]["restartCount"] == 1
