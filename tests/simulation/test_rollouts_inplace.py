"""Rollouts that keep the pods, end to end in virtual time: by one operator and by two."""

from typing import Any, Final

import pytest

from scaleset_operator.api import base
from scaleset_operator.core.images import plain
from scaleset_operator.rehearsal.endpoints import STATUS_500
from tests.simulation.test_rollouts import BATCH, SIZE, fails_on, images, roll
from tests.simulation.world import KEY, NAMESPACE, World, ready_world, set_spec

IN_PLACE: Final[dict[str, Any]] = {"inPlaceIfPossible": True}


def uids(world: World) -> dict[str, str]:
    return {pod.name: pod.uid for pod in world.live()}


async def until_rolled(world: World, image: str, *, least: int, seconds: int = 240) -> None:
    """Let it roll, with so many serving at every moment."""
    for _ in range(seconds):
        await world.step(1.0)
        assert world.serving() >= least, f"below the floor: {world.serving()} serve"
        if images(world) == {image} and not world.status()["renewals"]:
            break
    await world.run(5)
    assert images(world) == {image}
    assert "rollout" not in world.status()


async def test_a_rollout_in_place_keeps_the_floor_and_every_pod() -> None:
    """R-24, R-26, R-56, R-57, rule 22: name, UID, address, node; each is a state change of ours."""
    world = await ready_world(41, SIZE)
    before = {pod.name: pod for pod in world.live()}
    roll(world, **IN_PLACE)
    await until_rolled(world, "web:2", least=SIZE - BATCH)
    for pod in world.live():
        was = before[pod.name]
        assert (pod.uid, pod.ip, pod.node) == (was.uid, was.ip, was.node)
        assert [run.restarts for run in pod.runs] == [1]
        stamp = base.ANNOTATION_STATE_CHANGE_TIME
        assert pod.annotations[stamp] > was.annotations[stamp]
        assert pod.labels[base.LABEL_MODEL] == world.status()["latestModel"]
        assert pod.in_rotation
    assert sorted(world.referee.rolled) == sorted(before)
    assert world.referee.removed == []
    await world.close()


@pytest.mark.parametrize("seed", range(12))
async def test_two_operators_with_stale_views_renew_each_once_and_keep_the_floor(seed: int) -> None:
    """Rules 5, 10, 11, 22: the record says who is out, whatever a cache shows."""
    world = await ready_world(500 + seed, SIZE)
    world.start(lag=seed % 4 * 1.5, resource_lag=seed % 3 * 1.0)
    before = uids(world)
    roll(world, **IN_PLACE)
    await until_rolled(world, "web:2", least=SIZE - BATCH, seconds=400)
    assert sorted(world.referee.rolled) == sorted(before)
    assert uids(world) == before
    await world.close()


@pytest.mark.parametrize("point", range(10))
async def test_no_older_image_is_written_over_a_newer_model(point: int) -> None:
    """R-58, rule 10: one operator is stopped between its requests while the model moves on and
    another one brings the instances there; it then goes on, within its 5 s or after them."""
    for pause in (3, 60):
        world = await ready_world(600 + point, 5)
        late = world.operators[0]
        late.trouble.go.clear()
        late.trouble.hold_at = point
        before = uids(world)
        spec = set_spec(5, image="web:2", rolling=IN_PLACE)
        world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
        await world.run(2)
        spec = set_spec(5, image="web:3", rolling=IN_PLACE)
        world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
        world.start()
        await world.run(pause)
        late.trouble.go.set()
        await world.run(200)
        assert all(
            plain(*(row["image"] for row in pod.spec["containers"])) == "web:3"
            for pod in world.live()
        )
        assert uids(world) == before
        await world.close()


