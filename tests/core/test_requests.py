"""Requests of people on single pods: met under the cap, made to wait, or refused and answered."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.observed import Observed, ProberView
from scaleset_operator.core.plan import AnswerRequest, Note, Record, RenewInstance
from tests.core._stories import Settled, a_set, deleted, reasons, settle, under_repair, wrong
from tests.support.builders import RUNNING, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
SPEC = scale_set_spec()
RESTART: dict[str, Any] = {"operation": "restart"}
REQUESTED: dict[str, Any] = {"repair_request": "requested"}


def seen(*first: dict[str, Any], **fields: Any) -> Observed:
    """Forty healthy instances; the first ones bear these fields."""
    pods = list(instances(40))
    for number, values in enumerate(first):
        pods[number] = replace(pods[number], **values)
    return a_set(**({"instances": tuple(pods)} | fields))


def rows(settled: Settled) -> list[tuple[str, str, str, str]]:
    status = settled.plan.status
    return [(r.instance, r.request, r.state.value, r.reason) for r in status.requests]


def notes(settled: Settled) -> list[Note]:
    found = [note for plan in settled.plans for note in plan.notes]
    return [note for note in found if note.reason == Reason.REQUEST_REFUSED]


def answers(settled: Settled) -> list[str]:
    return [act.name for act in settled.plan.actions if isinstance(act, AnswerRequest)]


def test_a_requested_repair_needs_no_illness() -> None:
    """R-56: the policy's action, at once; health and grace are not asked."""
    settled = settle(SPEC, seen(REQUESTED | {"started": T0 - 60 * SECOND}))
    assert deleted(settled.plan) == {"web-1"}
    assert settled.entries[0].cause == "requested: repair=requested"
    (told,) = settled.plan.status.unhealthy_instances
    assert (told.vm_health, told.repair_decision) == ("Healthy", "Repairing")
    assert rows(settled) == []


def test_an_operation_says_itself_what_is_to_be_done() -> None:
    """R-56: restart and reimage, whatever the policy's action is."""
    settled = settle(SPEC, seen(RESTART, {"operation": "reimage"}))
    acts = [act for act in settled.plan.actions if isinstance(act, RenewInstance)]
    assert [act.name for act in acts] == ["web-1", "web-2"]
    assert [entry.action for entry in settled.entries] == ["Restart", "Reimage"]
    assert not deleted(settled.plan)


@pytest.mark.parametrize(
    "spec",
    [
        scale_set_spec(repairs=False),
        scale_set_spec(automaticRepairsPolicy=None),
        scale_set_spec(repairs=False, healthProbeRef=None),
        scale_set_spec(replicas=201, grace="PT30M", policy={"limits": "Standard"}),
        scale_set_spec(policy={"armAfterHealthyPercent": 80}),
    ],
    ids=["disabled", "no policy", "no source", "too many", "not armed"],
)
def test_what_holds_back_the_operator_does_not_hold_back_a_person(spec: Any) -> None:
    """Automatic repairs are the operator's; this one was asked for."""
    assert under_repair(settle(spec, seen(RESTART)).plan) == {"web-1"}


def test_a_person_may_restart_what_the_prober_does_not_see() -> None:
    """Evidence is asked for where the operator acts by itself."""
    blind = seen(RESTART, prober=ProberView(beating_since=None))
    assert under_repair(settle(SPEC, blind).plan) == {"web-1"}


@pytest.mark.parametrize(
    ("reason", "spec", "more"),
    [
        (Reason.INSTANCE_PROTECTED, {}, {"protected_from_actions": True}),
        (Reason.INSTANCE_PROTECTED, {}, {"protected_from_scale_in": True}),
        (Reason.SUSPENDED_BY_USER, {"policy": {"serviceState": "Suspended"}}, {}),
        (Reason.OBSERVE_MODE, {"policy": {"mode": "Observe"}}, {}),
    ],
)
def test_what_protects_makes_a_request_wait_and_says_so(
    reason: Reason, spec: dict[str, Any], more: dict[str, Any]
) -> None:
    """R-39, R-47, X-11: in status, under its own heading; the instance is not unhealthy."""
    settled = settle(scale_set_spec(**spec), seen(RESTART | more))
    assert rows(settled) == [("web-1", "operation=restart", "Waiting", reason)]
    assert not settled.entries
    assert not answers(settled)
    assert settled.plan.status.unhealthy_instances == ()


def test_requests_go_under_the_cap_and_after_the_sick() -> None:
    """R-11, R-20: of forty, two slots; an unhealthy instance has the first."""
    pods = list(instances(40, unhealthy=(9,)))
    for number in range(3):
        pods[number] = replace(pods[number], operation="restart")
    settled = settle(SPEC, a_set(instances=tuple(pods), bad=wrong(9)))
    assert under_repair(settled.plan) == {"web-9", "web-1"}
    waiting = [("web-2", Reason.BATCH_LIMIT_REACHED), ("web-3", Reason.BATCH_LIMIT_REACHED)]
    assert sorted((row[0], row[3]) for row in rows(settled)) == waiting


