"""The port `Cluster`: new images for a pod that stays, and what kubelet makes of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaleset_operator.api import base
from scaleset_operator.api.base import Reason, VMHealth, format_time
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import AnswerRequest, PublishHealth
from scaleset_operator.reconciler.ports import Conflict, Gone, Owner, Refused, TooOld
from tests.contract.worlds import (
    FAR_FUTURE,
    World,
    conditions,
    creation,
    in_view,
    marked,
    renewal,
    running,
)
from tests.support.builders import TEMPLATE

SHORT, FULL = "instance:1", "docker.io/library/instance:1"


async def recorded(world: World, owner: Owner) -> Instance:
    """web-1, running, with its start written on it."""
    before = await running(world, owner, creation(attempt=2))
    assert before.started is not None
    action = PublishHealth(
        name=before.name,
        uid=before.uid,
        health=VMHealth.UNHEALTHY,
        reason=Reason.WRONG_STATUS,
        message="HTTP 503",
        in_rotation=False,
        state_change_time=before.started - timedelta(hours=1),
    )
    await world.cluster.publish(owner, action)
    fresh = await world.cluster.read_instance(owner, before.name)
    assert fresh is not None
    assert fresh.started_is_recorded
    return fresh


async def renewed(world: World, owner: Owner, name: str) -> Instance:
    """The instance once all of its containers run again."""

    def runs() -> bool:
        found = in_view(world, owner, name)
        return found is not None and found.started is not None and found.containers_ready

    await world.until(runs)
    found = in_view(world, owner, name)
    assert found is not None
    return found


async def test_another_spelling_renews_the_container_and_keeps_the_pod(world: World) -> None:
    """R-24, R-26, R-56, rule 10: name, UID, address, node and labels stay; the start is a new
    one once the containers run again, and is not recorded yet."""
    owner = await world.make_set(template=marked(TEMPLATE, team="blue"))
    before = await recorded(world, owner)
    asked = world.now()
    await world.cluster.renew(owner, renewal(before, FULL), FAR_FUTURE)
    await world.until(lambda: world.cluster.pods(owner).fresh)
    soon = in_view(world, owner, "web-1")
    assert soon is not None
    assert (soon.started_is_recorded, soon.renewing) == (False, True)
    after = await renewed(world, owner, "web-1")
    assert (after.name, after.uid, after.ip, after.node) == (
        before.name,
        before.uid,
        before.ip,
        before.node,
    )
    assert after.created == before.created
    assert after.started is not None
    assert after.started >= asked - timedelta(seconds=1)
    assert after.containers.images == (FULL,)
    assert after.containers.restarts == (before.containers.restarts[0] + 1,)
    assert (after.model, after.attempt) == ("m2", 3)
    assert after.published is not None
    assert after.published.health is VMHealth.UNHEALTHY
    pod = await world.pod("web-1")
    assert pod is not None
    assert pod["metadata"]["labels"]["team"] == "blue"
    assert conditions(pod)[base.CONDITION_HEALTHY]["status"] == "False"


async def test_a_renewal_takes_the_recorded_start_and_the_requests_away(world: World) -> None:
    """R-24, rule 10: in the one patch; the mark says which runs are old."""
    owner = await world.make_set()
    before = await recorded(world, owner)
    await world.annotate("web-1", **{base.ANNOTATION_REPAIR: "requested"})
    await world.annotate("web-1", **{base.ANNOTATION_OPERATION: "restart", "note": "kept"})
    asked = await world.cluster.read_instance(owner, "web-1")
    assert asked is not None
    assert (asked.repair_request, asked.operation) == ("requested", "restart")
    await world.cluster.renew(owner, renewal(asked, FULL), FAR_FUTURE)
    pod = await world.pod("web-1")
    assert pod is not None
    count = str(before.containers.restarts[0])
    assert pod["metadata"]["annotations"] == {
        base.ANNOTATION_REPAIR_ATTEMPT: "3",
        base.ANNOTATION_RENEWED_FROM: count,
        "note": "kept",
    }


async def test_once_the_new_start_is_recorded_it_stands(world: World) -> None:
    """R-26, rule 26: the first health after it writes it."""
    owner = await world.make_set()
    before = await recorded(world, owner)
    await world.cluster.renew(owner, renewal(before, FULL, attempt=0), FAR_FUTURE)
    after = await renewed(world, owner, "web-1")
    action = PublishHealth(
        name=after.name,
        uid=after.uid,
        health=VMHealth.HEALTHY,
        reason=Reason.ANSWERING,
        message="answers as expected",
        in_rotation=True,
        state_change_time=after.started,
    )
    await world.cluster.publish(owner, action)
    pod = await world.pod("web-1")
    assert pod is not None
    assert after.started is not None
    marks = pod["metadata"]["annotations"]
    assert marks[base.ANNOTATION_STATE_CHANGE_TIME] == format_time(after.started)
    assert base.ANNOTATION_REPAIR_ATTEMPT not in marks
    read = await world.cluster.read_instance(owner, "web-1")
    assert read is not None
    assert (read.started, read.renewing) == (after.started, False)


async def test_the_same_images_renew_nothing(world: World) -> None:
    """R-56: it is the change of the text that makes kubelet act."""
    owner = await world.make_set()
    before = await recorded(world, owner)
    await world.cluster.renew(owner, renewal(before, SHORT), FAR_FUTURE)
    await world.until(lambda: world.cluster.pods(owner).fresh)
    after = await world.cluster.read_instance(owner, "web-1")
    assert after is not None
    assert after.containers.restarts == before.containers.restarts
    assert after.started is None


@pytest.mark.parametrize("wrong", ["resource_version", "uid"])
async def test_a_renewal_of_another_version_or_pod_is_refused(world: World, wrong: str) -> None:
    """Rule 5: a stale one changes nothing."""
    owner = await world.make_set()
    before = await recorded(world, owner)
    changes = {"resource_version": str(int(before.resource_version) - 1)}
    if wrong == "uid":
        changes = {"uid": "00000000-0000-4000-8000-00000000dead"}
    with pytest.raises((Conflict, Gone)):
        await world.cluster.renew(owner, renewal(before, FULL, **changes), FAR_FUTURE)
    after = await world.cluster.read_instance(owner, "web-1")
    assert after is not None
    assert after.containers.images == (SHORT,)


async def test_a_renewal_whose_record_is_too_old_is_not_sent(world: World) -> None:
    """Rule 5."""
    owner = await world.make_set()
    before = await recorded(world, owner)
    with pytest.raises(TooOld):
        await world.cluster.renew(owner, renewal(before, FULL), world.boottime_ns() - 1)
    after = await world.cluster.read_instance(owner, "web-1")
    assert after is not None
    assert after.containers.images == (SHORT,)


async def test_an_image_that_cannot_be_one_is_refused(world: World) -> None:
    """Rule 4: 422 is no conflict."""
    owner = await world.make_set()
    before = await recorded(world, owner)
    with pytest.raises(Refused):
        await world.cluster.renew(owner, renewal(before, ""), FAR_FUTURE)


async def test_a_renewal_of_a_pod_that_is_gone_says_so(world: World) -> None:
    """Rule 6: whoever removed it."""
    owner = await world.make_set()
    before = await recorded(world, owner)
    await world.remove("web-1")
    with pytest.raises((Conflict, Gone)):
        await world.cluster.renew(owner, renewal(before, FULL), FAR_FUTURE)


async def test_an_answer_takes_the_request_off_the_pod_that_was_read_and_no_other(
    world: World,
) -> None:
    """Rule 5."""
    owner = await world.make_set()
    before = await running(world, owner, creation())
    await world.annotate("web-1", **{base.ANNOTATION_OPERATION: "reboot", "note": "kept"})
    stale = AnswerRequest(name="web-1", uid=before.uid, resource_version=before.resource_version)
    with pytest.raises(Conflict):
        await world.cluster.answer(owner, stale)
    asked = await world.cluster.read_instance(owner, "web-1")
    assert asked is not None
    assert asked.operation == "reboot"
    await world.cluster.answer(owner, replace(stale, resource_version=asked.resource_version))
    pod = await world.pod("web-1")
    assert pod is not None
    assert pod["metadata"]["annotations"] == {"note": "kept"}
