"""The Eviction API over the fake API server: a pod goes if every budget over it has room.

As the real one does: the budget's status is what counts, and the eviction is taken off it at once.
It must not know who asks, or why.
"""

from typing import Any, Final

from scaleset_operator.api.base import format_time
from scaleset_operator.reconciler.budgets import selects
from scaleset_operator.reconciler.relocations import Disallowed
from scaleset_operator.rehearsal.api_server import FakeApiServer
from scaleset_operator.rehearsal.disruption import KIND
from scaleset_operator.rehearsal.errors import check_preconditions
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.resources import Raw

SEVERAL: Final = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not"
    " support."
)


def evict(server: FakeApiServer, pod: FakePod, uid: str, version: str) -> FakePod:
    """Accept the eviction of a pod: ServerError 409 on preconditions, Disallowed by a budget."""
    check_preconditions((pod.uid, pod.resource_version), uid, version)
    if pod.live:
        _spend(server, pod)
    return server.delete_pod(pod.namespace, pod.name, uid=uid, version=version)


def _spend(server: FakeApiServer, pod: FakePod) -> None:
    over = [
        stored
        for key, stored in server.objects().items()
        if key.kind == KIND and key.namespace == pod.namespace and isinstance(stored, dict)
        if selects(stored["spec"]["selector"], pod.labels)
    ]
    if len(over) > 1:
        raise Disallowed(SEVERAL)
    for budget in over:
        _take_one(server, pod, budget)


def _take_one(server: FakeApiServer, pod: FakePod, budget: Raw) -> None:
    meta, status = budget["metadata"], budget["status"]
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    anyway = budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow"
    if not pod.ready and (anyway or healthy >= desired > 0):
        return
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 1 or status.get("observedGeneration") != meta["generation"]:
        words = f"The disruption budget {meta['name']} needs {desired} healthy pods"
        message = f"{words} and has {healthy} currently"
        raise Disallowed(message)
    at = format_time(server.clock.now())
    spent: dict[str, Any] = {
        **status,
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": {**status.get("disruptedPods", {}), pod.name: at},
    }
    place = (meta["namespace"], meta["name"], meta["resourceVersion"])
    server.apply_status(*place, spent, kind=KIND)
