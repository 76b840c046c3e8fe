"""What holds of every rollout, in place or not: sets that are mostly well, in the middle of one."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.api.upgradepolicy import UpgradeMode
from scaleset_operator.core.observed import Instance, Observed, Outcome, TemplateView
from scaleset_operator.core.plan import Purpose
from scaleset_operator.core.rollout_limits import max_batch
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, entry, ledger, settle
from tests.core.test_decide_properties import (
    AGES,
    LATEST,
    OLDER,
    OTHER,
    acts_of,
    recorded,
    renewals_of,
)
from tests.support.builders import instance, scale_set_spec
from tests.support.fake_clock import T0

pytestmark = pytest.mark.timeout(600)
SELDOM = st.integers(0, 9).map(lambda n: n == 0)


@st.composite
def pods(draw: st.DrawFn, number: int) -> Instance:
    """Nine in ten are well; some have just been given new images, some are protected."""
    pod = instance(
        number=number,
        model=draw(st.sampled_from([LATEST, OLDER, OLDER, OLDER, OTHER])),
        protected_from_actions=draw(SELDOM),
        operation=draw(st.sampled_from(["", "", "update"])),
    )
    if draw(SELDOM):
        stopped = replace(pod, started=None, started_is_recorded=False, containers_ready=False)
        return replace(stopped, renewing=True)
    return replace(pod, terminating=draw(SELDOM))


@st.composite
def rollouts(draw: st.DrawFn) -> tuple[ScaleSetSpec, Observed]:
    """A set of up to twelve, with renewals, victims and a repair under way, and its spec."""
    found = tuple(draw(pods(n)) for n in range(1, draw(st.integers(1, 12)) + 1))
    numbers = [pod.instance_id for pod in found]
    some = st.lists(st.sampled_from(numbers), unique=True, max_size=3)
    sick = [n for n in numbers if draw(SELDOM)]
    renewals = [
        {
            "instance": f"web-{n}",
            "uid": f"uid-web-{n}",
            "model": draw(st.sampled_from([LATEST, LATEST, OTHER])),
            "fromModel": draw(st.sampled_from([OLDER, OLDER, OLDER, OTHER])),
            "startTime": (T0 - draw(AGES)).isoformat(),
        }
        for n in draw(some)
    ]
    leaving = [
        {"name": f"web-{n}", "uid": f"uid-web-{n}", "purpose": "Rollout"}
        for n in draw(st.lists(st.sampled_from(numbers), max_size=1))
    ]
    named = {row["uid"] for row in (*renewals, *leaving)}
    under_repair = [entry(n, 60 + n) for n in sick[:1] if f"uid-web-{n}" not in named]
    seen = a_set(
        instances=found,
        bad=dict.fromkeys(sick, Outcome.WRONG_STATUS),
        status=ledger(*under_repair) | {"renewals": renewals, "scaleIn": leaving},
        template=TemplateView(model=LATEST, images=(("web", "instance:2"),)),
    )
    rolling: dict[str, Any] = {
        "maxSurge": draw(st.booleans()),
        "inPlaceIfPossible": draw(st.integers(0, 3)) > 0,
        "maxBatchInstancePercent": draw(st.sampled_from([1, 20, 40, 100])),
        "maxUnhealthyInstancePercent": 100,
        "maxUnhealthyUpgradedInstancePercent": 100,
    }
    mode = draw(st.sampled_from(["Rolling", "Rolling", "Automatic", "Manual"]))
    spec = scale_set_spec(
        replicas=max(0, len(found) + draw(st.integers(-1, 1))),
        upgradePolicy={"mode": mode, "rollingUpgradePolicy": rolling},
    )
    return spec, seen


@given(drawn=rollouts())
def test_a_rollout_writes_images_only_where_it_began_and_where_it_may(
    drawn: tuple[ScaleSetSpec, Observed],
) -> None:
    """R-47, R-58, protocol rules 3, 5, 10: from the recorded model to the latest, within 5 s of the
    record, on a pod that nothing else is done to and that is not protected."""
    spec, seen = drawn
    pods_by_uid = {pod.uid: pod for pod in seen.instances}
    for status, plan in recorded(spec, seen):
        steps = {r.uid: r for r in status.renewals}
        busy = {act.uid for act in acts_of(plan)} | {e.uid for e in plan.status.repairs.in_flight}
        for act in renewals_of(plan, Purpose.ROLLOUT):
            pod, step = pods_by_uid[act.uid], steps[act.uid]
            assert (pod.model, act.model, step.model) == (step.from_model, LATEST, LATEST)
            assert act.images == (("web", "instance:2"),)
            assert act.resource_version == pod.resource_version
            assert act.not_after == step.start_time + timedelta(seconds=5)
            assert act.not_after > T0
            assert spec.upgrade_policy.rolling_upgrade_policy.in_place_if_possible
            assert pod.live
            assert not pod.protected_from_actions
            assert act.uid not in busy


@given(drawn=rollouts())
def test_a_rollout_takes_no_available_instance_below_the_floor(
    drawn: tuple[ScaleSetSpec, Observed],
) -> None:
    """R-57, protocol rule 22: what is on its way out, or being renewed, counts as gone."""
    spec, seen = drawn
    plan = settle(spec, seen).plan
    desk = Scene.of(spec, seen, T0)
    well = {pod.uid for pod in desk.live if desk.is_available(pod)}
    floor = spec.replicas - max_batch(spec)
    removed = {v.uid for v in plan.status.scale_in}
    begun = {r.uid for r in plan.status.renewals if r.start_time == T0}
    begun -= {r.uid for r in seen.status.renewals if r.start_time == T0}
    if begun & well:
        assert len(well - removed - {r.uid for r in plan.status.renewals}) >= floor
    sent = {act.uid for act in renewals_of(plan, Purpose.ROLLOUT)}
    if sent & well:
        assert len(well - removed - sent) >= floor


@given(drawn=rollouts())
def test_no_more_are_taken_at_once_than_a_batch(drawn: tuple[ScaleSetSpec, Observed]) -> None:
    """Protocol rule 22: unless they were recorded before, by whoever thought otherwise."""
    spec, seen = drawn
    status = settle(spec, seen).plan.status
    before = {r.uid for r in seen.status.renewals} | {v.uid for v in seen.status.scale_in}
    out = {r.uid for r in status.renewals}
    out |= {v.uid for v in status.scale_in if v.purpose == "Rollout"}
    # Automatic takes all at once.
    if out - before and spec.upgrade_policy.mode is not UpgradeMode.AUTOMATIC:
        assert len(out) <= max_batch(spec)
