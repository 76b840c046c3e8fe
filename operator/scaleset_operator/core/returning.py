"""The second half of a move: the instance comes again under its name, and its result is written.

The same name only once the old pod is NotFound for certain; the entry closes once no place is held
any more and the result stands on the pod. What speaks against an eviction is `relocation`'s.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenanceledger import MaintenanceEntry, MaintenancePhase
from scaleset_operator.api.maintenancestatus import OperationResultCode
from scaleset_operator.core.ledger import may_create, stands_healthy
from scaleset_operator.core.maintenance_acts import PublishMaintenance, ReleasePlace
from scaleset_operator.core.marks import ahead, mark_of, result, said_of, written
from scaleset_operator.core.naming import Names
from scaleset_operator.core.objections import CANCEL_AFTER
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Action, CreateInstance
from scaleset_operator.core.scene import Scene

LOOK_AGAIN: Final = timedelta(seconds=1)
"""A place is asked for; nobody tells us of it."""

COMPLETED: Final = OperationResultCode.MAINTENANCE_COMPLETED
ABORTED: Final = OperationResultCode.MAINTENANCE_ABORTED
RETRY: Final = OperationResultCode.RETRY_LATER


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A move that ends with this decision."""

    entry: MaintenanceEntry
    code: OperationResultCode
    message: str


@dataclass(slots=True)
class Moves:
    """What became of the recorded moves in one decision.

    Attributes:
        open: moves that go on, as they stand now.
        ended: those that end.
        dropped: those whose instance somebody else took away, or that is not wanted any more.
        stops: mark -> why no more instances are taken in that iteration (M-16).
        reads, places, windows: names to be read live before a move can go further.
        agents: nodes whose agent's report is to be read.
    """

    open: list[MaintenanceEntry] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    dropped: list[MaintenanceEntry] = field(default_factory=list)
    stops: dict[str, str] = field(default_factory=dict)
    acts: list[Action] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    windows: set[str] = field(default_factory=set)
    agents: set[str] = field(default_factory=set)
    again: list[datetime] = field(default_factory=list)


