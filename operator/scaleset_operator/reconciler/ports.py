"""What the loop needs of the world, as Protocols; the adapters fill them.

Nothing here knows kopf, the Kubernetes client or a socket. The three errors are the only ones that
pass an adapter's edge.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from scaleset_operator.api.base import Reason
from scaleset_operator.api.healthprobe import HealthProbeSpec
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.core.observed import Evidence, Instance, Neighbour, ProberView
from scaleset_operator.core.plan import (
    AdoptInstance,
    AnswerRequest,
    CreateInstance,
    DeleteInstance,
    GiveNotice,
    Note,
    PublishHealth,
    ReleaseInstance,
    RenewInstance,
)


class Key(NamedTuple):
    """Name of one ScaleSet in the cluster, and of its turn in the queue."""

    namespace: str
    name: str


class Gone(Exception):  # noqa: N818 - the word of the house for a state, not a fault
    """The object is not there, or no longer the one that was meant (404, UID conflict)."""


class Conflict(Exception):  # noqa: N818 - as above
    """Somebody wrote in between (409): decide anew."""


class TooOld(Exception):  # noqa: N818 - as above
    """The act's record is older than it may be; nothing was sent (protocol rule 5)."""


class Refused(Exception):  # noqa: N818 - as above
    """The API server understood and will not do it (403, 422).

    Attributes:
        reason: CreateForbidden for 403, InvalidTemplate for 422.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Unavailable(Exception):  # noqa: N818 - as above
    """The API server cannot be asked now (429, 5xx, no connection).

    Attributes:
        retry_after: seconds to wait before the next request, as the server said, or 0.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Created(StrEnum):
    """What a create came to; both are success (design.md section 2)."""

    CREATED = "Created"
    ALREADY_OURS = "AlreadyOurs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pods:
    """The cache's view of one set's pods.

    Attributes:
        instances: pods whose controller is the set, Terminating and finished ones included.
        adoptable: pods with the set's name label and an instance id, and no controller.
        released: owned pods whose labels the selector no longer matches.
        fresh: whether the cache is in touch with the API server and has seen our last write.
    """

    instances: tuple[Instance, ...] = ()
    adoptable: tuple[Instance, ...] = ()
    released: tuple[Instance, ...] = ()
    fresh: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """The ScaleSet an act is made for: what a child's metadata needs.

    Attributes:
        match_labels: the selector.
        template: the raw pod template.
        resource_version: of the ScaleSet the plan was decided on; the fence of its status.
    """

    key: Key
    uid: str
    resource_version: str
    match_labels: Mapping[str, str] = field(default_factory=dict)
    template: Mapping[str, Any] = field(default_factory=dict)


class Clock(Protocol):
    """Time, injected."""

    def now(self) -> datetime:
        """Aware datetime of a steady clock: steps of the wall clock do not show (X-10)."""
        ...

    def boottime_ns(self) -> int:
        """CLOCK_BOOTTIME in nanoseconds: goes on while a process is stopped (protocol rule 5)."""
        ...


