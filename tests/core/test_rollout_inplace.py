"""A rollout that keeps the pods: images alone change, within the bounds of every rollout."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.observed import Containers, Instance, Observed, Outcome, TemplateView
from scaleset_operator.core.plan import Purpose, Record, RenewInstance
from tests.core._stories import (
    Settled,
    Story,
    a_set,
    condition,
    created,
    deleted,
    entry,
    ledger,
    published,
    reasons,
    settle,
    under_repair,
    wrong,
)
from tests.support.builders import NOT_MADE, instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
OLD, NEW, NEWER, OTHER = "shape-old", "shape-new", "shape-newer", "other-new"
RUNNING = Containers(names=("web",), images=("web:1",), image_ids=("",), restarts=(2,))
PATCHED: dict[str, Any] = {
    "model": NEW,
    "containers": replace(RUNNING, images=("web:2",)),
    "renewing": True,
    "started": None,
    "started_is_recorded": False,
    "containers_ready": False,
    "ready": False,
}
"""What the patch makes of an instance, before its containers run again."""
ANEW = PATCHED | {
    "renewing": False,
    "started": T0 - MINUTE,
    "started_is_recorded": True,
    "containers_ready": True,
    "ready": True,
}
"""The same, once the new containers were heard and that stands on the pod."""


def spec(replicas: int = 20, mode: str = "Rolling", **rolling: Any) -> ScaleSetSpec:
    policy = {"mode": mode, "rollingUpgradePolicy": {"inPlaceIfPossible": True, **rolling}}
    return scale_set_spec(replicas=replicas, upgradePolicy=policy)


def view(model: str = NEW, image: str = "web:2", **fields: Any) -> TemplateView:
    return TemplateView(model=model, images=(("web", image),), **fields)


def pods(size: int = 20, unhealthy: tuple[int, ...] = (), **fields: Any) -> tuple[Instance, ...]:
    """Instances of the old model, running its image."""
    values: dict[str, Any] = {"model": OLD, "containers": RUNNING} | fields
    return tuple(replace(pod, **values) for pod in instances(size, unhealthy=unhealthy))


def outdated(size: int = 20, bad: dict[int, Any] | None = None, **fields: Any) -> Observed:
    """Instances of the old model under a template that differs in its image."""
    given: dict[str, Any] = {"instances": pods(size, tuple(bad or {})), "template": view()}
    return a_set(bad=bad, **(given | fields))


def changed(seen: Observed, number: int, **fields: Any) -> Observed:
    """The same with one instance in another state."""
    some = (replace(p, **fields) if p.instance_id == number else p for p in seen.instances)
    return replace(seen, instances=tuple(some))


def step(number: int, model: str = NEW, **fields: Any) -> dict[str, Any]:
    """A renewal of one instance, recorded a second ago, by the wire's names."""
    start = fields.pop("start", T0 - SECOND)
    return {
        "instance": f"web-{number}",
        "uid": f"uid-web-{number}",
        "model": model,
        "fromModel": OLD,
        "startTime": start.isoformat(),
        **fields,
    }


def under_way(*steps: dict[str, Any], model: str = NEW, **fields: Any) -> dict[str, Any]:
    """A status with these renewals recorded."""
    times = {"startTime": (T0 - MINUTE).isoformat(), "batchTime": (T0 - MINUTE).isoformat()}
    rollout = {"model": model, "reason": "RollingOut", **times, **fields}
    return {"lastInstanceId": 20, "rollout": rollout, "renewals": list(steps)}


def patches(settled: Settled) -> list[RenewInstance]:
    return [act for act in settled.plan.actions if isinstance(act, RenewInstance)]


def renewed(settled: Settled) -> set[str]:
    return {act.name for act in patches(settled)}


def recorded(settled: Settled) -> dict[str, str]:
    """Instance -> the model that it is brought to."""
    return {r.instance: r.model for r in settled.plan.status.renewals}


def victims(settled: Settled) -> set[str]:
    return {v.name for v in settled.plan.status.scale_in}


def said(settled: Settled) -> str:
    rollout = settled.plan.status.rollout
    return rollout.message if rollout is not None else ""


# --- A step from its record to its end -----------------------------------------------------------


