"""The port `Cluster`: whose a pod is, adoption, release and Events, fake and real alike."""

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import AdoptInstance, Note, ReleaseInstance
from scaleset_operator.reconciler.ports import Conflict, Gone
from tests.contract.worlds import (
    FAR_FUTURE,
    SELECTOR,
    World,
    creation,
    in_view,
    instance_labels,
    running,
)


def adoption(pod: Instance) -> AdoptInstance:
    """An adoption of exactly what was read."""
    return AdoptInstance(name=pod.name, uid=pod.uid, resource_version=pod.resource_version)


async def test_the_view_sorts_pods_by_whose_they_are(world: World) -> None:
    """Design 2: adoption, foreign pods, released pods."""
    owner = await world.make_set()
    await running(world, owner, creation(1))
    await running(world, owner, creation(2))
    await world.label("web-2", app="debug")
    await world.make_pod("web-8", labels=instance_labels(8))
    await world.make_pod("stranger", labels=SELECTOR)
    await world.make_pod("unrelated", labels={"app": "other"})

    def sorted_out() -> bool:
        pods = world.cluster.pods(owner)
        return bool(pods.released and pods.adoptable)

    await world.until(sorted_out)
    pods = world.cluster.pods(owner)
    assert {pod.name for pod in pods.instances} == {"web-1", "web-2"}
    assert [pod.name for pod in pods.released] == ["web-2"]
    assert [pod.name for pod in pods.adoptable] == ["web-8"]
    assert await world.cluster.foreign_pods(owner) == ("stranger",)


async def test_an_ownerless_pod_is_adopted_on_its_version(world: World) -> None:
    """Design 2: adoption; by UID and resourceVersion."""
    owner = await world.make_set()
    await world.make_pod("web-8", labels=instance_labels(8))

    def runs() -> bool:
        found = world.cluster.pods(owner).adoptable
        return bool(found) and found[0].containers_ready

    await world.until(runs)
    (stale,) = world.cluster.pods(owner).adoptable
    await world.label("web-8", touched="yes")
    with pytest.raises(Conflict):
        await world.cluster.adopt(owner, adoption(stale))
    await world.until(lambda: world.cluster.pods(owner).adoptable != (stale,))
    (fresh,) = world.cluster.pods(owner).adoptable
    await world.cluster.adopt(owner, adoption(fresh))
    await world.until(lambda: in_view(world, owner, "web-8") is not None)
    assert world.cluster.pods(owner).adoptable == ()


async def test_a_released_pod_has_no_owner_any_more(world: World) -> None:
    """Design 2: the selector no longer matches."""
    owner = await world.make_set()
    await running(world, owner, creation())
    await world.label("web-1", app="debug")
    await world.until(lambda: bool(world.cluster.pods(owner).released))
    (pod,) = world.cluster.pods(owner).released
    await world.cluster.release(
        owner,
        ReleaseInstance(name=pod.name, uid=pod.uid, resource_version=pod.resource_version),
    )
    raw = await world.pod("web-1")
    assert raw is not None
    assert not raw["metadata"].get("ownerReferences")
    await world.until(lambda: world.cluster.pods(owner).instances == ())


async def test_adopting_a_pod_that_is_gone_says_so(world: World) -> None:
    """Port: Gone."""
    owner = await world.make_set()
    action = AdoptInstance(
        name="web-8", uid="00000000-0000-4000-8000-00000000dead", resource_version="1"
    )
    with pytest.raises(Gone):
        await world.cluster.adopt(owner, action)


async def test_telling_never_raises(world: World) -> None:
    """Events."""
    owner = await world.make_set()
    for _ in range(3):
        await world.cluster.tell(owner, Note(reason=Reason.REPAIR_STARTED, message="web-1"))
    await world.delete_set(owner)
    await world.cluster.tell(owner, Note(reason=Reason.REPAIR_FAILED, message="", warning=True))
    assert await world.cluster.create_instance(owner, creation(), FAR_FUTURE)
