"""What instances are told of maintenance, and the number that goes with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.api.base import ANNOTATION_PERFORM_MAINTENANCE
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.scheduled_events import (
    STEP,
    EventSource,
    EventStatus,
    EventType,
    events_of,
    incarnation,
    number_for,
    own_event,
)
from tests.support.builders import instance
from tests.support.fake_clock import T0

if TYPE_CHECKING:
    from scaleset_operator.core.observed import Instance

WINDOW = "host-patch-nov"
START = datetime(2026, 11, 27, 2, tzinfo=UTC)
OPENS, CLOSES = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 27, tzinfo=UTC)
ABORTED = '{"lastOperationResultCode": "MaintenanceAborted"}'
COMPLETED = '{"lastOperationResultCode": "MaintenanceCompleted"}'
RETRY = '{"lastOperationResultCode": "RetryLater"}'
STOP = {"reason": "MaintenanceStopped", "time": T0.isoformat()}


def mark(iteration: int = 1) -> str:
    return f"{WINDOW}/{iteration}/0b6f6a0c/2026-11-27T08:00:00Z"


def row(iteration: int = 1, **fields: Any) -> dict[str, Any]:
    """An iteration as the set has it."""
    times = {"preStartTime": OPENS.isoformat(), "preEndTime": CLOSES.isoformat()}
    start = {"startTime": START.isoformat()}
    who = {"window": WINDOW, "iteration": iteration, "mark": mark(iteration)}
    return who | times | start | fields


def entry(number: int, phase: str = "Recorded", **fields: Any) -> dict[str, Any]:
    """An instance that is being moved."""
    return {
        "instance": f"web-{number}",
        "uid": f"uid-web-{number}",
        "window": WINDOW,
        "iteration": 1,
        "mark": mark(),
        "impact": "Redeploy",
        "origin": "Scheduled",
        "phase": phase,
        "startTime": (START + timedelta(minutes=5)).isoformat(),
        "phaseTime": (START + timedelta(minutes=6)).isoformat(),
    } | fields


def status(
    *entries: dict[str, Any], rows: tuple[dict[str, Any], ...] = (), number: int | None = None
) -> ScaleSetStatus:
    ledger = {"inFlight": list(entries), "iterations": list(rows)}
    body = {"maintenance": ledger, "scheduledEventsIncarnation": number}
    return ScaleSetStatus.model_validate(body)


def asker(number: int = 7, *, marked: str = mark(), said: str = "") -> Instance:
    return instance(number=number, mark=marked, maintenance=said)


# --- Ahead -------------------------------------------------------------------------------------


def test_an_included_instance_learns_when_it_is_moved_at_the_earliest() -> None:
    """M-19, V-30: never before the scheduled window opens, unless its owner asks for it."""
    event = own_event(status(rows=(row(),)), asker())
    assert event is not None
    assert (event.event_type, event.status) == (EventType.REDEPLOY, EventStatus.SCHEDULED)
    assert event.instances == (("web-7", "uid-web-7"),)
    assert event.not_before == START
    assert event.source is EventSource.PLATFORM
    assert event.approval == (ANNOTATION_PERFORM_MAINTENANCE, WINDOW)
    assert event.open == (OPENS, CLOSES)
    assert event.description == "Maintenance: host-patch-nov, iteration 1"


def test_a_pause_is_a_freeze_of_half_a_minute_and_nothing_is_nothing() -> None:
    """M-01: what is not felt is not told."""
    event = own_event(status(rows=(row(impact="Pause"),)), asker())
    assert event is not None
    assert (event.event_type, event.duration) == (EventType.FREEZE, timedelta(seconds=30))
    assert own_event(status(rows=(row(impact="None"),)), asker()) is None
    assert events_of(status(entry(7, impact="None"))) == ()


def test_without_a_self_service_window_it_is_never_open() -> None:
    event = own_event(status(rows=(row(preStartTime=None, preEndTime=None),)), asker())
    assert event is not None
    assert event.open == (START, START)


@pytest.mark.parametrize(
    ("seen", "who"),
    [
        (status(rows=(row(),)), None),
        (status(rows=(row(),)), asker(marked="")),
        (status(rows=(row(),)), asker(marked=mark(2))),
        (status(rows=(row(),)), asker(said=COMPLETED)),
        (status(rows=(row(),)), asker(said=ABORTED)),
        (status(rows=(row(stopped=STOP),)), asker()),
        (status(entry(7, "Ending"), rows=(row(),)), asker()),
        (status(rows=(row(startTime=None),)), asker()),
        (status(), asker()),
        (ScaleSetStatus(), asker()),
    ],
)
def test_what_is_not_ahead_is_not_told(seen: ScaleSetStatus, who: Instance | None) -> None:
    """V-30: neither what is over, nor what does not concern the one that asks."""
    assert own_event(seen, who) is None


def test_one_that_could_not_be_taken_yet_is_still_told() -> None:
    """V-14: it stays in."""
    assert own_event(status(rows=(row(),)), asker(said=RETRY)) is not None


# --- Begun -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "said"),
    [
        ("Recorded", EventStatus.SCHEDULED),
        ("Placed", EventStatus.SCHEDULED),
        ("Moving", EventStatus.STARTED),
        ("Returning", EventStatus.STARTED),
    ],
)
def test_one_that_has_begun_is_told_to_all(phase: str, said: EventStatus) -> None:
    """M-19, V-30: and under the id under which it was told before."""
    before = own_event(status(rows=(row(),)), asker())
    (event,) = events_of(status(entry(7, phase), rows=(row(),)))
    assert before is not None
    assert event.event_id == before.event_id
    assert (event.status, event.not_before) == (said, START)
    assert event.approval is None, "it comes by itself"
    assert own_event(status(entry(7, phase), rows=(row(),)), asker()) is None, "and once only"


def test_what_its_owner_began_comes_earlier_and_says_so() -> None:
    at = OPENS + timedelta(days=1)
    mine = entry(7, origin="SelfService", startTime=at.isoformat())
    (event,) = events_of(status(mine, rows=(row(),)))
    assert (event.source, event.not_before) == (EventSource.USER, at)


def test_one_whose_result_is_known_has_left_the_list() -> None:
    """V-30."""
    assert events_of(status(entry(7, "Ending"), entry(8, "Moving"))) != ()
    assert events_of(status(entry(7, "Ending"))) == ()


# --- The number --------------------------------------------------------------------------------


def test_an_announcement_and_its_end_move_the_number_and_counts_do_not() -> None:
    nothing, announced = status(), status(rows=(row(),))
    first = incarnation(nothing, announced, T0)
    assert first == int(T0.timestamp())
    counted = status(rows=(row(pending=3, targeted=3),), number=first)
    assert incarnation(status(rows=(row(),), number=first), counted, T0) == first
    assert incarnation(counted, status(number=first), T0) == first + STEP
    stopped = status(rows=(row(stopped=STOP),), number=first)
    assert incarnation(counted, stopped, T0) == first + STEP


POD = st.tuples(st.booleans(), st.sampled_from(["", RETRY, COMPLETED, ABORTED]))
LIFE = st.lists(
    st.tuples(
        st.sampled_from([(), (1,), (1, 2), (2,)]),
        st.sampled_from([None, "Recorded", "Moving", "Returning", "Ending"]),
        st.sampled_from([1, 2]),
        st.lists(POD, max_size=3),
    ),
    max_size=12,
)


@given(LIFE)
def test_another_document_never_has_the_same_number(
    steps: list[tuple[tuple[int, ...], str | None, int, list[tuple[bool, str]]]],
) -> None:
    """V-30: whatever comes to the status and to the pod, in whichever order they are heard of.

    What is recorded rises by more than what stands on a pod adds. Between two records a pod is not
    marked by two iterations: it is free for another only once the first has left the status.
    """
    recorded, one_mark = status(), ""
    seen: dict[int, object] = {}
    for iterations, phase, iteration, pods in steps:
        entries = [entry(7, phase)] if phase is not None else []
        written = status(*entries, rows=tuple(row(i) for i in iterations))
        number = incarnation(recorded, written, T0)
        last = recorded.scheduled_events_incarnation or 0
        if number != recorded.scheduled_events_incarnation:
            one_mark = mark(iteration)
        recorded = written.model_copy(update={"scheduled_events_incarnation": number})
        for is_marked, said in [(False, ""), *pods]:
            one = asker(marked=one_mark if is_marked else "", said=said) if number else asker()
            told = number_for(recorded, one)
            document = (events_of(recorded), own_event(recorded, one))
            assert seen.setdefault(told, document) == document
            assert last <= told < (number or 0) + STEP


def test_through_an_iteration_the_number_only_rises() -> None:
    """V-30: announced, ahead, begun, moved, done, over."""
    steps: list[tuple[ScaleSetStatus, Instance]] = [
        (status(rows=(row(),)), asker(marked="")),
        (status(rows=(row(),)), asker()),
        (status(entry(7), rows=(row(),)), asker()),
        (status(entry(7, "Moving"), rows=(row(),)), asker()),
        (status(entry(7, "Ending"), rows=(row(),)), asker()),
        (status(entry(7, "Ending"), rows=(row(),)), asker(said=COMPLETED)),
        (status(rows=(row(),)), asker(said=COMPLETED)),
        (status(), asker(said=COMPLETED)),
        (status(), asker(marked="")),
    ]
    before, numbers = status(), []
    for written, who in steps:
        number = incarnation(before, written, T0)
        before = written.model_copy(update={"scheduled_events_incarnation": number})
        numbers.append(number_for(before, who))
    assert numbers == sorted(numbers)
    assert len(set(numbers[:4])) == 4
