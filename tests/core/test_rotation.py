"""Who gets traffic: by the probe of rotation where there is one, and nobody on the way out."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.scalesetstatus import RotationStatus
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Evidence, Observed, Outcome, ProberView
from scaleset_operator.core.plan import Plan, PublishHealth, Record
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, condition, deleted, published, settle, under_repair, wrong
from tests.support.builders import evidence, instances, observed, probe_view, scale_set_spec
from tests.support.fake_clock import T0

SPEC = scale_set_spec(replicas=40, rotationProbeRef={"name": "web-lb"})
MINUTE = timedelta(minutes=1)


def shedding(
    found: dict[int, Outcome | Evidence], size: int = 40, *, rest: Outcome = Outcome.OK, **more: Any
) -> Observed:
    """A set that is watched by two probes; `found` is what that of rotation finds, by number."""
    seen = a_set(size, rotation_probe=probe_view(name="web-lb", port=9000), **more)
    told = {pod.uid: found.get(pod.instance_id, rest) for pod in seen.instances if pod.live}
    by_uid = {
        uid: one if isinstance(one, Evidence) else evidence(outcome=one)
        for uid, one in told.items()
    }
    return replace(seen, rotation_evidence=by_uid)


def gates(plan: Plan) -> dict[str, bool | None]:
    return {name: act.in_rotation for name, act in published(plan).items()}


def test_an_instance_that_sheds_load_leaves_rotation_and_is_never_repaired() -> None:
    """P-29, P-17: 503 for the probe of rotation, 200 for that of health."""
    plan = settle(SPEC, shedding({3: Outcome.WRONG_STATUS})).plan
    (patch,) = published(plan).values()
    assert (patch.name, patch.in_rotation, patch.health) == ("web-3", False, VMHealth.HEALTHY)
    assert (patch.reason, patch.gate_reason) == (Reason.ANSWERING, Reason.WRONG_STATUS)
    assert "503" in patch.gate_message
    assert not under_repair(plan)
    assert plan.decisions == ()
    assert plan.status.unhealthy_replicas == 0


def test_all_that_shed_load_leave_rotation_for_a_wrong_answer_is_no_silence() -> None:
    """P-29, rule 15: the owner asked for it, so the Service may be empty."""
    plan = settle(SPEC, shedding({}, rest=Outcome.WRONG_STATUS)).plan
    assert set(gates(plan).values()) == {False}
    assert len(gates(plan)) == 40
    assert not under_repair(plan)
    assert plan.status.repairs.doubts == ()


def test_the_first_success_puts_it_back() -> None:
    """P-16."""
    pods = tuple(replace(p, in_rotation=p.instance_id != 3) for p in instances(40))
    assert gates(settle(SPEC, shedding({}, instances=pods)).plan) == {"web-3": True}


def test_it_leaves_after_a_full_timeout_without_success_and_not_before() -> None:
    """P-12: under the times of the probe of rotation."""
    began = evidence(outcome=Outcome.WRONG_STATUS, for_=timedelta(seconds=4))
    plan = settle(SPEC, shedding({3: began})).plan
    assert gates(plan) == {}
    out_at = began.last_success + timedelta(seconds=11) if began.last_success else T0
    assert plan.look_again_at == out_at
    assert gates(settle(SPEC, shedding({3: began}), out_at).plan) == {"web-3": False}


def test_an_unhealthy_instance_that_the_other_probe_wants_stays_in_rotation_until_it_goes() -> None:
    """P-29: each probe has its own say; the repair goes its way."""
    pods = tuple(replace(p, in_rotation=True) for p in instances(40, unhealthy=[5]))
    seen = shedding({}, instances=pods, bad=wrong(5))
    plan = settle(SPEC, seen).plan
    assert under_repair(plan) == {"web-5"}
    assert deleted(plan) == {"web-5"}
    assert gates(plan) == {}


def test_silence_of_the_whole_set_to_the_probe_of_rotation_empties_no_service() -> None:
    """Rule 20: the gate keeps its value; no doubt over health follows, and no witness."""
    plan = settle(SPEC, shedding({}, rest=Outcome.TIMED_OUT)).plan
    assert gates(plan) == {}
    assert plan.look_at_policies
    assert plan.status.repairs.doubts == ()
    assert plan.status.rotation == RotationStatus(unknown=40, reason=Reason.PROBE_INCONCLUSIVE)
    assert condition(plan, "InstancesHealthy") == ("True", Reason.ALL_HEALTHY)


def test_a_part_that_is_silent_to_the_probe_of_rotation_leaves_as_usual() -> None:
    """Rule 20."""
    plan = settle(SPEC, shedding({3: Outcome.TIMED_OUT, 4: Outcome.UNREACHABLE})).plan
    assert gates(plan) == {"web-3": False, "web-4": False}
    assert plan.status.rotation == RotationStatus(in_rotation=38, out_of_rotation=2)


def test_a_vote_for_health_is_none_for_rotation() -> None:
    """P-29, rule 15: the other prober asked the probe of health."""
    seen = shedding({3: Outcome.TIMED_OUT}, votes={"uid-web-3": T0})
    assert gates(settle(SPEC, seen).plan) == {"web-3": False}


def test_each_instance_is_told_by_its_own_words_of_both_probes() -> None:
    """X-11, P-29: many share a verdict, and nobody gets another one's."""
    statuses = {n: 500 + n for n in range(2, 12, 2)}
    found: dict[int, Outcome | Evidence] = {
        n: evidence(outcome=Outcome.WRONG_STATUS, http_status=code) for n, code in statuses.items()
    }
    scene = Scene.of(SPEC, shedding(found, instances=instances(40), bad=wrong(20)), T0)
    told = {n: scene.verdicts[f"uid-web-{n}"] for n in range(1, 41)}
    assert all(f"HTTP {code}" in str(told[n].rotation) for n, code in statuses.items())
    assert [n for n in told if told[n].health is not VMHealth.HEALTHY] == [20]
    assert [n for n in told if told[n].in_rotation is not True] == [*statuses]


