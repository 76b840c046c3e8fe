"""Where a new pod is sent: which nodes it must or should go to, beside what its template says."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Final

from scaleset_operator.adapters.cluster.placing import PREFERRED, REQUIRED, only_on, towards
from scaleset_operator.core.plan import CreateInstance

CREATE: Final = CreateInstance(name="web-3", instance_id=3, update_domain=1, model="m2")
LABELS: Final = (("maintenance/updated", "yes"), ("zone", "a"))
ASKED: Final = [
    {"key": "maintenance/updated", "operator": "In", "values": ["yes"]},
    {"key": "zone", "operator": "In", "values": ["a"]},
]
SSD: Final = {"key": "disk", "operator": "In", "values": ["ssd"]}
NOT_X: Final = {"key": "metadata.name", "operator": "NotIn", "values": ["x"]}


def nodes_of(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = spec["affinity"]["nodeAffinity"]
    return found


def terms_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = nodes_of(spec)[REQUIRED]["nodeSelectorTerms"]
    return found


def choosy(*terms: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A template that asks for nodes itself."""
    return {"affinity": {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}, **more}}


def test_a_create_that_names_no_nodes_leaves_the_template_as_it_is() -> None:
    spec = choosy({"matchExpressions": [SSD]})
    assert towards(spec, CREATE) == spec
    assert towards({}, CREATE) == {}


def test_all_labels_are_asked_for_together() -> None:
    """M-26: a node that bears one of two is not updated."""
    (term,) = terms_of(only_on({}, LABELS))
    assert term["matchExpressions"] == ASKED


def test_each_term_of_the_template_asks_for_them_too() -> None:
    """M-26: terms are alternatives; one that was left alone would be a way around."""
    spec = choosy({"matchExpressions": [SSD]}, {"matchFields": [NOT_X]})
    first, second = terms_of(only_on(spec, LABELS))
    assert first == {"matchExpressions": [SSD, *ASKED]}
    assert second == {"matchFields": [NOT_X], "matchExpressions": ASKED}


def test_what_else_the_template_wishes_stays() -> None:
    """M-26: pods apart, and nodes that it only prefers."""
    wish = {"weight": 7, "preference": {"matchExpressions": [SSD]}}
    apart = {"podAntiAffinity": {REQUIRED: [{"topologyKey": "kubernetes.io/hostname"}]}}
    spec: dict[str, Any] = {"affinity": {"nodeAffinity": {PREFERRED: [wish]}, **apart}, "os": "x"}
    made = only_on(spec, LABELS)
    assert nodes_of(made)[PREFERRED] == [wish]
    assert made["affinity"]["podAntiAffinity"] == apart["podAntiAffinity"]
    assert made["os"] == "x"


def test_an_instance_that_comes_back_must_go_to_an_updated_node() -> None:
    """M-26, V-21: rather to the one on which its place was held."""
    made = towards({}, replace(CREATE, node="worker-3", node_labels=LABELS))
    assert terms_of(made) == [{"matchExpressions": ASKED}]
    named = {"key": "metadata.name", "operator": "In", "values": ["worker-3"]}
    assert nodes_of(made)[PREFERRED] == [{"weight": 100, "preference": {"matchFields": [named]}}]


def test_a_new_instance_only_should() -> None:
    """M-21: where there is no room on updated nodes it comes up all the same."""
    made = towards({}, replace(CREATE, node_labels=LABELS, may_go_anywhere=True))
    assert REQUIRED not in nodes_of(made)
    (wish,) = nodes_of(made)[PREFERRED]
    assert wish == {"weight": 50, "preference": {"matchExpressions": ASKED}}


def test_a_place_weighs_more_than_any_other_updated_node() -> None:
    """M-26."""
    action = replace(CREATE, node="worker-3", node_labels=LABELS, may_go_anywhere=True)
    updated, place = nodes_of(towards({}, action))[PREFERRED]
    assert updated["preference"] == {"matchExpressions": ASKED}
    assert "matchFields" in place["preference"]
    assert updated["weight"] < place["weight"]


def test_wishes_of_the_template_come_first_and_stay() -> None:
    """M-26."""
    wish = {"weight": 100, "preference": {"matchExpressions": [SSD]}}
    spec = {"affinity": {"nodeAffinity": {PREFERRED: [wish]}}}
    made = towards(spec, replace(CREATE, node="worker-3"))
    assert nodes_of(made)[PREFERRED][0] == wish
    assert len(nodes_of(made)[PREFERRED]) == 2


def test_the_template_itself_is_left_alone() -> None:
    """It is shared by every create of its model."""
    spec = choosy({"matchExpressions": [SSD]})
    before = copy.deepcopy(spec)
    towards(spec, replace(CREATE, node="worker-3", node_labels=LABELS))
    towards(spec, replace(CREATE, node_labels=LABELS, may_go_anywhere=True))
    assert spec == before
