"""The plan as one value: what goes with each act, how urgent its record is, when to look again."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Instance, Outcome, ProberView
from scaleset_operator.core.plan import (
    AdoptInstance,
    CreateInstance,
    DeleteInstance,
    Purpose,
    Record,
    ReleaseInstance,
)
from scaleset_operator.core.urgency import urgency
from tests.core._stories import a_set, entry, ledger, settle, wrong
from tests.support.builders import instance, instances, observed, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
SPEC = scale_set_spec(replicas=5)
AGO: Final = T0 - timedelta(minutes=1)


def test_of_a_set_that_is_being_deleted_the_status_stays_as_it_is_recorded() -> None:
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


def test_before_what_is_decided_is_recorded_nothing_is_done() -> None:
    """Protocol rule 3: neither the new act nor any other."""
    ended = instance(number=9, over=True)
    pods = (*instances(5, unhealthy=(1,)), ended)
    seen = a_set(instances=pods, bad=wrong(1), live_reads=frozenset({"web-1"}))
    plan = decide(SPEC, seen, T0)
    assert (plan.record, plan.actions) == (Record.NOW, ())
    assert plan.status.repairing_replicas == 1
    assert [(n.reason, "web-1" in n.message) for n in plan.notes] == [("RepairStarted", True)]
    recorded = replace(seen, status=plan.status)
    assert {act.name for act in decide(SPEC, recorded, T0).actions} == {"web-1", "web-10", "web-9"}


@pytest.mark.parametrize(
    ("model", "status"),
    [
        ("m1", ledger(entry(1, 41, deleted=AGO), last=41)),
        ("m1", {"scaleIn": [{"name": "web-1", "uid": "uid-web-1", "purpose": "Rollout"}]}),
        (
            "m0",
            {
                "renewals": [
                    {
                        "instance": "web-1",
                        "uid": "uid-web-1",
                        "model": "m1",
                        "fromModel": "m0",
                        "startTime": T0.isoformat(),
                    }
                ]
            },
        ),
    ],
    ids=["repaired", "removed", "renewed"],
)
def test_the_request_of_one_that_is_seen_to_already_is_not_answered(
    model: str, status: dict[str, Any]
) -> None:
    """X-11: it is being met; that of any other waits or is refused."""
    asked = instance(number=1, model=model, operation="restart")
    other = instance(number=2, operation="restart", protected_from_actions=True)
    seen = a_set(instances=(asked, other, *instances(5)[2:]), status=status)
    found = {row.instance for row in decide(SPEC, seen, T0).status.requests}
    assert found == {"web-2"}


def test_policies_are_read_only_for_a_set_that_is_silent_as_a_whole() -> None:
    """Protocol rule 18, G9: it costs a request."""
    assert settle(SPEC, a_set(5, bad=wrong(1))).plan.look_at_policies is False
    silent = dict.fromkeys(range(1, 6), Outcome.TIMED_OUT)
    assert settle(SPEC, a_set(5, bad=silent)).plan.look_at_policies is True


def test_a_witness_goes_where_the_fewest_are_what_repairs_owe_included() -> None:
    """Protocol rule 18, M-11."""
    pods = tuple(replace(pod, update_domain=n) for n, pod in enumerate(instances(5)))
    doubt = {"group": "ScaleSet/web", "since": AGO.isoformat(), "witness": "web-6"}
    silent = dict.fromkeys(range(1, 6), Outcome.TIMED_OUT)
    seen = a_set(instances=pods, bad=silent, status=ledger(doubts=[doubt], last=6))
    (act,) = [a for a in settle(SPEC, seen).plan.actions if a.name == "web-6"]
    assert isinstance(act, CreateInstance)
    assert act.update_domain == 0
    moved = tuple(replace(pod, update_domain=0) for pod in pods[:2]) + pods[2:]
    again = replace(seen, instances=moved)
    (act,) = [a for a in settle(SPEC, again).plan.actions if a.name == "web-6"]
    assert isinstance(act, CreateInstance)
    assert act.update_domain == 1


def test_the_name_of_a_witness_is_the_next_that_nobody_has_had() -> None:
    """Protocol rule 18: recorded before it is made."""
    silent = dict.fromkeys(range(1, 6), Outcome.TIMED_OUT)
    doubt = {"group": "ScaleSet/web", "since": AGO.isoformat(), "nextTime": AGO.isoformat()}
    seen = a_set(5, bad=silent, status=ledger(doubts=[doubt], last=8))
    (told,) = settle(SPEC, seen).plan.status.repairs.doubts
    assert told.witness == "web-9"


def test_repairs_that_end_are_told_beside_the_few_that_the_status_keeps() -> None:
    """X-11: for the metrics and the log."""
    late = entry(1, 41, start=T0 - timedelta(seconds=8))
    (plan,) = [p for p in settle(SPEC, a_set(5, status=ledger(late, last=41))).plans if p.ended]
    assert [(row.instance, row.reason) for row in plan.ended] == [("web-1", "Recovered")]
    assert plan.ended == plan.status.repairs.history


def test_one_that_still_terminates_after_its_repair_is_listed() -> None:
    """R-15."""
    old = instance(health=VMHealth.UNHEALTHY, terminating=True, in_rotation=False)
    flight = ledger(entry(1, 6, deleted=AGO), last=6)
    seen = a_set(instances=(old, *instances(6)[1:]), status=flight)
    stalled = settle(SPEC, seen).plan.status.repairs.stalled
    assert [row.instance for row in stalled] == ["web-1"]


def test_the_document_of_scheduled_events_has_its_incarnation_in_the_same_status() -> None:
    """By one compare and swap with what the document is made from."""
    due = T0 + timedelta(minutes=5)
    assert settle(SPEC, a_set(5)).plan.status.scheduled_events_incarnation is None
    pods = (instance(health=VMHealth.UNHEALTHY, terminate_at=due), *instances(5)[1:])
    told = entry(1, 6, terminateAt=due.isoformat())
    seen = a_set(instances=pods, bad=wrong(1), status=ledger(told, last=6))
    begun = settle(SPEC, seen)
    assert begun.plan.status.scheduled_events_incarnation == int(T0.timestamp())
    later = settle(SPEC, begun.seen, T0 + SECOND)
    assert later.plan.status.scheduled_events_incarnation == int(T0.timestamp())


# --- When to look again ------------------------------------------------------------------------


def test_an_operator_that_starts_too_often_looks_again_when_it_has_watched_a_timeout() -> None:
    """Protocol rule 21."""
    seen = a_set(5, prober=ProberView(beating_since=T0 - SECOND, frequent_restarts=True))
    assert settle(SPEC, seen).plan.look_again_at == T0 + 10 * SECOND
    calm = a_set(5, prober=ProberView(beating_since=T0 - SECOND))
    assert settle(SPEC, calm).plan.look_again_at is None


def test_a_moment_that_has_come_is_no_moment_to_wait_for() -> None:
    """G9: or it would turn without end; a grace of nothing ends now."""
    spec = scale_set_spec(replicas=5, grace="PT0S")
    status = {"repairs": {"enabledTime": None}}
    first = decide(spec, a_set(5, bad=wrong(1), status=status), T0)
    assert first.decisions[0].until == T0
    assert first.look_again_at is None


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


@pytest.mark.parametrize(
    ("waiting", "record"), [((), Record.SOON), ((3,), Record.SOON), ((3, 4, 5), Record.NOW)]
)
def test_a_repair_that_succeeds_is_recorded_at_once_where_another_waits_for_its_slot(
    waiting: tuple[int, ...], record: Record
) -> None:
    """R-11, R-20: two slots, of which one is free again."""
    repairs = [entry(1, 41, deleted=AGO, phase="Replacing", replacementUID="uid-web-41")]
    pods = (*instances(40)[1:], instance(number=41))
    standing = settle(scale_set_spec(), a_set(instances=pods, status=ledger(*repairs, last=41)))
    assert not standing.entries
    before = [p for p in standing.plans if p.status.repairs.in_flight]
    seen = replace(
        a_set(instances=ill(pods, waiting), bad=wrong(*waiting), status=before[-1].status),
        live_reads=frozenset({"web-41"}),
    )
    plan = decide(scale_set_spec(), seen, T0)
    assert not plan.status.repairs.in_flight
    assert plan.record is record


def ill(pods: tuple[Instance, ...], numbers: tuple[int, ...]) -> tuple[Instance, ...]:
    bad = {pod.name: pod for pod in instances(40, unhealthy=numbers)}
    return tuple(bad[p.name] if p.instance_id in numbers else p for p in pods)
