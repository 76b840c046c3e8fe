"""The floor is asked again right before a recorded victim goes (protocol rules 3, 4 and 22)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.doubt import Doubtfulness
from scaleset_operator.core.health import judge
from scaleset_operator.core.observed import Observed, Outcome, TemplateView
from tests.core._stories import a_set, created, deleted, entry, ledger, settle, wrong
from tests.support.builders import evidence, instances, scale_set_spec
from tests.support.fake_clock import T0

NEW = TemplateView(model="m2")
SIZE = 20
"""With the default batch of 20 % the floor is sixteen."""


def spec(replicas: int = SIZE, mode: str = "Rolling", **rolling: Any) -> ScaleSetSpec:
    policy = {"mode": mode, "rollingUpgradePolicy": rolling}
    return scale_set_spec(replicas=replicas, repairs=False, upgradePolicy=policy)


def victims(*numbers: int, purpose: str = "Rollout") -> list[dict[str, str]]:
    return [{"name": f"web-{n}", "uid": f"uid-web-{n}", "purpose": purpose} for n in numbers]


def recorded(bad: dict[int, Any], *rows: dict[str, str], **fields: Any) -> Observed:
    """Victims stand in the ledger, from another time; these instances are ill by now."""
    return a_set(SIZE, bad=bad, template=NEW, status={"scaleIn": list(rows)}, **fields)


def going(wish: ScaleSetSpec, seen: Observed) -> set[str]:
    return deleted(settle(wish, seen).plan)


@pytest.mark.parametrize(
    ("ill", "gone"),
    [
        ((), {"web-1", "web-2", "web-3", "web-4"}),
        ((11,), {"web-1", "web-2", "web-3"}),
        ((11, 12, 13), {"web-1"}),
        ((11, 12, 13, 14), set()),
        (tuple(range(5, 21)), set()),
    ],
)
def test_recorded_victims_go_only_as_far_as_the_floor_still_has_room(
    ill: tuple[int, ...], gone: set[str]
) -> None:
    """R-57, X-02, rule 22: others failed while no operator ran; what was recorded is no licence."""
    seen = recorded(wrong(*ill), *victims(1, 2, 3, 4))
    settled = settle(spec(), seen)
    assert deleted(settled.plan) & {f"web-{n}" for n in range(1, 5)} == gone
    assert {v.name for v in settled.plan.status.scale_in} >= {f"web-{n}" for n in range(1, 5)}


@pytest.mark.parametrize(
    ("evicted", "repaired", "taken"),
    [((), (), 4), ((18,), (), 3), ((18, 19), (17,), 1), ((17, 18, 19), (16,), 0)],
)
def test_evictions_and_repairs_leave_a_rollout_what_is_left_of_the_floor(
    evicted: tuple[int, ...], repaired: tuple[int, ...], taken: int
) -> None:
    """X-02: whoever took them: sixteen of twenty stay available, and the count says what goes."""
    pods = tuple(replace(p, terminating=p.instance_id in evicted) for p in instances(SIZE))
    flight = [entry(n, 100 + n, deleted=T0) for n in repaired]
    staying = tuple(p for p in pods if p.instance_id not in repaired)
    seen = a_set(instances=staying, template=NEW, status=ledger(*flight, last=200))
    plan = settle(scale_set_spec(replicas=SIZE), seen).plan
    victims_ = [v.name for v in plan.status.scale_in]
    assert len(victims_) == taken
    assert not set(victims_) & {f"web-{n}" for n in (*evicted, *repaired)}
    available = [p for p in staying if p.live and p.name not in victims_]
    assert len(available) == 16
    assert plan.status.replicas == len([p for p in staying if p.live])


def test_who_is_held_is_told_and_goes_once_the_others_are_back() -> None:
    """X-11: the wait has a word, and an end."""
    held = settle(spec(), recorded(wrong(11, 12, 13, 14), *victims(1, 2)))
    rollout = held.plan.status.rollout
    assert rollout is not None
    assert "2 of them held by the floor" in rollout.message
    back = replace(held.seen, instances=instances(SIZE), evidence=recorded({}).evidence)
    assert {"web-1", "web-2"} <= going(spec(), back)


def test_a_victim_that_fell_ill_itself_is_not_held() -> None:
    """Rule 23: taking it costs nothing, so a good model can cure a bad one."""
    seen = recorded(wrong(1, 11, 12, 13, 14), *victims(1, 2))
    assert going(spec(), seen) >= {"web-1"}
    assert "web-2" not in going(spec(), seen)


def test_those_that_leave_for_fewer_count_as_gone_already() -> None:
    """Rule 24: two are scaled in besides; of sixteen wanted the floor is thirteen."""
    rows = (*victims(19, 20, purpose="ScaleIn"), *victims(1, 2, 3))
    seen = recorded(wrong(11, 12, 13, 14), *rows)
    eighteen = replace(seen, listed=True)
    assert going(spec(18), eighteen) & {"web-1", "web-2", "web-3"} == set()
    assert {"web-19", "web-20"} <= going(spec(18), eighteen)
    fine = replace(recorded({}, *rows), listed=True)
    assert {"web-1", "web-2", "web-3", "web-19", "web-20"} <= going(spec(18), fine)


def test_mode_automatic_asks_no_floor() -> None:
    """Rule 22: its bound is the whole set."""
    seen = recorded(wrong(*range(5, 21)), *victims(1, 2, 3, 4))
    assert {f"web-{n}" for n in range(1, 5)} <= going(spec(mode="Automatic"), seen)


def test_an_illness_that_does_not_stand_on_the_pod_yet_makes_nobody_free_to_take() -> None:
    """Rule 4: while it is published Healthy a Service sends it traffic, and the floor counts it."""
    bad = wrong(1, 2, 3, 4)
    seen = a_set(SIZE, bad=bad, template=NEW)
    ill = {f"uid-web-{n}" for n in bad}
    shown = {p.uid: p.published for p in instances(SIZE)}
    hidden = tuple(replace(p, published=shown[p.uid]) for p in seen.instances)
    unpublished = replace(seen, instances=hidden)
    taken = settle(spec(), unpublished).plan.status.scale_in
    assert not taken
    told = settle(spec(), seen).plan.status.scale_in
    assert {v.uid for v in told} == ill


def test_an_instance_in_doubt_is_held_like_one_that_is_well() -> None:
    """Rule 22: it counts as unavailable in the floor and as available for taking."""
    late = evidence(for_=timedelta(hours=1), last_ended=T0 - timedelta(minutes=20))
    bad = {1: evidence(outcome=Outcome.TIMED_OUT), 2: replace(late, last_success=late.last_ended)}
    pods = instances(5)
    seen = a_set(5, bad=bad, instances=pods, template=NEW, status={"scaleIn": victims(1)})
    wish = spec(5)
    assert judge(wish, seen, T0)["uid-web-1"].doubt is Doubtfulness.UNDECIDED
    fresh = replace(seen, instances=(replace(pods[0], published=None), *pods[1:]))
    settled = settle(wish, fresh)
    assert deleted(settled.plan) == created(settled.plan) == set()
