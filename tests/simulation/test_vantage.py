"""A prober that sees little, with and without a second vantage, in virtual time."""

import pytest

from scaleset_operator.rehearsal.endpoints import HANG, OK, STATUS_500
from scaleset_operator.rehearsal.probes import Blindness
from tests.simulation.world import World, ready_world
from tests.support.fake_vantage import FakeVantage


async def with_vantage(seed: int, replicas: int) -> tuple[World, FakeVantage]:
    """A set that has come up under an operator with a second vantage."""
    world = await ready_world(seed, replicas)
    vantage = FakeVantage(world.clock, world.endpoints)
    world.operators[0].reconciler.vantage = vantage
    return world, vantage


async def test_a_blind_operator_with_a_seeing_vantage_touches_nothing_and_doubts_nothing() -> None:
    """X-05, rules 15, 18, 20: for an hour; no witness, no write to any pod."""
    world, _ = await with_vantage(31, 20)
    before = {p.uid: p.resource_version for p in world.live()}
    world.operators[0].probes.blind(Blindness.PODS)
    await world.run(3600, step=4.0)
    assert {p.uid: p.resource_version for p in world.live()} == before
    assert world.status()["repairs"]["doubts"] == []
    assert world.status()["healthyReplicas"] == 20
    await world.close()


async def test_a_path_that_is_cut_to_one_node_repairs_nobody_whom_the_other_prober_hears() -> None:
    """Rule 15, X-05: of each set a third is silent to one prober, and it is the path."""
    world, vantage = await with_vantage(32, 12)
    before = {p.uid for p in world.live()}
    world.operators[0].probes.cut_nodes("node-1")
    await world.run(600, step=2.0)
    assert world.referee.repaired == []
    assert {p.uid for p in world.live()} == before
    assert all(p.in_rotation for p in world.live())
    vantage.sees = False
    await world.run(120)
    assert world.referee.repaired, "nobody hears them any more"
    await world.close()


@pytest.mark.parametrize("how", [STATUS_500, HANG])
async def test_what_neither_hears_or_what_answers_wrongly_is_repaired(how: object) -> None:
    """Rule 15: a vote is good for a timeout, and none stands against a wrong answer."""
    world, _ = await with_vantage(33, 20)
    sick = world.live()[7]
    await world.run(20)
    world.endpoints.set(sick.uid, how)  # type: ignore[arg-type] # one of the two
    await world.run(60)
    assert world.referee.repaired == [sick.name]
    await world.close()


async def test_a_wrong_answer_to_us_is_acted_on_whatever_the_other_vantage_says() -> None:
    """Rule 15: it may have asked before the fault, or by another way."""
    world, vantage = await with_vantage(34, 20)
    sick = world.live()[7]
    world.endpoints.set_path(sick.uid, "/healthz", STATUS_500)
    vantage.path = "/elsewhere"
    await world.run(60)
    assert world.referee.repaired == [sick.name]
    await world.close()


async def test_a_set_that_goes_dark_bit_by_bit_is_left_alone_as_one_that_goes_dark_at_once() -> (
    None
):
    """X-05, rule 18: within two minutes all forty are out of reach, one after another."""
    world = await ready_world(35, 40)
    everyone = world.live()
    first = {pod.uid for pod in everyone}
    world.endpoints.default = lambda pod: OK if pod.uid in first else HANG
    for pod in everyone:
        world.endpoints.set(pod.uid, HANG)
        await world.step(3.0)
    gone_before = len(world.referee.repaired)
    await world.run(900, step=3.0)
    assert len(world.referee.repaired) == gone_before
    await world.close()