class Returner:
    """Carries on the moves whose old pod is on its way out, or whose result is known."""

    def __init__(self, scene: Scene, moves: Moves) -> None:
        self.scene, self.moves = scene, moves
        self.views = {str(mark_of(view)): view for view in scene.observed.windows}
        self.leaving = {v.uid for v in scene.observed.status.scale_in}

    def come_again(self, entry: MaintenanceEntry) -> None:
        """The same name, once the old pod is NotFound for certain (design.md section 2)."""
        scene, moves = self.scene, self.moves
        pod = scene.by_name.get(entry.instance)
        late = entry.phase_time + scene.slot_grace
        if scene.now >= late:
            moves.stops[entry.mark] = f"{entry.instance} has not come back"
        else:
            moves.again.append(late)
        if pod is not None and pod.live and pod.uid != entry.uid:
            back = following(self.scene, entry, MaintenancePhase.RETURNING)
            moves.open.append(back.model_copy(update={"successor_uid": pod.uid}))
            return
        moves.open.append(entry)
        if pod is not None:
            return
        if entry.instance not in scene.observed.live_reads:
            moves.reads.add(entry.instance)
        elif may_create(scene):
            moves.again.append(scene.now + LOOK_AGAIN)
            if entry.placeholder:
                moves.acts.append(ReleasePlace(name=entry.placeholder))
            moves.acts.append(self._creation(entry))

    def _creation(self, entry: MaintenanceEntry) -> CreateInstance:
        """From its own model, for a move is no rollout; from the latest if that is lost by now."""
        view = self.views.get(entry.mark)
        known = self.scene.observed.knows_template(entry.model)
        said = None if view is None else written(ahead(view, allowed=False, before=NONE_BEFORE))
        return CreateInstance(
            name=entry.instance,
            instance_id=Names.id_of(entry.instance),
            update_domain=entry.update_domain,
            model=entry.model if known else self.scene.observed.template.model,
            labels=tuple(sorted(entry.labels.items())),
            node=entry.node,
            node_labels=() if view is None else view.node_labels,
            mark=entry.mark,
            maintenance=said,
        )

    def await_health(self, entry: MaintenanceEntry) -> None:
        """Healthy on a live read, or not within the grace of a slot (M-15, M-16)."""
        scene, moves = self.scene, self.moves
        pod = scene.by_name.get(entry.instance)
        if pod is None or not pod.live or pod.uid != entry.successor_uid:
            if pod is not None and pod.uid in self.leaving:
                self.drop(entry)
                return
            away = following(self.scene, entry, MaintenancePhase.MOVING)
            moves.open.append(away.model_copy(update={"successor_uid": None}))
            return
        # Ready as well: only then does a Service send anything to it.
        well = pod.ready and (not scene.has_source or stands_healthy(scene, pod))
        ends = (pod.started or entry.phase_time) + scene.slot_grace
        done = resolved(scene, entry, COMPLETED, f"moved to {pod.node}")
        self.conclude(entry, done if well else None, ends, what=f"moved to {pod.node}")

    def conclude(
        self, entry: MaintenanceEntry, done: MaintenanceEntry | None, ends: datetime, *, what: str
    ) -> None:
        """Close one that is back, on a live read; not back by then, it stops the iteration (M-16).

        Args:
            entry: as recorded.
            done: as it closes where the instance is well; None where it is not.
            ends: how long that is waited for.
            what: was done to it, in words.
        """
        scene, moves = self.scene, self.moves
        if done is None and scene.now < ends:
            moves.again.append(ends)
            moves.open.append(entry)
        elif entry.instance not in scene.observed.live_reads:
            moves.reads.add(entry.instance)
            moves.open.append(entry)
        elif done is not None:
            moves.open.append(done)
        else:
            why = f"{entry.instance} was {what} and did not turn healthy"
            moves.stops[entry.mark] = why
            moves.open.append(resolved(scene, entry, ABORTED, why))

    def end(self, entry: MaintenanceEntry) -> None:
        """Close once no place is held any more and the result stands on the pod."""
        scene, moves = self.scene, self.moves
        if self._holds_place(entry):
            moves.open.append(entry)
            return
        code = entry.result or RETRY
        pod = scene.by_name.get(entry.instance)
        stays = pod is not None and pod.live and pod.uid not in self.leaving
        if code is RETRY and not stays:
            moves.dropped.append(entry)
            return
        if pod is not None and pod.live and not _stands(pod, entry):
            moves.open.append(entry)
            moves.acts.append(self._publication(entry, pod))
            return
        moves.ended.append(Ended(entry=entry, code=code, message=entry.message))

    def _publication(self, entry: MaintenanceEntry, pod: Instance) -> PublishMaintenance:
        view = self.views.get(entry.mark)
        said = result(entry.result or RETRY, entry.message)
        if entry.result is RETRY and view is not None:
            said = ahead(view, allowed=False, before=said)
        return PublishMaintenance(
            name=pod.name,
            uid=pod.uid,
            mark=entry.mark,
            status=written(said),
            answered=True,
            resource_version=pod.resource_version,
        )

    def drop(self, entry: MaintenanceEntry) -> None:
        """Nothing is left to do for it but to give its place up."""
        self.moves.open.append(resolved(self.scene, entry, RETRY, "it is not wanted any more"))

    def _holds_place(self, entry: MaintenanceEntry) -> bool:
        """Whether its placeholder is still there, or is not known to be gone; lets go of it."""
        if entry.placeholder is None:
            return False
        if entry.placeholder not in self.scene.observed.places:
            self.moves.places.add(entry.placeholder)
            return True
        place = self.scene.observed.places[entry.placeholder]
        if place is None or place.terminating:
            # Another operator that has not heard of the end may still be about to hold it.
            until = entry.phase_time + CANCEL_AFTER
            late = entry.successor_uid is not None or self.scene.now >= until
            self.moves.again += [] if late else [until]
            return not late
        self.moves.acts.append(ReleasePlace(name=place.name, uid=place.uid))
        self.moves.again.append(self.scene.now + LOOK_AGAIN)
        return True


def following(scene: Scene, entry: MaintenanceEntry, phase: MaintenancePhase) -> MaintenanceEntry:
    """The entry in its next phase, as of now."""
    return entry.model_copy(update={"phase": phase, "phase_time": scene.now})


def resolved(
    scene: Scene, entry: MaintenanceEntry, code: OperationResultCode, why: str
) -> MaintenanceEntry:
    """The entry with its result, which is to be written onto the pod."""
    ending = following(scene, entry, MaintenancePhase.ENDING)
    return ending.model_copy(update={"result": code, "message": why})


def _stands(pod: Instance, entry: MaintenanceEntry) -> bool:
    """Whether the result is on the pod; a request that is there by then is another one."""
    code = said_of(pod).last_operation_result_code
    return pod.mark == entry.mark and code is entry.result


NONE_BEFORE: Final = result(OperationResultCode.NONE, "").model_copy(
    update={"last_operation_result_code": None, "last_operation_message": None}
)
REASON_OF: Final = {
    COMPLETED: Reason.MAINTENANCE_COMPLETED,
    ABORTED: Reason.MAINTENANCE_FAILED,
    RETRY: Reason.RETRY_LATER,
}
"""The Event that goes with a result."""
