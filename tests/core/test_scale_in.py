"""Who goes first when fewer instances are wanted (protocol rule 24)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Outcome
from scaleset_operator.core.plan import (
    DeleteInstance,
    Purpose,
    Record,
)
from tests.core._stories import (
    a_set,
    created,
    deleted,
    entry,
    ledger,
    settle,
    wrong,
)
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)


def sized(replicas: int, **spec: Any) -> Any:
    return scale_set_spec(replicas=replicas, **spec)


def victims(replicas: int, pods: Any, bad: dict[int, Any] | None = None, **spec: Any) -> list[str]:
    """Who is recorded to go when so many are wanted of these."""
    settled = settle(sized(replicas, **spec), a_set(instances=pods, bad=bad or {}))
    return [victim.name for victim in settled.plan.status.scale_in]


def test_victims_are_chosen_from_a_live_list_and_recorded_before_their_delete() -> None:
    """Protocol rule 24."""
    first, second, third = settle(sized(3), a_set(4)).plans
    assert (first.list_live, first.status.scale_in) == (True, ())
    assert (second.record, second.actions) == (Record.NOW, ())
    assert [v.name for v in second.status.scale_in] == ["web-4"]
    (act,) = third.actions
    assert isinstance(act, DeleteInstance)
    assert (act.uid, act.resource_version, act.purpose) == ("uid-web-4", "104", Purpose.SCALE_IN)


def test_a_name_that_is_owed_is_given_up_on_a_live_list_only() -> None:
    """Rule 6, design 2: in the cache of another operator its pod may not be there yet."""
    status = {
        "lastInstanceId": 5,
        "creating": [{"name": "web-5", "updateDomain": 4, "model": "m1"}],
    }
    behind = a_set(4, status=status)
    first = decide(sized(4), behind, T0)
    assert first.list_live
    assert [c.name for c in first.status.creating] == ["web-5"]
    there = replace(behind, listed=True, instances=instances(5)[1:])
    assert decide(sized(4), there, T0).status.scale_in == ()
    (last, *_) = reversed(settle(sized(4), behind).plans)
    assert last.status.creating == ()


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        ("Default", ["web-10", "web-9", "web-8"]),
        ("Newest", ["web-10", "web-9", "web-8"]),
        ("Oldest", ["web-1", "web-2", "web-3"]),
    ],
)
def test_the_policy_chooses_among_healthy_instances(policy: str, names: list[str]) -> None:
    """Protocol rule 24."""
    assert victims(7, instances(10), scaleInPolicy=policy) == names


def test_the_default_policy_takes_from_the_fullest_update_domain_first() -> None:
    """M-11: then the newest."""
    pods = tuple(replace(p, update_domain=0 if p.instance_id < 5 else 1) for p in instances(6))
    assert victims(4, pods) == ["web-4", "web-3"]


@pytest.mark.parametrize("policy", ["Default", "Newest", "Oldest"])
def test_never_started_and_unhealthy_instances_go_first_in_every_policy(policy: str) -> None:
    """Protocol rule 24: never-started ones before the unhealthy."""
    young = instance(number=5, started=None, health=None)
    pods = (*instances(4, unhealthy=(2,)), young, *instances(10)[5:])
    assert victims(8, pods, wrong(2), scaleInPolicy=policy) == ["web-5", "web-2"]
    assert victims(9, pods, wrong(2), scaleInPolicy=policy) == ["web-5"]


@pytest.mark.parametrize("policy", ["Default", "Newest", "Oldest"])
def test_of_those_that_go_first_the_newest_goes_before_the_others(policy: str) -> None:
    """Protocol rule 24: the least of a loss."""
    young = (instance(number=n, started=None, health=None) for n in (4, 5, 6))
    pods = (*instances(3, unhealthy=(1, 2)), *young)
    order = ["web-6", "web-5", "web-4", "web-2", "web-1"]
    for wanted in range(1, 6):
        gone = victims(wanted, pods, wrong(1, 2), scaleInPolicy=policy)
        assert gone == order[: 6 - wanted]


def test_the_newest_go_by_their_number_whatever_their_domain() -> None:
    """Protocol rule 24: though another one is fuller."""
    pods = tuple(replace(p, update_domain=0 if p.instance_id < 5 else 1) for p in instances(6))
    assert victims(4, pods, scaleInPolicy="Newest") == ["web-6", "web-5"]


@pytest.mark.parametrize("flag", ["protected_from_scale_in", "protected_from_actions"])
def test_a_protected_instance_is_never_scaled_in(flag: str) -> None:
    """Protocol rule 24: neither unhealthy nor the last one."""
    protect: dict[str, Any] = {flag: True}
    pods = tuple(replace(p, **protect) for p in instances(3, unhealthy=(1,)))
    assert victims(1, pods, wrong(1)) == []
    assert victims(2, (*pods, instance(number=4))) == ["web-4"]


def test_protection_that_comes_after_the_choice_takes_the_victim_off_the_list() -> None:
    """Protocol rule 24: another one goes instead."""
    chosen = settle(sized(3), a_set(4)).seen
    pods = tuple(replace(p, protected_from_scale_in=p.instance_id == 4) for p in chosen.instances)
    plan = settle(sized(3), replace(chosen, instances=pods)).plan
    assert deleted(plan) == {"web-3"}


def test_a_wish_that_grows_again_spares_victims_not_yet_deleted() -> None:
    """Protocol rule 24: to the number wanted, and no more."""
    chosen = settle(sized(2), a_set(4)).seen
    one = settle(sized(3), chosen).plan
    assert len(deleted(one)) == 1
    none = settle(sized(4), chosen).plan
    assert not none.actions
    more = settle(sized(5), chosen).plan
    assert not deleted(more)
    assert created(more) == {"web-5"}
    assert not more.status.scale_in


def test_what_is_owed_and_not_created_yet_is_given_up_first() -> None:
    """Protocol rule 24: nobody living goes for a name on paper."""
    creating = [{"name": f"web-{n}", "updateDomain": 1, "model": "m1"} for n in (4, 5)]
    status = {"lastInstanceId": 5, "creating": creating}
    plan = settle(sized(4), a_set(3, status=status)).plan
    assert created(plan) == {"web-4"}
    assert not plan.status.scale_in


def test_a_scale_in_that_no_longer_wants_the_instance_closes_its_repair() -> None:
    """Protocol rule 6: the victim is gone, its replacement is not wanted; on a live list."""
    pods = instances(10)[1:]
    status = ledger(entry(1, 11, deleted=T0), last=11)
    settled = settle(sized(9), a_set(instances=pods, status=status))
    assert settled.plans[0].list_live
    assert not settled.entries
    last = settled.plan.status.repairs.history[0]
    assert (last.result, last.reason) == ("Cancelled", Reason.SCALED_IN)
    assert not settled.plan.actions


def test_scale_in_of_a_replacement_closes_its_repair() -> None:
    """Protocol rule 7: as Cancelled."""
    young = instance(number=11, started=None, health=None)
    status = ledger(entry(1, 11, deleted=T0), last=11)
    settled = settle(sized(9), a_set(instances=(*instances(10)[1:], young), status=status))
    assert deleted(settled.plan) == {"web-11"}
    assert not settled.entries
    assert settled.plan.status.repairs.history[0].reason == Reason.SCALED_IN


def test_scale_in_of_a_victim_closes_its_repair() -> None:
    """Protocol rule 6: one DELETE, and no replacement."""
    seen = a_set(10, bad=wrong(1), status=ledger(entry(1, 11), last=11))
    settled = settle(sized(9), seen)
    acts = [a for a in settled.plan.actions if isinstance(a, DeleteInstance)]
    assert [(a.name, a.purpose) for a in acts] == [("web-1", Purpose.SCALE_IN)]
    assert not created(settled.plan)
    assert not settled.entries


def test_a_set_shrinks_in_bounded_steps() -> None:
    """The list of victims in the status is bounded."""
    plan = settle(sized(0), a_set(250)).plan
    assert len(deleted(plan)) == 200


def test_scale_in_takes_no_one_for_a_witness_on_its_way_out() -> None:
    """Protocol rule 18: it counts no more, though it still lives."""
    witness = {"name": "web-5", "uid": "uid-web-5", "purpose": "Witness"}
    pods = tuple(replace(p, published=None) if p.instance_id == 5 else p for p in instances(5))
    plan = settle(sized(4), a_set(instances=pods, status={"scaleIn": [witness]})).plan
    assert deleted(plan) == {"web-5"}
    assert [v.name for v in plan.status.scale_in] == ["web-5"]


def test_an_unhealthy_verdict_of_now_counts_and_not_the_published_one() -> None:
    """Protocol rule 24: web-2 recovered, web-3 fell."""
    pods = instances(4, unhealthy=(2,))
    seen = a_set(instances=pods, bad={2: Outcome.OK, 3: Outcome.REFUSED})
    assert seen.instances[1].published is not None
    assert seen.instances[1].published.health is VMHealth.UNHEALTHY
    plan = decide(sized(3), replace(seen, listed=True), T0)
    assert [v.name for v in plan.status.scale_in] == ["web-3"]


def test_an_instance_that_a_rollout_takes_counts_towards_a_scale_in() -> None:
    """R-22, protocol rules 22 and 24: nobody else goes, only to be created again."""
    leaving = [{"name": "web-2", "uid": "uid-web-2", "purpose": "Rollout"}]
    plan = settle(sized(3), a_set(4, status={"scaleIn": leaving})).plan
    assert deleted(plan) == {"web-2"}
    assert len(deleted(settle(sized(2), a_set(4, status={"scaleIn": leaving})).plan)) == 2
