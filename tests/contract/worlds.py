"""What the contract asks of a world: small operations that a fake and a real API server both have.

The suite is written against the port and this Protocol alone. It must not know which world it is
in; whatever differs between the two is a fault of the fake.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, Protocol

from scaleset_operator.api import base
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import CreateInstance, Purpose, RenewInstance
from scaleset_operator.reconciler.outlook import Policies
from scaleset_operator.reconciler.ports import Cluster, Key, Owner
from scaleset_operator.reconciler.relocations import Relocations
from scaleset_operator.reconciler.revisions import Revisions
from tests.support.builders import TEMPLATE

SELECTOR: Final = {"app": "web"}
STUCK: Final = "localcluster/stuck-terminating"
NEVER_READY: Final = "localcluster/never-ready"
FAR_FUTURE: Final = 2**62
"""A deadline, in nanoseconds of CLOCK_BOOTTIME, that no test reaches."""


class World(Protocol):
    """One namespace of a cluster, and one client of it."""

    @property
    def cluster(self) -> Cluster:
        """The port under test."""
        ...

    @property
    def revisions(self) -> Revisions:
        """The port of the history of models, on the same connection."""
        ...

    @property
    def policies(self) -> Policies:
        """The port of the NetworkPolicies, on the same connection."""
        ...

    @property
    def relocations(self) -> Relocations:
        """The port of moves, on the same connection."""
        ...

    def now(self) -> datetime:
        """The time, as the world's objects show it."""
        ...

    def boottime_ns(self) -> int:
        """The client's CLOCK_BOOTTIME."""
        ...

    async def make_set(self, name: str = "web", *, template: Mapping[str, Any] = TEMPLATE) -> Owner:
        """Create a ScaleSet over SELECTOR, and what an act for it is made with."""
        ...

    async def current(self, owner: Owner) -> Owner:
        """The same owner with the resourceVersion of now."""
        ...

    async def delete_set(self, owner: Owner) -> None:
        """Delete the ScaleSet; its pods are the garbage collector's."""
        ...

    async def status(self, owner: Owner) -> dict[str, Any]:
        """The ScaleSet's status as it stands."""
        ...

    async def set_foreign_condition(self, owner: Owner, condition: dict[str, Any]) -> None:
        """Another manager adds a condition to the ScaleSet's status."""
        ...

    async def make_policy(self, name: str, spec: Mapping[str, Any]) -> None:
        """Somebody creates a NetworkPolicy."""
        ...

    async def make_pod(
        self, name: str, *, labels: Mapping[str, str], controller: Owner | None = None
    ) -> None:
        """Somebody else creates a pod of the plain template."""
        ...

    async def pod(self, name: str) -> dict[str, Any] | None:
        """The pod as it stands in the server, raw; None when it is gone."""
        ...

    async def label(self, name: str, **labels: str | None) -> None:
        """Somebody labels the pod; None takes a label away."""
        ...

    async def annotate(self, name: str, **marks: str) -> None:
        """Somebody annotates the pod."""
        ...

    async def report(self, name: str, condition: str, status: str) -> None:
        """The instance reports a pod condition of its own."""
        ...

    async def end(self, name: str) -> None:
        """The pod Fails by itself."""
        ...

    async def remove(self, name: str) -> None:
        """Somebody deletes the pod by force: it is gone at once."""
        ...

    async def make_budget(self, name: str, labels: Mapping[str, str], **spec: int) -> None:
        """Create a PodDisruptionBudget over these labels, or change its numbers."""
        ...

    async def drop_budget(self, name: str) -> None:
        """Delete a PodDisruptionBudget."""
        ...

    async def forbid_creates(self) -> None:
        """A quota of as many pods as there are now."""
        ...

    async def make_window(self, name: str) -> None:
        """Somebody creates a MaintenanceWindow over sets of the tier web."""
        ...

    async def make_rule(self, name: str) -> tuple[Key, str]:
        """Somebody creates an OutboundRule; its key and its version."""
        ...

    async def rule_status(self, key: Key) -> dict[str, Any]:
        """The status of a rule as it stands."""
        ...

    async def drop_rule(self, key: Key) -> None:
        """Somebody deletes a rule."""
        ...

    async def mark_node(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Somebody labels a node as updated; its name, and labels that no other node has."""
        ...

    async def moment(self) -> None:
        """Let a little time pass."""
        ...

    async def until(self, told: Callable[[], bool]) -> None:
        """Wait until it holds; fails the test when it does not within seconds."""
        ...


RULE: Final[dict[str, Any]] = {
    "scaleSetSelector": {"matchLabels": {"tier": "web"}},
    "frontendIPs": ["192.0.2.9"],
}
WINDOW: Final[dict[str, Any]] = {
    "scaleSetSelector": {"matchLabels": {"tier": "web"}},
    "impact": "Redeploy",
    "updatedNodeSelector": {"matchLabels": {"maintenance/updated": "yes"}},
    "once": {
        "selfService": {"startTime": "2098-11-01T00:00:00Z", "endTime": "2098-12-31T00:00:00Z"},
        "scheduled": {"startTime": "2099-01-01T00:00:00Z", "endTime": "2099-01-01T06:00:00Z"},
    },
}


def creation(number: int = 1, *, set_name: str = "web", **fields: Any) -> CreateInstance:
    """A create of instance `number`."""
    values: dict[str, Any] = {
        "name": f"{set_name}-{number}",
        "instance_id": number,
        "update_domain": 2,
        "model": "m1",
    }
    return CreateInstance(**(values | fields))


def instance_labels(number: int, set_name: str = "web") -> dict[str, str]:
    """The labels of an instance, as the set's own creates give them."""
    return SELECTOR | {
        base.LABEL_NAME: set_name,
        base.LABEL_INSTANCE_ID: str(number),
        base.LABEL_UPDATE_DOMAIN: "0",
        base.LABEL_MODEL: "m1",
    }


def marked(template: Mapping[str, Any], **marks: str) -> dict[str, Any]:
    """The template with more labels."""
    metadata = template["metadata"]
    return {**template, "metadata": {**metadata, "labels": metadata["labels"] | marks}}


async def running(world: World, owner: Owner, action: CreateInstance) -> Instance:
    """Create an instance and wait until the view has it with its containers running."""
    await world.cluster.create_instance(owner, action, FAR_FUTURE)

    def runs() -> bool:
        found = in_view(world, owner, action.name)
        return found is not None and found.containers_ready and world.cluster.pods(owner).fresh

    await world.until(runs)
    found = in_view(world, owner, action.name)
    assert found is not None
    return found


def in_view(world: World, owner: Owner, name: str) -> Instance | None:
    """The instance as the client's cache has it."""
    pods = world.cluster.pods(owner).instances
    return next((pod for pod in pods if pod.name == name), None)


def conditions(pod: Mapping[str, Any] | None) -> dict[str, dict[str, Any]]:
    """A raw object's conditions by type."""
    assert pod is not None, "the pod is gone"
    return {row["type"]: row for row in pod["status"].get("conditions", [])}


def renewal(instance: Instance, image: str, **changes: Any) -> RenewInstance:
    """New images for exactly what was read, but for the changes."""
    values: dict[str, Any] = {
        "name": instance.name,
        "uid": instance.uid,
        "resource_version": instance.resource_version,
        "images": ((instance.containers.names[0], image),),
        "renewed_from": ",".join(str(count) for count in instance.containers.restarts),
        "model": "m2",
        "attempt": 3,
        "purpose": Purpose.REPAIR,
    }
    return RenewInstance(**(values | changes))
