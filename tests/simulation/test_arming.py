"""Repairs under armAfterHealthyPercent: through a wrong probe, restarts and two operators."""

from typing import Any

from scaleset_operator.rehearsal.endpoints import OK, STATUS_500, Answer
from scaleset_operator.rehearsal.objects import FakePod
from tests.simulation.world import KEY, NAMESPACE, World, probe_spec, ready_world, set_spec


def everybody(world: World, answer: Answer) -> None:
    """From now on all instances answer so, those to come included."""
    world.endpoints.default = lambda _: answer
    for pod in world.live():
        world.endpoints.set(pod.uid, answer)


def edit_probe(world: World, path: str) -> None:
    world.server.apply("HealthProbe", NAMESPACE, "web-http", probe_spec(path=path))


def allowed(world: World) -> tuple[str, str, str]:
    rows: list[dict[str, Any]] = world.status()["conditions"]
    row = next(row for row in rows if row["type"] == "RepairsAllowed")
    return row["status"], row["reason"], row["message"]


def assert_nobody_was_repaired(world: World) -> None:
    names = world.referee.repaired
    assert not names, f"{names} was repaired under a probe that nobody ever answered"


async def test_a_wrong_probe_shipped_to_a_healthy_set_deletes_nothing() -> None:
    """X-11: not after the timeout, not by a second operator, not after a restart; the right path
    arms again, and what is really broken is repaired."""
    world = await ready_world(41, 20, armAfterHealthyPercent=80)
    assert allowed(world)[:2] == ("True", "BatchAvailable")
    edit_probe(world, "/wrong")
    everybody(world, STATUS_500)
    await world.run(60)
    world.start(lag=1.5, resource_lag=3.0)
    await world.run(60)
    world.kill(world.operators[0])
    world.start()
    await world.run(60)
    assert_nobody_was_repaired(world)
    state, reason, message = allowed(world)
    assert (state, reason) == ("False", "NotArmed")
    assert message.startswith("0 of 16 needed healthy once under the present probe, model ")
    assert world.status()["unhealthyReplicas"] == 20
    everybody(world, OK)
    edit_probe(world, "/healthz")
    await world.run(20)
    sick = world.live()[3]
    world.endpoints.set(sick.uid, STATUS_500)
    await world.run(60)
    assert world.referee.repaired == [sick.name]
    await world.close()


async def test_a_new_set_that_never_answered_is_left_in_observation() -> None:
    """X-11: out of grace for long; one that answers is not enough for ten."""
    world = World(42)
    world.endpoints.default = lambda pod: OK if pod.instance_id == 1 else STATUS_500
    world.server.apply("HealthProbe", NAMESPACE, "web-http", probe_spec())
    spec = set_spec(10, armAfterHealthyPercent=20)
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    world.start()
    await world.run(120)
    assert_nobody_was_repaired(world)
    assert allowed(world)[2].startswith("1 of 2 needed")
    rows = world.status()["unhealthyInstances"]
    assert {(row["reason"], row["repairDecision"]) for row in rows} == {("NotArmed", "Deferred")}
    second = next(pod for pod in world.live() if pod.instance_id == 2)
    world.endpoints.set(second.uid, OK)
    await world.run(30)
    assert len(world.referee.repaired) >= 1
    await world.close()


async def test_what_is_armed_survives_the_only_operator_s_restart_in_an_outage() -> None:
    """X-08, R-60: all fail under the armed probe; the new process repairs, one by one."""
    world = await ready_world(43, 10, armAfterHealthyPercent=100)
    everybody(world, STATUS_500)
    world.endpoints.default = good_newcomers
    world.kill(world.operators[0])
    world.start()
    await world.run(240)
    assert len(world.referee.repaired) == 10
    assert world.referee.most_in_flight == 1
    await world.close()


def good_newcomers(pod: FakePod) -> Answer:
    """The first ten are broken."""
    return OK if (pod.instance_id or 0) > 10 else STATUS_500
