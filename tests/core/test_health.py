"""From evidence to verdicts: what makes an instance Healthy, Unhealthy or Unknown."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.decide import decide
from scaleset_operator.core.doubt import Doubtfulness
from scaleset_operator.core.health import Verdict, judge
from scaleset_operator.core.observed import Evidence, Outcome, ProberView
from scaleset_operator.core.policies import Ingress, Policy, PortRange, Surroundings
from tests.core._stories import a_set, published, reasons, settle, under_repair, wrong
from tests.support.builders import evidence, instance, instances, probe_view, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
DEFAULT = probe_view(interval=15 * SECOND, timeout=31 * SECOND)


def at(seconds: float) -> datetime:
    return T0 + seconds * SECOND


def tried(outcome: Outcome, ended: float, *, success: float | None = 0, **more: Any) -> Evidence:
    """The last attempt ended then; the last success ended at `success`; seconds from T0."""
    good = None if success is None else at(success)
    silent = at(ended) if outcome.silent else None
    values = {"last_success": good, "answering_since": T0 - timedelta(hours=1)} if good else {}
    return Evidence(
        watched_since=T0 - timedelta(hours=1),
        last_begun=at(ended),
        last_ended=at(ended),
        outcome=outcome,
        silent_since=silent,
        **(values | more),
    )


def verdict_of_first(what: Outcome | Evidence, now: datetime = T0, **fields: Any) -> Verdict:
    """The verdict on web-1 among forty."""
    pods = fields.pop("instances", instances(40))
    seen = a_set(instances=pods, bad={1: what}, now=now, **fields)
    return judge(scale_set_spec(), seen, now)["uid-web-1"]


@pytest.mark.parametrize(
    ("outcome", "health", "reason"),
    [
        (Outcome.OK, VMHealth.HEALTHY, Reason.ANSWERING),
        (Outcome.WRONG_STATUS, VMHealth.UNHEALTHY, Reason.WRONG_STATUS),
        (Outcome.MALFORMED, VMHealth.UNHEALTHY, Reason.MALFORMED_ANSWER),
        (Outcome.REFUSED, VMHealth.UNHEALTHY, Reason.CONNECTION_REFUSED),
        (Outcome.TIMED_OUT, VMHealth.UNHEALTHY, Reason.PROBE_TIMED_OUT),
        (Outcome.UNREACHABLE, VMHealth.UNHEALTHY, Reason.UNREACHABLE),
    ],
)
def test_each_outcome_gives_its_health_and_a_reason_of_its_own(
    outcome: Outcome, health: VMHealth, reason: Reason
) -> None:
    """R-03, R-04: only the outcome OK is Healthy."""
    verdict = verdict_of_first(outcome)
    assert (verdict.health, verdict.reason, verdict.fresh) == (health, reason, True)


@pytest.mark.parametrize("status", [201, 204, 206, 301, 304, 404, 500, 503])
def test_a_status_other_than_200_is_named_in_the_message(status: int) -> None:
    """R-03, R-04."""
    found = evidence(outcome=Outcome.WRONG_STATUS, http_status=status)
    assert f"HTTP {status}" in verdict_of_first(found).message


@pytest.mark.parametrize(
    ("now", "ended", "health"),
    [
        (15, 15, VMHealth.HEALTHY),
        (30, 30, VMHealth.HEALTHY),
        (30.999, 30, VMHealth.HEALTHY),
        (31, 30, VMHealth.UNHEALTHY),
    ],
)
def test_two_full_probes_fit_before_an_instance_goes_out(
    now: float, ended: float, health: VMHealth
) -> None:
    """P-11, P-12: last success at 0, failures at 15 and 30, out at 31 and not before."""
    found = tried(Outcome.WRONG_STATUS, ended)
    verdict = verdict_of_first(found, at(now), probe=DEFAULT)
    assert verdict.health is health
    assert verdict.in_rotation is (False if health is VMHealth.UNHEALTHY else None)


def test_the_moment_of_going_out_is_known_beforehand() -> None:
    """P-11, P-12: the plan is woken for it."""
    verdict = verdict_of_first(tried(Outcome.WRONG_STATUS, 15), at(15), probe=DEFAULT)
    assert verdict.changes_at == at(31)


def test_a_good_instance_does_not_flap_between_attempts_far_apart() -> None:
    """P-13: interval 15, timeout 11, last success 14 seconds ago and nothing failed since."""
    probe = probe_view(interval=15 * SECOND, timeout=11 * SECOND)
    verdict = verdict_of_first(tried(Outcome.OK, 0), at(14), probe=probe)
    assert (verdict.health, verdict.fresh) == (VMHealth.HEALTHY, True)
    assert verdict.in_rotation is True


def test_with_attempts_far_apart_the_first_failure_past_the_timeout_is_enough() -> None:
    """P-13: out needs at least one failed probe, and then goes at once."""
    probe = probe_view(interval=15 * SECOND, timeout=11 * SECOND)
    found = tried(Outcome.REFUSED, 15)
    assert verdict_of_first(found, at(15), probe=probe).health is VMHealth.UNHEALTHY


def test_a_failure_that_has_grown_old_convicts_nobody() -> None:
    """Protocol rule 4: evidence must be fresh, from within the last two rounds."""
    found = tried(Outcome.WRONG_STATUS, -300, success=-600)
    verdict = verdict_of_first(found)
    assert (verdict.health, verdict.fresh) == (VMHealth.HEALTHY, False)


def test_the_first_success_puts_an_instance_back() -> None:
    """P-16: and it is a verdict at once."""
    pods = instances(40, unhealthy=(1,))
    verdict = verdict_of_first(tried(Outcome.OK, -1, success=-1), instances=pods)
    assert (verdict.health, verdict.in_rotation) == (VMHealth.HEALTHY, True)
    assert verdict.since == T0


def test_going_out_of_rotation_is_not_yet_a_repair() -> None:
    """P-17: out at once, in grace for long."""
    pods = (instance(number=1, started=T0 - 60 * SECOND), *instances(40)[1:])
    plan = settle(scale_set_spec(), a_set(bad=wrong(1), instances=pods)).plan
    assert published(plan)["web-1"].in_rotation is False
    assert not under_repair(plan)


def test_with_a_probe_the_containers_own_readiness_is_overridden() -> None:
    """P-18, protocol rule 15: an answering instance is Healthy though kubelet says NotReady."""
    first = instance(number=1, containers_ready=False, ready=False)
    pods = (first, *instances(40)[1:])
    down = {"node-1": True, "node-2": False, "node-3": True}
    verdict = verdict_of_first(Outcome.OK, instances=pods, nodes=down)
    assert (verdict.health, verdict.in_rotation) == (VMHealth.HEALTHY, True)


@pytest.mark.parametrize("ready", [True, False])
def test_without_a_source_rotation_follows_the_containers(*, ready: bool) -> None:
    """P-19, P-23: no probe is named; what some probe knows of the pod plays no part."""
    spec = scale_set_spec(repairs=False, healthProbeRef=None)
    pods = (instance(number=1, containers_ready=ready, in_rotation=not ready, health=None),)
    plan = settle(spec.model_copy(update={"replicas": 1}), a_set(instances=pods, bad=wrong(1))).plan
    told = published(plan)["web-1"]
    assert (told.in_rotation, told.health) == (ready, None)
    assert plan.status.unknown_replicas == 1
    assert not plan.decisions


@pytest.mark.parametrize(
    ("report", "health", "rotation"),
    [
        (VMHealth.HEALTHY, VMHealth.HEALTHY, True),
        (VMHealth.UNHEALTHY, VMHealth.UNHEALTHY, False),
        (VMHealth.UNKNOWN, VMHealth.UNKNOWN, None),
        (None, VMHealth.UNKNOWN, None),
    ],
)
def test_the_instance_s_own_report_is_the_source_where_it_is_named(
    report: VMHealth | None, health: VMHealth, *, rotation: bool | None
) -> None:
    """R-01, R-09: the report alone decides, whatever a probe knows."""
    spec = scale_set_spec(healthProbeRef=None, applicationHealth={"podConditionType": "Ready"})
    reports = () if report is None else (("Other", VMHealth.HEALTHY, T0), ("Ready", report, T0))
    seen = a_set(instances=(instance(number=1, reports=reports),), probe=None)
    verdict = judge(spec, seen, T0)["uid-web-1"]
    assert (verdict.health, verdict.in_rotation) == (health, rotation)
    assert verdict.fresh is (health is not VMHealth.UNKNOWN)


def test_an_instance_that_reports_itself_unhealthy_is_repaired() -> None:
    """R-01: the application's own report is a source like the probe."""
    spec = scale_set_spec(healthProbeRef=None, applicationHealth={"podConditionType": "Ready"})
    pods = tuple(
        replace(p, reports=(("Ready", VMHealth(["Healthy", "Unhealthy"][p.instance_id == 1]), T0),))
        for p in instances(40, unhealthy=(1,))
    )
    settled = settle(spec, a_set(instances=pods, probe=None))
    assert under_repair(settled.plan) == {"web-1"}


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Reason.PROBE_NOT_FOUND, Reason.PROBE_NOT_FOUND),
        (Reason.AMBIGUOUS_PORT, Reason.AMBIGUOUS_PORT),
    ],
)
def test_without_its_probe_repairs_stop_and_nobody_turns_unhealthy(
    fault: Reason, reason: Reason
) -> None:
    """R-02, P-24: verdicts stand as published, rotation too, and nothing is repaired."""
    seen = a_set(bad=wrong(*range(1, 21)), probe=probe_view(fault=fault))
    plan = settle(scale_set_spec(), seen).plan
    assert plan.status.unhealthy_replicas == 20
    assert plan.status.healthy_replicas == 20
    assert not plan.actions
    assert not under_repair(plan)
    assert set(reasons(plan).values()) == {reason}


