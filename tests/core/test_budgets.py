"""PodDisruptionBudgets: Enforce waits, Report says so, Ignore does not look; none is overspent."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import RepairEntry
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.disruption import Budget, Disruption
from scaleset_operator.core.observed import Observed
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
from tests.support.builders import instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
NAMES = tuple(f"web-{number}" for number in range(1, 61))


def spec(mode: str = "Enforce", **fields: Any) -> ScaleSetSpec:
    return scale_set_spec(policy={"disruptionBudgets": mode}, **fields)


def budget(allowed: int, name: str = "web-pdb", **fields: Any) -> Budget:
    return Budget(name=name, allowed=allowed, healthy=38, desired=38 - allowed, **fields)


def over(*budgets: Budget, others: tuple[RepairEntry, ...] = ()) -> Disruption:
    """These budgets select every instance."""
    return Disruption(over=dict.fromkeys(NAMES, budgets), others=others)


def sick(*numbers: int, seen: Disruption | None = None, **fields: Any) -> Observed:
    """These answer 503, and are Ready still: nobody has counted them out yet."""
    pods = fields.pop("instances", instances(40, unhealthy=numbers))
    served = tuple(replace(i, ready=i.containers_ready) for i in pods)
    return a_set(bad=wrong(*numbers), disruption=seen, instances=served, **fields)


def of_first(settled: Settled) -> tuple[Reason, str]:
    one = settled.plan.decisions[0]
    return one.reason, one.message


def test_enforce_waits_for_a_budget_and_names_it_with_its_numbers() -> None:
    """X-11: in the decision, in status and in RepairsAllowed."""
    settled = settle(spec(), sick(1, seen=over(budget(0))))
    said = "PodDisruptionBudget web-pdb: 0 disruptions allowed (38 healthy, 38 wanted)"
    assert of_first(settled) == (Reason.DISRUPTION_BUDGET, said)
    assert not settled.entries
    assert condition(settled.plan, "RepairsAllowed") == ("False", "DisruptionBudget")
    allowed = next(c for c in settled.plan.status.conditions if c.type == "RepairsAllowed")
    assert allowed.message == f"1 wait, web-1 for {said}"
    assert settled.plan.status.unhealthy_instances[0].reason == "DisruptionBudget"


def test_enforce_goes_on_where_a_budget_has_room_and_writes_down_which_it_spends() -> None:
    settled = settle(spec(), sick(1, seen=over(budget(1))))
    (one,) = settled.entries
    assert one.budgets == ("web-pdb",)
    assert one.cause == "HTTP 503, 200 is expected; no success for 11s"


def test_without_a_budget_over_it_an_instance_is_repaired() -> None:
    """And the entry spends nothing."""
    (one,) = settle(spec(), sick(1, seen=Disruption())).entries
    assert one.budgets == ()


@pytest.mark.parametrize(
    ("mode", "cause"),
    [
        ("Report", "; against PodDisruptionBudget web-pdb: 0 disruptions allowed (38 healthy, "),
        ("Ignore", "no success for 11s"),
    ],
)
def test_report_says_so_and_ignore_does_not(mode: str, cause: str) -> None:
    """X-11: the repair is done; the cause stands in the ledger, the history and the Event."""
    settled = settle(spec(mode), sick(1, seen=over(budget(0))))
    (one,) = settled.entries
    assert cause in one.cause
    assert ("PodDisruptionBudget" in one.cause) is (mode == "Report")
    told = [n.message for p in settled.plans for n in p.notes if n.reason == "RepairStarted"]
    assert any(cause in message for message in told)


def test_a_budget_with_room_leaves_the_report_s_cause_as_it_is() -> None:
    """The counter-proof."""
    (one,) = settle(spec("Report"), sick(1, seen=over(budget(1)))).entries
    assert "PodDisruptionBudget" not in one.cause


def test_a_budget_never_protects_an_instance_that_is_unready_by_its_own_report() -> None:
    """Our own gate is no part of that; neither does such a repair spend anything."""
    first = instances(1, unhealthy=(1,))[0]
    assert not first.ready
    assert first.containers_ready
    held = settle(spec(), sick(1, seen=over(budget(0))))
    assert not held.entries
    unready = replace(first, containers_ready=False)
    seen = sick(1, seen=over(budget(0)), instances=(unready, *instances(40)[1:]))
    (one,) = settle(spec(), seen).entries
    assert one.budgets == ()
    gated = replace(first, reports=(("Ready", VMHealth.UNHEALTHY, T0 - MINUTE),))
    other_gate = sick(1, seen=over(budget(0)), instances=(gated, *instances(40)[1:]))
    assert settle(spec(), other_gate).entries


@pytest.mark.parametrize(
    ("healthy", "wanted", "policy", "count"),
    [(39, 39, False, 1), (39, 40, False, 0), (38, 38, False, 1), (30, 40, True, 2)],
)
def test_one_that_our_gate_keeps_unready_goes_as_kubernetes_evicts_it(
    healthy: int, wanted: int, count: int, *, policy: bool
) -> None:
    """No disruption is allowed, and its deletion takes nothing from the budget; a second at once
    would be one too many for numbers that come late, unless the budget lets them all go."""
    one = Budget(
        name="web-pdb", allowed=0, healthy=healthy, desired=wanted, lets_unhealthy_go=policy
    )
    out = a_set(bad=wrong(1, 2), disruption=over(one))
    assert not any(pod.ready for pod in out.instances[:2])
    assert len(settle(spec(), out).entries) == count


def test_a_tight_budget_holds_nobody_for_ever() -> None:
    """R-20: the next goes once the first one's deletion is in the numbers for certain."""
    tight = over(Budget(name="web-pdb", allowed=0, healthy=38, desired=38))
    pods = instances(40, unhealthy=(1,))[:39]
    for ago, repaired in ((SECOND, {"web-40"}), (30 * SECOND, {"web-1", "web-40"})):
        recorded = ledger(spending(40, MINUTE, ago), last=200)
        out = a_set(bad=wrong(1), disruption=tight, status=recorded, instances=pods)
        settled = settle(spec(), out)
        assert under_repair(settled.plan) == repaired
        assert ago != SECOND or settled.plan.look_again_at == T0 + 29 * SECOND


