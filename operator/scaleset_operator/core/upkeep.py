"""Which instances are taken for maintenance next, and why the others are not.

Owners first, at their own order and pace (M-20); then the scheduled window, one update domain at a
time (M-12), the next when all of the last are back (M-15). One attempt for each instance and
iteration (V-17). A move is recorded here and carried out by `relocation`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from scaleset_operator.api.base import Reason, format_time
from scaleset_operator.api.ledger import MAX_IN_FLIGHT
from scaleset_operator.api.maintenanceledger import (
    MaintenanceEntry,
    MaintenancePhase,
    Origin,
    SetIteration,
    Stop,
)
from scaleset_operator.api.maintenancestatus import ActiveWindow, Impact, OperationResultCode
from scaleset_operator.core.inclusion import Inclusion, phase_of
from scaleset_operator.core.marks import Standing, mark_of, said_of, standing_of
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.relocation import Moves
from scaleset_operator.core.rollout_limits import is_lost
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.upkeep_floor import about_to_go, available, batch, floor
from scaleset_operator.core.windowview import WindowView

PLACEHOLDER: Final = "{}-place"
RETRY_AFTER: Final = timedelta(minutes=5)
"""How long after one that could not be taken the next of its kind is tried."""
_NOTHING: Final = SetIteration(window="none", iteration=0, mark="none")


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


def choose(scene: Scene, moves: Moves, included: Inclusion, busy: Busy) -> Upkeep:
    """Choose who is taken now.

    Args:
        scene: what this decision looks at.
        moves: of this decision; what goes on holds its place under the floor.
        included: who is in which iteration.
        busy: who is in other hands.
    """
    upkeep = Upkeep(entries=list(moves.open))
    if not scene.observed.view_is_fresh:
        upkeep.rows = list(scene.maintenance.iterations)
        return upkeep
    _Choice(scene, moves, included, busy, upkeep).all()
    return upkeep


class _Choice:
    """One decision's choice, iteration by iteration, the earliest first."""

    def __init__(
        self, scene: Scene, moves: Moves, included: Inclusion, busy: Busy, upkeep: Upkeep
    ) -> None:
        self.scene, self.moves, self.included = scene, moves, included
        self.busy, self.upkeep = busy, upkeep
        self.before = {row.mark: row for row in scene.maintenance.iterations}
        self.moved = {entry.instance for entry in moves.open}
        self.wanted: set[str] = set()

    def all(self) -> None:
        """Owners' wishes of every window first, then the scheduled work of one."""
        views = [v for v in self.scene.observed.windows if v.impact is Impact.REDEPLOY]
        rows = {str(mark_of(view)): self._row(view) for view in views}
        for mark in {e.mark for e in self.moves.open} - rows.keys():
            # Its window is over, or gone; what has started is finished (M-25).
            rows[mark] = self._counted(self.before.get(mark) or _row_of(mark, self.moves.open), [])
        for view in views:
            self._answer_owners(view, rows[str(mark_of(view))])
        for view in views:
            mark = str(mark_of(view))
            rows[mark] = self._work(view, rows[mark])
        self._refuse_strangers({view.name for view in views})
        self.upkeep.rows = [self._counted(row, self._members(mark)) for mark, row in rows.items()]
        if self.scene.observed.windows_unheard:
            # What instances were told of stands until it is known to be over.
            self.upkeep.rows += [row for mark, row in self.before.items() if mark not in rows]

    # The rows.

    def _row(self, view: WindowView) -> SetIteration:
        mark = str(mark_of(view))
        row = self.before.get(mark) or SetIteration(
            window=view.name, iteration=view.announced.iteration, mark=mark
        )
        times = view.announced
        row = row.model_copy(
            update={
                "impact": view.impact,
                "pre_start_time": times.pre_start_time,
                "pre_end_time": times.pre_end_time,
                "start_time": times.start_time,
            }
        )
        why = self.moves.stops.get(mark)
        if why is not None and row.stopped is None:
            stop = Stop(reason=Reason.MAINTENANCE_STOPPED, message=why, time=self.scene.now)
            row = row.model_copy(update={"stopped": stop})
        if any(e.entry.mark == mark and e.code is RETRY for e in self.moves.ended):
            row = row.model_copy(update={"retry_time": self.scene.now + RETRY_AFTER})
        return row

    def _members(self, mark: str) -> list[Instance]:
        return self.included.members.get(mark, [])

    def _counted(self, row: SetIteration, members: list[Instance]) -> SetIteration:
        entries = [e for e in self.upkeep.entries if e.mark == row.mark]
        names = {e.instance for e in entries}
        rest = [standing_of(i) for i in members if i.name not in names and i.mark == row.mark]
        new = sum(i.mark != row.mark for i in members)
        pending = rest.count(Standing.PENDING) + new
        completed = rest.count(Standing.COMPLETED)
        aborted = rest.count(Standing.ABORTED)
        return row.model_copy(
            update={
                "targeted": pending + completed + aborted + len(entries),
                "pending": pending,
                "in_progress": len(entries),
                "completed": completed,
                "aborted": aborted,
                "asked": sum(
                    i.maintenance_asked == row.window
                    and i.uid in self.upkeep.waits
                    and self.upkeep.waits[i.uid].reason not in REFUSALS
                    for i in members
                ),
            }
        )

    # The owners.

    def _answer_owners(self, view: WindowView, row: SetIteration) -> None:
        """Take those whose owners ask, in any domain (M-20); say why where not."""
        for instance in sorted(self.scene.live, key=lambda i: i.instance_id):
            if instance.maintenance_asked != view.name or instance.name in self.moved:
                continue
            no = self._refusal(view, row, instance) or self._obstacle(view, row, instance)
            if no is None:
                self._take(view, instance, Origin.SELF_SERVICE)
            else:
                self.upkeep.waits[instance.uid] = no

    def _refusal(self, view: WindowView, row: SetIteration, instance: Instance) -> No | None:
        """What neither time nor room changes in this iteration (M-10, V-12, V-17, V-32)."""
        if instance.uid not in {i.uid for i in self._members(row.mark)}:
            return No(Reason.NOT_INCLUDED, f"it is not in iteration {row.iteration} of {view.name}")
        if instance.mark == row.mark and standing_of(instance) is not Standing.PENDING:
            said = said_of(instance).last_operation_message or ""
            return No(Reason.ALREADY_ATTEMPTED, said)
        if phase_of(view, self.scene.now) is not ActiveWindow.SELF_SERVICE:
            times = view.announced
            opens, closes = times.pre_start_time, times.pre_end_time
            if opens is None or closes is None:
                return No(Reason.NOT_IN_SELF_SERVICE, f"{view.name} has no self-service window")
            between = f"it is open from {format_time(opens)} until {format_time(closes)}"
            return No(Reason.NOT_IN_SELF_SERVICE, between)
        if row.stopped is not None:
            return No(Reason.MAINTENANCE_STOPPED, row.stopped.message)
        return None

    def _refuse_strangers(self, known: set[str]) -> None:
        """Requests that name no window of this set."""
        if self.scene.observed.windows_unheard:
            return
        for instance in self.scene.live:
            asked = instance.maintenance_asked
            if asked and asked not in known and instance.name not in self.moved:
                self.upkeep.waits[instance.uid] = No(
                    Reason.WINDOW_NOT_FOUND, f"no announced maintenance of {asked!r} concerns it"
                )

    # The scheduled window.

    def _work(self, view: WindowView, row: SetIteration) -> SetIteration:
        """One domain at a time, as the floor has room; says what it waits for."""
        if phase_of(view, self.scene.now) is not ActiveWindow.SCHEDULED:
            return row.model_copy(update={"waits_for": None, "message": ""})
        row = self._finish_domain(row)
        pending = [i for i in self._members(row.mark) if self._is_pending(row, i)]
        if not pending:
            busy = any(e.mark == row.mark for e in self.upkeep.entries)
            no = None if busy else No(Reason.NOTHING_TO_DO, "nobody is left to be moved")
            return self._waiting(row, no)
        held = self._held(view, row)
        if held is not None:
            return self._waiting(row, held)
        domain, no = self._domain(view, row, pending)
        if domain is None:
            return self._waiting(row, no)
        taken = False
        for instance in (i for i in pending if i.update_domain == domain):
            hindered = self._hindrance(view, instance) or self._obstacle(view, row, instance)
            if hindered is None:
                taken = True
                self._take(view, instance, Origin.SCHEDULED)
            else:
                no = no or hindered
        if taken and (row.current_update_domain != domain or row.domain_done_time is not None):
            times = {"domain_since": self.scene.now, "domain_done_time": None}
            row = row.model_copy(update={"current_update_domain": domain, **times})
        return self._waiting(row, None if taken else no)

    def _waiting(self, row: SetIteration, no: No | None) -> SetIteration:
        if no is None:
            return row.model_copy(update={"waits_for": None, "message": ""})
        if no.until is not None:
            self.upkeep.again.append(no.until)
        return row.model_copy(update={"waits_for": no.reason, "message": no.detail})

    def _is_pending(self, row: SetIteration, instance: Instance) -> bool:
        fresh = instance.mark == row.mark and standing_of(instance) is Standing.PENDING
        return fresh and instance.name not in self.moved

    def _finish_domain(self, row: SetIteration) -> SetIteration:
        """Note when everybody of the domain is back and healthy (M-15)."""
        if row.current_update_domain is None or row.domain_done_time is not None:
            return row
        if any(e.mark == row.mark for e in self.upkeep.entries):
            return row
        back = (
            i
            for i in self._members(row.mark)
            if i.update_domain == row.current_update_domain and standing_of(i) is Standing.COMPLETED
        )
        if all(self.scene.is_available(i) for i in back):
            return row.model_copy(update={"domain_done_time": self.scene.now})
        return row

    def _held(self, view: WindowView, row: SetIteration) -> No | None:
        """What keeps the whole iteration from taking anybody by itself."""
        if row.stopped is not None:
            return No(Reason.MAINTENANCE_STOPPED, row.stopped.message)
        no = self._window_held(view, row)
        if no is not None:
            return no
        if view.works_on_nodes and view.node is None:
            return No(Reason.NODE_NOT_EMPTYING, "no node is being emptied")
        return None

    def _domain(
        self, view: WindowView, row: SetIteration, pending: list[Instance]
    ) -> tuple[int | None, No | None]:
        """The domain that is worked on: this one while anybody of it can be taken, then another."""
        able = [i for i in pending if self._hindrance(view, i) is None]
        fresh = [i for i in able if not _was_tried(i)]
        if not able:
            return None, self._hindrance(view, pending[0])
        retry = row.retry_time
        if not fresh and retry is not None and self.scene.now < retry:
            return None, No(Reason.RETRY_LATER, "those left could not be taken", retry)
        domains = {i.update_domain for i in fresh or able}
        under_way = {e.update_domain for e in self.upkeep.entries}
        current = row.current_update_domain
        if under_way - {current}:
            return None, No(Reason.DOMAIN_IN_PROGRESS, f"domains {sorted(under_way)} are away")
        if current in domains and row.domain_done_time is None:
            return current, None
        if under_way:
            return None, No(Reason.DOMAIN_IN_PROGRESS, f"domain {current} is away")
        no = self._not_yet(view, row)
        return (None, no) if no else (min(domains, key=lambda d: _draw(view, d)), None)

    def _not_yet(self, view: WindowView, row: SetIteration) -> No | None:
        """Why the next domain waits: the last is not healthy, or not for long enough (M-15)."""
        current = row.current_update_domain
        if current is None:
            return None
        if row.domain_done_time is None:
            return No(Reason.DOMAIN_IN_PROGRESS, f"domain {current} is not healthy yet")
        until = row.domain_done_time + view.pause_between
        if self.scene.now >= until:
            return None
        said = f"domain {current} is back, the next begins at {format_time(until)}"
        return No(Reason.PAUSE_BETWEEN_DOMAINS, said, until)

    # What either asks.

    def _hindrance(self, view: WindowView, instance: Instance) -> No | None:
        """What keeps the scheduled pass from one instance, whatever the room."""
        if instance.protected_from_actions:
            return No(Reason.INSTANCE_PROTECTED, "protect-from-scale-set-actions")
        if view.works_on_nodes and instance.node != view.node:
            return No(Reason.NODE_NOT_EMPTYING, f"{view.node} is being emptied")
        return self._other_hands(instance)

    def _other_hands(self, instance: Instance) -> No | None:
        if instance.uid in self.busy.repaired or instance.name in self.busy.repaired:
            return No(Reason.UNDER_REPAIR, "its repair is not closed")
        if instance.uid in self.busy.rolled or instance.name in self.scene.surplus:
            return No(Reason.ROLLOUT_IN_PROGRESS, "a rollout has it")
        if instance.uid in self.busy.leaving:
            return No(Reason.SCALED_IN, "it is chosen to be removed")
        return None

    def _window_held(self, view: WindowView, row: SetIteration) -> No | None:
        if view.deleted:
            return No(Reason.WINDOW_NOT_FOUND, "the window is being deleted")
        if view.suspended:
            return No(Reason.WINDOW_SUSPENDED, "spec.suspend of the window")
        if not view.turn:
            return No(Reason.PARTNER_ACTIVE, view.turn_detail)
        other = next((e for e in self.upkeep.entries if e.mark != row.mark), None)
        if other is not None:
            return No(Reason.OTHER_MAINTENANCE, f"{other.window} has {other.instance}")
        seen = self.scene.observed
        if seen.template.fault is not None or not seen.template.checked:
            fault = seen.template.fault or Reason.INVALID_TEMPLATE
            return No(fault, seen.template.fault_message or "the template is being checked")
        if seen.create_refused is not None:
            return No(*seen.create_refused)
        return None

    def _obstacle(self, view: WindowView, row: SetIteration, instance: Instance) -> No | None:
        """Why it cannot be taken now: the window, other hands, the batch, the floor (X-02)."""
        no = self._window_held(view, row) or self._other_hands(instance)
        return no or self._no_room(instance)

    def _no_room(self, instance: Instance) -> No | None:
        scene, busy, entries = self.scene, self.busy, self.upkeep.entries
        going = busy.rolled | busy.leaving | about_to_go(entries) | self.wanted
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

    def _take(self, view: WindowView, instance: Instance, origin: Origin) -> None:
        """Record it, once it was read live (as a repair is, protocol rule 3)."""
        if instance.name not in self.scene.observed.live_reads:
            self.upkeep.reads.add(instance.name)
            self.moved.add(instance.name)
            self.wanted.add(instance.uid)
            return
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
            placeholder=PLACEHOLDER.format(instance.name),
        )
        self.moved.add(instance.name)
        self.upkeep.entries.append(entry)
        self.upkeep.opened.append(entry)


RETRY: Final = OperationResultCode.RETRY_LATER


def _was_tried(instance: Instance) -> bool:
    """Whether it could not be taken when it was tried: it goes after the others."""
    return said_of(instance).last_operation_result_code is RETRY


def _draw(view: WindowView, domain: int) -> str:
    """An order of the domains that nobody may rely on, the same for every operator (M-13)."""
    text = f"{view.uid}/{view.announced.iteration}/{domain}"
    return sha256(text.encode()).hexdigest()


def _row_of(mark: str, entries: Iterable[MaintenanceEntry]) -> SetIteration:
    entry = next((e for e in entries if e.mark == mark), None)
    if entry is None:
        return _NOTHING
    return SetIteration(window=entry.window, iteration=entry.iteration, mark=mark)
