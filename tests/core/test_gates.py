"""The questions asked before a repair, each with the reason that its No gives."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.decide import decide
from scaleset_operator.core.gates import ask
from scaleset_operator.core.observed import Observed, Outcome, ProberView, TemplateView
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, entry, ledger, reasons, settle, under_repair, wrong
from tests.support.builders import RUNNING, evidence, instances, probe_view, scale_set_spec
from tests.support.fake_clock import T0

HOUR = timedelta(hours=1)
UNTIL = "scaleset.dev/repairs-suspended-until"

Case = tuple[Reason, dict[str, Any], dict[str, Any], dict[str, Any]]
CLOSED: Final[list[Case]] = [
    # reason, of the spec, of the observation, of the instance
    (Reason.DISABLED, {"repairs": False}, {}, {}),
    (Reason.DISABLED, {"automaticRepairsPolicy": None}, {}, {}),
    (Reason.OBSERVE_MODE, {"policy": {"mode": "Observe"}}, {}, {}),
    (Reason.SUSPENDED_BY_USER, {"policy": {"serviceState": "Suspended"}}, {}, {}),
    (Reason.SUSPENDED_BY_USER, {}, {"annotations": {UNTIL: "2099-01-01T00:00:00Z"}}, {}),
    (
        Reason.NO_EQUIVALENT_IMAGE,
        {"policy": {"repairAction": "Restart"}},
        {},
        {"containers": replace(RUNNING, images=("reg.io/web:1",))},
    ),
    (Reason.PROBE_NOT_FOUND, {}, {"probe": probe_view(fault=Reason.PROBE_NOT_FOUND)}, {}),
    (Reason.AMBIGUOUS_PORT, {}, {"probe": probe_view(fault=Reason.AMBIGUOUS_PORT)}, {}),
    (Reason.PROBE_BLOCKED, {}, {"probe": probe_view(fault=Reason.PROBE_BLOCKED)}, {}),
    (Reason.SELECTOR_OVERLAP, {}, {"overlaps_with": "older"}, {}),
    (
        Reason.INVALID_TEMPLATE,
        {},
        {"template": TemplateView(model="m1", fault=Reason.INVALID_TEMPLATE)},
        {},
    ),
    (Reason.INVALID_TEMPLATE, {}, {"template": TemplateView(model="m1", checked=False)}, {}),
    (
        Reason.CREATE_FORBIDDEN,
        {},
        {"create_refused": (Reason.CREATE_FORBIDDEN, "quota", T0 + HOUR)},
        {},
    ),
    (Reason.STALE_VIEW, {}, {"view_is_fresh": False}, {}),
    (Reason.HEALTH_UNKNOWN, {}, {"prober": ProberView(beating_since=None)}, {}),
    (Reason.HEALTH_UNKNOWN, {}, {"prober": ProberView(beating_since=T0)}, {}),
    (Reason.REPAIR_BACK_OFF, {}, {"refused_until": {"web-1": T0 + HOUR}}, {}),
    (Reason.INSTANCE_PROTECTED, {}, {}, {"protected_from_actions": True}),
    (Reason.INSTANCE_PROTECTED, {}, {}, {"protected_from_scale_in": True}),
    (Reason.NEVER_STARTED, {}, {}, {"started": None}),
    (Reason.IN_GRACE_PERIOD, {}, {}, {"started": T0 - timedelta(minutes=29)}),
]
IDS = [f"{n}-{case[0]}" for n, case in enumerate(CLOSED)]


def one_bad(change: dict[str, Any], of_first: dict[str, Any], **more: Any) -> Observed:
    """Forty instances; web-1 answers 503 for long."""
    first = replace(instances(1, unhealthy=(1,))[0], **of_first)
    return a_set(bad=wrong(1), instances=(first, *instances(40)[1:]), **(change | more))


@pytest.mark.parametrize(("reason", "spec", "change", "of_first"), CLOSED, ids=IDS)
def test_a_closed_gate_leaves_the_instance_alone_and_gives_its_one_reason(
    reason: Reason, spec: dict[str, Any], change: dict[str, Any], of_first: dict[str, Any]
) -> None:
    """R-07, R-09, R-10, R-39, R-47, X-07, X-08, X-11: one reason each, and no repair."""
    settled = settle(scale_set_spec(**spec), one_bad(change, of_first))
    assert reasons(settled.plan) == {"web-1": reason}
    assert not settled.entries
    (told,) = settled.plan.status.unhealthy_instances
    assert (told.name, told.reason, told.vm_health) == ("web-1", reason, "Unhealthy")


@pytest.mark.parametrize(
    ("reason", "spec", "change", "of_first"),
    [case for case in CLOSED if case[0] not in (Reason.STALE_VIEW, Reason.REPAIR_BACK_OFF)],
)
def test_every_gate_is_asked_again_until_the_delete(
    reason: Reason, spec: dict[str, Any], change: dict[str, Any], of_first: dict[str, Any]
) -> None:
    """R-21, R-39, protocol rule 4: a No closes the entry as Cancelled with that reason."""
    recorded = ledger(entry(1, 41, start=T0 - timedelta(seconds=8)), last=41)
    settled = settle(scale_set_spec(**spec), one_bad(change, of_first, status=recorded))
    assert not settled.entries
    last = settled.plan.status.repairs.history[0]
    assert (last.result, last.reason) == ("Cancelled", reason)
    assert not [act for act in settled.plan.actions if act.name == "web-1"]


def test_with_every_gate_open_the_instance_is_repaired() -> None:
    """X-11: the counter-proof of the table."""
    assert under_repair(settle(scale_set_spec(), one_bad({}, {})).plan) == {"web-1"}


def test_an_open_gate_asks_what_its_no_would_answer() -> None:
    """X-11: `why` shows every question by its code, whatever the answer."""
    seen = one_bad({}, {})
    scene = Scene.of(scale_set_spec(), seen, T0)
    asked = list(ask(scene, seen.instances[0]))
    assert all(gate.open for gate in asked)
    assert [gate.reason for gate in asked] == [
        Reason.DISABLED,
        Reason.TOO_MANY_INSTANCES,
        Reason.NO_PROBE,
        Reason.INVALID_TEMPLATE,
        Reason.STALE_VIEW,
        Reason.SUSPENDED_BY_USER,
        Reason.SUSPENDED_BY_PLATFORM,
        Reason.HEALTH_UNKNOWN,
        Reason.NEVER_STARTED,
        Reason.INSTANCE_PROTECTED,
        Reason.IN_GRACE_PERIOD,
        Reason.NOT_ARMED,
        Reason.REPAIR_BACK_OFF,
        Reason.SCALED_IN,
        Reason.MAINTENANCE_IN_PROGRESS,
        Reason.NO_EQUIVALENT_IMAGE,
        Reason.HEALTH_UNKNOWN,
        Reason.DISRUPTION_BUDGET,
        Reason.OBSERVE_MODE,
    ]


def test_a_set_without_a_source_is_not_repaired() -> None:
    """R-02: it lost its source after repairs were enabled; no instance turns Unhealthy."""
    spec = scale_set_spec(healthProbeRef=None)
    plan = settle(spec, replace(one_bad({}, {}), probe=None)).plan
    assert not plan.decisions
    assert plan.status.unhealthy_replicas == 0
    allowed = next(c for c in plan.status.conditions if c.type == "RepairsAllowed")
    assert (allowed.status.value, allowed.reason) == ("False", Reason.NO_PROBE)


@pytest.mark.parametrize(
    ("replicas", "limits", "held"),
    [(200, "Standard", False), (201, "Standard", True), (201, "Extended", False)],
)
def test_more_than_two_hundred_are_not_repaired_under_standard_limits(
    replicas: int, limits: str, *, held: bool
) -> None:
    """R-05, R-06: by the wanted number, whatever lives; admission is not the only guard."""
    spec = scale_set_spec(replicas=replicas, policy={"limits": limits})
    plan = settle(spec, a_set(replicas, bad=wrong(1))).plan
    assert (reasons(plan)["web-1"] is Reason.TOO_MANY_INSTANCES) is held
    assert (under_repair(plan) == set()) is held


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_a_person_s_suspension_lapses_at_its_time(hours: int) -> None:
    """R-37, R-39: by annotation; half-open, so the boundary instant is free again."""
    until = T0 + hours * HOUR
    seen = one_bad({"annotations": {UNTIL: until.isoformat()}}, {})
    plan = settle(scale_set_spec(), seen).plan
    assert (under_repair(plan) == set()) is (hours == 1)
    if hours == 1:
        assert plan.look_again_at == until


@pytest.mark.parametrize("text", ["tomorrow", "2099-01-01T00:00:00", ""])
def test_an_annotation_that_is_no_time_suspends_nothing(text: str) -> None:
    """R-37."""
    seen = one_bad({"annotations": {UNTIL: text}}, {})
    assert under_repair(settle(scale_set_spec(), seen).plan) == {"web-1"}


def test_the_spec_s_suspension_outlasts_the_annotation_s() -> None:
    """R-39: the annotation never overrides a Suspended spec."""
    spec = scale_set_spec(policy={"serviceState": "Suspended"})
    seen = one_bad({"annotations": {UNTIL: (T0 - HOUR).isoformat()}}, {})
    assert reasons(settle(spec, seen).plan) == {"web-1": Reason.SUSPENDED_BY_USER}


def test_protection_does_not_pass_to_the_replacement() -> None:
    """R-49: per instance; the create says nothing of it, and others stay unprotected."""
    pods = tuple(replace(p, protected_from_actions=p.instance_id == 2) for p in instances(40))
    first = instances(1, unhealthy=(1,))[0]
    plan = settle(scale_set_spec(), a_set(bad=wrong(1), instances=(first, *pods[1:]))).plan
    assert plan.status.protected_replicas == 1
    assert not [act for act in plan.actions if "protect" in repr(act)]


def test_protected_unhealthy_instances_are_reported_and_stay_in_the_total() -> None:
    """R-48."""
    bad = range(1, 6)
    pods = tuple(
        replace(p, protected_from_scale_in=p.instance_id in bad)
        for p in instances(40, unhealthy=bad)
    )
    plan = settle(scale_set_spec(), a_set(bad=wrong(*bad), instances=pods)).plan
    assert plan.status.repairs.batch_limit == 2
    assert plan.status.protected_replicas == 5
    assert {u.reason for u in plan.status.unhealthy_instances} == {Reason.INSTANCE_PROTECTED}
    assert {u.repair_decision for u in plan.status.unhealthy_instances} == {"Skipped"}


def test_in_observe_mode_the_decision_is_recorded_and_nothing_is_touched() -> None:
    """X-11: it is the last gate, so every other reason comes before it."""
    spec = scale_set_spec(policy={"mode": "Observe"})
    plan = settle(spec, one_bad({}, {})).plan
    assert not plan.actions
    protected = settle(spec, one_bad({}, {"protected_from_actions": True})).plan
    assert reasons(protected) == {"web-1": Reason.INSTANCE_PROTECTED}


def test_a_repair_waits_until_its_verdict_stands_on_the_pod() -> None:
    """X-11, protocol rule 4: published first, for all to see, then repaired."""
    seen = a_set(bad=wrong(1), instances=instances(40))
    plan = settle(scale_set_spec(), seen).plan
    assert reasons(plan) == {"web-1": Reason.HEALTH_UNKNOWN}
    assert plan.decisions[0].message == "not yet published"
    assert [act.name for act in plan.actions] == ["web-1"]


def test_every_instance_that_ails_has_exactly_one_reason_of_the_documented_set() -> None:
    """X-11: in one observation with everything in it."""
    bad: dict[int, Any] = wrong(1, 2, 3, 4, 5) | {6: evidence(outcome=Outcome.TIMED_OUT)}
    pods = tuple(
        replace(
            p,
            protected_from_actions=p.instance_id == 4,
            started=T0 if p.instance_id == 5 else p.started,
        )
        for p in instances(40, unhealthy=bad)
    )
    plan = settle(scale_set_spec(), a_set(bad=bad, instances=pods)).plan
    names = [decision.instance for decision in plan.decisions]
    assert sorted(names) == [f"web-{n}" for n in range(1, 7)]
    assert set(reasons(plan).values()) <= set(Reason)
    assert {d.health for d in plan.decisions} == {VMHealth.UNHEALTHY}


def test_a_set_that_is_being_deleted_is_left_to_the_garbage_collector() -> None:
    """R-50: no finalizer, no fight."""
    plan = decide(scale_set_spec(), one_bad({"deleting": True}, {}), T0)
    assert (plan.actions, plan.record.name, str(plan)) == (
        (),
        "NONE",
        "record NONE; do nothing; look again on the next event",
    )
