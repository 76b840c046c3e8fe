"""Acts of a move that are refused: remembered in words, so that a decision can tell them on."""

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.maintenance_acts import EvictInstance, HoldPlace, ReleasePlace
from scaleset_operator.core.plan import Action
from scaleset_operator.reconciler.act import Actor
from scaleset_operator.reconciler.memory import Memory
from scaleset_operator.reconciler.ports import Conflict, Owner, Refused, Unavailable
from scaleset_operator.reconciler.relocations import Disallowed, NoRelocations
from tests.reconciler.stage import FAR_FUTURE, Stage

HOLD = HoldPlace(name="web-7-place", instance="web-7", node_labels=(("updated", "yes"),))
EVICT = EvictInstance(name="web-7", uid="uid-web-7", resource_version="7")
REFUSED = Refused(Reason.CREATE_FORBIDDEN, "exceeded quota")


class Unwilling(NoRelocations):
    """Refuses everything in one way."""

    def __init__(self, fault: Exception) -> None:
        self.fault = fault

    async def hold_place(self, owner: Owner, action: HoldPlace, not_after: int) -> None:
        raise self.fault

    async def release_place(self, owner: Owner, action: ReleasePlace) -> None:
        raise self.fault

    async def evict(self, owner: Owner, action: EvictInstance, not_after: int) -> None:
        raise self.fault


class Trying:
    """One actor whose moves are all refused."""

    def __init__(self, fault: Exception) -> None:
        self.memory = Memory()
        self.stage = Stage()
        cluster, clock = self.stage.cluster, self.stage.clock
        self._actor = Actor(cluster, clock, relocations=Unwilling(fault))

    async def act(self, action: Action) -> bool:
        owner = self.stage.owner()
        return await self._actor.act(owner, [action], self.memory, FAR_FUTURE)

    def why(self, name: str = "web-7") -> str:
        why, until = self.memory.not_evicted[name]
        assert until > self.stage.clock.now()
        return why


@pytest.mark.parametrize(
    ("fault", "words"),
    [(REFUSED, "exceeded quota"), (Conflict("the name is taken"), "the name is taken")],
    ids=["refused", "taken"],
)
async def test_a_place_that_cannot_be_made_says_why(fault: Exception, words: str) -> None:
    """M-26: the instance is left alone, and its owner told what stood in the way."""
    trying = Trying(fault)
    assert not await trying.act(HOLD)
    assert trying.why() == words


async def test_an_eviction_that_is_not_allowed_waits_and_says_why() -> None:
    """M-26: a webhook or a missing right is no want of room."""
    trying = Trying(REFUSED)
    assert not await trying.act(EVICT)
    assert trying.why() == "exceeded quota"
    assert trying.memory.refused_until == {}


async def test_a_budget_without_room_is_waited_for_and_nothing_else_suffers() -> None:
    """The turn goes on as if all was done, for the API server is well."""
    trying = Trying(Disallowed("the budget web-pdb needs 3"))
    assert await trying.act(EVICT)
    assert trying.why() == "the budget web-pdb needs 3"


async def test_an_api_server_that_cannot_be_asked_says_nothing_about_the_instance() -> None:
    """X-07."""
    trying = Trying(Unavailable("no answer"))
    with pytest.raises(Unavailable):
        await trying.act(EVICT)
    assert trying.memory.not_evicted == {}
