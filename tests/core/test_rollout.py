"""Bringing instances to the latest model without breaking the floor (protocol rules 22, 23)."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.doubt import Doubtfulness
from scaleset_operator.core.health import judge
from scaleset_operator.core.observed import Instance, Observed, Outcome, TemplateView
from scaleset_operator.core.plan import DeleteInstance, Purpose
from tests.core._stories import (
    Story,
    a_set,
    condition,
    created,
    deleted,
    entry,
    ledger,
    reasons,
    settle,
    under_repair,
    wrong,
)
from tests.support.builders import evidence, instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
NEW = TemplateView(model="m2")


def spec(replicas: int = 20, mode: str = "Rolling", **rolling: Any) -> ScaleSetSpec:
    policy = {"mode": mode, "rollingUpgradePolicy": rolling}
    return scale_set_spec(replicas=replicas, upgradePolicy=policy)


def outdated(size: int = 20, bad: dict[int, Any] | None = None, **fields: Any) -> Observed:
    """Instances of m1, while the template is m2."""
    return a_set(size, bad=bad, **({"template": NEW} | fields))


def taken(wish: ScaleSetSpec, seen: Observed) -> set[str]:
    """Who the next batch takes."""
    status = settle(wish, seen).plan.status
    return {v.name for v in status.scale_in if v.purpose == "Rollout"}


@pytest.mark.parametrize(
    ("replicas", "percent", "batch"),
    [(20, 20, 4), (20, 10, 2), (9, 20, 1), (3, 20, 1), (3, 100, 3)],
)
def test_a_batch_is_its_share_rounded_down_and_at_least_one(
    replicas: int, percent: int, batch: int
) -> None:
    """Protocol rule 22: the floor is desired - max(1, share)."""
    wish = spec(replicas, maxBatchInstancePercent=percent)
    assert len(taken(wish, outdated(replicas))) == batch


def test_victims_of_a_batch_are_recorded_before_their_delete() -> None:
    """Protocol rules 3 and 24: then deleted, and made up for once they are gone."""
    first, second = settle(spec(5), outdated(5)).plans
    assert not first.actions
    (act,) = second.actions
    assert isinstance(act, DeleteInstance)
    assert (act.name, act.purpose) == ("web-1", Purpose.ROLLOUT)


def test_a_rollout_goes_on_batch_by_batch_and_keeps_the_floor() -> None:
    """R-57, protocol rule 22: twenty instances, never fewer than sixteen available."""
    story = Story.of(spec(20))
    story.turn()
    story.outside["template"] = NEW
    least = 20
    for _ in range(60):
        story.run(5 * SECOND)
        least = min(least, 20 - len(story.not_answering) - (20 - len(story.live)))
    assert least == 16
    assert {pod.model for pod in story.live} == {"m2"}
    assert len(story.live) == 20
    assert condition(story.plans[-1], "InstancesUpToDate") == ("True", "UpToDate")


def test_no_available_instance_is_taken_below_the_floor() -> None:
    """R-57, X-02, protocol rule 22: one floor for repair and rollout."""
    status = ledger(entry(20, 21, deleted=T0), last=21)
    pods = (*instances(19), instance(number=21, started=None, health=None, model="m2"))
    seen = outdated(instances=pods, status=status)
    assert len(taken(spec(20), seen)) == 3


def test_unavailable_instances_of_an_older_model_are_taken_first_and_need_no_floor() -> None:
    """Protocol rules 22 and 23: though eight of twenty are unhealthy, a good model can cure."""
    bad = wrong(*range(5, 13))
    batch = taken(spec(20), outdated(bad=bad))
    assert len(batch) == 4
    assert batch <= {f"web-{n}" for n in range(5, 13)}


def test_too_many_unhealthy_stop_the_taking_of_available_ones_only() -> None:
    """Protocol rule 23: maxUnhealthyInstancePercent, here five of twenty."""
    bad = wrong(*range(1, 6))
    fine = tuple(replace(p, model="m2" if p.instance_id < 6 else "m1") for p in instances(20))
    marked = zip(fine, instances(20, unhealthy=range(1, 6)), strict=True)
    pods = tuple(replace(p, published=q.published) for p, q in marked)
    wish = spec(20, maxBatchInstancePercent=100)
    assert taken(wish, outdated(bad=bad, instances=pods)) == set()
    calm = spec(20, maxBatchInstancePercent=100, maxUnhealthyInstancePercent=25)
    limit: dict[str, Any] = {"maxUnhealthyUpgradedInstancePercent": 100}
    assert taken(calm, outdated(bad=bad, instances=pods)) == set()
    both = spec(20, maxBatchInstancePercent=100, maxUnhealthyInstancePercent=25, **limit)
    assert taken(both, outdated(bad=bad, instances=pods))


def test_new_instances_that_are_not_healthy_yet_bound_the_batch() -> None:
    """Protocol rule 22: maxBatch bounds all that are taken at once."""
    young = tuple(instance(number=n, started=None, health=None, model="m2") for n in (21, 22, 23))
    seen = outdated(instances=(*instances(17), *young))
    assert len(taken(spec(20), seen)) == 1


def test_an_instance_in_doubt_counts_as_unavailable_in_the_floor_and_as_available_for_taking() -> (
    None
):
    """Protocol rule 22: one undecided silent one."""
    late = evidence(for_=timedelta(hours=1), last_ended=T0 - timedelta(minutes=20))
    bad = {1: evidence(outcome=Outcome.TIMED_OUT), 2: replace(late, last_success=late.last_ended)}
    pods = instances(5)
    wish = spec(5, maxBatchInstancePercent=20)
    seen = outdated(instances=pods, bad=bad)
    assert judge(wish, seen, T0)["uid-web-1"].doubt is Doubtfulness.UNDECIDED
    fresh = replace(seen.instances[0], published=None)
    assert taken(wish, replace(seen, instances=(fresh, *pods[1:]))) == set()


@pytest.mark.parametrize(("mode", "count"), [("Rolling", 4), ("Automatic", 20), ("Manual", 0)])
def test_the_mode_says_how_many_go_at_once(mode: str, count: int) -> None:
    """Protocol rule 22: Automatic takes all, Manual none."""
    assert len(taken(spec(20, mode), outdated())) == count


@pytest.mark.parametrize(
    "change",
    [
        {"template": TemplateView(model="m2", checked=False)},
        {"template": TemplateView(model="m2", fault=Reason.INVALID_TEMPLATE, fault_message="422")},
        {"overlaps_with": "older"},
        {"view_is_fresh": False},
        {"create_refused": (Reason.CREATE_FORBIDDEN, "quota", T0 + SECOND)},
    ],
)
def test_nobody_is_taken_while_no_successor_could_be_made(change: dict[str, Any]) -> None:
    """X-07."""
    assert taken(spec(20), outdated(**change)) == set()


def between_batches(healthy_for: timedelta | None) -> Observed:
    """Four of twenty are on m2, by a batch that has been healthy for so long, if at all."""
    young = tuple(instance(number=n, model="m2") for n in range(21, 25))
    healthy = None if healthy_for is None else (T0 - healthy_for).isoformat()
    batch = {
        "model": "m2",
        "startTime": (T0 - HOUR).isoformat(),
        "reason": "RollingOut",
        "batchTime": (T0 - HOUR).isoformat(),
        "healthyTime": healthy,
    }
    return outdated(instances=(*instances(16), *young), status={"rollout": batch})


@pytest.mark.parametrize(
    ("healthy_for", "goes_on"),
    [(None, False), (5 * MINUTE - SECOND, False), (5 * MINUTE, True)],
)
def test_the_pause_counts_from_when_the_batch_was_healthy(
    healthy_for: timedelta | None, *, goes_on: bool
) -> None:
    """X-11: to the second; and the plan is woken at its end."""
    wish = spec(20, pauseTimeBetweenBatches="PT5M")
    settled = settle(wish, between_batches(healthy_for))
    assert bool(settled.plan.status.scale_in) is goes_on
    if not goes_on:
        left = 5 * MINUTE - (healthy_for or timedelta(0))
        assert settled.plan.look_again_at == T0 + left
        word = condition(settled.plan, "InstancesUpToDate")
        assert word == ("False", "RolloutPaused")
        rollout = settled.plan.status.rollout
        assert rollout is not None
        assert rollout.next_time == T0 + left


def test_without_a_pause_a_place_that_is_free_is_taken_at_once() -> None:
    """PT0S, the default: nothing waits for the whole batch."""
    assert len(taken(spec(20), between_batches(None))) == 4


def test_instances_that_the_set_gains_meanwhile_do_not_renew_the_pause() -> None:
    """An autoscaler at work must not hold a rollout up for ever."""
    wish = spec(21, pauseTimeBetweenBatches="PT5M")
    seen = between_batches(5 * MINUTE)
    newcomer = instance(number=25, model="m2", started=None, health=None, created=T0 - SECOND)
    assert taken(wish, replace(seen, instances=(*seen.instances, newcomer)))


def test_the_pause_holds_up_no_cure() -> None:
    """Protocol rule 23: of two that are unavailable and behind, one has the slot of a repair."""
    wish = spec(20, pauseTimeBetweenBatches="PT5M")
    seen = between_batches(MINUTE)
    pods = (*instances(2, unhealthy=(1, 2)), *seen.instances[2:])
    bad = outdated(instances=pods, bad=wrong(1, 2), status=seen.status)
    assert taken(wish, bad) == {"web-2"}


def test_a_rollout_with_pauses_goes_batch_by_batch() -> None:
    """Five batches of four, each healthy for two minutes before the next."""
    story = Story.of(spec(20, pauseTimeBetweenBatches="PT2M"))
    story.turn()
    story.outside["template"] = NEW
    begun = []
    for _ in range(200):
        before = len(story.taken)
        story.run(5 * SECOND)
        if len(story.taken) > before:
            begun.append((story.now, len(story.taken) - before))
    assert [count for _, count in begun] == [4] * 5
    gaps = [late[0] - early[0] for early, late in pairwise(begun)]
    assert min(gaps) >= timedelta(minutes=2)
    assert {pod.model for pod in story.live} == {"m2"}


def test_an_instance_under_repair_is_left_to_its_repair() -> None:
    """X-02, protocol rule 6: it is made up for from the latest model anyway."""
    seen = outdated(bad=wrong(1), status=ledger(entry(1, 21), last=21))
    assert "web-1" not in taken(spec(20), seen)


def test_protection_from_the_set_s_actions_keeps_a_rollout_away() -> None:
    """R-47: protection from scale-in alone does not."""
    pods: tuple[Instance, ...] = (
        replace(instances(2)[0], protected_from_actions=True),
        replace(instances(2)[1], protected_from_scale_in=True),
    )
    assert taken(spec(2), outdated(instances=pods)) == {"web-2"}


def test_an_instance_in_the_current_batch_is_not_repaired_as_well() -> None:
    """R-22, R-57, protocol rule 23: RolloutInProgress is the reason of those alone."""
    batch = {"scaleIn": [{"name": "web-1", "uid": "uid-web-1", "purpose": "Rollout"}]}
    seen = outdated(bad=wrong(1, 2), status=batch)
    settled = settle(spec(20, "Manual"), seen)
    assert reasons(settled.plan)["web-1"] is Reason.ROLLOUT_IN_PROGRESS
    assert under_repair(settled.plan) == {"web-2"}


def test_a_newer_model_supersedes_a_repair_that_waits_on_a_broken_one() -> None:
    """R-58: the replacement of m1 never gets healthy; m2 takes it, the slot is kept."""
    status = ledger(entry(20, 21, deleted=T0 - timedelta(minutes=2)), last=21)
    broken = instance(number=21, started=None, health=None, model="m1")
    seen = outdated(instances=(*instances(19), broken), status=status)
    settled = settle(spec(20), seen)
    assert "web-21" in deleted(settled.plan)
    gone = replace(broken, terminating=True)
    next_turn = replace(settled.seen, instances=(*instances(19), gone), live_reads=frozenset())
    after = settle(spec(20), next_turn)
    assert under_repair(after.plan) == {"web-20"}
    (kept,) = after.entries
    assert kept.replacement in created(after.plan)
    assert (kept.model, kept.successors) == ("m2", 1)


def test_repairs_suspended_by_the_platform_do_not_stop_a_rollout() -> None:
    """R-42, protocol rule 12: the rollout goes on, a person resumes."""
    status = {"repairs": {"suspendedSince": (T0 - SECOND).isoformat()}}
    assert len(taken(spec(20), outdated(status=status))) == 4


def test_a_model_that_does_not_start_stops_after_its_first_batch() -> None:
    """R-57, protocol rule 22: sixteen of twenty stay."""
    story = Story.of(spec(20))
    story.turn()
    story.outside["template"] = NEW
    story.behaviour = Outcome.WRONG_STATUS
    story.run(timedelta(minutes=10))
    assert sum(pod.model == "m1" for pod in story.live) == 16
    assert len(story.live) == 20
    assert not any(under_repair(plan) for plan in story.plans)


def test_without_a_source_the_floor_counts_ready_instances() -> None:
    """Protocol rule 22: two of five are not ready, so they alone may go."""
    pods = tuple(replace(p, ready=p.instance_id > 2) for p in instances(5))
    policy = {"rollingUpgradePolicy": {"maxBatchInstancePercent": 40}}
    wish = scale_set_spec(replicas=5, repairs=False, healthProbeRef=None, upgradePolicy=policy)
    assert taken(wish, outdated(instances=pods, probe=None)) == {"web-1", "web-2"}
