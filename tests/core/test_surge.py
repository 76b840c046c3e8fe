"""New before old: a rollout with maxSurge, step by step (protocol rule 22, R-53, R-57)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.observed import Instance, Observed, Outcome, TemplateView
from scaleset_operator.core.plan import CreateInstance, DeleteInstance, Purpose
from scaleset_operator.core.surge import LONGEST_WAIT, PATIENCE, wait_after
from tests.core._stories import (
    Story,
    condition,
    created,
    deleted,
    reasons,
    settle,
    under_repair,
    wrong,
)
from tests.core.test_rollout import NEW, outdated, spec
from tests.support.builders import T0, instance, instances

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def surging(replicas: int = 20, mode: str = "Rolling", **rolling: Any) -> ScaleSetSpec:
    return spec(replicas, mode, maxSurge=True, **rolling)


def step(number: int, successor: int, model: str = "m2", **fields: Any) -> dict[str, Any]:
    return {
        "instance": f"web-{number}",
        "uid": f"uid-web-{number}",
        "replacement": f"web-{successor}",
        "updateDomain": (number - 1) % 5,
        "model": model,
        **fields,
    }


def under_way(*steps: dict[str, Any], model: str = "m2", **fields: Any) -> dict[str, Any]:
    """A status with these steps recorded."""
    times = {"startTime": (T0 - MINUTE).isoformat(), "batchTime": (T0 - MINUTE).isoformat()}
    rollout = {"model": model, "reason": "RollingOut", "surge": list(steps), **times, **fields}
    return {"lastInstanceId": 30, "rollout": rollout}


def successor(number: int = 21, **fields: Any) -> Instance:
    return instance(number=number, **({"model": "m2"} | fields))


def steps_of(plan: Any) -> dict[str, str]:
    """Instance -> its successor, as recorded."""
    rollout = plan.status.rollout
    return {s.instance: s.replacement for s in rollout.surge} if rollout else {}


def leaving(plan: Any) -> set[str]:
    return {v.name for v in plan.status.scale_in}


# --- A step from its record to its end -----------------------------------------------------------


def test_a_successor_is_recorded_then_created_and_nobody_is_deleted() -> None:
    """R-53, protocol rule 3: its name first; in the same update domain; of the latest model."""
    asked, first, second = settle(surging(5), outdated(5)).plans
    assert asked.reads == {"web-1"}, "it may be gone already, and then nobody follows it"
    assert not steps_of(asked)
    assert not first.actions
    assert steps_of(first) == {"web-1": "web-6"}
    (act,) = second.actions
    assert act == CreateInstance(name="web-6", instance_id=6, update_domain=0, model="m2")


@pytest.mark.parametrize(("percent", "count"), [(1, 1), (20, 4), (100, 20)])
def test_a_surge_is_bounded_by_the_batch(percent: int, count: int) -> None:
    """Protocol rule 22: maxBatch bounds all that are taken at once."""
    plan = settle(surging(20, maxBatchInstancePercent=percent), outdated()).plan
    assert len(steps_of(plan)) == count
    assert not leaving(plan)


def test_a_successor_that_is_not_healthy_yet_displaces_nobody() -> None:
    """R-53: twenty-one live, twenty wanted, and nothing is trimmed."""
    young = successor(health=None, started=None, created=T0)
    seen = outdated(instances=(*instances(20), young), status=under_way(step(1, 21)))
    settled = settle(surging(maxBatchInstancePercent=1), seen)
    assert not deleted(settled.plan)
    assert not leaving(settled.plan)
    assert steps_of(settled.plan) == {"web-1": "web-21"}
    assert condition(settled.plan, "InstancesUpToDate") == ("False", "RollingOut")


def test_an_instance_goes_once_its_successor_serves() -> None:
    """The step ends in the very write that records the victim; then the DELETE."""
    seen = outdated(instances=(*instances(20), successor()), status=under_way(step(1, 21)))
    settled = settle(surging(maxBatchInstancePercent=1), seen)
    act = next(a for a in settled.plan.actions if isinstance(a, DeleteInstance))
    assert (act.name, act.purpose) == ("web-1", Purpose.ROLLOUT)
    assert "web-1" not in steps_of(settled.plan)
    assert leaving(settled.plan) == {"web-1"}


def test_a_successor_that_is_healthy_but_not_shown_so_displaces_nobody() -> None:
    """Until it stands on the pod, no Service sends anything to it."""
    quiet = successor(health=None, started=T0 - MINUTE)
    seen = outdated(instances=(*instances(20), quiet), status=under_way(step(1, 21)))
    assert not leaving(settle(surging(maxBatchInstancePercent=1), seen).plan)


def test_the_set_is_never_short_while_it_surges() -> None:
    """R-57: twenty available from beginning to end, at most four beside them."""
    story = Story.of(surging(20))
    story.turn()
    story.outside["template"] = NEW
    fewest, most = 20, 20
    for _ in range(90):
        story.run(5 * SECOND)
        fewest = min(fewest, len(story.live) - len(story.not_answering))
        most = max(most, len(story.live))
    assert (fewest, most) == (20, 24)
    assert {pod.model for pod in story.live} == {"m2"}
    assert len(story.live) == 20
    assert story.seen.status.rollout is None
    assert condition(story.plans[-1], "InstancesUpToDate") == ("True", "UpToDate")
    sizes = [sum(p.update_domain == d for p in story.live) for d in range(5)]
    assert sizes == [4] * 5


def test_unavailable_instances_are_not_surged_but_replaced_at_once() -> None:
    """Protocol rule 23: they hold nothing that could be kept."""
    seen = outdated(bad=wrong(5, 6))
    plan = settle(surging(20), seen).plan
    assert leaving(plan) | under_repair(plan) == {"web-5", "web-6"}
    assert not {"web-5", "web-6"} & steps_of(plan).keys()


# --- What comes between --------------------------------------------------------------------------


def test_an_instance_that_fails_beside_its_successor_goes_at_once() -> None:
    """It is the current batch's, so it is not repaired as well (rule 23)."""
    young = successor(health=None, started=None, created=T0)
    pods = (*instances(20, unhealthy=(1,)), young)
    seen = outdated(instances=pods, bad=wrong(1), status=under_way(step(1, 21)))
    settled = settle(surging(maxBatchInstancePercent=1), seen)
    assert leaving(settled.plan) == {"web-1"}
    assert not under_repair(settled.plan)
    assert not steps_of(settled.plan)


