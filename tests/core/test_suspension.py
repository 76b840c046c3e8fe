"""When repairs stop by themselves, and who lets them go on (protocol rules 12 to 14)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.observed import Observed, Outcome, TemplateView
from scaleset_operator.core.plan import Note, Plan, Record
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.suspension import attempts_before, count
from tests.core._stories import Settled, Story, a_set, entry, ledger, settle, under_repair, wrong
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SPEC = scale_set_spec()
RESUME = "scaleset.dev/repairs-resume-requested-at"


def about_to_fail(attempt: int = 1, count: int = 1, last: int = 60, **repairs: Any) -> Observed:
    """Repairs of web-1 on, whose replacements web-41 on are out of their grace and answer 503."""
    entries = [entry(n, 40 + n, deleted=T0 - HOUR, attempt=attempt) for n in range(1, count + 1)]
    young = tuple(
        instance(number=40 + n, started=T0 - 30 * MINUTE, attempt=attempt)
        for n in range(1, count + 1)
    )
    marked = {pod.instance_id: Outcome.WRONG_STATUS for pod in young}
    pods = (*instances(40)[count:], *young)
    return a_set(instances=pods, bad=marked, status=ledger(*entries, last=last, **repairs))


def service(plan: Plan) -> tuple[str, str | None, str | None]:
    """(state, reason, suspended by)."""
    (told,) = plan.status.orchestration_services
    by = None if told.suspended_by is None else told.suspended_by.value
    return told.service_state.value, told.reason, by


def notes(settled: Settled) -> list[Note]:
    return [note for plan in settled.plans if plan.record is Record.NOW for note in plan.notes]


def suspended(**repairs: Any) -> Observed:
    """Suspended by the platform a minute ago."""
    since = {"suspendedSince": (T0 - MINUTE).isoformat(), "suspendedCause": "three"}
    return a_set(bad=wrong(1), status={"repairs": since | repairs})


@pytest.mark.parametrize(
    ("spec", "repairs", "expected"),
    [
        ({}, {}, ("Running", "PolicyEnabled", None)),
        ({"repairs": False}, {}, ("NotRunning", "Disabled", None)),
        (
            {"policy": {"serviceState": "Suspended"}},
            {},
            ("Suspended", "SuspendedByUser", "User"),
        ),
        (
            {},
            {"suspendedSince": T0.isoformat()},
            ("Suspended", "SuspendedByPlatform", "Platform"),
        ),
        (
            {"policy": {"serviceState": "Suspended"}},
            {"suspendedSince": T0.isoformat()},
            ("Suspended", "SuspendedByPlatform", "Platform"),
        ),
        (
            {"repairs": False},
            {"suspendedSince": T0.isoformat()},
            ("NotRunning", "Disabled", "Platform"),
        ),
    ],
)
def test_the_service_state_is_running_suspended_or_not_running(
    spec: dict[str, Any], repairs: dict[str, Any], expected: tuple[str, str, str | None]
) -> None:
    """R-37, R-38, R-45: states, not actions."""
    plan = settle(scale_set_spec(**spec), a_set(status={"repairs": repairs})).plan
    assert service(plan) == expected


def test_there_is_no_service_without_a_policy() -> None:
    """R-37."""
    plan = settle(scale_set_spec(automaticRepairsPolicy=None), a_set()).plan
    assert plan.status.orchestration_services == ()


def test_the_state_keeps_its_time_until_it_changes() -> None:
    """R-37, R-46."""
    settled = settle(SPEC, a_set())
    later = settle(SPEC, settled.seen, T0 + SECOND)
    assert later.plan.status.orchestration_services[0].since_time == T0
    off = settle(scale_set_spec(repairs=False), later.seen, T0 + 2 * SECOND)
    assert off.plan.status.orchestration_services[0].since_time == T0 + 2 * SECOND


def test_while_suspended_no_repair_starts_and_one_past_its_delete_finishes() -> None:
    """R-39: never deleted and not replaced."""
    spec = scale_set_spec(policy={"serviceState": "Suspended"})
    status = ledger(entry(1, 41, deleted=T0), last=41)
    seen = a_set(instances=instances(40, unhealthy=(2,))[1:], bad=wrong(2), status=status)
    plan = settle(spec, seen).plan
    assert under_repair(plan) == {"web-1"}
    assert [act.name for act in plan.actions if act.name == "web-41"]


@pytest.mark.parametrize(("attempt", "held"), [(2, False), (3, True), (4, True)])
def test_repairs_that_fail_along_one_lineage_suspend(attempt: int, *, held: bool) -> None:
    """R-40, R-41, protocol rule 12: N = 3, with counter, model and cause."""
    settled = settle(SPEC, replace(about_to_fail(attempt), revisions={"m1": 7}))
    status = settled.plan.status
    assert (status.repairs.suspended_since is not None) is held
    assert status.repairs.consecutive_failed == 1
    assert status.repairs.consecutive_failed_model == "m1"
    if held:
        assert service(settled.plan)[1:] == ("SuspendedByPlatform", "Platform")
        assert status.repairs.suspended_cause == (
            f"{attempt} repairs in a row failed in the lineage of web-1, model m1, revision 7"
        )


@pytest.mark.parametrize(("before", "held"), [(4, False), (5, True)])
def test_a_run_of_failures_suspends(before: int, *, held: bool) -> None:
    """R-41, protocol rule 12: N x batchLimit, here 3 x 2, of whatever lineage."""
    since = (T0 - HOUR).isoformat()
    run: dict[str, Any] = {"consecutiveFailed": before, "consecutiveFailedModel": "m1"}
    settled = settle(SPEC, about_to_fail(**run, consecutiveFailedSince=since))
    repairs = settled.plan.status.repairs
    assert repairs.consecutive_failed == before + 1
    assert (repairs.suspended_since is not None) is held
    assert repairs.consecutive_failed_since == T0 - HOUR


@pytest.mark.parametrize(("age", "kept"), [(24 * HOUR, True), (24 * HOUR + SECOND, False)])
def test_a_run_older_than_a_day_starts_anew(age: timedelta, *, kept: bool) -> None:
    """R-41, protocol rule 12: failures spread over days are unrelated."""
    run: dict[str, Any] = {"consecutiveFailed": 4, "consecutiveFailedModel": "m1"}
    since = (T0 - age).isoformat()
    repairs = settle(SPEC, about_to_fail(**run, consecutiveFailedSince=since)).plan.status.repairs
    assert repairs.consecutive_failed == (5 if kept else 1)
    assert repairs.consecutive_failed_since == (T0 - age if kept else T0)


def test_a_success_ends_the_run() -> None:
    """R-41, protocol rule 12."""
    run: dict[str, Any] = {"consecutiveFailed": 5, "consecutiveFailedModel": "m1"}
    seen = about_to_fail(**run, consecutiveFailedSince=(T0 - HOUR).isoformat())
    fine = a_set(instances=seen.instances, status=seen.status)
    repairs = settle(SPEC, fine).plan.status.repairs
    assert repairs.history[0].result == "Succeeded"
    assert (repairs.consecutive_failed, repairs.consecutive_failed_since) == (0, None)


def test_a_new_model_ends_the_run_and_resumes_nothing() -> None:
    """R-42, protocol rule 12."""
    run: dict[str, Any] = {"consecutiveFailed": 5, "consecutiveFailedModel": "m1"}
    seen = replace(suspended(**run), template=TemplateView(model="m2"))
    repairs = settle(SPEC, seen).plan.status.repairs
    assert (repairs.consecutive_failed, repairs.consecutive_failed_model) == (0, None)
    assert repairs.suspended_since == T0 - MINUTE


@pytest.mark.parametrize("days", [1, 365])
def test_no_time_and_no_restart_resumes(days: int) -> None:
    """R-42: another process, much later."""
    spec = scale_set_spec(policy={"gracePeriod": "PT45M"})
    late = settle(spec, suspended(), T0 + days * 24 * HOUR)
    assert service(late.plan)[0] == "Suspended"
    assert not late.entries


def test_disabling_and_enabling_leaves_a_suspension_standing() -> None:
    """R-42, R-45: NotRunning meanwhile, Suspended by the platform afterwards."""
    off = settle(scale_set_spec(repairs=False), suspended())
    assert service(off.plan) == ("NotRunning", "Disabled", "Platform")
    on = settle(SPEC, off.seen)
    assert service(on.plan) == ("Suspended", "SuspendedByPlatform", "Platform")


def asked(moment: datetime, **repairs: Any) -> Settled:
    """What a resume request of that time does to a suspension of a minute ago."""
    seen = replace(suspended(**repairs), annotations={RESUME: moment.isoformat()})
    return settle(SPEC, seen)


def test_a_person_s_request_resumes_and_clears_the_counters() -> None:
    """R-44, protocol rule 13: it does not suspend again on the next decision."""
    settled = asked(T0 - 30 * SECOND, consecutiveFailed=6, consecutiveFailedModel="m1")
    repairs = settled.plan.status.repairs
    assert (repairs.suspended_since, repairs.suspended_cause) == (None, "")
    assert repairs.consecutive_failed == 0
    assert repairs.last_handled_resume_request == T0 - 30 * SECOND
    assert service(settled.plan)[0] == "Running"
    assert under_repair(settled.plan) == {"web-1"}
    assert not settle(SPEC, settled.seen).plan.status.repairs.suspended_since


@pytest.mark.parametrize("ago", [MINUTE, 2 * MINUTE])
def test_a_request_not_later_than_the_suspension_resumes_nothing_and_is_told_once(
    ago: timedelta,
) -> None:
    """R-43, protocol rule 13: an Event names both times."""
    settled = asked(T0 - ago)
    assert service(settled.plan)[0] == "Suspended"
    told = [note for note in notes(settled) if note.reason == Reason.RESUME_IGNORED]
    (note,) = told
    assert (T0 - ago).strftime("%H:%M:%SZ") in note.message
    assert (T0 - MINUTE).strftime("%H:%M:%SZ") in note.message
    again = settle(SPEC, settled.seen, T0 + SECOND)
    assert not notes(again)


def test_a_request_that_was_handled_resumes_nothing_again() -> None:
    """R-43, protocol rule 13: an annotation that stands in a Git manifest."""
    handled = (T0 - 30 * SECOND).isoformat()
    settled = asked(T0 - 30 * SECOND, lastHandledResumeRequest=handled)
    assert service(settled.plan)[0] == "Suspended"
    older = asked(T0 - 40 * SECOND, lastHandledResumeRequest=handled)
    assert service(older.plan)[0] == "Suspended"


def test_a_request_while_nothing_is_suspended_is_remembered_and_not_told() -> None:
    """R-43: so that it resumes nothing that comes later."""
    seen = replace(a_set(), annotations={RESUME: T0.isoformat()})
    settled = settle(SPEC, seen)
    assert settled.plan.status.repairs.last_handled_resume_request == T0
    assert not [n for n in notes(settled) if n.reason != Reason.VALID]


@pytest.mark.parametrize("text", ["now", "2026-11-21T08:00:00"])
def test_a_request_that_is_no_time_resumes_nothing(text: str) -> None:
    """R-44."""
    seen = replace(suspended(), annotations={RESUME: text})
    assert service(settle(SPEC, seen).plan)[0] == "Suspended"


def test_a_request_for_a_suspension_of_one_s_own_leaves_the_wish_standing() -> None:
    """R-38: Suspended in the spec is the owner's; no request lifts it."""
    spec = scale_set_spec(policy={"serviceState": "Suspended"})
    seen = replace(a_set(bad=wrong(1)), annotations={RESUME: T0.isoformat()})
    assert service(settle(spec, seen).plan)[0] == "Suspended"


