"""The status as people read it: conditions, counts, explanations, Events."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.rolloutstatus import RolloutStatus
from scaleset_operator.core.conditions import conditions
from scaleset_operator.core.disruption import Budget, Disruption
from scaleset_operator.core.observed import Outcome, ProberView, TemplateView
from scaleset_operator.core.plan import Plan, Record
from scaleset_operator.core.scene import Scene
from tests.core._silence import MINUTE, fallen
from tests.core._stories import a_set, condition, entry, ledger, settle, wrong
from tests.support.builders import instance, instances, probe_view, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
SPEC = scale_set_spec(replicas=5)
ALWAYS = {
    "Ready",
    "Accepted",
    "InstancesHealthy",
    "InstancesUpToDate",
    "Repairing",
    "RepairsAllowed",
}


def message(plan: Plan, kind: str) -> str:
    return next(c.message for c in plan.status.conditions if c.type == kind)


def test_of_a_healthy_set_the_six_conditions_stand_and_none_that_is_abnormal() -> None:
    """X-11: what is as it should be is told by its numbers, or needs no words."""
    plan = settle(SPEC, a_set(5)).plan
    told = {c.type: (c.status.value, c.reason, c.message) for c in plan.status.conditions}
    assert told == {
        "Ready": ("True", "AllHealthy", "5 of 5 ready"),
        "Accepted": ("True", "Valid", ""),
        "InstancesHealthy": ("True", "AllHealthy", "5 healthy by HealthProbe web-http"),
        "InstancesUpToDate": ("True", "UpToDate", ""),
        "Repairing": ("False", "Idle", ""),
        "RepairsAllowed": ("True", "BatchAvailable", "1 at a time"),
    }
    assert set(told) == ALWAYS


@pytest.mark.parametrize(
    ("kind", "expected", "spec", "change"),
    [
        ("Ready", ("False", "InstancesUnhealthy"), {}, {"bad": wrong(1)}),
        ("Ready", ("False", "Scaling"), {"replicas": 6}, {}),
        ("Ready", ("False", "SelectorOverlap"), {}, {"overlaps_with": "older"}),
        (
            "Ready",
            ("True", "InstancesReady"),
            {"repairs": False, "healthProbeRef": None},
            {"probe": None},
        ),
        (
            "Ready",
            ("True", "HealthUnknown"),
            {"replicas": 1},
            {"instances": (instance(health=None, ready=True),), "prober": ProberView()},
        ),
        ("Accepted", ("False", "SelectorOverlap"), {}, {"overlaps_with": "older"}),
        (
            "Accepted",
            ("False", "InvalidTemplate"),
            {},
            {"template": TemplateView(model="m1", fault=Reason.INVALID_TEMPLATE)},
        ),
        (
            "Accepted",
            ("False", "CreateForbidden"),
            {},
            {"create_refused": (Reason.CREATE_FORBIDDEN, "quota", T0 + SECOND)},
        ),
        (
            "Accepted",
            ("False", "ProbeNotFound"),
            {},
            {"probe": probe_view(fault=Reason.PROBE_NOT_FOUND)},
        ),
        (
            "Accepted",
            ("Unknown", "HealthUnknown"),
            {},
            {"template": TemplateView(model="m1", checked=False)},
        ),
        ("Accepted", ("True", "ForeignPods"), {}, {"foreign": ("alien",)}),
        (
            "Accepted",
            ("True", "Valid"),
            {"upgradePolicy": {"rollingUpgradePolicy": {"inPlaceIfPossible": True}}},
            {},
        ),
        ("InstancesHealthy", ("False", "InstancesUnhealthy"), {}, {"bad": wrong(1)}),
        (
            "InstancesHealthy",
            ("Unknown", "NoProbe"),
            {"repairs": False, "healthProbeRef": None},
            {"probe": None},
        ),
        ("InstancesHealthy", ("True", "NoInstances"), {"replicas": 0}, {"instances": ()}),
        (
            "InstancesHealthy",
            ("Unknown", "HealthUnknown"),
            {},
            {"instances": (instance(number=1, health=None, started=None),)},
        ),
        (
            "InstancesHealthy",
            ("Unknown", "FrequentRestarts"),
            {},
            {
                "instances": (instance(number=1, health=None, started=None),),
                "prober": ProberView(beating_since=T0, frequent_restarts=True),
            },
        ),
        (
            "InstancesUpToDate",
            ("False", "OutOfDate"),
            {"upgradePolicy": {"mode": "Manual"}},
            {"template": TemplateView(model="m2")},
        ),
        (
            "Reconciling",
            None,
            {"upgradePolicy": {"mode": "Manual"}},
            {"template": TemplateView(model="m2")},
        ),
        ("Reconciling", ("True", "RollingOut"), {}, {"template": TemplateView(model="m2")}),
        ("InstancesUpToDate", ("False", "RollingOut"), {}, {"template": TemplateView(model="m2")}),
        ("Reconciling", ("True", "Scaling"), {"replicas": 6}, {}),
        ("Stalled", ("True", "SelectorOverlap"), {}, {"overlaps_with": "older"}),
        ("Repairing", ("True", "InBatch"), {}, {"bad": wrong(1)}),
        ("RepairsAllowed", ("False", "BatchLimitReached"), {}, {"bad": wrong(1)}),
        ("RepairsAllowed", ("False", "Disabled"), {"repairs": False}, {}),
        ("RepairsAllowed", ("False", "ObserveMode"), {"policy": {"mode": "Observe"}}, {}),
        ("RepairsAllowed", ("True", "BatchAvailable"), {}, {"view_is_fresh": False}),
        (
            "RepairsAllowed",
            ("False", "SuspendedByPlatform"),
            {},
            {"status": {"repairs": {"suspendedSince": T0.isoformat()}}},
        ),
        (
            "RepairsAllowed",
            ("False", "FrequentRestarts"),
            {},
            {"prober": ProberView(beating_since=T0, frequent_restarts=True)},
        ),
    ],
)
def test_each_state_has_its_condition_and_reason(
    kind: str, expected: tuple[str, str], spec: dict[str, Any], change: dict[str, Any]
) -> None:
    """X-11, protocol rule 21: found in one place, finite and documented."""
    values: dict[str, Any] = {"replicas": 5} | spec
    plan = settle(scale_set_spec(**values), a_set(5, **change)).plan
    assert condition(plan, kind) == expected
    assert {c.reason for c in plan.status.conditions} <= set(Reason)


def test_a_set_that_fell_silent_as_a_whole_is_ready_and_says_so() -> None:
    """V-03, X-11: nothing speaks against its instances, and nothing is repaired on silence."""
    story = fallen()
    plan = story.run(MINUTE)
    assert condition(plan, "Ready") == ("True", "ProbeInconclusive")
    assert message(plan, "Ready") == "10 of 10 ready; the whole set is silent"
    healthy = "by HealthProbe web-http, the whole set is silent"
    assert condition(plan, "InstancesHealthy") == ("Unknown", "ProbeInconclusive")
    assert message(plan, "InstancesHealthy") == healthy
    assert condition(plan, "RepairsAllowed") == ("False", "ProbeInconclusive")


@pytest.mark.parametrize(("reason", "stalled"), [("RolloutStopped", True), ("RollingOut", False)])
def test_a_set_is_stalled_by_a_rollout_that_has_stopped(reason: str, *, stalled: bool) -> None:
    """X-11, kstatus: with the rollout's own words."""
    settled = settle(SPEC, a_set(5))
    rollout = RolloutStatus(model="m2", start_time=T0, reason=reason, message="too many are ill")
    status = settled.plan.status.model_copy(update={"rollout": rollout})
    found = {c.type: c for c in conditions(Scene.of(SPEC, settled.seen, T0), status)}
    assert ("Stalled" in found) is stalled
    assert not stalled or (found["Stalled"].reason, found["Stalled"].message) == (
        reason,
        "too many are ill",
    )


