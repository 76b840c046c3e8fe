"""Rollouts from end to end in virtual time: with surge, with failures, with two operators."""

from collections.abc import Callable
from typing import Any, Final

import pytest

from scaleset_operator.rehearsal.endpoints import OK, STATUS_500, Answer
from scaleset_operator.rehearsal.objects import FakePod
from tests.simulation.world import KEY, NAMESPACE, World, ready_world, set_spec

SIZE = 20
SURGE: Final[dict[str, Any]] = {"maxSurge": True}
BATCH = 4


def roll(world: World, image: str = "web:2", **rolling: Any) -> None:
    """The owner edits the template."""
    spec = set_spec(SIZE, image=image, rolling=rolling)
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)


def images(world: World) -> set[str]:
    return {pod.spec["containers"][0]["image"] for pod in world.live()}


async def test_a_surge_leaves_nobody_missing_at_any_moment() -> None:
    """R-57, rule 22: twenty serve in every second, and at most a batch stands beside them."""
    world = await ready_world(31, SIZE)
    roll(world, **SURGE)
    for _ in range(240):
        await world.step(1.0)
        assert world.serving() >= SIZE, f"the set is short: {world.serving()}"
        assert len(world.live()) <= SIZE + BATCH
        if images(world) == {"web:2"} and len(world.live()) == SIZE:
            break
    await world.run(10)
    assert images(world) == {"web:2"}
    assert len(world.live()) == SIZE
    assert "rollout" not in world.status()
    await world.close()


@pytest.mark.parametrize("seed", range(12))
async def test_two_operators_with_stale_views_surge_no_more_than_one(seed: int) -> None:
    """R-57: each acts on what it sees; the recorded status lets only one step be begun."""
    world = await ready_world(seed, SIZE)
    world.start(lag=seed % 4 * 1.5, resource_lag=seed % 3 * 1.0)
    roll(world, **SURGE)
    for _ in range(300):
        await world.step(1.0)
        assert world.serving() >= SIZE, f"the set is short: {world.serving()}"
        assert len(world.live()) <= SIZE + BATCH
    assert images(world) == {"web:2"}
    assert len(world.live()) == SIZE
    await world.close()


async def test_a_surge_and_repairs_share_a_set() -> None:
    """R-11, X-02: one breaks while the others surge; it is replaced, the rest never short."""
    world = await ready_world(32, SIZE)
    roll(world, **SURGE)
    await world.run(4)
    sick = next(p for p in world.live() if p.instance_id == SIZE)
    world.endpoints.set(sick.uid, STATUS_500)
    for _ in range(240):
        await world.step(1.0)
        assert world.serving() >= SIZE - 1
    assert images(world) == {"web:2"}
    assert len(world.live()) == SIZE
    assert world.referee.most_in_flight <= 1
    await world.close()


async def test_a_bad_model_stops_without_surge_within_a_batch_and_with_it_at_no_cost() -> None:
    """R-57, R-58: and a good model cures both."""
    for rolling, least in (({}, SIZE - BATCH), (SURGE, SIZE)):
        world = await ready_world(33, SIZE)
        world.endpoints.default = fails_on("web:bad")
        roll(world, "web:bad", **rolling)
        for _ in range(120):
            await world.step(1.0)
            assert world.serving() >= least
        assert world.status()["rollout"]["reason"] == "RolloutStopped"
        assert "revision 2" in world.status()["rollout"]["message"]
        roll(world, "web:good", **rolling)
        for _ in range(240):
            await world.step(1.0)
            assert world.serving() >= least
        assert images(world) == {"web:good"}
        assert len(world.live()) == SIZE
        await world.close()


def fails_on(image: str) -> Callable[[FakePod], Answer]:
    """Instances of this image answer 500."""

    def answer(pod: FakePod) -> Answer:
        return STATUS_500 if pod.spec["containers"][0]["image"] == image else OK

    return answer


async def test_scale_in_during_a_surge_ends_at_the_wanted_number() -> None:
    """R-53: neither does the surplus stay, nor is anybody trimmed for it."""
    world = await ready_world(34, SIZE)
    roll(world, **SURGE)
    await world.run(4)
    spec = set_spec(SIZE - 5, image="web:2", rolling=SURGE)
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    for _ in range(240):
        await world.step(1.0)
        assert world.serving() >= SIZE - 5
    assert len(world.live()) == SIZE - 5
    assert images(world) == {"web:2"}
    await world.close()
