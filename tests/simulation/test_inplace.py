"""Repairs that keep the pod, from end to end in virtual time (protocol rule 10)."""

from typing import Any

import pytest

from scaleset_operator.api import base
from scaleset_operator.core.images import plain
from scaleset_operator.rehearsal.endpoints import STATUS_500
from scaleset_operator.rehearsal.objects import FakePod
from tests.simulation.world import KEY, NAMESPACE, World, ready_world, set_spec


def pods_of(world: World) -> dict[str, FakePod]:
    return {pod.name: pod for pod in world.live()}


def images(pod: FakePod) -> list[str]:
    return [row["image"] for row in pod.spec["containers"]]


async def test_restarts_go_two_by_two_and_every_pod_stays() -> None:
    """R-11, R-14, R-20, R-24, R-56: name, UID, address and node; each is a state change of ours."""
    world = await ready_world(11, 40, repairAction="Restart")
    before = pods_of(world)
    broken = [p for p in world.live() if p.instance_id is not None and p.instance_id % 5 == 0][:6]
    for pod in broken:
        world.endpoints.set_until_restart(pod.uid, STATUS_500)
    await world.run(200)
    assert sorted(world.referee.renewed) == sorted(p.name for p in broken)
    assert world.referee.repaired == []
    assert world.referee.most_in_flight == 2
    after = pods_of(world)
    assert {n: (p.uid, p.ip, p.node) for n, p in after.items()} == {
        n: (p.uid, p.ip, p.node) for n, p in before.items()
    }
    for pod in broken:
        renewed = after[pod.name]
        assert [run.restarts for run in renewed.runs] == [1]
        assert images(renewed) == ["docker.io/library/web:1"]
        stamp = renewed.annotations[base.ANNOTATION_STATE_CHANGE_TIME]
        assert stamp > pod.annotations[base.ANNOTATION_STATE_CHANGE_TIME]
        assert base.ANNOTATION_REPAIR_ATTEMPT not in renewed.annotations
    assert world.status()["repairs"]["inFlight"] == []
    await world.close()


async def test_a_restart_that_never_helps_is_tried_after_each_grace_until_repairs_stop() -> None:
    """R-24, R-40, rules 9, 10, 12: the lineage's count goes with the pod."""
    world = await ready_world(12, 10, repairAction="Restart", suspendAfterFailedRepairs=3)
    (sick, *_) = world.live()
    world.endpoints.set(sick.uid, STATUS_500)
    await world.run(300)
    assert world.referee.renewed == [sick.name] * 3
    status = world.status()
    assert status["repairs"]["suspendedSince"]
    assert [row["result"] for row in status["repairs"]["history"]] == ["Failed"] * 3
    assert pods_of(world)[sick.name].annotations[base.ANNOTATION_REPAIR_ATTEMPT] == "3"
    await world.close()


async def test_a_reimage_cures_a_bad_image_in_place_under_a_manual_upgrade() -> None:
    """R-55, R-56: the latest model's images, and its name on the pod."""
    world = await ready_world(13, 10, repairAction="Reimage")
    manual: dict[str, Any] = set_spec(10, image="web:2", repairAction="Reimage")
    manual["upgradePolicy"] = {"mode": "Manual"}
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, manual)
    (sick, *others) = world.live()
    world.endpoints.set_until_restart(sick.uid, STATUS_500)
    await world.run(120)
    cured = pods_of(world)[sick.name]
    assert cured.uid == sick.uid
    assert images(cured) == ["web:2"]
    assert cured.labels[base.LABEL_MODEL] == world.status()["latestModel"]
    assert all(images(pods_of(world)[pod.name]) == ["web:1"] for pod in others)
    assert world.status()["updatedReplicas"] == 1
    await world.close()


