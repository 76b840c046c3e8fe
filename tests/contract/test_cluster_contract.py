"""The port `Cluster`: creates, deletes and what the view shows of them, fake and real alike."""

import pytest

from scaleset_operator.api import base
from scaleset_operator.api.base import Reason
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import DeleteInstance, Purpose
from scaleset_operator.reconciler.ports import Conflict, Created, Refused, TooOld
from tests.contract.worlds import (
    FAR_FUTURE,
    NEVER_READY,
    SELECTOR,
    STUCK,
    World,
    creation,
    in_view,
    instance_labels,
    marked,
    running,
)
from tests.support.builders import TEMPLATE


def deletion(instance: Instance, **changes: str) -> DeleteInstance:
    """A DELETE of exactly what was read, but for the changes."""
    return DeleteInstance(
        name=instance.name,
        uid=changes.get("uid", instance.uid),
        resource_version=changes.get("resource_version", instance.resource_version),
        purpose=Purpose.REPAIR,
    )


async def test_a_create_makes_the_recorded_pod(world: World) -> None:
    """Rule 7; design 2: names are decided."""
    owner = await world.make_set()
    action = creation(7, replaces="web-3", attempt=2)
    assert await world.cluster.create_instance(owner, action, FAR_FUTURE) is Created.CREATED
    pod = await world.pod("web-7")
    assert pod is not None
    metadata = pod["metadata"]
    wanted = instance_labels(7) | {base.LABEL_UPDATE_DOMAIN: "2"}
    assert wanted.items() <= metadata["labels"].items()
    assert metadata["annotations"] == {
        base.ANNOTATION_REPLACES: "web-3",
        base.ANNOTATION_REPAIR_ATTEMPT: "2",
    }
    (reference,) = metadata["ownerReferences"]
    assert reference["controller"] is True
    assert (reference["kind"], reference["name"]) == ("ScaleSet", "web")
    assert reference["uid"] == owner.uid


async def test_the_view_is_not_fresh_until_it_shows_our_own_create(world: World) -> None:
    """Design 2: a turn waits until the cache has seen its own last write."""
    owner = await world.make_set()
    await world.until(lambda: world.cluster.pods(owner).fresh)
    await world.cluster.create_instance(owner, creation(), FAR_FUTURE)
    assert in_view(world, owner, "web-1") is not None or not world.cluster.pods(owner).fresh
    await world.until(lambda: world.cluster.pods(owner).fresh)
    assert in_view(world, owner, "web-1") is not None


async def test_a_second_create_of_our_own_live_pod_is_success(world: World) -> None:
    """Design 2: AlreadyExists is success for the recorded one."""
    owner = await world.make_set()
    await world.cluster.create_instance(owner, creation(), FAR_FUTURE)
    again = await world.cluster.create_instance(owner, creation(), FAR_FUTURE)
    assert again is Created.ALREADY_OURS


async def test_a_name_taken_by_a_pod_without_an_owner_conflicts(world: World) -> None:
    """Design 2: else the next id is taken."""
    owner = await world.make_set()
    await world.make_pod("web-1", labels=instance_labels(1))
    with pytest.raises(Conflict):
        await world.cluster.create_instance(owner, creation(), FAR_FUTURE)


async def test_a_name_taken_by_another_sets_pod_conflicts(world: World) -> None:
    """Design 2: success needs our controller UID."""
    owner = await world.make_set()
    other = await world.make_set("other")
    await world.make_pod("web-1", labels=instance_labels(1), controller=other)
    with pytest.raises(Conflict):
        await world.cluster.create_instance(owner, creation(), FAR_FUTURE)


async def test_a_name_taken_by_our_pod_of_another_id_conflicts(world: World) -> None:
    """Design 2: success is the recorded pod only."""
    owner = await world.make_set()
    await world.make_pod("web-1", labels=instance_labels(9), controller=owner)
    with pytest.raises(Conflict):
        await world.cluster.create_instance(owner, creation(), FAR_FUTURE)


async def test_a_name_taken_by_our_terminating_pod_conflicts(world: World) -> None:
    """Design 2: a Terminating pod is no success."""
    owner = await world.make_set(template=marked(TEMPLATE, **{STUCK: "true"}))
    instance = await running(world, owner, creation())
    await world.cluster.delete_instance(owner, deletion(instance), FAR_FUTURE)
    with pytest.raises(Conflict):
        await world.cluster.create_instance(owner, creation(), FAR_FUTURE)


