"""Repairs of a model are armed once enough of its instances were Healthy under this very probe."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.observed import Instance, Observed, Outcome, TemplateView
from tests.core._stories import Settled, a_set, condition, entry, ledger, reasons, settle, wrong
from tests.support.builders import evidence, instance, instances, probe_view, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
SOURCE = "probe/u/1/8080"
OTHER = "probe/u/2/8080"


def spec(percent: int = 80, **fields: Any) -> ScaleSetSpec:
    return scale_set_spec(policy={"armAfterHealthyPercent": percent}, **fields)


def armed(*models: str, source: str = SOURCE) -> dict[str, Any]:
    """A status in which these are armed, since an hour ago."""
    since = (T0 - HOUR).isoformat()
    rows = [{"model": model, "source": source, "time": since} for model in models]
    return {"repairs": {"armed": rows}}


def pairs(settled: Settled) -> set[tuple[str, str]]:
    return {(one.model, one.source) for one in settled.plan.status.repairs.armed}


def all_bad(size: int = 40, **fields: Any) -> Observed:
    """Everybody answers 503, published and long out of grace; no success under this probe."""
    never = evidence(outcome=Outcome.WRONG_STATUS, for_=HOUR)
    return a_set(size, bad=dict.fromkeys(range(1, size + 1), never), **fields)


def healthy_once(number: int, size: int = 40, **fields: Any) -> Observed:
    """So many are Healthy under this probe; the others answer 503 and never answered."""
    never = evidence(outcome=Outcome.WRONG_STATUS, for_=HOUR)
    return a_set(size, bad=dict.fromkeys(range(number + 1, size + 1), never), **fields)


def mixed(old: int, new: int, bad_new: int = 0) -> tuple[Instance, ...]:
    """Instances of m0, then of m1, the latest; the last `bad_new` are published Unhealthy."""
    total = old + new
    pods = instances(total, unhealthy=range(total - bad_new + 1, total + 1))
    return tuple(replace(p, model="m0") if p.instance_id <= old else p for p in pods)


def test_with_the_gate_off_nothing_is_kept_and_repairs_start_at_once() -> None:
    """0 is the default."""
    settled = settle(scale_set_spec(), all_bad(status=armed("m1")))
    assert len(settled.entries) == 2
    assert settled.plan.status.repairs.armed == ()


@pytest.mark.parametrize(("healthy", "is_armed"), [(31, False), (32, True)])
def test_a_set_is_armed_from_the_share_on(healthy: int, *, is_armed: bool) -> None:
    """X-11: both sides of 80 % of forty; recorded first, and only then is one repaired."""
    settled = settle(spec(), healthy_once(healthy))
    assert pairs(settled) == ({("m1", SOURCE)} if is_armed else set())
    assert bool(settled.entries) is is_armed
    first_with_entry = next((p for p in settled.plans if p.status.repairs.in_flight), None)
    assert first_with_entry is None or first_with_entry is not settled.plans[0]


def test_what_is_not_armed_says_how_far_it_is() -> None:
    """X-11: one reason for each, numbers in the decision and in RepairsAllowed."""
    settled = settle(spec(), healthy_once(3, size=8, status={}))
    assert set(reasons(settled.plan).values()) == {Reason.NOT_ARMED}
    one = settled.plan.decisions[0]
    assert one.decision == "Deferred"
    assert one.message.startswith("3 of 32 needed healthy once under the present probe, model m1")
    assert condition(settled.plan, "RepairsAllowed") == ("False", "NotArmed")
    small = settle(spec(replicas=8), healthy_once(3, size=8))
    assert small.plan.decisions[0].message.startswith("3 of 7 needed")
    large = settle(spec(replicas=200), healthy_once(3, size=200))
    assert large.plan.decisions[0].message.startswith("3 of 160 needed")


def test_a_latest_model_without_an_instance_holds_up_nobody() -> None:
    """Mode Manual; there is nobody that could be armed or repaired."""
    manual = spec(upgradePolicy={"mode": "Manual"})
    seen = a_set(status=armed("m1"), template=TemplateView(model="m2"))
    assert condition(settle(manual, seen).plan, "RepairsAllowed") == ("True", "BatchAvailable")


def test_a_wrong_probe_shipped_to_a_healthy_set_deletes_nothing() -> None:
    """X-11: the probe was edited, so what was armed was armed under another one."""
    settled = settle(spec(), all_bad(status=armed("m1", source=OTHER)))
    assert not settled.plan.actions
    assert not settled.entries
    assert set(reasons(settled.plan).values()) == {Reason.NOT_ARMED}
    late = settle(spec(), settled.seen, T0 + SECOND)
    assert not late.entries


@pytest.mark.parametrize("identity", ["u/2/8080", "u/1/8081", "v/1/8080"])
def test_each_part_of_a_probe_s_rules_makes_it_another(identity: str) -> None:
    """UID, generation and port."""
    edited = replace(all_bad(status=armed("m1")), probe=probe_view(identity=identity))
    assert not settle(spec(), edited).entries
    same = settle(spec(), all_bad(status=armed("m1")))
    assert len(same.entries) == 2


def test_the_probe_as_it_was_before_is_still_armed() -> None:
    """Another probe was named for a while, and the first again."""
    away = replace(all_bad(status=armed("m1")), probe=probe_view(identity="v/1/8080"))
    back = replace(settle(spec(), away).seen, probe=probe_view())
    assert len(settle(spec(), back).entries) == 2


def test_a_success_that_is_past_counts_and_one_before_the_containers_ran_does_not() -> None:
    """Healthy once, not healthy now; and never the answer of somebody else."""
    past = evidence(outcome=Outcome.WRONG_STATUS, watched_for=2 * HOUR)
    assert past.last_success is not None
    fine = settle(spec(replicas=2), a_set(2, bad={1: past, 2: past}))
    assert pairs(fine) == {("m1", SOURCE)}
    early = replace(past, last_success=T0 - 3 * HOUR)
    assert not pairs(settle(spec(replicas=2), a_set(2, bad={1: early, 2: early})))


def test_a_set_of_one_must_have_been_healthy_once() -> None:
    """The share of one is one."""
    assert not settle(spec(1, replicas=1), all_bad(1)).entries
    fine = settle(spec(1, replicas=1), a_set(1))
    assert pairs(fine) == {("m1", SOURCE)}
    sick = all_bad(1, status=fine.plan.status)
    assert len(settle(spec(1, replicas=1), sick).entries) == 1


def test_the_first_of_forty_does_not_arm_the_thirty_nine_to_come() -> None:
    """Those still to come belong to the base."""
    assert not pairs(settle(spec(), a_set(1)))


def test_a_batch_of_a_rollout_answers_for_itself() -> None:
    """Thirty-two of m0 are armed; the eight of m1 need seven of their own."""
    seen = a_set(instances=mixed(32, 8), bad=wrong(), status=armed("m0"))
    assert pairs(settle(spec(), seen)) == {("m0", SOURCE), ("m1", SOURCE)}
    never = dict.fromkeys(range(39, 41), evidence(outcome=Outcome.WRONG_STATUS, for_=HOUR))
    two_bad = a_set(instances=mixed(32, 8, 2), bad=never, status=armed("m0"))
    settled = settle(spec(), two_bad)
    assert pairs(settled) == {("m0", SOURCE)}
    assert reasons(settled.plan) == {
        "web-39": Reason.NOT_ARMED,
        "web-40": Reason.NOT_ARMED,
    }
    assert settled.plan.decisions[0].message.startswith("6 of 7 needed")


def test_an_older_model_stays_armed_while_the_new_one_is_not() -> None:
    """Its instances are repaired all the same."""
    pods = mixed(39, 1, 1)
    sick = replace(pods[0], published=pods[-1].published)
    never = evidence(outcome=Outcome.WRONG_STATUS, for_=HOUR)
    manual = spec(upgradePolicy={"mode": "Manual"})
    seen = a_set(instances=(sick, *pods[1:]), bad={1: never, 40: never}, status=armed("m0"))
    settled = settle(manual, seen)
    assert [e.instance for e in settled.entries] == ["web-1"]
    assert reasons(settled.plan)["web-40"] is Reason.NOT_ARMED


def test_going_back_to_an_armed_model_needs_no_new_proof() -> None:
    """m0 is the latest again."""
    seen = replace(all_bad(status=armed("m0", "m1")), template=TemplateView(model="m0"))
    older = replace(seen, instances=tuple(replace(p, model="m0") for p in seen.instances))
    assert len(settle(spec(), older).entries) == 2


def test_scaling_out_does_not_disarm() -> None:
    """40 were enough, and 60 are wanted now."""
    assert len(settle(spec(replicas=60), all_bad(40, status=armed("m1"))).entries) == 2


def test_a_repair_recorded_before_the_probe_was_edited_is_given_up() -> None:
    """Protocol rule 4: the gate is asked again until the DELETE."""
    recorded = ledger(entry(1, 41, start=T0 - 8 * SECOND), last=41)
    settled = settle(spec(), all_bad(status=recorded))
    assert settled.plan.status.repairs.history[0].reason == Reason.NOT_ARMED
    assert not [act for act in settled.plan.actions if act.name == "web-1"]


def test_an_instance_s_own_report_is_a_source_as_well() -> None:
    """Another condition is another source."""
    own = spec(replicas=4, healthProbeRef=None, applicationHealth={"podConditionType": "Warm"})
    pods = instances(4, reports=(("Warm", VMHealth.HEALTHY, T0 - HOUR),))
    settled = settle(own, a_set(instances=pods, probe=None))
    assert pairs(settled) == {("m1", "condition/Warm")}
    silent = a_set(instances=instances(4), probe=None)
    settled = settle(own, silent)
    assert not pairs(settled)
    (allowed,) = (c for c in settled.plan.status.conditions if c.type == "RepairsAllowed")
    assert "needed healthy once under the present source, " in allowed.message


def test_while_the_view_is_old_or_repairs_are_off_nothing_is_armed() -> None:
    """X-07: and what is armed stays."""
    stale = replace(a_set(status=armed("m0", source=OTHER)), view_is_fresh=False)
    assert pairs(settle(spec(), stale)) == {("m0", OTHER)}
    off = settle(spec(repairs=False), a_set(status=armed("m0", source=OTHER)))
    assert pairs(off) == {("m0", OTHER)}


def many(count: int, source: str) -> list[dict[str, Any]]:
    rows = [f"old-{number}" for number in range(count)]
    found: list[dict[str, Any]] = armed(*rows, source=source)["repairs"]["armed"]
    return found


def test_the_list_is_bounded_and_those_in_use_stay() -> None:
    """The oldest that are not in use go."""
    full = {"repairs": {"armed": [*many(20, OTHER)]}}
    settled = settle(spec(), a_set(status=full))
    repairs = settled.plan.status.repairs
    assert len(repairs.armed) == 20
    assert (repairs.armed[-1].model, repairs.armed[-1].source) == ("m1", SOURCE)
    assert repairs.armed[0].model == "old-1"
    again = settle(spec(), settled.seen, T0 + SECOND)
    assert again.plan.status.repairs.armed == repairs.armed


def test_of_a_list_that_is_full_those_under_another_source_go_though_their_model_runs() -> None:
    """In use is the pair, not the model alone."""
    rows = [*armed("m0", source=OTHER)["repairs"]["armed"], *many(19, OTHER)]
    seen = a_set(instances=mixed(20, 20), status={"repairs": {"armed": rows}})
    kept = settle(spec(), seen).plan.status.repairs.armed
    assert [one.model for one in kept] == [*(f"old-{n}" for n in range(1, 19)), "m0", "m1"]
    assert {one.source for one in kept[-2:]} == {SOURCE}


def test_more_models_than_the_list_holds_do_not_push_each_other_out() -> None:
    """No write without end; the last ones stay in observation."""
    pods = tuple(instance(number=n, model=f"m{n}") for n in range(1, 26))
    settled = settle(spec(replicas=25), a_set(instances=pods))
    first = settled.plan.status.repairs.armed
    assert len(first) == 20
    assert settle(spec(replicas=25), settled.seen, T0 + SECOND).plan.status.repairs.armed == first
