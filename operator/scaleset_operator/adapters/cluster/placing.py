"""Where a pod is to go, in the words of a pod spec: which nodes it must or should be put on. Pure.

Must not know: why, or what else stands in the pod.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from scaleset_operator.core.plan import CreateInstance

Body = dict[str, Any]

REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
WEIGHT_OF_A_PLACE: Final = 100
"""The most there is: a place is held there."""
WEIGHT_OF_UPDATED: Final = 50


def towards(spec: Mapping[str, Any], action: CreateInstance) -> Body:
    """A pod's spec with the nodes that its create names; as it was where it names none."""
    placed = dict(spec)
    if action.node_labels and action.may_go_anywhere:
        term = {"matchExpressions": _expressions(action.node_labels)}
        placed = _preferring(placed, WEIGHT_OF_UPDATED, term)
    elif action.node_labels:
        placed = only_on(placed, action.node_labels)
    if action.node is not None:
        fields = [{"key": "metadata.name", "operator": "In", "values": [action.node]}]
        placed = _preferring(placed, WEIGHT_OF_A_PLACE, {"matchFields": fields})
    return placed


def only_on(spec: Mapping[str, Any], labels: Iterable[tuple[str, str]]) -> Body:
    """A pod's spec that also asks for nodes with these labels: in each of its terms, or in one."""
    wanted = _expressions(labels)
    affinity, nodes = _affinity(spec)
    required = dict(nodes.get(REQUIRED) or {})
    terms = [dict(term) for term in required.get("nodeSelectorTerms") or [{}]]
    required["nodeSelectorTerms"] = [
        {**term, "matchExpressions": [*(term.get("matchExpressions") or ()), *wanted]}
        for term in terms
    ]
    return _with(spec, affinity, {**nodes, REQUIRED: required})


def _preferring(spec: Mapping[str, Any], weight: int, term: Body) -> Body:
    affinity, nodes = _affinity(spec)
    wishes = [*(nodes.get(PREFERRED) or ()), {"weight": weight, "preference": term}]
    return _with(spec, affinity, {**nodes, PREFERRED: wishes})


def _affinity(spec: Mapping[str, Any]) -> tuple[Body, Body]:
    affinity = dict(spec.get("affinity") or {})
    return affinity, dict(affinity.get("nodeAffinity") or {})


def _with(spec: Mapping[str, Any], affinity: Body, nodes: Body) -> Body:
    return {**spec, "affinity": {**affinity, "nodeAffinity": nodes}}


def _expressions(labels: Iterable[tuple[str, str]]) -> list[Body]:
    return [{"key": key, "operator": "In", "values": [value]} for key, value in labels]
