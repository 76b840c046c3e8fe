"""Repairs that keep the pod: Restart and Reimage, from record to close (protocol rule 10)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.decide import decide
from scaleset_operator.core.inplace import changes, renewed_from
from scaleset_operator.core.observed import Containers, Instance, Observed, Outcome, TemplateView
from scaleset_operator.core.plan import Purpose, Record, RenewInstance
from tests.core._stories import (
    Settled,
    Story,
    a_set,
    created,
    deleted,
    entry,
    ledger,
    reasons,
    settle,
    under_repair,
    wrong,
)
from tests.support.builders import instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SHORT, FULL = "web:1", "docker.io/library/web:1"
OLD, NEW, OTHER = "shape-old", "shape-new", "other-new"


def spec(action: str = "Restart", **fields: Any) -> ScaleSetSpec:
    policy = {"repairAction": action, **fields.pop("policy", {})}
    manual = {"upgradePolicy": {"mode": "Manual"}}
    return scale_set_spec(policy=policy, **(manual | fields))


def view(model: str = OLD, image: str = SHORT) -> TemplateView:
    return TemplateView(model=model, images=(("web", image),))


def pods(image: str = SHORT, **fields: Any) -> tuple[Instance, ...]:
    """Forty of the old model; web-1 is published Unhealthy."""
    containers = Containers(names=("web",), images=(image,), image_ids=("",), restarts=(2,))
    values: dict[str, Any] = {"model": OLD, "containers": containers} | fields
    return tuple(replace(pod, **values) for pod in instances(40, unhealthy=(1,)))


def seen(image: str = SHORT, **fields: Any) -> Observed:
    given: dict[str, Any] = {"template": view(), "bad": wrong(1)} | fields
    return a_set(**({"instances": pods(image)} | given))


def in_place(**fields: Any) -> dict[str, Any]:
    """The entry of a Restart of web-1, recorded a second ago."""
    values = {
        "action": "Restart",
        "model": OLD,
        "fromModel": OLD,
        "fromImages": [SHORT],
        "targetImages": [FULL],
        "replacement": None,
    }
    return entry(1, **(values | fields))


def recorded(*, first: dict[str, Any] | None = None, **fields: Any) -> Observed:
    """The same set with that entry; `first` changes web-1."""
    status = ledger(in_place(**fields.pop("entry", {})), last=40)
    whole = pods()
    changed = replace(whole[0], **(first or {}))
    return seen(**({"instances": (changed, *whole[1:]), "status": status} | fields))


def patched(**fields: Any) -> dict[str, Any]:
    """What the patch makes of web-1, before its containers run again."""
    containers = Containers(names=("web",), images=(FULL,), image_ids=("",), restarts=(2,))
    marks = {"renewing": True, "started": None, "started_is_recorded": False, "attempt": 1}
    return {"containers": containers, **marks, **fields}


def patches(settled: Settled) -> list[RenewInstance]:
    return [act for act in settled.plan.actions if isinstance(act, RenewInstance)]


def last_of(settled: Settled) -> tuple[str, str | None]:
    record = settled.plan.status.repairs.history[0]
    return record.result, record.reason


def test_a_restart_is_recorded_with_where_it_starts_and_its_exact_target() -> None:
    """R-56, protocol rules 3 and 10: read live before, and no name is given out."""
    first, second, third, last = settle(spec(), seen()).plans
    assert first.reads == third.reads == {"web-1"}
    assert (second.record, second.actions) == (Record.NOW, ())
    (made,) = last.status.repairs.in_flight
    assert (made.action, made.replacement, made.model) == ("Restart", None, OLD)
    assert (made.from_model, made.from_images, made.target_images) == (OLD, (SHORT,), (FULL,))
    assert last.status.last_instance_id == 40
    assert not deleted(last)
    assert not created(last)


def test_the_patch_carries_the_uid_and_version_of_the_live_read_and_the_count() -> None:
    """Protocol rules 5 and 10: the attempt goes with the images; the model stays."""
    pod = seen().instances[0]
    (act,) = patches(settle(spec(), seen()))
    assert act == RenewInstance(
        name="web-1",
        uid="uid-web-1",
        resource_version=pod.resource_version,
        images=(("web", FULL),),
        renewed_from="2",
        model=OLD,
        attempt=1,
        purpose=Purpose.REPAIR,
        not_after=T0 + 5 * SECOND,
    )


def test_a_second_restart_goes_back_to_the_first_spelling() -> None:
    """R-56: so it can be done again and again."""
    (act,) = patches(settle(spec(), seen(FULL)))
    assert act.images == (("web", SHORT),)


def test_a_restart_of_an_older_model_keeps_that_model() -> None:
    """R-56: Restart renews; Reimage brings the latest."""
    (act,) = patches(settle(spec(), seen(template=view(NEW, "web:2"))))
    assert (act.images, act.model) == ((("web", FULL),), OLD)


def test_a_reimage_brings_the_latest_models_images_and_its_name() -> None:
    """R-55, R-56."""
    settled = settle(spec("Reimage"), seen(template=view(NEW, "web:2")))
    (act,) = patches(settled)
    assert (act.images, act.model) == ((("web", "web:2"),), NEW)
    (made,) = settled.entries
    assert (made.action, made.model, made.from_model) == ("Reimage", NEW, OLD)


def test_a_reimage_of_the_latest_model_takes_another_spelling_of_it() -> None:
    """R-56: else kubelet would do nothing."""
    (act,) = patches(settle(spec("Reimage"), seen()))
    assert (act.images, act.model) == ((("web", FULL),), OLD)


def test_where_more_than_images_differ_a_reimage_becomes_a_replace_and_says_so() -> None:
    """R-55, R-56."""
    settled = settle(spec("Reimage"), seen(template=view(OTHER, "web:2")))
    (made,) = settled.entries
    assert (made.action, made.replacement) == ("Replace", "web-41")
    assert "Reimage becomes Replace" in made.cause
    assert deleted(settled.plan) == {"web-1"}


def test_without_a_second_spelling_nothing_is_done_and_the_reason_is_told() -> None:
    """R-56, X-11: neither resolves."""
    plan = settle(spec(), seen("reg.io/web:1")).plan
    assert reasons(plan) == {"web-1": Reason.NO_EQUIVALENT_IMAGE}
    assert not under_repair(plan)


def test_the_digest_of_the_image_id_is_a_second_spelling() -> None:
    """R-56: tag to tag and digest."""
    digest = "@sha256:" + "a" * 64
    containers = Containers(
        names=("web",), images=("reg.io/web:1",), image_ids=(f"reg.io/web{digest}",), restarts=(0,)
    )
    (act,) = patches(settle(spec(), seen(instances=pods(containers=containers))))
    assert act.images == (("web", f"reg.io/web:1{digest}"),)


def test_every_container_is_renewed_those_that_others_put_there_too() -> None:
    """R-56: the model knows one of two; the patch names both, in the pod's order."""
    containers = Containers(
        names=("proxy", "web"), images=("proxy:7", SHORT), image_ids=("", ""), restarts=(0, 4)
    )
    whole = pods(containers=containers)
    (act,) = patches(settle(spec("Reimage"), seen(instances=whole, template=view(NEW, "web:2"))))
    assert act.images == (("proxy", "docker.io/library/proxy:7"), ("web", "web:2"))
    assert act.renewed_from == "0,4"