def test_a_renewal_is_recorded_before_the_patch_with_where_it_starts_and_where_it_goes() -> None:
    """R-57, protocol rules 3, 10: read live before the patch; nobody is deleted or created."""
    first, second, third = settle(spec(5), outdated(5)).plans
    assert (first.record, first.actions) == (Record.NOW, ())
    (made,) = first.status.renewals
    assert (made.instance, made.uid, made.start_time) == ("web-1", "uid-web-1", T0)
    assert (made.from_model, made.model) == (OLD, NEW)
    assert second.reads == {"web-1"}
    assert not second.actions
    (act,) = third.actions
    assert isinstance(act, RenewInstance)
    assert third.status.last_instance_id == 5


def test_the_patch_names_the_pod_that_was_read_the_new_image_and_the_new_model() -> None:
    """Protocol rules 5, 10: and it is dropped once its record is older than 5 s."""
    seen = outdated(5)
    (act,) = patches(settle(spec(5), seen))
    assert act == RenewInstance(
        name="web-1",
        uid="uid-web-1",
        resource_version=seen.instances[0].resource_version,
        images=(("web", "web:2"),),
        renewed_from="2",
        model=NEW,
        purpose=Purpose.ROLLOUT,
        not_after=T0 + 5 * SECOND,
    )


def test_only_containers_whose_image_is_another_are_renewed_however_it_is_spelled() -> None:
    """The rest of the model keeps running, and so does what others put into the pod."""
    three = Containers(
        names=("mesh", "log", "web"),
        images=("mesh:9", "docker.io/library/log:3", "web:1"),
        image_ids=("", "", ""),
        restarts=(0, 1, 4),
    )
    template = TemplateView(model=NEW, images=(("log", "log:3"), ("web", "web:2")))
    seen = outdated(5, instances=pods(5, containers=three), template=template)
    (act,) = patches(settle(spec(5), seen))
    assert (act.images, act.renewed_from) == ((("web", "web:2"),), "-,-,4")


def test_a_step_holds_its_place_until_the_new_containers_are_healthy() -> None:
    """R-57, protocol rule 22: the next follows only then."""
    seen = outdated(5, status=under_way(step(1)))
    told = settle(spec(5), changed(seen, 1, **PATCHED))
    (held,) = told.plan.status.renewals
    assert (held.instance, held.renewed_time) == ("web-1", T0)
    assert not patches(told)
    assert recorded(settle(spec(5), changed(seen, 1, **ANEW))) == {"web-2": NEW}


def test_from_the_patch_on_it_is_not_known_and_out_of_rotation() -> None:
    """R-24, R-26: whatever the old containers may still say."""
    seen = changed(outdated(5, status=under_way(step(1))), 1, **PATCHED)
    told = published(settle(spec(5), seen).plan)["web-1"]
    assert (told.health, told.in_rotation) == (VMHealth.UNKNOWN, False)


def test_one_whose_containers_never_run_again_holds_its_place_until_its_grace_ends() -> None:
    """R-24, protocol rule 9: counted from the patch; then it is one that is not available."""
    for ago, steps in ((29 * MINUTE, {"web-1": NEW}), (30 * MINUTE, {})):
        held = step(1, start=T0 - ago, renewedTime=(T0 - ago).isoformat())
        seen = changed(outdated(5, status=under_way(held)), 1, **PATCHED)
        settled = settle(spec(5), seen)
        assert recorded(settled) == steps
        assert not patches(settled), "it still counts against the batch"


def test_a_patch_that_another_operator_made_is_gone_on_with() -> None:
    """Protocol rule 11: though the cache has not seen it, the live read has."""
    seen = changed(outdated(5, status=under_way(step(1))), 1, **PATCHED)
    assert recorded(settle(spec(5), seen)) == {"web-1": NEW}


def test_a_pod_that_goes_takes_its_step_along() -> None:
    """It is made up for like any other."""
    seen = changed(outdated(5, status=under_way(step(1))), 1, terminating=True)
    settled = settle(spec(5), seen)
    assert "web-1" not in recorded(settled)
    assert created(settled.plan) == {"web-21"}


