"""Situations in which anything may stand in the way of a repair: what `why` must say as it is.

Drawn over the observations of the properties, one or two obstacles at a time, so that every gate is
the first that is closed in some of them. It must not know what is decided.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from scaleset_operator.api.base import ANNOTATION_SUSPENDED_UNTIL, Reason, format_time
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.disruption import Budget, Disruption
from scaleset_operator.core.observed import Observed
from tests.core.test_decide_properties import observations, specs
from tests.support.builders import RUNNING
from tests.support.fake_clock import T0

MINUTE = timedelta(minutes=1)
Situation = tuple[ScaleSetSpec, Observed]


def _status(seen: Observed, **repairs: Any) -> Observed:
    said = seen.status.model_dump(mode="json", by_alias=True, exclude_none=True)
    said["repairs"] |= repairs
    return replace(seen, status=ScaleSetStatus.model_validate(said))


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
    short = Budget(name="db", allowed=0, healthy=1, desired=1)
    return replace(seen, disruption=Disruption(over={p.name: (short,) for p in seen.instances}))


def _heard_elsewhere(seen: Observed) -> Observed:
    return replace(seen, votes={pod.uid: T0 - timedelta(seconds=1) for pod in seen.instances})


def _requested(seen: Observed) -> Observed:
    return replace(
        seen, instances=tuple(replace(p, repair_request="requested") for p in seen.instances)
    )


def _under_notice(seen: Observed) -> Observed:
    pods = (replace(p, terminate_at=T0 + (p.instance_id - 3) * MINUTE) for p in seen.instances)
    return replace(seen, instances=tuple(pods))


def _one_spelling(seen: Observed) -> Observed:
    """Images that end in a digest cannot be written in another way."""
    digest = "instance@sha256:" + 64 * "a"
    pinned = replace(RUNNING, images=(f"docker.io/library/{digest}",), image_ids=("",))
    pods = (replace(p, containers=pinned) if p.started else p for p in seen.instances)
    return replace(seen, instances=tuple(pods))


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


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A spec and an observation; up to two obstacles stand in the way."""
    spec, seen = draw(specs()), draw(observations())
    policy = draw(st.sampled_from(POLICIES))
    old = spec.automatic_repairs_policy
    assert old is not None
    kept = old.model_dump(mode="json", by_alias=True)
    fields = spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    fields |= {"automaticRepairsPolicy": kept | policy}
    if draw(st.integers(0, 19)) == 0:
        fields["replicas"] = 201
    if draw(st.integers(0, 4)) == 0:
        fields["terminateNotificationProfile"] = {"enable": True, "notBeforeTimeout": "PT5M"}
    for obstacle in draw(st.lists(st.sampled_from(OBSTACLES), min_size=1, max_size=2)):
        seen = obstacle(seen)
    return ScaleSetSpec.model_validate(fields), seen
