"""What one decision about nodes sees and what it may do, as values.

Must not know: which node is next, or when anything is due.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import NodeRecord, NodeWork
from scaleset_operator.core.plan import Note


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """A node, read live.

    Attributes:
        claim: the annotation of whoever cordoned it for its maintenance; empty for nobody.
    """

    name: str
    resource_version: str
    labels: Mapping[str, str] = field(default_factory=dict)
    unschedulable: bool = False
    claim: str = ""
    ready: bool = True

    def bears(self, labels: Mapping[str, str]) -> bool:
        """Whether all of these labels stand on it."""
        return all(self.labels.get(key) == value for key, value in labels.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupants:
    """The instances of the window's sets that are on one node, those that are going included.

    Attributes:
        movable: how many are included and not done yet: their sets move them.
        stuck: those that are not moved in this iteration: aborted, or their set has stopped.
        others: those that are not included in it.
    """

    movable: int = 0
    stuck: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


NOBODY = Occupants()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A Job, read live.

    Attributes:
        ours: whether the window is its controller.
        message: of the condition with which it ended.
        terminating: its deletion was asked for.
    """

    name: str
    uid: str
    ours: bool = True
    complete: bool = False
    failed: bool = False
    message: str = ""
    terminating: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeScene:
    """All that a decision looks at.

    Attributes:
        window: as recorded: acts follow from its status alone.
        obstacle: why nothing new may start now, in words; empty where it may.
        nodes: every node, where one is to be chosen.
        occupants: by node, likewise; from the cache.
        node: the one that is worked on; None where it is gone.
        here: who is on it, read live.
        job: the one that is recorded; None where there is none.
        refused: what the API server said to the last act of this very record.
    """

    window: MaintenanceWindow
    obstacle: str = ""
    nodes: tuple[NodeView, ...] = ()
    occupants: Mapping[str, Occupants] = field(default_factory=dict)
    node: NodeView | None = None
    here: Occupants = NOBODY
    job: JobView | None = None
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CordonNode:
    """Cordon a node and put the claim on it, in one patch, on this resourceVersion.

    Attributes:
        not_after: past it nothing is sent.
    """

    node: str
    resource_version: str
    claim: str
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class UncordonNode:
    """Take cordon and claim away, in one patch, on this resourceVersion.

    Attributes:
        labels: that are put on in the same patch: it is updated.
    """

    node: str
    resource_version: str
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateJob:
    """Create the recorded Job on one node, from the window's template.

    Attributes:
        not_after: past it nothing is sent.
    """

    name: str
    node: str
    iteration: int
    not_after: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteJob:
    """Delete this very Job, its pods first; one that is gone is success."""

    name: str
    uid: str


NodeAct = CordonNode | UncordonNode | CreateJob | DeleteJob


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePlan:
    """The outcome of one decision.

    Attributes:
        work: the next status.nodeWork.
        records: the next status.nodeRecords.
        acts: what the recorded status allows; none where this differs from it.
        trial: acts that are asked of the API server without effect before this is recorded.
        look_again_at: the next moment at which something may be due.
        notes: Events that go with the record.
        reason: why no node is being worked on.
        words: the same in words, or how far it is.
    """

    work: NodeWork | None = None
    records: tuple[NodeRecord, ...] = ()
    acts: tuple[NodeAct, ...] = ()
    trial: tuple[NodeAct, ...] = ()
    look_again_at: datetime | None = None
    notes: tuple[Note, ...] = ()
    reason: Reason = Reason.NOTHING_TO_DO
    words: str = ""
