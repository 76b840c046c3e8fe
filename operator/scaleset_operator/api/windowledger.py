"""The ledger of a MaintenanceWindow: what was announced, missed, made known, and whose turn it is.

All that a later turn, or another operator, needs to go on. Every list is bounded.
Must not know: when an instance is moved; that stands in the ledger of its set.
"""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from scaleset_operator.api.base import (
    MAX_INT32,
    MAX_LABEL_LENGTH,
    Count,
    LabelName,
    Model,
    ObjectName,
    ReasonText,
    Time,
    cut,
)

MAX_UPCOMING: Final = 5
MAX_ANNOUNCED: Final = 64
"""Two a day with the usual notice and the day before it, or one a week with the longest."""
MAX_NOTICES: Final = 2 * MAX_ANNOUNCED
"""All that can be announced at once, and as many of the phases that open meanwhile."""
MAX_AUDIENCES: Final = 5
MAX_NODE_RECORDS: Final = 100
MAX_WORDS: Final = 256

Words = Annotated[str, Field(max_length=MAX_WORDS), cut(MAX_WORDS)]
"""Free text for people; longer text is cut, never refused."""


class AnnouncedOccurrence(Model):
    """One maintenance that was announced: from then on its times are absolute (M-23)."""

    iteration: Annotated[int, Field(ge=1, le=MAX_INT32)] = Field(examples=[1])
    """Its number, from 1; never given twice."""
    announced_time: Time = Field(examples=["2026-10-21T00:00:00Z"])
    """When it was announced."""
    pre_start_time: Time | None = Field(default=None, examples=["2026-11-20T00:00:00Z"])
    """When its self-service window opens."""
    pre_end_time: Time | None = Field(default=None, examples=["2026-11-27T00:00:00Z"])
    """When that closes."""
    start_time: Time = Field(examples=["2026-11-27T02:00:00Z"])
    """When its scheduled window opens."""
    end_time: Time = Field(examples=["2026-11-27T08:00:00Z"])
    """When that closes."""
    share_percent: Annotated[int, Field(ge=1, le=100)] = Field(default=100, examples=[10])
    """The share of a set's instances that it includes at most (V-06)."""


class MissedOccurrence(Model):
    """A maintenance that was due and did not take place, or not whole (M-24)."""

    start_time: Time = Field(examples=["2026-11-27T02:00:00Z"])
    """When its scheduled window would have opened."""
    reason: ReasonText = Field(examples=["WindowMissed"])
    """The code of the cause."""
    message: Words = Field(default="", examples=["no operator was running"])
    """The cause in words."""


class NoticeKind(StrEnum):
    """What a notification says (V-23, V-26)."""

    ANNOUNCED = "Announced"
    SELF_SERVICE_OPENED = "SelfServiceOpened"
    SCHEDULED_OPENED = "ScheduledOpened"
    STARTED = "Started"
    STOPPED = "Stopped"
    ENDED = "Ended"


class InstanceCounts(Model):
    """The included instances, by how far each is."""

    targeted: Count = Field(default=0, examples=[40])
    """Instances included in this iteration."""
    pending: Count = Field(default=0, examples=[28])
    """Of these, not yet begun."""
    in_progress: Count = Field(default=0, examples=[1])
    """Of these, begun."""
    completed: Count = Field(default=0, examples=[10])
    """Of these, done."""
    aborted: Count = Field(default=0, examples=[1])
    """Of these, left out after an error until a later iteration (M-09)."""


class PendingNotice(Model):
    """A notification that is due, with the audiences that have not had it yet (V-24)."""

    kind: NoticeKind = Field(examples=["Announced"])
    """What it says."""
    iteration: Count = Field(examples=[1])
    """Which iteration it is about."""
    time: Time = Field(examples=["2026-10-21T00:00:00Z"])
    """When it became due."""
    message: Words = Field(default="", examples=["8 of 40 instances were moved"])
    """The same in words."""
    instances: InstanceCounts | None = None
    """The instances of this iteration as it became due; left out where none were counted yet."""
    audiences: tuple[LabelName, ...] = Field(
        default=(), max_length=MAX_AUDIENCES, examples=[["default"]]
    )
    """Who has not had it yet."""


class PairState(StrEnum):
    """Whether the holder of a pair's turn works, or is giving it up."""

    HELD = "Held"
    RELEASING = "Releasing"


class PairTurn(Model):
    """Whose turn it is in a pair (M-17); it stands in that window of the two whose name is first.

    It is taken only when the other window has no instance under maintenance, read live; the holder
    gives it up in two steps: Releasing is recorded, and it is taken away once the same holds for
    the holder. A set acts only on a live read of this that is later than its own record and says
    Held. So one of the two always sees the other.
    """

    holder: Annotated[str, Field(min_length=1, max_length=320)] = Field(
        examples=["shop/host-patch-nov"]
    )
    """The window whose turn it is, as namespace/name."""
    state: PairState = Field(examples=["Held"])
    """Held or Releasing."""
    pair: Annotated[str, Field(max_length=MAX_LABEL_LENGTH)] = Field(
        default="", examples=["9f86d081884c7d65"]
    )
    """Which pair it was taken for: a hash of the UIDs and generations of both windows. After an
    edit of either it is nobody's, and is taken anew."""
    time: Time = Field(examples=["2026-11-27T02:00:00Z"])
    """Since when."""


class NodePhase(StrEnum):
    """How far a node's own maintenance is."""

    CORDONING = "Cordoning"
    EMPTYING = "Emptying"
    WORKING = "Working"
    UNWINDING = "Unwinding"


class NodeWork(Model):
    """The node that is being worked on (spec.nodeMaintenance); one at a time."""

    node: ObjectName = Field(examples=["worker-2"])
    """The node."""
    iteration: Count = Field(examples=[1])
    """For which iteration."""
    phase: NodePhase = Field(examples=["Emptying"])
    """Cordoning: recorded, the cordon follows. Emptying: its included instances are moved.
    Working: the Job runs. Unwinding: the cordon is taken away."""
    time: Time = Field(examples=["2026-11-27T02:10:00Z"])
    """When the phase began, or emptying last got on."""
    job: ObjectName | None = Field(default=None, examples=["host-patch-nov-1-worker-2"])
    """The Job's name; written here before it is created."""
    job_uid: Annotated[str, Field(max_length=MAX_LABEL_LENGTH)] | None = Field(
        default=None, examples=["5f0c6f0e-6d2b-4c6e-9a40-2f7f4f0f7b11"]
    )
    """Which Job it is, once it was seen; one that is gone is not made again."""
    failed: bool = Field(default=False, examples=[False])
    """Whether it is unwound without being updated."""
    work_failed: bool = Field(default=False, examples=[False])
    """Whether that is for its Job, which failed or did not end, or for a node that did not come
    back from it."""
    message: Words = Field(default="", examples=["3 instances are still on it"])
    """The state in words."""


class NodeRecord(Model):
    """A node that was worked on."""

    node: ObjectName = Field(examples=["worker-2"])
    """The node."""
    iteration: Count = Field(examples=[1])
    """In which iteration."""
    updated: bool = Field(examples=[True])
    """Whether it is updated now; one that is not is left alone until the next iteration."""
    work_failed: bool = Field(default=False, examples=[False])
    """Whether its Job failed or did not end, or it did not come back from it: then no further node
    is taken in this iteration (M-16)."""
    message: Words = Field(default="", examples=["its Job failed"])
    """The outcome in words."""
    time: Time = Field(examples=["2026-11-27T02:31:00Z"])
    """When it ended."""