def test_a_target_for_other_containers_is_refused_and_not_carried_out_in_part() -> None:
    """R-56, protocol rule 10: an exact target has an image for each container of the pod."""
    two = Containers(names=("a", "b"), images=("a:1", "b:1"), image_ids=("", ""), restarts=(0, 0))
    with pytest.raises(ValueError, match="zip"):
        changes(two, ("a:2",))
    with pytest.raises(ValueError, match="zip"):
        renewed_from(two, ("a:2",))


@pytest.mark.parametrize(
    "change",
    [
        {"template": view(NEW, "web:2")},
        {"first": {"model": NEW}},
        {"first": {"model": OTHER}},
    ],
    ids=["the latest model changed", "the pod has a newer model", "the pod has another model"],
)
def test_what_changed_since_the_record_closes_the_entry_and_nothing_is_written(
    change: dict[str, Any],
) -> None:
    """R-58, protocol rule 10: never is an older image written over a newer model."""
    early = settle(spec(), recorded(**change))
    assert not patches(early)
    assert under_repair(early.plan) == {"web-1"}
    first, *_ = settle(spec(), recorded(entry={"start": T0 - 8 * SECOND}, **change)).plans[1:]
    record = first.status.repairs.history[0]
    assert (record.result, record.reason) == ("Cancelled", "Superseded")
    assert not first.actions


