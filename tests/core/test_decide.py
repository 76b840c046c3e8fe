"""The plan as one value: what goes with each act, how urgent its record is, when to look again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.decide import decide, urgency
from scaleset_operator.core.observed import Outcome, ProberView
from scaleset_operator.core.plan import (
    AdoptInstance,
    DeleteInstance,
    Purpose,
    Record,
    ReleaseInstance,
)
from tests.core._silence import fallen
from tests.core._stories import a_set, entry, ledger, settle, wrong
from tests.support.builders import evidence, instance, instances, observed, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
SPEC = scale_set_spec(replicas=5)
AGO: Final = T0 - timedelta(minutes=1)


def test_of_a_set_that_is_being_deleted_the_status_stays_as_it_is_recorded() -> None:
    """R-22."""
    seen = a_set(5, status=ledger(entry(1, 6)), deleting=True)
    assert decide(SPEC, seen, T0).status == seen.status


# --- Acts --------------------------------------------------------------------------------------


def test_whom_it_owns_is_changed_by_uid_and_version_alone() -> None:
    """Protocol rule 5: an act on a pod that was made anew, or has changed since, does nothing."""
    ours, theirs = instance(number=7), instance(number=8)
    ended = instance(number=9, over=True)
    gone = instance(number=10, over=True, terminating=True, in_rotation=False)
    dead = instance(number=11, over=True)
    seen = a_set(instances=(*instances(5), ended, gone), adoptable=(ours, dead), released=(theirs,))
    assert settle(SPEC, seen).plan.actions == (
        AdoptInstance(name="web-7", uid="uid-web-7", resource_version="107"),
        ReleaseInstance(name="web-8", uid="uid-web-8", resource_version="108"),
        DeleteInstance(name="web-9", uid="uid-web-9", resource_version="109", purpose=Purpose.OVER),
    )


def test_while_the_view_is_old_nobody_is_adopted_released_or_deleted() -> None:
    """X-07."""
    seen = a_set(
        instances=(*instances(5), instance(number=9, over=True)),
        adoptable=(instance(number=7),),
        released=(instance(number=8),),
        view_is_fresh=False,
    )
    assert settle(SPEC, seen).plan.actions == ()


def test_policies_are_read_only_for_a_set_that_is_silent_as_a_whole() -> None:
    """Protocol rule 18, G9: it costs a request."""
    assert not settle(SPEC, a_set(5, bad=wrong(1))).plan.look_at_policies
    assert fallen().run(timedelta(minutes=1)).look_at_policies


def test_the_requests_of_those_that_go_or_are_renewed_anyway_are_not_answered() -> None:
    """R-56, X-11: what is being done to them meets the request, or ends it."""
    first, second, *others = instances(5, operation="restart")
    pods = (first, replace(second, renewing=True, started=None), *others)
    leaving = [{"name": "web-1", "uid": "uid-web-1", "purpose": "ScaleIn"}]
    step = {"model": "m1", "fromModel": "m0", "startTime": T0.isoformat()}
    renewals = [{"instance": "web-2", "uid": "uid-web-2", **step}]
    status = ledger(entry(3, 6), last=6) | {"scaleIn": leaving, "renewals": renewals}
    spec = scale_set_spec(replicas=4)
    rows = decide(spec, a_set(instances=pods, status=status), T0).status.requests
    assert {row.instance for row in rows} == {"web-4", "web-5"}


# --- When to look again ------------------------------------------------------------------------


def test_an_operator_that_starts_too_often_looks_again_when_it_has_watched_a_timeout() -> None:
    """Protocol rule 21."""
    seen = a_set(5, prober=ProberView(beating_since=T0 - SECOND, frequent_restarts=True))
    assert settle(SPEC, seen).plan.look_again_at == T0 + 10 * SECOND
    calm = a_set(5, prober=ProberView(beating_since=T0 - SECOND))
    assert settle(SPEC, calm).plan.look_again_at is None


# --- The cap, as it stands in the status -------------------------------------------------------


@pytest.mark.parametrize(
    ("enabled", "status", "limit"),
    [(True, {}, 2), (False, {}, 0), (False, ledger(entry(1, 41, deleted=AGO), last=41), 2)],
)
def test_the_limit_that_is_told_is_none_where_nothing_may_be_repaired(
    enabled: Any, status: Any, limit: int
) -> None:
    """R-07, R-11: a repair in flight goes on when repairs are disabled."""
    spec = scale_set_spec(repairs=enabled)
    pods = instances(40)[1:] if status else instances(40)
    plan = decide(spec, a_set(instances=pods, status=status), T0)
    assert plan.status.repairs.batch_limit == limit


# --- How urgent the record is ------------------------------------------------------------------


def status(*flight: dict[str, Any], history: Any = (), **fields: Any) -> ScaleSetStatus:
    """A status with these repairs in flight; more of it by the wire's names."""
    repairs = fields.pop("repairs", {})
    values = ledger(*flight, history=list(history), **repairs) | fields
    return observed(status=values).status


