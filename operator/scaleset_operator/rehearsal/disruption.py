"""The disruption controller over the fake API server: counts what PodDisruptionBudgets allow.

As the real one does: pods that are Ready and not on their way out are healthy, evicted ones are
taken off until they are gone, and the status speaks about the generation it was counted for. It
counts a moment after each change of a pod or a budget.
It must not know who asks.
"""

from datetime import timedelta
from functools import partial
from typing import Any, Final

from scaleset_operator.reconciler.budgets import selects
from scaleset_operator.rehearsal.api_server import Change, FakeApiServer
from scaleset_operator.rehearsal.errors import ServerError
from scaleset_operator.rehearsal.objects import FakePod, ObjectKey

KIND: Final = "PodDisruptionBudget"


class FakeDisruption:
    """The controller.

    Attributes:
        lag: from a change until it is counted; may be set at any time.
    """

    def __init__(self, server: FakeApiServer, *, lag: timedelta = timedelta(seconds=0.5)) -> None:
        self.server = server
        self.lag = lag
        self._due: set[ObjectKey] = set()
        server.subscribe(self._see)

    def make(
        self, name: str, namespace: str, *, labels: dict[str, str] | None = None, **spec: int | str
    ) -> None:
        """Create or change a budget over pods with these labels; `minAvailable` and the like."""
        wanted: dict[str, Any] = {"selector": {"matchLabels": labels or {"app": "web"}}, **spec}
        self.server.apply(KIND, namespace, name, wanted)

    def allowed(self, name: str, namespace: str) -> int:
        """What the budget's status allows as it stands."""
        status = self.server.resource(KIND, namespace, name)["status"]
        return int(status.get("disruptionsAllowed", 0))

    def _see(self, change: Change) -> None:
        if change.key.kind not in (KIND, "Pod"):
            return
        for key in self.server.objects():
            if key.kind == KIND and key.namespace == change.key.namespace and key not in self._due:
                self._due.add(key)
                self.server.clock.after(self.lag, partial(self._count, key))

    def _count(self, key: ObjectKey) -> None:
        self._due.discard(key)
        try:
            body = self.server.resource(KIND, key.namespace, key.name)
        except ServerError:
            return
        spec, meta = body["spec"], body["metadata"]
        pods = [p for p in self.server.pods(key.namespace) if selects(spec["selector"], p.labels)]
        evicted: dict[str, str] = body["status"].get("disruptedPods", {})
        there = [p for p in pods if p.live]
        healthy = sum(p.ready and p.name not in evicted for p in there)
        expected = self._expected(there)
        desired = _share(spec.get("minAvailable", 0), expected)
        if "maxUnavailable" in spec:
            desired = max(0, expected - _share(spec["maxUnavailable"], expected))
        status = {
            "observedGeneration": meta["generation"],
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": len(there),
            "disruptionsAllowed": max(0, healthy - desired),
            "disruptedPods": {name: at for name, at in evicted.items() if name in _names(there)},
        }
        self.server.apply_status(
            key.namespace, key.name, meta["resourceVersion"], status, kind=KIND
        )

    def _expected(self, pods: list[FakePod]) -> int:
        """What the controllers of the pods want, through their scale subresource."""
        owners = {(p.namespace, p.controller.name) for p in pods if p.controller is not None}
        return sum(
            int(self.server.resource("ScaleSet", *owner)["spec"]["replicas"]) for owner in owners
        )


def _share(wanted: int | str, expected: int) -> int:
    """A number, or a percentage of the pods, rounded up as the controller does."""
    if isinstance(wanted, int):
        return wanted
    return -(-expected * int(wanted.removesuffix("%")) // 100)


def _names(pods: list[FakePod]) -> set[str]:
    return {pod.name for pod in pods}
