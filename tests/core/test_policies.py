"""NetworkPolicies: what shuts the prober out for certain, and all that only may."""

from typing import Any

import pytest

from scaleset_operator.adapters.cluster.policies import policy_of
from scaleset_operator.core.policies import ProberPlace, Surroundings, shut_by, way_in

HERE = ProberPlace(
    namespace="ops",
    namespace_labels={"kubernetes.io/metadata.name": "ops", "team": "platform"},
    labels={"app": "operator"},
    addresses=("10.0.0.9",),
)
NOWHERE = ProberPlace()
WEB = {"app": "web", "tier": "front"}


def around(*policies: dict[str, Any], **fields: Any) -> Surroundings:
    """A set of web servers in `shop`, whose template names the port http 8080."""
    read = (policy_of({"metadata": {"name": f"p{n}"}, "spec": p}) for n, p in enumerate(policies))
    values: dict[str, Any] = {
        "namespace": "shop",
        "labels": WEB,
        "named_ports": {"http": 8080, "admin": 9000},
        "complete": True,
        "place": HERE,
    }
    return Surroundings(policies=tuple(p for p in read if p is not None), **(values | fields))


def admitting(*peers: dict[str, Any], ports: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """A policy for all pods with one rule."""
    rule: dict[str, Any] = {"from": list(peers)} if peers else {}
    if ports is not None:
        rule["ports"] = ports
    return {"podSelector": {}, "ingress": [rule]}


def pods(labels: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": labels or {}}, **more}


DENY: dict[str, Any] = {"podSelector": {}, "policyTypes": ["Ingress"]}


@pytest.mark.parametrize(
    ("why", "policy"),
    [
        ("nobody is let in", DENY),
        ("policyTypes left out means Ingress", {"podSelector": {}}),
        ("an empty list of rules", {**DENY, "ingress": []}),
        ("selected by a label", {"podSelector": {"matchLabels": {"app": "web"}}}),
        (
            "selected by an expression",
            {"podSelector": {"matchExpressions": [{"key": "tier", "operator": "Exists"}]}},
        ),
        (
            "by NotIn, for a key that does not stand",
            {
                "podSelector": {
                    "matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["a"]}]
                }
            },
        ),
        ("other ports are open", admitting(ports=[{"port": 9000}])),
        ("UDP is open", admitting(ports=[{"protocol": "UDP", "port": 8080}])),
        ("a range beside it", admitting(ports=[{"port": 8000, "endPort": 8079}])),
        ("another port by its name", admitting(ports=[{"port": "admin"}])),
        ("a name that no container bears", admitting(ports=[{"port": "metrics"}])),
        ("pods of the policy's own namespace", admitting(pods())),
        ("pods of other labels", admitting(pods({"app": "lb"}, namespaceSelector={}))),
        (
            "namespaces of other labels",
            admitting({"namespaceSelector": {"matchLabels": {"team": "shop"}}}),
        ),
        ("another block of addresses", admitting({"ipBlock": {"cidr": "10.1.0.0/16"}})),
        ("another block with bits to spare", admitting({"ipBlock": {"cidr": "10.1.0.7/24"}})),
        (
            "a block without our address",
            admitting({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/24"]}}),
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_the_prober_is_shut_out_for_certain(why: str, policy: dict[str, Any]) -> None:
    """S-31: every rule fails by something that is known."""
    assert shut_by(around(policy), 8080) == "p0", why


@pytest.mark.parametrize(
    ("why", "policy"),
    [
        ("a rule for everybody", admitting()),
        ("what goes out only", {"podSelector": {}, "policyTypes": ["Egress"]}),
        ("other pods", {"podSelector": {"matchLabels": {"app": "db"}}}),
        (
            "other pods, by In",
            {
                "podSelector": {
                    "matchExpressions": [{"key": "app", "operator": "In", "values": ["db"]}]
                }
            },
        ),
        (
            "other pods, by DoesNotExist",
            {"podSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}},
        ),
        ("our port", admitting(ports=[{"port": 8080}])),
        ("our port among others", admitting(ports=[{"port": 1}, {"port": 8080}])),
        ("our port in a range", admitting(ports=[{"port": 8000, "endPort": 8080}])),
        ("our port by its name", admitting(ports=[{"port": "http"}])),
        ("all of TCP", admitting(ports=[{"protocol": "TCP"}])),
        ("our namespace", admitting({"namespaceSelector": {"matchLabels": {"team": "platform"}}})),
        ("every namespace", admitting({"namespaceSelector": {}})),
        (
            "our labels, anywhere",
            admitting(pods({"app": "operator"}, namespaceSelector={})),
        ),
        ("our address", admitting({"ipBlock": {"cidr": "10.0.0.0/24"}})),
        (
            "our address, beside a hole",
            admitting({"ipBlock": {"cidr": "10.0.0.0/24", "except": ["10.0.0.8/32"]}}),
        ),
        (
            "our address in a block with bits to spare",
            admitting({"ipBlock": {"cidr": "10.0.0.7/24"}}),
        ),
        ("a block that cannot be read", admitting({"ipBlock": {"cidr": "ten"}})),
        (
            "an operator that is not known yet",
            {"podSelector": {"matchExpressions": [{"key": "app", "operator": "Gt"}]}},
        ),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_the_prober_is_or_may_be_let_in(why: str, policy: dict[str, Any]) -> None:
    """S-31: a reason that is not certain is not given."""
    assert shut_by(around(policy), 8080) is None, why


def test_one_policy_that_admits_is_enough() -> None:
    """NetworkPolicies add up: they never take away what another one gives."""
    assert shut_by(around(DENY, admitting(ports=[{"port": 8080}])), 8080) is None
    assert shut_by(around(DENY, admitting(ports=[{"port": 8081}])), 8080) == "p0"


@pytest.mark.parametrize(
    "peer",
    [
        pods(),
        pods({"app": "lb"}),
        {"namespaceSelector": {}},
        {"namespaceSelector": {"matchLabels": {"team": "shop"}}},
        {"ipBlock": {"cidr": "192.0.2.0/24"}},
    ],
)
def test_where_nothing_is_known_of_the_prober_only_a_closed_door_is_certain(
    peer: dict[str, Any],
) -> None:
    """S-31: outside of the cluster, or on the network of its node."""
    assert shut_by(around(admitting(peer), place=NOWHERE), 8080) is None
    assert shut_by(around(DENY, place=NOWHERE), 8080) == "p0"
    assert shut_by(around(admitting(peer, ports=[{"port": 1}]), place=NOWHERE), 8080) == "p0"


def test_a_namespace_is_known_by_its_name_where_its_labels_may_not_be_read() -> None:
    """The API server marks each namespace with its own name."""
    place = ProberPlace(namespace="ops", labels={"app": "operator"}, addresses=("10.0.0.9",))
    other = {"matchLabels": {"kubernetes.io/metadata.name": "shop"}}
    assert shut_by(around(admitting({"namespaceSelector": other}), place=place), 8080) == "p0"
    team = {"matchLabels": {"team": "shop"}}
    assert shut_by(around(admitting({"namespaceSelector": team}), place=place), 8080) is None
    by_name = {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["ops"]}
    but_ours = {"namespaceSelector": {"matchExpressions": [by_name]}}
    assert shut_by(around(admitting(but_ours), place=place), 8080) == "p0"


def test_of_labels_that_are_not_known_only_a_selector_of_all_is_certain() -> None:
    """S-31: the operator may read its namespace, and not its own pod."""
    place = ProberPlace(namespace="ops", namespace_labels={"team": "platform"})
    elsewhere = {"namespaceSelector": {"matchLabels": {"team": "shop"}}}
    for labels in ({}, {"app": "lb"}):
        near = admitting(pods(labels, namespaceSelector={}))
        assert shut_by(around(near, place=place), 8080) is None
        far = admitting(pods(labels, **elsewhere))
        assert shut_by(around(far, place=place), 8080) == "p0"
    both = around(DENY, admitting(pods({}, namespaceSelector={})), place=place)
    assert shut_by(both, 8080) is None


def test_of_instances_of_several_models_only_the_selector_is_certain() -> None:
    """S-31: what the template says is not said of the older ones."""
    mixed: dict[str, Any] = {"complete": False, "labels": {"app": "web"}}
    by_tier = {"podSelector": {"matchLabels": {"tier": "front"}}}
    assert shut_by(around(by_tier, **mixed), 8080) is None
    assert shut_by(around({"podSelector": {"matchLabels": {"app": "web"}}}, **mixed), 8080) == "p0"
    assert shut_by(around(admitting(ports=[{"port": "admin"}]), **mixed), 8080) is None


def test_what_differs_from_instance_to_instance_is_not_certain() -> None:
    """S-31: a policy for one update domain is none for the set."""
    domain = {"podSelector": {"matchLabels": {"scaleset.dev/update-domain": "1"}}}
    assert shut_by(around(domain), 8080) is None


def test_a_policy_that_may_select_the_instances_may_admit_the_prober() -> None:
    """S-31."""
    opens = {**admitting(), "podSelector": {"matchLabels": {"scaleset.dev/update-domain": "1"}}}
    assert shut_by(around(DENY, opens), 8080) is None


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    one = {"key": key, "operator": operator} | ({"values": list(values)} if values else {})
    return {"podSelector": {"matchExpressions": [one]}}


UNLABELLED = ProberPlace(namespace="ops", namespace_labels={"team": "platform"})
LB_ANYWHERE = pods({"app": "lb"}, namespaceSelector={})


@pytest.mark.parametrize(
    ("policies", "place", "way"),
    [
        ((), HERE, True),
        ((expression("app", "DoesNotExist"),), HERE, True),
        ((expression("app", "NotIn", "web"),), HERE, True),
        ((DENY, admitting()), HERE, True),
        ((DENY, admitting(pods({}, namespaceSelector={}))), UNLABELLED, True),
        ((DENY,), HERE, False),
        ((expression("zone", "DoesNotExist"),), HERE, False),
        ((expression("app", "Gt"),), HERE, None),
        ((DENY, admitting(LB_ANYWHERE)), UNLABELLED, None),
        ((admitting(pods()),), NOWHERE, None),
        ((admitting({"ipBlock": {"cidr": "ten"}}),), HERE, None),
    ],
)
def test_whether_there_is_a_way_in_has_three_answers(
    policies: tuple[dict[str, Any], ...], place: ProberPlace, way: Any
) -> None:
    """S-31: what is not certain is neither yes nor no."""
    assert way_in(around(*policies, place=place), 8080) is way