def test_evidence_of_another_pod_never_counts() -> None:
    """P-30: it is kept by UID, so the next owner of an address starts unknown."""
    seen = a_set(instances=(instance(number=1, health=None), *instances(40)[1:]))
    stranger = {"uid-of-an-old-pod": evidence(outcome=Outcome.REFUSED)}
    found = {uid: e for uid, e in seen.evidence.items() if uid != "uid-web-1"} | stranger
    verdict = judge(scale_set_spec(), replace(seen, evidence=found), T0)["uid-web-1"]
    assert (verdict.health, verdict.reason) == (VMHealth.UNKNOWN, Reason.HEALTH_UNKNOWN)


@pytest.mark.parametrize(("watched", "convicted"), [(10.9, False), (11, True)])
def test_after_a_change_of_the_probe_a_full_timeout_is_watched_anew(
    watched: float, *, convicted: bool
) -> None:
    """P-25, X-08: its evidence begins with the new rules, and no old failure completes a streak."""
    found = tried(Outcome.REFUSED, -1, success=None)
    found = replace(found, watched_since=at(-watched))
    assert verdict_of_first(found).fresh is convicted


def test_after_a_start_the_published_conditions_stand() -> None:
    """X-08, protocol rule 21: unknown to this process, Unhealthy as published, not repaired."""
    prober = ProberView(beating_since=T0 - 5 * SECOND)
    plan = settle(scale_set_spec(), a_set(bad=wrong(1), prober=prober)).plan
    assert plan.status.unhealthy_replicas == 1
    assert reasons(plan) == {"web-1": Reason.HEALTH_UNKNOWN}
    assert not plan.actions


