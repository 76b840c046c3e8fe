"""The ledger of maintenance as it stands in a ScaleSet's status: what is being moved, and how far.

An entry is written before anything is touched, by the same compare and swap as the ledger of
repairs; what became of an instance afterwards stands on its pod. Every list is bounded.
Must not know: when an entry is opened, moved on or closed.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from scaleset_operator.api.base import (
    MAX_INT32,
    Count,
    LabelName,
    LabelValue,
    Model,
    ObjectName,
    ReasonText,
    Time,
)
from scaleset_operator.api.ledger import MAX_IN_FLIGHT, Cause, Uid
from scaleset_operator.api.maintenancestatus import ActiveWindow, Impact, LastOperation
from scaleset_operator.api.maintenancestatus import OperationResultCode as ResultCode

MAX_ITERATIONS: Final = 8
"""Windows that concern one set at once: announced, open, or with work not finished."""
MAX_KEPT_LABELS: Final = 32


class Origin(StrEnum):
    """Who began the operation on an instance."""

    SELF_SERVICE = "SelfService"
    SCHEDULED = "Scheduled"


class MaintenancePhase(StrEnum):
    """How far an operation is."""

    RECORDED = "Recorded"
    PLACED = "Placed"
    MOVING = "Moving"
    LEAVING = "Leaving"
    PAUSED = "Paused"
    RETURNING = "Returning"
    ENDING = "Ending"


class MaintenanceEntry(Model):
    """One instance under maintenance, from its record to its close."""

    instance: LabelName = Field(examples=["web-7"])
    """The instance: the pod's name, which it keeps."""
    uid: Uid = Field(examples=["0b6f6a0c-6a43-4a52-9d5e-1f3f2d1c7a55"])
    """Its UID when it was recorded; every act on the old pod carries it."""
    window: ObjectName = Field(examples=["host-patch-nov"])
    """The MaintenanceWindow."""
    iteration: Count = Field(examples=[1])
    """Which of its iterations."""
    mark: Annotated[str, Field(min_length=1, max_length=400)] = Field(
        examples=["host-patch-nov/1/0b6f6a0c/2026-11-27T08:00:00Z"]
    )
    """The iteration as it stands on the pods, in scaleset.dev/maintenance-iteration."""
    impact: Impact = Field(examples=["Redeploy"])
    """What is done."""
    origin: Origin = Field(examples=["Scheduled"])
    """Who began it."""
    phase: MaintenancePhase = Field(examples=["Recorded"])
    """How far it is. Recorded: a place is sought, or the node's agent, and nothing is touched.
    Placed: an updated node holds a place. Moving: the old pod is on its way out. Leaving: it leaves
    rotation before its pause. Paused: its node's agent is asked to pause it. Returning: it is there
    again and not yet healthy. Ending: the result is known and goes onto the pod."""
    start_time: Time = Field(examples=["2026-11-27T02:00:00Z"])
    """When the entry was recorded."""
    phase_time: Time = Field(examples=["2026-11-27T02:00:07Z"])
    """When the phase began."""
    update_domain: int = Field(default=0, ge=0, le=MAX_INT32, examples=[2])
    """The update domain of the instance, which it keeps."""
    placeholder: LabelName | None = Field(default=None, examples=["web-7-place"])
    """The pod that holds the place; its name is written here before it is created."""
    node: ObjectName | None = Field(default=None, examples=["worker-3"])
    """The updated node that holds the place."""
    model: LabelValue = Field(default="", examples=["9f2c61aa-0b7de410"])
    """The model of the old pod, which the new one is made from again: a move is no rollout."""
    labels: dict[str, LabelValue] = Field(
        default_factory=dict, max_length=MAX_KEPT_LABELS, examples=[{"team": "shop"}]
    )
    """Labels of the old pod that the template does not give and the new one is to have."""
    successor_uid: Uid | None = Field(
        default=None, alias="successorUID", examples=["5ad7c1de-93d2-4c39-8c7c-3a8f6a0d9be1"]
    )
    """The UID of the pod on the new node, once it exists."""
    result: ResultCode | None = Field(default=None, examples=["MaintenanceCompleted"])
    """How it ended; the entry closes once that stands on the pod."""
    message: Cause = Field(default="", examples=["moved to worker-3"])
    """The same in words."""


