"""A person brings single instances to the latest model: how upgrade mode Manual goes on."""

from dataclasses import replace
from typing import Any, Final

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.api.scalesetstatus import MAX_SCALE_IN
from scaleset_operator.core.decide import decide
from scaleset_operator.core.observed import Instance, Observed, TemplateView
from tests.core._stories import Settled, a_set, deleted, entry, ledger, settle, wrong
from tests.support.builders import instance, instances, scale_set_spec
from tests.support.fake_clock import T0

NEW = TemplateView(model="m2")


def spec(replicas: int = 20, **rolling: Any) -> ScaleSetSpec:
    policy = {"mode": "Manual", "rollingUpgradePolicy": rolling}
    return scale_set_spec(replicas=replicas, upgradePolicy=policy)


def asked(*numbers: int, size: int = 20, **fields: Any) -> Observed:
    """Instances of m1 while the template is m2; those are asked for."""
    pods = tuple(
        replace(pod, operation="update" if pod.instance_id in numbers else "")
        for pod in instances(size)
    )
    values: dict[str, Any] = {"instances": pods, "template": NEW} | fields
    return a_set(**values)


def rows(settled: Settled) -> list[tuple[str, str, str]]:
    found = settled.plan.status.requests
    return [(row.instance, row.state.value, row.reason) for row in found]


def test_the_one_that_is_asked_for_is_taken_and_nobody_else() -> None:
    """Rule 22: recorded before its DELETE, made up for from the latest model."""
    first, second = settle(spec(), asked(7)).plans
    assert not first.actions
    assert {(v.name, v.purpose.value) for v in first.status.scale_in} == {("web-7", "Rollout")}
    assert deleted(second) == {"web-7"}


def test_requests_keep_to_the_batch_and_say_that_they_wait() -> None:
    """Rule 22, X-11: four of twenty at once."""
    settled = settle(spec(), asked(*range(1, 8)))
    assert deleted(settled.plan) == {"web-1", "web-2", "web-3", "web-4"}
    assert [row for row in rows(settled) if row[0] in ("web-5", "web-6", "web-7")] == [
        ("web-5", "Waiting", Reason.UPDATE_WAITS),
        ("web-6", "Waiting", Reason.UPDATE_WAITS),
        ("web-7", "Waiting", Reason.UPDATE_WAITS),
    ]


def test_the_floor_counts_those_that_are_not_available() -> None:
    """Rule 22: with four of twenty out, no available one is taken."""
    pods = list(asked(1).instances)
    pods[10:14] = [instance(number=n, health=None, operation="") for n in (11, 12, 13, 14)]
    settled = settle(spec(), asked(instances=tuple(pods)))
    assert not deleted(settled.plan)


@pytest.mark.parametrize(
    ("fields", "state", "reason"),
    [
        ({"model": "m2"}, "Refused", Reason.UP_TO_DATE),
        ({"protected_from_actions": True}, "Waiting", Reason.INSTANCE_PROTECTED),
    ],
)
def test_what_is_up_to_date_is_refused_and_what_is_protected_waits(
    fields: dict[str, Any], state: str, reason: Reason
) -> None:
    """R-47, X-11."""
    pods = list(asked(1).instances)
    pods[0] = replace(pods[0], **fields)
    settled = settle(spec(), asked(instances=tuple(pods)))
    assert rows(settled) == [("web-1", state, reason)]
    assert not deleted(settled.plan)


def test_a_template_that_is_not_accepted_takes_nobody() -> None:
    """Rule 22: what is taken could not be made anew."""
    bad = TemplateView(model="m2", fault=Reason.INVALID_TEMPLATE)
    assert not deleted(settle(spec(), asked(1, template=bad)).plan)


# --- Room ----------------------------------------------------------------------------------------

IN_PLACE: dict[str, Any] = {"inPlaceIfPossible": True}


def going(*numbers: int) -> dict[str, Any]:
    rows = [{"name": f"web-{n}", "uid": f"uid-web-{n}", "purpose": "Rollout"} for n in numbers]
    return {"scaleIn": rows}


def surge(*numbers: int) -> dict[str, Any]:
    """Successors of these are recorded."""
    steps = [
        {"instance": f"web-{n}", "uid": f"uid-web-{n}", "replacement": f"web-{30 + n}"}
        | {"model": "m2"}
        for n in numbers
    ]
    reason = {"startTime": T0.isoformat(), "reason": "RollingOut"}
    return {"rollout": {"model": "m2", "surge": steps, **reason}, "lastInstanceId": 50}


def chosen(seen: Observed, **rolling: Any) -> set[str]:
    """Who is taken by the first plan, those aside that were recorded to go before."""
    plan = decide(spec(**rolling), seen, T0)
    before = {v.name for v in seen.status.scale_in}
    return {v.name for v in plan.status.scale_in} - before