def test_both_of_a_step_are_left_alone_by_repairs() -> None:
    """Protocol rule 23: RolloutInProgress is the reason of those in the current batch alone."""
    sick = successor(health=VMHealth.UNHEALTHY, started=T0 - 5 * MINUTE)
    seen = outdated(
        instances=(*instances(20), sick),
        bad={21: Outcome.WRONG_STATUS},
        status=under_way(step(1, 21)),
    )
    settled = settle(spec_without_grace(maxBatchInstancePercent=1), seen, now=T0)
    assert reasons(settled.plan)["web-21"] is Reason.ROLLOUT_IN_PROGRESS
    assert not under_repair(settled.plan)


def spec_without_grace(**rolling: Any) -> ScaleSetSpec:
    wish = surging(20, **rolling)
    policy = wish.automatic_repairs_policy
    assert policy is not None
    none = policy.model_copy(update={"grace_period": timedelta(0)})
    return wish.model_copy(update={"automatic_repairs_policy": none})


@pytest.mark.parametrize("gone", [True, False])
def test_a_successor_takes_the_place_of_one_that_somebody_deleted(*, gone: bool) -> None:
    """Protocol rule 6: nothing is created twice."""
    rest = instances(20)[1:]
    victim = () if gone else (replace(instances(1)[0], terminating=True),)
    seen = outdated(instances=(*victim, *rest, successor()), status=under_way(step(1, 21)))
    settled = settle(surging(maxBatchInstancePercent=1), seen)
    assert not settled.plan.status.creating
    assert "web-1" not in steps_of(settled.plan)
    assert not leaving(settled.plan)


def test_one_that_is_deleted_before_its_successor_exists_is_made_up_for_once() -> None:
    """The recorded name is given up; the number of instances sees to the rest."""
    seen = outdated(instances=instances(20)[1:], status=under_way(step(1, 21)))
    settled = settle(surging(maxBatchInstancePercent=1), seen)
    assert created(settled.plan) == {"web-31"}


@pytest.mark.parametrize("uid", [None, "uid-web-21"])
def test_a_successor_that_went_gets_another_name(uid: str | None) -> None:
    """A name is never used again; one that is only not there yet is created."""
    seen = outdated(status=under_way(step(1, 21, replacementUID=uid)))
    plan = settle(surging(maxBatchInstancePercent=1), seen).plan
    name = "web-31" if uid else "web-21"
    assert steps_of(plan) == {"web-1": name}
    assert created(plan) == {name}


