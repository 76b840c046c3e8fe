"""kill -9 between any two writes of every scenario: each converges, no rule broken (G13)."""

from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from scaleset_operator.api.base import ANNOTATION_APPROVE_TERMINATION as APPROVED
from scaleset_operator.api.base import CONDITION_HEALTHY
from scaleset_operator.rehearsal.endpoints import HANG, STATUS_500
from tests.simulation.world import KEY, NAMESPACE, World, ready_world, set_spec

SIZE: Final = 6
SURGE: Final = {"maxSurge": True, "maxBatchInstancePercent": 34}
"""Two of six at once."""
IN_PLACE: Final = {"inPlaceIfPossible": True}
MOST_POINTS: Final = 200


async def scale_out(world: World) -> int:
    """Three more are wanted."""
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, set_spec(SIZE + 3))
    return SIZE + 3


async def scale_in(world: World) -> int:
    """Three fewer are wanted."""
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, set_spec(SIZE - 3))
    return SIZE - 3


async def two_break(world: World) -> int:
    """Two answer 500."""
    for pod in world.live()[:2]:
        world.endpoints.set(pod.uid, STATUS_500)
    return SIZE


async def two_break_and_are_told(world: World) -> int:
    """Two answer 500, and have twenty seconds to go; one approves."""
    spec = set_spec(SIZE, notice="PT20S")
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    first, second, *_ = world.live()
    world.server.change_pod(second, annotations={**second.annotations, APPROVED: "true"})
    for pod in (first, second):
        world.endpoints.set(pod.uid, STATUS_500)
    return SIZE


async def scale_in_during_a_notice(world: World) -> int:
    """One was told to go when two fewer are wanted."""
    spec = set_spec(SIZE, notice="PT20S")
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    world.endpoints.set(world.live()[0].uid, STATUS_500)
    await world.run(14)
    spec = set_spec(SIZE - 2, notice="PT20S")
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    return SIZE - 2


async def two_are_restarted(world: World) -> int:
    """In place: what is wrong with them goes with a restart."""
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, set_spec(SIZE, repairAction="Restart"))
    for pod in world.live()[:2]:
        world.endpoints.set_until_restart(pod.uid, STATUS_500)
    return SIZE


async def the_model_changes(world: World) -> int:
    """A rollout over all of them."""
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, set_spec(SIZE, image="web:2"))
    return SIZE


async def the_model_changes_with_surge(world: World) -> int:
    """New before old: nobody may be missing, wherever the operator dies."""
    spec = set_spec(SIZE, image="web:2", rolling=SURGE)
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    return SIZE


async def the_model_changes_in_place(world: World) -> int:
    """A rollout over all of them that keeps every pod."""
    spec = set_spec(SIZE, image="web:2", rolling=IN_PLACE)
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    return SIZE


async def the_model_changes_twice_in_place(world: World) -> int:
    """The second while the first is under way."""
    await the_model_changes_in_place(world)
    await world.run(2)
    spec = set_spec(SIZE, image="web:3", rolling=IN_PLACE)
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    return SIZE


async def all_fall_silent_for_ever(world: World) -> int:
    """The witness decides."""
    for pod in world.live():
        world.endpoints.set(pod.uid, HANG)
    return SIZE


async def two_end_by_themselves(world: World) -> int:
    """Evicted, one of them under repair."""
    sick, *_, other = world.live()
    world.endpoints.set(sick.uid, STATUS_500)
    await world.run(14)
    world.kubelet.die(other)
    return SIZE


SCENARIOS: Final[list[Callable[[World], Awaitable[int]]]] = [
    scale_out,
    scale_in,
    two_break,
    two_break_and_are_told,
    scale_in_during_a_notice,
    two_are_restarted,
    the_model_changes,
    the_model_changes_with_surge,
    the_model_changes_in_place,
    the_model_changes_twice_in_place,
    all_fall_silent_for_ever,
    two_end_by_themselves,
]


async def crashed_at(point: int, scenario: Callable[[World], Awaitable[int]]) -> bool:
    """Play a scenario with one crash; False when it has fewer points than that."""
    world = await ready_world(point, SIZE)
    world.operators[0].trouble.crash_at = point
    before = {pod.uid for pod in world.live()}
    wanted = await scenario(world)
    crashed = False
    for _ in range(360):
        await world.step(1.0)
        if scenario is the_model_changes_with_surge:
            assert SIZE <= world.serving() <= len(world.live()) <= SIZE + 2, point
        if scenario in (the_model_changes_in_place, the_model_changes_twice_in_place):
            assert {pod.uid for pod in world.live()} == before, point
            assert world.serving() >= SIZE - 1, point
        if not world.operators:
            crashed = True
            world.start()
        if crashed and settled(world, wanted):
            break
    assert settled(world, wanted), (point, world.status(), [p.name for p in world.live()])
    await world.close()
    return crashed


def settled(world: World, wanted: int) -> bool:
    """Whether the set is what is wanted, all of it healthy, and nothing is owed."""
    live, status = world.live(), world.status()
    models = {p.labels["scaleset.dev/model"] for p in live}
    owed = [*status["creating"], *status["scaleIn"], *status["renewals"]]
    owed += [*status["repairs"]["inFlight"], *status["repairs"]["doubts"]]
    well = (p.conditions.get(CONDITION_HEALTHY) for p in live)
    return (
        len(live) == wanted
        and len({p.instance_id for p in live}) == wanted
        and all(c is not None and c.status == "True" for c in well)
        and all(world.endpoints.answer(p.ip or "").status == 200 for p in live)
        and models == {status["latestModel"]}
        and not owed
    )


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_a_crash_at_any_write_loses_and_doubles_nothing(
    scenario: Callable[[World], Awaitable[int]],
) -> None:
    """R-16, protocol rules 3 to 7, 11, 18 and 24."""
    points = 0
    while points < MOST_POINTS and await crashed_at(points, scenario):
        points += 1
    assert 2 < points < MOST_POINTS, f"{points} crash points"
