"""Silence in virtual time: what is never deleted, and what is repaired all the same."""

import pytest

from scaleset_operator.rehearsal.endpoints import HANG, OK, STATUS_500
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.probes import Blindness
from tests.simulation.world import World, ready_world


def reasons(world: World) -> set[str]:
    """Reason codes of the instances that the status lists."""
    return {row["reason"] for row in world.status()["unhealthyInstances"]}


def allowed_reason(world: World) -> str:
    """Why repairs are or are not allowed."""
    rows = {row["type"]: row for row in world.status()["conditions"]}
    return str(rows["RepairsAllowed"]["reason"])


async def test_forty_silent_instances_are_left_alone_however_long_it_lasts() -> None:
    """X-05, rules 18, 20: the path is cut, references answer; only witnesses come and go."""
    world = await ready_world(3, 40)
    before = {p.uid for p in world.live()}
    world.operators[0].probes.blind(Blindness.PODS)
    await world.run(600, step=5.0)
    assert not world.referee.repaired, f"{len(world.referee.repaired)} repaired"
    await world.run(3 * 3600, step=5.0)
    assert world.referee.repaired == []
    assert before <= {p.uid for p in world.live()}
    assert all(p.in_rotation for p in world.live() if p.uid in before)
    assert reasons(world) == {"ProbeInconclusive"}
    assert allowed_reason(world) == "ProbeInconclusive"
    world.operators[0].probes.blind(Blindness.NONE)
    await world.run(120)
    assert {p.uid for p in world.live()} == before
    assert world.referee.repaired == []
    await world.close()


async def test_a_prober_without_any_sight_sends_no_witness() -> None:
    """X-05, rule 18: blind never clears by time, and nothing is created to find out."""
    world = await ready_world(4, 10)
    before = {p.uid for p in world.live()}
    world.operators[0].probes.blind(Blindness.ALL)
    await world.run(3600, step=5.0)
    assert {p.uid for p in world.live()} == before
    assert all(p.in_rotation for p in world.live())
    await world.close()


async def test_one_that_answers_500_in_the_middle_of_silence_is_repaired() -> None:
    """X-06: a wrong answer is evidence against the instance itself, and against no other."""
    world = await ready_world(5, 40)
    everyone = world.live()
    for pod in everyone:
        world.endpoints.set(pod.uid, HANG)
    world.endpoints.default = lambda _: HANG
    await world.run(60)
    sick = everyone[11]
    world.endpoints.set(sick.uid, STATUS_500)
    await world.run(40)
    assert world.referee.repaired == [sick.name]
    await world.run(600, step=2.0)
    assert world.referee.repaired == [sick.name]
    await world.close()


async def dead_set(seed: int, *, kill_every: float | None = None) -> tuple[World, list[FakePod]]:
    """A set whose forty instances hang for ever, while new ones answer."""
    world = await ready_world(seed, 40)
    everyone = world.live()
    for pod in everyone:
        world.endpoints.set(pod.uid, HANG)
    if kill_every is None:
        await world.run(1500)
        return world, everyone
    for _ in range(60):
        await world.run(kill_every)
        world.kill(world.operators[0])
        world.start()
    await world.run(600)
    return world, everyone


async def test_a_set_that_is_really_dead_is_repaired_at_the_caps_pace_through_the_witness() -> None:
    """R-60, rule 18: the witness answers, so the forty are dead, and go two by two."""
    world, everyone = await dead_set(6)
    assert sorted(world.referee.repaired) == sorted(p.name for p in everyone)
    assert world.referee.most_in_flight == 2
    assert len(world.live()) == 40
    assert world.status()["repairs"]["doubts"] == []
    await world.close()


@pytest.mark.parametrize("kill_every", [17.0, 31.0, 44.0])
async def test_a_dead_set_is_repaired_although_the_operator_is_killed_again_and_again(
    kill_every: float,
) -> None:
    """R-16, R-60, X-08: the doubt and its witness stand in the ledger."""
    world, everyone = await dead_set(7, kill_every=kill_every)
    assert sorted(world.referee.repaired) == sorted(p.name for p in everyone)
    assert world.referee.most_in_flight <= 2
    assert len(world.live()) == 40
    await world.close()


async def test_five_that_recover_in_the_middle_are_left_alone() -> None:
    """Rule 19: an instance leaves doubt by its own success."""
    world = await ready_world(8, 40)
    everyone = world.live()
    for pod in everyone:
        world.endpoints.set(pod.uid, HANG)
    await world.run(40)
    lucky = everyone[::8]
    for pod in lucky:
        world.endpoints.set(pod.uid, OK)
    await world.run(1500)
    spared = {p.name for p in lucky}
    assert len(spared) == 5
    assert set(world.referee.repaired) == {p.name for p in everyone} - spared
    assert spared <= {p.name for p in world.live()}
    assert len(world.live()) == 40
    await world.close()


@pytest.mark.parametrize("size", [1, 2])
async def test_sets_of_one_and_two_are_sets_that_fell_silent(size: int) -> None:
    """Rule 18: sets of one and two included; the witness tells, then they are repaired."""
    world = await ready_world(9, size)
    for pod in world.live():
        world.endpoints.set(pod.uid, HANG)
    await world.run(50)
    assert world.referee.repaired == []
    await world.run(300)
    assert len(world.referee.repaired) == size
    assert len(world.live()) == size
    await world.close()


async def test_a_silent_node_is_held_and_then_repaired_at_the_caps_pace() -> None:
    """Rule 17: the others answer; the node gets its time first, and leaves rotation at once."""
    world = await ready_world(10, 12)
    on_node = [p for p in world.live() if p.node == "node-1"]
    assert len(on_node) >= 3
    for pod in on_node:
        world.endpoints.set(pod.uid, HANG)
    await world.run(45)
    assert world.referee.repaired == []
    names = {p.name for p in on_node}
    assert all(not p.in_rotation for p in world.live() if p.name in names)
    await world.run(300)
    assert set(world.referee.repaired) == names
    assert world.referee.most_in_flight == 1
    await world.close()


async def test_a_set_in_silence_and_observe_mode_sends_no_witness() -> None:
    """Rule 18: a witness is an act; a set that may not act gets none."""
    world = await ready_world(11, 10, mode="Observe")
    for pod in world.live():
        world.endpoints.set(pod.uid, HANG)
    await world.run(300)
    assert len(world.live()) == 10
    assert world.referee.repaired == []
    await world.close()
