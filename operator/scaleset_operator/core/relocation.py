"""The life of an instance's move to an updated node, from record to close (M-07, M-26, V-21).

A place is held on an updated node before anything is touched; the instance leaves rotation, is
evicted under the floor and the budgets, and comes again under its name once its old pod is gone for
certain. Opens no move: that is `upkeep`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import Reason
from scaleset_operator.api.maintenanceledger import MaintenanceEntry, MaintenancePhase
from scaleset_operator.api.maintenancestatus import OperationResultCode
from scaleset_operator.core.ledger import may_create, stands_healthy
from scaleset_operator.core.maintenance_acts import (
    EvictInstance,
    HoldPlace,
    PublishMaintenance,
    ReleasePlace,
)
from scaleset_operator.core.marks import ahead, mark_of, result, said_of, written
from scaleset_operator.core.naming import Names
from scaleset_operator.core.objections import CANCEL_AFTER, CLOCKS_DIFFER, RECORD_LIFETIME
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import Action, CreateInstance
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.upkeep_floor import available, floor

PLACE_WAIT: Final = timedelta(minutes=2)
"""How long a node with room is sought: time enough for a cluster that adds one by itself."""
LONGEST_WAIT: Final = timedelta(minutes=7)
"""After so long an instance that could not be evicted is left, and tried again later."""
TURN_WAIT: Final = timedelta(seconds=30)
"""How long a move that is recorded waits for the turn of its window to come back (M-17)."""
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
    """

    open: list[MaintenanceEntry] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    dropped: list[MaintenanceEntry] = field(default_factory=list)
    stops: dict[str, str] = field(default_factory=dict)
    acts: list[Action] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    windows: set[str] = field(default_factory=set)
    again: list[datetime] = field(default_factory=list)


def move(scene: Scene) -> Moves:
    """Bring every recorded move forward as far as this observation allows.

    On a view that is not fresh nothing moves (X-07).
    """
    moves = Moves()
    if not scene.observed.view_is_fresh:
        moves.open.extend(scene.moves)
        return moves
    mover = _Mover(scene, moves)
    for entry in sorted(scene.moves, key=lambda e: (e.start_time, e.instance)):
        mover.step(entry)
    return moves


