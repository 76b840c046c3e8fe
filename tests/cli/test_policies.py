"""NetworkPolicies against probes: blocked is said only where it is certain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.adapters.cluster.policies import policy_of
from scaleset_operator.cli.diagnosis.check import Verdict
from scaleset_operator.cli.diagnosis.policies import admitting

if TYPE_CHECKING:
    from scaleset_operator.core.policies import Policy

LABELS = {"app": "web", "tier": "front"}
ANYBODY: dict[str, Any] = {}
SOME: list[dict[str, Any]] = [{"namespaceSelector": {}}]
PROBE = {"spec": {"protocol": "tcp", "port": 8080}}


def scale_set() -> dict[str, Any]:
    container = {"name": "c", "ports": [{"name": "http", "containerPort": 8080}]}
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [container]}}
    spec = {"healthProbeRef": {"name": "p"}, "template": template}
    return {"metadata": {"name": "web", "namespace": "shop"}, "spec": spec}


def policy(*rules: dict[str, Any], namespace: str = "shop", **spec: Any) -> dict[str, Any]:
    """A policy on every pod of the namespace with these ingress rules."""
    whole = {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": list(rules)}
    return {"metadata": {"name": "wall", "namespace": namespace}, "spec": whole | spec}


def read(*policies: dict[str, Any]) -> dict[str, list[Policy]]:
    """Namespace -> its policies."""
    found: dict[str, list[Policy]] = {}
    for raw in policies:
        if (one := policy_of(raw)) is not None:
            found.setdefault(raw["metadata"]["namespace"], []).append(one)
    return found


def verdict(*policies: dict[str, Any], probe: dict[str, Any] = PROBE) -> Verdict:
    return admitting([scale_set()], {("shop", "p"): probe}, read(*policies)).verdict


def on(port: int | str | None, **more: Any) -> dict[str, Any]:
    """A rule for anybody about one port."""
    return {"ports": [({} if port is None else {"port": port}) | more]}


@pytest.mark.parametrize(
    ("rules", "found"),
    [
        ((), Verdict.FAILED),
        ((ANYBODY,), Verdict.OK),
        ((on(8080),), Verdict.OK),
        ((on("http"),), Verdict.OK),
        ((on("other"),), Verdict.FAILED),
        ((on(8081),), Verdict.FAILED),
        ((on(8000, endPort=8080),), Verdict.OK),
        ((on(8000, endPort=8079),), Verdict.FAILED),
        ((on(8080, protocol="UDP"),), Verdict.FAILED),
        ((on(None, protocol="TCP"),), Verdict.OK),
        (({"from": SOME},), Verdict.UNKNOWN),
        (({"from": SOME, **on(8081)},), Verdict.FAILED),
        (({"from": SOME}, on(8080)), Verdict.OK),
    ],
)
def test_a_rule_opens_the_probes_port_or_does_not(
    rules: tuple[dict[str, Any], ...], found: Verdict
) -> None:
    """S-31."""
    assert verdict(policy(*rules)) is found


@pytest.mark.parametrize(
    ("selector", "selects"),
    [
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "api"}}, False),
        ({"matchLabels": {"scaleset.dev/name": "web"}}, True),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_a_policy_counts_where_it_selects_the_instances(
    selector: dict[str, Any],
    selects: bool,  # noqa: FBT001 - a column of the table
) -> None:
    found = verdict(policy(podSelector=selector))
    assert found is (Verdict.FAILED if selects else Verdict.OK)


def test_policies_add_up() -> None:
    assert verdict(policy(), policy(on(8080))) is Verdict.OK


def test_a_policy_of_another_namespace_or_direction_keeps_nobody_away() -> None:
    assert verdict(policy(namespace="other")) is Verdict.OK
    assert verdict(policy(policyTypes=["Egress"])) is Verdict.OK
    assert verdict(policy(policyTypes=None)) is Verdict.FAILED


def test_the_port_that_the_operator_resolved_counts_where_the_probe_names_none() -> None:
    """P-05."""
    resolved = {"spec": {"protocol": "tcp"}, "status": {"resolvedPort": 8080}}
    assert verdict(policy(on(8081)), probe=resolved) is Verdict.FAILED
    assert verdict(policy(), probe={"spec": {"protocol": "tcp"}}) is Verdict.OK


def test_a_set_without_a_probe_is_not_looked_at() -> None:
    raw = scale_set()
    del raw["spec"]["healthProbeRef"]
    assert admitting([raw], {}, read(policy())).verdict is Verdict.OK
