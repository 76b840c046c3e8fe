"""A person's suspension by annotation, and every change of the service's state told once."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.api.scalesetstatus import OrchestrationService
from scaleset_operator.core.observed import Observed, Outcome
from scaleset_operator.core.plan import Note, Plan, Record
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.wishes import moment_in, suspended_because, unreadable
from tests.core._stories import (
    Settled,
    a_set,
    condition,
    entry,
    ledger,
    reasons,
    settle,
    under_repair,
    wrong,
)
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SPEC = scale_set_spec()
BY_SPEC = scale_set_spec(policy={"serviceState": "Suspended"})
UNTIL = "scaleset.dev/repairs-suspended-until"
WHY = "scaleset.dev/repairs-suspended-reason"
RESUME = "scaleset.dev/repairs-resume-requested-at"


def asked(until: str, why: str = "", **fields: Any) -> Observed:
    """A set in which web-1 answers 503, with a person's annotations on it."""
    marks = {UNTIL: until} | ({WHY: why} if why else {})
    return replace(a_set(bad=wrong(1), **fields), annotations=marks)


def service(plan: Plan) -> OrchestrationService:
    (told,) = plan.status.orchestration_services
    return told


def notes(settled: Settled) -> list[Note]:
    """Those that went with a record; a plan that asks to read first is not recorded."""
    recorded = [p for p in settled.plans if p.record is Record.NOW and not p.reads]
    return [note for plan in recorded for note in plan.notes]


def told(settled: Settled) -> list[str]:
    return [note.reason for note in notes(settled) if note.reason != Reason.REPAIR_STARTED]


def test_a_person_s_suspension_shows_who_until_when_and_why() -> None:
    """R-37, R-39, R-46: in orchestrationServices, in RepairsAllowed, and in one Event."""
    until = T0 + HOUR
    settled = settle(SPEC, asked(until.isoformat(), "database migration"))
    shown = service(settled.plan)
    assert (shown.service_state, shown.reason) == ("Suspended", "SuspendedByUser")
    assert (shown.suspended_by, shown.until_time) == ("User", until)
    assert shown.message == "database migration"
    allowed = next(c for c in settled.plan.status.conditions if c.type == "RepairsAllowed")
    assert allowed.message == "until 2026-11-21T09:00:00Z: database migration"
    (note,) = notes(settled)
    assert note.reason == Reason.REPAIRS_SUSPENDED
    assert note.message == "by User until 2026-11-21T09:00:00Z: database migration"


def test_a_person_s_suspension_lapses_by_itself_though_nothing_ails() -> None:
    """R-37, R-46: looked at again at its time, and told, with no event to wake anybody."""
    until = T0 + HOUR
    seen = replace(a_set(), annotations={UNTIL: until.isoformat()})
    held = settle(SPEC, seen)
    assert held.plan.look_again_at == until
    early = settle(SPEC, held.seen, until - SECOND)
    assert service(early.plan).service_state == "Suspended"
    freed = settle(SPEC, early.seen, until)
    assert (service(freed.plan).service_state, service(freed.plan).until_time) == ("Running", None)
    assert told(freed) == [Reason.REPAIRS_RESUMED]


def test_an_end_that_is_moved_is_shown_and_is_no_change_of_state() -> None:
    """R-46."""
    held = settle(SPEC, asked((T0 + HOUR).isoformat()))
    longer = replace(held.seen, annotations={UNTIL: (T0 + 2 * HOUR).isoformat()})
    again = settle(SPEC, longer, T0 + SECOND)
    assert service(again.plan).until_time == T0 + 2 * HOUR
    assert service(again.plan).since_time == T0
    assert not notes(again)


@pytest.mark.parametrize("until", [T0 - HOUR, T0 + HOUR])
def test_the_annotation_never_overrides_a_suspended_spec(until: datetime) -> None:
    """R-39: lapsed or not, the spec's wish has no end; the person's words are shown."""
    settled = settle(BY_SPEC, asked(until.isoformat(), "migration"))
    shown = service(settled.plan)
    assert (shown.service_state, shown.suspended_by, shown.until_time) == (
        "Suspended",
        "User",
        None,
    )
    assert shown.message == "migration"
    late = settle(BY_SPEC, settled.seen, T0 + 2 * HOUR)
    assert reasons(late.plan) == {"web-1": Reason.SUSPENDED_BY_USER}


QUOTED = "2026-11-20T18:00:00Z; it asks for nothing"