async def test_containers_that_never_run_again_hold_their_slot_until_the_grace_ends() -> None:
    """R-10, R-14, rule 9: counted from the patch; it is told as Restarting, then as never run."""
    world = await ready_world(14, 10, repairAction="Restart")
    (sick, *_) = world.live()
    world.kubelet.never_renew(sick)
    world.endpoints.set(sick.uid, STATUS_500)
    await world.run(25)
    (entry,) = world.status()["repairs"]["inFlight"]
    assert (entry["instance"], entry["phase"]) == (sick.name, "Restarting")
    (row,) = world.status()["unhealthyInstances"]
    assert (row["repairDecision"], row["reason"]) == ("Repairing", "Restarting")
    await world.run(30)
    assert world.status()["repairs"]["history"][0]["result"] == "Failed"
    (row,) = world.status()["unhealthyInstances"]
    assert row["reason"] == "NeverStarted"
    await world.close()


@pytest.mark.parametrize("seed", range(8))
async def test_two_operators_restart_nobody_twice(seed: int) -> None:
    """R-17, rules 5, 10, 11: one patch for each repair, whoever sends it."""
    world = await ready_world(100 + seed, 20, repairAction="Restart")
    world.start(lag=1.5, resource_lag=3.0)
    broken = world.live()[:3]
    for pod in broken:
        world.endpoints.set_until_restart(pod.uid, STATUS_500)
    await world.run(150)
    assert sorted(world.referee.renewed) == sorted(pod.name for pod in broken)
    assert world.referee.most_in_flight == 1
    await world.close()


@pytest.mark.parametrize("point", range(6))
async def test_no_older_image_is_written_over_a_newer_model(point: int) -> None:
    """R-58, rule 10: one operator is stopped between its requests while the model moves on and
    another one brings the instance there."""
    world = await ready_world(200 + point, 5, repairAction="Reimage")
    late = world.operators[0]
    (sick, *_) = world.live()
    late.trouble.go.clear()
    late.trouble.hold_at = point
    world.endpoints.set(sick.uid, STATUS_500)
    await world.run(15)
    world.server.apply(
        "ScaleSet", NAMESPACE, KEY.name, set_spec(5, image="web:2", repairAction="Reimage")
    )
    world.start()
    await world.run(60)
    late.trouble.go.set()
    await world.run(60)
    world.endpoints.heal(sick.uid)
    await world.run(120)
    assert all(plain(*images(pod)) == "web:2" for pod in world.live())
    assert len(world.live()) == 5
    await world.close()


async def test_requests_are_met_one_by_one_and_what_cannot_be_is_answered() -> None:
    """R-11, R-56, X-11: under the cap, by two operators, each once."""
    world = await ready_world(300, 20)
    world.start(lag=1.5)
    chosen = world.live()[:4]
    for pod, word in zip(chosen, ("restart", "reimage", "restart", "reboot"), strict=True):
        marks = {**pod.annotations, base.ANNOTATION_OPERATION: word}
        world.server.change_pod(pod, annotations=marks)
    await world.run(120)
    assert sorted(world.referee.renewed) == sorted(pod.name for pod in chosen[:3])
    assert world.referee.most_in_flight == 1
    assert all(base.ANNOTATION_OPERATION not in pod.annotations for pod in world.live())
    (row,) = world.status()["requests"]
    assert (row["instance"], row["state"]) == (chosen[3].name, "Answered")
    assert len(world.live()) == 20
    await world.close()


async def test_manual_upgrades_go_on_instance_by_instance_on_request() -> None:
    """Rule 22: ten of ten are asked for at once; two are taken at a time."""
    world = await ready_world(301, 10)
    manual: dict[str, Any] = set_spec(10, image="web:2")
    manual["upgradePolicy"] = {"mode": "Manual"}
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, manual)
    await world.run(20)
    assert world.status()["updatedReplicas"] == 0
    for pod in world.live():
        marks = {**pod.annotations, base.ANNOTATION_OPERATION: "update"}
        world.server.change_pod(pod, annotations=marks)
    least = 10
    for _ in range(90):
        await world.run(1)
        least = min(least, sum(pod.ready for pod in world.live()))
    assert least >= 8
    assert all(images(pod) == ["web:2"] for pod in world.live())
    assert len(world.live()) == 10
    assert world.status()["requests"] == []
    await world.close()
