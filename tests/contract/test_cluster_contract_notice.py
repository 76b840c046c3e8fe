"""The port `Cluster`: the terminate notice on a pod, fake and real alike."""

from datetime import timedelta

import pytest

from scaleset_operator.api import base
from scaleset_operator.api.base import Reason, VMHealth, format_time
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import GiveNotice, PublishHealth
from scaleset_operator.reconciler.ports import Conflict, Gone, Owner, TooOld
from tests.contract.worlds import FAR_FUTURE, World, conditions, creation, in_view, running
from tests.support.builders import T0

DEADLINE = T0 + timedelta(minutes=5)


def notice(pod: Instance, **changes: str) -> GiveNotice:
    """A notice to exactly what was read."""
    return GiveNotice(
        name=pod.name,
        uid=changes.get("uid", pod.uid),
        resource_version=changes.get("resource_version", pod.resource_version),
        terminate_at=DEADLINE,
    )


async def in_rotation(world: World, owner: Owner) -> Instance:
    """web-1 as read live, in rotation and with a report of its own."""
    pod = await running(world, owner, creation())
    await world.report("web-1", "example.com/Warm", "True")
    well = PublishHealth(
        name="web-1",
        uid=pod.uid,
        health=VMHealth.HEALTHY,
        reason=Reason.ANSWERING,
        message="",
        in_rotation=True,
    )
    await world.cluster.publish(owner, well)
    await world.until(lambda: (seen := in_view(world, owner, "web-1")) is not None and seen.ready)
    read = await world.cluster.read_instance(owner, "web-1")
    assert read is not None
    assert read.in_rotation
    return read


async def test_a_notice_writes_deadline_and_gate_and_keeps_all_else(world: World) -> None:
    """R-51; rules 8 and 26: one patch; the cache shows it."""
    owner = await world.make_set()
    pod = await in_rotation(world, owner)
    await world.cluster.give_notice(owner, notice(pod), FAR_FUTURE)
    await world.until(lambda: world.cluster.pods(owner).fresh)
    raw = await world.pod("web-1")
    assert raw is not None
    assert raw["metadata"]["annotations"][base.ANNOTATION_TERMINATE_AT] == format_time(DEADLINE)
    held = conditions(raw)
    assert held[base.GATE_IN_ROTATION]["status"] == "False"
    assert held[base.GATE_IN_ROTATION]["reason"] == "TerminationDelayed"
    assert held[base.CONDITION_HEALTHY]["status"] == "True"
    assert held["example.com/Warm"]["status"] == "True"
    seen = in_view(world, owner, "web-1")
    assert seen is not None
    assert (seen.terminate_at, seen.in_rotation) == (DEADLINE, False)
    assert not seen.termination_approved


async def test_a_notice_on_an_old_version_conflicts(world: World) -> None:
    """Rule 5: what was read live, or nothing."""
    owner = await world.make_set()
    pod = await in_rotation(world, owner)
    await world.label("web-1", tier="gold")
    with pytest.raises(Conflict):
        await world.cluster.give_notice(owner, notice(pod), FAR_FUTURE)
    raw = await world.pod("web-1")
    assert raw is not None
    assert base.ANNOTATION_TERMINATE_AT not in raw["metadata"].get("annotations", {})
    assert conditions(raw)[base.GATE_IN_ROTATION]["status"] == "True"


async def test_nobody_who_has_not_seen_the_notice_brings_the_pod_back(world: World) -> None:
    """Rule 8: coming back into rotation is on the version that was seen."""
    owner = await world.make_set()
    pod = await in_rotation(world, owner)
    await world.cluster.give_notice(owner, notice(pod), FAR_FUTURE)
    back = PublishHealth(
        name="web-1",
        uid=pod.uid,
        health=VMHealth.HEALTHY,
        reason=Reason.ANSWERING,
        message="",
        in_rotation=True,
        resource_version=pod.resource_version,
    )
    with pytest.raises(Conflict):
        await world.cluster.publish(owner, back)
    raw = await world.pod("web-1")
    assert conditions(raw)[base.GATE_IN_ROTATION]["status"] == "False"


async def test_a_notice_to_a_pod_that_is_gone_or_another_is_not_given(world: World) -> None:
    """Rule 5: UID and resourceVersion."""
    owner = await world.make_set()
    pod = await in_rotation(world, owner)
    other = notice(pod, uid="00000000-0000-4000-8000-00000000dead")
    with pytest.raises((Conflict, Gone)):
        await world.cluster.give_notice(owner, other, FAR_FUTURE)
    await world.remove("web-1")
    with pytest.raises(Gone):
        await world.cluster.give_notice(owner, notice(pod), FAR_FUTURE)


async def test_a_notice_past_its_deadline_is_not_sent(world: World) -> None:
    """Rule 5: CLOCK_BOOTTIME."""
    owner = await world.make_set()
    pod = await in_rotation(world, owner)
    with pytest.raises(TooOld):
        await world.cluster.give_notice(owner, notice(pod), world.boottime_ns() - 1)
    raw = await world.pod("web-1")
    assert conditions(raw)[base.GATE_IN_ROTATION]["status"] == "True"
