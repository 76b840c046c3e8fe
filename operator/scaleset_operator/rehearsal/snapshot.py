"""A set as it stood in a real cluster, put into the one in memory: health, ledger, ages and all.

The operator begins then, and knows what any operator knows after its start. Instances go on as they
were published: whoever was Unhealthy still is, in the same way. Must not know: who looked.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from scaleset_operator.api.base import CONDITION_HEALTHY, LABEL_NAME, Reason
from scaleset_operator.api.base import LABEL_PLACE_OF as PLACE
from scaleset_operator.core.causes import CAUSE
from scaleset_operator.core.observed import Outcome
from scaleset_operator.rehearsal.endpoints import Answer
from scaleset_operator.rehearsal.manifests import pod_of
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.rehearsal import Rehearsal

STATUS: Final = re.compile(r"HTTP ([1-5][0-9]{2})\b")
ENDED: Final = {reason: outcome for outcome, reason in CAUSE.items()}
"""Reason of an Unhealthy instance -> how an attempt on it ends."""

Json = Mapping[str, Any]


def restore(run: Rehearsal, scale_set: Json, others: Iterable[Json]) -> None:
    """Put a snapshot there, before the first moment of the rehearsal."""
    bodies = list(others)
    pods = [pod_of(body) for body in bodies if body["kind"] == "Pod"]
    ours = [pod for pod in pods if run.key.name in (_named(pod, LABEL_NAME), _named(pod, PLACE))]
    _restore_nodes(run, [b for b in bodies if b["kind"] == "Node"], ours)
    for body in (*bodies, scale_set):
        if body["kind"] not in ("Pod", "Node"):
            run.server.restore(body["kind"], body)
    for pod in ours:
        stored = run.server.restore_pod(pod)
        answer = answer_of(stored)
        if answer is not None:
            run.endpoints.set_until_restart(stored.uid, answer)


def _restore_nodes(run: Rehearsal, nodes: Iterable[Json], pods: Iterable[FakePod]) -> None:
    """Those that are known, and those on which there are pods."""
    known: dict[str, dict[str, Any]] = {pod.node: {} for pod in pods if pod.node is not None}
    for node in nodes:
        rows = (node.get("status") or {}).get("conditions") or ()
        ready = all(row["status"] == "True" for row in rows if row["type"] == "Ready")
        labels = node["metadata"].get("labels") or {}
        known[node["metadata"]["name"]] = {"ready": ready, "labels": labels}
    for name, fields in sorted(known.items()):
        run.server.set_node(name, **fields)


def _named(pod: FakePod, label: str) -> str | None:
    return pod.labels.get(label)


def answer_of(pod: FakePod) -> Answer | None:
    """How an instance that was found Unhealthy by its probe goes on answering; None for others."""
    condition = pod.conditions.get(CONDITION_HEALTHY)
    if condition is None or condition.status != "False" or condition.reason not in set(Reason):
        return None
    outcome = ENDED.get(Reason(condition.reason))
    if outcome is None:
        return None
    found = STATUS.search(condition.message)
    status = int(found[1]) if found else 500
    return Answer(outcome, status if outcome is Outcome.WRONG_STATUS else 0)
