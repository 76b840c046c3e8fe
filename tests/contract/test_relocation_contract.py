"""The port `Relocations`: places, evictions and what stands on pods, fake and real alike."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from scaleset_operator.api import base
from scaleset_operator.core.maintenance_acts import (
    AskPause,
    ClearPause,
    EvictInstance,
    HoldPlace,
    PublishMaintenance,
    ReleasePlace,
)
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.ports import Conflict, Gone, Key, Owner, Refused, TooOld
from scaleset_operator.reconciler.relocations import Disallowed
from tests.contract.worlds import FAR_FUTURE, SELECTOR, World, creation, in_view, running

NOBODY = "00000000-0000-4000-8000-00000000dead"
PLACE = "web-1-place"
MARK = "patch/1/0b6f6a0c/2099-01-01T06:00:00Z"
SAID = '{"isCustomerInitiatedMaintenanceAllowed":true}'
MOST_MOMENTS = 200


def hold(*labels: tuple[str, str]) -> HoldPlace:
    return HoldPlace(name=PLACE, instance="web-1", model="m1", node_labels=labels)


def eviction(pod: Instance, **changes: str) -> EvictInstance:
    """Of exactly what was read, but for the changes."""
    version = changes.get("resource_version", pod.resource_version)
    return EvictInstance(name=pod.name, uid=changes.get("uid", pod.uid), resource_version=version)


def publication(pod: Instance, *, read: bool = False, answered: bool = False) -> PublishMaintenance:
    return PublishMaintenance(
        name=pod.name,
        uid=pod.uid,
        mark=MARK,
        status=SAID,
        answered=answered,
        resource_version=pod.resource_version if read else None,
    )


async def place(world: World, owner: Owner, told: Callable[[Place], bool]) -> Place:
    """The place, once it is as it is waited for."""
    for _ in range(MOST_MOMENTS):
        found = await world.relocations.read_place(owner, PLACE)
        if found is not None and told(found):
            return found
        await world.moment()
    pytest.fail("the place did not become as it is waited for")


async def read(world: World, owner: Owner, name: str = "web-1") -> Instance:
    found = await world.cluster.read_instance(owner, name)
    assert found is not None
    return found


async def under(world: World, owner: Owner, *budgets: str) -> None:
    """Budgets over the set that have no room, counted as they stand."""
    for name in budgets:
        await world.make_budget(name, SELECTOR, minAvailable=7)

    def counted() -> bool:
        found = world.cluster.disruption(owner, ["web-1"]).over.get("web-1", ())
        return {b.name for b in found if b.current and b.desired == 7} == set(budgets)

    await world.until(counted)


# --- Places --------------------------------------------------------------------------------------


async def test_a_place_is_held_on_a_node_that_is_updated(world: World) -> None:
    """M-26: the scheduler says where."""
    owner = await world.make_set()
    node, labels = await world.mark_node()
    await world.relocations.hold_place(owner, hold(*labels), FAR_FUTURE)
    found = await place(world, owner, lambda one: one.node is not None)
    assert (found.name, found.node, found.terminating) == (PLACE, node, False)
    await world.until(lambda: dict(labels).items() <= labels_of(world, node).items())


def labels_of(world: World, node: str) -> dict[str, str]:
    return dict(world.relocations.node_labels().get(node, {}))


async def test_where_no_node_is_updated_the_scheduler_says_so(world: World) -> None:
    """M-26, M-09: in its own words."""
    owner = await world.make_set()
    await world.relocations.hold_place(owner, hold(("contract/nowhere", "yes")), FAR_FUTURE)
    found = await place(world, owner, lambda one: one.refused != "")
    assert found.node is None
    assert "nodes are available" in found.refused


async def test_a_place_is_no_instance_of_any_set(world: World) -> None:
    """M-26: it is neither counted, nor adopted, nor taken for somebody else's pod."""
    owner = await world.make_set()
    _, labels = await world.mark_node()
    await world.relocations.hold_place(owner, hold(*labels), FAR_FUTURE)
    await place(world, owner, lambda one: one.node is not None)
    await world.cluster.list_instances(owner)
    pods = world.cluster.pods(owner)
    assert (pods.instances, pods.adoptable, pods.released) == ((), (), ())
    assert await world.cluster.foreign_pods(owner) == ()
    raw = await world.pod(PLACE)
    assert raw is not None
    assert not SELECTOR.items() & raw["metadata"]["labels"].items()


