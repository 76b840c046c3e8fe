"""How many instances there are: names, victims, update domains, adoption."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import TemplateView
from scaleset_operator.core.plan import (
    AdoptInstance,
    CreateInstance,
    DeleteInstance,
    Purpose,
    Record,
    ReleaseInstance,
)
from tests.core._stories import (
    Story,
    a_set,
    created,
    deleted,
    entry,
    ledger,
    settle,
    under_repair,
)
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

SECOND = timedelta(seconds=1)


def sized(replicas: int, **spec: Any) -> Any:
    return scale_set_spec(replicas=replicas, **spec)


def test_names_are_recorded_before_the_create() -> None:
    """Protocol rule 3: the plan that names them does nothing."""
    first, second = settle(sized(3), a_set(0)).plans
    assert (first.record, first.actions) == (Record.NOW, ())
    assert [c.name for c in first.status.creating] == ["web-1", "web-2", "web-3"]
    assert first.status.last_instance_id == 3
    assert created(second) == {"web-1", "web-2", "web-3"}


def test_the_next_id_follows_every_id_ever_recorded_or_seen() -> None:
    """Names are never used again (design.md section 2)."""
    by_record = a_set(2, status={"lastInstanceId": 17})
    by_pod = a_set(instances=(instance(number=1), instance(number=30)))
    orphan = a_set(1, adoptable=(instance(number=9, terminating=True),))
    assert created(settle(sized(3), by_record).plan) == {"web-18"}
    assert created(settle(sized(3), by_pod).plan) == {"web-31"}
    assert created(settle(sized(2), orphan).plan) == {"web-10"}


def test_a_create_is_of_the_latest_model_and_owes_nothing_to_a_repair() -> None:
    """R-29, R-49."""
    (act,) = settle(sized(2), a_set(1, template=TemplateView(model="m2"))).plan.actions[:1]
    assert isinstance(act, CreateInstance)
    assert (act.model, act.replaces, act.attempt, act.after) == ("m2", None, 0, None)


def test_a_name_that_is_taken_is_replaced_by_the_next() -> None:
    """AlreadyExists for a stranger's pod (design.md section 2)."""
    creating = [{"name": "web-2", "updateDomain": 1, "model": "m1"}]
    status = {"lastInstanceId": 2, "creating": creating}
    seen = a_set(1, status=status, unusable=frozenset({"web-2"}))
    assert created(settle(sized(2), seen).plan) == {"web-3"}


@pytest.mark.parametrize(
    "change",
    [
        {"template": TemplateView(model="m1", checked=False)},
        {"template": TemplateView(model="m1", fault=Reason.INVALID_TEMPLATE)},
        {"overlaps_with": "older"},
        {"view_is_fresh": False},
        {"create_refused": (Reason.CREATE_FORBIDDEN, "quota", T0 + SECOND)},
    ],
)
def test_nothing_is_created_for_a_set_that_is_not_accepted_or_not_seen(
    change: dict[str, Any],
) -> None:
    """X-07, X-11."""
    assert not created(settle(sized(3), a_set(1, **change)).plan)


def test_a_refused_create_is_tried_again_at_its_time() -> None:
    """X-11: and the plan is woken for it."""
    refused = (Reason.CREATE_FORBIDDEN, "quota", T0 + SECOND)
    settled = settle(sized(3), a_set(1, create_refused=refused))
    assert settled.plan.look_again_at == T0 + SECOND
    assert len(created(settle(sized(3), settled.seen, T0 + SECOND).plan)) == 2


def test_a_fault_of_the_probe_stops_no_create() -> None:
    """R-02, P-24."""
    seen = a_set(1)
    assert seen.probe is not None
    seen = replace(seen, probe=replace(seen.probe, fault=Reason.PROBE_NOT_FOUND))
    assert len(created(settle(sized(3), seen).plan)) == 2


def test_an_instance_that_a_person_deletes_is_made_up_for() -> None:
    """R-19, R-50: a protected one too, and by no repair."""
    pods = tuple(
        replace(p, protected_from_actions=True, terminating=p.instance_id == 2)
        for p in instances(3)
    )
    plan = settle(sized(3), a_set(instances=pods)).plan
    assert created(plan) == {"web-4"}
    assert not under_repair(plan)
    assert not deleted(plan)


def test_pods_that_are_over_are_cleared_away_and_made_up_for_without_a_slot() -> None:
    """Design.md section 2: Failed, Succeeded and evicted pods are no instances."""
    pods = tuple(replace(p, over=p.instance_id == 2) for p in instances(3))
    plan = settle(sized(3), a_set(instances=pods)).plan
    gone = [act for act in plan.actions if isinstance(act, DeleteInstance)]
    assert [(act.name, act.purpose) for act in gone] == [("web-2", Purpose.OVER)]
    assert created(plan) == {"web-4"}
    assert not under_repair(plan)
    assert plan.status.replicas == 2