def test_a_name_that_cannot_be_used_gives_way_to_the_next() -> None:
    """Design 2: taken by somebody else's pod."""
    seen = outdated(status=under_way(step(1, 21)), unusable=frozenset({"web-21"}))
    assert created(settle(surging(maxBatchInstancePercent=1), seen).plan) == {"web-31"}


@pytest.mark.parametrize("state", [{"terminating": True}, {"over": True}])
def test_a_successor_on_its_way_out_is_followed_by_another(state: dict[str, Any]) -> None:
    """Evicted or deleted by a person: the victim stays until one serves."""
    dying = replace(successor(), **state)
    seen = outdated(instances=(*instances(20), dying), status=under_way(step(1, 21)))
    plan = settle(surging(maxBatchInstancePercent=1), seen).plan
    assert created(plan) == {"web-31"}
    assert "web-1" not in deleted(plan)


def test_scale_in_takes_both_of_a_step_it_hits() -> None:
    """Protocol rule 24: one fewer is wanted, one fewer stands, and no third is touched."""
    wish = surging(19, maxBatchInstancePercent=1).model_copy(update={"scale_in_policy": "Oldest"})
    seen = outdated(instances=(*instances(20), successor()), status=under_way(step(1, 21)))
    settled = settle(wish, seen)
    assert leaving(settled.plan) >= {"web-1", "web-21"}
    after = tuple(p for p in seen.instances if p.name not in leaving(settled.plan))
    assert len(after) == 19
    rest = settle(wish, replace(settled.seen, instances=after))
    assert not deleted(rest.plan)
    assert not rest.plan.status.creating


def test_scale_in_of_another_leaves_the_step_alone() -> None:
    """The surplus is no part of what is trimmed (R-53)."""
    young = successor(health=None, started=None, created=T0)
    seen = outdated(instances=(*instances(20), young), status=under_way(step(1, 21)))
    settled = settle(surging(19, maxBatchInstancePercent=1), seen)
    assert leaving(settled.plan) == {"web-20"}
    assert steps_of(settled.plan) == {"web-1": "web-21"}


def test_a_successor_that_is_itself_to_be_succeeded_is_deleted_once() -> None:
    """R-57, protocol rule 24: it is both unwanted, and one that costs nothing to take."""
    home = instance(number=1, model="m2")
    seen = outdated(
        instances=(home, *instances(20)[1:], successor(21, model="m1"), successor(22)),
        status=under_way(step(1, 21), step(21, 22)),
    )
    acts = settle(surging(20), seen).plan.actions
    assert [a.name for a in acts if isinstance(a, DeleteInstance)].count("web-21") == 1


def test_protection_in_the_middle_of_a_step_sends_the_successor_home() -> None:
    """R-47."""
    kept = replace(instances(1)[0], protected_from_actions=True)
    pods = (kept, *instances(20)[1:], successor())
    seen = outdated(instances=pods, status=under_way(step(1, 21)))
    settled = settle(surging(maxBatchInstancePercent=1), seen)
    assert deleted(settled.plan) == {"web-21"}


@pytest.mark.parametrize("model", ["m3", "m1"])
def test_a_newer_model_and_the_way_back_end_the_steps_of_the_one_before(model: str) -> None:
    """R-58: the successors of the superseded model go, those they were to follow stay."""
    seen = outdated(
        instances=(*instances(20), successor(health=None, started=None, created=T0)),
        status=under_way(step(1, 21)),
        template=TemplateView(model=model),
    )
    settled = settle(surging(maxBatchInstancePercent=1), seen)
    assert deleted(settled.plan) == {"web-21"}
    assert "web-21" not in steps_of(settled.plan).values()


@pytest.mark.parametrize("wish", [spec(20, "Manual"), spec(20)])
def test_a_step_that_was_begun_is_finished_whatever_the_policy_says_now(wish: ScaleSetSpec) -> None:
    """Half of a step would leave one too many."""
    seen = outdated(instances=(*instances(20), successor()), status=under_way(step(1, 21)))
    assert "web-1" in deleted(settle(wish, seen).plan)


def test_nothing_moves_on_a_view_that_is_not_fresh() -> None:
    """X-07."""
    seen = outdated(
        instances=(*instances(20), successor()),
        status=under_way(step(1, 21)),
        view_is_fresh=False,
    )
    settled = settle(surging(maxBatchInstancePercent=1), seen)
    assert settled.plan.status.rollout == seen.status.rollout
    assert not deleted(settled.plan)


