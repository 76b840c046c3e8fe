"""The port `Cluster`: status, health on pods, ownership and Events, fake and real alike."""

from typing import Any

import pytest

from scaleset_operator.api import base
from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.plan import PublishHealth
from scaleset_operator.reconciler.ports import Conflict, Gone
from tests.contract.worlds import (
    World,
    conditions,
    creation,
    in_view,
    running,
)
from tests.support.builders import T0


def status(**fields: Any) -> dict[str, Any]:
    """A whole status as it is sent, by the wire's names."""
    read = ScaleSetStatus.model_validate(fields)
    return read.model_dump(mode="json", by_alias=True, exclude_none=True)


def row(kind: str, holds: str = "True") -> dict[str, Any]:
    """A condition of a ScaleSet."""
    return {
        "type": kind,
        "status": holds,
        "reason": "Valid",
        "message": "",
        "lastTransitionTime": base.format_time(T0),
    }


def publication(uid: str, **fields: Any) -> PublishHealth:
    """Healthy and in rotation, on web-1."""
    values: dict[str, Any] = {
        "name": "web-1",
        "uid": uid,
        "health": VMHealth.HEALTHY,
        "reason": Reason.ANSWERING,
        "message": "answers as expected",
        "in_rotation": True,
    }
    return PublishHealth(**(values | fields))


async def test_the_status_is_recorded_on_its_version(world: World) -> None:
    """Rules 3 and 25: compare and swap."""
    owner = await world.make_set()
    version = await world.cluster.record_status(owner, status(replicas=3, lastInstanceId=3))
    assert version != owner.resource_version
    assert (await world.current(owner)).resource_version == version
    assert (await world.status(owner))["lastInstanceId"] == 3


async def test_a_status_without_a_change_writes_nothing(world: World) -> None:
    """Rule 25: no writes in a steady state."""
    owner = await world.make_set()
    body = status(replicas=3, conditions=[row("Ready")])
    first = await world.cluster.record_status(owner, body)
    again = await world.cluster.record_status(await world.current(owner), body)
    assert again == first


async def test_a_status_on_an_old_version_conflicts(world: World) -> None:
    """Rule 25; of two operators with one view exactly one records."""
    owner = await world.make_set()
    await world.cluster.record_status(owner, status(replicas=3))
    with pytest.raises(Conflict):
        await world.cluster.record_status(owner, status(replicas=4))
    assert (await world.status(owner))["replicas"] == 3


async def test_a_status_after_anothers_write_conflicts(world: World) -> None:
    """Rule 25."""
    owner = await world.make_set()
    await world.set_foreign_condition(owner, row("example.com/Audited"))
    with pytest.raises(Conflict):
        await world.cluster.record_status(owner, status(replicas=3))


async def test_the_status_of_a_set_that_is_gone_cannot_be_recorded(world: World) -> None:
    """Port: Gone."""
    owner = await world.make_set()
    await world.delete_set(owner)
    with pytest.raises(Gone):
        await world.cluster.record_status(owner, status())


async def test_the_status_of_a_new_set_of_that_name_is_not_touched(world: World) -> None:
    """Rule 25: the fence holds for another object of the same name."""
    owner = await world.make_set()
    await world.delete_set(owner)
    await world.make_set()
    with pytest.raises((Conflict, Gone)):
        await world.cluster.record_status(owner, status(replicas=9))
    assert "replicas" not in await world.status(owner)


async def test_the_whole_status_is_replaced_and_foreign_conditions_stay(world: World) -> None:
    """Rule 25: what is left out is kept from other writers only."""
    owner = await world.make_set()
    entries = [{"name": "web-4", "updateDomain": 1, "model": "m1"}]
    await world.cluster.record_status(
        owner, status(creating=entries, conditions=[row("Ready"), row("Stalled")])
    )
    await world.set_foreign_condition(owner, row("example.com/Audited"))
    await world.cluster.record_status(
        await world.current(owner), status(conditions=[row("Ready", "False")])
    )
    now = await world.status(owner)
    assert now["creating"] == []
    held = {one["type"]: one["status"] for one in now["conditions"]}
    assert held == {"Ready": "False", "example.com/Audited": "True"}


