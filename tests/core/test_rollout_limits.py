"""The bounds of a rollout at both of their ends, and how each mode meets them (rules 22, 23)."""

from dataclasses import replace
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.scalesetstatus import MAX_SCALE_IN
from scaleset_operator.core.observed import Instance, Observed, TemplateView
from scaleset_operator.core.rollout_limits import max_batch, objection
from scaleset_operator.core.scene import Scene
from tests.core._stories import (
    a_set,
    condition,
    deleted,
    entry,
    ledger,
    settle,
    under_repair,
    wrong,
)
from tests.core.test_rollout import outdated, spec, taken
from tests.support.builders import T0, instance, instances, scale_set_spec

ALL: dict[str, Any] = {"maxBatchInstancePercent": 100}


@pytest.mark.parametrize(
    ("replicas", "percent", "batch"),
    [(100, 1, 1), (99, 1, 1), (199, 1, 1), (200, 1, 2), (100, 100, 100), (1, 1, 1), (1, 100, 1)],
)
def test_a_batch_at_the_ends_of_its_range(replicas: int, percent: int, batch: int) -> None:
    """Protocol rule 22: 1 % of a small set is one instance, 100 % is all of it."""
    wish = spec(replicas, maxBatchInstancePercent=percent)
    assert len(taken(wish, outdated(replicas))) == batch


@pytest.mark.parametrize(("replicas", "batch"), [(0, 1), (1, 1), (2, 2)])
def test_in_mode_automatic_a_batch_is_the_whole_set(replicas: int, batch: int) -> None:
    """Protocol rule 22: one at least, and no more than there are."""
    wish = scale_set_spec(replicas=replicas, upgradePolicy={"mode": "Automatic"})
    assert max_batch(wish) == batch


def updated(total: int) -> tuple[Instance, ...]:
    """All but web-1, on m2."""
    return instances(total, model="m2")[1:]


def with_unhealthy(total: int, bad: int) -> Observed:
    """A set of which as many of m2 as are named are Unhealthy; all the others are well, on m1."""
    numbers = range(1, bad + 1)
    pods = instances(total, unhealthy=numbers)
    some = tuple(replace(p, model="m2" if p.instance_id <= bad else "m1") for p in pods)
    return outdated(instances=some, bad=wrong(*numbers))


@pytest.mark.parametrize(
    ("limit", "bad", "goes_on"),
    [(0, 0, True), (0, 1, False), (5, 1, True), (5, 2, False), (20, 4, True), (20, 5, False)],
)
def test_the_share_of_unhealthy_instances_is_met_exactly_and_not_exceeded(
    limit: int, bad: int, *, goes_on: bool
) -> None:
    """Protocol rule 23: maxUnhealthyInstancePercent of twenty; at the limit it goes on."""
    open_else: dict[str, Any] = {"maxUnhealthyUpgradedInstancePercent": 100}
    wish = spec(20, **ALL, maxUnhealthyInstancePercent=limit, **open_else)
    assert bool(taken(wish, with_unhealthy(20, bad))) is goes_on


@pytest.mark.parametrize("size", [1, 2])
def test_one_that_is_ill_is_all_of_the_upgraded_or_of_the_set_where_it_is_alone(size: int) -> None:
    """Protocol rule 23: a hundred percent of one, which 60 % do not let pass."""
    seen = with_unhealthy(size, 1)
    limits: dict[str, Any] = {
        "maxUnhealthyInstancePercent": 60,
        "maxUnhealthyUpgradedInstancePercent": 60,
    }
    upgraded = Scene.of(spec(size, **limits), seen, T0)
    assert objection(upgraded).startswith("1 of 1 upgraded instances are unhealthy")
    limits["maxUnhealthyUpgradedInstancePercent"] = 100
    whole = objection(Scene.of(spec(size, **limits), seen, T0))
    assert whole.startswith("1 of 1 instances are unhealthy") is (size == 1)


def test_a_share_of_a_hundred_never_stops_a_rollout() -> None:
    """Protocol rule 23: the other end; what is left of the healthy goes on."""
    both: dict[str, Any] = {
        "maxUnhealthyInstancePercent": 100,
        "maxUnhealthyUpgradedInstancePercent": 100,
    }
    assert taken(spec(20, **ALL, **both), with_unhealthy(20, 19)) == {"web-20"}


