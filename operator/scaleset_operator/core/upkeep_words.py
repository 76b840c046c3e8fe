"""The maintenance of a set in words: its summary in status, its condition, its Events.

Adds nothing to what was decided.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from scaleset_operator.api.base import ConditionStatus, Reason
from scaleset_operator.api.maintenanceledger import (
    MAX_ITERATIONS,
    MaintenanceEntry,
    MaintenanceSummary,
    SetIteration,
)
from scaleset_operator.api.maintenancestatus import ActiveWindow, LastOperation
from scaleset_operator.core.calendar import next_transition, occurrence_of
from scaleset_operator.core.conditions import Word
from scaleset_operator.core.inclusion import phase_of
from scaleset_operator.core.plan import Note
from scaleset_operator.core.returning import REASON_OF, Ended, Moves
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.taking import Upkeep

MAX_NAMED: Final = 10
ALONE: Final = (
    "it has one instance: which others go at the same time, and how many, is not promised"
)
"""A domain or a floor of one keeps nobody serving (V-29)."""


def summary(
    scene: Scene, moves: Moves, upkeep: Upkeep, entries: Sequence[MaintenanceEntry]
) -> MaintenanceSummary | None:
    """The next maintenance of the set, or the one that is open; None where none concerns it.

    Args:
        scene: what this decision looks at.
        moves: of this decision; what ended is the last operation.
        upkeep: of this decision.
        entries: in flight as now decided.
    """
    views = scene.observed.windows
    rows = [_with_last(row, moves.ended, scene) for row in upkeep.rows][:MAX_ITERATIONS]
    if not views and not entries and not rows:
        return None
    first = next(iter(views), None)
    if first is None:
        return MaintenanceSummary(iterations=tuple(rows), in_flight=tuple(entries))
    return MaintenanceSummary(
        window=first.name,
        active_window=phase_of(first, scene.now),
        next_transition_time=next_transition(occurrence_of(first.announced), scene.now),
        iterations=tuple(rows),
        in_flight=tuple(entries),
    )


def _with_last(row: SetIteration, ended: Sequence[Ended], scene: Scene) -> SetIteration:
    mine = [one for one in ended if one.entry.mark == row.mark]
    if not mine:
        return row
    last = mine[-1]
    told = LastOperation(
        instance=last.entry.instance,
        last_operation_result_code=last.code,
        last_operation_message=last.message,
        time=scene.now,
    )
    return row.model_copy(update={"last_operation": told})


def condition(status: MaintenanceSummary | None, replicas: int) -> Iterator[Word]:
    """MaintenanceActive, where a window concerns the set: who is moved, or what is waited for.

    Args:
        status: of the next status.
        replicas: as many as it wants; of one alone it says so (V-29).
    """
    if status is None:
        return
    active, reason, message = _active(status)
    said = f"{message}; {ALONE}" if replicas == 1 and status.window else message
    yield Word("MaintenanceActive", active, reason, said)


def _active(status: MaintenanceSummary) -> tuple[ConditionStatus, str, str]:
    if status.in_flight:
        names = ", ".join(e.instance for e in status.in_flight[:MAX_NAMED])
        away = f"{len(status.in_flight)} away: {names}"
        return ConditionStatus.TRUE, Reason.MAINTENANCE_IN_PROGRESS, away
    row = next(iter(status.iterations), None)
    if row is not None and row.stopped is not None:
        return ConditionStatus.FALSE, row.stopped.reason, row.stopped.message
    if status.active_window is ActiveWindow.NONE or row is None:
        coming = f"{status.window} is announced" if status.window else "the window is over"
        return ConditionStatus.FALSE, Reason.ANNOUNCED, coming
    done = f"{row.completed} of {row.targeted} done"
    active = ConditionStatus.TRUE if row.pending else ConditionStatus.FALSE
    why = f"{done}; {row.message}" if row.message else done
    return active, row.waits_for or Reason.WINDOW_OPEN, why


def tell(scene: Scene, moves: Moves, upkeep: Upkeep) -> Iterator[Note]:
    """The Events that go with this record: one for all that begin, one for each kind of end."""
    if upkeep.opened:
        names = ", ".join(e.instance for e in upkeep.opened[:MAX_NAMED])
        window = upkeep.opened[0].window
        yield Note(reason=Reason.MAINTENANCE_STARTED, message=f"{names}, by {window}")
    for code, reason in REASON_OF.items():
        ended = [one for one in moves.ended if one.code is code]
        if ended:
            said = "; ".join(f"{e.entry.instance}: {e.message}" for e in ended[:MAX_NAMED])
            yield Note(reason=reason, message=said, warning=reason is Reason.MAINTENANCE_FAILED)
    before = {row.mark for row in scene.maintenance.iterations if row.stopped is not None}
    for row in upkeep.rows:
        if row.stopped is not None and row.mark not in before:
            said = f"{row.window}, iteration {row.iteration}: {row.stopped.message}"
            yield Note(reason=Reason.MAINTENANCE_STOPPED, message=said, warning=True)
