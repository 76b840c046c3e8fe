"""What holds of every decision, whatever was observed."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.allowance import batch_allowance
from scaleset_operator.core.decide import decide
from scaleset_operator.core.health import judge
from scaleset_operator.core.observed import Instance, Observed, Outcome, ProberView, TemplateView
from scaleset_operator.core.plan import (
    CreateInstance,
    DeleteInstance,
    Plan,
    Purpose,
    Record,
    RenewInstance,
)
from tests.core._stories import Story, a_set, entry, ledger, settle
from tests.support.builders import NOT_MADE, RUNNING, evidence, instance, scale_set_spec
from tests.support.fake_clock import T0

MINUTE = timedelta(minutes=1)
pytestmark = pytest.mark.timeout(600)

LATEST, OLDER, OTHER = "m-1", "m-0", "other-0"
"""The template's model, one that differs in images alone, and one that differs in more."""
OUTCOMES = st.sampled_from([None, *Outcome])


@st.composite
def pods_of_any_kind(draw: st.DrawFn, number: int) -> Instance:
    """A pod in any state."""
    health = draw(st.sampled_from([*VMHealth, None]))
    started = draw(
        st.sampled_from([None, T0, T0 - 29 * MINUTE, T0 - 30 * MINUTE, T0 - 90 * MINUTE])
    )
    renewing = draw(st.integers(0, 5)) == 0
    return instance(
        number=number,
        health=health,
        renewing=renewing,
        started_is_recorded=started is not None and not renewing,
        containers=RUNNING if started or renewing else NOT_MADE,
        since=T0 - draw(st.integers(0, 9)) * MINUTE,
        started=started,
        ip=f"127.16.0.{number}" if started or draw(st.booleans()) else None,
        model=draw(st.sampled_from([LATEST, LATEST, OLDER, OLDER, OTHER])),
        terminating=draw(st.integers(0, 9)) == 0,
        over=draw(st.integers(0, 9)) == 0,
        containers_ready=draw(st.booleans()),
        protected_from_actions=draw(st.integers(0, 5)) == 0,
        protected_from_scale_in=draw(st.integers(0, 5)) == 0,
        attempt=draw(st.integers(0, 3)),
    )


@st.composite
def observations(draw: st.DrawFn) -> Observed:
    """A set of up to twelve pods, with repairs in flight, victims and doubts in its status."""
    pods = tuple(draw(pods_of_any_kind(n)) for n in range(1, draw(st.integers(0, 12)) + 1))
    bad: dict[int, Any] = {}
    for pod in pods:
        outcome = draw(OUTCOMES)
        age = timedelta(seconds=draw(st.sampled_from([2, 11, 59, 61, 3000])))
        bad[pod.instance_id] = evidence(outcome=outcome, for_=age)
    numbers = [pod.instance_id for pod in pods] or [1]
    some = st.lists(st.sampled_from([*numbers, 90]), unique=True, max_size=3)
    flight = []
    for number in draw(some):
        replacement = draw(st.sampled_from([60 + number, max(numbers)]))
        times = {"attempt": draw(st.integers(1, 4)), "start": T0 - draw(AGES)}
        flight.append(entry(number, replacement, **times))
    leaving = [
        {"name": f"web-{n}", "uid": f"uid-web-{n}", "purpose": draw(st.sampled_from(PURPOSES))}
        for n in draw(some)
    ]
    doubt = {"group": "ScaleSet/web", "since": T0.isoformat(), "nextTime": T0.isoformat()}
    witness = draw(st.sampled_from([None, {}, {"witness": f"web-{max(numbers)}"}]))
    doubts = [] if witness is None else [doubt | witness]
    surge = [
        {"instance": f"web-{n}", "uid": f"uid-web-{n}", "replacement": f"web-{n + draw(NEXT)}"}
        for n in draw(some)
    ]
    rollout = {
        "model": LATEST,
        "startTime": T0.isoformat(),
        "reason": "RollingOut",
        "surge": [step | {"model": draw(st.sampled_from([LATEST, OLDER]))} for step in surge],
    }
    renewals = [
        {
            "instance": f"web-{n}",
            "uid": f"uid-web-{n}",
            "model": draw(st.sampled_from([LATEST, LATEST, OTHER])),
            "fromModel": draw(st.sampled_from([OLDER, OLDER, OTHER])),
            "startTime": (T0 - draw(AGES)).isoformat(),
        }
        for n in draw(some)
    ]
    marks = {"scaleIn": leaving, "renewals": renewals} | ({"rollout": rollout} if surge else {})
    status = ledger(*flight, last=200, doubts=doubts, enabledTime=(T0 - 90 * MINUTE).isoformat())
    return a_set(
        instances=pods,
        bad=bad,
        status=status | marks,
        view_is_fresh=draw(st.integers(0, 9)) > 0,
        template=TemplateView(
            model=LATEST, images=(("web", "instance:2"),), checked=draw(st.integers(0, 9)) > 0
        ),
        prober=ProberView(
            beating_since=draw(st.sampled_from([None, T0, T0 - MINUTE, T0 - 90 * MINUTE])),
            sees=draw(st.integers(0, 5)) > 0,
        ),
    )