def test_each_change_of_state_is_told_by_one_event() -> None:
    """R-46: suspended by the platform, resumed; by a person, resumed."""
    running = settle(SPEC, about_to_fail(attempt=3))
    told = [n for n in notes(running) if n.reason == Reason.REPAIRS_SUSPENDED]
    assert [n.warning for n in told] == [True]
    resumed = replace(running.seen, annotations={RESUME: (T0 + SECOND).isoformat()})
    back = settle(SPEC, resumed, T0 + 2 * SECOND)
    assert [n.reason for n in notes(back)].count(Reason.REPAIRS_RESUMED) == 1
    by_hand = scale_set_spec(policy={"serviceState": "Suspended"})
    held = settle(by_hand, settle(SPEC, a_set()).seen)
    assert [n.reason for n in notes(held)] == [Reason.REPAIRS_SUSPENDED]
    freed = settle(SPEC, held.seen)
    assert [n.reason for n in notes(freed)] == [Reason.REPAIRS_RESUMED]
    assert not notes(settle(SPEC, freed.seen))


def test_a_refused_delete_is_no_failure_of_a_replacement() -> None:
    """R-40: it says nothing about the model."""
    status = ledger(entry(1, 41, attempt=3), last=41)
    seen = a_set(bad=wrong(1), status=status, refused_until={"web-1": T0 + MINUTE})
    repairs = settle(SPEC, seen).plan.status.repairs
    assert repairs.history[0].result == "Failed"
    assert (repairs.consecutive_failed, repairs.suspended_since) == (0, None)