def ended(number: int, result: str = "Succeeded") -> dict[str, Any]:
    return {
        "instance": f"web-{number}",
        "action": "Replace",
        "cause": "",
        "result": result,
        "startTime": AGO.isoformat(),
        "endTime": T0.isoformat(),
    }


def told(kind: str, reason: str = "Valid", status: str = "True", words: str = "") -> dict[str, Any]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": words,
        "lastTransitionTime": T0.isoformat(),
    }


def request(state: str) -> dict[str, Any]:
    return {
        "instance": "web-1",
        "uid": "uid-web-1",
        "request": "operation=reboot",
        "state": state,
        "reason": "UnknownRequest",
        "time": T0.isoformat(),
    }


def rollout(**fields: Any) -> dict[str, Any]:
    values = {"model": "m1", "startTime": AGO.isoformat(), "reason": "RollingOut", "message": "a"}
    return {"rollout": values | fields}


def service(state: str) -> dict[str, Any]:
    row = {"serviceState": state, "reason": "Disabled", "sinceTime": AGO.isoformat()}
    return {"orchestrationServices": [row]}


STEP: Final = {"uid": "uid-web-1", "fromModel": "m0", "startTime": AGO.isoformat()}
NEW_NAME: Final = {"name": "web-9", "updateDomain": 1, "model": "m1", "time": T0.isoformat()}
VICTIM: Final = {"name": "web-1", "uid": "uid-web-1", "purpose": "ScaleIn"}
RENEWAL: Final = {"instance": "web-1", "model": "m1", **STEP}
SURGE: Final = {"instance": "web-1", "uid": "uid-web-1", "replacement": "web-9", "model": "m1"}
FLIGHT: Final = (entry(1, 41, start=AGO), entry(2, 42, start=AGO))
BEFORE: Final = status(*FLIGHT)
NOW_URGENT: Final[dict[str, ScaleSetStatus]] = {
    "a name is given out": status(*FLIGHT, creating=[NEW_NAME]),
    "a victim is chosen": status(*FLIGHT, scaleIn=[VICTIM]),
    "one is to be renewed": status(*FLIGHT, renewals=[RENEWAL]),
    "a repair begins": status(*FLIGHT, entry(3, 43)),
    "a replacement is named anew": status(FLIGHT[0], entry(2, 43, start=AGO)),
    "one was told that it goes": status(FLIGHT[0], FLIGHT[1] | {"phase": "Notified"}),
    "one is told to restart": status(FLIGHT[0], FLIGHT[1] | {"phase": "Restarting"}),
    "a repair fails": status(FLIGHT[0], history=[ended(2, "Failed")]),
    "one fails and another succeeds": status(history=[ended(2), ended(1, "Failed")]),
    "one ends and another begins": status(FLIGHT[0], entry(3, 43), history=[ended(2)]),
    "one is counted as ended while it goes on": status(*FLIGHT, history=[ended(2)]),
    "failures are counted": status(*FLIGHT, repairs={"consecutiveFailed": 1}),
    "repairs are suspended": status(*FLIGHT, repairs={"suspendedSince": T0.isoformat()}),
    "repairs are resumed": status(*FLIGHT, repairs={"lastHandledResumeRequest": T0.isoformat()}),
    "repairs are enabled": status(*FLIGHT, repairs={"enabledTime": T0.isoformat()}),
    "a model is armed": status(
        *FLIGHT, repairs={"armed": [{"model": "m1", "source": "p", "time": T0.isoformat()}]}
    ),
    "a doubt is raised": status(
        *FLIGHT, repairs={"doubts": [{"group": "set", "since": T0.isoformat()}]}
    ),
    "the service changes its state": status(*FLIGHT, **service("NotRunning")),
    "a request is refused": status(*FLIGHT, requests=[request("Refused")]),
    "the set is refused": status(*FLIGHT, conditions=[told("Accepted", status="False")]),
    "another warning is due": status(*FLIGHT, conditions=[told("Accepted", "ForeignPods")]),
    "a rollout begins": status(*FLIGHT, **rollout()),
}
SOON_ENOUGH: Final[dict[str, ScaleSetStatus]] = {
    "an instance became healthy": status(*FLIGHT, healthyReplicas=7),
    "a name was taken": status(*FLIGHT, lastInstanceId=201),
    "a request waits": status(*FLIGHT, requests=[request("Waiting")]),
    "a request was answered": status(*FLIGHT, requests=[request("Answered")]),
    "another condition": status(*FLIGHT, conditions=[told("Ready", "Scaling", "False")]),
    "a repair goes on": status(FLIGHT[0], FLIGHT[1] | {"phase": "Replacing"}),
}