AGES = st.integers(0, 9).map(lambda seconds: timedelta(seconds=seconds))
NEXT = st.sampled_from([1, 60])
"""To a successor that is there, and to one that is not."""
PURPOSES = ["ScaleIn", "Rollout", "Witness"]


@st.composite
def specs(draw: st.DrawFn) -> ScaleSetSpec:
    """Any number wanted, any mode."""
    return scale_set_spec(
        replicas=draw(st.integers(0, 14)),
        repairs=draw(st.integers(0, 9)) > 0,
        policy={"mode": draw(st.sampled_from(["Act", "Act", "Observe"]))},
        upgradePolicy={
            "mode": draw(st.sampled_from(["Rolling", "Automatic", "Manual"])),
            "rollingUpgradePolicy": {
                "maxSurge": draw(st.booleans()),
                "inPlaceIfPossible": draw(st.integers(0, 3)) > 0,
            },
        },
        scaleInPolicy=draw(st.sampled_from(["Default", "Newest", "Oldest"])),
    )


def acts_of(plan: Plan, purpose: Purpose | None = None) -> list[DeleteInstance]:
    found = [act for act in plan.actions if isinstance(act, DeleteInstance)]
    return [act for act in found if purpose is None or act.purpose is purpose]


def renewals_of(plan: Plan, purpose: Purpose | None = None) -> list[RenewInstance]:
    found = [act for act in plan.actions if isinstance(act, RenewInstance)]
    return [act for act in found if purpose is None or act.purpose is purpose]


@given(total=st.integers(0, 10_000), percent=st.integers(1, 5))
def test_the_allowance_is_at_least_one_and_at_most_its_share(total: int, percent: int) -> None:
    """R-11, R-12: for every size."""
    allowance = batch_allowance(total, percent)
    assert allowance >= 1
    assert allowance == 1 or allowance * 100 <= total * percent < (allowance + 1) * 100


@given(total=st.integers(0, 9_999))
def test_the_allowance_never_shrinks_as_a_set_grows(total: int) -> None:
    """R-12."""
    assert (
        batch_allowance(total, 5) <= batch_allowance(total + 1, 5) <= batch_allowance(total, 5) + 1
    )


@given(spec=specs(), seen=observations())
def test_a_decision_on_its_own_record_changes_nothing(spec: ScaleSetSpec, seen: Observed) -> None:
    """R-16, R-17: nothing to record, and the same acts, whoever decides."""
    settled = settle(spec, seen)
    again = decide(spec, settled.seen, T0)
    assert again.record is Record.NONE
    assert again.actions == settled.plan.actions


@given(spec=specs(), seen=observations())
def test_nothing_is_deleted_or_created_before_it_stands_in_the_status(
    spec: ScaleSetSpec, seen: Observed
) -> None:
    """R-14, protocol rules 3 and 24: pods that are over are no instances."""
    for status, plan in recorded(spec, seen):
        repairs = status.repairs
        assert not (plan.record is Record.NOW and plan.actions)
        victims = {v.uid for v in status.scale_in} | {e.uid for e in repairs.in_flight}
        names = {c.name for c in status.creating} | {e.replacement for e in repairs.in_flight}
        names |= {d.witness for d in repairs.doubts}
        names |= {s.replacement for s in status.rollout.surge} if status.rollout else set()
        deleted = [a for a in acts_of(plan) if a.purpose is not Purpose.OVER]
        assert {act.uid for act in deleted} <= victims
        assert {a.name for a in plan.actions if isinstance(a, CreateInstance)} <= names
        told = {r.uid for r in status.renewals} | {e.uid for e in repairs.in_flight if e.in_place}
        assert {act.uid for act in renewals_of(plan)} <= told


def recorded(spec: ScaleSetSpec, seen: Observed) -> list[tuple[Any, Plan]]:
    """(status that was recorded, plan made on it) of each step of one turn."""
    plans = settle(spec, seen).plans
    found = []
    status = seen.status
    for plan in plans:
        found.append((status, plan))
        if plan.record is Record.NOW:
            status = plan.status
    return found