class Cluster(Protocol):
    """The Kubernetes API, as the loop uses it.

    Every call raises Unavailable where the server cannot be asked. `not_after` is a CLOCK_BOOTTIME
    in nanoseconds, checked right before sending: past it TooOld is raised and nothing is sent.
    """

    def pods(self, owner: Owner) -> Pods:
        """The cache's view; no request."""
        ...

    def node_ready(self) -> Mapping[str, bool]:
        """Node name -> whether it is Ready, from the cache."""
        ...

    def pods_on(self, node: str) -> tuple[Instance, ...]:
        """Live pods of any set on a node, from the cache."""
        ...

    def disruption(self, owner: Owner, names: Collection[str]) -> Disruption:
        """The PodDisruptionBudgets over these of the set's pods, from a cache.

        The first question begins the cache. With a name among `names` the set is woken once when a
        budget of its namespace changes. Other sets' repairs are not filled in.
        """
        ...

    async def read_instance(self, owner: Owner, name: str) -> Instance | None:
        """The live pod of this name if the set controls it, else None; feeds the cache."""
        ...

    async def list_instances(self, owner: Owner) -> None:
        """List the set's pods live into the cache, deletes included (protocol rule 24)."""
        ...

    async def foreign_pods(self, owner: Owner) -> tuple[str, ...]:
        """Names (at most 10) of pods that match the selector and do not bear the set's name."""
        ...

    async def dry_run(self, owner: Owner) -> None:
        """Create one pod of the template with dryRun=All; raises Refused with the reason."""
        ...

    async def record_status(self, owner: Owner, status: Mapping[str, Any]) -> str:
        """Apply the whole status on this resourceVersion; returns the new one (rule 25).

        Raises:
            Conflict: the resourceVersion is stale: throw the plan away.
            Gone: the ScaleSet is not there any more.
        """
        ...

    async def record_report(
        self, kind: str, key: Key, resource_version: str, status: Mapping[str, Any]
    ) -> str:
        """Apply what is said in the status of another kind; answers as `record_status` does."""
        ...

    async def create_instance(
        self, owner: Owner, action: CreateInstance, not_after: int
    ) -> Created:
        """Create the recorded pod; AlreadyExists is success for our own live pod only.

        Raises:
            Conflict: the name is taken by another pod or by one that is Terminating.
            Refused: quota, policy, or a template that is not valid.
            TooOld: not sent.
        """
        ...

    async def delete_instance(self, owner: Owner, action: DeleteInstance, not_after: int) -> None:
        """Delete with UID and resourceVersion; a pod that is gone is success.

        Raises:
            Conflict: the pod has changed since it was read.
            Refused: 403 or 422.
            TooOld: not sent.
        """
        ...

    async def renew(self, owner: Owner, action: RenewInstance, not_after: int) -> None:
        """Change the images of a pod; raises as a DELETE does, and Gone where it is gone."""
        ...

    async def give_notice(self, owner: Owner, action: GiveNotice, not_after: int) -> None:
        """Write deadline and gate in one patch, on UID and resourceVersion (rules 5 and 8).

        Raises:
            Conflict: the pod has changed since it was read.
            Gone: it is not there, or another pod.
            Refused: 403 or 422.
            TooOld: not sent.
        """
        ...

    async def publish(self, owner: Owner, action: PublishHealth) -> None:
        """Write condition, gate and annotations in one patch (rule 26); Gone if UID differs.

        Raises:
            Conflict: it names a resourceVersion, and the pod has changed since.
        """
        ...

    async def answer(self, owner: Owner, action: AnswerRequest) -> None:
        """Take the annotations that ask for something away, on UID and resourceVersion."""
        ...

    async def adopt(self, owner: Owner, action: AdoptInstance) -> None:
        """Set the controller reference, on UID and resourceVersion."""
        ...

    async def release(self, owner: Owner, action: ReleaseInstance) -> None:
        """Take the controller reference away, on UID and resourceVersion."""
        ...

    async def tell(self, owner: Owner, note: Note) -> None:
        """Post an Event on the ScaleSet, aggregated; never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeKey:
    """Which rules an outcome was found under: another key, and the evidence starts anew (P-25)."""

    probe_uid: str
    generation: int
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTarget:
    """One pod to probe."""

    pod_uid: str
    ip: str
    key: ProbeKey
    spec: HealthProbeSpec


def for_rotation(pod_uid: str) -> str:
    """The name of a pod's second watch, by the probe of rotation; the first bears its UID."""
    return f"{pod_uid}/rotation"


class Probes(Protocol):
    """The prober, as the loop uses it: it reports outcomes, never verdicts.

    A pod is watched under its UID by the probe of its health, and under `for_rotation(UID)` by
    that of rotation where it is another: two watches, two pieces of evidence (P-29).
    """

    def watch(self, owner: Key, targets: Mapping[str, ProbeTarget]) -> None:
        """What this set wants probed from now on; the rest is dropped.

        Args:
            owner: the ScaleSet.
            targets: name of the watch -> target; empty drops all of this set's.
        """
        ...

    def evidence(self, watch: str) -> Evidence | None:
        """What one watch has found under its present target; None before it is watched."""
        ...

    def neighbour(self, pod_uid: str) -> Neighbour | None:
        """The same in short, of a pod of any set: by its first watch, else by its second."""
        ...

    def view(self) -> ProberView:
        """The prober's own state."""
        ...


Wake = Callable[[Key], None]