async def test_a_place_that_is_held_already_is_held(world: World) -> None:
    """M-26: an answer that was lost is made up for by asking again."""
    owner = await world.make_set()
    _, labels = await world.mark_node()
    await world.relocations.hold_place(owner, hold(*labels), FAR_FUTURE)
    first = await place(world, owner, lambda _: True)
    await world.relocations.hold_place(owner, hold(*labels), FAR_FUTURE)
    assert (await place(world, owner, lambda _: True)).uid == first.uid


async def test_a_name_that_another_pod_has_holds_no_place(world: World) -> None:
    """M-26: it is neither taken for ours nor deleted."""
    owner = await world.make_set()
    await world.make_pod(PLACE, labels={"app": "other"})
    with pytest.raises(Conflict):
        await world.relocations.hold_place(owner, hold(), FAR_FUTURE)
    assert await world.relocations.read_place(owner, PLACE) is None
    await world.relocations.release_place(owner, ReleasePlace(name=PLACE))
    assert await world.pod(PLACE) is not None


async def test_a_place_of_another_set_is_not_ours(world: World) -> None:
    """M-26."""
    other, owner = await world.make_set("other"), await world.make_set()
    await world.relocations.hold_place(other, hold(), FAR_FUTURE)
    with pytest.raises(Conflict):
        await world.relocations.hold_place(owner, hold(), FAR_FUTURE)
    assert await world.relocations.read_place(owner, PLACE) is None


async def test_a_place_is_let_go_at_once_and_only_the_one_that_is_meant(world: World) -> None:
    """M-26: the instance comes to where it was."""
    owner = await world.make_set()
    _, labels = await world.mark_node()
    await world.relocations.hold_place(owner, hold(*labels), FAR_FUTURE)
    await place(world, owner, lambda one: one.node is not None)
    await world.relocations.release_place(owner, ReleasePlace(name=PLACE, uid=NOBODY))
    assert await world.relocations.read_place(owner, PLACE) is not None
    await world.relocations.release_place(owner, ReleasePlace(name=PLACE))
    assert await world.relocations.read_place(owner, PLACE) is None
    await world.relocations.release_place(owner, ReleasePlace(name=PLACE))


async def test_a_place_that_a_quota_refuses_is_refused(world: World) -> None:
    """M-09: the operator says why."""
    owner = await world.make_set()
    await world.forbid_creates()
    with pytest.raises(Refused, match="quota"):
        await world.relocations.hold_place(owner, hold(), FAR_FUTURE)


async def test_no_place_is_asked_for_past_the_deadline(world: World) -> None:
    """Rule 5: CLOCK_BOOTTIME."""
    owner = await world.make_set()
    with pytest.raises(TooOld):
        await world.relocations.hold_place(owner, hold(), world.boottime_ns() - 1)
    assert await world.relocations.read_place(owner, PLACE) is None


# --- Evictions -----------------------------------------------------------------------------------


async def test_an_eviction_ends_exactly_the_pod_that_was_read(world: World) -> None:
    """Rule 5; V-21: its name is free once it is gone."""
    owner = await world.make_set()
    await running(world, owner, creation())
    await world.relocations.evict(owner, eviction(await read(world, owner)), FAR_FUTURE)

    def leaves() -> bool:
        seen = in_view(world, owner, "web-1")
        return seen is None or seen.terminating

    await world.until(leaves)


@pytest.mark.parametrize("changes", [{"uid": NOBODY}, {"resource_version": "1"}])
async def test_an_eviction_of_what_was_not_read_conflicts(
    world: World, changes: dict[str, str]
) -> None:
    """Rule 5: UID and resourceVersion."""
    owner = await world.make_set()
    await running(world, owner, creation())
    pod = await read(world, owner)
    with pytest.raises(Conflict):
        await world.relocations.evict(owner, eviction(pod, **changes), FAR_FUTURE)
    assert (await read(world, owner)).live


