"""The life of an instance's move to an updated node, up to its eviction (M-07, M-26, V-21).

A place is held on an updated node before anything is touched; the instance leaves rotation, and is
evicted under the floor and the budgets. Opens no move: that is `upkeep`; what follows is
`returning`'s.
"""

from datetime import timedelta
from typing import Final

from scaleset_operator.api.maintenanceledger import MaintenanceEntry, MaintenancePhase
from scaleset_operator.api.maintenancestatus import Impact
from scaleset_operator.core.ledger import may_create
from scaleset_operator.core.maintenance_acts import EvictInstance, HoldPlace
from scaleset_operator.core.objections import CANCEL_AFTER, CLOCKS_DIFFER, RECORD_LIFETIME
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.pausing import Pauser
from scaleset_operator.core.returning import (
    ABORTED,
    LOOK_AGAIN,
    RETRY,
    Moves,
    Returner,
    following,
    resolved,
)
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.upkeep_floor import costs_nothing, has_room
from scaleset_operator.core.upkeep_objections import objection
from scaleset_operator.core.windowview import Place

PLACE_WAIT: Final = timedelta(minutes=2)
"""How long a node with room is sought: time enough for a cluster that adds one by itself."""


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
    mover.pauser.clear_strays()
    return moves


class _Mover:
    """Takes the moves one by one, the oldest first: it has the first claim on the floor."""

    def __init__(self, scene: Scene, moves: Moves) -> None:
        self.scene, self.moves = scene, moves
        self.back = Returner(scene, moves)
        self.views, self.leaving = self.back.views, self.back.leaving
        self.gone: set[str] = set()
        self.pauser = Pauser(scene, moves, self.back, self.gone)

    def step(self, entry: MaintenanceEntry) -> None:
        """Bring one forward."""
        entry = _dated(self.scene, entry)
        if entry.impact is Impact.PAUSE:
            self.pauser.step(entry)
        elif entry.result is not None:
            self.back.end(entry)
        elif entry.phase is MaintenancePhase.MOVING:
            self.back.come_again(entry)
        elif entry.phase is MaintenancePhase.RETURNING:
            self.back.await_health(entry)
        else:
            self._before_eviction(entry)

    def _before_eviction(self, entry: MaintenanceEntry) -> None:
        victim = self.scene.by_uid.get(entry.uid)
        if victim is None or not victim.live:
            self._made_way(entry, victim)
            return
        if entry.uid in self.leaving:
            self.back.drop(entry)
            return
        if entry.mark not in self.views and self.scene.observed.windows_unheard:
            self.moves.open.append(entry)
            return
        no = objection(self.scene, self.views.get(entry.mark), entry)
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
            self.back.drop(entry)
        elif victim is None and entry.instance not in self.scene.observed.live_reads:
            self.moves.reads.add(entry.instance)
            self.moves.open.append(entry)
        else:
            self.moves.open.append(following(self.scene, entry, MaintenancePhase.MOVING))

    def _give_up(self, entry: MaintenanceEntry, why: str) -> None:
        """Leave it as it is, once nobody can be about to evict it (as with repairs)."""
        until = entry.phase_time + CANCEL_AFTER
        if entry.phase is MaintenancePhase.PLACED and self.scene.now < until:
            self.moves.again.append(until)
            self.moves.open.append(entry)
        else:
            self.moves.open.append(resolved(self.scene, entry, RETRY, why))

    def _seek_place(self, entry: MaintenanceEntry, victim: Instance) -> None:
        """Ask the scheduler: does an updated node take it (M-26)?"""
        name = entry.placeholder or ""
        if name not in self.scene.observed.places:
            self.moves.places.add(name)
            self.moves.open.append(entry)
            return
        place = self.scene.observed.places[name]
        if place is not None and place.node is not None and not place.terminating:
            placed = following(self.scene, entry, MaintenancePhase.PLACED)
            kept = {"node": place.node, "model": victim.model, "labels": self._own(victim)}
            self.moves.open.append(placed.model_copy(update=kept))
            return
        why = self._not_placed(entry, place)
        if why:
            self.moves.open.append(resolved(self.scene, entry, ABORTED, f"no updated node: {why}"))
            return
        held = self.scene.observed.not_evicted.get(entry.instance)
        self.moves.open.append(entry)
        if place is None and held is not None and self.scene.now < held[1]:
            self.moves.again += [held[1], entry.phase_time + PLACE_WAIT]
            return
        self.moves.again.append(self.scene.now + LOOK_AGAIN)
        if place is None:
            labels = self.views[entry.mark].node_labels
            self.moves.acts.append(
                HoldPlace(
                    name=name, instance=entry.instance, model=victim.model, node_labels=labels
                )
            )

    def _own(self, victim: Instance) -> dict[str, str]:
        """Its labels that no template gave it: what its own one says it has from that again."""
        given = self.scene.observed.template_labels.get(victim.model, frozenset())
        return {key: value for key, value in victim.own_labels if key not in given}

    def _not_placed(self, entry: MaintenanceEntry, place: Place | None) -> str:
        """Why there is no place, once one was asked for long enough; empty before.

        Time in which no operator ran, and so none was asked for, does not count.
        """
        since = entry.phase_time
        if place is not None:
            since = max(since, self.scene.since(place.since))
        held = self.scene.observed.not_evicted.get(entry.instance)
        refused = place.refused if place is not None else (held[0] if held else "")
        if self.scene.now < since + PLACE_WAIT or (place is None and not held):
            return ""
        return refused or "none within 2 minutes"

    def _evict(self, entry: MaintenanceEntry, victim: Instance) -> None:
        """Send it away: out of rotation, with its place held, on a live read and a fresh record."""
        scene, moves = self.scene, self.moves
        name = entry.placeholder or ""
        held = scene.observed.not_evicted.get(entry.instance)
        if held is not None and scene.now < held[1]:
            moves.again.append(held[1])
            moves.open.append(entry)
            return
        if victim.in_rotation or not self._can_come_again() or not self._has_room(entry):
            moves.again.append(scene.now + LOOK_AGAIN)
            moves.open.append(entry)
            return
        # Another operator may have evicted any of them: the floor is asked of what is there now.
        victims = {e.instance for e in scene.moves if e.phase is MaintenancePhase.PLACED}
        if name not in scene.observed.places or victims - scene.observed.live_reads:
            moves.places.add(name)
            moves.reads |= victims
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
        if costs_nothing(scene, scene.by_uid[entry.uid]):
            return True
        return has_room(scene, entry.uid, self.gone)

    def _can_come_again(self) -> bool:
        """Whether a pod of the template would be made: else the eviction would only take one."""
        template = self.scene.observed.template
        return template.checked and template.fault is None and may_create(self.scene)


def _dated(scene: Scene, entry: MaintenanceEntry) -> MaintenanceEntry:
    """As recorded now if its record lies ahead: a clock was ahead that wrote it (X-10)."""
    latest = scene.now + CLOCKS_DIFFER
    times = {"start_time": entry.start_time, "phase_time": entry.phase_time}
    late = {name: scene.now for name, at in times.items() if at > latest}
    return entry.model_copy(update=late) if late else entry
