"""How many instances may be under repair at once, and which go first."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.allowance import batch_allowance
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Outcome, TemplateView
from tests.core._stories import (
    a_set,
    deleted,
    entry,
    ledger,
    reasons,
    settle,
    under_repair,
    wrong,
)
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
BY_SIZE = [
    (1, 1),
    (19, 1),
    (20, 1),
    (39, 1),
    (40, 2),
    (59, 2),
    (60, 3),
    (199, 9),
    (200, 10),
]


@pytest.mark.parametrize(("size", "allowance"), BY_SIZE)
def test_the_allowance_is_five_percent_rounded_down_and_at_least_one(
    size: int, allowance: int
) -> None:
    """R-11, R-12, protocol rule 1."""
    assert batch_allowance(size, 5) == allowance


@pytest.mark.parametrize(("size", "allowance"), BY_SIZE)
def test_with_every_instance_unhealthy_only_the_allowance_goes_under_repair(
    size: int, allowance: int
) -> None:
    """R-11, R-12, R-60: a total outage of wrong answers goes at the cap's pace."""
    settled = settle(scale_set_spec(replicas=size), a_set(size, bad=wrong(*range(1, size + 1))))
    assert len(settled.entries) == allowance
    assert settled.plan.status.repairs.batch_limit == allowance
    assert len(deleted(settled.plan)) == allowance


@pytest.mark.parametrize(("percent", "allowance"), [("5%", 5), ("3%", 3), ("1%", 1)])
def test_the_share_can_be_lowered(percent: str, allowance: int) -> None:
    """R-11: maxInFlight."""
    spec = scale_set_spec(replicas=100, policy={"maxInFlight": percent})
    assert len(settle(spec, a_set(100, bad=wrong(*range(1, 51)))).entries) == allowance


def test_unhealthy_instances_stay_in_the_total() -> None:
    """R-13: the base is neither the healthy nor the unhealthy ones."""
    settled = settle(scale_set_spec(replicas=60), a_set(60, bad=wrong(*range(1, 60))))
    assert len(settled.entries) == 3


def test_a_scale_out_lends_no_slot_before_its_instances_have_run() -> None:
    """R-13, protocol rule 1: from 20 to 60 does not lend three slots to twenty instances."""
    new = tuple(instance(number=n, started=None, health=None) for n in range(21, 61))
    seen = a_set(bad=wrong(1, 2, 3), instances=(*instances(20, unhealthy=(1, 2, 3)), *new))
    assert len(settle(scale_set_spec(replicas=60), seen).entries) == 1


def test_a_surplus_lends_no_slot() -> None:
    """R-13, protocol rule 1: the total is at most what is wanted."""
    seen = replace(a_set(40, bad=wrong(1, 2, 3)), listed=True)
    settled = settle(scale_set_spec(replicas=39), seen)
    assert settled.plan.status.repairs.batch_limit == 1


def test_deaths_under_repair_do_not_shrink_the_base() -> None:
    """R-13, protocol rule 1: replacements owed count."""
    status = ledger(entry(1, deleted=T0), entry(2, deleted=T0))
    pods = tuple(pod for pod in instances(40, unhealthy=(3,)) if pod.instance_id > 2)
    settled = settle(scale_set_spec(), a_set(bad=wrong(3), instances=pods, status=status))
    assert settled.plan.status.repairs.batch_limit == 2
    assert reasons(settled.plan)["web-3"] is Reason.BATCH_LIMIT_REACHED


def test_a_replacement_that_has_not_run_yet_is_still_owed_to_the_base() -> None:
    """R-13: created is not yet running."""
    status = ledger(entry(1, 41, deleted=T0))
    pods = (*instances(40)[1:], instance(number=41, started=None, health=None))
    plan = settle(scale_set_spec(), a_set(instances=pods, status=status)).plan
    assert plan.status.repairs.batch_limit == 2


