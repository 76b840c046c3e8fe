"""The ledger of repairs as it stands in status: what is in flight, owed, doubted, or was done.

An entry is written before anything is touched, by compare and swap; it is the lock that keeps
the cap (protocol rules 3 to 11). Every list is bounded and sent whole.
Must not know: when an entry is opened, moved on or closed.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from scaleset_operator.api.base import (
    MAX_INT32,
    Count,
    LabelName,
    Model,
    ObjectName,
    ReasonText,
    Time,
    cut,
)
from scaleset_operator.api.repairpolicy import RepairAction

MAX_IN_FLIGHT: Final = 500
"""Five percent of the largest set, 10,000 instances."""
MAX_STALLED: Final = 20
MAX_DOUBTS: Final = 100
MAX_HISTORY: Final = 10
MAX_ARMED: Final = 20
MAX_BUDGETS: Final = 10
MAX_SOURCE_LENGTH: Final = 384
"""A condition type of 316 characters fits, and what says that it is one."""
MAX_TARGET_IMAGES: Final = 40
MAX_CAUSE_LENGTH: Final = 256
MAX_IMAGE_LENGTH: Final = 512
MAX_UID_LENGTH: Final = 64

Uid = Annotated[str, Field(min_length=1, max_length=MAX_UID_LENGTH)]
ModelHash = Annotated[str, Field(min_length=1, max_length=63)]
"""The value of the label scaleset.dev/model."""
Cause = Annotated[str, Field(max_length=MAX_CAUSE_LENGTH), cut(MAX_CAUSE_LENGTH)]
"""Free text for people; longer text is cut, never refused."""


class RepairPhase(StrEnum):
    """How far a repair in flight is."""

    RECORDED = "Recorded"
    NOTIFIED = "Notified"
    REPLACING = "Replacing"
    RESTARTING = "Restarting"


class RepairResult(StrEnum):
    """How a repair ended."""

    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    CANCELLED = "Cancelled"


class RepairEntry(Model):
    """One repair in flight: holds one slot of the allowance from its record to its close."""

    instance: LabelName = Field(examples=["web-7"])
    """The instance under repair: the pod's name."""
    uid: Uid = Field(examples=["0b6f6a0c-6a43-4a52-9d5e-1f3f2d1c7a55"])
    """Its UID; every act carries it, so another pod of that name is never hit."""
    replacement: LabelName | None = Field(default=None, examples=["web-41"])
    """The name under which the replacement is, or will be, created; none for repairs in place, and
    where a scale-in during a notice no longer wants one."""
    replacement_uid: Uid | None = Field(
        default=None, alias="replacementUID", examples=["5ad7c1de-93d2-4c39-8c7c-3a8f6a0d9be1"]
    )
    """The replacement's UID once it exists."""
    action: RepairAction = Field(examples=["Replace"])
    """What is done."""
    cause: Cause = Field(examples=["HTTP 503 for 33m"])
    """Why, in words."""
    cause_reason: ReasonText | None = Field(default=None, examples=["WrongStatus"])
    """The code of the cause; metrics count by it."""
    phase: RepairPhase = Field(examples=["Recorded"])
    """How far it is. Recorded: nothing touched yet. Notified: a terminate notice was given.
    Replacing: the DELETE was accepted. Restarting: renewed in place, not yet healthy."""
    terminate_at: Time | None = Field(default=None, examples=["2026-11-20T07:25:44Z"])
    """The deadline of the terminate notice, fixed with the record: the instance is deleted when it
    approves, or then. None where no notice is given (R-54)."""
    start_time: Time = Field(examples=["2026-11-20T07:20:44Z"])
    """When the entry was recorded."""
    update_domain: int = Field(default=0, ge=0, le=MAX_INT32, examples=[2])
    """The update domain of the instance, which its replacement inherits."""
    attempt: int = Field(default=1, ge=1, le=MAX_INT32, examples=[1])
    """Which attempt this is along the line of replacements, from 1."""
    model: ModelHash | None = Field(default=None, examples=["6f9c8d7b5"])
    """The model that the replacement was created from, or that it is owed."""
    deleted_time: Time | None = Field(default=None, examples=["2026-11-20T07:20:45Z"])
    """When the DELETE was accepted."""
    successors: Count = Field(default=0, examples=[0])
    """How many replacements of this model were themselves removed; from the second on the grace of
    the slot is counted from `graceFrom` (protocol rule 7)."""
    grace_from: Time | None = Field(default=None, examples=["2026-11-20T07:25:00Z"])
    """Where the grace of the slot starts once it may not start again (protocol rule 7)."""
    budgets: tuple[ObjectName, ...] = Field(
        default=(), max_length=MAX_BUDGETS, examples=[["web-pdb"]]
    )
    """The PodDisruptionBudgets that it counts against; empty for an instance that was not ready."""
    target_images: tuple[Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_LENGTH)], ...] = (
        Field(default=(), max_length=MAX_TARGET_IMAGES, examples=[["docker.io/library/web:1.4.2"]])
    )
    """For repairs in place: the exact image that each container is given, in the pod's order."""
    from_model: ModelHash | None = Field(default=None, examples=["6f9c8d7b-1c2d3e4f"])
    """For repairs in place: the model that the instance has when it is recorded."""
    from_images: tuple[Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_LENGTH)], ...] = (
        Field(default=(), max_length=MAX_TARGET_IMAGES, examples=[["web:1.4.2"]])
    )
    """For repairs in place: the images that its containers have when it is recorded; a pod that has
    neither these nor the target is left alone (protocol rule 10)."""
    restarted_time: Time | None = Field(default=None, examples=["2026-11-20T07:20:45Z"])
    """For repairs in place: when the new images were seen on the pod."""

    @property
    def in_place(self) -> bool:
        """Whether the pod stays and its containers are renewed (protocol rule 10)."""
        return bool(self.target_images)