def test_a_pod_that_is_not_in_the_cache_is_read_before_its_step_is_dropped() -> None:
    """X-07: a cache that has not seen a pod yet looks like one whose pod is gone."""
    seen = outdated(instances=pods()[1:], status=under_way(step(1)))
    asked, *_, last = settle(spec(20), seen).plans
    assert asked.reads == {"web-1"}
    assert "web-1" in {r.instance for r in asked.status.renewals}
    assert "web-1" not in {r.instance for r in last.status.renewals}


# --- What is not written any more ----------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"template": view(NEWER, "web:3")},
        {"first": {"model": NEWER}},
        {"first": {"model": OTHER}},
        {"first": {"protected_from_actions": True}},
        {"template": view(fault=Reason.INVALID_TEMPLATE, fault_message="no image")},
        {"refused_until": {"web-1": T0 + MINUTE}},
    ],
    ids=["newer template", "newer pod", "another pod", "protected", "bad template", "refused"],
)
def test_what_changed_since_the_record_is_not_written_over(change: dict[str, Any]) -> None:
    """R-47, R-58, protocol rules 4, 10: the step stands until nobody can be about to write."""
    for age, stands in ((6 * SECOND, True), (7 * SECOND, False)):
        fields = dict(change)
        first = fields.pop("first", {})
        held = under_way(step(1, start=T0 - age))
        seen = changed(outdated(20, status=held, **fields), 1, **first)
        settled = settle(spec(20), seen)
        old = [r for r in settled.plan.status.renewals if r.start_time == T0 - age]
        assert bool(old) is stands
        sent = [act for act in patches(settled) if act.name == "web-1"]
        assert all(act.not_after == T0 + 5 * SECOND for act in sent), "on a new record alone"
        assert not (sent and stands)


def test_a_record_that_has_run_out_is_begun_anew() -> None:
    """Protocol rule 5: nothing is sent on an old record."""
    for age, sent in ((4 * SECOND, True), (5 * SECOND, False), (7 * SECOND, True)):
        seen = outdated(5, status=under_way(step(1, start=T0 - age)))
        settled = settle(spec(5), seen)
        assert bool(patches(settled)) is sent
        assert set(recorded(settled)) == {"web-1"}


def test_a_newer_model_takes_those_first_that_were_just_renewed() -> None:
    """R-58, protocol rule 23: they are not available; a good image cures a bad one in place."""
    steps = [step(n, renewedTime=T0.isoformat()) for n in (7, 8)]
    seen = outdated(20, status=under_way(*steps), template=view(NEWER, "web:3"))
    for number in (7, 8):
        seen = changed(seen, number, **PATCHED)
    settled = settle(spec(20), seen)
    assert set(recorded(settled)) == {"web-1", "web-6", "web-7", "web-8"}
    assert set(recorded(settled).values()) == {NEWER}
    assert {act.images for act in patches(settled)} == {(("web", "web:3"),)}


def test_a_template_that_goes_back_ends_a_step_that_was_not_begun() -> None:
    """R-58: nobody is behind any more; the record stands while somebody may still act on it."""
    seen = outdated(5, status=under_way(step(1)), template=view(OLD, "web:1"))
    early = settle(spec(5), seen)
    assert (recorded(early), patches(early)) == ({"web-1": NEW}, [])
    late = outdated(5, status=under_way(step(1, start=T0 - 7 * SECOND)), template=view(OLD, "w:1"))
    assert recorded(settle(spec(5), late)) == {}


# --- Bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("percent", "count"), [(1, 1), (20, 4), (100, 20)])
def test_a_batch_bounds_those_that_are_renewed_at_once(percent: int, count: int) -> None:
    """Protocol rule 22."""
    settled = settle(spec(20, maxBatchInstancePercent=percent), outdated())
    assert len(renewed(settled)) == count
    assert not victims(settled)