def upgraded(good: int, bad: int) -> Observed:
    """A hundred instances, of which so many are upgraded and healthy, or unhealthy."""
    numbers = range(1, bad + 1)
    pods = instances(100, unhealthy=numbers)
    some = tuple(replace(p, model="m2" if p.instance_id <= good + bad else "m1") for p in pods)
    return outdated(instances=some, bad=wrong(*numbers))


@pytest.mark.parametrize(
    ("limit", "good", "bad", "goes_on"),
    [
        (0, 10, 0, True),
        (0, 10, 1, False),
        (5, 19, 1, True),
        (5, 18, 1, False),
        (20, 4, 1, True),
        (20, 3, 1, False),
        (100, 0, 4, True),
    ],
)
def test_the_share_of_unhealthy_upgraded_instances_is_met_exactly_and_not_exceeded(
    limit: int, good: int, bad: int, *, goes_on: bool
) -> None:
    """R-57: of those upgraded so far, maxUnhealthyUpgradedInstancePercent."""
    open_else: dict[str, Any] = {"maxUnhealthyInstancePercent": 100}
    wish = spec(100, **ALL, maxUnhealthyUpgradedInstancePercent=limit, **open_else)
    assert bool(taken(wish, upgraded(good, bad))) is goes_on


def test_a_stopped_rollout_names_the_limit_and_the_revision() -> None:
    """X-11: which figure, of how many, and what it was compared with."""
    seen = replace(upgraded(3, 1), revisions={"m2": 7})
    settled = settle(spec(100), seen)
    stopped = condition(settled.plan, "InstancesUpToDate")
    assert stopped == ("False", "RolloutStopped")
    assert condition(settled.plan, "Stalled") == ("True", "RolloutStopped")
    rollout = settled.plan.status.rollout
    assert rollout is not None
    assert rollout.message == (
        "4 of 100 on model m2, revision 7; 1 of 4 upgraded instances are unhealthy, "
        "maxUnhealthyUpgradedInstancePercent is 20"
    )


# --- Automatic and Manual ----------------------------------------------------------------------


def test_automatic_asks_neither_floor_nor_limits_nor_pause() -> None:
    """Design 3: all at once, in no order; the bounds are those of mode Rolling."""
    tight: dict[str, Any] = {
        "maxUnhealthyInstancePercent": 0,
        "maxUnhealthyUpgradedInstancePercent": 0,
        "pauseTimeBetweenBatches": "P1D",
    }
    wish = spec(20, "Automatic", **tight)
    assert len(taken(wish, with_unhealthy(20, 5))) == 15


def test_automatic_leaves_an_instance_under_repair_to_its_repair() -> None:
    """X-02: it comes back on the latest model anyway, and the slot is held."""
    seen = outdated(bad=wrong(1), status=ledger(entry(1, 21), last=21))
    settled = settle(spec(20, "Automatic"), seen)
    names = {v.name for v in settled.plan.status.scale_in}
    assert names == {f"web-{n}" for n in range(2, 21)}
    assert under_repair(settled.plan) == {"web-1"}
    last = outdated(instances=(instance(health=VMHealth.UNHEALTHY), *updated(20)), bad=wrong(1))
    waiting = settle(spec(20, "Automatic"), replace(last, status=seen.status)).plan.status.rollout
    assert waiting is not None
    assert waiting.reason == "RollingOut", "nothing stops it"


@pytest.mark.parametrize(("mode", "percent"), [("Automatic", 20), ("Rolling", 100)])
def test_no_more_are_recorded_at_once_than_the_status_holds(mode: str, percent: int) -> None:
    """Every list of the status is bounded; the rest follows as the first have gone."""
    last = MAX_SCALE_IN + 50
    policy = {"mode": mode, "rollingUpgradePolicy": {"maxBatchInstancePercent": percent}}
    wish = scale_set_spec(replicas=last, repairs=False, upgradePolicy=policy)
    went = taken(wish, outdated(last, bad=wrong(last)))
    assert len(went) == MAX_SCALE_IN
    assert f"web-{last}" in went, "one that is ill goes before all others"


