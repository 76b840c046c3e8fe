"""The grace adviser over a whole life: slow starters, a restart, and no write at rest."""

from scaleset_operator.rehearsal.endpoints import OK, STATUS_500
from tests.simulation.world import KEY, NAMESPACE, World, probe_spec, set_spec


def accepted(world: World) -> tuple[str, str]:
    row = next(c for c in world.status()["conditions"] if c["type"] == "Accepted")
    return row["reason"], row.get("message", "")


async def test_slow_starters_are_learned_from_and_the_warning_survives_a_restart() -> None:
    """G9: they need 45 s and have 20; a set at rest writes nothing all the same."""
    world = World(61)
    world.endpoints.default = lambda _: STATUS_500
    world.server.apply("HealthProbe", NAMESPACE, "web-http", probe_spec())
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, set_spec(20))
    world.start()
    await world.run(45)
    world.endpoints.default = lambda _: OK
    await world.run(60)
    reason, message = accepted(world)
    assert reason == "GraceTooShort"
    assert message.startswith("gracePeriod PT20S is too short: 95 % of the instances of model ")
    told = [note for _, note in world.operators[0].cluster.told if note.reason == "GraceTooShort"]
    assert len(told) == 1
    world.kill(world.operators[0])
    world.start()
    await world.run(30)
    assert accepted(world) == (reason, message)
    version = world.server.resource("ScaleSet", NAMESPACE, KEY.name)["metadata"]["resourceVersion"]
    await world.run(120, step=5.0)
    after = world.server.resource("ScaleSet", NAMESPACE, KEY.name)["metadata"]["resourceVersion"]
    assert after == version
    longer = set_spec(20, gracePeriod="PT90S")
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, longer)
    await world.run(10)
    assert accepted(world)[0] == "Valid"
    await world.close()
