"""What is written on each pod: on a change, in one patch, and never otherwise (rule 26)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import VMHealth
from scaleset_operator.core.observed import Instance, Outcome
from scaleset_operator.core.plan import PublishHealth, Record
from tests.core._stories import Story, a_set, entry, ledger, published, settle, wrong
from tests.support.builders import evidence, instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SPEC = scale_set_spec(replicas=5)


def told_of_first(first: Instance, outcome: Any = Outcome.OK) -> PublishHealth | None:
    """What is written on web-1."""
    seen = a_set(instances=(first, *instances(5)[1:]), bad={1: outcome})
    return published(settle(SPEC, seen).plan).get("web-1")


def test_nothing_is_written_in_a_steady_state() -> None:
    """Design.md section 1: no writes, neither on pods nor in the status."""
    settled = settle(SPEC, a_set(5))
    assert not settled.plan.actions
    again = settle(SPEC, settled.seen, T0 + timedelta(seconds=1))
    assert len(again.plans) == 1
    assert (again.plan.record, again.plan.actions) == (Record.NONE, ())


def test_a_verdict_condition_and_gate_go_in_one_patch() -> None:
    """P-12, P-17, protocol rule 26."""
    told = told_of_first(instance(number=1), Outcome.WRONG_STATUS)
    assert told == PublishHealth(
        name="web-1",
        uid="uid-web-1",
        health=VMHealth.UNHEALTHY,
        reason="WrongStatus",
        message="HTTP 503, 200 is expected; no success for 11s",
        in_rotation=False,
    )


@pytest.mark.parametrize(
    ("spec", "change", "pod"),
    [
        ({"automaticRepairsPolicy": None}, {}, {}),
        ({"repairs": False}, {}, {}),
        ({"policy": {"serviceState": "Suspended"}}, {}, {}),
        ({"policy": {"mode": "Observe"}}, {}, {}),
        ({}, {"status": {"repairs": {"suspendedSince": T0.isoformat()}}}, {}),
        ({}, {}, {"started": T0 - timedelta(minutes=1)}),
        ({}, {}, {"protected_from_actions": True}),
    ],
    ids=["no policy", "off", "suspended", "observing", "by the platform", "in grace", "protected"],
)
def test_a_verdict_is_published_whether_repairs_may_act_or_not(
    spec: dict[str, Any], change: dict[str, Any], pod: dict[str, Any]
) -> None:
    """R-09: it falls ill while nothing may be repaired, and a minute later it is well again."""
    pods = (instance(number=1, **pod), *instances(5)[1:])
    wish = scale_set_spec(**({"replicas": 5} | spec))
    ill = settle(wish, a_set(instances=pods, bad={1: Outcome.WRONG_STATUS}, **change)).plan
    assert (published(ill)["web-1"].health, published(ill)["web-1"].in_rotation) == (
        VMHealth.UNHEALTHY,
        False,
    )
    assert not ill.status.repairs.in_flight
    sick = (instance(number=1, health=VMHealth.UNHEALTHY, **pod), *instances(5)[1:])
    well = settle(wish, a_set(instances=sick, **change)).plan
    assert published(well)["web-1"].health is VMHealth.HEALTHY


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.REFUSED, "connection refused or reset"),
        (Outcome.MALFORMED, "the answer is no HTTP"),
        (Outcome.UNREACHABLE, "no route to it"),
        (Outcome.TIMED_OUT, "no answer in time"),
    ],
)
def test_each_cause_is_told_in_its_own_words(outcome: Outcome, words: str) -> None:
    """R-04."""
    told = told_of_first(instance(number=1), outcome)
    assert told is not None
    assert told.message.startswith(words)


def test_the_first_success_puts_an_instance_back_into_rotation() -> None:
    """P-16."""
    told = told_of_first(instance(number=1, health=VMHealth.UNHEALTHY))
    assert told is not None
    assert (told.health, told.in_rotation) == (VMHealth.HEALTHY, True)


@pytest.mark.parametrize("gate", [None, False])
def test_a_gate_that_something_else_has_set_is_set_back(*, gate: bool | None) -> None:
    """Design.md section 3: what is published is compared with the pod as it stands."""
    told = told_of_first(instance(number=1, in_rotation=gate))
    assert told is not None
    assert (told.health, told.in_rotation) == (VMHealth.HEALTHY, True)


def test_a_gate_opened_by_something_else_on_an_unhealthy_instance_is_closed() -> None:
    """Design.md section 3."""
    first = instance(number=1, health=VMHealth.UNHEALTHY, in_rotation=True)
    told = told_of_first(first, Outcome.WRONG_STATUS)
    assert told is not None
    assert told.in_rotation is False


def test_the_lineage_s_counter_goes_with_the_first_healthy() -> None:
    """R-41: and only then."""
    young = instance(number=1, health=None, attempt=2)
    told = told_of_first(young)
    assert told is not None
    assert told.clear_attempt
    bad = told_of_first(young, Outcome.WRONG_STATUS)
    assert bad is not None
    assert not bad.clear_attempt
    first = told_of_first(instance(number=1, health=None))
    assert first is not None
    assert not first.clear_attempt, "there is none"


def test_unknown_is_written_over_another_verdict_only() -> None:
    """X-05: a pod without the condition is Unknown already; one with it is told so."""
    silent = dict.fromkeys(range(1, 6), evidence(outcome=Outcome.TIMED_OUT))
    pods = (instance(number=1, health=None), *instances(5)[1:])
    told = published(settle(SPEC, a_set(instances=pods, bad=silent)).plan)
    assert set(told) == {f"web-{n}" for n in range(2, 6)}
    assert {act.health for act in told.values()} == {VMHealth.UNKNOWN}
    assert {act.in_rotation for act in told.values()} == {None}


def test_a_pod_on_its_way_out_leaves_rotation_and_has_no_health_written() -> None:
    """R-22, P-20."""
    pods = (replace(instance(number=1), terminating=True), *instances(5)[1:])
    (patch,) = published(settle(SPEC, a_set(instances=pods)).plan).values()
    assert (patch.name, patch.in_rotation, patch.health) == ("web-1", False, None)


def test_health_is_published_though_the_view_is_stale() -> None:
    """X-07: evidence is of this process; acts on the set wait."""
    plan = settle(SPEC, a_set(bad=wrong(1), instances=instances(5), view_is_fresh=False)).plan
    assert set(published(plan)) == {"web-1"}
    assert len(plan.actions) == 1


def test_an_instance_that_flaps_within_its_timeout_is_never_written_on() -> None:
    """P-11, P-12: one failed attempt in between."""
    story = Story.of(SPEC)
    story.turn()
    for _ in range(10):
        story.now += timedelta(seconds=5)
        story.tell(Outcome.WRONG_STATUS, "web-2")
        assert not story.turn().actions
        story.now += timedelta(seconds=5)
        story.tell(Outcome.OK, "web-2")
        assert not story.turn().actions


# --- One that was told that it goes (rule 8) ---------------------------------------------------

DUE = T0 + timedelta(minutes=4)
OUT: dict[str, Any] = {"health": VMHealth.HEALTHY, "in_rotation": False}


def noticed(**fields: Any) -> PublishHealth:
    """What is written on web-1, which the ledger has given notice."""
    values: dict[str, Any] = {"terminate_at": DUE, "in_rotation": True}
    first = instance(**(values | fields))
    recorded = entry(1, 6, phase="Notified", terminateAt=DUE.isoformat())
    seen = a_set(instances=(first, *instances(5)[1:]), status=ledger(recorded, last=6))
    return published(settle(SPEC, seen).plan)["web-1"]


def test_one_under_notice_leaves_rotation_though_it_answers_and_says_why() -> None:
    """Protocol rule 8: Healthy, and no new traffic; with its own words at the gate."""
    told = noticed()
    assert (told.health, told.in_rotation, told.resource_version) == (VMHealth.HEALTHY, False, None)
    assert told.gate_reason == "TerminationDelayed"
    assert told.gate_message == "it was told to go: no new traffic"


def test_one_that_the_prober_does_not_know_leaves_rotation_too() -> None:
    """Protocol rule 8."""
    first = instance(terminate_at=DUE, in_rotation=True)
    recorded = entry(1, 6, phase="Notified", terminateAt=DUE.isoformat())
    seen = a_set(instances=(first, *instances(5)[1:]), status=ledger(recorded, last=6))
    told = published(settle(SPEC, replace(seen, evidence={})).plan)["web-1"]
    assert (told.health, told.in_rotation) == (VMHealth.HEALTHY, False)
    assert told.message == "not yet probed"


def test_of_one_that_was_never_known_no_health_is_written_when_it_leaves() -> None:
    """Protocol rule 26: Unknown is the state of a pod without the condition."""
    assert noticed(health=None, started=None).health is None
    assert noticed(health=VMHealth.UNHEALTHY, started=None).health is VMHealth.UNHEALTHY


@pytest.mark.parametrize(
    ("due", "back"),
    [
        (None, True),
        (T0, False),
        (T0 + timedelta(minutes=4), False),
        (T0 - timedelta(seconds=59), False),
        (T0 - timedelta(minutes=1), True),
        (T0 + timedelta(days=1), False),
        (T0 + timedelta(days=1, seconds=59), False),
        (T0 + timedelta(days=1, minutes=1), True),
        (T0 + timedelta(days=2), True),
    ],
)
def test_a_deadline_that_a_notice_could_name_keeps_it_out_until_the_ledger_is_seen(
    due: Any, *, back: bool
) -> None:
    """Protocol rule 8: a day is the longest notice, and a minute what a view may be behind."""
    told = told_of_first(instance(**OUT, terminate_at=due))
    assert (told is not None) is back
    assert told is None or told.in_rotation
    assert told_of_first(instance(terminate_at=due)) is None, "it takes nobody out"


@pytest.mark.parametrize(
    ("before", "outcome", "fenced"),
    [
        ({"in_rotation": False}, Outcome.OK, True),
        ({"health": None, "in_rotation": None}, Outcome.OK, False),
        ({"in_rotation": False}, Outcome.WRONG_STATUS, False),
        ({"in_rotation": True}, Outcome.WRONG_STATUS, False),
        ({"health": None, "in_rotation": None}, Outcome.WRONG_STATUS, False),
    ],
)
def test_only_what_brings_back_is_written_on_the_version_that_was_seen(
    before: dict[str, Any], outcome: Outcome, *, fenced: bool
) -> None:
    """Protocol rules 8 and 26: what takes out of rotation is never too late."""
    told = told_of_first(instance(**before), outcome)
    assert told is not None
    assert told.resource_version == ("101" if fenced else None)


@pytest.mark.parametrize(("started", "written"), [(None, False), (T0 - timedelta(minutes=1), True)])
def test_the_end_of_a_renewal_is_written_once_there_is_a_start_to_record(
    started: Any, *, written: bool
) -> None:
    """R-26, G9: though neither health nor gate differ."""
    reports = (("Warm", VMHealth.UNHEALTHY, T0),)
    first = instance(
        health=VMHealth.UNHEALTHY, renewing=True, started_is_recorded=False, reports=reports
    )
    own = scale_set_spec(
        replicas=5, healthProbeRef=None, applicationHealth={"podConditionType": "Warm"}
    )
    seen = a_set(instances=(replace(first, started=started), *instances(5)[1:]), probe=None)
    told = published(settle(own, seen).plan).get("web-1")
    assert (told is not None) is written
    assert told is None or told.state_change_time == started
