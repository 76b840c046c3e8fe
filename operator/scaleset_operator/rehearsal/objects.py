"""The objects a fake API server holds: pods and nodes, and how a client reads them.

A pod is a frozen value with what the operator can see of it; `instance_of` is how a client's cache
maps it; how the wire shows it is in `manifests`. Times have whole seconds, as in Kubernetes.
It must not know who stores or changes an object.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple

from scaleset_operator.api import base
from scaleset_operator.api.base import VMHealth
from scaleset_operator.core.observed import Containers, Instance, Published
from scaleset_operator.core.pause import request_on, watches_of

OVER: Final = frozenset({"Succeeded", "Failed"})

HEALTH_OF: Final = {
    "True": VMHealth.HEALTHY,
    "False": VMHealth.UNHEALTHY,
    "Unknown": VMHealth.UNKNOWN,
}
STATUS_OF: Final = {health: status for status, health in HEALTH_OF.items()}


class ObjectKey(NamedTuple):
    """Name of any object in the server; cluster-scoped ones have no namespace."""

    kind: str
    namespace: str
    name: str


class Controller(NamedTuple):
    """The owner reference that has `controller: true`."""

    kind: str
    name: str
    uid: str


class PodCondition(NamedTuple):
    """One condition of a pod; `since` is its lastTransitionTime."""

    status: str
    reason: str
    message: str
    since: datetime


class Run(NamedTuple):
    """One container as kubelet reports it: its image, its restarts, this run and the one before."""

    name: str
    image: str
    restarts: int
    started: datetime
    before: datetime | None = None


class Wanted(NamedTuple):
    """The nodes that a pod asks for: labels that one must have, or should, and the best one."""

    must: tuple[tuple[str, str], ...] = ()
    should: tuple[tuple[str, str], ...] = ()
    best: str | None = None


ANYWHERE: Final = Wanted()


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeNode:
    """A node.

    Attributes:
        ready: whether its kubelet reports.
        room: how many pods it takes; None for as many as come.
    """

    name: str
    ready: bool = True
    labels: Mapping[str, str] = field(default_factory=dict)
    room: int | None = None
    resource_version: int = 0

    @property
    def key(self) -> ObjectKey:
        """Its name in the server."""
        return ObjectKey("Node", "", self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakePod:
    """A pod as it stands in the server.

    Attributes:
        started: when all its containers had first run.
        runs: its containers' present runs, in the order of the spec; none before the first.
        deleted_at: when the API server accepted its deletion.
        conditions: those beyond kubelet's own; type -> condition.
        spec: of the template it was made from, raw.
        holders: UIDs of owners that are not its controller.
        unschedulable: the scheduler's words, where it has found no node.
        unready: kubelet has not said yet what containers and gate amount to.
    """

    namespace: str
    name: str
    uid: str = ""
    resource_version: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    controller: Controller | None = None
    created: datetime | None = None
    phase: str = "Pending"
    ip: str | None = None
    node: str | None = None
    started: datetime | None = None
    containers_ready: bool = False
    deleted_at: datetime | None = None
    conditions: Mapping[str, PodCondition] = field(default_factory=dict)
    spec: Mapping[str, Any] = field(default_factory=dict)
    runs: tuple[Run, ...] = ()
    holders: tuple[str, ...] = ()
    wanted: Wanted = ANYWHERE
    unschedulable: str = ""
    unready: bool = False

    @property
    def key(self) -> ObjectKey:
        """Its name in the server."""
        return ObjectKey("Pod", self.namespace, self.name)

    @property
    def over(self) -> bool:
        """Whether it has ended by itself."""
        return self.phase in OVER

    @property
    def terminating(self) -> bool:
        """Whether its deletion was accepted and it is still there."""
        return self.deleted_at is not None

    @property
    def live(self) -> bool:
        """Neither over nor on its way out."""
        return not (self.over or self.terminating)

    @property
    def in_rotation(self) -> bool | None:
        """The readiness gate's value; None before the first."""
        gate = self.conditions.get(base.GATE_IN_ROTATION)
        return None if gate is None else gate.status == "True"

    @property
    def ready(self) -> bool:
        """The condition Ready: the containers and our gate, once kubelet has told it."""
        return self.containers_ready and self.in_rotation is True and not self.unready

    @property
    def instance_id(self) -> int | None:
        """The id in its label; None where there is none, or none that is a number."""
        text = self.labels.get(base.LABEL_INSTANCE_ID, "")
        return int(text) if text.isascii() and text.isdigit() else None


def image_id(image: str) -> str:
    """What a node reports of an image: its repository, and a digest of its own."""
    repository, _, digest = image.partition("@")
    path, _, tag = repository.rpartition(":")
    bare = path if path and "/" not in tag else repository
    return f"{bare}@{digest or 'sha256:' + sha256(repository.encode()).hexdigest()}"


