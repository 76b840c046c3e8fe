"""Acts of a move that are refused: remembered in words, so that a decision can tell them on."""

from contextlib import suppress

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.maintenance_acts import EvictInstance, HoldPlace, ReleasePlace
from scaleset_operator.core.plan import Action
from scaleset_operator.reconciler.account import EvictionEnd, NoAccount
from scaleset_operator.reconciler.act import Actor
from scaleset_operator.reconciler.memory import Memory
from scaleset_operator.reconciler.ports import (
    Conflict,
    Gone,
    Key,
    Owner,
    Refused,
    TooOld,
    Unavailable,
)
from scaleset_operator.reconciler.relocations import Disallowed, NoRelocations
from tests.reconciler.stage import FAR_FUTURE, Stage
from tests.simulation.world import KEY

HOLD = HoldPlace(
    name="web-7-place", instance="web-7", model="m2", node_labels=(("updated", "yes"),)
)
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


class Book(NoAccount):
    """Writes down what became of evictions."""

    def __init__(self) -> None:
        self.ends: list[EvictionEnd] = []

    def evicted(self, key: Key, end: EvictionEnd) -> None:
        assert key == KEY
        self.ends.append(end)


class Trying:
    """One actor whose moves are all refused, or all accepted."""

    def __init__(self, fault: Exception | None) -> None:
        self.memory = Memory()
        self.stage = Stage()
        cluster, clock = self.stage.cluster, self.stage.clock
        self.account = Book()
        relocations = NoRelocations() if fault is None else Unwilling(fault)
        self._actor = Actor(cluster, clock, self.account, relocations=relocations)

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


@pytest.mark.parametrize(
    ("fault", "end"),
    [
        (None, EvictionEnd.ACCEPTED),
        (Disallowed("the budget web-pdb needs 3"), EvictionEnd.DISRUPTION_BUDGET),
        (REFUSED, EvictionEnd.REFUSED),
        (Conflict("changed"), EvictionEnd.CHANGED),
        (Gone("another pod"), EvictionEnd.CHANGED),
        (TooOld("not sent"), EvictionEnd.TOO_LATE),
        (Unavailable("no answer"), EvictionEnd.UNAVAILABLE),
    ],
    ids=lambda case: type(case).__name__ if isinstance(case, Exception) else str(case),
)
async def test_each_eviction_is_counted_once_by_what_was_said_to_it(
    fault: Exception | None, end: EvictionEnd
) -> None:
    """X-11: a budget that says no can be told from an API server that is away."""
    trying = Trying(fault)
    with suppress(Unavailable):
        await trying.act(EVICT)
    assert trying.account.ends == [end]