async def test_publishing_keeps_every_condition_of_others(world: World) -> None:
    """Rule 26."""
    owner = await world.make_set()
    instance = await running(world, owner, creation())
    await world.report("web-1", "example.com/Warm", "True")
    await world.cluster.publish(owner, publication(instance.uid))
    held = conditions(await world.pod("web-1"))
    assert held[base.CONDITION_HEALTHY]["status"] == "True"
    assert held[base.CONDITION_HEALTHY]["reason"] == "Answering"
    assert held[base.CONDITION_HEALTHY]["message"] == "answers as expected"
    assert held[base.GATE_IN_ROTATION]["status"] == "True"
    assert held["example.com/Warm"]["status"] == "True"
    assert held["ContainersReady"]["status"] == "True"
    await world.until(lambda: (seen := in_view(world, owner, "web-1")) is not None and seen.ready)
    shown = in_view(world, owner, "web-1")
    assert shown is not None
    assert shown.published is not None
    assert shown.published.message == "answers as expected"
    seen = in_view(world, owner, "web-1")
    assert seen is not None
    assert seen.published is not None
    assert seen.published.health is VMHealth.HEALTHY
    assert {kind: health for kind, health, _ in seen.reports} == {
        "Ready": VMHealth.HEALTHY,
        "example.com/Warm": VMHealth.HEALTHY,
    }


async def test_a_condition_keeps_its_time_until_its_status_changes(world: World) -> None:
    """Rule 26: since when."""
    owner = await world.make_set()
    instance = await running(world, owner, creation())
    await world.cluster.publish(owner, publication(instance.uid))
    first = conditions(await world.pod("web-1"))[base.CONDITION_HEALTHY]["lastTransitionTime"]
    started = world.now()
    await world.until(lambda: (world.now() - started).total_seconds() > 1.0)
    await world.until(lambda: world.cluster.pods(owner).fresh)
    await world.cluster.publish(owner, publication(instance.uid, message="still does"))
    same = conditions(await world.pod("web-1"))[base.CONDITION_HEALTHY]
    assert (same["lastTransitionTime"], same["message"]) == (first, "still does")
    bad = publication(instance.uid, health=VMHealth.UNHEALTHY, reason=Reason.WRONG_STATUS)
    await world.cluster.publish(owner, bad)
    changed = conditions(await world.pod("web-1"))[base.CONDITION_HEALTHY]
    assert changed["status"] == "False"
    assert changed["lastTransitionTime"] > first


async def test_publishing_writes_the_start_and_clears_the_attempt(world: World) -> None:
    """Rule 26: condition, gate and annotations in one patch; R-24."""
    owner = await world.make_set()
    instance = await running(world, owner, creation(replaces="web-0", attempt=2))
    assert instance.attempt == 2
    started = instance.started
    await world.cluster.publish(
        owner, publication(instance.uid, state_change_time=started, clear_attempt=True)
    )
    await world.until(lambda: world.cluster.pods(owner).fresh)
    seen = in_view(world, owner, "web-1")
    assert seen is not None
    assert (seen.started, seen.started_is_recorded) == (started, True)
    assert (seen.attempt, seen.replaces) == (0, "web-0")


async def test_the_gate_is_left_alone_where_it_is_not_to_change(world: World) -> None:
    """Rule 20: InRotation keeps its last value."""
    owner = await world.make_set()
    instance = await running(world, owner, creation())
    await world.cluster.publish(owner, publication(instance.uid))
    unsure = publication(
        instance.uid, health=VMHealth.UNKNOWN, reason=Reason.PROBE_INCONCLUSIVE, in_rotation=None
    )
    await world.cluster.publish(owner, unsure)
    held = conditions(await world.pod("web-1"))
    assert held[base.CONDITION_HEALTHY]["status"] == "Unknown"
    assert held[base.GATE_IN_ROTATION]["status"] == "True"


async def test_without_a_health_source_only_the_gate_is_written(world: World) -> None:
    """P-19."""
    owner = await world.make_set()
    instance = await running(world, owner, creation())
    plain = publication(instance.uid, health=None, reason=Reason.NO_PROBE)
    await world.cluster.publish(owner, plain)
    held = conditions(await world.pod("web-1"))
    assert base.CONDITION_HEALTHY not in held
    assert held[base.GATE_IN_ROTATION]["status"] == "True"


async def test_publishing_on_a_pod_that_is_gone_or_another_says_so(world: World) -> None:
    """Port: Gone if the UID differs; P-30."""
    owner = await world.make_set()
    with pytest.raises(Gone):
        await world.cluster.publish(owner, publication("00000000-0000-4000-8000-00000000dead"))
    await running(world, owner, creation())
    with pytest.raises(Gone):
        await world.cluster.publish(owner, publication("00000000-0000-4000-8000-00000000dead"))
    assert base.CONDITION_HEALTHY not in conditions(await world.pod("web-1"))
