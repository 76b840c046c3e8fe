"""A grace that is too short for what the instances need, learned on a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.alongside import alongside
from tests.integration.waiting import eventually
from tests.integration.world import HEALTHY, VERDICT_S, template, word

if TYPE_CHECKING:
    from tests.integration.world import World

SIZE: Final = 12
SLOW: Final = {"localcluster/start-delay": "10"}
"""They have an address before their containers run, and can be told in time what to answer."""


@alongside
def test_a_grace_that_is_too_short_is_warned_of_until_it_is_longer(world: World) -> None:
    """None of twelve is Healthy within the timeout of its start; it is told by an Event; mode
    Observe touches nobody."""
    repairs = {"gracePeriod": "PT0S", "mode": "Observe"}
    world.scale_set("web", SIZE, repairs=repairs, template=template("web", marks=SLOW))

    def addresses() -> int:
        return sum(bool(pod["status"].get("podIP")) for pod in world.pods("web"))

    eventually(lambda: addresses() == SIZE, "each has its address")
    world.endpoints.tell(world.pods("web"), "status:503")
    assert not any(ran(world)), "told too late: some have started already"
    eventually(
        lambda: all(word(pod, HEALTHY).status == "False" for pod in world.pods("web")),
        "a full timeout after its start each is Unhealthy",
        seconds=VERDICT_S + 10,
        told=lambda: world.told("web"),
    )
    world.endpoints.heal(world.pods("web"))
    warned = world.await_word("web", "Accepted", "True", "GraceTooShort")
    assert warned.message.startswith("gracePeriod PT0S is too short: 95 % of the instances of ")
    eventually(lambda: "GraceTooShort" in world.events("web"), "it is told")
    world.await_ready("web")
    assert world.status("web")["repairs"]["history"] == []
    world.change("web", automaticRepairsPolicy={"gracePeriod": "PT10M"})
    world.await_word("web", "Accepted", "True", "Valid")


def ran(world: World) -> list[bool]:
    """Whether the containers of each have run."""
    rows = (pod["status"].get("containerStatuses") or () for pod in world.pods("web"))
    return [any(row.get("started") for row in found) for found in rows]