def test_after_a_start_a_success_counts_at_once() -> None:
    """X-08: a verdict of this very process."""
    prober = ProberView(beating_since=T0 - 5 * SECOND)
    pods = instances(40, unhealthy=(1,))
    assert verdict_of_first(Outcome.OK, instances=pods, prober=prober).health is VMHealth.HEALTHY


@pytest.mark.parametrize("watched", [10, 11])
def test_after_a_start_repair_waits_for_a_full_timeout_of_watching(watched: int) -> None:
    """X-08, protocol rule 21."""
    seen = a_set(bad=wrong(1), prober=ProberView(beating_since=T0 - watched * SECOND))
    assert under_repair(settle(scale_set_spec(), seen).plan) == (
        {"web-1"} if watched == 11 else set()
    )


@pytest.mark.parametrize("outcome", [Outcome.OK, Outcome.WRONG_STATUS])
def test_while_the_prober_is_silent_verdicts_stand(outcome: Outcome) -> None:
    """X-08: its heart does not beat; whatever it last said is not built on."""
    verdict = verdict_of_first(outcome, prober=ProberView(beating_since=None))
    assert (verdict.health, verdict.fresh) == (VMHealth.HEALTHY, False)
    assert verdict.message == "the prober is silent"


def test_a_success_from_before_the_prober_s_return_is_not_built_on() -> None:
    """X-08."""
    found = tried(Outcome.OK, -30, success=-30)
    prober = ProberView(beating_since=T0 - 5 * SECOND)
    verdict = verdict_of_first(found, prober=prober)
    assert (verdict.health, verdict.fresh) == (VMHealth.HEALTHY, False)