def asking(*numbers: int, bad: tuple[int, ...] = (), **first: Any) -> tuple[Instance, ...]:
    """Twenty of m1 of which these are asked for and those are Unhealthy."""
    return tuple(
        replace(pod, operation="update" if pod.instance_id in numbers else "", **first)
        for pod in instances(20, unhealthy=bad)
    )


YOUNG: dict[str, Any] = {"model": "m2", "health": None, "operation": "update"}


@pytest.mark.parametrize(
    ("pods", "status", "names"),
    [
        (asking(*range(1, 8)), {}, {"web-1", "web-2", "web-3", "web-4"}),
        (asking(*range(1, 8)), going(1, 20), {"web-2", "web-3"}),
        (asking(*range(1, 8)), going(17, 18, 19, 20), set()),
        (asking(*range(1, 8))[:19], {}, {"web-1", "web-2", "web-3"}),
        (
            (*asking(*range(1, 8))[:18], *(instance(number=n, **YOUNG) for n in (21, 22))),
            {},
            {"web-1", "web-2"},
        ),
        (
            (*asking(*range(1, 8))[:18], *(instance(number=n, model="m2") for n in (21, 22))),
            {},
            {"web-1", "web-2", "web-3", "web-4"},
        ),
        (asking(*range(1, 8)), surge(2), {"web-1", "web-3", "web-4"}),
        (asking(*range(1, 8)), ledger(entry(2, 31), last=31), {"web-1", "web-3", "web-4", "web-5"}),
    ],
    ids=[
        "the batch",
        "two go already",
        "the batch goes already",
        "one is missing",
        "two are coming",
        "two have come",
        "one has a step",
        "one is under repair",
    ],
)
def test_what_is_under_way_already_takes_its_part_of_the_batch(
    pods: tuple[Instance, ...], status: dict[str, Any], names: set[str]
) -> None:
    """Rule 22: four of twenty; nobody is taken twice."""
    assert chosen(asked(instances=pods, status=status)) == names


def test_those_that_are_lost_go_first_and_take_nothing_from_the_floor() -> None:
    """Rule 22: four of twenty are out, and whoever is asked for among them may go."""
    bad = (3, 17, 18, 19)
    pods = asking(1, 2, 3, 19, bad=bad)
    seen = asked(instances=pods, bad=wrong(*bad))
    assert chosen(seen) == {"web-3", "web-19"}
    fewer = asked(instances=asking(1, 2, 19, bad=(18, 19)), bad=wrong(18, 19))
    assert chosen(fewer) == {"web-1", "web-2", "web-19"}
    tight = asked(instances=asking(1, 2, 19, bad=(17, 18, 19)), bad=wrong(17, 18, 19))
    assert chosen(tight) == {"web-1", "web-19"}


LOST: Final = tuple(range(3, 10))


@pytest.mark.parametrize(
    ("last", "more", "status", "count"),
    [
        (20, (), {}, 4),
        (20, (), going(1, 2), 2),
        (20, (), going(1, 2, 10, 11), 0),
        (19, (), {}, 3),
        (19, (instance(number=21, model="m2", health=None),), {}, 3),
        (19, (instance(number=21, model="m2"),), {}, 4),
        (19, (instance(number=21, model="m2", health=None),), going(1, 21), 2),
    ],
)
def test_those_that_are_lost_keep_to_the_batch_as_well(
    last: int, more: tuple[Instance, ...], status: dict[str, Any], count: int
) -> None:
    """Rule 22: beside who leaves, who is missing and who is coming, each counted once."""
    pods = (*asking(*LOST, bad=LOST)[:last], *more)
    assert len(chosen(asked(instances=pods, bad=wrong(*LOST), status=status))) == count


def test_those_that_can_be_are_renewed_in_their_pods_and_count_as_well() -> None:
    """Rule 22: one is renewed already."""
    images = TemplateView(model="m1-2", images=(("web", "instance:2"),))
    pods = tuple(replace(pod, model="m1-1") for pod in asking(*range(1, 8)))
    step = {"model": "m1-2", "fromModel": "m1-1", "startTime": T0.isoformat()}
    rows = [{"instance": "web-20", "uid": "uid-web-20", **step}]
    seen = asked(instances=pods, template=images, status={"renewals": rows})
    plan = decide(spec(**IN_PLACE), seen, T0)
    assert {r.instance for r in plan.status.renewals} == {"web-20", "web-1", "web-2", "web-3"}
    assert plan.status.scale_in == ()


def test_the_record_of_those_that_go_is_bounded() -> None:
    """A person who asks for all of them at once gets them in turn."""
    pods = tuple(replace(pod, operation="update") for pod in instances(400))
    seen = asked(instances=pods, status=going(*range(301, 401)))
    wish = {"replicas": 400, "maxBatchInstancePercent": 100}
    assert len(chosen(seen, **wish)) == MAX_SCALE_IN - 100
