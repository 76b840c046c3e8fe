"""What was decided: actions, the next status and when to look again, as one frozen value.

A plan is compared by ==, printed on one line and carried out elsewhere. No action stands in a
plan before the status that names it has been recorded (design.md section 2, protocol rule 3).
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from scaleset_operator.api.base import Reason, VMHealth
from scaleset_operator.api.ledger import RepairRecord
from scaleset_operator.api.scalesetstatus import RepairDecision, ScaleSetStatus
from scaleset_operator.core.maintenance_acts import (
    AskPause,
    ClearPause,
    EvictInstance,
    HoldPlace,
    PublishMaintenance,
    ReleasePlace,
)


class Purpose(StrEnum):
    """Why an instance is deleted; the label of events, logs and metrics."""

    REPAIR = "repair"
    SCALE_IN = "scale_in"
    ROLLOUT = "rollout"
    WITNESS = "witness"
    OVER = "over"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateInstance:
    """Create the pod of this recorded name.

    Attributes:
        model: whose template it is made from: the latest, but for one that is moved.
        replaces: name of the instance it makes up for, for the lineage annotation.
        attempt: number of failed repairs before it in its lineage, plus one; 0 outside repairs.
        after: UID of the victim whose DELETE must have been accepted first, in the same plan.
        labels: beside those of the template: what a moved instance keeps (V-21).
        node: that is preferred, for a place is held there.
        node_labels: of the updated nodes: the pod must go to one of these.
        may_go_anywhere: whether it only should.
        mark: the iteration that it stays in, as its annotation has it.
        maintenance: the JSON of scaleset.dev/maintenance-redeploy-status, where there is one.
    """

    name: str
    instance_id: int
    update_domain: int
    model: str
    replaces: str | None = None
    attempt: int = 0
    after: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    node: str | None = None
    node_labels: tuple[tuple[str, str], ...] = ()
    may_go_anywhere: bool = False
    mark: str | None = None
    maintenance: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteInstance:
    """Delete this very pod: UID and resourceVersion go with the call (protocol rule 5).

    Attributes:
        not_after: past it the act is dropped, however fresh the turn's own record is.
    """

    name: str
    uid: str
    resource_version: str
    purpose: Purpose
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewInstance:
    """Give the containers of this very pod these images, so that kubelet renews them (rule 10).

    One patch, on UID and resourceVersion; it answers the requests on the pod as well.

    Attributes:
        images: (container, image) of each container that is renewed.
        renewed_from: restart counts after which a run is a new one, for all in the pod's order.
        model: that the instance has from then on.
        attempt: as for a create; 0 outside repairs.
        not_after: as for a DELETE.
    """

    name: str
    uid: str
    resource_version: str
    images: tuple[tuple[str, str], ...]
    renewed_from: str
    model: str
    purpose: Purpose
    attempt: int = 0
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveNotice:
    """Tell this very pod when it will be deleted, and take it out of rotation, in one patch.

    UID and resourceVersion go with the call, as with a DELETE (protocol rules 5 and 8).

    Attributes:
        terminate_at: the deadline, as the ledger has it.
        not_after: past it the act is dropped, however fresh the turn's own record is.
    """

    name: str
    uid: str
    resource_version: str
    terminate_at: datetime
    not_after: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishHealth:
    """Write the Healthy condition and the gate on one pod, in one patch (protocol rule 26).

    Attributes:
        health: None leaves the condition away (no health source is named).
        in_rotation: None leaves the gate as it is.
        gate_reason: the gate's own reason, where it is another than the health's; else None.
        resource_version: of the pod as seen, where it comes back into rotation or is being renewed:
            whoever has not seen its notice must not bring it back (rule 8), nor take it out again
            who has not seen that its new containers were heard. None where no fence is needed.
        state_change_time: written once, when the containers were first seen running.
        clear_attempt: the lineage counter goes with the first Healthy.
    """

    name: str
    uid: str
    health: VMHealth | None
    reason: str
    message: str
    in_rotation: bool | None = None
    gate_reason: str | None = None
    gate_message: str = ""
    resource_version: str | None = None
    state_change_time: datetime | None = None
    clear_attempt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRequest:
    """Take a refused request off this very pod."""

    name: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AdoptInstance:
    """Make an ownerless pod of this set's name ours."""

    name: str
    uid: str
    resource_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseInstance:
    """Give up the ownership of a pod that the selector no longer matches."""

    name: str
    uid: str
    resource_version: str


Action = (
    CreateInstance
    | DeleteInstance
    | RenewInstance
    | GiveNotice
    | PublishHealth
    | AnswerRequest
    | HoldPlace
    | ReleasePlace
    | EvictInstance
    | PublishMaintenance
    | AskPause
    | ClearPause
    | AdoptInstance
    | ReleaseInstance
)


class Record(IntEnum):
    """How urgently the next status must be written.

    SOON may wait a moment, so that several observations share one write; NOW stands before acts.
    """

    NONE = 0
    SOON = 1
    NOW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One question asked before a repair, with its answer.

    Attributes:
        reason: the code that a closed gate gives.
        open: whether the repair may pass.
        detail: the numbers that were compared.
        until: when the answer changes by time alone, where that is known.
        asks: the question in words, where it is not the one that the reason stands for.
    """

    reason: Reason
    open: bool
    detail: str = ""
    until: datetime | None = None
    asks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided for one instance that is not healthy, and by which rule."""

    instance: str
    health: VMHealth
    since: datetime
    decision: RepairDecision
    reason: Reason
    message: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An Event to be told once the status stands: on a change, one for a batch."""

    reason: str
    message: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The outcome of one decision.

    Attributes:
        status: the whole next status.
        record: whether and how urgently it is written.
        actions: in the order they are carried out; none that needs a record not yet written.
        reads: names to be read live before this decision can go further.
        read_windows: names of windows to be read live, with the one that holds their pair's turn.
        read_places: names of placeholders to be read live.
        ask_agents: names of nodes whose agent's report is to be read, at its own pace.
        list_live: the instances must be listed live before victims are chosen (rule 24).
        look_at_policies: the whole set is silent: what stands between is to be read (rule 18).
        look_again_at: the next moment at which time alone changes something.
        decisions: one for every instance that is not healthy.
        notes: Events that go with the record.
        ended: repairs that end with the record; the history in the status keeps a few of them.
    """

    status: ScaleSetStatus
    record: Record = Record.NONE
    actions: tuple[Action, ...] = ()
    reads: frozenset[str] = frozenset()
    read_windows: frozenset[str] = frozenset()
    read_places: frozenset[str] = frozenset()
    ask_agents: frozenset[str] = frozenset()
    list_live: bool = False
    look_at_policies: bool = False
    look_again_at: datetime | None = None
    decisions: tuple[Decision, ...] = ()
    notes: tuple[Note, ...] = field(default=())
    ended: tuple[RepairRecord, ...] = ()

    def __str__(self) -> str:
        """One line for a log: what is recorded and what is done."""
        acts = ", ".join(f"{type(a).__name__}({a.name})" for a in self.actions) or "nothing"
        again = self.look_again_at.isoformat() if self.look_again_at else "on the next event"
        return f"record {self.record.name}; do {acts}; look again {again}"