def test_a_sick_instance_that_is_asked_for_does_not_wait_for_its_grace() -> None:
    """A person has looked; the cause names both."""
    pods = list(instances(40, unhealthy=(1,)))
    pods[0] = replace(pods[0], **REQUESTED, started=T0 - 60 * SECOND)
    settled = settle(SPEC, a_set(instances=tuple(pods), bad=wrong(1)))
    assert deleted(settled.plan) == {"web-1"}
    assert settled.entries[0].cause.endswith("; requested: repair=requested")


@pytest.mark.parametrize(
    ("fields", "request_", "reason"),
    [
        ({"operation": "redeploy"}, "operation=redeploy", Reason.NOT_YET_SUPPORTED),
        ({"operation": "reboot"}, "operation=reboot", Reason.UNKNOWN_REQUEST),
        ({"repair_request": "yes"}, "repair=yes", Reason.UNKNOWN_REQUEST),
        (
            RESTART | {"containers": replace(RUNNING, images=("reg.io/x:1",))},
            "operation=restart",
            Reason.NO_EQUIVALENT_IMAGE,
        ),
    ],
)
def test_a_request_that_cannot_be_met_is_told_recorded_and_then_taken_off(
    fields: dict[str, Any], request_: str, reason: Reason
) -> None:
    """X-11: an Event and a row first; only then is the annotation removed."""
    settled = settle(SPEC, seen(fields))
    first, last = settled.plans[0], settled.plan
    assert (first.record, first.actions) == (Record.NOW, ())
    assert rows(settled) == [("web-1", request_, "Refused", reason)]
    (note,) = notes(settled)
    assert note.warning
    assert f"web-1: {request_}: {reason}" in note.message
    (act,) = [a for a in last.actions if isinstance(a, AnswerRequest)]
    pod = seen(fields).instances[0]
    assert (act.uid, act.resource_version) == (pod.uid, pod.resource_version)
    assert not settled.entries


def test_a_refusal_is_told_once_and_stays_in_status_when_it_is_off_the_pod() -> None:
    """X-11: and the same request again is answered again."""
    bad = {"operation": "reboot"}
    first = settle(SPEC, seen(bad))
    again = settle(SPEC, replace(seen(bad), status=first.plan.status))
    assert answers(again) == ["web-1"]
    assert notes(again) == []
    off = settle(SPEC, replace(seen(), status=first.plan.status))
    assert rows(off) == [("web-1", "operation=reboot", "Answered", Reason.UNKNOWN_REQUEST)]
    assert answers(off) == []
    assert len(notes(settle(SPEC, replace(seen(bad), status=off.plan.status)))) == 1


def test_an_answer_goes_with_its_pod() -> None:
    """X-11: the list is of pods that are there."""
    first = settle(SPEC, seen({"operation": "reboot"}))
    without = replace(seen(), status=first.plan.status)
    without = replace(without, instances=without.instances[1:])
    assert rows(settle(scale_set_spec(replicas=39), without)) == []


def test_status_lists_twenty_requests_and_takes_the_others_in_turn() -> None:
    """X-11: bounded, whatever is asked."""
    settled = settle(SPEC, seen(*({"operation": "reboot"} for _ in range(30))))
    assert len(settled.plan.status.requests) == 20
    assert len(answers(settled)) == 20


def test_a_request_that_is_withdrawn_before_the_act_is_not_carried_out() -> None:
    """R-21, protocol rule 4: every gate is asked again, as of any healthy instance."""
    asked = settle(SPEC, seen(REQUESTED))
    withdrawn = replace(seen(), status=asked.plan.status)
    late = settle(SPEC, withdrawn, T0 + 8 * SECOND)
    assert not deleted(late.plan)
    record = late.plan.status.repairs.history[0]
    assert (record.result, record.reason) == ("Cancelled", "Recovered")


def test_a_pod_that_never_started_can_be_replaced_on_request_but_not_restarted() -> None:
    """A person's word is no probe's result; what was never made cannot be renewed."""
    pending = {"started": None, "containers": replace(RUNNING, restarts=(-1,))}
    assert deleted(settle(SPEC, seen(REQUESTED | pending)).plan) == {"web-1"}
    assert rows(settle(SPEC, seen(RESTART | pending)))[0][2:] == ("Refused", "NoEquivalentImage")


def test_without_a_request_nothing_of_this_is_there() -> None:
    """G9: a set at rest writes nothing."""
    plan = settle(SPEC, seen()).plan
    assert plan.status.requests == ()
    assert reasons(plan) == {}
    assert plan.record is Record.NONE or plan.record is Record.SOON
