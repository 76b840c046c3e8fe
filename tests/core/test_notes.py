"""Events: told once per change, with the rule and the reason; one for a whole batch."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from scaleset_operator.api.base import ANNOTATION_SUSPENDED_UNTIL, format_time
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.notes import tell
from scaleset_operator.core.observed import Observed, Outcome, TemplateView
from scaleset_operator.core.plan import Note
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.wishes import unreadable
from tests.core._repairs import replacement, without_first
from tests.core._stories import Settled, a_set, entry, ledger, settle, wrong
from tests.support.builders import instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SPEC = scale_set_spec()
LATE: Final = T0 - 8 * SECOND
"""An entry of then may be cancelled now."""
SUSPENDED: Final = {ANNOTATION_SUSPENDED_UNTIL: format_time(T0 + MINUTE)}


def notes(settled: Settled, reason: str) -> list[Note]:
    return [n for plan in settled.plans for n in plan.notes if n.reason == reason]


def late(first: dict[str, Any] | None = None, **fields: Any) -> Observed:
    """web-1 is ill, and its repair was recorded eight seconds ago; `first` changes web-1."""
    pods = list(instances(40, unhealthy=(1,)))
    pods[0] = replace(pods[0], **(first or {}))
    status = ledger(entry(1, 41, start=LATE), last=41)
    return a_set(**({"instances": tuple(pods), "bad": wrong(1), "status": status} | fields))


def healthy_again() -> Observed:
    return late(instances=instances(40), bad={})


NEVER_CREATED: Final = ledger(entry(1, 41, deleted=T0 - 30 * MINUTE), last=41)


@pytest.mark.parametrize(
    ("reason", "words", "seen"),
    [
        ("RepairCancelled", "Recovered, healthy again", healthy_again()),
        ("RepairCancelled", "RecordExpired, not carried out in time", late()),
        (
            "RepairCancelled",
            "InstanceProtected, protect-from-scale-set-actions",
            late({"protected_from_actions": True}),
        ),
        (
            "RepairFailed",
            "DeleteRefused, the API server refused a write to it",
            late(refused_until={"web-1": T0 + MINUTE}),
        ),
        (
            "RepairFailed",
            "GraceExpired, never created",
            a_set(instances=instances(40)[1:], status=NEVER_CREATED),
        ),
        (
            "RepairFailed",
            "GraceExpired, web-41 was not healthy when its grace ended",
            without_first(
                replacement(started=T0 - 30 * MINUTE, created=T0 - 40 * MINUTE),
                bad={41: Outcome.WRONG_STATUS},
            ),
        ),
    ],
)
def test_a_repair_that_ends_without_success_is_told_with_the_rule_and_why(
    reason: str, words: str, seen: Observed
) -> None:
    """X-11: an Event that named a code alone would send people looking for the fact."""
    (note,) = notes(settle(SPEC, seen), reason)
    assert note == Note(reason=reason, message=f"web-1: {words}", warning=reason == "RepairFailed")


def test_a_repair_whose_replacement_was_taken_by_a_scale_in_says_so() -> None:
    """Protocol rule 6: its victim was under notice, and has gone without one."""
    due = T0 - SECOND
    row = entry(1, 41, phase="Notified", terminateAt=due.isoformat()) | {"replacement": None}
    seen = a_set(instances=instances(40)[1:], status=ledger(row, last=41))
    (note,) = notes(settle(scale_set_spec(replicas=39), seen), "RepairCancelled")
    assert note.message == "web-1: ScaledIn, fewer instances are wanted"


def test_a_repair_that_is_one_too_many_needs_no_more_words_than_its_code() -> None:
    """R-11, X-11: the cap has shrunk."""
    recorded = ledger(entry(1, 41, start=LATE), entry(2, 42, start=LATE - SECOND), last=42)
    pods = instances(20, unhealthy=(1, 2))
    few = settle(
        scale_set_spec(replicas=20), a_set(instances=pods, bad=wrong(1, 2), status=recorded)
    )
    told = [note.message for note in notes(few, "RepairCancelled")]
    assert told[0].startswith("web-1: BatchLimitReached; ")
    assert told[0].endswith("in time")


def test_ten_at_most_are_named_in_one_event() -> None:
    """G8: an Event has a bound, and the ledger has them all."""
    numbers = range(1, 13)
    recorded = ledger(*(entry(n, 300 + n, start=LATE) for n in numbers), last=400)
    spec = scale_set_spec(replicas=240)
    seen = a_set(instances=instances(240), status=recorded)
    (cancelled,) = notes(settle(spec, seen), "RepairCancelled")
    assert cancelled.message.count("Recovered") == 10
    ill = a_set(240, bad=wrong(*numbers))
    (began,) = notes(settle(spec, ill), "RepairStarted")
    assert began.message.count("HTTP 503") == 10
    assert began.message.endswith("(12 of 12 in flight)")


def test_the_end_of_a_silence_is_told_once() -> None:
    """X-05, G8."""
    doubts = [{"group": "set", "since": (T0 - MINUTE).isoformat()}]
    settled = settle(SPEC, a_set(status=ledger(doubts=doubts, last=40)))
    (note,) = notes(settled, "Answering")
    assert not note.warning
    assert not notes(settle(SPEC, settled.seen, T0 + SECOND), "Answering")


def test_an_advice_that_stands_is_told_once_and_a_refusal_anew() -> None:
    """X-11: by the reason of Accepted, and by its status."""
    first = settle(SPEC, a_set(foreign=("alien",)))
    assert not [n for plan in first.plans for n in plan.notes if n.reason == "ForeignPods"]
    fell = settle(SPEC, replace(first.seen, overlaps_with="older"))
    assert [n.warning for n in notes(fell, "SelectorOverlap")] == [True]
    other = replace(fell.seen, overlaps_with=None, instances=(*fell.seen.instances[1:],))
    again = settle(scale_set_spec(replicas=39), replace(other, foreign=()))
    assert not notes(again, "Valid")


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (None, ("False", "SelectorOverlap"), True),
        (("True", "Valid"), ("False", "InvalidTemplate"), True),
        (("False", "InvalidTemplate"), ("False", "InvalidTemplate"), False),
        (None, ("True", "GraceTooShort"), True),
        (("True", "Valid"), ("True", "GraceTooShort"), True),
        (("True", "GraceTooShort"), ("True", "GraceTooShort"), False),
        (("True", "GraceTooShort"), ("True", "Valid"), False),
        (None, ("True", "Valid"), False),
        (None, None, False),
    ],
)
def test_what_is_refused_or_advised_is_told_once(before: Any, now: Any, *, told: bool) -> None:
    """X-11, R-32, G8."""
    recorded, next_one = _accepted(before), _accepted(now)
    scene = Scene.of(SPEC, a_set(status=recorded), T0)
    found = list(tell(scene, [], [], next_one))
    assert found == ([Note(reason=now[1], message="why", warning=True)] if told else [])


def _accepted(word: tuple[str, str] | None) -> ScaleSetStatus:
    """A status with the condition Accepted behind another one, or without it."""
    words = [("Ready", "True", "AllHealthy")] + ([("Accepted", *word)] if word else [])
    rows = [
        {"type": kind, "status": status, "reason": reason, "message": "why"}
        | {"lastTransitionTime": T0.isoformat()}
        for kind, status, reason in words
    ]
    return ScaleSetStatus.model_validate({"conditions": rows})


RUNNING: Final = {"serviceState": "Running", "reason": "PolicyEnabled"}
OFF: Final = {"serviceState": "NotRunning", "reason": "Disabled"}
BY_USER: Final = {
    "serviceState": "Suspended",
    "reason": "SuspendedByUser",
    "suspendedBy": "User",
}
TIMED: Final = BY_USER | {"untilTime": "2026-11-21T09:00:00Z", "message": "migration"}
BY_PLATFORM: Final = {
    "serviceState": "Suspended",
    "reason": "SuspendedByPlatform",
    "suspendedBy": "Platform",
    "message": "three failed",
}


@pytest.mark.parametrize(
    ("then", "now", "told"),
    [
        (None, RUNNING, None),
        (None, OFF, None),
        (None, None, None),
        (RUNNING, RUNNING, None),
        (OFF, RUNNING, ("RepairsEnabled", "repairs are Running")),
        (RUNNING, OFF, ("RepairsDisabled", "automatic repairs are not enabled")),
        (RUNNING, None, ("RepairsDisabled", "automatic repairs are not enabled")),
        (None, BY_USER, ("RepairsSuspended", "by User")),
        (RUNNING, TIMED, ("RepairsSuspended", "by User until 2026-11-21T09:00:00Z: migration")),
        (BY_USER, BY_PLATFORM, ("RepairsSuspended", "by Platform: three failed")),
        (BY_PLATFORM, BY_PLATFORM, None),
        (BY_PLATFORM, RUNNING, ("RepairsResumed", "repairs are Running")),
    ],
)
def test_each_state_of_repairs_is_told_once(then: Any, now: Any, told: Any) -> None:
    """R-46: by whom, until when and why."""
    recorded, next_one = _serving(then), _serving(now)
    found = list(tell(Scene.of(SPEC, a_set(status=recorded), T0), [], [], next_one))
    warns = told is not None and told[0] == "RepairsSuspended"
    assert found == ([Note(reason=told[0], message=told[1], warning=warns)] if told else [])


def test_a_request_that_cannot_be_read_is_answered_once() -> None:
    """R-37: from then on its text stands in status."""
    asked = a_set(status=_serving(RUNNING), annotations={ANNOTATION_SUSPENDED_UNTIL: "tomorrow"})
    scene = Scene.of(SPEC, asked, T0)
    answered = _serving(RUNNING | {"message": unreadable(scene)})
    (note,) = tell(scene, [], [], answered)
    assert note == Note(reason="RequestRefused", message=unreadable(scene), warning=True)
    known = Scene.of(SPEC, replace(asked, status=answered), T0)
    assert not list(tell(known, [], [], answered))
    first = Scene.of(SPEC, replace(asked, status=_serving(None)), T0)
    assert list(tell(first, [], [], answered)) == [note]
    assert not list(tell(first, [], [], _serving(None))), "without a policy there is no answer"


def _serving(service: dict[str, Any] | None) -> ScaleSetStatus:
    rows = [] if service is None else [service]
    return ScaleSetStatus.model_validate({"orchestrationServices": rows})


def test_a_terminate_notice_is_told_when_it_was_given_and_once() -> None:
    """R-51, G8: not with the record, which may still be cancelled."""
    due = T0 + 5 * MINUTE
    rows = [entry(n, 40 + n, terminateAt=due.isoformat()) for n in (1, 2)]
    recorded = ledger(*rows, last=42)
    ill = list(instances(40, unhealthy=(1, 2)))
    seen = a_set(instances=tuple(ill), bad=wrong(1, 2), status=recorded)
    assert not notes(settle(SPEC, seen), "TerminateNotice")
    ill[0] = replace(ill[0], terminate_at=due)
    given = settle(SPEC, replace(seen, instances=tuple(ill)))
    told = {note.message for note in notes(given, "TerminateNotice")}
    assert told == {f"web-1 goes at {format_time(due)} or when it approves"}
    later = settle(SPEC, replace(given.seen, annotations=SUSPENDED), T0 + SECOND)
    assert notes(later, "RepairsSuspended"), "another record is written"
    assert not notes(later, "TerminateNotice")


def test_a_rollout_that_goes_on_is_told_once() -> None:
    """X-11, G8: with its first batch."""
    first = settle(SPEC, a_set(template=TemplateView(model="m2")))
    assert len(notes(first, "RolloutStarted")) == 1
    later = settle(SPEC, replace(first.seen, annotations=SUSPENDED), T0 + SECOND)
    assert notes(later, "RepairsSuspended"), "another record is written"
    assert not notes(later, "RolloutStarted")
