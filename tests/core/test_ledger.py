"""The life of a repair, from its record to its close (protocol rules 3 to 9)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Outcome
from scaleset_operator.core.plan import DeleteInstance, Purpose, Record
from tests.core._repairs import replacement, without_first
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
from tests.support.builders import instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
SPEC = scale_set_spec()


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
        not_after=T0 + timedelta(seconds=5),
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


def test_a_victim_that_is_still_there_needs_no_read_before_its_replacement() -> None:
    """R-16, protocol rule 6: what goes is seen to go."""
    gone = replace(instances(1, unhealthy=(1,))[0], terminating=True)
    recorded = ledger(entry(1, 41, deleted=T0 - MINUTE, phase="Replacing"), last=41)
    settled = settle(SPEC, a_set(instances=(gone, *instances(40)[1:]), status=recorded))
    assert not any(plan.reads for plan in settled.plans)
    assert created(settled.plan) == {"web-41"}


def test_of_two_victims_that_are_gone_both_are_read() -> None:
    """Protocol rule 9: in one turn."""
    two = ledger(entry(1, 41, deleted=T0 - MINUTE), entry(2, 42, deleted=T0 - MINUTE), last=42)
    plan = decide(SPEC, a_set(instances=instances(40)[2:], status=two), T0)
    assert plan.reads == {"web-1", "web-2"}


def test_what_speaks_against_a_record_is_looked_at_again_when_it_may_be_cancelled() -> None:
    """Protocol rule 4: seven seconds after the record."""
    pods = instances(40, unhealthy=(1,), protected_from_actions=True)
    seen = a_set(bad=wrong(1), instances=pods, status=ledger(entry(1, 41), last=41))
    assert settle(SPEC, seen).plan.look_again_at == T0 + 6 * SECOND


def test_missing_is_what_nobody_owes() -> None:
    """Protocol rule 6: nothing is created twice."""
    plan = settle(SPEC, without_first()).plan
    assert len(created(plan)) == 1
    assert not plan.status.creating


def test_a_recovered_instance_is_cancelled_only_after_healthy_stands_on_the_pod() -> None:
    """R-21, protocol rule 4."""
    recorded = ledger(entry(1, 41, start=T0 - 8 * SECOND), last=41)
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
    old = entry(1, 41, start=T0 - 8 * SECOND)
    seen = a_set(bad=wrong(1), instances=pods, status=ledger(old, last=41))
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
    assert created(settled.plan) <= {e.replacement for e in settled.entries}
    assert not settled.plan.status.creating
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


def test_a_plan_that_must_be_recorded_first_does_nothing() -> None:
    """R-14, protocol rule 3: though another repair is recorded and its victim read live."""
    settled = settle(SPEC, a_set(bad=wrong(1)))
    assert deleted(decide(SPEC, settled.seen, T0)) == {"web-1"}
    grown = decide(scale_set_spec(replicas=41), settled.seen, T0)
    assert (grown.record, grown.actions) == (Record.NOW, ())


@pytest.mark.parametrize(
    ("age", "acts", "open_"),
    [(4, True, True), (5, False, True), (6, False, True), (7, False, False)],
)
def test_a_record_that_has_run_out_deletes_nothing_and_is_then_cancelled(
    age: int, *, acts: bool, open_: bool
) -> None:
    """R-17, protocol rule 5: five seconds for the DELETE, two more before its slot is free."""
    status = ledger(entry(1, 41, start=T0 - age * SECOND), last=41)
    settled = settle(SPEC, a_set(bad=wrong(1), status=status))
    kept = [e for e in settled.entries if e.replacement == "web-41"]
    assert bool(kept) is open_
    assert ("web-1" in deleted(settled.plan)) is (acts or not open_)
    if not open_:
        assert settled.plan.status.repairs.history[0].reason == Reason.RECORD_EXPIRED


@pytest.mark.parametrize("ahead", [3 * SECOND, timedelta(days=365)])
def test_a_record_that_lies_ahead_of_the_clock_is_of_now_and_holds_no_slot_for_ever(
    ahead: timedelta,
) -> None:
    """X-10: a clock that was ahead wrote it, and its victim has recovered since."""
    seen = a_set(instances=instances(40), status=ledger(entry(1, 41, start=T0 + ahead), last=41))
    first = settle(SPEC, seen)
    assert [e.start_time for e in first.entries] == [T0]
    assert not first.plan.actions
    assert settle(SPEC, first.seen, T0 + 6 * SECOND).entries
    later = replace(first.seen, live_reads=frozenset())
    assert not settle(SPEC, later, T0 + 7 * SECOND).entries


def test_a_record_of_a_clock_that_is_a_little_ahead_stands_as_it_is() -> None:
    """Protocol rule 5: two seconds are for clocks that differ; nothing is written for them."""
    ahead = ledger(entry(1, 41, start=T0 + 2 * SECOND), last=41)
    (kept,) = settle(SPEC, a_set(bad=wrong(1), status=ahead)).entries
    assert kept.start_time == T0 + 2 * SECOND


@pytest.mark.parametrize(("lost", "ends"), [(1, 25 * MINUTE), (2, MINUTE)])
def test_the_grace_of_a_slot_starts_again_for_the_first_lost_replacement_alone(
    lost: int, ends: timedelta
) -> None:
    """Protocol rule 7: later ones share the grace that began with the first loss."""
    since = {"successors": lost, "graceFrom": (T0 - 29 * MINUTE).isoformat()}
    young = replacement(started=T0 - 5 * MINUTE, health=None)
    seen = without_first(young, bad={41: Outcome.WRONG_STATUS}, entry=since)
    assert settle(SPEC, seen).plan.look_again_at == T0 + ends