def test_a_refused_create_is_waited_out_with_its_reason() -> None:
    """A quota that has room for the set alone."""
    until = T0 + 5 * SECOND
    refused = (Reason.CREATE_FORBIDDEN, "exceeded quota", until)
    seen = outdated(status=under_way(step(1, 21)), create_refused=refused)
    settled = settle(surging(maxBatchInstancePercent=1), seen)
    assert not created(settled.plan)
    assert settled.plan.look_again_at == until
    assert condition(settled.plan, "InstancesUpToDate") == ("False", "CreateForbidden")


def test_the_floor_is_asked_before_one_goes_for_its_successor() -> None:
    """Protocol rule 22, X-02: five others are down, so the one that serves stays as well."""
    sick = range(2, 7)
    pods = (*instances(20, unhealthy=sick), successor())
    seen = outdated(instances=pods, bad=wrong(*sick), status=under_way(step(1, 21)))
    assert "web-1" not in leaving(settle(surging(maxBatchInstancePercent=20), seen).plan)


# --- A model that is bad -------------------------------------------------------------------------


def test_a_bad_model_costs_nothing_and_stops_naming_itself() -> None:
    """R-57: twenty serve throughout; the surge ends at its patience and is tried singly."""
    story = Story.of(spec_without_grace())
    story.turn()
    story.outside |= {"template": NEW, "revisions": {"m2": 7}}
    story.behaviour = Outcome.WRONG_STATUS
    story.run(PATIENCE)
    assert condition(story.plans[-1], "InstancesUpToDate") == ("False", "RolloutStopped")
    story.run(5 * MINUTE)
    old = [p for p in story.live if p.model == "m1"]
    assert len(old) == 20
    assert all(p.published and p.published.health is VMHealth.HEALTHY for p in old)
    rollout = story.seen.status.rollout
    assert rollout is not None
    assert rollout.reason == "RolloutStopped"
    assert rollout.failed_surges == 4
    assert "revision 7; 4 new instances in a row were not healthy in time" in rollout.message
    made = len(story.names)
    story.run(timedelta(hours=2), step=20 * SECOND)
    assert made < len(story.names) <= made + 3
    assert not any(under_repair(plan) for plan in story.plans)


def test_a_good_model_cures_a_surge_that_is_stuck() -> None:
    """R-58: at once, whatever wait the bad one had earned."""
    story = Story.of(surging(20))
    story.turn()
    story.outside["template"] = NEW
    story.behaviour = Outcome.WRONG_STATUS
    story.run(5 * MINUTE)
    story.outside["template"] = TemplateView(model="m3")
    story.behaviour = Outcome.OK
    story.run(10 * MINUTE)
    assert {p.model for p in story.live} == {"m3"}
    assert len(story.live) == 20


def test_a_success_forgets_the_failures_before_it() -> None:
    status = under_way(step(1, 21), failedSurges=3, nextTime=T0.isoformat())
    seen = outdated(instances=(*instances(20), successor()), status=status)
    rollout = settle(surging(), seen).plan.status.rollout
    assert rollout is not None
    assert (rollout.failed_surges, rollout.next_time) == (0, None)


@pytest.mark.parametrize(
    ("failures", "wait"), [(1, PATIENCE), (2, 2 * PATIENCE), (4, LONGEST_WAIT), (99, LONGEST_WAIT)]
)
def test_the_wait_after_failures_doubles_up_to_an_hour(failures: int, wait: timedelta) -> None:
    assert wait_after(failures) == wait


@pytest.mark.parametrize("outcome", [Outcome.TIMED_OUT, Outcome.OK])
def test_a_successor_of_which_nothing_bad_is_known_is_not_given_up(outcome: Outcome) -> None:
    """X-05: a blind prober must not be read as a bad model; nor is one about to be shown well."""
    late = successor(health=None, started=T0 - timedelta(hours=2))
    told: dict[int, Any] = {} if outcome is Outcome.OK else dict.fromkeys(range(1, 22), outcome)
    seen = outdated(instances=(*instances(20), late), bad=told, status=under_way(step(1, 21)))
    plan = settle(surging(maxBatchInstancePercent=1), seen).plan
    assert steps_of(plan) == {"web-1": "web-21"}
    assert not deleted(plan)


def in_doubt() -> Observed:
    doubt = {"group": "ScaleSet/web", "since": T0.isoformat(), "nextTime": T0.isoformat()}
    silent = dict.fromkeys(range(1, 21), Outcome.TIMED_OUT)
    return outdated(bad=silent, status={"repairs": {"doubts": [doubt]}})


def test_nothing_is_begun_while_the_set_is_silent() -> None:
    """Protocol rule 18: one witness is enough to learn whether it is dead or unseen."""
    assert not steps_of(settle(surging(20), in_doubt()).plan)
