"""Situations in which anything may stand in the way of a repair: what `why` must say as it is.

Drawn over the observations of the properties, one or two obstacles at a time, so that every gate is
the first that is closed in some of them. It must not know what is decided.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from scaleset_operator.api.base import (
    ANNOTATION_SUSPENDED_UNTIL,
    Reason,
    VMHealth,
    format_time,
)
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.disruption import Budget, Disruption
from scaleset_operator.core.observed import Observed, Outcome, TemplateView
from tests.core._stories import a_set, entry, ledger
from tests.core.test_decide_properties import LATEST, OLDER, observations, specs
from tests.support.builders import NOT_MADE, RUNNING, instance, scale_set_spec
from tests.support.fake_clock import T0

MINUTE = timedelta(minutes=1)
Situation = tuple[ScaleSetSpec, Observed]


def _status(seen: Observed, **repairs: Any) -> Observed:
    said = seen.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    said["repairs"] |= repairs
    return replace(seen, status=ScaleSetStatus.model_validate(said))


def _of_all(seen: Observed, **fields: Any) -> Observed:
    return replace(seen, instances=tuple(replace(pod, **fields) for pod in seen.instances))


def _by_platform(seen: Observed) -> Observed:
    since = format_time(T0 - MINUTE)
    return _status(seen, suspendedSince=since, suspendedCause="web-1 failed 3 repairs in a row")


def _by_annotation(seen: Observed) -> Observed:
    return replace(seen, annotations={ANNOTATION_SUSPENDED_UNTIL: format_time(T0 + MINUTE)})


def _bad_template(seen: Observed) -> Observed:
    said = replace(seen.template, fault=Reason.INVALID_TEMPLATE, fault_message="no such volume")
    return replace(seen, template=said)


def _no_quota(seen: Observed) -> Observed:
    refused = (Reason.CREATE_FORBIDDEN, "exceeded quota", T0 + MINUTE)
    return replace(seen, create_refused=refused)


def _overlap(seen: Observed) -> Observed:
    return replace(seen, overlaps_with="api")


def _no_probe(seen: Observed) -> Observed:
    assert seen.probe is not None
    said = replace(seen.probe, fault=Reason.PROBE_NOT_FOUND, fault_message="no HealthProbe here")
    return replace(seen, probe=said)


def _refused_deletes(seen: Observed) -> Observed:
    until = {pod.name: T0 + MINUTE for pod in seen.instances}
    return replace(seen, refused_until=until)


def _short_budget(seen: Observed) -> Observed:
    short = Budget(name="db", allowed=0, healthy=1, desired=2)
    ready = (("Ready", VMHealth.HEALTHY, T0 - 60 * MINUTE),)
    seen = _of_all(seen, ready=True, reports=ready)
    return replace(seen, disruption=Disruption(over={p.name: (short,) for p in seen.instances}))


def _heard_elsewhere(seen: Observed) -> Observed:
    return replace(seen, votes={pod.uid: T0 - timedelta(seconds=1) for pod in seen.instances})


def _requested(seen: Observed) -> Observed:
    return _of_all(seen, repair_request="requested")


def _under_notice(seen: Observed) -> Observed:
    pods = (replace(p, terminate_at=T0 + (p.instance_id - 3) * MINUTE) for p in seen.instances)
    return replace(seen, instances=tuple(pods))


def _one_spelling(seen: Observed) -> Observed:
    """Of another registry than Docker Hub, with a digest that nobody told."""
    return _of_all(seen, containers=replace(RUNNING, images=("registry.example/web:1",)))


def _young(seen: Observed) -> Observed:
    return _of_all(seen, started=T0 - 29 * MINUTE)


def _protected(seen: Observed) -> Observed:
    return _of_all(seen, protected_from_actions=True)


def _unpublished(seen: Observed) -> Observed:
    return _of_all(seen, published=None)


def _never_ran(seen: Observed) -> Observed:
    return _of_all(
        seen, started=None, started_is_recorded=False, containers=NOT_MADE, created=T0 - 90 * MINUTE
    )


def _old_view(seen: Observed) -> Observed:
    return replace(seen, view_is_fresh=False)


def _leaving(seen: Observed) -> Observed:
    said = seen.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    said["scaleIn"] = [
        {"name": pod.name, "uid": pod.uid, "purpose": "Rollout"} for pod in seen.instances[:2]
    ]
    return replace(seen, status=ScaleSetStatus.model_validate(said))


def _maintained(seen: Observed) -> Observed:
    """The first two have just come again, on updated nodes."""
    said = seen.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    moves = [
        {
            "instance": pod.name,
            "uid": f"former-{pod.uid}",
            "successorUID": pod.uid,
            "window": "patch",
            "iteration": 1,
            "mark": "patch/1/0b6f6a0c/2026-11-27T08:00:00Z",
            "impact": "Redeploy",
            "origin": "Scheduled",
            "phase": "Returning",
            "startTime": (T0 - MINUTE).isoformat(),
            "phaseTime": (T0 - MINUTE).isoformat(),
            "updateDomain": pod.update_domain,
        }
        for pod in seen.instances[:2]
    ]
    said["maintenance"] = {"inFlight": moves}
    return replace(seen, status=ScaleSetStatus.model_validate(said))


def _off(seen: Observed) -> Observed:
    return replace(seen)


def _too_many(seen: Observed) -> Observed:
    return replace(seen)


def _unarmed(seen: Observed) -> Observed:
    return replace(seen)


def _nothing(seen: Observed) -> Observed:
    return seen


OBSTACLES: tuple[Callable[[Observed], Observed], ...] = (
    _nothing,
    _nothing,
    _by_platform,
    _by_annotation,
    _bad_template,
    _no_quota,
    _overlap,
    _no_probe,
    _refused_deletes,
    _short_budget,
    _heard_elsewhere,
    _requested,
    _under_notice,
    _one_spelling,
    _one_spelling,
    _young,
    _protected,
    _unpublished,
    _never_ran,
    _old_view,
    _leaving,
    _maintained,
    _off,
    _unarmed,
    _too_many,
)
POLICIES: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"repairAction": "Restart"},
    {"repairAction": "Reimage"},
    {"serviceState": "Suspended"},
    {"disruptionBudgets": "Enforce"},
    {"disruptionBudgets": "Enforce"},
    {"maxUnhealthyPercent": 10},
    {"armAfterHealthyPercent": 100},
)

NEEDED: dict[Callable[[Observed], Observed], dict[str, Any]] = {
    _one_spelling: {"repairAction": "Restart"},
    _short_budget: {"disruptionBudgets": "Enforce"},
    _off: {"enabled": False},
    _unarmed: {"armAfterHealthyPercent": 100},
}
"""Obstacles that are none without a policy."""


@st.composite
def ripe(draw: st.DrawFn) -> Situation:
    """Old, published instances, some of which answer wrongly: nothing stands in the way yet."""
    sick = [draw(st.booleans()) for _ in range(draw(st.integers(2, 8)))]
    pods = tuple(
        instance(
            number=number,
            health=VMHealth.UNHEALTHY if bad else VMHealth.HEALTHY,
            model=draw(st.sampled_from([LATEST, LATEST, LATEST, OLDER])),
            started=T0 - 90 * MINUTE,
        )
        for number, bad in enumerate(sick, 1)
    )
    bad = {
        pod.instance_id: Outcome.WRONG_STATUS for pod, ill in zip(pods, sick, strict=True) if ill
    }
    flight = []
    if draw(st.integers(0, 3)) == 0:
        last = len(pods)
        flight = [entry(draw(st.integers(1, last - 1)), draw(st.sampled_from([None, last])))]
    enabled = (T0 - 90 * MINUTE).isoformat()
    seen = a_set(
        instances=pods,
        bad=bad,
        status=ledger(*flight, last=200, enabledTime=enabled),
        template=TemplateView(model=LATEST, images=(("web", "instance:2"),)),
    )
    mode = draw(st.sampled_from(["Act", "Act", "Act", "Observe"]))
    upgrade = {"mode": draw(st.sampled_from(["Rolling", "Manual"]))}
    wanted = len(pods) + draw(st.sampled_from([0, 0, 0, -1, 1]))
    return scale_set_spec(replicas=wanted, policy={"mode": mode}, upgradePolicy=upgrade), seen


@st.composite
def situations(draw: st.DrawFn, *surely: Callable[[Observed], Observed]) -> Situation:
    """A spec and an observation, wild or ripe for repair; up to two obstacles stand in the way.

    Args:
        draw: given by hypothesis.
        surely: an obstacle that stands there in any case, in place of those that are drawn.
    """
    either = st.one_of(ripe(), ripe(), st.tuples(specs(), observations()))
    spec, seen = draw(either)
    fields = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    drawn = st.lists(st.sampled_from(OBSTACLES), min_size=0, max_size=2)
    obstacles = list(surely) or draw(drawn)
    policy = draw(st.sampled_from(POLICIES))
    for obstacle in obstacles:
        policy = NEEDED.get(obstacle, policy)
        seen = obstacle(seen)
    fields["automaticRepairsPolicy"] |= policy
    if _too_many in obstacles:
        fields["replicas"] = 201
    if draw(st.booleans()):
        fields["terminateNotificationProfile"] = {"enable": True, "notBeforeTimeout": "PT5M"}
    return ScaleSetSpec.model_validate(fields), seen