def test_the_health_of_the_whole_names_the_report_that_it_is_by() -> None:
    """X-11: an instance's own report is a source like a probe."""
    own: dict[str, Any] = {
        "healthProbeRef": None,
        "applicationHealth": {"podConditionType": "Warm"},
    }
    pods = instances(5, reports=(("Warm", VMHealth.HEALTHY, T0),))
    plan = settle(scale_set_spec(replicas=5, **own), a_set(instances=pods, probe=None)).plan
    assert message(plan, "InstancesHealthy") == "5 healthy by pod condition Warm"


def test_a_free_slot_that_a_budget_keeps_empty_is_told() -> None:
    """X-11: with whom it holds and by which budget."""
    ready = {"ready": True, "reports": (("Ready", VMHealth.HEALTHY, T0 - MINUTE),)}
    pods = instances(5, unhealthy=(1,), **ready)
    short = Disruption(over={"web-1": (Budget(name="db", allowed=0, healthy=5, desired=5),)})
    spec = scale_set_spec(replicas=5, policy={"disruptionBudgets": "Enforce"})
    plan = settle(spec, a_set(instances=pods, bad=wrong(1), disruption=short)).plan
    assert condition(plan, "RepairsAllowed") == ("False", "DisruptionBudget")
    assert message(plan, "RepairsAllowed").startswith("1 wait, web-1 for PodDisruptionBudget db: 0")


