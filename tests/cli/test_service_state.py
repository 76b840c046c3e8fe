"""Suspend and Resume: what is changed, what is refused, and how it is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import (
    ANNOTATION_RESUME_REQUESTED_AT,
    ANNOTATION_SUSPENDED_REASON,
    ANNOTATION_SUSPENDED_UNTIL,
    format_time,
)
from scaleset_operator.cli.failures import Failure
from scaleset_operator.cli.service_state import end_of, resume, suspend
from tests.support.builders import raw_spec
from tests.support.fake_clock import T0

HOUR = timedelta(hours=1)
SUSPENDED = {"spec": {"automaticRepairsPolicy": {"serviceState": "Suspended"}}}
RUNNING = {"spec": {"automaticRepairsPolicy": {"serviceState": "Running"}}}


def scale_set(
    *,
    policy: dict[str, Any] | None = None,
    annotations: dict[str, str] | None = None,
    repairs: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A set with repairs, as the API server holds it."""
    spec = raw_spec(automaticRepairsPolicy={"enabled": True} | (policy or {}))
    return {
        "metadata": {"name": "web", "namespace": "shop", "annotations": annotations or {}},
        "spec": spec,
        "status": {"repairs": repairs or {}},
    }


def annotated(**marks: str | None) -> dict[str, Any]:
    """A patch of annotations."""
    names = {
        "until": ANNOTATION_SUSPENDED_UNTIL,
        "reason": ANNOTATION_SUSPENDED_REASON,
        "resume": ANNOTATION_RESUME_REQUESTED_AT,
    }
    return {"metadata": {"annotations": {names[key]: value for key, value in marks.items()}}}


PLATFORM = {
    "suspendedSince": format_time(T0 - HOUR),
    "suspendedCause": "3 repairs in a row failed, model 6f9c",
}


# --- Spans and times ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("2h", timedelta(hours=2)),
        ("1h30m", timedelta(minutes=90)),
        ("90m", timedelta(minutes=90)),
        ("1d", timedelta(days=1)),
        ("PT2H", timedelta(hours=2)),
        ("P1D", timedelta(days=1)),
        ("45s", timedelta(seconds=45)),
        ("366d", timedelta(days=366)),
    ],
)
def test_a_span_is_read_as_people_and_as_manifests_write_it(text: str, span: timedelta) -> None:
    assert end_of(text, None, T0) == T0 + span


@pytest.mark.parametrize("text", ["", "2", "-2h", "0h", "2 h", "1.5h", "P1M", "367d", "h", "٢h"])
def test_a_span_that_cannot_be_meant_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(Failure, match=r"--for is .*: allowed is"):
        end_of(text, None, T0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "18:00",
        "2026-11-20",
        format_time(T0),
        format_time(T0 - HOUR),
        format_time(T0 + timedelta(days=367)),
        (T0 + HOUR).replace(tzinfo=None).isoformat(),
        "9999-12-31T23:59:59-12:00",
    ],
)
def test_a_time_without_a_zone_or_past_or_too_far_is_refused(text: str) -> None:
    with pytest.raises(Failure, match=r"--until is .*: allowed is"):
        end_of(None, text, T0)


def test_two_ends_are_one_too_many() -> None:
    with pytest.raises(Failure, match="allowed is one of them"):
        end_of("2h", format_time(T0 + HOUR), T0)


def test_without_either_there_is_no_end() -> None:
    assert end_of(None, None, T0) is None


# --- Suspend -----------------------------------------------------------------------------------


def test_suspending_for_good_writes_the_owners_wish() -> None:
    """R-38: the verb is Suspend, the state Suspended."""
    act = suspend(scale_set(), None, None, T0)
    assert act.patch == SUSPENDED
    assert (act.was, act.now) == ("Running", "Suspended by User")


def test_suspending_with_an_end_leaves_the_spec_alone() -> None:
    """A Git manifest that says Running does not end it."""
    act = suspend(scale_set(), T0 + 2 * HOUR, "drill", T0)
    until = format_time(T0 + 2 * HOUR)
    assert act.patch == annotated(until=until, reason="drill")
    assert act.now == f"Suspended by User until {until} (drill)"


def test_suspending_again_changes_nothing() -> None:
    for_good = scale_set(policy={"serviceState": "Suspended"})
    assert suspend(for_good, None, None, T0).patch == {}
    until = format_time(T0 + HOUR)
    for_a_while = scale_set(annotations={ANNOTATION_SUSPENDED_UNTIL: until})
    assert suspend(for_a_while, T0 + HOUR, None, T0).patch == {}


def test_another_end_is_written_and_the_reason_stays() -> None:
    held = {ANNOTATION_SUSPENDED_UNTIL: format_time(T0 + HOUR), ANNOTATION_SUSPENDED_REASON: "x"}
    act = suspend(scale_set(annotations=held), T0 + 2 * HOUR, None, T0)
    assert act.patch == annotated(until=format_time(T0 + 2 * HOUR))