def test_a_whole_rollout_keeps_the_floor_and_every_pod() -> None:
    """R-56, R-57, protocol rule 22: name and UID; never fewer than sixteen of twenty available."""
    story = a_story(spec(20))
    before = {pod.name: pod.uid for pod in story.live}
    story.outside["template"] = view()
    least = 20
    for _ in range(60):
        story.run(5 * SECOND)
        least = min(least, 20 - len(story.not_answering))
    assert least == 16
    assert {pod.name: pod.uid for pod in story.live} == before
    assert {(pod.model, pod.containers.images) for pod in story.live} == {(NEW, ("web:2",))}
    assert len(story.renewed) == 20
    assert not story.taken
    assert all(pod.started_is_recorded for pod in story.live)
    last = story.plans[-1].status
    assert (last.renewals, last.rollout) == ((), None)
    assert condition(story.plans[-1], "InstancesUpToDate") == ("True", "UpToDate")


def a_story(wish: ScaleSetSpec) -> Story:
    """A set of the old model that has come to rest."""
    story = Story.of(wish, latestModel=OLD)
    story.pods = {
        pod.name: replace(pod, model=OLD, containers=RUNNING) for pod in story.pods.values()
    }
    story.outside["template"] = view(OLD, "web:1")
    story.turn()
    return story


def test_the_floor_is_asked_again_before_the_patch() -> None:
    """Protocol rule 22: two fail between record and patch; two of four are still let go."""
    bad = wrong(19, 20)
    seen = outdated(bad=bad, status=under_way(*(step(n) for n in (1, 2, 3, 4))))
    assert len(renewed(settle(spec(20), seen))) == 2


def test_a_floor_that_is_met_lets_an_unavailable_one_be_renewed() -> None:
    """Protocol rules 22, 23: it costs nothing."""
    seen = outdated(bad=wrong(*range(1, 9)), status=under_way(step(1)))
    assert "web-1" in renewed(settle(spec(20), seen))


def test_too_many_unhealthy_upgraded_ones_stop_it_within_a_batch() -> None:
    """R-57: a bad image; sixteen of twenty stay as they are, and a good one cures in place."""
    story = a_story(spec(20))
    before = {pod.name: pod.uid for pod in story.live}
    story.outside["template"] = view()
    story.behaviour = Outcome.WRONG_STATUS
    story.run(10 * MINUTE)
    assert sum(pod.model == OLD for pod in story.live) == 16
    assert condition(story.plans[-1], "Stalled") == ("True", "RolloutStopped")
    assert not any(under_repair(plan) for plan in story.plans)
    story.behaviour = Outcome.OK
    story.outside["template"] = view(NEWER, "web:3")
    story.run(10 * MINUTE)
    assert {pod.model for pod in story.live} == {NEWER}
    assert {pod.name: pod.uid for pod in story.live} == before


def test_the_pause_between_batches_counts_from_the_last_of_a_batch() -> None:
    """Five batches of four, two minutes apart at least."""
    story = a_story(spec(20, pauseTimeBetweenBatches="PT2M"))
    story.outside["template"] = view()
    begun = []
    for _ in range(200):
        before = len(story.renewed)
        story.run(5 * SECOND)
        if len(story.renewed) > before:
            begun.append((story.now, len(story.renewed) - before))
    assert [count for _, count in begun] == [4] * 5
    gaps = [late[0] - early[0] for early, late in pairwise(begun)]
    assert min(gaps) >= 2 * MINUTE


def test_automatic_renews_all_at_once() -> None:
    """Design 3: the bounds are those of mode Rolling; the way is the same."""
    settled = settle(spec(20, "Automatic"), outdated())
    assert len(renewed(settled)) == 20
    assert not victims(settled)


def test_a_person_s_request_renews_in_place_too() -> None:
    """Rule 22: mode Manual, one by one; the patch answers the request."""
    seen = changed(outdated(), 7, operation="update")
    settled = settle(spec(20, "Manual"), seen)
    assert renewed(settled) == {"web-7"}
    assert settled.plan.status.requests == ()
    assert settled.plan.status.rollout is None
    asked = replace(seen, instances=tuple(replace(p, operation="update") for p in seen.instances))
    assert len(renewed(settle(spec(20, "Manual"), asked))) == 4


def test_a_rollout_that_is_stopped_by_mode_manual_ends_with_what_it_had_begun() -> None:
    """Design 3: it is told of until then, and nobody follows."""
    held = outdated(20, status=under_way(step(1)))
    told = settle(spec(20, "Manual"), changed(held, 1, **PATCHED))
    assert said(told) == "1 of 20 on model shape-new; renewing web-1 in place"
    done = settle(spec(20, "Manual"), changed(held, 1, **ANEW))
    assert (recorded(done), done.plan.status.rollout) == ({}, None)