async def test_a_bad_image_stops_within_a_batch_and_a_good_one_cures_it_in_place() -> None:
    """R-57, R-58, rule 23: twice, and no pod is ever replaced for it."""
    world = await ready_world(42, SIZE)
    before = uids(world)
    world.endpoints.default = fails_on("web:bad")
    roll(world, "web:bad", **IN_PLACE)
    for _ in range(18):
        await world.step(1.0)
        assert world.serving() >= SIZE - BATCH
    assert world.status()["rollout"]["reason"] == "RolloutStopped"
    assert len(world.referee.rolled) == BATCH
    roll(world, "web:good", **IN_PLACE)
    await until_rolled(world, "web:good", least=SIZE - BATCH)
    assert uids(world) == before
    await world.close()


async def test_an_image_that_cannot_be_pulled_is_undone_in_place() -> None:
    """R-58: its containers never run again; the model before brings them back."""
    world = await ready_world(43, SIZE)
    before = uids(world)
    world.kubelet.missing.add("web:gone")
    roll(world, "web:gone", **IN_PLACE)
    for _ in range(90):
        await world.step(1.0)
        assert world.serving() >= SIZE - BATCH
    assert len(world.referee.rolled) == BATCH
    roll(world, "web:1", **IN_PLACE)
    await until_rolled(world, "web:1", least=SIZE - BATCH)
    assert uids(world) == before
    await world.close()


async def test_repairs_in_place_and_a_rollout_in_place_never_meet_in_one_pod() -> None:
    """X-02, rule 10: one is restarted while the others are renewed; each image is the latest."""
    world = await ready_world(44, SIZE, repairAction="Restart")
    before = uids(world)
    sick = world.live()[-1]
    world.endpoints.set_until_restart(sick.uid, STATUS_500)
    await world.run(13)
    spec = set_spec(SIZE, image="web:2", rolling=IN_PLACE, repairAction="Restart")
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    await until_rolled(world, "web:2", least=SIZE - BATCH - 1)
    assert world.referee.renewed == [sick.name]
    assert uids(world) == before
    await world.close()


async def test_the_sick_go_first_and_the_protected_stay_behind() -> None:
    """R-47, rule 23: as in any rollout."""
    patient = {"gracePeriod": "PT10M"}
    world = await ready_world(45, SIZE, **patient)
    kept, sick = world.live()[0], world.live()[-1]
    world.server.change_pod(kept, labels={**kept.labels, base.LABEL_PROTECT_FROM_ACTIONS: "true"})
    world.endpoints.set_until_restart(sick.uid, STATUS_500)
    await world.run(14)
    spec = set_spec(SIZE, image="web:2", rolling=IN_PLACE, **patient)
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    for _ in range(150):
        await world.step(1.0)
    behind = [p.name for p in world.live() if p.spec["containers"][0]["image"] != "web:2"]
    assert behind == [kept.name]
    assert world.referee.rolled[0] == sick.name
    assert "rollout" not in world.status()
    await world.close()


async def test_more_than_images_is_replaced_and_a_mixed_set_goes_both_ways() -> None:
    """R-57: and the status says why."""
    world = await ready_world(46, SIZE)
    spec = set_spec(SIZE, image="web:2", rolling=IN_PLACE)
    spec["template"]["metadata"]["annotations"] = {"more": "differs"}
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    await world.run(3)
    said = world.status()["rollout"]["message"]
    assert "replaced: the models differ in more than images" in said
    await world.run(10)
    newer = set_spec(SIZE, image="web:3", rolling=IN_PLACE)
    newer["template"]["metadata"]["annotations"] = {"more": "differs"}
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, newer)
    await until_rolled(world, "web:3", least=SIZE - BATCH)
    assert len(world.referee.rolled) > BATCH
    assert world.referee.removed
    await world.close()


async def test_scale_in_during_a_rollout_in_place_ends_at_the_wanted_number() -> None:
    """R-53."""
    world = await ready_world(47, SIZE)
    roll(world, **IN_PLACE)
    await world.run(3)
    spec = set_spec(SIZE - 5, image="web:2", rolling=IN_PLACE)
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    await until_rolled(world, "web:2", least=SIZE - 5 - BATCH)
    assert len(world.live()) == SIZE - 5
    await world.close()
