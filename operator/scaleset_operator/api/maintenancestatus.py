"""What the operator reports on a MaintenanceWindow, under the names of the source (V-09).

Must not know: how far any maintenance is, or what the time is.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from scaleset_operator.api.base import (
    MAX_LABEL_LENGTH,
    Condition,
    Count,
    Generation,
    LabelName,
    Model,
    Time,
    cut,
)
from scaleset_operator.api.windowledger import (
    MAX_ANNOUNCED,
    MAX_NODE_RECORDS,
    MAX_NOTICES,
    MAX_UPCOMING,
    AnnouncedOccurrence,
    InstanceCounts,
    MissedOccurrence,
    NodeRecord,
    NodeWork,
    NoticeKind,
    PairTurn,
    PendingNotice,
)

MAX_OPERATION_MESSAGE: Final = 256


class Impact(StrEnum):
    """What an instance feels of a maintenance (M-01)."""

    NONE = "None"
    PAUSE = "Pause"
    REDEPLOY = "Redeploy"


class ActiveWindow(StrEnum):
    """Which of the two windows is open."""

    NONE = "None"
    SELF_SERVICE = "SelfService"
    SCHEDULED = "Scheduled"


class OperationResultCode(StrEnum):
    """How the last operation on an instance ended (V-14)."""

    NONE = "None"
    RETRY_LATER = "RetryLater"
    MAINTENANCE_ABORTED = "MaintenanceAborted"
    MAINTENANCE_COMPLETED = "MaintenanceCompleted"


class RedeployStatus(Model):
    """One instance's maintenance, under the seven names of the source (V-02, V-09).

    The JSON of the annotation scaleset.dev/maintenance-redeploy-status. The times are there only
    while maintenance is ahead of the instance; the last result stays after them (V-15, V-16).
    """

    is_customer_initiated_maintenance_allowed: bool | None = Field(default=None, examples=[True])
    """Whether the owner may start it now (V-10)."""
    pre_maintenance_window_start_time: Time | None = Field(
        default=None, examples=["2026-11-20T00:00:00Z"]
    )
    """When the self-service window opens."""
    pre_maintenance_window_end_time: Time | None = Field(
        default=None, examples=["2026-11-27T00:00:00Z"]
    )
    """When it closes."""
    maintenance_window_start_time: Time | None = Field(
        default=None, examples=["2026-11-27T02:00:00Z"]
    )
    """When the scheduled window opens."""
    maintenance_window_end_time: Time | None = Field(
        default=None, examples=["2026-11-27T08:00:00Z"]
    )
    """When it closes."""
    last_operation_result_code: OperationResultCode | None = Field(
        default=None, examples=["MaintenanceCompleted"]
    )
    """How the last operation ended; None before any."""
    last_operation_message: Annotated[
        str | None, Field(max_length=MAX_OPERATION_MESSAGE), cut(MAX_OPERATION_MESSAGE)
    ] = Field(default=None, examples=["moved to worker-3"])
    """The same in words."""


class LastOperation(Model):
    """The latest operation on any instance."""

    instance: LabelName = Field(examples=["web-11"])
    """The instance: the pod's name."""
    last_operation_result_code: OperationResultCode = Field(examples=["MaintenanceCompleted"])
    """How it ended."""
    last_operation_message: Annotated[
        str, Field(max_length=MAX_OPERATION_MESSAGE), cut(MAX_OPERATION_MESSAGE)
    ] = Field(default="", examples=["moved to worker-3"])
    """The same in words."""
    time: Time = Field(examples=["2026-11-21T10:12:00Z"])
    """When it ended."""


class MaintenanceWindowStatus(Model):
    """How far the maintenance is. Without a plan the times are absent, not zero (V-15)."""

    observed_generation: Generation = Field(default=0, examples=[1])
    """The generation of the spec that the other fields speak about."""
    active_window: ActiveWindow = Field(default=ActiveWindow.NONE, examples=["SelfService"])
    """Which window is open now."""
    is_customer_initiated_maintenance_allowed: bool | None = Field(default=None, examples=[True])
    """Whether owners may start maintenance now (V-10)."""
    pre_maintenance_window_start_time: Time | None = Field(
        default=None, examples=["2026-11-20T00:00:00Z"]
    )
    """When the self-service window opens."""
    pre_maintenance_window_end_time: Time | None = Field(
        default=None, examples=["2026-11-27T00:00:00Z"]
    )
    """When the self-service window closes."""
    maintenance_window_start_time: Time | None = Field(
        default=None, examples=["2026-11-27T02:00:00Z"]
    )
    """When the scheduled window opens."""
    maintenance_window_end_time: Time | None = Field(
        default=None, examples=["2026-11-27T08:00:00Z"]
    )
    """When the scheduled window closes; what has started by then is finished (M-25)."""
    next_transition_time: Time | None = Field(default=None, examples=["2026-11-27T00:00:00Z"])
    """When a window opens or closes next."""
    upcoming: tuple[Time, ...] = Field(
        default=(), max_length=MAX_UPCOMING, examples=[["2026-12-08T01:00:00Z"]]
    )
    """When the scheduled window opens next, the next five times."""
    announced_time: Time | None = Field(default=None, examples=["2026-10-21T00:00:00Z"])
    """When the plan was announced; from then on it is not moved."""
    iteration: Count = Field(default=0, examples=[1])
    """Which iteration this is, from 1."""
    instances: InstanceCounts = Field(default_factory=InstanceCounts)
    """The included instances, counted."""
    current_update_domain: Count | None = Field(default=None, examples=[2])
    """The update domain being worked on."""
    last_operation: LastOperation | None = None
    """The latest operation on any instance."""
    announced: tuple[AnnouncedOccurrence, ...] = Field(default=(), max_length=MAX_ANNOUNCED)
    """Every maintenance that was announced and is not over, the next one first."""
    past: tuple[Time, ...] = Field(
        default=(), max_length=MAX_ANNOUNCED, examples=[["2026-10-13T00:00:00Z"]]
    )
    """When the scheduled windows of maintenances that are over opened, the latest first; none of
    them is announced again, also not where a clock ran ahead and was put right."""
    last_iteration: Count = Field(default=0, examples=[3])
    """The highest number given to a maintenance."""
    campaign: Annotated[str, Field(max_length=MAX_LABEL_LENGTH)] = Field(
        default="", examples=["9f86d081"]
    )
    """The hash of spec.updatedNodeSelector; another one begins the growing shares anew (V-06)."""
    campaign_iteration: Count = Field(default=0, examples=[1])
    """The iteration with which it began."""
    missed: tuple[MissedOccurrence, ...] = Field(default=(), max_length=MAX_UPCOMING)
    """What was due and did not take place, newest first."""
    notices: tuple[PendingNotice, ...] = Field(default=(), max_length=MAX_NOTICES)
    """Notifications that have not reached everybody yet, oldest first."""
    last_notices: tuple[NoticeKind, ...] = Field(
        default=(), max_length=len(NoticeKind), examples=[["Announced"]]
    )
    """What has been made known of the present iteration."""
    pair_turn: PairTurn | None = None
    """Whose turn it is, where this window holds it for its pair."""
    node_work: NodeWork | None = None
    """The node that is being worked on."""
    node_records: tuple[NodeRecord, ...] = Field(default=(), max_length=MAX_NODE_RECORDS)
    """The latest nodes that were worked on, newest first."""
    conditions: tuple[Condition, ...] = Field(default=(), max_length=10)
    """Accepted, Announced, SelfServiceOpen, ScheduledOpen, Progressing, Completed, Ready; with
    nodeMaintenance NodeWork, too."""