async def test_a_budget_without_room_disallows_in_its_own_words(world: World) -> None:
    """And is no illness of the API server: other writes go on."""
    owner = await world.make_set()
    await running(world, owner, creation())
    await under(world, owner, "web-pdb")
    with pytest.raises(Disallowed, match="web-pdb"):
        await world.relocations.evict(owner, eviction(await read(world, owner)), FAR_FUTURE)
    assert (await read(world, owner)).live
    await world.drop_budget("web-pdb")
    await world.relocations.evict(owner, eviction(await read(world, owner)), FAR_FUTURE)
    assert not (found := await world.cluster.read_instance(owner, "web-1")) or found.terminating


async def test_two_budgets_over_one_instance_disallow_as_well(world: World) -> None:
    """Kubernetes evicts nothing that two budgets select; the API server is well all the same."""
    owner = await world.make_set()
    await running(world, owner, creation())
    await under(world, owner, "one", "two")
    with pytest.raises(Disallowed, match="more than one PodDisruptionBudget"):
        await world.relocations.evict(owner, eviction(await read(world, owner)), FAR_FUTURE)
    assert (await read(world, owner)).live


async def test_what_is_gone_needs_no_eviction(world: World) -> None:
    """An answer that was lost is made up for by asking again."""
    owner = await world.make_set()
    await running(world, owner, creation())
    pod = await read(world, owner)
    await world.remove("web-1")
    await world.relocations.evict(owner, eviction(pod), FAR_FUTURE)


async def test_nothing_is_evicted_past_the_deadline(world: World) -> None:
    """Rule 5: CLOCK_BOOTTIME."""
    owner = await world.make_set()
    await running(world, owner, creation())
    pod = await read(world, owner)
    with pytest.raises(TooOld):
        await world.relocations.evict(owner, eviction(pod), world.boottime_ns() - 1)
    assert (await read(world, owner)).live


# --- What stands on pods -------------------------------------------------------------------------


async def test_what_maintenance_means_stands_on_the_pod_and_is_seen(world: World) -> None:
    """V-10, V-16: and the request that it answers is gone."""
    owner = await world.make_set()
    pod = await running(world, owner, creation())
    await world.annotate("web-1", **{base.ANNOTATION_PERFORM_MAINTENANCE: "patch", "mine": "too"})
    await world.until(lambda: asked(world, owner) == "patch")
    await world.relocations.publish_maintenance(owner, publication(pod, answered=True))
    await world.until(lambda: world.cluster.pods(owner).fresh)
    seen = in_view(world, owner, "web-1")
    assert seen is not None
    assert (seen.mark, seen.maintenance, seen.maintenance_asked) == (MARK, SAID, "")
    raw = await world.pod("web-1")
    assert raw is not None
    assert raw["metadata"]["annotations"]["mine"] == "too"


def asked(world: World, owner: Owner) -> str | None:
    seen = in_view(world, owner, "web-1")
    return None if seen is None else seen.maintenance_asked


async def test_what_is_over_is_taken_off_the_pod(world: World) -> None:
    """V-15."""
    owner = await world.make_set()
    pod = await running(world, owner, creation())
    await world.relocations.publish_maintenance(owner, publication(pod))
    off = PublishMaintenance(name=pod.name, uid=pod.uid, mark=None, status=None)
    await world.relocations.publish_maintenance(owner, off)
    assert ((found := await read(world, owner)).mark, found.maintenance) == ("", "")


async def test_a_newer_word_of_somebody_else_is_not_overwritten(world: World) -> None:
    """V-16: where the version that was read is named."""
    owner = await world.make_set()
    await running(world, owner, creation())
    pod = await read(world, owner)
    await world.annotate("web-1", **{base.ANNOTATION_PERFORM_MAINTENANCE: "patch"})
    with pytest.raises(Conflict):
        await world.relocations.publish_maintenance(owner, publication(pod, read=True))
    assert (await read(world, owner)).mark == ""


async def test_nothing_is_said_on_another_pod_of_the_name(world: World) -> None:
    """V-04."""
    owner = await world.make_set()
    pod = await running(world, owner, creation())
    await world.remove("web-1")
    with pytest.raises(Gone):
        await world.relocations.publish_maintenance(owner, publication(pod))
    await running(world, owner, creation())
    with pytest.raises(Gone):
        await world.relocations.publish_maintenance(owner, publication(pod))
    assert (await read(world, owner)).mark == ""