def test_without_a_source_it_is_ready_again_once_its_new_containers_run() -> None:
    """P-19: its old ones may still be called ready for a moment after the patch."""
    policy = {"rollingUpgradePolicy": {"inPlaceIfPossible": True}}
    wish = scale_set_spec(replicas=5, repairs=False, healthProbeRef=None, upgradePolicy=policy)
    seen = outdated(5, status=under_way(step(1)), probe=None)
    still = changed(seen, 1, **(PATCHED | {"ready": True}))
    assert recorded(settle(wish, still)) == {"web-1": NEW}
    assert recorded(settle(wish, changed(seen, 1, **ANEW))) == {"web-2": NEW}


def test_under_mode_manual_nobody_is_renewed_by_itself() -> None:
    """Design 3."""
    assert recorded(settle(spec(20, "Manual"), outdated())) == {}


# --- Who is left alone, and by whom --------------------------------------------------------------


def test_a_protected_instance_is_left_alone() -> None:
    """R-47."""
    seen = changed(outdated(5), 1, protected_from_actions=True)
    assert renewed(settle(spec(5), seen)) == {"web-2"}


def test_an_instance_under_repair_in_place_is_taken_once_that_has_closed() -> None:
    """X-02, protocol rule 10."""
    images = {"fromImages": ["web:1"], "targetImages": ["docker.io/library/web:1"]}
    at_work = entry(1, action="Restart", fromModel=OLD, model=OLD, replacement=None, **images)
    seen = outdated(5, bad=wrong(1), status=ledger(at_work, last=20))
    assert "web-1" not in recorded(settle(spec(5, maxBatchInstancePercent=100), seen))


def test_an_instance_under_renewal_is_not_repaired_as_well() -> None:
    """R-22, protocol rules 10, 23: both would write its images."""
    seen = outdated(20, bad=wrong(1, 2), status=under_way(step(1)))
    settled = settle(spec(20), seen)
    assert reasons(settled.plan)["web-1"] is Reason.ROLLOUT_IN_PROGRESS
    assert under_repair(settled.plan) == {"web-2"}


def test_one_that_does_not_get_well_in_its_grace_is_repaired_after_its_step() -> None:
    """R-24, R-26: its grace began with the new containers; the step has closed by then."""
    story = a_story(spec(20))
    story.outside["template"] = view()
    story.behaviour = Outcome.WRONG_STATUS
    story.run(28 * MINUTE, step=timedelta(seconds=20))
    assert not any(under_repair(plan) for plan in story.plans)
    story.run(5 * MINUTE, step=timedelta(seconds=20))
    assert story.plans[-1].status.repairs.in_flight
    assert not story.plans[-1].status.renewals


def test_scale_in_of_an_instance_under_renewal_ends_its_step() -> None:
    """Fewer are wanted, and this one is the least loss."""
    seen = changed(outdated(5, status=under_way(step(1))), 1, **PATCHED)
    settled = settle(spec(4, maxBatchInstancePercent=1), seen)
    assert victims(settled) == {"web-1"}
    assert "web-1" not in recorded(settled)


# --- Where it cannot be --------------------------------------------------------------------------


def test_without_the_wish_every_instance_is_replaced_as_ever() -> None:
    """The default."""
    settled = settle(spec(5, inPlaceIfPossible=False), outdated(5))
    assert (deleted(settled.plan), renewed(settled)) == ({"web-1"}, set())
    assert "replaced" not in said(settled)