def test_a_blind_prober_changes_no_rotation() -> None:
    """Rule 20."""
    blind = ProberView(beating_since=T0 - 60 * MINUTE, sees=False)
    assert gates(settle(SPEC, shedding({3: Outcome.TIMED_OUT}, prober=blind)).plan) == {}


def test_a_prober_that_has_just_begun_leaves_rotation_as_it_is_published() -> None:
    """X-08, rule 21: for the probe of rotation too."""
    young = evidence(outcome=Outcome.WRONG_STATUS, watched_for=timedelta(seconds=8))
    pods = tuple(replace(p, in_rotation=p.instance_id != 4) for p in instances(40))
    seen = shedding({3: young, 4: young}, instances=pods)
    assert gates(settle(SPEC, seen).plan) == {}


@pytest.mark.parametrize("fault", [Reason.PROBE_NOT_FOUND, Reason.AMBIGUOUS_PORT])
def test_a_probe_of_rotation_that_cannot_be_used_keeps_every_gate_and_stops_repairs(
    fault: Reason,
) -> None:
    """P-29, P-24, R-02: a replacement would get no traffic; nothing turns Unhealthy for it."""
    pods = tuple(replace(p, in_rotation=p.instance_id != 4) for p in instances(40, unhealthy=[5]))
    view = probe_view(name="web-lb", fault=fault, fault_message="spec.rotationProbeRef: what it is")
    seen = replace(a_set(40, instances=pods, bad=wrong(5)), rotation_probe=view)
    plan = settle(SPEC, seen).plan
    assert gates(plan) == {}
    assert not under_repair(plan)
    assert condition(plan, "Accepted") == ("False", fault)
    assert condition(plan, "RepairsAllowed") == ("False", fault)
    assert "rotationProbeRef" in next(
        c.message for c in plan.status.conditions if c.reason == fault
    )
    assert plan.status.rotation == RotationStatus(unknown=40, reason=fault)
    assert (plan.status.healthy_replicas, plan.status.unhealthy_replicas) == (39, 1)