def test_a_pod_with_neither_the_old_images_nor_the_target_is_left_alone() -> None:
    """Protocol rule 10: somebody else has changed it."""
    strange = Containers(names=("web",), images=("web:9",), image_ids=("",), restarts=(2,))
    late = recorded(entry={"start": T0 - 8 * SECOND}, first={"containers": strange})
    settled = settle(spec(), late)
    assert last_of(settled) == ("Cancelled", "Superseded")
    (made,) = settled.entries
    assert made.from_images == ("web:9",)


def test_a_patch_that_another_operator_made_is_gone_on_with() -> None:
    """Protocol rule 11: whoever finds it notes that it stands; nothing is patched twice."""
    settled = settle(spec(), recorded(first=patched()))
    (open_,) = settled.entries
    assert (open_.phase, open_.restarted_time) == ("Restarting", T0)
    assert not patches(settled)
    assert reasons(settled.plan) == {"web-1": Reason.RESTARTING}


@pytest.mark.parametrize(
    ("attempt", "started", "patched_already"),
    [
        (1, None, True),
        (1, T0 - HOUR, True),
        (0, T0, True),
        (0, T0 - 1.5 * SECOND, True),
        (0, T0 - 2 * SECOND, False),
        (0, T0 - HOUR, False),
        (0, None, False),
    ],
)
def test_a_pod_with_the_target_was_patched_by_us_if_it_bears_our_mark_or_ran_since(
    attempt: int, started: datetime | None, *, patched_already: bool
) -> None:
    """Protocol rule 10: recorded a second ago, and kubelet tells whole seconds; the mark goes with
    the first Healthy."""
    seen_so = recorded(first=patched(attempt=attempt, started=started))
    first = decide(spec(), seen_so, T0)
    (open_,) = first.status.repairs.in_flight
    assert (open_.phase == "Restarting") is patched_already


@pytest.mark.parametrize(("age", "ends"), [(6.9, False), (7, True)])
def test_a_record_that_was_superseded_ends_when_nobody_can_be_about_to_patch(
    age: float, *, ends: bool
) -> None:
    """Protocol rule 4: seven seconds after it; until then it is looked at again by time."""
    start = T0 - age * SECOND
    old = recorded(entry={"start": start}, first={"model": NEW}, template=view(NEW))
    named = replace(old, live_reads=frozenset({"web-1"}))
    plan = decide(spec(), named, T0)
    assert bool(plan.status.repairs.history) is ends
    assert ends or plan.look_again_at == start + 7 * SECOND


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"template": view(NEW, "web:2")}, "the latest model is shape-new now"),
        ({"first": {"model": OTHER}}, "somebody else has changed its model or images"),
    ],
)
def test_what_superseded_a_repair_is_told(change: dict[str, Any], words: str) -> None:
    """X-11."""
    settled = settle(spec(), recorded(entry={"start": T0 - 8 * SECOND}, **change))
    notes = [note.message for plan in settled.plans for note in plan.notes]
    assert f"web-1: Superseded, {words}" in notes