@pytest.mark.parametrize(("ago", "held"), [(10, True), (29, True), (30, False)])
def test_until_its_numbers_can_know_that_an_instance_is_out_a_budget_must_allow_it(
    ago: int, *, held: bool
) -> None:
    """X-11: it left rotation a moment ago, and may still be counted as healthy."""
    first = instances(1, unhealthy=(1,))[0]
    assert first.published is not None
    lately = replace(first, published=replace(first.published, since=T0 - ago * SECOND))
    pods = (lately, *instances(40)[1:])
    even = over(Budget(name="web-pdb", allowed=0, healthy=39, desired=39))
    settled = settle(spec(), a_set(bad=wrong(1), disruption=even, instances=pods))
    assert (of_first(settled)[0] is Reason.DISRUPTION_BUDGET) is held
    assert not held or settled.plan.look_again_at == T0 + (30 - ago) * SECOND


def test_one_on_which_no_verdict_stands_yet_is_counted_as_it_reports_itself() -> None:
    """X-11: our gate has not let it in so far, and a person asks for its repair."""
    young = instances(1, health=None, repair_request="requested")[0]
    assert not young.ready
    pods = (young, *instances(40)[1:])
    held = settle(spec(), a_set(disruption=over(budget(0)), instances=pods))
    assert of_first(held)[0] is Reason.DISRUPTION_BUDGET
    assert settle(spec(), a_set(disruption=over(budget(1)), instances=pods)).entries


def test_all_of_several_budgets_must_allow_it() -> None:
    """X-11."""
    settled = settle(spec(), sick(1, seen=over(budget(5), budget(0, "other"))))
    assert of_first(settled)[1].startswith("PodDisruptionBudget other: 0")
    (one,) = settle(spec(), sick(1, seen=over(budget(5), budget(1, "other")))).entries
    assert one.budgets == ("web-pdb", "other")


@pytest.mark.parametrize(("allowed", "count"), [(0, 0), (1, 1), (2, 2), (3, 2)])
def test_two_repairs_of_one_turn_do_not_spend_the_same_disruption(allowed: int, count: int) -> None:
    """X-11: two slots, and as many repairs as the budget has room for."""
    settled = settle(spec(), sick(1, 2, 3, seen=over(budget(allowed))))
    assert len(settled.entries) == count
    left = {r for r in reasons(settled.plan).values() if r is not Reason.REPLACEMENT_STARTING}
    expected = Reason.BATCH_LIMIT_REACHED if allowed > 2 else Reason.DISRUPTION_BUDGET
    assert left == {expected}


def spending(number: int, age: timedelta, deleted: timedelta | None = None) -> dict[str, Any]:
    """The repair of an instance that has spent from web-pdb."""
    times = {"start": T0 - age}
    if deleted is not None:
        times["deleted"] = T0 - deleted
    return entry(number, 100 + number, budgets=["web-pdb"], **times)