@pytest.mark.parametrize("after", NOW_URGENT.values(), ids=NOW_URGENT)
def test_what_acts_or_events_build_on_is_recorded_first(after: ScaleSetStatus) -> None:
    """Protocol rule 3."""
    assert urgency(BEFORE, after, waiting=False) is Record.NOW


@pytest.mark.parametrize("after", SOON_ENOUGH.values(), ids=SOON_ENOUGH)
def test_what_is_only_to_be_read_may_wait_for_company(after: ScaleSetStatus) -> None:
    """G9: several observations share one write."""
    assert urgency(BEFORE, after, waiting=False) is Record.SOON


def test_what_is_the_same_is_not_written_at_all() -> None:
    """G9."""
    assert urgency(BEFORE, status(*FLIGHT), waiting=True) is Record.NONE


@pytest.mark.parametrize("left", [FLIGHT[:1], ()])
def test_repairs_that_succeeded_wait_for_company_unless_somebody_waits_for_their_slots(
    left: tuple[dict[str, Any], ...],
) -> None:
    """G9, R-11: recorded late, they hold their slots a moment more."""
    gone = [ended(number) for number in (2, 1)[: 2 - len(left)]]
    assert urgency(BEFORE, status(*left, history=gone), waiting=False) is Record.SOON
    assert urgency(BEFORE, status(*left, history=gone), waiting=True) is Record.NOW


@pytest.mark.parametrize(
    ("change", "record"),
    [
        ({"message": "b"}, Record.SOON),
        ({"reason": "RolloutPaused"}, Record.SOON),
        ({"reason": "RolloutStopped"}, Record.NOW),
        ({"model": "m2"}, Record.NOW),
        ({"batchTime": T0.isoformat()}, Record.NOW),
        ({"healthyTime": T0.isoformat()}, Record.NOW),
        ({"failedSurges": 1}, Record.NOW),
        ({"surge": [SURGE]}, Record.NOW),
    ],
)
def test_of_a_rollout_the_steps_are_recorded_first_and_the_words_in_time(
    change: dict[str, Any], record: Record
) -> None:
    """M-11, protocol rule 3."""
    before, after = status(**rollout()), status(**rollout(**change))
    assert urgency(before, after, waiting=False) is record


def test_a_repair_that_succeeds_is_recorded_at_once_where_another_waits_for_its_slot() -> None:
    """R-11, R-20: of two slots one is free again, and three are ill."""
    flight = ledger(entry(1, 41, deleted=AGO), entry(2, 42, deleted=AGO), last=42)
    pods = (*instances(40, unhealthy=(3, 4))[2:], instance(number=41), instance(number=42))
    starting = evidence(outcome=Outcome.WRONG_STATUS, watched_for=5 * SECOND)
    bad: dict[int, Any] = wrong(3, 4) | {42: starting}
    seen = replace(a_set(instances=pods, bad=bad, status=flight), live_reads=frozenset({"web-1"}))
    assert settle(scale_set_spec(), seen).plans[0].record is Record.NOW