async def test_an_instance_that_comes_again_has_its_labels_and_goes_where_it_is_sent(
    world: World,
) -> None:
    """V-21, M-26."""
    owner = await world.make_set()
    node, labels = await world.mark_node()
    own = (("scaleset.dev/protect-from-scale-in", "true"), ("team", "shop"))
    moved = creation(labels=own, node=node, node_labels=labels, mark=MARK, maintenance=SAID)
    pod = await running(world, owner, moved)
    assert pod.node == node
    assert (pod.mark, pod.maintenance, pod.protected_from_scale_in) == (MARK, SAID, True)
    assert set(own) <= set(pod.own_labels)


async def test_an_instance_that_prefers_updated_nodes_goes_elsewhere_where_there_is_none(
    world: World,
) -> None:
    """M-21: who is created during a window needs no move later, if that can be had."""
    owner = await world.make_set()
    node, labels = await world.mark_node()
    await running(world, owner, creation(1, node_labels=labels, may_go_anywhere=True))
    assert (await read(world, owner)).node == node
    nowhere = (("contract/nowhere", "yes"),)
    await running(world, owner, creation(2, node_labels=nowhere, may_go_anywhere=True))
    assert (await read(world, owner, "web-2")).node is not None


# --- Live reads ----------------------------------------------------------------------------------


async def test_windows_and_sets_are_read_as_they_stand(world: World) -> None:
    """M-17: the turn of a pair is asked for live."""
    owner = await world.make_set()
    await world.make_window("patch")
    body = await world.relocations.read_window(Key(owner.key.namespace, "patch"))
    assert body is not None
    assert body["spec"]["impact"] == "Redeploy"
    assert body["metadata"]["resourceVersion"]
    assert await world.relocations.read_window(Key(owner.key.namespace, "none")) is None
    assert await world.relocations.windows_at_work(owner.key.namespace) == frozenset()
    assert await world.relocations.windows_at_work("none") == frozenset()


# --- Pauses --------------------------------------------------------------------------------------


def request(pod: Instance, **changes: str) -> AskPause:
    """Of exactly what was read, but for the changes."""
    return AskPause(
        name=pod.name,
        uid=changes.get("uid", pod.uid),
        resource_version=changes.get("resource_version", pod.resource_version),
        id="r1",
        deadline=datetime(2099, 1, 1, tzinfo=UTC),
        seconds=30,
    )


async def test_a_request_for_a_pause_stands_on_its_pod_until_it_is_taken_off(world: World) -> None:
    """M-02: written and cleared on what was read, and the pod is otherwise as it was."""
    owner = await world.make_set()
    await running(world, owner, creation())
    before = await read(world, owner)
    await world.relocations.ask_pause(owner, request(before), FAR_FUTURE)
    asked = await read(world, owner)
    assert (asked.pause_request, asked.uid) == ("r1", before.uid)
    stale = ClearPause(name=asked.name, uid=asked.uid, resource_version=before.resource_version)
    with pytest.raises(Conflict):
        await world.relocations.clear_pause(owner, stale, FAR_FUTURE)
    clear = ClearPause(name=asked.name, uid=asked.uid, resource_version=asked.resource_version)
    await world.relocations.clear_pause(owner, clear, FAR_FUTURE)
    assert (await read(world, owner)).pause_request == ""


async def test_a_pause_is_asked_of_nothing_but_what_was_read(world: World) -> None:
    """Rule 5: UID, resourceVersion, and CLOCK_BOOTTIME."""
    owner = await world.make_set()
    await running(world, owner, creation())
    pod = await read(world, owner)
    with pytest.raises(Conflict):
        await world.relocations.ask_pause(owner, request(pod, resource_version="1"), FAR_FUTURE)
    with pytest.raises((Conflict, Gone)):
        await world.relocations.ask_pause(owner, request(pod, uid=NOBODY), FAR_FUTURE)
    with pytest.raises(TooOld):
        await world.relocations.ask_pause(owner, request(pod), world.boottime_ns() - 1)
    assert (await read(world, owner)).pause_request == ""


async def test_a_node_without_an_agent_reports_nothing(world: World) -> None:
    """M-02: neither a Lease that is missing nor one that may not be read stops a turn."""
    assert await world.relocations.read_report("nowhere") is None