def test_a_reason_of_a_suspension_that_has_lapsed_is_not_taken_over() -> None:
    held = {ANNOTATION_SUSPENDED_UNTIL: format_time(T0 - HOUR), ANNOTATION_SUSPENDED_REASON: "old"}
    act = suspend(scale_set(annotations=held), None, None, T0)
    assert act.patch == SUSPENDED | annotated(until=None, reason=None)


def test_an_end_makes_no_sense_where_the_spec_says_suspended() -> None:
    """design.md section 3: the annotation never overrides a Suspended spec."""
    with pytest.raises(Failure, match="serviceState of ScaleSet shop/web is Suspended"):
        suspend(scale_set(policy={"serviceState": "Suspended"}), T0 + HOUR, None, T0)


def test_there_must_be_repairs_to_suspend() -> None:
    """NotRunning is no state to suspend."""
    with pytest.raises(Failure, match=r"enabled of ScaleSet shop/web is false.*allowed is true"):
        suspend(scale_set(policy={"enabled": False}), None, None, T0)
    bare = {
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": raw_spec(automaticRepairsPolicy=None),
    }
    with pytest.raises(Failure, match=r"has no spec\.automaticRepairsPolicy"):
        suspend(bare, None, None, T0)


@pytest.mark.parametrize("reason", ["", "x" * 257])
def test_a_reason_has_bounds(reason: str) -> None:
    with pytest.raises(Failure, match=r"--reason has .* allowed are 1 to 256"):
        suspend(scale_set(), None, reason, T0)


def test_what_is_in_flight_is_told() -> None:
    """It finishes."""
    entry = {
        "instance": "web-1",
        "uid": "u",
        "action": "Replace",
        "cause": "x",
        "phase": "Recorded",
        "startTime": format_time(T0),
    }
    act = suspend(scale_set(repairs={"inFlight": [entry]}), None, None, T0)
    assert act.hint == "1 in flight"


# --- Resume ------------------------------------------------------------------------------------


def test_resuming_takes_back_whatever_a_person_did() -> None:
    held = {ANNOTATION_SUSPENDED_UNTIL: format_time(T0 + HOUR), ANNOTATION_SUSPENDED_REASON: "x"}
    act = resume(scale_set(policy={"serviceState": "Suspended"}, annotations=held), T0)
    assert act.patch == RUNNING | annotated(until=None, reason=None)
    assert (act.was, act.now, act.question) == ("Suspended by User (x)", "Running", "")


def test_resuming_what_runs_changes_nothing() -> None:
    act = resume(scale_set(), T0)
    assert (act.patch, act.was, act.now) == ({}, "Running", "Running")


def test_a_suspension_by_the_platform_is_asked_about_with_its_cause() -> None:
    """R-44: a person resumes it, by a request that the operator answers."""
    act = resume(scale_set(repairs=PLATFORM), T0)
    assert act.patch == annotated(resume=format_time(T0))
    assert "3 repairs in a row failed, model 6f9c" in act.question
    assert "Suspended by Platform" in act.was
    assert f"to be resumed as asked at {format_time(T0)}" in act.now


@pytest.mark.parametrize(
    "repairs",
    [
        {"suspendedSince": format_time(T0 + HOUR)},
        {
            "suspendedSince": format_time(T0 - HOUR),
            "lastHandledResumeRequest": format_time(T0 + HOUR),
        },
    ],
)
def test_a_request_counts_even_where_this_clock_is_behind(repairs: dict[str, str]) -> None:
    """Protocol rule 13: it must be later than the suspension and than the last one answered."""
    act = resume(scale_set(repairs=repairs), T0)
    assert act.patch == annotated(resume=format_time(T0 + HOUR + timedelta(seconds=1)))


def test_a_request_that_stands_is_not_made_again() -> None:
    held = {ANNOTATION_RESUME_REQUESTED_AT: format_time(T0 - timedelta(minutes=1))}
    act = resume(scale_set(annotations=held, repairs=PLATFORM), T0)
    assert (act.patch, act.question) == ({}, "")
    assert "to be resumed as asked" in act.now


def test_a_request_that_was_answered_before_does_not_count_again() -> None:
    """It may stand in a Git manifest for ever."""
    old = format_time(T0 - 2 * HOUR)
    held = {ANNOTATION_RESUME_REQUESTED_AT: old}
    act = resume(scale_set(annotations=held, repairs=PLATFORM), T0)
    assert act.patch == annotated(resume=format_time(T0))


def test_a_set_of_another_shape_is_told_and_not_thrown() -> None:
    with pytest.raises(Failure, match="cannot be read"):
        resume({"metadata": {"name": "web", "namespace": "shop"}, "spec": {"replicas": "x"}}, T0)
