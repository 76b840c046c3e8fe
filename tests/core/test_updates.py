"""A person brings single instances to the latest model: how upgrade mode Manual goes on."""

from dataclasses import replace
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.api.scaleset import ScaleSetSpec
from scaleset_operator.core.observed import Observed, TemplateView
from tests.core._stories import Settled, a_set, deleted, settle
from tests.support.builders import instance, instances, scale_set_spec

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
    """R-55, rule 22: recorded before its DELETE, made up for from the latest model."""
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
