"""What becomes of a repair once its victim is gone (protocol rules 6, 7 and 9)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.observed import Outcome
from scaleset_operator.core.plan import CreateInstance
from tests.core._repairs import replacement, without_first
from tests.core._stories import (
    a_set,
    created,
    entry,
    ledger,
    settle,
    under_repair,
    wrong,
)
from tests.support.builders import instance, instances, probe_view, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SPEC = scale_set_spec()


def test_the_replacement_follows_the_delete_in_the_same_domain_under_the_recorded_name() -> None:
    """R-55, R-56, protocol rule 7: from the latest model, once its victim's DELETE is accepted."""
    old = replace(instances(3, unhealthy=(3,))[2], model="m0")
    pods = (*instances(2), old, *instances(40)[3:])
    spec = scale_set_spec(upgradePolicy={"mode": "Manual"})
    (act,) = settle(spec, a_set(bad=wrong(3), instances=pods)).plan.actions[1:]
    assert act == CreateInstance(
        name="web-41",
        instance_id=41,
        update_domain=2,
        model="m1",
        replaces="web-3",
        attempt=1,
        after="uid-web-3",
    )


def test_a_replacement_on_its_way_is_waited_for() -> None:
    """R-14, R-29, protocol rule 9: neither Healthy nor out of its grace, it holds the slot."""
    seen = without_first(replacement(started=None, health=None), entry={"model": "m0"})
    plan = settle(SPEC, seen).plan
    assert under_repair(plan) == {"web-1"}
    assert plan.status.repairs.in_flight[0].model == "m1", "as the pod says"
    assert plan.status.repairs.in_flight[0].replacement_uid == "uid-web-41"
    assert plan.look_again_at == T0 - MINUTE + 30 * MINUTE
    assert not plan.actions


def test_a_healthy_replacement_closes_its_repair_on_a_live_read() -> None:
    """R-14, protocol rule 9: Succeeded."""
    settled = settle(SPEC, without_first(replacement()))
    assert settled.plans[0].reads == {"web-41"}
    assert under_repair(settled.plans[0]) == {"web-1"}
    assert not settled.entries
    last = settled.plan.status.repairs.history[0]
    assert (last.instance, last.replacement, last.result) == ("web-1", "web-41", "Succeeded")
    assert last.reason == "Answering"


def test_a_replacement_whose_health_is_not_published_yet_holds_the_slot() -> None:
    """Protocol rule 9: Healthy stands on the pod first."""
    settled = settle(SPEC, without_first(replacement(health=None)))
    assert under_repair(settled.plan) == {"web-1"}
    assert settled.plan.actions[0].name == "web-41"


@pytest.mark.parametrize(
    ("started", "closed"), [(30 * MINUTE - SECOND, False), (30 * MINUTE, True)]
)
def test_a_replacement_out_of_its_grace_fails_its_repair(
    started: timedelta, *, closed: bool
) -> None:
    """R-14, R-29, protocol rule 9: counted from the moment its containers ran."""
    pod = replacement(started=T0 - started, created=T0 - 40 * MINUTE)
    settled = settle(SPEC, without_first(pod, bad={41: Outcome.WRONG_STATUS}))
    results = [record.result for record in settled.plan.status.repairs.history]
    assert results == (["Failed"] if closed else [])


@pytest.mark.parametrize(("ago", "closed"), [(30 * MINUTE - SECOND, False), (30 * MINUTE, True)])
def test_a_replacement_that_does_not_start_fails_from_the_delete_on(
    ago: timedelta, *, closed: bool
) -> None:
    """Protocol rule 9."""
    pod = replacement(started=None, health=None)
    status = ledger(entry(1, 41, deleted=T0 - ago), last=41)
    settled = settle(SPEC, a_set(instances=(*instances(40)[1:], pod), status=status))
    assert (not settled.entries) is closed


@pytest.mark.parametrize(
    "moments", [{}, {"successors": 2, "graceFrom": (T0 + 365 * 24 * 60 * MINUTE).isoformat()}]
)
def test_a_delete_that_lies_ahead_of_the_clock_was_now(moments: dict[str, object]) -> None:
    """X-10: a clock that was ahead wrote it; the grace of the slot ends all the same."""
    pod = replacement(started=None, health=None)
    gone = entry(1, 41, deleted=T0 + 365 * 24 * 60 * MINUTE, **moments)
    seen = a_set(instances=(*instances(40)[1:], pod), status=ledger(gone, last=41))
    first = settle(SPEC, seen)
    assert [e.deleted_time for e in first.entries] == [T0]
    later = replace(first.seen, live_reads=frozenset())
    assert settle(SPEC, later, T0 + 30 * MINUTE - SECOND).entries
    assert not settle(SPEC, later, T0 + 30 * MINUTE).entries