class _Mover:
    """Takes the moves one by one, the oldest first: it has the first claim on the floor."""

    def __init__(self, scene: Scene, moves: Moves) -> None:
        self.scene, self.moves = scene, moves
        self.views = {str(mark_of(view)): view for view in scene.observed.windows}
        status = scene.observed.status
        self.leaving = {v.uid for v in status.scale_in}
        self.others = self.leaving | {r.uid for r in status.renewals}
        self.others |= {s.uid for s in scene.surge_steps}
        self.repaired = {e.uid for e in scene.entries}
        self.gone: set[str] = set()

    def step(self, entry: MaintenanceEntry) -> None:
        """Bring one forward."""
        entry = _dated(self.scene, entry)
        if entry.result is not None:
            self._end(entry)
        elif entry.phase is MaintenancePhase.MOVING:
            self._come_again(entry)
        elif entry.phase is MaintenancePhase.RETURNING:
            self._await_health(entry)
        else:
            self._before_eviction(entry)

    def _before_eviction(self, entry: MaintenanceEntry) -> None:
        victim = self.scene.by_uid.get(entry.uid)
        if victim is None or not victim.live:
            self._made_way(entry, victim)
            return
        if entry.uid in self.leaving:
            self._drop(entry)
            return
        if entry.mark not in self.views and self.scene.observed.windows_unheard:
            self.moves.open.append(entry)
            return
        no = self._objection(entry)
        if no:
            self._give_up(entry, no)
        elif not self.views[entry.mark].turn:
            self.moves.again.append(self.scene.now + LOOK_AGAIN)
            self.moves.windows.add(entry.window)
            self.moves.open.append(entry)
        elif not self.views[entry.mark].live:
            self.moves.windows.add(entry.window)
            self.moves.open.append(entry)
        elif entry.phase is MaintenancePhase.RECORDED:
            self._seek_place(entry, victim)
        else:
            self._evict(entry, victim)

    def _made_way(self, entry: MaintenanceEntry, victim: Instance | None) -> None:
        """Its pod is on its way out, whoever sent it there (protocol rule 6)."""
        if entry.phase is MaintenancePhase.RECORDED:
            # We have not touched it: it is made up for as any other (M-22).
            self._drop(entry)
        elif victim is None and entry.instance not in self.scene.observed.live_reads:
            self.moves.reads.add(entry.instance)
            self.moves.open.append(entry)
        else:
            self.moves.open.append(self._next(entry, MaintenancePhase.MOVING))

    def _objection(self, entry: MaintenanceEntry) -> str:
        """Why the instance is not to be touched; empty where nothing speaks against it."""
        view = self.views.get(entry.mark)
        rows = self.scene.maintenance.iterations
        stopped = next((r.stopped for r in rows if r.mark == entry.mark), None)
        if view is None or view.deleted:
            return "the window is gone"
        if view.suspended:
            return "the window is suspended"
        if not view.turn and self.scene.now >= entry.start_time + TURN_WAIT:
            return view.turn_detail or "the other window of the pair has its turn"
        if stopped is not None:
            return f"the iteration has stopped: {stopped.message}"
        if entry.uid in self.repaired:
            return "it is under repair"
        if self.scene.now >= entry.start_time + LONGEST_WAIT:
            held = self.scene.observed.not_evicted.get(entry.instance)
            return held[0] if held else "the floor had no room for it"
        return ""

    def _give_up(self, entry: MaintenanceEntry, why: str) -> None:
        """Leave it as it is, once nobody can be about to evict it (as with repairs)."""
        until = entry.phase_time + CANCEL_AFTER
        if entry.phase is MaintenancePhase.PLACED and self.scene.now < until:
            self.moves.again.append(until)
            self.moves.open.append(entry)
        else:
            self.moves.open.append(self._resolved(entry, RETRY, why))

    def _seek_place(self, entry: MaintenanceEntry, victim: Instance) -> None:
        """Ask the scheduler: does an updated node take it (M-26)?"""
        name = entry.placeholder or ""
        if name not in self.scene.observed.places:
            self.moves.places.add(name)
            self.moves.open.append(entry)
            return
        place = self.scene.observed.places[name]
        if place is not None and place.node is not None and not place.terminating:
            placed = self._next(entry, MaintenancePhase.PLACED)
            kept = {"node": place.node, "labels": dict(victim.own_labels)}
            self.moves.open.append(placed.model_copy(update=kept))
            return
        if self.scene.now >= entry.phase_time + PLACE_WAIT:
            held = self.scene.observed.not_evicted.get(entry.instance)
            words = held[0] if held else "none within 2 minutes"
            why = (place.refused if place is not None else "") or words
            self.moves.open.append(self._resolved(entry, ABORTED, f"no updated node: {why}"))
            return
        self.moves.again.append(self.scene.now + LOOK_AGAIN)
        self.moves.open.append(entry)
        if place is None:
            labels = self.views[entry.mark].node_labels
            self.moves.acts.append(
                HoldPlace(name=name, instance=entry.instance, node_labels=labels)
            )

    def _evict(self, entry: MaintenanceEntry, victim: Instance) -> None:
        """Send it away: out of rotation, with its place held, on a live read and a fresh record."""
        scene, moves = self.scene, self.moves
        name = entry.placeholder or ""
        held = scene.observed.not_evicted.get(entry.instance)
        if held is not None and scene.now < held[1]:
            moves.again.append(held[1])
            moves.open.append(entry)
            return
        if victim.in_rotation or not self._has_room(entry):
            moves.again.append(scene.now + LOOK_AGAIN)
            moves.open.append(entry)
            return
        if name not in scene.observed.places or entry.instance not in scene.observed.live_reads:
            moves.places.add(name)
            moves.reads.add(entry.instance)
            moves.open.append(entry)
            return
        place = scene.observed.places[name]
        if place is None or place.terminating or place.node is None:
            self._give_up(entry, "its place was taken away")
        elif scene.now >= entry.phase_time + RECORD_LIFETIME:
            moves.open.append(entry.model_copy(update={"phase_time": scene.now}))
        else:
            moves.open.append(entry)
            self.gone.add(entry.uid)
            moves.acts.append(
                EvictInstance(
                    name=victim.name,
                    uid=victim.uid,
                    resource_version=victim.resource_version,
                    not_after=entry.phase_time + RECORD_LIFETIME,
                )
            )

    def _has_room(self, entry: MaintenanceEntry) -> bool:
        """The floor, asked again: others may have failed since the record (rule 22)."""
        scene = self.scene
        victim = scene.by_uid[entry.uid]
        if not scene.is_available(victim):
            return True
        return available(scene, self.others | self.gone | {entry.uid}) >= floor(scene)

    def _come_again(self, entry: MaintenanceEntry) -> None:
        """The same name, once the old pod is NotFound for certain (design.md section 2)."""
        scene, moves = self.scene, self.moves
        pod = scene.by_name.get(entry.instance)
        late = entry.phase_time + scene.slot_grace
        if scene.now >= late:
            moves.stops[entry.mark] = f"{entry.instance} has not come back"
        else:
            moves.again.append(late)
        if pod is not None and pod.live and pod.uid != entry.uid:
            back = self._next(entry, MaintenancePhase.RETURNING)
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
        view = self.views.get(entry.mark)
        said = None if view is None else written(ahead(view, allowed=False, before=NONE_BEFORE))
        return CreateInstance(
            name=entry.instance,
            instance_id=Names.id_of(entry.instance),
            update_domain=entry.update_domain,
            model=self.scene.observed.template.model,
            labels=tuple(sorted(entry.labels.items())),
            node=entry.node,
            node_labels=() if view is None else view.node_labels,
            mark=entry.mark,
            maintenance=said,
        )

    def _await_health(self, entry: MaintenanceEntry) -> None:
        """Healthy on a live read, or not within the grace of a slot (M-15, M-16)."""
        scene, moves = self.scene, self.moves
        pod = scene.by_name.get(entry.instance)
        if pod is None or not pod.live or pod.uid != entry.successor_uid:
            if pod is not None and pod.uid in self.leaving:
                self._drop(entry)
                return
            away = self._next(entry, MaintenancePhase.MOVING)
            moves.open.append(away.model_copy(update={"successor_uid": None}))
            return
        well = stands_healthy(scene, pod) if scene.has_source else pod.ready
        ends = (pod.started or entry.phase_time) + scene.slot_grace
        if not well and scene.now < ends:
            moves.again.append(ends)
            moves.open.append(entry)
        elif entry.instance not in scene.observed.live_reads:
            moves.reads.add(entry.instance)
            moves.open.append(entry)
        elif well:
            moves.open.append(self._resolved(entry, COMPLETED, f"moved to {pod.node}"))
        else:
            why = f"{entry.instance} was moved to {pod.node} and did not turn healthy"
            moves.stops[entry.mark] = why
            moves.open.append(self._resolved(entry, ABORTED, why))

    def _end(self, entry: MaintenanceEntry) -> None:
        """Close once no place is held any more and the result stands on the pod."""
        scene, moves = self.scene, self.moves
        if self._holds_place(entry):
            moves.open.append(entry)
            return
        code = entry.result or RETRY
        pod = scene.by_name.get(entry.instance)
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

    def _drop(self, entry: MaintenanceEntry) -> None:
        """Nothing is left to do for it but to give its place up."""
        if self._holds_place(entry):
            self.moves.open.append(entry)
        else:
            self.moves.dropped.append(entry)

    def _holds_place(self, entry: MaintenanceEntry) -> bool:
        """Whether its placeholder is still there, or is not known to be gone; lets go of it."""
        if entry.placeholder is None:
            return False
        if entry.placeholder not in self.scene.observed.places:
            self.moves.places.add(entry.placeholder)
            return True
        place = self.scene.observed.places[entry.placeholder]
        if place is None or place.terminating:
            return False
        self.moves.acts.append(ReleasePlace(name=place.name, uid=place.uid))
        self.moves.again.append(self.scene.now + LOOK_AGAIN)
        return True

    def _next(self, entry: MaintenanceEntry, phase: MaintenancePhase) -> MaintenanceEntry:
        return entry.model_copy(update={"phase": phase, "phase_time": self.scene.now})

    def _resolved(
        self, entry: MaintenanceEntry, code: OperationResultCode, why: str
    ) -> MaintenanceEntry:
        ending = self._next(entry, MaintenancePhase.ENDING)
        return ending.model_copy(update={"result": code, "message": why})


NONE_BEFORE: Final = result(OperationResultCode.NONE, "").model_copy(
    update={"last_operation_result_code": None, "last_operation_message": None}
)


def _stands(pod: Instance, entry: MaintenanceEntry) -> bool:
    """Whether the result is on the pod, and the owner's request is not."""
    code = said_of(pod).last_operation_result_code
    return pod.mark == entry.mark and code is entry.result and not pod.maintenance_asked


def _dated(scene: Scene, entry: MaintenanceEntry) -> MaintenanceEntry:
    """As recorded now if its record lies ahead: a clock was ahead that wrote it (X-10)."""
    latest = scene.now + CLOCKS_DIFFER
    times = {"start_time": entry.start_time, "phase_time": entry.phase_time}
    late = {name: scene.now for name, at in times.items() if at > latest}
    return entry.model_copy(update=late) if late else entry


REASON_OF: Final = {
    COMPLETED: Reason.MAINTENANCE_COMPLETED,
    ABORTED: Reason.MAINTENANCE_FAILED,
    RETRY: Reason.RETRY_LATER,
}
"""The Event that goes with a result."""