def test_with_the_instances_own_report_the_probe_decides_over_rotation_alone() -> None:
    """P-29, P-18."""
    spec = scale_set_spec(
        replicas=40,
        healthProbeRef=None,
        applicationHealth={"podConditionType": "Ready"},
        rotationProbeRef={"name": "web-lb"},
    )
    well = (("Ready", VMHealth.HEALTHY, T0 - 60 * MINUTE),)
    pods = tuple(replace(p, reports=well) for p in instances(40))
    seen = replace(shedding({3: Outcome.REFUSED}, instances=pods), probe=None, evidence={})
    plan = settle(spec, seen).plan
    assert gates(plan) == {"web-3": False}
    assert published(plan)["web-3"].health is VMHealth.HEALTHY


def test_without_a_source_of_health_the_probe_decides_instead_of_readiness() -> None:
    """P-29, P-19."""
    spec = scale_set_spec(
        replicas=4, repairs=False, healthProbeRef=None, rotationProbeRef={"name": "web-lb"}
    )
    pods = tuple(replace(p, published=None) for p in instances(4))
    seen = shedding({3: Outcome.WRONG_STATUS}, 4, instances=pods)
    plan = settle(spec, replace(seen, probe=None, evidence={})).plan
    assert gates(plan) == {"web-3": False}
    assert published(plan)["web-3"].health is None


def test_an_instance_out_of_rotation_is_not_available_to_the_floor() -> None:
    """Rule 22: a rollout must not take the last ones that still get traffic."""
    pods = tuple(replace(p, in_rotation=p.instance_id != 3) for p in instances(40))
    scene = Scene.of(SPEC, shedding({3: Outcome.WRONG_STATUS}, instances=pods), T0)
    assert [p.name for p in pods if not scene.is_available(p)] == ["web-3"]


def test_the_same_probe_under_both_names_is_one_probe() -> None:
    """Design 3: the default of rotationProbeRef is healthProbeRef."""
    same = scale_set_spec(rotationProbeRef={"name": "web-http"})
    assert same.second_probe_ref is None
    assert same.probe_names == {"web-http"}
    assert SPEC.second_probe_ref is not None
    assert SPEC.probe_names == {"web-http", "web-lb"}


def leaving(*numbers: int, **fields: Any) -> Observed:
    """A set some of whose instances are being deleted, and still answer 200."""
    pods = [
        replace(p, terminating=p.instance_id in numbers, **fields)
        if p.instance_id in numbers
        else p
        for p in instances(5)
    ]
    return observed(instances=pods)


def patches(plan: Plan) -> Iterable[PublishHealth]:
    return (act for act in plan.actions if isinstance(act, PublishHealth))


@pytest.mark.parametrize("source", [True, False], ids=["by its probe", "by readiness"])
def test_an_instance_that_is_being_deleted_leaves_rotation_at_once_whoever_sent_it(
    *, source: bool
) -> None:
    """P-19, P-20: whatever its probe or readiness says, and before all else that is done."""
    without = scale_set_spec(replicas=3, repairs=False, healthProbeRef=None)
    spec = scale_set_spec(replicas=3) if source else without
    seen = leaving(2, 4)
    assert all(p.containers_ready and p.ready for p in seen.instances)
    plan = settle(spec, seen if source else replace(seen, probe=None)).plan
    first, second = plan.actions[:2]
    assert (first, second) == tuple(patches(plan))
    assert {first.name, second.name} == {"web-2", "web-4"}
    for patch in patches(plan):
        assert (patch.in_rotation, patch.health, patch.reason) == (False, None, Reason.TERMINATING)
        assert patch.uid == f"uid-{patch.name}"


def test_one_that_is_out_already_costs_no_write() -> None:
    """G8: an Unhealthy instance is out before its repair."""
    spec = scale_set_spec(replicas=5)
    for rotation in (False, None):
        assert not list(patches(settle(spec, leaving(2, in_rotation=rotation)).plan))


def test_instances_of_a_set_that_is_being_deleted_leave_rotation_too() -> None:
    """P-20: and nothing else is done."""
    spec = scale_set_spec(replicas=5)
    plan = decide(spec, replace(leaving(1, 5), deleting=True), T0)
    assert plan.record is Record.NONE
    assert {act.name for act in plan.actions} == {"web-1", "web-5"}
    assert all(isinstance(act, PublishHealth) and act.in_rotation is False for act in plan.actions)