@pytest.mark.parametrize(
    ("text", "quote"),
    [
        ("tomorrow", "'tomorrow'"),
        ("x" * 40, f"'{'x' * 40}'"),
        ("x" * 41, f"'{'x' * 39}…'"),
        ("x" * 500, f"'{'x' * 39}…'"),
    ],
)
def test_a_value_that_cannot_be_read_is_quoted_in_full_or_cut_at_forty(
    text: str, quote: str
) -> None:
    """R-37: which field, which value, what is allowed; and nothing of a field that is not there."""
    said = f"{{}}: {quote} is no RFC 3339 time with a zone, such as {QUOTED}"
    for marks in ({UNTIL: text}, {RESUME: text}, {UNTIL: text, RESUME: text}):
        scene = Scene.of(SPEC, replace(a_set(), annotations=marks), T0)
        assert unreadable(scene) == "; ".join(said.format(name) for name in marks)
    assert unreadable(Scene.of(SPEC, replace(a_set(), annotations={UNTIL: ""}), T0)) == ""


def test_a_time_of_any_zone_is_the_same_moment() -> None:
    """R-37: in UTC, so that it is written alike everywhere."""
    moment = moment_in({UNTIL: "2026-11-21T11:00:00+02:00"}, UNTIL)
    assert moment is not None
    assert moment.tzinfo is UTC, "wherever the operator runs"
    assert moment == T0 + HOUR
    assert moment is not None
    assert moment.tzname() == "UTC"
    assert moment_in({}, UNTIL) is None


def test_without_a_reason_there_is_none() -> None:
    assert suspended_because(Scene.of(SPEC, a_set(), T0)) == ""


BAD = [
    "tomorrow",
    "2099-01-01T00:00:00",
    "2099-01-01",
    "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00+12:00",
    "x" * 500,
]


@pytest.mark.parametrize("text", BAD)
def test_a_value_that_is_no_time_suspends_nothing_and_is_answered_once(text: str) -> None:
    """R-37: by an Event and in status, with the field, the value and what is allowed."""
    settled = settle(SPEC, asked(text))
    assert under_repair(settled.plan) == {"web-1"}
    shown = service(settled.plan)
    assert (shown.service_state, shown.reason) == ("Running", "PolicyEnabled")
    (note,) = [note for note in notes(settled) if note.reason == Reason.REQUEST_REFUSED]
    assert note.warning
    assert note.message.startswith(f"{UNTIL}: {text[:20]!r}"[:-1])
    assert "2026-11-20T18:00:00Z" in note.message
    assert shown.message == note.message
    assert len(shown.message) <= 256
    again = settle(SPEC, settled.seen, T0 + SECOND)
    assert Reason.REQUEST_REFUSED not in told(again)
    mended = replace(again.seen, annotations={})
    assert service(settle(SPEC, mended, T0 + 2 * SECOND).plan).message == ""


def test_both_annotations_may_be_wrong_at_once() -> None:
    """R-37, R-44: each is named."""
    seen = replace(a_set(), annotations={UNTIL: "noon", RESUME: "now"})
    message = service(settle(SPEC, seen).plan).message
    assert UNTIL in message
    assert RESUME in message


def test_an_annotation_left_empty_asks_for_nothing_and_is_no_fault() -> None:
    """R-37."""
    settled = settle(SPEC, asked(""))
    assert (service(settled.plan).service_state, service(settled.plan).message) == ("Running", "")


def test_the_platform_s_suspension_under_a_person_s_is_told_too() -> None:
    """R-46: or nobody would hear why repairs stay suspended when the person's ends."""
    failing = a_set(
        instances=(*instances(40)[1:], instance(number=41, started=T0 - HOUR, attempt=3)),
        bad={41: Outcome.WRONG_STATUS},
        status=ledger(entry(1, 41, deleted=T0 - HOUR, attempt=3), last=41),
    )
    by_person = replace(failing, annotations={UNTIL: (T0 + HOUR).isoformat()})
    settled = settle(SPEC, by_person)
    assert [n.message[:11] for n in notes(settled) if n.reason == Reason.REPAIRS_SUSPENDED] == [
        "by Platform"
    ]
    shown = service(settled.plan)
    assert (shown.suspended_by, shown.until_time) == ("Platform", None)
    assert "lineage of web-1" in shown.message
    freed = settle(SPEC, replace(settled.seen, annotations={}), T0 + 2 * HOUR)
    assert service(freed.plan).service_state == "Suspended"


def without_policy() -> ScaleSetSpec:
    return scale_set_spec(automaticRepairsPolicy=None)


