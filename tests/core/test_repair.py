"""Who is repaired next, what is recorded of it, and what is told of those under repair."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.observed import Instance, Outcome
from scaleset_operator.core.plan import Decision
from tests.core._stories import a_set, entry, ledger, reasons, settle, wrong
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SPEC = scale_set_spec()
NOTICE: Final = {"enable": True, "notBeforeTimeout": "PT5M"}


# --- What is recorded --------------------------------------------------------------------------


def test_an_entry_says_by_which_reason_it_was_opened() -> None:
    """X-11: the code beside the words; the history and the metrics take it from there."""
    (made,) = settle(SPEC, a_set(bad=wrong(1))).entries
    assert (made.cause_reason, made.start_time) == (Reason.WRONG_STATUS, T0)


def test_a_repair_that_keeps_the_pod_gives_no_notice() -> None:
    """R-51: nobody goes."""
    for action, due in (("Replace", T0 + 5 * MINUTE), ("Restart", None)):
        spec = scale_set_spec(policy={"repairAction": action}, terminateNotificationProfile=NOTICE)
        (made,) = settle(spec, a_set(bad=wrong(1))).entries
        assert made.terminate_at == due


# --- A healthy witness -------------------------------------------------------------------------


def doubted(witness: Instance | None, *bad: int, **status: Any) -> Any:
    """A set whose silence is resolved in part: its witness was web-41."""
    doubts = [{"group": "set", "since": (T0 - MINUTE).isoformat(), "witness": "web-41"}]
    pods = (*instances(40, unhealthy=bad), *([witness] if witness else ()))
    recorded = ledger(*status.pop("flight", ()), doubts=doubts, last=41)
    return a_set(instances=pods, bad=wrong(*bad), status=recorded, prober=SILENT)


SILENT = a_set().prober


def heirs(settled: Any) -> dict[str, tuple[str | None, str | None]]:
    return {e.instance: (e.replacement, e.replacement_uid) for e in settled.entries}


def test_a_healthy_witness_takes_the_first_place_and_is_not_made_again() -> None:
    """Protocol rule 18: it is there, so its UID is known; the next one gets the next name."""
    first = settle(SPEC, doubted(instance(number=41), 1, 2)).entries
    by_name = {e.instance: (e.replacement, e.replacement_uid) for e in first}
    assert by_name == {"web-1": ("web-41", "uid-web-41"), "web-2": ("web-42", None)}


@pytest.mark.parametrize(
    "witness",
    [
        None,
        instance(number=41, health=None, started=None),
        instance(number=41, terminating=True),
        instance(number=41, over=True),
    ],
    ids=["none", "starting", "terminating", "over"],
)
def test_a_witness_that_is_not_healthy_takes_no_place(witness: Instance | None) -> None:
    """Protocol rule 18."""
    assert heirs(settle(SPEC, doubted(witness, 1)))["web-1"] == ("web-42", None)


def test_a_witness_that_has_a_place_already_takes_no_second_one() -> None:
    """Protocol rule 18: one pod makes up for one victim."""
    flight = (entry(1, 41, deleted=T0 - MINUTE),)
    seen = doubted(instance(number=41, health=None, started=None), 1, 2, flight=flight)
    gone = replace(seen, instances=seen.instances[1:])
    assert heirs(settle(SPEC, gone))["web-2"] == ("web-42", None)


# --- What is told ------------------------------------------------------------------------------


def test_in_a_storm_whoever_waits_for_the_one_slot_is_told_so() -> None:
    """R-60, X-11: another reason than the batch's own limit."""
    storm = scale_set_spec(policy={"maxUnhealthyPercent": 10})
    settled = settle(storm, a_set(bad=wrong(*range(1, 6))))
    assert len(settled.entries) == 1
    assert set(reasons(settled.plan).values()) - {Reason.REPLACEMENT_STARTING} == {
        Reason.HEALTH_STORM
    }
    calm = settle(SPEC, a_set(bad=wrong(*range(1, 6))))
    assert Reason.BATCH_LIMIT_REACHED in reasons(calm.plan).values()


def told(settled: Any, name: str = "web-1") -> Decision:
    found: Decision = next(d for d in settled.plan.decisions if d.instance == name)
    return found


DUE = T0 + 4 * MINUTE
NOTICED: Final = {"start": T0 - MINUTE, "phase": "Notified", "terminateAt": DUE.isoformat()}