@pytest.mark.parametrize(
    ("deaths", "wait"), [(3, None), (4, 10), (5, 20), (6, 40), (7, 80), (8, 120), (10, 120)]
)
def test_instances_that_keep_dying_are_made_up_for_ever_slower(
    deaths: int, wait: int | None
) -> None:
    """Design.md section 2: back-off as a ReplicaSet would, doubling and bounded."""
    seen = a_set(2, recently_over=(T0,) * deaths)
    plan = settle(sized(3), seen).plan
    assert bool(created(plan)) is (wait is None)
    if wait is not None:
        assert plan.look_again_at == T0 + wait * SECOND
        assert created(settle(sized(3), seen, T0 + wait * SECOND).plan)


def test_new_instances_fill_the_least_filled_update_domain() -> None:
    """M-11: sizes differ by at most one."""
    pods = tuple(replace(p, update_domain=p.instance_id % 2) for p in instances(4))
    acts = settle(sized(13), a_set(instances=pods)).plan.actions
    sizes = Counter(p.update_domain for p in pods)
    sizes.update(a.update_domain for a in acts if isinstance(a, CreateInstance))
    assert sorted(sizes.values()) == [2, 2, 3, 3, 3]


def test_a_replacement_s_place_is_kept_in_its_update_domain() -> None:
    """M-11, protocol rule 7: what is owed counts as there."""
    pods = instances(10)[1:]
    status = ledger(entry(1, 11, deleted=T0), last=11)
    acts = settle(sized(11), a_set(instances=pods, status=status)).plan.actions
    domains = {a.name: a.update_domain for a in acts if isinstance(a, CreateInstance)}
    assert domains == {"web-11": 0, "web-12": 0}


def test_pods_of_this_set_s_name_without_a_controller_are_adopted_and_count_at_once() -> None:
    """Design.md section 2: left by an orphaning delete; nothing is created beside them."""
    orphans = (*instances(3)[1:], instance(number=9, terminating=True))
    plan = settle(sized(3), a_set(1, adoptable=orphans)).plan
    assert [type(act) for act in plan.actions] == [AdoptInstance, AdoptInstance]
    assert [act.name for act in plan.actions] == ["web-2", "web-3"]
    assert not plan.status.creating
    assert created(settle(sized(4), a_set(1, adoptable=orphans)).plan) == {"web-10"}


def test_an_owned_pod_that_the_selector_no_longer_matches_is_released() -> None:
    """Design.md section 2."""
    pods = instances(3)
    plan = settle(sized(3), a_set(instances=pods, released=pods[2:])).plan
    assert plan.actions == (ReleaseInstance(name="web-3", uid="uid-web-3", resource_version="103"),)


def test_a_set_grows_in_bounded_steps() -> None:
    """The list of names in the status is bounded."""
    spec = sized(1200, repairs=False)
    plan = settle(spec, a_set(0)).plan
    assert len(created(plan)) == 500


def test_scaling_to_nothing_and_back_never_uses_a_name_twice() -> None:
    """Names are never used again: the story itself refuses one that is."""
    story = Story.of(sized(5))
    for wanted in (0, 5, 2, 7):
        story.spec = sized(wanted)
        story.run(40 * SECOND)
        assert len(story.live) == wanted
    assert len(story.names) == len(set(story.names)) == 10
    assert not story.seen.status.creating


def test_on_a_stale_view_nobody_is_adopted_released_or_cleared_away() -> None:
    """X-07."""
    pods = (*instances(3), instance(number=4, over=True))
    seen = a_set(instances=pods, adoptable=(instance(number=5),), released=pods[:1])
    assert len(settle(sized(4), seen).plan.actions) == 3
    assert not settle(sized(4), replace(seen, view_is_fresh=False)).plan.actions


def test_what_another_operator_may_have_made_is_looked_for_before_anything_is_made() -> None:
    """Design 2, protocol rule 6: web-5 was given out; this cache has not seen it, or it is gone."""
    behind = a_set(4, status={"lastInstanceId": 5})
    first = decide(sized(5), behind, T0)
    assert first.list_live
    assert not first.status.creating
    there = replace(behind, listed=True, instances=instances(5))
    assert not settle(sized(5), there).plan.status.creating
    assert created(settle(sized(5), behind).plan) == {"web-6"}


def test_a_view_that_accounts_for_every_name_asks_for_no_list() -> None:
    """Rule 24: lists are for choosing victims, and for doubt."""
    owed = {"name": "web-5", "updateDomain": 4, "model": "m1"}
    seen = a_set(4, status={"lastInstanceId": 5, "creating": [owed]})
    assert not any(plan.list_live for plan in settle(sized(6), seen).plans)
    alone = a_set(4, status={"lastInstanceId": 4})
    assert not any(plan.list_live for plan in settle(sized(6), alone).plans)