def test_enabling_and_disabling_are_told_once_each() -> None:
    """R-37, R-46: Running, NotRunning, Running, no policy; the first state is no change."""
    off = scale_set_spec(repairs=False)
    first = settle(SPEC, a_set())
    assert told(first) == []
    stopped = settle(off, first.seen)
    assert told(stopped) == [Reason.REPAIRS_DISABLED]
    started = settle(SPEC, stopped.seen)
    assert told(started) == [Reason.REPAIRS_ENABLED]
    gone = settle(without_policy(), started.seen)
    assert told(gone) == [Reason.REPAIRS_DISABLED]
    assert told(settle(without_policy(), gone.seen)) == []


def resumed(ago: timedelta) -> dict[str, Any]:
    return {"resumedTime": (T0 - ago).isoformat()}


@pytest.mark.parametrize(("ago", "attempt"), [(30 * MINUTE, 1), (90 * MINUTE, 4)])
def test_a_resume_clears_the_count_of_every_lineage(ago: timedelta, attempt: int) -> None:
    """R-44: web-1, running for an hour, is the third in its line; what came before is forgiven."""
    sick = replace(instances(1, unhealthy=(1,))[0], attempt=3)
    seen = a_set(
        bad=wrong(1), instances=(sick, *instances(40)[1:]), status={"repairs": resumed(ago)}
    )
    (one,) = settle(SPEC, seen).entries
    assert one.attempt == attempt


@pytest.mark.parametrize(("ago", "held"), [(MINUTE, False), (3 * HOUR, True)])
def test_a_repair_begun_before_the_resume_does_not_suspend_again(
    ago: timedelta, *, held: bool
) -> None:
    """R-44: it was in flight when a person resumed, and fails now."""
    start = T0 - 2 * HOUR
    failing = a_set(
        instances=(*instances(40)[1:], instance(number=41, started=T0 - HOUR, attempt=3)),
        bad={41: Outcome.WRONG_STATUS},
        status=ledger(entry(1, 41, start=start, deleted=start, attempt=3), last=41, **resumed(ago)),
    )
    repairs = settle(SPEC, failing).plan.status.repairs
    assert repairs.consecutive_failed == 1
    assert (repairs.suspended_since is not None) is held


def test_only_a_request_that_ends_a_suspension_is_a_resume() -> None:
    """R-44: one that finds nothing suspended forgives nothing."""
    seen = replace(a_set(), annotations={RESUME: T0.isoformat()})
    assert settle(SPEC, seen).plan.status.repairs.resumed_time is None
    suspended = {"repairs": {"suspendedSince": (T0 - MINUTE).isoformat()}}
    held = replace(a_set(status=suspended), annotations={RESUME: T0.isoformat()})
    assert settle(SPEC, held).plan.status.repairs.resumed_time == T0


@pytest.mark.parametrize(("bad", "word"), [(16, "BatchLimitReached"), (17, "HealthStorm")])
def test_a_storm_is_shown_while_it_paces_and_only_then(bad: int, word: str) -> None:
    """R-60: both sides of 40 % of forty; one repair goes on, so it is no latch."""
    spec = scale_set_spec(policy={"maxUnhealthyPercent": 40})
    settled = settle(spec, a_set(bad=wrong(*range(1, bad + 1))))
    assert condition(settled.plan, "RepairsAllowed") == ("False", word)
    assert len(settled.entries) == (1 if word == "HealthStorm" else 2)
    waiting = {
        reason for reason in reasons(settled.plan).values() if reason != "ReplacementStarting"
    }
    assert waiting == {word}


def test_a_storm_of_instances_that_may_not_be_repaired_yet_says_that_one_could() -> None:
    """R-60: paced is not stopped."""
    spec = scale_set_spec(policy={"maxUnhealthyPercent": 40})
    young = tuple(
        replace(pod, started=T0 - MINUTE) if pod.instance_id <= 20 else pod
        for pod in instances(40, unhealthy=range(1, 21))
    )
    plan = settle(spec, a_set(bad=wrong(*range(1, 21)), instances=young)).plan
    assert condition(plan, "RepairsAllowed") == ("True", "HealthStorm")
    message = next(c.message for c in plan.status.conditions if c.type == "RepairsAllowed")
    assert message == "20 of 40 unhealthy, more than 40 %: one repair at a time"


def test_when_the_storm_has_passed_the_allowance_is_whole_again_at_once() -> None:
    """R-60: nothing latches."""
    spec = scale_set_spec(policy={"maxUnhealthyPercent": 40})
    storm = settle(spec, a_set(bad=wrong(*range(1, 18))))
    calm = a_set(bad=wrong(*range(1, 17)), status=storm.plan.status)
    assert len(settle(spec, calm, T0).entries) == 2
