"""The life of a repair, from its record to its close (protocol rules 3 to 9)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Instance, Observed, Outcome
from scaleset_operator.core.plan import CreateInstance, DeleteInstance, Purpose, Record
from tests.core._stories import (
    a_set,
    condition,
    created,
    deleted,
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


def without_first(*more: Instance, **fields: Any) -> Observed:
    """Thirty-nine instances: web-1 is gone; its repair, whose name is web-41, owes one."""
    recorded = entry(1, 41, deleted=T0 - MINUTE, **fields.pop("entry", {}))
    status = ledger(recorded, last=fields.pop("last", 41))
    bad = fields.pop("bad", {})
    return a_set(instances=(*instances(40)[1:], *more), status=status, bad=bad, **fields)


def replacement(**fields: Any) -> Instance:
    """web-41, created a minute ago, running since 50 seconds."""
    values: dict[str, Any] = {"number": 41, "started": T0 - 50 * SECOND}
    return instance(**(values | fields))


def test_a_victim_is_read_live_before_it_is_recorded_and_again_before_its_delete() -> None:
    """Protocol rule 3."""
    first, second, third, last = settle(SPEC, a_set(bad=wrong(1))).plans
    assert first.reads == {"web-1"}
    assert not under_repair(first)
    assert under_repair(second) == {"web-1"}
    assert (second.record, second.actions) == (Record.NOW, ())
    assert third.reads == {"web-1"}
    assert not third.actions
    assert deleted(last) == {"web-1"}


def test_the_delete_carries_the_uid_and_version_of_the_live_read() -> None:
    """Protocol rule 5."""
    seen = a_set(bad=wrong(1))
    act = settle(SPEC, seen).plan.actions[0]
    assert act == DeleteInstance(
        name="web-1",
        uid="uid-web-1",
        resource_version=seen.instances[0].resource_version,
        purpose=Purpose.REPAIR,
    )


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


def test_a_create_that_did_not_happen_is_made_up_for_by_anyone() -> None:
    """R-16, protocol rules 6 and 11: the DELETE was accepted, then the operator died."""
    plan = settle(SPEC, without_first()).plan
    assert created(plan) == {"web-41"}
    assert plan.status.repairs.in_flight[0].phase == "Replacing"


def test_a_victim_that_is_not_in_the_cache_is_read_live_before_anything_is_created() -> None:
    """R-16, protocol rules 6 and 9: a cache that is behind looks like a victim that is gone."""
    first = decide(SPEC, without_first(), T0)
    assert first.reads == {"web-1"}
    assert not first.actions


@pytest.mark.parametrize("state", ["terminating", "over"])
def test_a_victim_on_its_way_out_counts_as_past_its_delete_whoever_sent_it(state: str) -> None:
    """R-16, R-50, protocol rule 6: the entry gets its replacement and keeps its slot."""
    seen = a_set(bad=wrong(1), status=ledger(entry(1, 41), last=41))
    leaving: dict[str, Any] = {state: True}
    first = replace(seen.instances[0], **leaving)
    seen = replace(seen, instances=(first, *seen.instances[1:]))
    plan = settle(SPEC, seen).plan
    assert created(plan) == {"web-41"}
    assert under_repair(plan) == {"web-1"}
    assert plan.status.repairs.in_flight[0].deleted_time == T0


def test_missing_is_what_nobody_owes() -> None:
    """Protocol rule 6: nothing is created twice."""
    plan = settle(SPEC, without_first()).plan
    assert len(created(plan)) == 1
    assert not plan.status.creating


def test_a_replacement_on_its_way_is_waited_for() -> None:
    """R-14, R-29, protocol rule 9: neither Healthy nor out of its grace, it holds the slot."""
    plan = settle(SPEC, without_first(replacement(started=None, health=None))).plan
    assert under_repair(plan) == {"web-1"}
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


def test_another_model_restarts_the_grace_of_a_slot() -> None:
    """R-58, protocol rule 7: once per model."""
    since = {"successors": 2, "graceFrom": (T0 - 29 * MINUTE).isoformat(), "model": "m0"}
    gone = replacement(terminating=True, model="m0")
    (kept,) = settle(SPEC, without_first(gone, entry=since)).entries
    assert (kept.successors, kept.grace_from, kept.model) == (1, T0, "m1")


def test_a_recovered_instance_is_cancelled_only_after_healthy_stands_on_the_pod() -> None:
    """R-21, protocol rule 4."""
    recorded = ledger(entry(1, 41), last=41)
    unsaid = settle(SPEC, a_set(bad={1: Outcome.OK}, status=recorded))
    assert under_repair(unsaid.plan) == {"web-1"}
    assert not deleted(unsaid.plan)
    said = settle(SPEC, a_set(instances=instances(40), status=recorded))
    assert not said.entries
    last = said.plan.status.repairs.history[0]
    assert (last.result, last.reason, last.replacement) == ("Cancelled", "Recovered", None)


def test_a_refused_delete_fails_the_repair_and_holds_that_instance_back() -> None:
    """Protocol rule 4: 403 or 422, with back-off for that instance alone."""
    held = {"web-1": T0 + MINUTE}
    seen = a_set(bad=wrong(1, 2), status=ledger(entry(1, 41), last=41), refused_until=held)
    settled = settle(SPEC, seen)
    last = settled.plan.status.repairs.history[0]
    assert (last.instance, last.result, last.reason) == ("web-1", "Failed", "DeleteRefused")
    assert under_repair(settled.plan) == {"web-2"}
    over = replace(settled.seen, live_reads=frozenset(), refused_until={"web-1": T0})
    assert under_repair(settle(SPEC, over).plan) == {"web-1", "web-2"}


def test_a_close_before_the_delete_stands_on_a_live_read_too() -> None:
    """Protocol rule 9: else a DELETE that a dead operator sent could lose its slot."""
    pods = instances(40, unhealthy=(1,))
    pods = (replace(pods[0], protected_from_actions=True), *pods[1:])
    seen = a_set(bad=wrong(1), instances=pods, status=ledger(entry(1, 41), last=41))
    first = decide(SPEC, seen, T0)
    assert first.reads == {"web-1"}
    assert under_repair(first) == {"web-1"}
    assert not settle(SPEC, seen).entries


def test_an_old_pod_still_terminating_at_the_close_is_listed_and_holds_nothing() -> None:
    """R-15, protocol rule 9: stalled, with a condition, its slot free for the next."""
    old = replace(instances(1, unhealthy=(1,))[0], terminating=True)
    pods = (old, *instances(40, unhealthy=(2, 3))[1:], replacement())
    seen = a_set(bad=wrong(2, 3), instances=pods, status=ledger(entry(1, 41, deleted=T0), last=41))
    settled = settle(SPEC, seen)
    assert [s.instance for s in settled.plan.status.repairs.stalled] == ["web-1"]
    assert condition(settled.plan, "Stalled") == ("True", "RepairStalled")
    assert under_repair(settled.plan) == {"web-2", "web-3"}
    assert "web-41" not in created(settled.plan)
    gone = replace(settled.seen, instances=pods[1:])
    after = settle(SPEC, gone).plan
    assert not after.status.repairs.stalled
    assert condition(after, "Stalled") is None


def test_nothing_moves_on_a_view_that_is_not_fresh() -> None:
    """X-07: neither a new repair nor one in flight, nor a list of the stalled."""
    stalled = [{"instance": "web-9", "uid": "uid-gone", "since": T0.isoformat()}]
    status = ledger(entry(1, 41, deleted=T0), last=41, stalled=stalled)
    pods = instances(40, unhealthy=(2,))[1:]
    seen = a_set(bad=wrong(2), instances=pods, status=status, view_is_fresh=False)
    plan = settle(SPEC, seen).plan
    assert not plan.actions
    assert not plan.reads
    assert under_repair(plan) == {"web-1"}
    assert plan.status.repairs.stalled


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