def test_images_that_change_under_a_restart_end_its_repair_on_a_live_read() -> None:
    """Protocol rules 9 and 10: whoever did it has taken the pod over."""
    strange = Containers(names=("web",), images=("web:9",), image_ids=("",), restarts=(2,))
    late = recorded(entry={"phase": "Restarting"}, first=patched(containers=strange))
    first = decide(spec(), late, T0)
    assert first.reads == {"web-1"}
    assert under_repair(first) == {"web-1"}
    read = decide(spec(), replace(late, live_reads=frozenset({"web-1"})), T0)
    (record,) = read.status.repairs.history
    assert (record.instance, record.result, record.reason) == ("web-1", "Cancelled", "Superseded")
    assert "web-1: Superseded, somebody else has changed its images" in [
        note.message for note in read.notes
    ]


def test_a_recovered_instance_is_not_restarted() -> None:
    """R-21, protocol rule 4."""
    late = recorded(entry={"start": T0 - 8 * SECOND}, bad={1: Outcome.OK})
    healthy = replace(
        late, instances=(replace(pods()[1], name="web-1", uid="uid-web-1"), *late.instances[1:])
    )
    assert last_of(settle(spec(), healthy)) == ("Cancelled", "Recovered")


def test_a_restart_closes_on_the_health_of_its_new_containers() -> None:
    """R-24, R-26, protocol rules 9 and 10: with a success after the restart, on the pod."""
    story = a_story()
    story.tell(Outcome.WRONG_STATUS, "web-1")
    story.run(2 * MINUTE)
    (act,) = story.renewed
    assert act.name == "web-1"
    record = story.plans[-1].status.repairs.history[0]
    assert (record.action, record.result, record.replacement) == ("Restart", "Succeeded", None)
    assert not story.taken
    assert story.pods["web-1"].started_is_recorded
    assert story.pods["web-1"].attempt == 0


def test_a_restart_that_does_not_help_fails_at_the_end_of_its_grace() -> None:
    """R-24, R-26, R-40, protocol rules 9, 10, 12: counted from the new start; the next attempt of
    the lineage follows, and in the end repairs suspend themselves."""
    story = a_story()
    story.behaviour = Outcome.WRONG_STATUS
    story.tell(Outcome.WRONG_STATUS, "web-1")
    story.run(3 * MINUTE)
    assert [act.attempt for act in story.renewed] == [1, 2]
    assert story.renewed[1].images == (("web", SHORT),)
    status = story.plans[-1].status
    assert [record.result for record in status.repairs.history] == ["Failed", "Failed"]
    assert status.repairs.suspended_since is not None
    assert "in the lineage of web-1" in status.repairs.suspended_cause


def a_story() -> Story:
    """Five of one model, a grace of 20 s, repairs by Restart, suspended at the second failure."""
    wish = spec(replicas=5, grace="PT20S", policy={"suspendAfterFailedRepairs": 2})
    story = Story.of(wish, latestModel=OLD)
    story.pods = {
        pod.name: replace(pod, model=OLD, containers=pods()[0].containers)
        for pod in story.pods.values()
    }
    story.outside["template"] = view()
    return story


def test_a_slot_is_held_until_the_new_containers_have_shown_themselves() -> None:
    """R-11, R-14: of forty with two slots, a third waits."""
    story = Story.of(spec(grace="PT1M"), latestModel=OLD)
    story.pods = {
        pod.name: replace(pod, model=OLD, containers=pods()[0].containers)
        for pod in story.pods.values()
    }
    story.outside["template"] = view()
    story.tell(Outcome.WRONG_STATUS, "web-1", "web-2", "web-3")
    story.run(15 * SECOND)
    assert len(story.renewed) == 2
    assert story.plans[-1].status.repairs.batch_limit == 2
    story.run(3 * MINUTE)
    assert sorted(act.name for act in story.renewed) == ["web-1", "web-2", "web-3"]