def test_a_broken_model_suspends_by_itself_after_three_repairs_of_one_lineage() -> None:
    """R-40, R-41, R-29: a story from the first failure to the suspension."""
    story = Story.of(scale_set_spec(replicas=10, grace="PT60S"))
    story.turn()
    story.behaviour = Outcome.WRONG_STATUS
    story.tell(Outcome.WRONG_STATUS, "web-1")
    plan = story.run(15 * MINUTE)
    assert story.names == ["web-11", "web-12", "web-13"]
    assert [act.name for act in story.taken] == ["web-1", "web-11", "web-12"]
    assert service(plan)[:2] == ("Suspended", "SuspendedByPlatform")
    assert story.pods["web-13"].attempt == 3


def test_a_lineage_that_was_healthy_once_starts_anew() -> None:
    """R-41: a hundred good repairs in a year trip nothing."""
    story = Story.of(scale_set_spec(replicas=10, grace="PT60S"))
    story.turn()
    for _ in range(5):
        story.tell(Outcome.WRONG_STATUS, story.live[-1].name)
        story.run(3 * MINUTE)
    assert len(story.taken) == 5
    assert service(story.plans[-1])[0] == "Running"


# --- A request to resume, and what it makes forgotten ------------------------------------------

SINCE = T0 - MINUTE
HELD = {"suspendedSince": SINCE.isoformat(), "suspendedCause": "three in a row"}


