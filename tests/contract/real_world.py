"""The contract's world over a real API server: one namespace, in real time."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from scaleset_operator.__main__ import SteadyClock
from scaleset_operator.adapters.cluster.gateway import KubernetesCluster
from scaleset_operator.adapters.cluster.policies import PolicyReader
from scaleset_operator.adapters.cluster.relocations import KubernetesRelocations
from scaleset_operator.adapters.cluster.revisions import RevisionStore
from scaleset_operator.reconciler.ports import Key, Owner
from tests.contract.worlds import RULE, SELECTOR, WINDOW
from tests.support.builders import TEMPLATE, raw_spec
from tests.support.kube_api import Api, ApiError, path_of

PATIENCE_S: Final = 20.0
FORBIDDEN: Final = 403
NODES: Final = "/api/v1/nodes"
GATE: Final = {"conditionType": "scaleset.dev/InRotation"}


class Client(NamedTuple):
    """The adapter's ports, on one connection."""

    cluster: KubernetesCluster
    revisions: RevisionStore
    policies: PolicyReader
    relocations: KubernetesRelocations


class RealWorld:
    """See `worlds.World`; the client is the adapter, all else goes past it."""

    def __init__(self, api: Api, namespace: str, client: Client, clock: SteadyClock) -> None:
        self.api = api
        self.namespace = namespace
        self.cluster, self.revisions, self.policies, self.relocations = client
        self.clock = clock
        self._marked: dict[str, tuple[str, str]] = {}

    def now(self) -> datetime:
        """See `World`."""
        return self.clock.now()

    def boottime_ns(self) -> int:
        """See `World`."""
        return self.clock.boottime_ns()

    async def make_set(self, name: str = "web", *, template: Mapping[str, Any] = TEMPLATE) -> Owner:
        """See `World`."""
        body = {
            "apiVersion": "scaleset.dev/v1alpha1",
            "kind": "ScaleSet",
            "metadata": {"name": name},
            "spec": raw_spec(template=dict(template)),
        }
        self.api.create(path_of("ScaleSet", self.namespace), body)
        owner = Owner(
            key=Key(self.namespace, name),
            uid="",
            resource_version="",
            match_labels=SELECTOR,
            template=template,
        )
        return await self.current(owner)

    async def current(self, owner: Owner) -> Owner:
        """See `World`."""
        metadata = self.api.get(path_of("ScaleSet", *owner.key))["metadata"]
        version = metadata["resourceVersion"]
        return replace(owner, uid=metadata["uid"], resource_version=version)

    async def delete_set(self, owner: Owner) -> None:
        """See `World`."""
        self.api.delete(path_of("ScaleSet", *owner.key))

    async def status(self, owner: Owner) -> dict[str, Any]:
        """See `World`."""
        status: dict[str, Any] = self.api.get(path_of("ScaleSet", *owner.key)).get("status", {})
        return status

    async def set_foreign_condition(self, owner: Owner, condition: dict[str, Any]) -> None:
        """See `World`."""
        body = {
            "apiVersion": "scaleset.dev/v1alpha1",
            "kind": "ScaleSet",
            "metadata": {"name": owner.key.name, "namespace": self.namespace},
            "status": {"conditions": [condition]},
        }
        path = path_of("ScaleSet", self.namespace, owner.key.name, "status")
        self.api.apply(path, body, manager="somebody")

    async def make_policy(self, name: str, spec: Mapping[str, Any]) -> None:
        """See `World`."""
        body = {"metadata": {"name": name}, "spec": spec}
        root = "/apis/networking.k8s.io/v1"
        self.api.create(f"{root}/namespaces/{self.namespace}/networkpolicies", body)

    async def make_pod(
        self, name: str, *, labels: Mapping[str, str], controller: Owner | None = None
    ) -> None:
        """See `World`."""
        metadata: dict[str, Any] = {"name": name, "labels": dict(labels)}
        if controller is not None:
            reference = {"kind": "ScaleSet", "name": controller.key.name, "uid": controller.uid}
            metadata["ownerReferences"] = [
                {**reference, "apiVersion": "scaleset.dev/v1alpha1", "controller": True}
            ]
        spec = {**TEMPLATE["spec"], "readinessGates": [GATE]}
        self.api.create(path_of("Pod", self.namespace), {"metadata": metadata, "spec": spec})

    async def pod(self, name: str) -> dict[str, Any] | None:
        """See `World`."""
        return self.api.find(path_of("Pod", self.namespace, name))

    async def label(self, name: str, **labels: str | None) -> None:
        """See `World`."""
        body = {"metadata": {"labels": labels}}
        self.api.merge(path_of("Pod", self.namespace, name), body)

    async def annotate(self, name: str, **marks: str) -> None:
        """See `World`."""
        body = {"metadata": {"annotations": marks}}
        self.api.merge(path_of("Pod", self.namespace, name), body)

    async def report(self, name: str, condition: str, status: str) -> None:
        """See `World`."""
        row = {"type": condition, "status": status}
        path = path_of("Pod", self.namespace, name, "status")
        self.api.strategic(path, {"status": {"conditions": [row]}})

    async def end(self, name: str) -> None:
        """See `World`."""
        path = path_of("Pod", self.namespace, name, "status")
        self.api.strategic(path, {"status": {"phase": "Failed"}})

    async def remove(self, name: str) -> None:
        """See `World`."""
        self.api.delete(path_of("Pod", self.namespace, name), gracePeriodSeconds=0)

    async def make_budget(self, name: str, labels: Mapping[str, str], **spec: int) -> None:
        """See `World`."""
        body = {"spec": {"selector": {"matchLabels": dict(labels)}, **spec}}
        path = path_of("PodDisruptionBudget", self.namespace)
        if self.api.find(f"{path}/{name}") is None:
            self.api.create(path, {"metadata": {"name": name}, **body})
        else:
            self.api.merge(f"{path}/{name}", body)

    async def drop_budget(self, name: str) -> None:
        """See `World`."""
        self.api.delete(path_of("PodDisruptionBudget", self.namespace, name))

    async def forbid_creates(self) -> None:
        """See `World`."""
        hard = {"pods": str(len(self.api.items(path_of("Pod", self.namespace))))}
        body = {"metadata": {"name": "full"}, "spec": {"hard": hard}}
        self.api.create(path_of("ResourceQuota", self.namespace), body)
        path = path_of("ResourceQuota", self.namespace, "full", "status")
        self.api.merge(path, {"status": {"hard": hard, "used": hard}})
        await self._until(self._is_full)

    async def make_window(self, name: str) -> None:
        """See `World`."""
        self._create("MaintenanceWindow", name, WINDOW)

    async def make_rule(self, name: str) -> tuple[Key, str]:
        """See `World`."""
        made = self._create("OutboundRule", name, RULE)
        return Key(self.namespace, name), made["metadata"]["resourceVersion"]

    async def rule_status(self, key: Key) -> dict[str, Any]:
        """See `World`."""
        return dict(self.api.get(path_of("OutboundRule", *key)).get("status") or {})

    async def drop_rule(self, key: Key) -> None:
        """See `World`."""
        self.api.delete(path_of("OutboundRule", *key))

    def _create(self, kind: str, name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
        body = {
            "apiVersion": "scaleset.dev/v1alpha1",
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        return self.api.create(path_of(kind, self.namespace), body)

    async def mark_node(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """See `World`; other tests see the same nodes, and none with this label."""
        node: str = self.api.items(NODES)[-1]["metadata"]["name"]
        label = (f"contract/{self.namespace}", "yes")
        self.api.merge(f"{NODES}/{node}", {"metadata": {"labels": dict([label])}})
        self._marked[node] = label
        return node, (label,)

    def unmark_nodes(self) -> None:
        """Leave the nodes as they were."""
        for node, (label, _) in self._marked.items():
            self.api.merge(f"{NODES}/{node}", {"metadata": {"labels": {label: None}}})

    async def moment(self) -> None:
        """See `World`."""
        await asyncio.sleep(0.1)

    async def until(self, told: Callable[[], bool]) -> None:
        """See `World`."""
        await self._until(told)

    def _is_full(self) -> bool:
        pod = {"metadata": {"name": "one-more"}, "spec": TEMPLATE["spec"]}
        try:
            self.api.create(path_of("Pod", self.namespace), pod, dryRun="All")
        except ApiError as error:
            return error.status == FORBIDDEN
        return False

    async def _until(self, told: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not told():
            assert time.monotonic() < deadline, f"did not come about in {PATIENCE_S} s"
            await asyncio.sleep(0.02)
