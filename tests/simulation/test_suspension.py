"""A suspension through restarts, edits and the same manifest again: only a person ends it."""

from typing import Any

from scaleset_operator.rehearsal.endpoints import OK, STATUS_500
from scaleset_operator.rehearsal.objects import FakePod
from tests.simulation.world import KEY, NAMESPACE, World, ready_world, set_spec


def service(world: World) -> dict[str, Any]:
    (found,) = world.status()["orchestrationServices"]
    told: dict[str, Any] = found
    return told


def sick_replacements(pod: FakePod) -> Any:
    """Whatever comes after the first ten is broken from birth."""
    return STATUS_500 if (pod.instance_id or 0) > 10 else OK


async def suspended_world(seed: int) -> World:
    """A set of ten whose first replacement failed: the platform has suspended its repairs."""
    world = await ready_world(seed, 10, suspendAfterFailedRepairs=1)
    world.endpoints.default = sick_replacements
    world.endpoints.set(world.live()[0].uid, STATUS_500)
    await world.run(90)
    assert service(world)["reason"] == "SuspendedByPlatform"
    return world


async def test_neither_a_restart_nor_an_edit_nor_the_same_manifest_resumes() -> None:
    """R-42, R-43: a new process, a longer grace, the manifest as it was; for half an hour."""
    world = await suspended_world(31)
    repaired = list(world.referee.repaired)
    world.kill(world.operators[0])
    world.start()
    edits: list[dict[str, Any]] = [{"gracePeriod": "PT25S"}, {}, {"serviceState": "Running"}]
    for changes in edits:
        spec = set_spec(10, suspendAfterFailedRepairs=1, **changes)
        world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
        await world.run(600, step=5.0)
        assert service(world)["serviceState"] == "Suspended"
    assert world.referee.repaired == repaired
    await world.close()


async def test_a_person_resumes_and_the_counters_begin_anew() -> None:
    """R-44: no suspension on the first turn; the next failure counts as the first in its line."""
    world = await suspended_world(32)
    moment = world.clock.now().isoformat()
    world.server.annotate("ScaleSet", NAMESPACE, KEY.name, repairs_resume_requested_at=moment)
    await world.run(10)
    assert service(world)["serviceState"] == "Running"
    status = world.status()["repairs"]
    assert status["consecutiveFailed"] == 0
    assert [one["attempt"] for one in status["inFlight"]] == [1]
    await world.close()


async def test_a_repair_past_its_delete_finishes_under_a_person_s_suspension() -> None:
    """R-39: what was deleted is made up for; nothing else starts."""
    world = await ready_world(33, 10)
    first, second = world.live()[:2]
    world.endpoints.set(first.uid, STATUS_500)
    while not world.referee.repaired:
        await world.run(1)
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, set_spec(10, serviceState="Suspended"))
    world.endpoints.set(second.uid, STATUS_500)
    await world.run(120)
    assert world.referee.repaired == [first.name]
    assert len(world.live()) == 10
    assert [one["result"] for one in world.status()["repairs"]["history"]] == ["Succeeded"]
    assert service(world)["suspendedBy"] == "User"
    await world.close()