def test_a_replacement_that_was_never_created_fails_only_on_a_live_read() -> None:
    """Protocol rule 9: its name is read live too, then another instance is created."""
    status = ledger(entry(1, 41, deleted=T0 - 30 * MINUTE), last=41)
    settled = settle(SPEC, a_set(instances=instances(40)[1:], status=status))
    assert settled.plans[0].reads == {"web-1", "web-41"}
    assert under_repair(settled.plans[0]) == {"web-1"}
    assert settled.plan.status.repairs.history[0].reason == Reason.GRACE_EXPIRED
    assert created(settled.plan) == {"web-42"}


def test_the_grace_of_a_slot_is_never_shorter_than_a_round_of_probing() -> None:
    """Protocol rule 9: max(gracePeriod, timeout + interval)."""
    spec = scale_set_spec(grace="PT0S")
    pod = replacement(started=T0 - 15 * SECOND)
    bad = {41: Outcome.WRONG_STATUS}
    probe = probe_view(interval=5 * SECOND, timeout=11 * SECOND)
    held = settle(spec, without_first(pod, bad=bad, probe=probe))
    assert under_repair(held.plan) == {"web-1"}
    older = replacement(started=T0 - 16 * SECOND)
    assert (
        not settle(spec, without_first(older, bad=bad, probe=probe)).plans[-1].status.repairs.doubts
    )
    closed = settle(spec, without_first(older, bad=bad, probe=probe)).plan.status.repairs
    assert [record.result for record in closed.history] == ["Failed"]


def test_a_replacement_that_is_itself_removed_is_followed_by_another() -> None:
    """R-58, protocol rule 7: by compare and swap, the slot is kept."""
    gone = replacement(terminating=True)
    settled = settle(SPEC, without_first(gone))
    (kept,) = settled.entries
    assert (kept.replacement, kept.successors) == ("web-42", 1)
    assert kept.deleted_time == T0, "its grace begins anew"
    assert created(settled.plan) == {"web-42"}


def test_a_replacement_that_vanished_is_not_created_again_under_its_name() -> None:
    """Protocol rule 7: it was there, for its UID is known; or its name is taken."""
    known = settle(SPEC, without_first(entry={"replacementUID": "uid-web-41"}))
    taken = settle(SPEC, without_first(unusable=frozenset({"web-41"})))
    assert created(known.plan) == created(taken.plan) == {"web-42"}


def test_the_grace_of_a_slot_restarts_once_per_model() -> None:
    """Protocol rule 7: from the second loss on it runs from the first one's."""
    since = {"successors": 1, "graceFrom": (T0 - 29 * MINUTE).isoformat()}
    second = settle(SPEC, without_first(replacement(terminating=True), entry=since))
    assert second.entries[0].successors == 2
    assert second.entries[0].grace_from == T0 - 29 * MINUTE
    assert second.plan.look_again_at == T0 + MINUTE


def test_after_one_loss_the_grace_still_runs_from_the_replacement_s_own_start() -> None:
    """Protocol rule 7: it starts again once."""
    since = {"successors": 1, "graceFrom": (T0 - 29 * MINUTE).isoformat()}
    young = replacement(started=T0 - 5 * MINUTE, health=None)
    settled = settle(SPEC, without_first(young, bad={41: Outcome.WRONG_STATUS}, entry=since))
    again = settle(SPEC, settled.seen, T0 + 24 * MINUTE)
    assert under_repair(again.plan) == {"web-1"}


def test_another_model_restarts_the_grace_of_a_slot() -> None:
    """R-58, protocol rule 7: once per model."""
    since = {"successors": 2, "graceFrom": (T0 - 29 * MINUTE).isoformat(), "model": "m0"}
    gone = replacement(terminating=True, model="m0")
    (kept,) = settle(SPEC, without_first(gone, entry=since)).entries
    assert (kept.successors, kept.grace_from, kept.model) == (1, T0, "m1")


def test_while_creates_are_refused_the_replacement_waits() -> None:
    """Protocol rule 9: its slot is held until its grace ends."""
    refused = (Reason.CREATE_FORBIDDEN, "quota", T0 + MINUTE)
    settled = settle(SPEC, without_first(create_refused=refused))
    assert not created(settled.plan)
    assert under_repair(settled.plan) == {"web-1"}
    again = settle(SPEC, settled.seen, T0 + MINUTE)
    assert created(again.plan) == {"web-41"}


def test_a_surplus_held_by_replacements_trips_no_limit() -> None:
    """R-06, R-53: at two hundred, the count of the wanted decides."""
    spec = scale_set_spec(replicas=200)
    pods = (*instances(200, unhealthy=(1, 2)), instance(number=201))
    seen = a_set(bad=wrong(1, 2), instances=pods, status=ledger(entry(1, 201), last=201))
    settled = settle(spec, seen)
    assert settled.plan.status.replicas == 201
    assert under_repair(settled.plan) == {"web-1", "web-2"}
    assert not settled.plan.status.scale_in
    assert created(settled.plan) == {"web-202"}
