"""What the operator reports on a ScaleSet; the ledger of repairs stands in `ledger`.

Bounded whatever the size of the set: the truth on each instance is on its pod.
Must not know: how anything here is found or decided.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from scaleset_operator.api.base import (
    MAX_INT32,
    Condition,
    Count,
    Generation,
    LabelName,
    Model,
    ObjectName,
    ReasonText,
    Time,
    VMHealth,
)
from scaleset_operator.api.ledger import Cause, ModelHash, RepairsStatus, Uid
from scaleset_operator.api.maintenanceledger import MaintenanceSummary
from scaleset_operator.api.rolloutstatus import MAX_RENEWALS, Renewal, RolloutStatus

AUTOMATIC_REPAIRS: Final = "AutomaticRepairs"
"""The one orchestration service there is."""
MAX_UNHEALTHY_LISTED: Final = 20
MAX_SCALE_IN: Final = 200
MAX_CREATING: Final = 500
MAX_REQUESTS: Final = 20
MAX_REQUEST_LENGTH: Final = 80
"""The key, and the 64 characters of a request that are kept."""
MAX_CONDITIONS: Final = 20
Incarnation = Annotated[int, Field(ge=0, le=2**53 - 1)]
"""Of a document that changes; the bound is the largest integer that JSON carries exactly."""
MAX_SELECTOR_LENGTH: Final = 16_384
"""Sixteen labels of the greatest length fit into half of it."""


class ServiceState(StrEnum):
    """The state of an orchestration service (R-37)."""

    RUNNING = "Running"
    SUSPENDED = "Suspended"
    NOT_RUNNING = "NotRunning"


class SuspendedBy(StrEnum):
    """Who suspended a service."""

    USER = "User"
    PLATFORM = "Platform"


class RepairDecision(StrEnum):
    """What was decided about an unhealthy instance."""

    REPAIRING = "Repairing"
    DEFERRED = "Deferred"
    SKIPPED = "Skipped"


class OrchestrationService(Model):
    """A service that acts on the set by itself, and whether it may."""

    service_name: str = Field(
        default=AUTOMATIC_REPAIRS, min_length=1, max_length=63, examples=["AutomaticRepairs"]
    )
    """Which service."""
    service_state: ServiceState = Field(examples=["Running"])
    """Running: opted in. Suspended: no repair starts. NotRunning: a policy exists, not enabled."""
    reason: ReasonText | None = Field(default=None, examples=["PolicyEnabled"])
    """The code of the cause."""
    suspended_by: SuspendedBy | None = Field(default=None, examples=["Platform"])
    """Who suspended it; a suspension by the platform ends only by a request to resume (R-42)."""
    since_time: Time | None = Field(default=None, examples=["2026-11-18T12:34:44Z"])
    """When it entered the state, or the cause of it changed."""
    until_time: Time | None = Field(default=None, examples=["2026-11-18T18:00:00Z"])
    """When a suspension by the annotation scaleset.dev/repairs-suspended-until lapses by itself."""
    message: Cause = Field(default="", examples=["database migration, ask Kim"])
    """Why, in words: a person's own (scaleset.dev/repairs-suspended-reason), the platform's, or
    which request by annotation could not be read."""


class UnhealthyInstance(Model):
    """One instance that is not healthy: what was decided, by which rule, and until when."""

    name: LabelName = Field(examples=["web-19"])
    """The instance: the pod's name."""
    vm_health: VMHealth = Field(examples=["Unhealthy"])
    """The verdict on it."""
    since_time: Time | None = Field(default=None, examples=["2026-11-20T07:02:40Z"])
    """Since when."""
    repair_decision: RepairDecision = Field(examples=["Deferred"])
    """Repairing: in flight. Deferred: later. Skipped: not as things stand."""
    reason: ReasonText = Field(examples=["InGracePeriod"])
    """The one code of the rule behind the decision."""
    eligible_time: Time | None = Field(default=None, examples=["2026-11-20T07:32:10Z"])
    """When the decision changes, where a time is known."""


class RemovalPurpose(StrEnum):
    """Why an instance that is not under repair is removed."""

    SCALE_IN = "ScaleIn"
    ROLLOUT = "Rollout"
    WITNESS = "Witness"


class ScaleInVictim(Model):
    """An instance chosen to be removed; written before its DELETE (protocol rule 24)."""

    name: LabelName = Field(examples=["web-39"])
    """The pod's name."""
    uid: Uid = Field(examples=["0b6f6a0c-6a43-4a52-9d5e-1f3f2d1c7a55"])
    """Its UID."""
    purpose: RemovalPurpose = Field(default=RemovalPurpose.SCALE_IN, examples=["ScaleIn"])
    """Fewer instances are wanted, it is of an older model, or it was a witness that stayed
    silent."""


class RequestState(StrEnum):
    """What has become of a request on a pod that is not being met."""

    WAITING = "Waiting"
    REFUSED = "Refused"
    ANSWERED = "Answered"


class InstanceRequest(Model):
    """A person's request on one pod, by the annotation scaleset.dev/repair or /operation."""

    instance: LabelName = Field(examples=["web-7"])
    """The pod's name."""
    uid: Uid = Field(examples=["0b6f6a0c-6a43-4a52-9d5e-1f3f2d1c7a55"])
    """Its UID."""
    request: str = Field(
        min_length=1, max_length=MAX_REQUEST_LENGTH, examples=["operation=restart"]
    )
    """What is asked for."""
    state: RequestState = Field(examples=["Waiting"])
    """Waiting: it is met as soon as the reason is gone. Refused: it cannot be met, and is about to
    be taken off the pod. Answered: it was refused and is off the pod."""
    reason: ReasonText = Field(examples=["InstanceProtected"])
    """The code of the rule behind it."""
    message: Cause = Field(default="", examples=["protect-from-scale-set-actions"])
    """The cause in words."""
    time: Time = Field(examples=["2026-11-20T07:02:40Z"])
    """Since when."""