def test_a_set_of_none_has_nothing_to_say_of_its_health() -> None:
    plan = settle(scale_set_spec(replicas=0), a_set(0)).plan
    assert message(plan, "InstancesHealthy") == ""


def test_those_that_a_rollout_leaves_behind_are_told_with_the_reason() -> None:
    """X-11, M-11: nobody brings them up to date, or they may not be touched."""
    seen = a_set(5, template=TemplateView(model="m2"))
    manual = settle(scale_set_spec(replicas=5, upgradePolicy={"mode": "Manual"}), seen).plan
    why = "5 of 5 not on model m2; mode Manual brings none by itself"
    assert message(manual, "InstancesUpToDate") == why
    kept = tuple(instance(number=n, protected_from_actions=True) for n in range(1, 6))
    protected = settle(SPEC, a_set(instances=kept, template=TemplateView(model="m2"))).plan
    why = "5 of 5 not on model m2; they are protected or under repair"
    assert message(protected, "InstancesUpToDate") == why


def test_repairs_under_way_are_named_ten_at_most() -> None:
    """X-11: the whole list is in the ledger."""
    bad = wrong(*range(1, 13))
    told = message(settle(scale_set_spec(replicas=240), a_set(240, bad=bad)).plan, "Repairing")
    assert told.startswith("12 of 12 in flight: web-1, ")
    assert len(told.split(", ")) == 10


def test_a_transition_time_moves_only_with_the_status_of_its_condition() -> None:
    """X-11: another reason or message is no transition."""
    first = settle(SPEC, a_set(5))
    later = replace(first.seen, foreign=("alien",), generation=2)
    second = settle(SPEC, later, T0 + SECOND).plan
    accepted = next(c for c in second.status.conditions if c.type == "Accepted")
    assert (accepted.reason, accepted.last_transition_time) == ("ForeignPods", T0)
    assert accepted.observed_generation == 2
    fell = replace(later, overlaps_with="older")
    third = settle(SPEC, fell, T0 + SECOND).plan
    accepted = next(c for c in third.status.conditions if c.type == "Accepted")
    assert accepted.last_transition_time == T0 + SECOND


def test_the_counts_are_of_live_pods_of_this_set() -> None:
    """R-19, R-22, R-48: surplus included, Terminating and over left out."""
    pods = (
        *instances(4, unhealthy=(1,)),
        instance(number=5, model="m0", protected_from_scale_in=True),
        instance(number=6, started=None, health=None),
        instance(number=7, terminating=True),
        instance(number=8, over=True),
    )
    status = settle(scale_set_spec(replicas=7), a_set(instances=pods, bad=wrong(1))).plan.status
    assert (status.replicas, status.ready_replicas, status.updated_replicas) == (6, 4, 5)
    assert (status.healthy_replicas, status.unhealthy_replicas) == (4, 1)
    assert (status.unknown_replicas, status.protected_replicas) == (1, 1)
    assert (status.repairing_replicas, status.latest_model) == (1, "m1")
    assert (status.selector, status.observed_generation) == ("app=web", 1)


