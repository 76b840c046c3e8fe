"""The terminate notice from end to end in virtual time: told, replaced, waited for, deleted."""

import pytest

from scaleset_operator.api.base import (
    ANNOTATION_APPROVE_TERMINATION,
    ANNOTATION_TERMINATE_AT,
    LABEL_PROTECT_FROM_SCALE_IN,
)
from scaleset_operator.core.plan import Purpose
from scaleset_operator.rehearsal.endpoints import OK, STATUS_500
from scaleset_operator.rehearsal.objects import FakePod
from tests.simulation.told import told_by
from tests.simulation.world import KEY, NAMESPACE, World, ready_world, set_spec


async def told(world: World, count: int) -> list[FakePod]:
    """The first so many break, and are told to go; in order."""
    names = [pod.name for pod in world.live()[:count]]
    for pod in world.live()[:count]:
        world.endpoints.set(pod.uid, STATUS_500)
    await world.run(20)
    found = [world.server.pod(NAMESPACE, name) for name in names]
    assert {pod.uid for pod in found} == set(world.referee.notices)
    return found


def approve(world: World, pod: FakePod) -> None:
    """The instance agrees."""
    now = world.server.pod(NAMESPACE, pod.name)
    marks = {**now.annotations, ANNOTATION_APPROVE_TERMINATION: "true"}
    world.server.change_pod(now, annotations=marks)


async def test_ten_of_two_hundred_are_told_and_the_set_is_ten_more_for_a_while() -> None:
    """R-06, R-51, R-52, R-53, X-09: limits Standard, 210 live, neither trimmed nor blocked."""
    world = await ready_world(1, 200, limits="Standard", notice="PT5M")
    victims = await told(world, 10)
    await world.run(60)
    assert world.referee.removed == []
    assert len(world.live()) == 210
    approve(world, victims[0])
    world.endpoints.set(world.live()[20].uid, STATUS_500)
    await world.run(30)
    assert world.referee.repaired == [victims[0].name]
    assert len(world.referee.notices) == 11, "a slot is free: the next is told, 200 and 10 or not"
    assert len(world.live()) == 210
    await world.run(330)
    assert len(world.live()) == 200
    assert [purpose for purpose, _ in world.referee.removed] == [Purpose.REPAIR] * 11
    assert world.status()["repairs"]["inFlight"] == []
    await world.close()


async def test_the_document_changes_with_each_notice_and_the_incarnation_with_it() -> None:
    """M-19, V-30: two are told, one approves, one goes at its deadline; three operators in turn."""
    world = await ready_world(5, 40, notice="PT60S")
    victims = await told(world, 2)
    seen = [world.status()["scheduledEventsIncarnation"]]
    assert world.documents.changes in {1, 2}, "of one batch, or one after the other"
    (first,) = world.operators
    world.kill(first)
    second = world.start()
    await world.run(10)
    approve(world, victims[0])
    await world.run(10)
    seen.append(world.status()["scheduledEventsIncarnation"])
    world.kill(second)
    world.start()
    await world.run(60)
    seen.append(world.status()["scheduledEventsIncarnation"])
    assert seen == sorted(set(seen))
    assert told_by(world.status()) == []
    changes = world.documents.changes
    await world.run(300)
    assert world.documents.changes == changes
    assert world.status()["scheduledEventsIncarnation"] == seen[-1], "it stays with the status"
    await world.close()


async def test_two_operators_and_a_lagging_view_tell_each_victim_once() -> None:
    """R-17, rule 11: two of forty at a time, to their deadlines, in no rotation."""
    world = await ready_world(2, 40, notice="PT30S")
    world.start(lag=5.0, resource_lag=5.0)
    broken = world.live()[:5]
    for pod in broken:
        world.endpoints.set(pod.uid, STATUS_500)
    await world.run(60)
    for pod in broken:
        world.endpoints.set(pod.uid, OK)
    await world.run(180)
    assert set(world.referee.repaired) <= {pod.name for pod in broken}
    assert len(world.referee.repaired) == len(world.referee.notices) >= 2
    assert len(world.live()) == 40
    await world.close()


@pytest.mark.parametrize("healthy_again", [True, False])
async def test_a_notice_is_kept_whatever_is_said_afterwards(*, healthy_again: bool) -> None:
    """R-54, rule 8: recovery, protection, a new profile and a rewritten deadline change nothing."""
    world = await ready_world(3, 20, notice="PT60S")
    (victim,) = await told(world, 1)
    due = world.referee.notices[victim.uid]
    if healthy_again:
        world.endpoints.set(victim.uid, OK)
    marks = {**victim.annotations, ANNOTATION_TERMINATE_AT: "2036-01-01T00:00:00Z"}
    labels = {**victim.labels, LABEL_PROTECT_FROM_SCALE_IN: "true"}
    world.server.change_pod(victim, annotations=marks, labels=labels)
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, set_spec(20, notice="PT1H"))
    await world.run((due - world.clock.now()).total_seconds() - 2)
    assert world.referee.repaired == []
    await world.run(4)
    assert world.referee.repaired == [victim.name]
    await world.run(30)
    assert len(world.live()) == 20
    await world.close()


async def test_what_is_owed_is_not_doubled_when_victim_and_replacement_go_at_once() -> None:
    """Rules 6 and 7: a person deletes both in the middle of the notice."""
    world = await ready_world(4, 20, notice="PT2M")
    (victim,) = await told(world, 1)
    heir = next(p for p in world.live() if p.annotations.get("scaleset.dev/replaces"))
    for pod in (victim, heir):
        world.server.delete_pod(NAMESPACE, pod.name)
    await world.run(90)
    assert len(world.live()) == 20
    assert world.referee.removed == []
    assert world.status()["repairs"]["inFlight"] == []
    await world.close()
