"""Which instances are taken for maintenance next, and why the others are not.

Owners first, at their own order and pace (M-20); then the scheduled window, one update domain at a
time (M-12), the next when all of the last are back (M-15). One attempt for each instance and
iteration (V-17). A move is recorded here and carried out by `relocation`.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from scaleset_operator.api.base import Reason, format_time
from scaleset_operator.api.maintenanceledger import (
    MaintenanceEntry,
    Origin,
    SetIteration,
    Stop,
)
from scaleset_operator.api.maintenancestatus import ActiveWindow, Impact
from scaleset_operator.core.domainwalk import Walk
from scaleset_operator.core.inclusion import Inclusion, phase_of
from scaleset_operator.core.marks import Standing, mark_of, said_of, standing_of
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.returning import RETRY, Moves
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.taking import REFUSALS, Busy, No, Taking, Upkeep
from scaleset_operator.core.windowview import WindowView

RETRY_AFTER: Final = timedelta(minutes=5)
"""How long after one that could not be taken the next of its kind is tried."""
_NOTHING: Final = SetIteration(window="none", iteration=0, mark="none")


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
        self.upkeep = upkeep
        self.taking = Taking(scene, busy, upkeep)
        self.before = {row.mark: row for row in scene.maintenance.iterations}
        self.moved = self.taking.moved

    def all(self) -> None:
        """Owners' wishes of every window first, then the scheduled work of one."""
        views = [v for v in self.scene.observed.windows if v.impact is not Impact.NONE]
        rows = {str(mark_of(view)): self._row(view) for view in views}
        for mark in {e.mark for e in self.moves.open} - rows.keys():
            # Its window is over, or gone; what has started is finished (M-25).
            rows[mark] = self._counted(self.before.get(mark) or _row_of(mark, self.moves.open), [])
        for view in views:
            self._answer_owners(view, rows[str(mark_of(view))])
        walk = Walk(self.taking, self._members)
        for view in views:
            mark = str(mark_of(view))
            rows[mark] = walk.work(view, rows[mark])
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
            no = self._refusal(view, row, instance) or self.taking.obstacle(view, row, instance)
            if no is None:
                self.taking.take(view, instance, Origin.SELF_SERVICE)
            else:
                self.upkeep.waits[instance.uid] = no

    def _refusal(self, view: WindowView, row: SetIteration, instance: Instance) -> No | None:
        """What neither time nor room changes in this iteration (M-10, V-12, V-17, V-32)."""
        if instance.uid not in {i.uid for i in self._members(row.mark)}:
            where = f"it is not in iteration {row.iteration} of {view.name}"
            return No(Reason.NOT_INCLUDED, where)
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


def _row_of(mark: str, entries: Iterable[MaintenanceEntry]) -> SetIteration:
    entry = next((e for e in entries if e.mark == mark), None)
    if entry is None:
        return _NOTHING
    return SetIteration(window=entry.window, iteration=entry.iteration, mark=mark)
