"""A second replica that stands by: it does nothing, and knows everything when it is its turn."""

from scaleset_operator.reconciler.ports import Key
from scaleset_operator.rehearsal.endpoints import STATUS_500
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.probes import Blindness
from tests.simulation.world import NAMESPACE, Operator, World, ready_world
from tests.support.fake_leadership import FakeLeadership

TIMEOUT_S = 11


def stand_by(world: World) -> tuple[Operator, FakeLeadership]:
    """One more operator, which does not lead."""
    operator, word = world.start(), FakeLeadership()
    operator.reconciler.leadership = word
    return operator, word


def break_one(world: World) -> FakePod:
    sick = world.live()[7]
    world.endpoints.set(sick.uid, STATUS_500)
    return sick


async def test_a_standby_sends_nothing_whatever_happens() -> None:
    """R-17: instances fail, the leader repairs them; not one request of the other."""
    world = await ready_world(51, 20)
    standby, _ = stand_by(world)
    await world.run(30)
    sick = break_one(world)
    await world.run(120)
    assert world.referee.repaired == [sick.name]
    assert standby.cluster.wire.requests == []
    assert standby.reconciler.last_plans() == {}
    await world.close()


async def test_what_a_standby_has_watched_counts_from_its_first_turn_on() -> None:
    """X-08, rule 21: it was this very process that watched, so nobody waits for it again."""
    world = await ready_world(52, 20)
    _, word = stand_by(world)
    await world.run(30)
    sick = break_one(world)
    world.kill(world.operators[0])
    await world.run(2 * TIMEOUT_S)
    assert world.referee.repaired == [], "nobody leads"
    word.leading = True
    await world.run(3)  # A turn for the verdict, one for the record and the DELETE.
    assert world.referee.repaired == [sick.name]
    await world.close()


async def test_a_standby_that_has_not_watched_for_a_timeout_waits_for_the_rest_of_it() -> None:
    """X-08, rule 21: and not a second less than one that has just begun."""
    world = await ready_world(53, 20)
    sick = break_one(world)
    world.kill(world.operators[0])
    await world.run(2 * TIMEOUT_S)
    _, word = stand_by(world)
    await world.run(5)
    word.leading = True
    await world.run(TIMEOUT_S - 6)
    assert world.referee.repaired == []
    await world.run(10)
    assert world.referee.repaired == [sick.name]
    await world.close()


async def test_a_standby_that_was_blind_is_no_wiser_for_having_watched() -> None:
    """X-05, rule 18: its silence opens doubt, as anybody's."""
    world = await ready_world(54, 20)
    standby, word = stand_by(world)
    standby.probes.blind(Blindness.PODS)
    await world.run(60)
    world.kill(world.operators[0])
    word.leading = True
    await world.run(60)
    assert world.referee.repaired == []
    assert world.status()["repairs"]["doubts"]
    await world.close()


async def test_a_standby_knows_the_witnesses_that_the_leader_has_sent() -> None:
    """Rule 18, one in all: by the ledgers, before its own first decision."""
    world = await ready_world(55, 10)
    standby, _ = stand_by(world)
    world.operators[0].probes.blind(Blindness.PODS)
    for _ in range(120):
        await world.run(1)
        if any(doubt.get("witness") for doubt in world.status()["repairs"]["doubts"]):
            break
    await world.run(1)
    elsewhere = standby.reconciler.fleet.seen_by(Key(NAMESPACE, "another"))
    assert (elsewhere.watched_sets, elsewhere.silent_sets, elsewhere.witnesses) == (1, 1, 1)
    await world.close()