class Stop(Model):
    """Why an iteration takes no more instances of the set (M-16, V-05)."""

    reason: ReasonText = Field(examples=["MaintenanceStopped"])
    """The code of the cause."""
    message: Cause = Field(default="", examples=["web-7 did not come back healthy"])
    """The cause in words."""
    time: Time = Field(examples=["2026-11-27T02:31:00Z"])
    """Since when."""


class SetIteration(Model):
    """One iteration of one window, as far as this set is concerned."""

    window: ObjectName = Field(examples=["host-patch-nov"])
    """The MaintenanceWindow."""
    iteration: Count = Field(examples=[1])
    """Which of its iterations."""
    mark: Annotated[str, Field(min_length=1, max_length=400)] = Field(
        examples=["host-patch-nov/1/0b6f6a0c/2026-11-27T08:00:00Z"]
    )
    """The iteration as it stands on the pods."""
    impact: Impact = Field(default=Impact.REDEPLOY, examples=["Redeploy"])
    """What is done to its instances."""
    pre_start_time: Time | None = Field(default=None, examples=["2026-11-20T00:00:00Z"])
    """When its self-service window opens; its times stand here for what instances are told."""
    pre_end_time: Time | None = Field(default=None, examples=["2026-11-27T00:00:00Z"])
    """When that closes."""
    start_time: Time | None = Field(default=None, examples=["2026-11-27T02:00:00Z"])
    """When its scheduled window opens."""
    targeted: Count = Field(default=0, examples=[40])
    """Instances included."""
    pending: Count = Field(default=0, examples=[28])
    """Of these, not yet begun."""
    in_progress: Count = Field(default=0, examples=[1])
    """Of these, begun."""
    completed: Count = Field(default=0, examples=[10])
    """Of these, done."""
    aborted: Count = Field(default=0, examples=[1])
    """Of these, left out after an error."""
    asked: Count = Field(default=0, examples=[1])
    """Instances whose owner asks for them now and that wait."""
    current_update_domain: Count | None = Field(default=None, examples=[2])
    """The update domain that is being worked on, or was last, in the scheduled window."""
    domain_since: Time | None = Field(default=None, examples=["2026-11-27T02:00:00Z"])
    """When work on it began."""
    domain_done_time: Time | None = Field(default=None, examples=["2026-11-27T02:04:00Z"])
    """When all of it was back and healthy; the pause before the next is counted from here."""
    retry_time: Time | None = Field(default=None, examples=["2026-11-27T02:10:00Z"])
    """When the next instance may be tried after one that could not be taken (RetryLater)."""
    waits_for: ReasonText | None = Field(default=None, examples=["DisruptionBudget"])
    """Why nothing more is taken now, though the window is open."""
    message: Cause = Field(default="", examples=["2 of 40 are away, the floor is 38"])
    """The same in words."""
    stopped: Stop | None = None
    """Why it takes no more instances; None while it does."""
    last_operation: LastOperation | None = None
    """The latest operation on an instance of the set."""


class MaintenanceSummary(Model):
    """The maintenance of the set: the next or open window in short, and the ledger."""

    window: ObjectName | None = Field(default=None, examples=["host-patch-nov"])
    """The MaintenanceWindow in force or next."""
    active_window: ActiveWindow = Field(default=ActiveWindow.NONE, examples=["Scheduled"])
    """None, SelfService or Scheduled."""
    next_transition_time: Time | None = Field(default=None, examples=["2026-11-27T00:00:00Z"])
    """When a window opens or closes next."""
    iterations: tuple[SetIteration, ...] = Field(default=(), max_length=MAX_ITERATIONS)
    """The iterations that concern the set, the next or open one first."""
    in_flight: tuple[MaintenanceEntry, ...] = Field(default=(), max_length=MAX_IN_FLIGHT)
    """Instances under maintenance."""
