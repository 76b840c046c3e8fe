"""Who is included in which iteration, and what therefore stands on each pod (V-02, V-04, V-06).

Membership is open from the announcement until owners may go first; whoever comes later is left out
(M-21). It stands on the pods alone, so nothing has to be recorded first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.maintenanceledger import MaintenanceEntry
from scaleset_operator.api.maintenancestatus import ActiveWindow, Impact, OperationResultCode
from scaleset_operator.core.calendar import active_window, next_transition, occurrence_of
from scaleset_operator.core.maintenance_acts import PublishMaintenance
from scaleset_operator.core.marks import (
    Mark,
    Standing,
    ahead,
    mark_of,
    result,
    said_of,
    standing_of,
    written,
)
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.scene import Scene
from scaleset_operator.core.windowview import WindowView

RESULT_KEPT: Final = timedelta(days=7)
"""How long after its window the last result stays readable on a pod (V-16)."""
WORDS_OF_A_RESULT: Final = "already on an updated node"


@dataclass(slots=True)
class Inclusion:
    """Who is in, and what is to be written.

    Attributes:
        members: mark -> live instances that bear it, as it will stand.
        acts: one patch for each pod whose annotations are not what they should be.
        again: moments at which time alone changes what stands on a pod (V-11).
    """

    members: dict[str, list[Instance]] = field(default_factory=dict)
    acts: list[PublishMaintenance] = field(default_factory=list)
    again: list[datetime] = field(default_factory=list)


def opening(view: WindowView) -> datetime:
    """The first instant of an announced maintenance: from then on nobody is added who is new."""
    return view.announced.pre_start_time or view.announced.start_time


def phase_of(view: WindowView, now: datetime) -> ActiveWindow:
    """Which of its windows is open."""
    return active_window(occurrence_of(view.announced), now)


def include(scene: Scene, in_flight: list[MaintenanceEntry]) -> Inclusion:
    """Say who is in which iteration, and what each pod is to show.

    Args:
        scene: what this decision looks at.
        in_flight: moves that go on; what stands on those pods is theirs to change.
    """
    found = Inclusion()
    if not scene.observed.view_is_fresh:
        return found
    views = [v for v in scene.observed.windows if v.impact is not Impact.NONE and not v.deleted]
    coming = [v for v in views if scene.now < v.announced.end_time]
    marks = {str(mark_of(view)): view for view in views}
    away = [entry for entry in in_flight if scene.move_owes(entry)]
    chosen = _chosen(scene, coming, marks, away)
    busy = {entry.instance for entry in in_flight}
    for instance in scene.live:
        view = chosen.get(instance.uid) or marks.get(instance.mark)
        if view is not None:
            found.members.setdefault(str(mark_of(view)), []).append(instance)
        if instance.name not in busy:
            found.acts.extend(_patch(scene, instance, view, found))
    for view in views:
        edge = next_transition(occurrence_of(view.announced), scene.now)
        found.again += [edge] if edge is not None else []
    return found


def _chosen(
    scene: Scene,
    coming: list[WindowView],
    marks: dict[str, WindowView],
    away: list[MaintenanceEntry],
) -> dict[str, WindowView]:
    """UID -> the iteration that an instance is newly included in.

    One that is away comes again with its mark: its share is not given to another meanwhile.
    """
    chosen: dict[str, WindowView] = {}
    for view in coming:
        mark = str(mark_of(view))
        room = -(-view.announced.share_percent * (len(scene.live) + len(away)) // 100)
        room -= sum(i.mark == mark for i in scene.live) + sum(e.mark == mark for e in away)
        free = (
            i
            for i in sorted(scene.live, key=lambda i: i.instance_id)
            if i.mark not in marks and i.uid not in chosen and _is_target(i, view)
        )
        for instance, _ in zip(free, range(max(0, room)), strict=False):
            chosen[instance.uid] = view
    return chosen


def _is_target(instance: Instance, view: WindowView) -> bool:
    """Whether it is on a node that is not updated, and was there before owners may go first."""
    if instance.node is None or instance.node in view.updated_nodes:
        return False
    return instance.created < opening(view)


def _patch(
    scene: Scene, instance: Instance, view: WindowView | None, found: Inclusion
) -> Iterator[PublishMaintenance]:
    """What is written on one pod, where anything is."""
    if view is None and scene.observed.windows_unheard:
        return
    if view is None:
        mark, status = _left(scene, instance, found)
    else:
        mark, status = _included(scene, instance, view)
    if (mark or "", status or "") != (instance.mark, instance.maintenance):
        yield PublishMaintenance(
            name=instance.name,
            uid=instance.uid,
            mark=mark,
            status=status,
            resource_version=instance.resource_version,
        )


def _included(scene: Scene, instance: Instance, view: WindowView) -> tuple[str, str]:
    """Times while maintenance is ahead; the last result alone once it is not (V-15)."""
    mark = str(mark_of(view))
    before = said_of(instance)
    if instance.mark != mark:
        before = before.model_copy(
            update={"last_operation_result_code": None, "last_operation_message": None}
        )
    elif standing_of(instance) is not Standing.PENDING:
        code = before.last_operation_result_code or OperationResultCode.NONE
        return mark, written(result(code, before.last_operation_message or ""))
    if instance.node in view.updated_nodes:
        done = OperationResultCode.MAINTENANCE_COMPLETED
        return mark, written(result(done, WORDS_OF_A_RESULT))
    return mark, written(ahead(view, allowed=_may_start(scene, view), before=before))


def _may_start(scene: Scene, view: WindowView) -> bool:
    """Whether owners may start it now: in the self-service window, and by time alone (V-10)."""
    rows = scene.maintenance.iterations
    stopped = any(r.stopped and r.mark == str(mark_of(view)) for r in rows)
    open_now = phase_of(view, scene.now) is ActiveWindow.SELF_SERVICE
    return open_now and not view.suspended and not stopped


def _left(scene: Scene, instance: Instance, found: Inclusion) -> tuple[str | None, str | None]:
    """What stays on a pod that no iteration includes: its last result, for a while (V-16)."""
    said, mark = said_of(instance), Mark.parse(instance.mark)
    code = said.last_operation_result_code
    if mark is None or code is None:
        return None, None
    until = mark.end + RESULT_KEPT
    if scene.now >= until:
        return None, None
    found.again.append(until)
    return instance.mark, written(result(code, said.last_operation_message or ""))
