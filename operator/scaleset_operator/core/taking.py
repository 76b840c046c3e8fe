"""Whether one instance can be taken for maintenance now, and if not, why; and taking it.

One door for owners and for the scheduled window: the window, other hands, the batch, the floor.
Must not know who is asked about, or in which order.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from scaleset_operator.api.base import Reason
from scaleset_operator.api.ledger import MAX_IN_FLIGHT
from scaleset_operator.api.maintenanceledger import (
    MaintenanceEntry,
    MaintenancePhase,
    Origin,
    SetIteration,
)
from scaleset_operator.api.maintenancestatus import Impact
from scaleset_operator.core.marks import mark_of
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.rollout_limits import is_lost
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.upkeep_floor import about_to_go, available, batch, floor
from scaleset_operator.core.upkeep_objections import model_lost
from scaleset_operator.core.windowview import WindowView

PLACEHOLDER: Final = "{}-place"


class No(NamedTuple):
    """Why an instance is not taken now."""

    reason: Reason
    detail: str
    until: datetime | None = None


@dataclass(slots=True)
class Busy:
    """Who is in other hands in this decision: UIDs, and names still to come.

    Attributes:
        repaired: victims of repairs in flight, and names of their replacements.
        rolled: taken, renewed or stepped aside for a newer model.
        leaving: chosen to be removed.
        missing: instances that are wanted and not there.
    """

    repaired: set[str] = field(default_factory=set)
    rolled: set[str] = field(default_factory=set)
    leaving: set[str] = field(default_factory=set)
    missing: int = 0


@dataclass(slots=True)
class Upkeep:
    """The maintenance of a set as now decided.

    Attributes:
        entries: all moves in flight, those that begin now included.
        opened: those that begin now.
        rows: one for each iteration that concerns the set.
        waits: UID -> why the request on that pod waits, or is refused.
    """

    entries: list[MaintenanceEntry] = field(default_factory=list)
    opened: list[MaintenanceEntry] = field(default_factory=list)
    rows: list[SetIteration] = field(default_factory=list)
    waits: dict[str, No] = field(default_factory=dict)
    reads: set[str] = field(default_factory=set)
    again: list[datetime] = field(default_factory=list)


REFUSALS: Final = frozenset(
    {
        Reason.WINDOW_NOT_FOUND,
        Reason.NOT_IN_SELF_SERVICE,
        Reason.NOT_INCLUDED,
        Reason.ALREADY_ATTEMPTED,
        Reason.MAINTENANCE_STOPPED,
        Reason.NOT_YET_SUPPORTED,
    }
)
"""What time and room do not change: a request that meets one of these is refused, not kept."""


class Taking:
    """Takes instances in one decision; each that is taken holds its place for the next.

    Attributes:
        moved: names of those under maintenance, or about to be.
    """

    def __init__(self, scene: Scene, busy: Busy, upkeep: Upkeep) -> None:
        self.scene, self.busy, self.upkeep = scene, busy, upkeep
        self.moved = {entry.instance for entry in upkeep.entries}
        self.wanted: set[str] = set()

    def hindrance(self, view: WindowView, instance: Instance) -> No | None:
        """What keeps the scheduled pass from one instance, whatever the room."""
        if instance.protected_from_actions:
            return No(Reason.INSTANCE_PROTECTED, "protect-from-scale-set-actions")
        if view.works_on_nodes and instance.node != view.node:
            return No(Reason.NODE_NOT_EMPTYING, f"{view.node} is being emptied")
        return self._as_it_is(view, instance) or self.other_hands(instance)

    def _as_it_is(self, view: WindowView, instance: Instance) -> No | None:
        """Whether it can come again as it is (V-21)."""
        lost = "" if view.impact is Impact.PAUSE else model_lost(self.scene, instance)
        return No(Reason.REVISION_NOT_FOUND, lost) if lost else None

    def other_hands(self, instance: Instance) -> No | None:
        """Whether a repair, a rollout or a scale-in has it."""
        if instance.uid in self.busy.repaired or instance.name in self.busy.repaired:
            return No(Reason.UNDER_REPAIR, "its repair is not closed")
        if instance.uid in self.busy.rolled or instance.name in self.scene.surplus:
            return No(Reason.ROLLOUT_IN_PROGRESS, "a rollout has it")
        if instance.uid in self.busy.leaving:
            return No(Reason.SCALED_IN, "it is chosen to be removed")
        return None

    def window_held(self, view: WindowView, row: SetIteration) -> No | None:
        """What keeps everybody of an iteration, owners included."""
        if view.deleted:
            return No(Reason.WINDOW_NOT_FOUND, "the window is being deleted")
        if view.suspended:
            return No(Reason.WINDOW_SUSPENDED, "spec.suspend of the window")
        if not view.turn:
            return No(view.turn_reason, view.turn_detail)
        other = next((e for e in self.upkeep.entries if e.mark != row.mark), None)
        if other is not None:
            return No(Reason.OTHER_MAINTENANCE, f"{other.window} has {other.instance}")
        seen = self.scene.observed
        if view.impact is Impact.PAUSE:
            return None  # Nothing is made anew, so what refuses that is in nobody's way.
        if seen.template.fault is not None or not seen.template.checked:
            fault = seen.template.fault or Reason.INVALID_TEMPLATE
            return No(fault, seen.template.fault_message or "the template is being checked")
        if seen.create_refused is not None:
            return No(*seen.create_refused)
        return None

    def obstacle(self, view: WindowView, row: SetIteration, instance: Instance) -> No | None:
        """Why it cannot be taken now: the window, other hands, the batch, the floor (X-02)."""
        no = self.window_held(view, row) or self._as_it_is(view, instance)
        return no or self.other_hands(instance) or self.no_room(instance)

    def no_room(self, instance: Instance) -> No | None:
        """Whether one more away would be too many, or break the floor (X-02)."""
        scene, busy, entries = self.scene, self.busy, self.upkeep.entries
        going = busy.rolled | busy.leaving | busy.repaired | about_to_go(entries) | self.wanted
        away = len(entries) + len(self.wanted) + len(busy.rolled) + busy.missing
        most = batch(scene)
        if away >= most or len(entries) >= MAX_IN_FLIGHT:
            return No(Reason.FLOOR_REACHED, f"{away} are away, {most} at a time may be")
        if is_lost(scene, instance):
            return None
        left, least = available(scene, going | {instance.uid}), floor(scene)
        if left < least:
            return No(Reason.FLOOR_REACHED, f"{left} would be available, {least} must be")
        return None

    def take(self, view: WindowView, instance: Instance, origin: Origin) -> None:
        """Record it, once it was read live (as a repair is, protocol rule 3)."""
        if instance.name not in self.scene.observed.live_reads:
            self.upkeep.reads.add(instance.name)
            self.moved.add(instance.name)
            self.wanted.add(instance.uid)
            return
        pauses = view.impact is Impact.PAUSE
        entry = MaintenanceEntry(
            instance=instance.name,
            uid=instance.uid,
            window=view.name,
            iteration=view.announced.iteration,
            mark=str(mark_of(view)),
            impact=view.impact,
            origin=origin,
            phase=MaintenancePhase.RECORDED,
            start_time=self.scene.now,
            phase_time=self.scene.now,
            update_domain=instance.update_domain,
            placeholder=None if pauses else PLACEHOLDER.format(instance.name),
        )
        self.moved.add(instance.name)
        self.upkeep.entries.append(entry)
        self.upkeep.opened.append(entry)
