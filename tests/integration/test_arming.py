"""A wrong probe shipped to a healthy set: with arming nothing is deleted, and status says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually, throughout
from tests.integration.world import VERDICT_S, names_of, uids_of

if TYPE_CHECKING:
    from tests.integration.world import World


@alongside
def test_a_wrong_path_deletes_nothing_and_the_right_one_arms_again(world: World) -> None:
    """X-11: ten answer 404 under the new path and are all Unhealthy; under the old path they are
    armed again by themselves, and the one that is really broken is repaired."""
    policy = {"gracePeriod": "PT0S", "armAfterHealthyPercent": 80}
    world.scale_set("web", 10, repairs=policy)
    world.await_ready("web")
    world.await_status("web", lambda s: bool(s["repairs"].get("armed")), "armed")
    before = world.pods("web")
    world.change("web-http", "HealthProbe", path="/wrong")
    world.await_status("web", lambda s: s["unhealthyReplicas"] == 10, "all are Unhealthy")
    said = world.await_word("web", "RepairsAllowed", "False", "NotArmed")
    assert said.message.startswith("0 of 8 needed healthy once under the present probe, model ")
    eventually(lambda: world.reasons("web") == {"NotArmed"}, "that is why each waits")

    def nobody_is_deleted() -> None:
        assert uids_of(world.pods("web")) == uids_of(before)

    throughout(5, nobody_is_deleted)
    world.change("web-http", "HealthProbe", path="/healthz")
    world.await_word("web", "RepairsAllowed", "True", "BatchAvailable")
    nobody_is_deleted()
    world.endpoints.tell(before[:1], "status:500")
    eventually(
        lambda: not uids_of(world.pods("web")) & uids_of(before[:1]),
        "the broken one is repaired",
        seconds=VERDICT_S + 30,
    )
    history = world.await_status("web", lambda s: bool(s["repairs"].get("history")), "closed")
    assert [one["instance"] for one in history["repairs"]["history"]] == names_of(before[:1])