class CreatingInstance(Model):
    """An instance about to be created; written before the create, the name never used again."""

    name: LabelName = Field(examples=["web-40"])
    """The pod's name."""
    update_domain: int = Field(ge=0, le=MAX_INT32, examples=[3])
    """Its update domain."""
    model: ModelHash = Field(examples=["6f9c8d7b5"])
    """The model it is created from."""


class RotationStatus(Model):
    """What the probe of rotation finds, where the set names another than that of health."""

    in_rotation: Count = Field(default=0, examples=[37])
    """Instances that it wants in rotation."""
    out_of_rotation: Count = Field(default=0, examples=[2])
    """Instances that it wants out: they shed load, or do not answer it."""
    unknown: Count = Field(default=0, examples=[1])
    """Instances on which it has no verdict; the gate of each stays as it is."""
    reason: ReasonText | None = Field(default=None, examples=["HealthUnknown"])
    """Why most of the unknown ones have none: ProbeNotFound, ProbeInconclusive and others."""


class OutboundSummary(Model):
    """The outbound ports of the set's instances in short; the OutboundRule has the whole."""

    rule: ObjectName = Field(examples=["web-out"])
    """The OutboundRule that the set belongs to."""
    pool_size: Count = Field(default=0, examples=[40])
    """Instances in the pool."""
    ports_per_instance: Annotated[int, Field(ge=0, le=65_535)] = Field(default=0, examples=[1024])
    """Ports of one instance."""
    instances_to_next_tier: Count | None = Field(default=None, examples=[10])
    """How many more instances fit before each has fewer ports."""


class ScaleSetStatus(Model):
    """What the operator reports; written whole, by compare and swap, by the operator only."""

    observed_generation: Generation = Field(default=0, examples=[7])
    """The generation of the spec that the other fields speak about."""
    replicas: Count = Field(default=0, examples=[40])
    """Pods owned that are neither Terminating nor over, surplus and witness included."""
    ready_replicas: Count = Field(default=0, examples=[36])
    """Of these, Ready."""
    updated_replicas: Count = Field(default=0, examples=[40])
    """Of these, on the latest model."""
    healthy_replicas: Count = Field(default=0, examples=[36])
    """Of these, Healthy."""
    unhealthy_replicas: Count = Field(default=0, examples=[3])
    """Of these, Unhealthy."""
    unknown_replicas: Count = Field(default=0, examples=[1])
    """Of these, without a verdict."""
    repairing_replicas: Count = Field(default=0, examples=[2])
    """Repairs in flight."""
    protected_replicas: Count = Field(default=0, examples=[1])
    """Instances that carry a protection label."""
    selector: str = Field(default="", max_length=MAX_SELECTOR_LENGTH, examples=["app=web"])
    """spec.selector as text, for the scale subresource: autoscalers read it."""
    latest_model: Annotated[str, Field(max_length=63)] = Field(default="", examples=["6f9c8d7b5"])
    """The hash of the present template; instances carry theirs in the label scaleset.dev/model."""
    last_instance_id: int = Field(default=0, ge=0, le=MAX_INT32, examples=[42])
    """The highest instance id ever decided; ids are never used again."""
    creating: tuple[CreatingInstance, ...] = Field(default=(), max_length=MAX_CREATING)
    """Instances about to be created."""
    scale_in: tuple[ScaleInVictim, ...] = Field(default=(), max_length=MAX_SCALE_IN)
    """Instances chosen to be removed."""
    renewals: tuple[Renewal, ...] = Field(default=(), max_length=MAX_RENEWALS)
    """Instances that a rollout brings to the latest model in place (inPlaceIfPossible)."""
    rollout: RolloutStatus | None = None
    """The rollout under way; absent when there is none."""
    orchestration_services: tuple[OrchestrationService, ...] = Field(default=(), max_length=4)
    """AutomaticRepairs and its state; empty without an automaticRepairsPolicy (R-37)."""
    repairs: RepairsStatus = Field(default_factory=RepairsStatus)
    """The ledger of repairs."""
    unhealthy_instances: tuple[UnhealthyInstance, ...] = Field(
        default=(), max_length=MAX_UNHEALTHY_LISTED
    )
    """The first instances that are not healthy, longest unhealthy first; all are on their pods."""
    rotation: RotationStatus | None = None
    """What rotationProbeRef finds; left out where the health source decides over rotation."""
    requests: tuple[InstanceRequest, ...] = Field(default=(), max_length=MAX_REQUESTS)
    """Requests on pods that wait or were refused; those being met stand in repairs.inFlight."""
    outbound: OutboundSummary | None = None
    """Outbound ports in short, where an OutboundRule selects the set."""
    maintenance: MaintenanceSummary | None = None
    """Maintenance in short and its ledger, where a MaintenanceWindow selects the set."""
    scheduled_events_incarnation: Incarnation | None = Field(default=None, examples=[1795764344])
    """The DocumentIncarnation of the events that instances are told of; it rises when these change.
    None before the first."""
    conditions: tuple[Condition, ...] = Field(default=(), max_length=MAX_CONDITIONS)
    """Ready, Accepted, InstancesHealthy, InstancesUpToDate, Repairing, RepairsAllowed,
    MaintenanceActive, OutboundPortsSufficient; Reconciling and Stalled only when abnormal."""
