"""Who is in a pool, by which way each leaves, and which of two rules has what both claim."""

from typing import Any

import pytest

from scaleset_operator.api.base import VMHealth
from scaleset_operator.api.scaleset import ScaleSet
from scaleset_operator.core.pool import Way, claims_of, members_of, surplus_of, way_of
from scaleset_operator.core.selection import concerns
from tests.core._outbound import ADDRESS, a_rule
from tests.support.builders import T0, instance, raw_spec, scale_set_spec


def a_set(name: str = "web", **labels: str) -> ScaleSet:
    meta = {"name": name, "namespace": "shop", "labels": labels or {"tier": "web"}}
    return ScaleSet.model_validate({"metadata": meta, "spec": raw_spec()})


@pytest.mark.parametrize(
    ("ip", "on_host", "way"),
    [
        ("8.8.4.4", False, Way.OWN_ADDRESS),
        ("10.1.2.3", True, Way.NODE),
        ("8.8.4.4", True, Way.NODE),
        ("10.1.2.3", False, Way.FRONTEND),
        (None, False, Way.FRONTEND),
    ],
)
def test_an_own_address_goes_before_the_front_end(
    ip: str | None,
    on_host: bool,  # noqa: FBT001 - a column of the table
    way: Way,
) -> None:
    """S-21, S-22."""
    assert way_of(instance(ip=ip, on_host=on_host)) is way


def test_unhealthy_and_surplus_instances_are_members_and_those_that_are_over_are_not() -> None:
    """S-24, S-32: ports need no listener and no probe."""
    pods = [
        instance(number=1, health=VMHealth.UNHEALTHY, created=T0),
        instance(number=2, started=None, health=None, created=T0),
        instance(number=3, terminating=True, created=T0),
        instance(number=4, over=True, created=T0),
    ]
    found = members_of(pods)
    assert [(m.name, m.leaving) for m in found] == [
        ("web-1", False),
        ("web-2", False),
        ("web-3", True),
    ]


def test_the_surplus_is_that_of_a_rollout_and_of_repairs_with_notice() -> None:
    """S-32: nothing where both delete first."""
    assert surplus_of(scale_set_spec(replicas=50)) == 0
    rolling: dict[str, Any] = {"upgradePolicy": {"rollingUpgradePolicy": {"maxSurge": True}}}
    assert surplus_of(scale_set_spec(replicas=50, **rolling)) == 10
    notice: dict[str, Any] = {"terminateNotificationProfile": {"enable": True}}
    assert surplus_of(scale_set_spec(replicas=50, **notice)) == 2
    assert surplus_of(scale_set_spec(replicas=50, **rolling, **notice)) == 12


def test_a_rule_has_the_sets_of_its_namespace_that_bear_its_labels() -> None:
    """Several sets may make one pool."""
    rule = a_rule()
    assert concerns(rule, a_set())
    assert not concerns(rule, a_set(tier="api"))
    far = a_set()
    meta = far.metadata.model_copy(update={"namespace": "other"})
    assert not concerns(rule, far.model_copy(update={"metadata": meta}))


def test_of_two_rules_the_older_has_the_set_and_the_address() -> None:
    """An address is one in the whole cluster; who is younger is told whose it is."""
    older = a_rule(name="older", age=2)
    younger = a_rule(name="younger", age=1)
    sets = [a_set(), a_set("api", tier="api")]
    assert claims_of(older, [older, younger], sets).sets == ()
    assert claims_of(older, [older, younger], sets).addresses == ()
    found = claims_of(younger, [older, younger], sets)
    assert found.sets == (("web", "older"),)
    assert found.addresses == ((ADDRESS, "shop/older"),)