def test_when_the_allowance_shrinks_the_youngest_not_yet_deleted_goes_no_further() -> None:
    """R-18, protocol rule 2: its slot is held until its record has run out."""
    status = ledger(*(entry(n, start=T0 - s * SECOND) for n, s in ((1, 3), (2, 1), (3, 2))))
    settled = settle(scale_set_spec(), a_set(bad=wrong(1, 2, 3), status=status))
    assert deleted(settled.plan) == {"web-1", "web-3"}
    assert under_repair(settled.plan) == {"web-1", "web-2", "web-3"}


def test_when_the_allowance_shrinks_the_youngest_not_yet_deleted_is_cancelled() -> None:
    """R-18, protocol rule 2."""
    gone = (entry(n, deleted=T0) for n in (1, 3))
    status = ledger(*gone, entry(2, start=T0 - 8 * SECOND))
    pods = tuple(p for p in instances(40, unhealthy=(2,)) if p.instance_id not in (1, 3))
    settled = settle(scale_set_spec(), a_set(bad=wrong(2), instances=pods, status=status))
    assert under_repair(settled.plan) == {"web-1", "web-3"}
    last = settled.plan.status.repairs.history[0]
    assert (last.instance, last.result, last.reason) == (
        "web-2",
        "Cancelled",
        Reason.BATCH_LIMIT_REACHED,
    )


def test_when_the_allowance_shrinks_repairs_past_their_delete_finish() -> None:
    """R-18, protocol rule 2: none is aborted halfway, and none starts meanwhile."""
    status = ledger(*(entry(n, deleted=T0) for n in (1, 2, 3)))
    pods = tuple(pod for pod in instances(40, unhealthy=(4,)) if pod.instance_id > 3)
    settled = settle(scale_set_spec(), a_set(bad=wrong(4), instances=pods, status=status))
    assert under_repair(settled.plan) == {"web-1", "web-2", "web-3"}
    assert reasons(settled.plan)["web-4"] is Reason.BATCH_LIMIT_REACHED


def test_no_repair_starts_while_the_slots_are_taken() -> None:
    """R-11, R-14, protocol rule 2: a recorded entry holds its slot before its DELETE."""
    status = ledger(entry(1), entry(2))
    settled = settle(scale_set_spec(), a_set(bad=wrong(1, 2, 3), status=status))
    assert under_repair(settled.plan) == {"web-1", "web-2"}
    assert reasons(settled.plan)["web-3"] is Reason.BATCH_LIMIT_REACHED


def test_a_repair_in_flight_outlives_the_operator() -> None:
    """R-16, R-17: the count stands in the status, so any operator finds it there."""
    first = settle(scale_set_spec(), a_set(bad=wrong(1, 2, 3)))
    other = replace(first.seen, live_reads=frozenset())
    assert under_repair(settle(scale_set_spec(), other).plan) == {"web-1", "web-2"}


def test_a_person_s_delete_takes_no_slot() -> None:
    """R-19: the cap is for automatic repairs."""
    pods = tuple(
        replace(pod, terminating=pod.instance_id > 35) for pod in instances(40, unhealthy=(1, 2, 3))
    )
    settled = settle(scale_set_spec(), a_set(bad=wrong(1, 2, 3), instances=pods))
    assert len(settled.entries) == settled.plan.status.repairs.batch_limit == 1
    assert settled.plan.status.repairing_replicas == 1


@pytest.mark.parametrize(
    ("purpose", "live", "model"), [("ScaleIn", 43, "m1"), ("Rollout", 40, "m2")]
)
def test_who_leaves_for_a_scale_in_or_a_rollout_takes_no_slot(
    purpose: str, live: int, model: str
) -> None:
    """R-19: three go, and two of forty are repaired beside them; each stands in its own list."""
    names = [f"web-{number}" for number in (38, 39, 40)]
    leaving = [{"name": name, "uid": f"uid-{name}", "purpose": purpose} for name in names]
    seen = a_set(
        live, bad=wrong(1, 2, 3), status={"scaleIn": leaving}, template=TemplateView(model=model)
    )
    wish = scale_set_spec(upgradePolicy={"mode": "Manual"})
    status = settle(wish, replace(seen, listed=True)).plan.status
    assert {e.instance for e in status.repairs.in_flight} == {"web-1", "web-2"}
    assert (status.repairs.batch_limit, status.repairing_replicas) == (2, 2)
    assert [victim.name for victim in status.scale_in] == names


