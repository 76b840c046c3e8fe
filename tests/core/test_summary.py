"""The status as people read it, field by field: nothing is lost on the way from the decision."""

from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import RepairEntry, RepairRecord, RepairResult
from scaleset_operator.api.scalesetstatus import (
    OrchestrationService,
    RepairDecision,
    UnhealthyInstance,
)
from scaleset_operator.core.ledger import Closed
from scaleset_operator.core.plan import Decision
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.summary import counts, ended, explained, next_eligible, services
from tests.core._stories import a_set, entry
from tests.support.builders import evidence, instances, probe_view, scale_set_spec
from tests.support.fake_clock import T0

MINUTE = timedelta(minutes=1)
SINCE: Final = T0 - MINUTE


def scene(spec: dict[str, Any] | None = None, **fields: Any) -> Scene:
    return Scene.of(scale_set_spec(**(spec or {})), a_set(**({"size": 3} | fields)), T0)


def test_the_figures_are_those_of_the_instances_that_live() -> None:
    """R-19, R-48: the selector as the scale subresource has it, sorted."""
    labels = {"selector": {"matchLabels": {"tier": "front", "app": "web"}}}
    found = counts(scene(labels), 2)
    assert found == {
        "observed_generation": 1,
        "replicas": 3,
        "ready_replicas": 3,
        "updated_replicas": 3,
        "healthy_replicas": 3,
        "unhealthy_replicas": 0,
        "unknown_replicas": 0,
        "repairing_replicas": 2,
        "protected_replicas": 0,
        "selector": "app=web,tier=front",
        "latest_model": "m1",
        "rotation": None,
        "outbound": None,
    }


def test_what_the_probe_of_rotation_finds_is_summed_up() -> None:
    """P-29."""
    busy = probe_view(name="busy", identity="u/9/8080")
    found = {pod.uid: evidence() for pod in instances(3)}
    told = counts(scene(rotation_probe=busy, rotation_evidence=found), 0)["rotation"]
    assert (told.in_rotation, told.out_of_rotation, told.unknown) == (3, 0, 0)


# --- The state of the service ------------------------------------------------------------------


def running(**fields: Any) -> OrchestrationService:
    values: dict[str, Any] = {
        "service_state": "Running",
        "reason": "PolicyEnabled",
        "suspended_by": None,
        "since_time": T0,
        "until_time": None,
        "message": "",
    }
    return OrchestrationService.model_validate(values | fields)


@pytest.mark.parametrize(
    ("before", "since"),
    [
        (None, T0),
        (running(since_time=SINCE), SINCE),
        (running(since_time=SINCE, message="other words"), SINCE),
        (running(since_time=SINCE, service_state="Suspended"), T0),
        (running(since_time=SINCE, reason="Disabled"), T0),
    ],
)
def test_a_state_has_the_time_since_when_it_is_so(
    before: OrchestrationService | None, since: Any
) -> None:
    """R-37: its state and its reason are what it is; its words are not."""
    rows = [] if before is None else [before.model_dump(by_alias=True, mode="json")]
    here = scene(status={"orchestrationServices": rows})
    (now,) = services(here, here.observed.status.repairs)
    assert now == running(since_time=since)


# --- Rows --------------------------------------------------------------------------------------


def decided(instance: str = "web-1", **fields: Any) -> Decision:
    values: dict[str, Any] = {
        "health": VMHealth.UNHEALTHY,
        "since": SINCE,
        "decision": RepairDecision.DEFERRED,
        "reason": Reason.IN_GRACE_PERIOD,
        "message": "words",
    }
    return Decision(instance=instance, **(values | fields))


def test_of_each_decision_the_status_has_what_which_rule_and_until_when() -> None:
    """X-11."""
    (row,) = explained([decided(until=T0 + MINUTE)])
    assert row == UnhealthyInstance(
        name="web-1",
        vm_health=VMHealth.UNHEALTHY,
        since_time=SINCE,
        repair_decision=RepairDecision.DEFERRED,
        reason="InGracePeriod",
        eligible_time=T0 + MINUTE,
    )


@pytest.mark.parametrize(
    ("health", "decision", "listed"),
    [
        (VMHealth.UNHEALTHY, RepairDecision.DEFERRED, True),
        (VMHealth.UNKNOWN, RepairDecision.SKIPPED, True),
        (VMHealth.HEALTHY, RepairDecision.REPAIRING, True),
        (VMHealth.HEALTHY, RepairDecision.DEFERRED, False),
    ],
)
def test_a_healthy_one_is_listed_only_while_it_is_repaired(
    health: VMHealth, decision: RepairDecision, *, listed: bool
) -> None:
    """X-11: a person asked for it; while it waits, that stands under requests."""
    assert bool(explained([decided(health=health, decision=decision)])) is listed


def test_the_longest_unhealthy_come_first_and_equals_by_name() -> None:
    """R-23."""
    rows = [decided("web-3"), decided("web-2"), decided("web-9", since=SINCE - MINUTE)]
    assert [row.name for row in explained(rows)] == ["web-9", "web-2", "web-3"]


def test_a_repair_that_ends_is_kept_with_all_that_was_known_of_it() -> None:
    """X-11: the replacement only where the victim went."""
    known = entry(1, 41, causeReason="WrongStatus")
    end = Closed(
        entry=RepairEntry.model_validate(known),
        result=RepairResult.FAILED,
        reason=Reason.GRACE_EXPIRED,
        message="words",
    )
    values: dict[str, Any] = {
        "instance": "web-1",
        "replacement": "web-41",
        "action": "Replace",
        "cause": "HTTP 503",
        "cause_reason": "WrongStatus",
        "result": "Failed",
        "reason": "GraceExpired",
        "start_time": T0 - timedelta(seconds=1),
        "end_time": T0,
    }
    gone = scene(instances=instances(3)[1:])
    assert ended(gone, [end]) == (RepairRecord.model_validate(values),)
    there = values | {"replacement": None}
    assert ended(scene(), [end]) == (RepairRecord.model_validate(there),)


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        ([], None),
        ([decided()], None),
        ([decided(until=T0 + MINUTE), decided(until=T0 + 2 * MINUTE)], T0 + MINUTE),
        ([decided(until=T0), decided(until=T0 + 2 * MINUTE)], T0 + 2 * MINUTE),
        ([decided(until=T0 + MINUTE, decision=RepairDecision.REPAIRING)], None),
    ],
)
def test_the_next_time_is_that_of_the_first_one_that_waits_for_time_alone(
    decisions: list[Decision], expected: Any
) -> None:
    """X-11."""
    assert next_eligible(decisions, T0) == expected