def test_the_list_of_unhealthy_instances_is_bounded_and_begins_with_the_longest() -> None:
    """X-11, R-23: the whole truth is on the pods."""
    pods = tuple(
        instance(number=n, health=VMHealth.UNHEALTHY, since=T0 - n * SECOND) for n in range(1, 31)
    )
    spec = scale_set_spec(replicas=30, policy={"serviceState": "Suspended"})
    status = settle(spec, a_set(instances=pods, bad=wrong(*range(1, 31)))).plan.status
    assert [u.name for u in status.unhealthy_instances] == [f"web-{n}" for n in range(30, 10, -1)]
    assert status.unhealthy_replicas == 30


def test_the_history_is_bounded_and_newest_first() -> None:
    """Design.md section 3: at most ten."""
    before = [
        {
            "instance": f"web-{n}",
            "action": "Replace",
            "cause": "",
            "result": "Succeeded",
            "startTime": T0.isoformat(),
            "endTime": T0.isoformat(),
        }
        for n in range(90, 100)
    ]
    status = ledger(entry(1, 6, deleted=T0), last=99, history=before)
    pods = (*instances(5)[1:], instance(number=6))
    history = settle(SPEC, a_set(instances=pods, status=status)).plan.status.repairs.history
    assert [record.instance for record in history] == [
        "web-1",
        *(f"web-{n}" for n in range(90, 99)),
    ]


@pytest.mark.parametrize(
    ("started", "reason"), [(None, "ReplacementStarting"), (T0 - SECOND, "WaitingForHealth")]
)
def test_a_repair_in_flight_says_what_it_waits_for(started: Any, reason: str) -> None:
    """X-11."""
    young = instance(number=6, started=started, health=None)
    status = ledger(entry(1, 6, deleted=T0), last=6)
    seen = a_set(instances=(*instances(5)[1:], young), status=status, bad={})
    if started is not None:
        seen = replace(seen, evidence={k: v for k, v in seen.evidence.items() if k != young.uid})
    (told,) = settle(SPEC, seen).plan.status.unhealthy_instances
    assert (told.name, told.repair_decision, told.reason) == ("web-1", "Repairing", reason)


def test_one_event_tells_a_whole_batch() -> None:
    """G8: what began, why, and how much of the allowance it takes."""
    plans = settle(scale_set_spec(), a_set(bad=wrong(1, 2, 3))).plans
    (told,) = [n for plan in plans for n in plan.notes if n.reason == Reason.REPAIR_STARTED]
    assert told.message == (
        "web-1: HTTP 503, 200 is expected; no success for 11s; "
        "web-2: HTTP 503, 200 is expected; no success for 11s (2 of 2 in flight)"
    )


def test_repairs_that_end_without_success_are_told() -> None:
    """X-11: Failed as a warning, Cancelled as news, Succeeded not at all."""
    status = ledger(
        entry(1, 41, deleted=T0 - timedelta(hours=1)),
        entry(2, 42, deleted=T0),
        entry(3, 43, start=T0 - 8 * SECOND),
        last=43,
    )
    young = (instance(number=41, started=T0 - timedelta(hours=1)), instance(number=42))
    seen = a_set(
        instances=(*instances(40)[2:], *young), bad={41: Outcome.WRONG_STATUS}, status=status
    )
    spec = scale_set_spec()
    told = [n for plan in settle(spec, seen).plans if plan.record is Record.NOW for n in plan.notes]
    assert [(n.reason, n.warning) for n in told] == [
        (Reason.REPAIR_FAILED, True),
        (Reason.REPAIR_CANCELLED, False),
    ]


def test_a_set_that_is_no_longer_accepted_is_told_once() -> None:
    """X-11."""
    settled = settle(SPEC, a_set(5))
    fell = settle(scale_set_spec(replicas=6), replace(settled.seen, overlaps_with="older"))
    again = settle(scale_set_spec(replicas=6), fell.seen)
    told = [n for plan in fell.plans if plan.record is Record.NOW for n in plan.notes]
    assert [(n.reason, n.warning) for n in told] == [(Reason.SELECTOR_OVERLAP, True)]
    assert again.plan.record is Record.NONE