@pytest.mark.parametrize(
    ("deleted", "held"), [(None, True), (29 * SECOND, True), (30 * SECOND, False)]
)
def test_what_was_deleted_lately_is_taken_off_a_budget_s_numbers(
    deleted: timedelta | None, *, held: bool
) -> None:
    """Its controller may not have counted yet; one disruption is allowed, as it says."""
    recorded = ledger(spending(40, MINUTE, deleted), last=200)
    pods = instances(40, unhealthy=(1,))[:39]
    settled = settle(spec(), sick(1, seen=over(budget(1)), status=recorded, instances=pods))
    assert (under_repair(settled.plan) == {"web-40"}) is held
    if held:
        assert "1 of them taken by repairs under way" in settled.plan.decisions[0].message
    if deleted == 29 * SECOND:
        assert settled.plan.look_again_at == T0 + SECOND


def test_a_deletion_that_a_budget_counts_as_an_eviction_is_not_taken_off_twice() -> None:
    """disruptedPods names it."""
    recorded = ledger(spending(40, MINUTE, SECOND), last=200)
    pods = instances(40, unhealthy=(1,))[:39]
    counted = over(budget(1, disrupted=frozenset({"web-40"})))
    settled = settle(spec(), sick(1, seen=counted, status=recorded, instances=pods))
    assert under_repair(settled.plan) == {"web-1", "web-40"}


def test_a_budget_edited_since_it_was_counted_is_waited_for() -> None:
    """X-11: observedGeneration."""
    settled = settle(spec(), sick(1, seen=over(budget(5, current=False))))
    assert of_first(settled) == (
        Reason.DISRUPTION_BUDGET,
        "PodDisruptionBudget web-pdb: its status is older than its spec",
    )


@pytest.mark.parametrize(
    "seen", [None, Disruption(fault="PodDisruptionBudgets cannot be read: no")]
)
def test_budgets_that_are_not_known_hold_under_enforce_and_nothing_else(
    seen: Disruption | None,
) -> None:
    """X-07, X-11: 403, or not listed yet."""
    settled = settle(spec(), sick(1, seen=seen))
    assert of_first(settled)[0] is Reason.DISRUPTION_BUDGET
    assert "PodDisruptionBudgets" in of_first(settled)[1]
    assert settle(spec("Report"), sick(1, seen=seen)).entries
    assert settle(spec("Ignore"), sick(1, seen=seen)).entries


def other_entry(ago: timedelta) -> RepairEntry:
    """Another set's repair, recorded so long ago, that spends from web-pdb."""
    raw = entry(9, 109, start=T0 - ago, budgets=["web-pdb"])
    return RepairEntry.model_validate(raw | {"instance": "api-9", "uid": "uid-api-9"})


def test_another_set_s_repair_spends_the_same_budget() -> None:
    seen = over(budget(1), others=(other_entry(SECOND),))
    assert not settle(spec(), sick(1, seen=seen)).entries
    assert settle(spec(), sick(1, seen=over(budget(2), others=seen.others))).entries
    elsewhere = other_entry(SECOND).model_copy(update={"budgets": ("api-pdb",)})
    assert settle(spec(), sick(1, seen=over(budget(1), others=(elsewhere,)))).entries


@pytest.mark.parametrize(("ago", "deletes"), [(2 * SECOND, False), (SECOND / 2, True)])
def test_of_two_repairs_recorded_at_once_the_earlier_goes_on(
    ago: timedelta, *, deletes: bool
) -> None:
    """Protocol rule 4: asked again before the DELETE; the later one is given up in its time."""
    recorded = ledger(spending(1, SECOND), last=200)
    seen = sick(1, seen=over(budget(1), others=(other_entry(ago),)), status=recorded)
    settled = settle(spec(), seen)
    assert bool([a for a in settled.plan.actions if a.name == "web-1"]) is deletes
    late = settle(spec(), settled.seen, T0 + 7 * SECOND)
    (ended,) = late.plan.status.repairs.history
    assert ended.reason == ("RecordExpired" if deletes else "DisruptionBudget")


def test_a_repair_is_not_held_up_by_its_own_record() -> None:
    """Protocol rule 4: one disruption is allowed, and it is this one."""
    recorded = ledger(spending(1, SECOND), last=200)
    settled = settle(spec(), sick(1, seen=over(budget(1)), status=recorded))
    assert "web-1" in {act.name for act in settled.plan.actions}


def test_one_held_by_a_budget_holds_up_none_behind_it() -> None:
    """R-20: web-1 is selected by a budget without room, the others by none."""
    seen = Disruption(over={"web-1": (budget(0),)})
    settled = settle(spec(), sick(1, 2, 3, seen=seen))
    assert under_repair(settled.plan) == {"web-2", "web-3"}
