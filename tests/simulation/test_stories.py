"""The repair loop from end to end in virtual time: the stories that the issue tells."""

from scaleset_operator.rehearsal.endpoints import HANG, OK, STATUS_500
from tests.simulation.world import ready_world, set_spec


async def test_two_of_forty_are_repaired_at_a_time_until_all_are_healthy() -> None:
    """R-11, R-20, R-29: nine break, they go two by two, and forty stand at the end."""
    world = await ready_world(1, 40)
    broken = [p for p in world.live() if p.instance_id is not None and p.instance_id % 5 == 0][:9]
    for pod in broken:
        world.endpoints.set(pod.uid, STATUS_500)
    await world.run(300)
    assert sorted(world.referee.repaired) == sorted(p.name for p in broken)
    assert world.referee.most_in_flight == 2
    assert len(world.live()) == 40
    await world.close()


async def test_a_lone_hung_instance_in_a_living_set_is_repaired() -> None:
    """X-05: silence of one among many that answer is the instance's own."""
    world = await ready_world(2, 40)
    hung = world.live()[7]
    world.endpoints.set(hung.uid, HANG)
    await world.run(60)
    assert world.referee.repaired == [hung.name]
    await world.close()


async def test_an_instance_that_breaks_at_once_is_left_alone_until_its_grace_ends() -> None:
    """R-24, R-29, R-33: unhealthy long before, repaired when grace ends, with no event between."""
    world = await ready_world(3, 40)
    world.endpoints.default = lambda pod: STATUS_500 if pod.instance_id == 41 else OK
    world.server.apply("ScaleSet", "shop", "web", set_spec(41))
    await world.run(19)
    rows = {row["name"]: row["reason"] for row in world.status()["unhealthyInstances"]}
    assert rows == {"web-41": "InGracePeriod"}
    assert world.referee.repaired == []
    await world.run(60)
    assert world.referee.repaired == ["web-41"]
    assert len(world.live()) == 41
    await world.close()