@given(spec=specs(), seen=observations())
def test_no_repair_deletes_one_that_is_protected_in_grace_unknown_or_in_doubt(
    spec: ScaleSetSpec, seen: Observed
) -> None:
    """R-10, R-29, R-47, X-05, X-08, protocol rule 4: nor one that is not read live."""
    plan = settle(spec, seen).plan
    verdicts = judge(spec, seen, T0)
    by_uid = {pod.uid: pod for pod in seen.instances}
    for act in acts_of(plan, Purpose.REPAIR):
        pod, verdict = by_uid[act.uid], verdicts[act.uid]
        assert pod.live
        assert not pod.protected
        assert pod.started is not None
        assert pod.started + 30 * MINUTE <= T0
        assert (verdict.health, verdict.fresh, verdict.doubt) == (VMHealth.UNHEALTHY, True, None)
        assert spec.automatic_repairs_policy is not None
        assert spec.automatic_repairs_policy.enabled
        assert seen.view_is_fresh


@given(spec=specs(), seen=observations())
def test_scale_in_and_rollout_never_delete_a_protected_instance(
    spec: ScaleSetSpec, seen: Observed
) -> None:
    """R-47, protocol rule 24: and nothing at all is deleted twice in one plan."""
    plan = settle(spec, seen).plan
    by_uid = {pod.uid: pod for pod in seen.instances}
    for act in acts_of(plan, Purpose.SCALE_IN):
        assert not by_uid[act.uid].protected
    for act in acts_of(plan, Purpose.ROLLOUT):
        assert not by_uid[act.uid].protected_from_actions
    assert max(Counter(act.uid for act in acts_of(plan)).values(), default=0) <= 1


@given(spec=specs(), seen=observations())
def test_no_repair_starts_above_the_allowance(spec: ScaleSetSpec, seen: Observed) -> None:
    """R-11, R-14, R-18, protocol rule 2: what was in flight before may finish."""
    before = {e.uid for e in seen.status.repairs.in_flight}
    plan = settle(spec, seen).plan
    in_flight = plan.status.repairs.in_flight
    if {e.uid for e in in_flight} - before:
        assert len(in_flight) <= batch_allowance(spec.replicas, 5)


@given(spec=specs(), seen=observations())
def test_every_unhealthy_instance_has_exactly_one_decision(
    spec: ScaleSetSpec, seen: Observed
) -> None:
    """X-11: with a reason of the documented set."""
    plan = settle(spec, seen).plan
    named = Counter(decision.instance for decision in plan.decisions)
    verdicts = judge(spec, seen, T0)
    bad = {
        p.name for p in seen.instances if p.live and verdicts[p.uid].health is VMHealth.UNHEALTHY
    }
    assert bad <= set(named)
    assert set(named.values()) <= {1}
    assert {decision.reason for decision in plan.decisions} <= set(Reason)


@given(seen=observations(), shuffle=st.randoms(use_true_random=False))
def test_the_order_of_the_pods_in_the_view_changes_no_decision(
    seen: Observed, shuffle: Any
) -> None:
    """R-23: the order of repairs is total and stable."""
    spec = scale_set_spec(replicas=len(seen.instances))
    pods = list(seen.instances)
    shuffle.shuffle(pods)
    one, other = settle(spec, seen).plan, settle(spec, replace(seen, instances=tuple(pods))).plan
    assert one.status.repairs == other.status.repairs
    assert one.status.unhealthy_instances == other.status.unhealthy_instances


@given(
    wishes=st.lists(st.integers(0, 25), min_size=1, max_size=6),
    policy=st.sampled_from(["Default", "Newest"]),
    domains=st.integers(1, 7),
)
def test_update_domains_stay_balanced_however_the_set_is_scaled(
    wishes: list[int], policy: str, domains: int
) -> None:
    """M-11: to within one, and no name is used twice; Oldest goes by age, whatever the domain."""
    story = Story.of(scale_set_spec(replicas=0))
    for wanted in wishes:
        story.spec = scale_set_spec(
            replicas=wanted, scaleInPolicy=policy, updateDomainCount=domains
        )
        story.run(timedelta(seconds=20), step=timedelta(seconds=10))
        sizes = Counter(dict.fromkeys(range(domains), 0))
        sizes.update(pod.update_domain for pod in story.live)
        assert len(story.live) == wanted
        assert max(sizes.values()) - min(sizes.values()) <= 1
    assert len(story.names) == len(set(story.names))
