"""The contract's world over the fake API server, in virtual time."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from scaleset_operator.reconciler.ports import Key, Owner
from scaleset_operator.rehearsal.api_server import FakeApiServer
from scaleset_operator.rehearsal.cluster import FakeCluster
from scaleset_operator.rehearsal.disruption import FakeDisruption
from scaleset_operator.rehearsal.errors import ServerError
from scaleset_operator.rehearsal.kubelet import FakeKubelet, PodScript
from scaleset_operator.rehearsal.manifests import pod_manifest
from scaleset_operator.rehearsal.objects import FakePod
from scaleset_operator.rehearsal.pod_writes import controller_of
from scaleset_operator.rehearsal.relocations import FakeRelocations
from scaleset_operator.rehearsal.revisions import FakeRevisions, RevisionBook
from tests.contract.worlds import NEVER_READY, RULE, SELECTOR, STUCK, WINDOW
from tests.support.builders import TEMPLATE, raw_spec
from tests.support.fake_clock import FakeClock
from tests.support.fake_policies import FakePolicies

NAMESPACE: Final = "default"
LAG: Final = timedelta(seconds=0.5)
PATIENCE: Final = 30.0
STEP: Final = 0.1


class FakeWorld:
    """See `worlds.World`; the client's cache lags by half a second."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.server = FakeApiServer(self.clock)
        self.kubelet = FakeKubelet(self.server, _script)
        self.cluster = FakeCluster(self.server, lag=LAG)
        self.relocations = FakeRelocations(self.cluster)
        self.disruption = FakeDisruption(self.server)
        self.revisions = FakeRevisions(RevisionBook(), self.cluster.wire)
        self.policies = FakePolicies()

    def now(self) -> datetime:
        """See `World`."""
        return self.clock.now()

    def boottime_ns(self) -> int:
        """See `World`."""
        return self.clock.boottime_ns()

    async def make_set(self, name: str = "web", *, template: Mapping[str, Any] = TEMPLATE) -> Owner:
        """See `World`."""
        self.server.apply("ScaleSet", NAMESPACE, name, raw_spec(template=dict(template)))
        owner = Owner(
            key=Key(NAMESPACE, name),
            uid="",
            resource_version="",
            match_labels=SELECTOR,
            template=template,
        )
        return await self.current(owner)

    async def current(self, owner: Owner) -> Owner:
        """See `World`."""
        metadata = self.server.resource("ScaleSet", *owner.key)["metadata"]
        version = metadata["resourceVersion"]
        return replace(owner, uid=metadata["uid"], resource_version=version)

    async def delete_set(self, owner: Owner) -> None:
        """See `World`."""
        self.server.delete_resource("ScaleSet", *owner.key)

    async def status(self, owner: Owner) -> dict[str, Any]:
        """See `World`."""
        return dict(self.server.resource("ScaleSet", *owner.key)["status"])

    async def set_foreign_condition(self, owner: Owner, condition: dict[str, Any]) -> None:
        """See `World`."""
        self.server.edit_status(*owner.key, {"conditions": [condition]})

    async def make_policy(self, name: str, spec: Mapping[str, Any]) -> None:
        """See `World`."""
        self.policies.put(NAMESPACE, name, spec)

    async def make_pod(
        self, name: str, *, labels: Mapping[str, str], controller: Owner | None = None
    ) -> None:
        """See `World`."""
        pod = FakePod(
            namespace=NAMESPACE,
            name=name,
            labels=dict(labels),
            controller=None if controller is None else controller_of(controller),
            spec=TEMPLATE["spec"],
        )
        self.server.create_pod(pod)

    async def pod(self, name: str) -> dict[str, Any] | None:
        """See `World`."""
        try:
            return pod_manifest(self.server.pod(NAMESPACE, name))
        except ServerError:
            return None

    async def label(self, name: str, **labels: str | None) -> None:
        """See `World`."""
        pod = self.server.pod(NAMESPACE, name)
        merged = {**pod.labels, **labels}
        kept = {key: text for key, text in merged.items() if text is not None}
        self.server.change_pod(pod, labels=kept)

    async def annotate(self, name: str, **marks: str) -> None:
        """See `World`."""
        pod = self.server.pod(NAMESPACE, name)
        self.server.change_pod(pod, annotations={**pod.annotations, **marks})

    async def report(self, name: str, condition: str, status: str) -> None:
        """See `World`."""
        self.kubelet.report(self.server.pod(NAMESPACE, name), condition, status)

    async def end(self, name: str) -> None:
        """See `World`."""
        self.kubelet.die(self.server.pod(NAMESPACE, name))

    async def remove(self, name: str) -> None:
        """See `World`."""
        self.server.remove_pod(self.server.pod(NAMESPACE, name))

    async def make_budget(self, name: str, labels: Mapping[str, str], **spec: int) -> None:
        """See `World`."""
        self.disruption.make(name, NAMESPACE, labels=dict(labels), **spec)

    async def drop_budget(self, name: str) -> None:
        """See `World`."""
        self.server.delete_resource("PodDisruptionBudget", NAMESPACE, name)

    async def forbid_creates(self) -> None:
        """See `World`."""
        self.server.quota[NAMESPACE] = len(self.server.pods(NAMESPACE))

    async def make_window(self, name: str) -> None:
        """See `World`."""
        self.server.apply("MaintenanceWindow", NAMESPACE, name, WINDOW)

    async def make_rule(self, name: str) -> tuple[Key, str]:
        """See `World`."""
        made = self.server.apply("OutboundRule", NAMESPACE, name, RULE)
        return Key(NAMESPACE, name), made["metadata"]["resourceVersion"]

    async def rule_status(self, key: Key) -> dict[str, Any]:
        """See `World`."""
        return dict(self.server.resource("OutboundRule", *key).get("status") or {})

    async def drop_rule(self, key: Key) -> None:
        """See `World`."""
        self.server.delete_resource("OutboundRule", *key)

    async def mark_node(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """See `World`."""
        self.server.set_node("node-2", labels={"contract/updated": "yes"})
        return "node-2", (("contract/updated", "yes"),)

    async def moment(self) -> None:
        """See `World`."""
        self.clock.advance(STEP)

    async def until(self, told: Callable[[], bool]) -> None:
        """See `World`."""
        waited = 0.0
        while not told():
            assert waited < PATIENCE, f"did not come about in {PATIENCE} s of virtual time"
            self.clock.advance(STEP)
            waited += STEP


def _script(pod: FakePod) -> PodScript:
    return PodScript(
        start=None if NEVER_READY in pod.labels else 1.0,
        terminate=None if STUCK in pod.labels else 1.0,
    )
