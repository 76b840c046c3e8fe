"""Rotation in virtual time: load that is shed, and instances on their way out."""

from scaleset_operator.rehearsal.endpoints import HANG, STATUS_500, STATUS_503
from scaleset_operator.rehearsal.probes import Blindness
from tests.simulation.world import KEY, NAMESPACE, World, probe_spec, set_spec

LB = "/lb"


async def two_probes(seed: int, replicas: int) -> World:
    """A set that has come up under a probe of health and one of rotation."""
    world = World(seed)
    world.server.apply("HealthProbe", NAMESPACE, "web-http", probe_spec())
    world.server.apply("HealthProbe", NAMESPACE, "web-lb", probe_spec(path=LB))
    spec = set_spec(replicas) | {"rotationProbeRef": {"name": "web-lb"}}
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    world.start()
    await world.run(30.0)
    assert all(pod.in_rotation for pod in world.live())
    return world


async def test_ten_that_shed_load_leave_rotation_and_come_back_and_none_is_repaired() -> None:
    """P-29, P-16, P-17."""
    world = await two_probes(21, 40)
    busy = world.live()[::4]
    for pod in busy:
        world.endpoints.set_path(pod.uid, LB, STATUS_503)
    await world.run(600)
    assert {p.uid for p in world.live() if not p.in_rotation} == {p.uid for p in busy}
    assert world.referee.repaired == []
    for pod in busy:
        world.endpoints.set_path(pod.uid, LB, None)
    await world.run(15)
    assert all(pod.in_rotation for pod in world.live())
    await world.close()


async def test_a_broken_instance_is_repaired_though_others_shed_load() -> None:
    """P-29: health and repair stay with the other probe."""
    world = await two_probes(22, 40)
    pods = world.live()
    for pod in pods[:8]:
        world.endpoints.set_path(pod.uid, LB, STATUS_503)
    world.endpoints.set(pods[20].uid, STATUS_500)
    await world.run(60)
    assert world.referee.repaired == [pods[20].name]
    await world.close()


async def test_a_blind_prober_empties_no_service_by_either_probe() -> None:
    """Rule 20: for an hour, and no instance is touched."""
    world = await two_probes(23, 10)
    before = {p.uid for p in world.live()}
    for blindness in (Blindness.ALL, Blindness.PODS):
        world.operators[0].probes.blind(blindness)
        await world.run(900, step=3.0)
        assert all(p.in_rotation for p in world.live() if p.uid in before)
    assert world.referee.repaired == []
    await world.close()


async def test_silence_on_the_path_of_rotation_alone_sends_no_witness() -> None:
    """Rule 20: the gates stay, and nothing is created to find out."""
    world = await two_probes(24, 10)
    before = {p.uid for p in world.live()}
    for pod in world.live():
        world.endpoints.set_path(pod.uid, LB, HANG)
    await world.run(600)
    assert {p.uid for p in world.live()} == before
    assert all(p.in_rotation for p in world.live())
    assert world.status()["repairs"]["doubts"] == []
    assert world.status()["rotation"] == {
        "inRotation": 0,
        "outOfRotation": 0,
        "unknown": 10,
        "reason": "ProbeInconclusive",
    }
    await world.close()


def late(world: World) -> list[str]:
    """Those that are being deleted for more than a second and are still in rotation."""
    now = world.clock.now()
    gone = [(p, p.deleted_at) for p in world.server.pods(NAMESPACE) if p.in_rotation]
    return [p.name for p, at in gone if at is not None and (now - at).total_seconds() > 1]


async def test_whoever_deletes_an_instance_it_leaves_rotation_while_its_probe_still_says_200() -> (
    None
):
    """P-20: a person, a scale-in, a rollout; stuck in its stop hook for minutes."""
    world = await two_probes(25, 10)
    for pod in world.live():
        world.kubelet.stick(pod)
    world.server.delete_pod(NAMESPACE, world.live()[0].name)
    await world.step(1.0)
    await world.step(1.0)
    spec = set_spec(6, image="web:2") | {"rotationProbeRef": {"name": "web-lb"}}
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    for _ in range(60):
        await world.step(1.0)
        assert late(world) == []
    assert sum(pod.terminating for pod in world.server.pods(NAMESPACE)) == 10
    await world.close()


async def test_an_operator_that_was_away_takes_the_terminating_out_when_it_comes() -> None:
    """P-20: by what stands on the pods, for nothing is remembered."""
    world = await two_probes(26, 5)
    victim = world.live()[0]
    world.kubelet.stick(victim)
    world.kill(world.operators[0])
    world.server.delete_pod(NAMESPACE, victim.name)
    await world.run(60)
    assert world.server.pod(NAMESPACE, victim.name).in_rotation is True
    world.start()
    await world.run(2)
    gone = world.server.pod(NAMESPACE, victim.name)
    assert gone.in_rotation is False
    assert gone.conditions["scaleset.dev/InRotation"].reason == "Terminating"
    assert gone.conditions["scaleset.dev/Healthy"].status == "True"
    await world.close()