def test_a_pod_that_is_deleted_while_it_restarts_is_replaced_under_the_same_entry() -> None:
    """R-19, R-50, protocol rule 6: it keeps its slot and owes one."""
    gone = recorded(entry={"phase": "Restarting"}, first=patched(terminating=True))
    settled = settle(spec(), gone)
    (open_,) = settled.entries
    assert (open_.replacement, open_.phase, open_.target_images) == ("web-41", "Replacing", ())
    assert created(settled.plan) == {"web-41"}


def test_an_instance_that_restarts_still_counts_in_the_total() -> None:
    """R-13, protocol rule 1: the allowance of forty stays two."""
    settled = settle(spec(), recorded(entry={"phase": "Restarting"}, first=patched()))
    assert settled.plan.status.repairs.batch_limit == 2


def flight(*phases: tuple[int, str]) -> Observed:
    """Twenty of which one may be under repair; Restarts of these, the later the younger."""
    whole = list(pods()[:20])
    rows = []
    for place, (number, phase) in enumerate(phases):
        start = T0 - (20 - place) * SECOND
        row = in_place(phase=phase, start=start)
        rows.append(row | {"instance": f"web-{number}", "uid": f"uid-web-{number}"})
        marks = patched() if phase == "Restarting" else {}
        whole[number - 1] = replace(whole[number - 1], **marks)
    ill = wrong(*(number for number, phase in phases if phase == "Recorded"))
    return seen(instances=tuple(whole), bad=ill, status=ledger(*rows, last=40))


@pytest.mark.parametrize(
    ("phases", "cut"),
    [
        (((1, "Recorded"),), set()),
        (((1, "Recorded"), (2, "Recorded")), {"web-2"}),
        (((1, "Recorded"), (2, "Recorded"), (3, "Recorded")), {"web-2", "web-3"}),
        (((1, "Recorded"), (2, "Restarting")), {"web-1"}),
        (((1, "Recorded"), (2, "Recorded"), (3, "Restarting")), {"web-1", "web-2"}),
        (((1, "Restarting"), (2, "Restarting")), set()),
    ],
)
def test_of_more_than_the_cap_allows_the_youngest_that_are_untouched_are_given_up(
    phases: tuple[tuple[int, str], ...], cut: set[str]
) -> None:
    """R-11, protocol rule 4: fewer are wanted than when they were recorded."""
    observed = flight(*phases)
    names = frozenset(f"web-{number}" for number, _ in phases)
    plan = decide(spec(replicas=20), replace(observed, live_reads=names), T0)
    history = plan.status.repairs.history
    gone = {one.instance for one in history if one.reason == Reason.BATCH_LIMIT_REACHED}
    assert gone == cut


def test_a_refused_patch_fails_the_repair_and_holds_that_instance_back() -> None:
    """Protocol rule 4: with back-off; it says nothing about the model."""
    settled = settle(spec(), recorded(refused_until={"web-1": T0 + MINUTE}))
    assert last_of(settled) == ("Failed", "RestartRefused")
    notes = [note.message for plan in settled.plans for note in plan.notes]
    assert "web-1: RestartRefused, the API server refused a write to it" in notes
    assert settled.plan.status.repairs.consecutive_failed == 0


def test_scale_in_of_an_instance_that_restarts_closes_its_repair() -> None:
    """R-18, protocol rule 6: fewer are wanted; the poor one goes first."""
    wish = spec(replicas=39)
    settled = settle(wish, recorded(entry={"phase": "Restarting"}, first=patched()))
    assert last_of(settled) == ("Cancelled", "ScaledIn")
    assert {victim.name for victim in settled.plan.status.scale_in} == {"web-1"}


def test_nothing_moves_on_a_view_that_is_not_fresh() -> None:
    """X-07."""
    plan = decide(spec(), recorded(view_is_fresh=False), T0)
    assert under_repair(plan) == {"web-1"}
    assert not plan.reads