def test_a_storm_is_paced_to_one_at_a_time() -> None:
    """X-11: maxUnhealthyPercent makes the allowance one, and says so."""
    spec = scale_set_spec(policy={"maxUnhealthyPercent": 20})
    calm = settle(spec, a_set(bad=wrong(*range(1, 9))))
    storm = settle(spec, a_set(bad=wrong(*range(1, 10))))
    assert len(calm.entries) == 2
    assert len(storm.entries) == 1
    assert reasons(storm.plan)["web-9"] is Reason.HEALTH_STORM


def test_the_longest_unhealthy_goes_first_and_ties_go_by_name() -> None:
    """R-23."""
    since = {4: 10, 7: 30, 8: 20, 9: 20}
    pods = tuple(
        instance(
            number=n,
            health=VMHealth.UNHEALTHY if n in since else VMHealth.HEALTHY,
            since=T0 - timedelta(minutes=since.get(n, 60)),
        )
        for n in range(1, 61)
    )
    seen = a_set(bad=wrong(*since), instances=pods[::-1])
    settled = settle(scale_set_spec(replicas=60), seen)
    assert [e.replacement for e in settled.entries] == ["web-61", "web-62", "web-63"]
    assert {e.replacement: e.instance for e in settled.entries} == {
        "web-61": "web-7",
        "web-62": "web-8",
        "web-63": "web-9",
    }


def test_an_ineligible_instance_holds_up_none_behind_it() -> None:
    """R-20, R-48: protected and in grace, longest unhealthy, and the next ones go."""
    pods = tuple(
        replace(
            pod,
            protected_from_actions=pod.instance_id == 1,
            started=T0 - timedelta(minutes=1) if pod.instance_id == 2 else pod.started,
        )
        for pod in instances(40, unhealthy=(1, 2, 3, 4))
    )
    settled = settle(scale_set_spec(), a_set(bad=wrong(1, 2, 3, 4), instances=pods))
    assert under_repair(settled.plan) == {"web-3", "web-4"}
    assert reasons(settled.plan)["web-1"] is Reason.INSTANCE_PROTECTED
    assert reasons(settled.plan)["web-2"] is Reason.IN_GRACE_PERIOD
    assert settled.plan.status.repairs.batch_limit == 2


def test_an_instance_being_deleted_is_never_picked() -> None:
    """R-22: nor counted a second time."""
    pods = tuple(replace(p, terminating=p.instance_id == 1) for p in instances(40, unhealthy=(1,)))
    settled = settle(scale_set_spec(), a_set(instances=pods))
    assert not settled.entries
    assert settled.plan.status.unhealthy_replicas == 0
    assert settled.plan.status.replicas == 39


def test_an_instance_chosen_to_be_removed_is_not_repaired_as_well() -> None:
    """R-22: a victim of scale-in, in the decision that chooses it and in those after."""
    settled = settle(scale_set_spec(replicas=39), a_set(bad=wrong(1)))
    assert [v.name for v in settled.plan.status.scale_in] == ["web-1"]
    assert not any(under_repair(plan) for plan in settled.plans)
    assert reasons(settled.plan)["web-1"] is Reason.SCALED_IN
    assert len(settled.plan.actions) == 1


def test_an_instance_recovered_before_its_turn_is_dropped() -> None:
    """R-21: the live observation counts, not the published condition."""
    plan = decide(scale_set_spec(), a_set(bad={1: Outcome.OK}), T0)
    assert not plan.reads
    assert "web-1" not in reasons(plan)