def under_notice(*more: Instance, bad: Any = (), **fields: Any) -> Any:
    first = instance(health=VMHealth.UNHEALTHY, since=T0 - HOUR, terminate_at=DUE)
    second = instance(number=2, health=VMHealth.UNHEALTHY)
    recorded = ledger(entry(1, 41, **NOTICED) | fields, entry(2, 42), last=42)
    seen = a_set(
        instances=(first, second, *instances(40)[2:], *more),
        bad=wrong(1, 2, *bad),
        status=recorded,
    )
    return settle(SPEC, seen)


def test_of_one_under_notice_it_is_told_when_it_goes_and_what_follows_it() -> None:
    """R-54, X-11: and it hides none of those behind it."""
    settled = under_notice()
    assert told(settled) == Decision(
        instance="web-1",
        health=VMHealth.UNHEALTHY,
        since=T0 - HOUR,
        decision="Repairing",  # type: ignore[arg-type]
        reason=Reason.TERMINATION_DELAYED,
        message="HTTP 503; replaced by web-41; deleted at 2026-11-21T08:04:00Z or on approval",
        until=DUE,
    )
    assert told(settled, "web-2").reason is Reason.REPLACEMENT_STARTING
    alone = told(under_notice(replacement=None))
    assert "; not replaced; deleted at " in alone.message


def test_a_replacement_that_fell_ill_waits_for_the_end_of_the_notice() -> None:
    """X-11: until then the repair that it belongs to cannot close."""
    ill = instance(number=41, health=VMHealth.UNHEALTHY)
    waits = told(under_notice(ill, bad=[41]), "web-41")
    assert (waits.reason, waits.until) == (Reason.WAITING_FOR_HEALTH, DUE)
    assert waits.message == "it replaces web-1, whose repair is not closed"
    recorded = ledger(entry(1, 41, deleted=T0 - MINUTE), last=41)
    pods = (*instances(40)[1:], ill)
    open_ended = settle(SPEC, a_set(instances=pods, bad=wrong(41), status=recorded))
    assert told(open_ended, "web-41").until is None


def in_place(phase: str, *, started: bool) -> Decision:
    first = instance(
        health=VMHealth.UNHEALTHY, since=T0 - HOUR, renewing=phase != "Recorded", attempt=1
    )
    images = {"fromImages": ["instance:1"], "targetImages": ["docker.io/library/instance:1"]}
    if phase != "Recorded":
        moved = replace(first.containers, images=("docker.io/library/instance:1",))
        first = replace(first, containers=moved, started=T0 - MINUTE)
    if not started:
        first = replace(first, started=None)
    row = entry(1, 41, action="Restart", phase=phase, fromModel="m1", **images)
    recorded = ledger(row | {"replacement": None}, last=40)
    spec = scale_set_spec(policy={"repairAction": "Restart"})
    seen = a_set(instances=(first, *instances(40)[1:]), bad=wrong(1), status=recorded)
    return told(settle(spec, seen))


@pytest.mark.parametrize(
    ("phase", "started", "reason"),
    [
        ("Recorded", True, Reason.RESTARTING),
        ("Restarting", False, Reason.RESTARTING),
        ("Restarting", True, Reason.WAITING_FOR_HEALTH),
    ],
)
def test_of_one_that_restarts_it_is_told_how_far_it_is(
    phase: str, reason: Reason, *, started: bool
) -> None:
    """X-11: it is renewed in place, and waits for its containers or for its health."""
    found = in_place(phase, started=started)
    assert (found.reason, found.since) == (reason, T0 - HOUR)
    assert found.message == "HTTP 503; renewed in place"


@pytest.mark.parametrize(
    ("successor", "reason"),
    [
        (None, Reason.REPLACEMENT_STARTING),
        (instance(number=41, health=None, started=None), Reason.REPLACEMENT_STARTING),
        (instance(number=41, health=None, started=T0 - MINUTE), Reason.WAITING_FOR_HEALTH),
    ],
)
def test_of_one_that_is_gone_it_is_told_how_far_its_replacement_is(
    successor: Instance | None, reason: Reason
) -> None:
    """X-11: since the repair began, for there is no verdict on it any more."""
    pods = (*instances(40)[1:], *([successor] if successor else ()))
    start = T0 - 2 * MINUTE
    recorded = ledger(entry(1, 41, deleted=T0 - MINUTE, start=start), last=41)
    bad = {41: Outcome.WRONG_STATUS} if successor and successor.started else {}
    found = told(settle(SPEC, a_set(instances=pods, bad=bad, status=recorded)))
    assert (found.reason, found.since, found.health) == (reason, start, VMHealth.UNHEALTHY)
    assert found.message == "HTTP 503; replaced by web-41"