def test_models_that_differ_in_more_than_images_are_replaced_and_that_is_said() -> None:
    """In the rollout's message and in its Event."""
    first, *_, last = settle(spec(5), outdated(5, template=view(OTHER))).plans
    assert deleted(last) == {"web-1"}
    assert last.status.rollout is not None
    assert last.status.rollout.message == (
        "0 of 5 on model other-new (5 are replaced: the models differ in more than images); "
        "1 leaving"
    )
    (told,) = (note for note in first.notes if note.reason is Reason.ROLLOUT_STARTED)
    assert "the models differ in more than images" in told.message


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"started": None, "containers": NOT_MADE}, "its containers have never all run"),
        ({"started": None}, "its containers have never all run"),
        ({"containers": replace(RUNNING, images=("web:2",))}, "it has these images already"),
    ],
    ids=["never made", "never all ran", "the same images"],
)
def test_an_instance_that_new_images_would_not_renew_is_replaced(
    fields: dict[str, Any], why: str
) -> None:
    """Nothing in it is worth keeping, or kubelet would do nothing."""
    seen = changed(outdated(5), 1, **fields)
    settled = settle(spec(5), seen)
    assert (deleted(settled.plan), renewed(settled)) == ({"web-1"}, set())
    assert f"(1 is replaced: {why})" in said(settled)


def test_one_whose_new_images_were_refused_is_replaced() -> None:
    """Protocol rule 4: a policy that forbids it makes it impossible, and holds up nothing."""
    seen = outdated(5, refused_until={"web-1": T0 + MINUTE})
    settled = settle(spec(5), seen)
    assert deleted(settled.plan) == {"web-1"}
    assert "the API server refused a write to it" in said(settled)


def test_one_that_replaces_another_whose_repair_goes_on_is_replaced() -> None:
    """R-58, protocol rule 7: the slot's grace would count the same pod twice."""
    status = ledger(entry(5, 6, deleted=T0 - MINUTE), last=6)
    heir = instance(number=6, health=VMHealth.UNHEALTHY, model=OLD, containers=RUNNING)
    seen = outdated(instances=(*pods(4), heir), status=status, bad=wrong(6))
    settled = settle(spec(5), seen)
    assert "web-6" in deleted(settled.plan)
    assert "web-6" not in renewed(settled)


def test_in_place_goes_before_surge_and_needs_no_successor() -> None:
    """R-53, R-57: nobody is made beside them; who cannot be renewed is still surged."""
    settled = settle(spec(20, maxSurge=True), outdated())
    assert len(renewed(settled)) == 4
    assert not created(settled.plan)
    mixed = outdated(20, template=view())
    for number in range(1, 20):
        mixed = changed(mixed, number, model="elder-1")
    settled = settle(spec(20, maxSurge=True), mixed)
    assert renewed(settled) == {"web-20"}
    assert len(created(settled.plan)) == 3


# --- What is said --------------------------------------------------------------------------------


def test_the_rollout_says_whom_it_renews() -> None:
    """X-11: by name, up to five."""
    settled = settle(spec(20), outdated())
    assert said(settled) == (
        "0 of 20 on model shape-new; renewing web-1, web-6, web-11, web-16 in place"
    )
    whole = settle(spec(40), outdated(40))
    assert said(whole).endswith("and 3 more in place")


def test_those_that_are_renewed_are_told_apart_from_those_that_are_waited_for() -> None:
    """X-11."""
    seen = changed(outdated(20, status=under_way(step(1))), 1, **PATCHED)
    young = instance(number=21, model=NEW, started=None, health=None)
    seen = replace(seen, instances=(*seen.instances[:-1], young))
    settled = settle(spec(20, maxBatchInstancePercent=10), seen)
    assert (
        said(settled) == "2 of 20 on model shape-new; renewing web-1 in place, waiting for web-21"
    )


def test_the_begin_and_the_end_of_a_rollout_in_place_are_told_once() -> None:
    """X-11: one Event each, and none for a set at rest."""
    story = a_story(spec(5))
    story.outside["template"] = view()
    story.run(5 * MINUTE)
    notes = [n for plan in story.plans for n in plan.notes if n.reason.startswith("Rollout")]
    assert [n.reason for n in notes] == [Reason.ROLLOUT_STARTED, Reason.ROLLOUT_COMPLETED]
    assert "renewing web-1 in place" in notes[0].message


def test_nothing_moves_on_a_view_that_is_not_fresh() -> None:
    """X-07."""
    settled = settle(spec(5), outdated(5, status=under_way(step(1)), view_is_fresh=False))
    assert (recorded(settled), settled.plan.reads) == ({"web-1": NEW}, frozenset())
    assert not patches(settled)