class StalledInstance(Model):
    """An old pod that outlived its repair: still Terminating, holds no slot (R-15)."""

    instance: LabelName = Field(examples=["web-7"])
    """The pod's name."""
    uid: Uid = Field(examples=["0b6f6a0c-6a43-4a52-9d5e-1f3f2d1c7a55"])
    """Its UID."""
    since: Time = Field(examples=["2026-11-20T08:02:00Z"])
    """When its repair was closed without it being gone."""


class Doubt(Model):
    """A set or a node that fell silent as a whole, and the witness that is to tell why."""

    group: str = Field(min_length=1, max_length=MAX_CAUSE_LENGTH, examples=["node/worker-1"])
    """What fell silent: "set", or "node/" and the node's name."""
    since: Time = Field(examples=["2026-11-20T07:00:00Z"])
    """When its first instance fell silent."""
    witness: LabelName | None = Field(default=None, examples=["web-41"])
    """The extra instance created to tell; its name is written here before it is created."""
    witness_uid: Uid | None = Field(
        default=None, alias="witnessUID", examples=["5ad7c1de-93d2-4c39-8c7c-3a8f6a0d9be1"]
    )
    """The witness's UID once it exists."""
    next_time: Time | None = Field(default=None, examples=["2026-11-20T07:04:00Z"])
    """When the next witness may be created; the wait doubles, up to an hour."""
    attempts: Count = Field(default=0, examples=[1])
    """How many witnesses stayed silent so far; the wait doubles with each (protocol rule 18)."""


class RepairRecord(Model):
    """One closed repair."""

    instance: LabelName = Field(examples=["web-4"])
    """The instance that was repaired."""
    replacement: LabelName | None = Field(default=None, examples=["web-19"])
    """The instance that took its place; none for repairs in place."""
    action: RepairAction = Field(examples=["Replace"])
    """What was done."""
    cause: Cause = Field(examples=["no 200 within 31s (connect timeout)"])
    """Why, in words."""
    cause_reason: ReasonText | None = Field(default=None, examples=["ProbeTimedOut"])
    """The code of the cause."""
    result: RepairResult = Field(examples=["Succeeded"])
    """How it ended."""
    reason: ReasonText | None = Field(default=None, examples=["Recovered"])
    """The code behind a Failed or Cancelled."""
    start_time: Time = Field(examples=["2026-11-20T06:58:00Z"])
    """When it was recorded."""
    end_time: Time = Field(examples=["2026-11-20T07:02:10Z"])
    """When it was closed."""


class ArmedModel(Model):
    """A model whose repairs are armed under one source of health (armAfterHealthyPercent)."""

    model: ModelHash = Field(examples=["6f9c8d7b5"])
    """The model."""
    source: Annotated[str, Field(min_length=1, max_length=MAX_SOURCE_LENGTH)] = Field(
        examples=["probe/9a1c2a4e-5f0d-4a63-8a53-0e9a5b7c1d11/3/8080"]
    )
    """The source: of a HealthProbe its UID, generation and port; else the pod condition."""
    time: Time = Field(examples=["2026-11-20T00:05:00Z"])
    """When enough of its instances had been Healthy once."""


class RepairsStatus(Model):
    """The ledger: all that a later turn, or another operator, needs to go on."""

    batch_limit: Count = Field(default=0, examples=[2])
    """The allowance: the most instances under repair at once, now."""
    in_flight: tuple[RepairEntry, ...] = Field(default=(), max_length=MAX_IN_FLIGHT)
    """Repairs recorded and not closed; each holds a slot."""
    stalled: tuple[StalledInstance, ...] = Field(default=(), max_length=MAX_STALLED)
    """Pods still Terminating after their repair was closed."""
    doubts: tuple[Doubt, ...] = Field(default=(), max_length=MAX_DOUBTS)
    """Groups whose silence is not yet explained."""
    consecutive_failed: Count = Field(default=0, examples=[1])
    """Failed repairs since the last success, new model or resume (protocol rule 12)."""
    consecutive_failed_model: ModelHash | None = Field(default=None, examples=["6f9c8d7b5"])
    """The model that these failures belong to."""
    consecutive_failed_since: Time | None = Field(default=None, examples=["2026-11-20T06:58:00Z"])
    """When the first of them was recorded; a run older than a day starts anew."""
    enabled_time: Time | None = Field(default=None, examples=["2026-11-20T00:00:00Z"])
    """When repairs were enabled; every instance has a grace from then (R-36)."""
    next_eligible_time: Time | None = Field(default=None, examples=["2026-11-20T07:32:10Z"])
    """When the next instance becomes eligible, if a time is known."""
    last_handled_resume_request: Time | None = Field(
        default=None, examples=["2026-11-20T09:20:00Z"]
    )
    """The latest request to resume that was answered; older ones resume nothing (R-43)."""
    suspended_since: Time | None = Field(default=None, examples=["2026-11-20T08:20:00Z"])
    """When the platform suspended repairs; stays until a person resumes them (protocol rule 13)."""
    suspended_cause: Cause = Field(default="", examples=["web-4 failed 3 repairs in a row"])
    """Why it did."""
    resumed_time: Time | None = Field(default=None, examples=["2026-11-20T09:20:01Z"])
    """When a person last ended a suspension by the platform; what failed before does not count
    towards the next (R-44)."""
    armed: tuple[ArmedModel, ...] = Field(default=(), max_length=MAX_ARMED)
    """Models whose repairs are armed; empty without armAfterHealthyPercent."""
    history: tuple[RepairRecord, ...] = Field(default=(), max_length=MAX_HISTORY)
    """The latest closed repairs, newest first."""