async def test_a_second_create_of_our_own_pod_that_is_over_is_success(world: World) -> None:
    """Design 2: the recorded one was made; that it ended since is another matter."""
    owner = await world.make_set()
    await running(world, owner, creation())
    await world.end("web-1")
    again = await world.cluster.create_instance(owner, creation(), FAR_FUTURE)
    assert again is Created.ALREADY_OURS


async def test_nothing_is_created_past_the_deadline(world: World) -> None:
    """Rule 5."""
    owner = await world.make_set()
    with pytest.raises(TooOld):
        await world.cluster.create_instance(owner, creation(), world.boottime_ns() - 1)
    assert await world.pod("web-1") is None


async def test_a_create_beyond_the_quota_is_forbidden(world: World) -> None:
    """X-11: CreateForbidden."""
    owner = await world.make_set()
    await world.forbid_creates()
    with pytest.raises(Refused) as refused:
        await world.cluster.create_instance(owner, creation(), FAR_FUTURE)
    assert refused.value.reason is Reason.CREATE_FORBIDDEN
    with pytest.raises(Refused) as refused:
        await world.cluster.dry_run(owner)
    assert refused.value.reason is Reason.CREATE_FORBIDDEN


async def test_an_invalid_template_is_refused_dry_or_not(world: World) -> None:
    """Design 3: server-side dry run of one pod."""
    owner = await world.make_set(template={**TEMPLATE, "spec": {"containers": []}})
    with pytest.raises(Refused) as refused:
        await world.cluster.dry_run(owner)
    assert refused.value.reason is Reason.INVALID_TEMPLATE
    assert refused.value.message
    with pytest.raises(Refused) as refused:
        await world.cluster.create_instance(owner, creation(), FAR_FUTURE)
    assert refused.value.reason is Reason.INVALID_TEMPLATE


async def test_a_dry_run_creates_nothing(world: World) -> None:
    """Design 3."""
    owner = await world.make_set()
    await world.cluster.dry_run(owner)
    await world.cluster.dry_run(owner)
    await world.cluster.list_instances(owner)
    assert world.cluster.pods(owner).instances == ()


async def test_protection_in_the_template_does_not_reach_an_instance(world: World) -> None:
    """R-49."""
    protected = {base.LABEL_PROTECT_FROM_SCALE_IN: "true", base.LABEL_PROTECT_FROM_ACTIONS: "true"}
    owner = await world.make_set(template=marked(TEMPLATE, **protected, tier="front"))
    await world.cluster.create_instance(owner, creation(), FAR_FUTURE)
    pod = await world.pod("web-1")
    assert pod is not None
    assert not protected.keys() & pod["metadata"]["labels"].keys()
    assert pod["metadata"]["labels"]["tier"] == "front"


async def test_an_instance_shows_when_its_containers_run(world: World) -> None:
    """R-24: grace counts from here."""
    owner = await world.make_set()
    before = world.now().replace(microsecond=0)
    instance = await running(world, owner, creation())
    assert instance.started is not None
    assert before <= instance.started <= world.now()
    assert not instance.started_is_recorded
    assert instance.ip is not None
    await world.until(lambda: world.cluster.node_ready().get(instance.node or "") is True)
    assert [pod.name for pod in world.cluster.pods_on(instance.node or "")] == ["web-1"]
    assert not instance.ready, "Ready waits for our gate"
    assert instance.published is None
    assert instance.in_rotation is None


async def test_a_pod_whose_containers_never_run_has_no_start(world: World) -> None:
    """R-10: never-started."""
    owner = await world.make_set(template=marked(TEMPLATE, **{NEVER_READY: "true"}))
    await world.cluster.create_instance(owner, creation(), FAR_FUTURE)
    await world.until(
        lambda: (seen := in_view(world, owner, "web-1")) is not None and bool(seen.node)
    )
    instance = in_view(world, owner, "web-1")
    assert instance is not None
    assert instance.started is None
    assert not instance.containers_ready
    assert instance.live