def start_of(pod: FakePod) -> datetime | None:
    """When all containers first ran, after the last renewal if there was one (R-24, R-28)."""
    mark = pod.annotations.get(base.ANNOTATION_RENEWED_FROM)
    if mark is None:
        return pod.started
    floors = [None if part == "-" else int(part) for part in mark.split(",")]
    if len(floors) != len(pod.runs):
        return None
    found: list[datetime] = []
    for run, floor in zip(pod.runs, floors, strict=True):
        if floor is not None and run.restarts <= floor:
            return None
        first = floor is not None and run.restarts == floor + 1
        found.append(run.started if first else run.before or run.started)
    return max(found)


def whole_second(moment: datetime) -> datetime:
    """A moment as the wire shows it."""
    return moment.replace(microsecond=0)


def instance_of(pod: FakePod) -> Instance:
    """What a client makes of a pod that carries an instance id."""
    assert pod.instance_id is not None, f"{pod.name} is no instance"
    assert pod.created is not None, f"{pod.name} was never created"
    recorded = pod.annotations.get(base.ANNOTATION_STATE_CHANGE_TIME)
    return Instance(
        name=pod.name,
        uid=pod.uid,
        resource_version=str(pod.resource_version),
        instance_id=pod.instance_id,
        update_domain=int(pod.labels.get(base.LABEL_UPDATE_DOMAIN, "0")),
        model=pod.labels.get(base.LABEL_MODEL, ""),
        created=pod.created,
        ip=pod.ip,
        node=pod.node,
        started=datetime.fromisoformat(recorded) if recorded else start_of(pod),
        started_is_recorded=recorded is not None,
        over=pod.over,
        terminating=pod.terminating,
        containers_ready=pod.containers_ready,
        ready=pod.ready,
        reports=_reports(pod, pod.started or pod.created),
        protected_from_scale_in=pod.labels.get(base.LABEL_PROTECT_FROM_SCALE_IN) == "true",
        protected_from_actions=pod.labels.get(base.LABEL_PROTECT_FROM_ACTIONS) == "true",
        published=_published(pod),
        in_rotation=pod.in_rotation,
        attempt=int(pod.annotations.get(base.ANNOTATION_REPAIR_ATTEMPT, "0")),
        replaces=pod.annotations.get(base.ANNOTATION_REPLACES),
        containers=_containers(pod),
        renewing=recorded is None and base.ANNOTATION_RENEWED_FROM in pod.annotations,
        repair_request=pod.annotations.get(base.ANNOTATION_REPAIR, ""),
        operation=pod.annotations.get(base.ANNOTATION_OPERATION, ""),
        terminate_at=_time(pod.annotations.get(base.ANNOTATION_TERMINATE_AT)),
        termination_approved=pod.annotations.get(base.ANNOTATION_APPROVE_TERMINATION) == "true",
        mark=pod.annotations.get(base.ANNOTATION_MAINTENANCE_ITERATION, ""),
        maintenance=pod.annotations.get(base.ANNOTATION_MAINTENANCE_STATUS, ""),
        maintenance_asked=pod.annotations.get(base.ANNOTATION_PERFORM_MAINTENANCE, ""),
        pause_request=request_on(pod.annotations),
        own_labels=tuple(sorted(row for row in pod.labels.items() if is_own(row[0]))),
    )


def is_own(label: str) -> bool:
    """Whether a label stays with an instance that is moved (V-21)."""
    flags = (base.LABEL_PROTECT_FROM_SCALE_IN, base.LABEL_PROTECT_FROM_ACTIONS)
    return label in flags or not label.startswith(f"{base.GROUP}/")


def _containers(pod: FakePod) -> Containers:
    rows = pod.spec.get("containers", ())
    counts = {run.name: run.restarts for run in pod.runs}
    return Containers(
        names=tuple(row["name"] for row in rows),
        images=tuple(row["image"] for row in rows),
        image_ids=tuple(image_id(run.image) for run in pod.runs) or ("",) * len(rows),
        restarts=tuple(counts.get(row["name"], -1) for row in rows),
        watches=watches_of(pod.spec),
    )


def _time(text: str | None) -> datetime | None:
    """A time that anybody may have written; None where it is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _published(pod: FakePod) -> Published | None:
    condition = pod.conditions.get(base.CONDITION_HEALTHY)
    if condition is None:
        return None
    return Published(
        health=HEALTH_OF[condition.status],
        reason=condition.reason,
        since=condition.since,
        message=condition.message,
    )


def _reports(pod: FakePod, since: datetime) -> tuple[tuple[str, VMHealth, datetime], ...]:
    own = tuple(
        (kind, HEALTH_OF[condition.status], condition.since)
        for kind, condition in sorted(pod.conditions.items())
        if not kind.startswith(f"{base.GROUP}/")
    )
    health = VMHealth.HEALTHY if pod.containers_ready else VMHealth.UNHEALTHY
    return (("Ready", health, since), *own)
