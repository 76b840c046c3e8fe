"""What a closed gate says: the fact that closed it, and until when, as far as time opens it."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.disruption import Budget, Disruption
from scaleset_operator.core.gates import ask, first_closed
from scaleset_operator.core.observed import Observed, ProberView, TemplateView
from scaleset_operator.core.plan import Gate
from scaleset_operator.core.scene import Scene
from tests.core._stories import a_set, wrong
from tests.support.builders import RUNNING, instances, probe_view, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
UNTIL = "scaleset.dev/repairs-suspended-until"
BECAUSE = "scaleset.dev/repairs-suspended-reason"
IN_2099 = datetime.fromisoformat("2099-01-01T00:00:00+00:00")
SUSPENDED = {"policy": {"serviceState": "Suspended"}}

Case = tuple[Reason, str, datetime | None, dict[str, Any], dict[str, Any], dict[str, Any]]
CLOSED: Final[list[Case]] = [
    # reason, what it says, until when; of the spec, of the observation, of the instance
    (Reason.DISABLED, "automaticRepairsPolicy.enabled", None, {"repairs": False}, {}, {}),
    (Reason.NO_PROBE, "no health source", None, {"healthProbeRef": None}, {"probe": None}, {}),
    (
        Reason.PROBE_NOT_FOUND,
        "web-http is not there",
        None,
        {},
        {"probe": probe_view(fault=Reason.PROBE_NOT_FOUND, fault_message="web-http is not there")},
        {},
    ),
    (Reason.SELECTOR_OVERLAP, "older", None, {}, {"overlaps_with": "older"}, {}),
    (
        Reason.INVALID_TEMPLATE,
        "no such field",
        None,
        {},
        {
            "template": TemplateView(
                model="m1", fault=Reason.INVALID_TEMPLATE, fault_message="no such field"
            )
        },
        {},
    ),
    (
        Reason.CREATE_FORBIDDEN,
        "quota",
        T0 + HOUR,
        {},
        {"create_refused": (Reason.CREATE_FORBIDDEN, "quota", T0 + HOUR)},
        {},
    ),
    (Reason.SUSPENDED_BY_USER, "serviceState", None, SUSPENDED, {}, {}),
    (
        Reason.SUSPENDED_BY_USER,
        "until 2099-01-01T00:00:00Z: migration",
        IN_2099,
        {},
        {"annotations": {UNTIL: "2099-01-01T00:00:00Z", BECAUSE: "migration"}},
        {},
    ),
    (
        Reason.SUSPENDED_BY_USER,
        "serviceState is Suspended: migration",
        None,
        SUSPENDED,
        {"annotations": {UNTIL: "2099-01-01T00:00:00Z", BECAUSE: "migration"}},
        {},
    ),
    (
        Reason.SUSPENDED_BY_PLATFORM,
        "three in a row",
        None,
        {},
        {"status": {"repairs": {"suspendedSince": T0, "suspendedCause": "three in a row"}}},
        {},
    ),
    (Reason.HEALTH_UNKNOWN, "prober", None, {}, {"prober": ProberView(beating_since=None)}, {}),
    (
        Reason.HEALTH_UNKNOWN,
        "full timeout",
        T0 + 11 * SECOND,
        {},
        {"prober": ProberView(beating_since=T0)},
        {},
    ),
    (Reason.NEVER_STARTED, "never all run", None, {}, {}, {"started": None}),
    (
        Reason.INSTANCE_PROTECTED,
        "protect-from-scale-set-actions",
        None,
        {},
        {},
        {"protected_from_actions": True},
    ),
    (
        Reason.INSTANCE_PROTECTED,
        "protect-from-scale-in",
        None,
        {},
        {},
        {"protected_from_scale_in": True},
    ),
    (
        Reason.IN_GRACE_PERIOD,
        "until 2026-",
        T0 + MINUTE,
        {},
        {},
        {"started": T0 - 29 * MINUTE},
    ),
    (
        Reason.REPAIR_BACK_OFF,
        "API server",
        T0 + HOUR,
        {},
        {"refused_until": {"web-1": T0 + HOUR}},
        {},
    ),
    (
        Reason.NO_EQUIVALENT_IMAGE,
        "reg.io/web:1",
        None,
        {"policy": {"repairAction": "Restart"}},
        {},
        {"containers": replace(RUNNING, images=("reg.io/web:1",))},
    ),
    (
        Reason.NOT_ARMED,
        "of 40 needed healthy once under the present probe, model m1",
        None,
        {"policy": {"armAfterHealthyPercent": 100}},
        {},
        {},
    ),
    (
        Reason.DISRUPTION_BUDGET,
        "cannot be read",
        None,
        {"policy": {"disruptionBudgets": "Enforce"}},
        {"disruption": Disruption(fault="PodDisruptionBudgets cannot be read")},
        {},
    ),
    (
        Reason.DISRUPTION_BUDGET,
        "0 disruptions allowed",
        None,
        {"policy": {"disruptionBudgets": "Enforce"}},
        {"disruption": Disruption(over={"web-1": (Budget(name="web-pdb", allowed=0, desired=1),)})},
        {},
    ),
    (Reason.OBSERVE_MODE, "", None, {"policy": {"mode": "Observe"}}, {}, {}),
]
IDS = [f"{n}-{case[0]}" for n, case in enumerate(CLOSED)]


def one_bad(change: dict[str, Any], of_first: dict[str, Any]) -> Observed:
    """Forty instances; web-1 answers 503 for long."""
    first = replace(instances(1, unhealthy=(1,))[0], **of_first)
    return a_set(bad=wrong(1), instances=(first, *instances(40)[1:]), **change)


def closed(
    spec: dict[str, Any], change: dict[str, Any], of_first: dict[str, Any], now: datetime = T0
) -> Gate | None:
    """The first gate that is closed to web-1."""
    seen = one_bad(change, of_first)
    return first_closed(Scene.of(scale_set_spec(**spec), seen, now), seen.instances[0])


@pytest.mark.parametrize(("reason", "says", "until", "spec", "change", "of_first"), CLOSED, ids=IDS)
def test_a_closed_gate_names_the_fact_and_the_time(
    reason: Reason,
    says: str,
    until: datetime | None,
    spec: dict[str, Any],
    change: dict[str, Any],
    of_first: dict[str, Any],
) -> None:
    """X-11: what a person reads under `why` is what was compared, and when that changes."""
    gate = closed(spec, change, of_first)
    assert gate is not None
    assert (gate.reason, gate.open, gate.until) == (reason, False, until)
    assert says in gate.detail
    assert "None" not in gate.detail


def test_the_gate_that_the_owner_closed_names_the_field() -> None:
    """R-07, X-11."""
    gate = closed({"repairs": False}, {}, {})
    assert gate is not None
    assert gate.detail == "automaticRepairsPolicy.enabled"


def test_the_gate_of_two_hundred_names_the_number_and_the_limits() -> None:
    """R-05, X-11."""
    gate = closed({"replicas": 201, "policy": {"limits": "Standard"}}, {}, {})
    assert gate is not None
    assert (gate.reason, gate.detail) == (
        Reason.TOO_MANY_INSTANCES,
        "replicas 201, limits Standard",
    )


@pytest.mark.parametrize(
    ("change", "of_first"),
    [
        ({"refused_until": {"web-1": T0}}, {}),
        ({}, {"started": T0 - 30 * MINUTE}),
        ({"create_refused": None}, {}),
    ],
)
def test_a_gate_opens_at_its_very_moment(change: dict[str, Any], of_first: dict[str, Any]) -> None:
    """R-24: grace and back-off are half-open."""
    assert closed({}, change, of_first) is None


def test_grace_runs_for_all_until_the_moment_of_enabling_is_recorded() -> None:
    """R-36: without that moment nobody's grace is over, however long it has been running."""
    never: dict[str, Any] = {"status": {"repairs": {"enabledTime": None}}}
    for grace in (30 * MINUTE, 0 * MINUTE):
        gate = closed({"grace": grace}, never, {})
        assert gate is not None
        assert (gate.reason, gate.until) == (Reason.IN_GRACE_PERIOD, T0 + grace)


def test_the_verdict_must_stand_on_the_pod_and_the_question_says_so() -> None:
    """X-11: the gate shares its reason with another, so it brings its own question."""
    seen = a_set(bad=wrong(1), instances=instances(40))
    scene = Scene.of(scale_set_spec(), seen, T0)
    gate = first_closed(scene, seen.instances[0])
    assert gate is not None
    assert (gate.reason, gate.detail) == (Reason.HEALTH_UNKNOWN, "not yet published")
    assert "stands on the pod" in gate.asks


def test_every_gate_answers_with_yes_or_no() -> None:
    """X-11: an answer that merely counts as no would be shown as none."""
    for _, _, _, spec, change, of_first in CLOSED:
        seen = one_bad(change, of_first)
        scene = Scene.of(scale_set_spec(**spec), seen, T0)
        assert {type(gate.open) for gate in ask(scene, seen.instances[0])} == {bool}