def test_health_is_told_while_repairs_are_off() -> None:
    """R-07, R-09: off unless enabled is true, and still judged."""
    spec = scale_set_spec(automaticRepairsPolicy=None)
    plan = decide(spec, a_set(bad=wrong(1)), T0)
    assert plan.status.unhealthy_replicas == 1
    assert reasons(plan) == {"web-1": Reason.DISABLED}


def test_a_pod_without_the_condition_is_unknown() -> None:
    """X-08: until its first verdict."""
    seen = a_set(instances=(instance(number=1, health=None, started=None),))
    verdict = judge(scale_set_spec(), seen, T0)["uid-web-1"]
    assert (verdict.health, verdict.message) == (VMHealth.UNKNOWN, "not yet probed")


# --- A set that is silent as a whole -----------------------------------------------------------

SHUT = Surroundings(namespace="default", policies=(Policy(name="deny"),))
SILENT = dict.fromkeys(range(1, 4), Outcome.TIMED_OUT)


def silent(bad: dict[int, Any], around: Surroundings | None) -> Verdict:
    seen = a_set(3, bad=bad, surroundings=around, probe=probe_view(port=8080))
    return judge(scale_set_spec(replicas=3), seen, T0)["uid-web-1"]


def test_a_policy_that_shuts_the_prober_out_for_certain_is_named() -> None:
    """S-31, X-11: instead of that the whole set is silent."""
    verdict = silent(SILENT, SHUT)
    assert verdict.reason is Reason.PROBE_BLOCKED
    assert verdict.message == "NetworkPolicy deny does not admit the prober on port 8080"


def test_where_no_policy_is_certain_silence_is_what_it_was() -> None:
    """S-31: none that is known, or one that lets the port in."""
    others = Ingress(ports=(PortRange(port=8080),))
    for around in (None, Surroundings(namespace="default"), open_to(others)):
        assert silent(SILENT, around).reason is Reason.PROBE_INCONCLUSIVE
    wrong_port = Ingress(ports=(PortRange(port=8081),))
    assert silent(SILENT, open_to(wrong_port)).reason is Reason.PROBE_BLOCKED


def open_to(rule: Ingress) -> Surroundings:
    return Surroundings(namespace="default", policies=(Policy(name="some", ingress=(rule,)),))


def test_a_policy_explains_the_silence_of_the_whole_set_alone() -> None:
    """S-31: where another one answers, the prober is let in."""
    one = {1: evidence(outcome=Outcome.TIMED_OUT), 2: evidence(outcome=None)}
    held = silent(one, SHUT)
    assert (held.reason, held.doubt) == (Reason.PROBE_INCONCLUSIVE, Doubtfulness.UNDECIDED)


def test_what_is_not_known_of_a_new_pod_is_so_since_now() -> None:
    """X-08."""
    young = instance(number=1, health=None, started=T0 - timedelta(seconds=5))
    seen = a_set(instances=(young,), bad={1: Outcome.WRONG_STATUS})
    verdict = judge(scale_set_spec(), seen, T0)[young.uid]
    assert (verdict.health, verdict.since) == (VMHealth.UNKNOWN, T0)
    assert verdict.message == "no full timeout has been watched"
