"""Which health source is in force, and what each can see."""

from scaleset_operator.rehearsal.endpoints import STATUS_500
from tests.simulation.world import KEY, NAMESPACE, World, probe_spec, ready_world, set_spec


def healthy_message(world: World) -> str:
    """What the condition InstancesHealthy says."""
    rows = {row["type"]: row for row in world.status()["conditions"]}
    return f"{rows['InstancesHealthy']['reason']}: {rows['InstancesHealthy']['message']}"


async def without_source() -> World:
    """Three instances of a set that names no health source."""
    world = World(21)
    spec = set_spec(3)
    del spec["healthProbeRef"], spec["automaticRepairsPolicy"]
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    world.start()
    await world.run(20)
    return world


async def test_without_a_source_readiness_is_the_default_and_blind_to_errors() -> None:
    """P-19, P-21: in rotation by readiness alone, a 500 unseen, and the status says so."""
    world = await without_source()
    sick, stopped = world.live()[:2]
    world.endpoints.set(sick.uid, STATUS_500)
    world.kubelet.restart_containers(stopped, down_for=None)
    await world.run(60)
    rotation = {p.name: p.in_rotation for p in world.live()}
    assert rotation == {sick.name: True, stopped.name: False, "web-3": True}
    assert (
        healthy_message(world) == "NoProbe: no health source is named; rotation follows readiness"
    )
    await world.close()


async def test_a_probe_sees_the_errors_and_overrides_the_default() -> None:
    """P-18, P-21: the 500 leaves rotation, and the status names the probe that says so."""
    world = await ready_world(22, 3, enabled=False)
    sick = world.live()[0]
    world.endpoints.set(sick.uid, STATUS_500)
    await world.run(30)
    assert {p.name for p in world.live() if not p.in_rotation} == {sick.name}
    assert healthy_message(world) == "InstancesUnhealthy: 1 of 3 unhealthy by HealthProbe web-http"
    await world.close()


async def test_a_probe_that_nobody_names_sends_nothing() -> None:
    """P-23: a probe alone does nothing."""
    world = await without_source()
    world.server.apply("HealthProbe", NAMESPACE, "web-http", probe_spec())
    await world.run(30)
    pods = world.live()
    assert len(pods) == 3
    assert all(world.operators[0].probes.evidence(p.uid) is None for p in pods)
    await world.close()