def handled(at: datetime) -> dict[str, Any]:
    return {"lastHandledResumeRequest": at.isoformat()}


@pytest.mark.parametrize(
    ("repairs", "asked", "after", "told"),
    [
        (HELD, None, (SINCE, None, None), False),
        (HELD, SINCE - SECOND, (SINCE, SINCE - SECOND, None), True),
        (HELD, SINCE, (SINCE, SINCE, None), True),
        (HELD, SINCE + SECOND, (None, SINCE + SECOND, T0), False),
        (HELD | handled(SINCE - HOUR), SINCE - HOUR, (SINCE, SINCE - HOUR, None), False),
        (HELD | handled(SINCE - MINUTE), SINCE - HOUR, (SINCE, SINCE - MINUTE, None), False),
        (HELD | handled(SINCE - HOUR), SINCE - MINUTE, (SINCE, SINCE - MINUTE, None), True),
        (HELD | handled(T0), T0 - SECOND, (SINCE, T0, None), False),
        ({}, SINCE, (None, SINCE, None), False),
        (handled(T0), SINCE, (None, T0, None), False),
    ],
)
def test_a_request_counts_if_it_is_later_than_the_last_one_and_than_the_suspension(
    repairs: dict[str, Any], asked: datetime | None, after: tuple[Any, Any, Any], *, told: bool
) -> None:
    """Protocol rule 13: what does not count is noted and warned of once; an older one never."""
    marks = {} if asked is None else {RESUME: asked.isoformat()}
    seen = replace(a_set(status={"repairs": repairs}), annotations=marks)
    scene = Scene.of(SPEC, seen, T0)
    found, notes_ = count(scene, [])
    assert (found.suspended_since, found.last_handled_resume_request, found.resumed_time) == after
    assert [(note.reason, note.warning) for note in notes_] == (
        [(Reason.RESUME_IGNORED, True)] if told else []
    )
    assert found.suspended_cause == ("three in a row" if after[0] else "")
    assert found.enabled_time == T0 - HOUR


def test_since_when_repairs_are_on_is_written_once_and_forgotten_when_they_are_off() -> None:
    """R-36, protocol rule 14."""
    never = a_set(status={"repairs": {"enabledTime": None}})
    assert count(Scene.of(SPEC, never, T0), [])[0].enabled_time == T0
    off = scale_set_spec(repairs=False)
    assert count(Scene.of(off, a_set(), T0), [])[0].enabled_time is None


@pytest.mark.parametrize(
    ("started", "counts"),
    [(T0 - MINUTE, False), (T0 - MINUTE + SECOND, True), (T0 - HOUR, False), (None, True)],
)
def test_the_repairs_before_a_person_resumed_do_not_count(
    started: datetime | None, *, counts: bool
) -> None:
    """R-44: of an instance that ran by then; one that never ran, by when it was created."""
    status = {"repairs": {"resumedTime": (T0 - MINUTE).isoformat()}}
    pod = instance(attempt=2, started=started, created=T0 - 2 * HOUR)
    if started is None:
        pod = replace(pod, created=T0)
    scene = Scene.of(SPEC, a_set(instances=(pod,), status=status), T0)
    assert attempts_before(scene, pod) == (2 if counts else 0)
    old = replace(pod, started=T0, created=T0 - HOUR)
    assert attempts_before(scene, old) == 2