def test_mode_manual_is_at_rest_and_says_what_is_behind() -> None:
    """Nothing moves by itself; what is new has the new model."""
    pods = (*instances(19), instance(number=20, model="m2"))
    settled = settle(spec(20, "Manual"), outdated(instances=pods))
    status = settled.plan.status
    assert not status.scale_in
    assert status.rollout is None
    assert status.updated_replicas == 1
    word = next(c for c in status.conditions if c.type == "InstancesUpToDate")
    assert word.message == "19 of 20 not on model m2; mode Manual brings none by itself"
    assert condition(settled.plan, "Reconciling") is None


# --- Protection --------------------------------------------------------------------------------


def test_an_instance_protected_from_scale_in_alone_is_updated() -> None:
    """R-47: it is recorded and, on its record, deleted."""
    pods: tuple[Instance, ...] = (
        replace(instances(2)[0], protected_from_actions=True),
        replace(instances(2)[1], protected_from_scale_in=True),
    )
    assert deleted(settle(spec(2), outdated(instances=pods)).plan) == {"web-2"}


def test_a_rollout_ends_with_those_that_are_protected_behind() -> None:
    """R-47: they are named as behind, and nothing is said to be under way."""
    kept = replace(instance(number=1), protected_from_actions=True)
    rest = tuple(replace(p, model="m2") for p in instances(20)[1:])
    settled = settle(spec(20), outdated(instances=(kept, *rest)))
    assert settled.plan.status.rollout is None
    assert condition(settled.plan, "InstancesUpToDate") == ("False", "OutOfDate")


def test_a_set_at_rest_has_no_rollout() -> None:
    """G9."""
    assert settle(spec(20), a_set(20)).plan.status.rollout is None


# --- Events ------------------------------------------------------------------------------------


def told_of(wish: Any, seen: Observed) -> list[str]:
    notes = (note for plan in settle(wish, seen).plans for note in plan.notes)
    # A plan that first asks for a live read is decided again before it is recorded.
    return list(dict.fromkeys(n.reason for n in notes if n.reason.startswith("Rollout")))


def test_a_rollout_tells_of_its_begin_its_stop_and_its_end_once() -> None:
    """X-11: one Event each."""
    assert told_of(spec(20), outdated()) == ["RolloutStarted"]
    stopped = settle(spec(100), upgraded(3, 1))
    assert told_of(spec(100), upgraded(3, 1)) == ["RolloutStopped"], "nobody was ever taken"
    assert told_of(spec(100), stopped.seen) == []
    all_new = replace(
        stopped.seen,
        instances=instances(100, model="m2"),
        evidence=a_set(100).evidence,
        template=TemplateView(model="m2"),
    )
    assert told_of(spec(100), all_new) == ["RolloutCompleted"]


def test_a_template_that_is_refused_begins_no_rollout() -> None:
    """X-11: the reason is that of the refusal, and no Event tells of a beginning."""
    fault: dict[str, Any] = {
        "fault": Reason.INVALID_TEMPLATE,
        "fault_message": "spec.containers: Required value",
    }
    seen = outdated(template=TemplateView(model="m2", **fault))
    word = condition(settle(spec(20), seen).plan, "InstancesUpToDate")
    assert word == ("False", "InvalidTemplate")
    assert told_of(spec(20), seen) == []


def test_another_model_begins_another_rollout_and_forgets_the_stop() -> None:
    """R-58: a good model can always cure a bad one."""
    stopped = settle(spec(100), upgraded(3, 1)).seen
    cure = replace(stopped, template=TemplateView(model="m3"))
    assert told_of(spec(100), cure) == ["RolloutStarted"]
    plan = settle(spec(100), cure).plan
    assert plan.status.rollout is not None
    assert (plan.status.rollout.model, plan.status.rollout.start_time) == ("m3", T0)
    assert len(plan.status.scale_in) == 19, "the one under repair is missing from the floor as well"
    assert "web-1" in under_repair(plan) | {v.name for v in plan.status.scale_in}