async def test_a_delete_marks_the_pod_terminating_and_it_goes(world: World) -> None:
    """Rule 5."""
    owner = await world.make_set()
    instance = await running(world, owner, creation())
    await world.cluster.delete_instance(owner, deletion(instance), FAR_FUTURE)
    seen = in_view(world, owner, "web-1")
    assert seen is None or seen.terminating
    await world.until(lambda: in_view(world, owner, "web-1") is None)
    assert await world.pod("web-1") is None


async def test_a_delete_on_an_old_version_conflicts_and_touches_nothing(world: World) -> None:
    """Rule 5: UID and resourceVersion of the live read."""
    owner = await world.make_set()
    instance = await running(world, owner, creation())
    await world.label("web-1", touched="yes")
    with pytest.raises(Conflict):
        await world.cluster.delete_instance(owner, deletion(instance), FAR_FUTURE)
    pod = await world.pod("web-1")
    assert pod is not None
    assert "deletionTimestamp" not in pod["metadata"]


async def test_a_delete_of_another_uid_conflicts(world: World) -> None:
    """Rule 5: never another pod of that name."""
    owner = await world.make_set()
    instance = await running(world, owner, creation())
    with pytest.raises(Conflict):
        await world.cluster.delete_instance(
            owner, deletion(instance, uid="00000000-0000-4000-8000-00000000dead"), FAR_FUTURE
        )
    assert await world.pod("web-1") is not None


async def test_a_delete_of_a_pod_that_is_gone_is_success(world: World) -> None:
    """Design 2: NotFound on delete is success."""
    owner = await world.make_set()
    instance = await running(world, owner, creation())
    await world.remove("web-1")
    await world.cluster.delete_instance(owner, deletion(instance), FAR_FUTURE)
    await world.until(lambda: in_view(world, owner, "web-1") is None)


async def test_nothing_is_deleted_past_the_deadline(world: World) -> None:
    """Rule 5."""
    owner = await world.make_set()
    instance = await running(world, owner, creation())
    with pytest.raises(TooOld):
        await world.cluster.delete_instance(owner, deletion(instance), world.boottime_ns() - 1)
    pod = await world.pod("web-1")
    assert pod is not None
    assert "deletionTimestamp" not in pod["metadata"]


async def test_a_pod_that_failed_by_itself_is_over(world: World) -> None:
    """Design 2: pods that are over are not instances."""
    owner = await world.make_set()
    await running(world, owner, creation())
    await world.end("web-1")
    await world.until(lambda: (seen := in_view(world, owner, "web-1")) is not None and seen.over)
    instance = in_view(world, owner, "web-1")
    assert instance is not None
    assert not instance.live


async def test_a_live_list_sees_deletes_at_once(world: World) -> None:
    """Rule 24: victims are chosen from a live LIST."""
    owner = await world.make_set()
    await running(world, owner, creation(1))
    await running(world, owner, creation(2))
    await world.remove("web-1")
    await world.cluster.list_instances(owner)
    assert [pod.name for pod in world.cluster.pods(owner).instances] == ["web-2"]


async def test_a_live_read_feeds_the_view(world: World) -> None:
    """Rule 3: the victim is read live before it is recorded."""
    owner = await world.make_set()
    await running(world, owner, creation())
    await world.label("web-1", **{base.LABEL_PROTECT_FROM_ACTIONS: "true"})
    read = await world.cluster.read_instance(owner, "web-1")
    assert read is not None
    assert read.protected_from_actions
    assert in_view(world, owner, "web-1") == read


async def test_a_live_read_of_a_pod_that_is_gone_takes_it_from_the_view(world: World) -> None:
    """Rule 9: entries close only on a live read."""
    owner = await world.make_set()
    await running(world, owner, creation())
    await world.remove("web-1")
    assert await world.cluster.read_instance(owner, "web-1") is None
    assert in_view(world, owner, "web-1") is None


async def test_a_live_read_of_a_pod_that_is_not_ours_gives_nothing(world: World) -> None:
    """Design 2: our controller UID."""
    owner = await world.make_set()
    await world.make_pod("web-1", labels=instance_labels(1))
    assert await world.cluster.read_instance(owner, "web-1") is None
    await world.make_pod("stranger", labels=SELECTOR)
    assert await world.cluster.read_instance(owner, "stranger") is None
