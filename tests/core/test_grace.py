"""Grace: when it begins, what renews it, and that it ends by itself."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth, format_time
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Observed, Outcome
from tests.core._stories import Story, a_set, published, reasons, settle, under_repair, wrong
from tests.support.builders import evidence, instance, instances, scale_set_spec
from tests.support.fake_clock import T0

MINUTE = timedelta(minutes=1)
GRACE = 30 * MINUTE


def one_bad(*, started: datetime | None, now: datetime = T0, **fields: Any) -> Observed:
    """Forty instances; web-1 answers 503, and its containers ran from `started` on."""
    first = instance(number=1, started=started, health=VMHealth.UNHEALTHY, created=T0 - 90 * MINUTE)
    pods = (replace(first, ip="127.16.0.9", **fields), *instances(40)[1:])
    return a_set(bad=wrong(1), instances=pods, now=now)


def test_grace_runs_from_the_containers_start_and_not_from_creation() -> None:
    """R-24: created 90 minutes ago, running for one."""
    plan = decide(scale_set_spec(), one_bad(started=T0 - MINUTE), T0)
    assert reasons(plan)["web-1"] is Reason.IN_GRACE_PERIOD
    assert plan.decisions[0].until == T0 - MINUTE + GRACE


@pytest.mark.parametrize(
    ("ago", "held"),
    [(GRACE - timedelta(seconds=1), True), (GRACE, False), (GRACE + MINUTE, False)],
)
def test_grace_ends_at_its_very_moment(ago: timedelta, *, held: bool) -> None:
    """R-24, R-33: half-open, as every span here."""
    settled = settle(scale_set_spec(), one_bad(started=T0 - ago))
    assert (under_repair(settled.plan) == set()) is held


def test_grace_does_not_begin_when_the_instance_is_found_unhealthy() -> None:
    """R-25, R-34: found just now, running for an hour: illness after grace begins no new one."""
    seen = one_bad(started=T0 - 60 * MINUTE)
    first = replace(
        seen.instances[0],
        published=replace(seen.instances[0].published, since=T0),  # type: ignore[type-var]
    )
    seen = replace(seen, instances=(first, *seen.instances[1:]))
    assert under_repair(settle(scale_set_spec(), seen).plan) == {"web-1"}


def test_an_edit_of_the_set_renews_no_grace() -> None:
    """R-26, R-27: a new generation, another wish, the same start."""
    seen = replace(one_bad(started=T0 - 31 * MINUTE), generation=9, annotations={"note": "new"})
    assert under_repair(settle(scale_set_spec(replicas=41), seen).plan) == {"web-1"}


def test_a_container_restarted_by_the_kubelet_renews_no_grace() -> None:
    """R-28: its containers are down again; the recorded start stands."""
    seen = one_bad(started=T0 - 31 * MINUTE, containers_ready=False, started_is_recorded=True)
    assert under_repair(settle(scale_set_spec(), seen).plan) == {"web-1"}


def test_the_start_is_recorded_on_the_pod_with_the_first_verdict() -> None:
    """R-28: so that a later restart cannot move it."""
    began = T0 - 5 * MINUTE
    seen = one_bad(started=began, started_is_recorded=False, published=None)
    assert published(settle(scale_set_spec(), seen).plan)["web-1"].state_change_time == began


def test_a_new_instance_has_a_grace_of_its_own() -> None:
    """R-29: a scale-out and a replacement alike; the published age of a name says nothing."""
    seen = one_bad(started=T0 - MINUTE, attempt=1, replaces="web-0")
    assert reasons(decide(scale_set_spec(), seen, T0))["web-1"] is Reason.IN_GRACE_PERIOD


def test_results_are_told_during_grace_with_the_time_of_its_end() -> None:
    """R-09, R-32: the instance shows Unhealthy, Deferred, InGracePeriod and until when."""
    status = settle(scale_set_spec(), one_bad(started=T0 - MINUTE)).plan.status
    (told,) = status.unhealthy_instances
    assert (told.name, told.vm_health, told.repair_decision, told.reason) == (
        "web-1",
        "Unhealthy",
        "Deferred",
        "InGracePeriod",
    )
    assert told.eligible_time == T0 - MINUTE + GRACE
    assert status.repairs.next_eligible_time == T0 - MINUTE + GRACE


def test_the_plan_asks_to_be_woken_when_grace_ends() -> None:
    """R-33: no event is needed."""
    assert decide(scale_set_spec(), one_bad(started=T0 - MINUTE), T0).look_again_at == (
        T0 - MINUTE + GRACE
    )


def test_repair_follows_the_end_of_grace_without_an_event() -> None:
    """R-33: only time passes between the two decisions."""
    began = T0 - MINUTE
    spec = scale_set_spec()
    later = began + GRACE
    before = one_bad(started=began)
    after = one_bad(started=began, now=later)
    assert under_repair(settle(spec, before, later - timedelta(seconds=1)).plan) == set()
    assert under_repair(settle(spec, after, later).plan) == {"web-1"}


def test_a_healthy_spell_neither_ends_grace_early_nor_renews_it() -> None:
    """R-34: unhealthy, healthy and unhealthy again in it; then another one, after its end."""
    story = Story.of(scale_set_spec(replicas=40, grace="PT10M"))
    for name in ("web-1", "web-2"):
        story.pods[name] = replace(story.pods[name], started=T0)
    story.turn()
    for outcome in (Outcome.WRONG_STATUS, Outcome.OK, Outcome.WRONG_STATUS):
        story.tell(outcome, "web-1")
        assert not under_repair(story.run(3 * MINUTE))
    assert not under_repair(story.run(MINUTE - timedelta(seconds=5)))
    assert under_repair(story.run(timedelta(seconds=5))) == {"web-1"}
    story.tell(Outcome.WRONG_STATUS, "web-2")
    story.run(timedelta(seconds=20))
    assert [act.name for act in story.taken] == ["web-1", "web-2"]


@pytest.mark.parametrize("replicas", [39, 40, 41])
def test_neither_edits_each_minute_nor_a_suspension_renew_a_grace(replicas: int) -> None:
    """R-27: the set is labelled, scaled, suspended and let go on; repair follows at once."""
    story = Story.of(scale_set_spec(grace="PT10M"))
    story.pods["web-1"] = replace(story.pods["web-1"], started=T0)
    story.tell(Outcome.WRONG_STATUS, "web-1")
    for minute in range(11):
        suspended = {"serviceState": "Suspended" if minute % 2 == 0 else "Running"}
        story.outside |= {"generation": minute + 2, "annotations": {"edited": str(minute)}}
        story.spec = scale_set_spec(replicas=40, grace="PT10M", policy=suspended)
        assert not story.taken
        story.run(MINUTE - timedelta(seconds=5))
    assert story.now > T0 + 10 * MINUTE
    story.spec = scale_set_spec(replicas=replicas, grace="PT10M")
    story.run(timedelta(seconds=10))
    assert "web-1" in {act.name for act in story.taken}


@pytest.mark.parametrize(("grace", "held"), [("PT30M", False), ("PT45M", True), ("PT90M", True)])
def test_another_grace_period_counts_from_the_same_start(grace: str, *, held: bool) -> None:
    """R-35: the instance has run for 40 minutes."""
    spec = scale_set_spec(grace=grace, policy={"limits": "Standard"})
    settled = settle(spec, one_bad(started=T0 - 40 * MINUTE))
    assert (under_repair(settled.plan) == set()) is held


def test_enabling_repairs_gives_everyone_a_grace_from_that_moment() -> None:
    """R-36, protocol rule 14: recorded once, then kept."""
    story = Story.of(scale_set_spec(replicas=5, grace="PT10M"))
    story.seen = replace(
        story.seen,
        status=story.seen.status.model_copy(
            update={"repairs": story.seen.status.repairs.model_copy(update={"enabled_time": None})}
        ),
    )
    story.tell(Outcome.WRONG_STATUS)
    story.turn()
    assert story.seen.status.repairs.enabled_time == T0
    assert not under_repair(story.run(9 * MINUTE))
    assert under_repair(story.run(MINUTE))
    assert story.seen.status.repairs.enabled_time == T0


def test_a_moment_of_enabling_that_lies_ahead_of_the_clock_is_now() -> None:
    """X-10, R-36: it was written by a clock that was a year ahead, and has been set since."""
    ahead = {"enabledTime": format_time(T0 + timedelta(days=365))}
    story = Story.of(scale_set_spec(replicas=5, grace="PT10M"), repairs=ahead)
    story.tell(Outcome.WRONG_STATUS, "web-1")
    story.turn()
    assert story.seen.status.repairs.enabled_time == T0
    assert not under_repair(story.run(10 * MINUTE - timedelta(seconds=5)))
    assert under_repair(story.run(timedelta(seconds=5))) == {"web-1"}


def test_disabling_forgets_when_repairs_were_enabled() -> None:
    """R-36, R-45: enabling again is enabling anew."""
    seen = a_set(bad=wrong(1), status={"repairs": {"enabledTime": format_time(T0 - GRACE)}})
    off = settle(scale_set_spec(repairs=False), seen)
    assert off.plan.status.repairs.enabled_time is None
    on = settle(scale_set_spec(), off.seen)
    assert on.plan.status.repairs.enabled_time == T0
    assert reasons(on.plan)["web-1"] is Reason.IN_GRACE_PERIOD


def test_an_instance_that_never_started_is_not_repaired_by_its_probe() -> None:
    """R-10: it has no grace to end."""
    first = instance(number=1, started=None, health=VMHealth.UNHEALTHY, ip="127.16.0.9")
    seen = a_set(instances=(first, *instances(40)[1:]), bad={1: evidence(outcome=Outcome.REFUSED)})
    plan = decide(scale_set_spec(), seen, T0)
    assert reasons(plan)["web-1"] is Reason.NEVER_STARTED
    assert not settle(scale_set_spec(), seen).entries
