"""How far maintenance is, in a word and as data for programs.

Must not know: how any of it is read, or how people are shown it.
"""

from datetime import datetime
from typing import Any

from scaleset_operator.api.base import format_time
from scaleset_operator.api.maintenanceledger import SetIteration
from scaleset_operator.api.maintenancestatus import ActiveWindow, OperationResultCode
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.cli.included import Included, Member, current
from scaleset_operator.cli.maintenance_following import PHASES
from scaleset_operator.cli.windows import is_urgent
from scaleset_operator.core.calendar import active_window, next_transition, occurrence_of


def row_of(included: Included, window: MaintenanceWindow, now: datetime) -> SetIteration | None:
    """What the set says of a window: of the iteration that is under way or next, else the last."""
    rows = [r for r in included.maintenance.iterations if r.window == window.metadata.name]
    found = current(window, now)
    number = found.iteration if found is not None else None
    return next((r for r in rows if r.iteration == number), rows[0] if rows else None)


def state_of(member: Member) -> str:
    """How far an instance is, in words."""
    if member.entry is not None:
        return f"{member.entry.phase}: {PHASES[member.entry.phase]}"
    if member.asked:
        request = member.request
        why = f": {request.reason}: {request.message}" if request is not None else ""
        return f"Asked{why}"
    code = member.said.last_operation_result_code
    if code is OperationResultCode.MAINTENANCE_COMPLETED:
        return "Completed"
    if code is OperationResultCode.MAINTENANCE_ABORTED:
        return "Aborted"
    return "Pending" if member.mark is not None else "Not included"


def said_by(member: Member) -> dict[str, Any]:
    """The seven names, those that have a value (V-09)."""
    said: dict[str, Any] = member.said.model_dump(mode="json", by_alias=True, exclude_none=True)
    return said


def member_data(member: Member) -> dict[str, Any]:
    """One instance."""
    mark, entry, request = member.mark, member.entry, member.request
    return {
        "name": member.name,
        "updateDomain": member.update_domain,
        "window": mark.window if mark is not None else None,
        "iteration": mark.iteration if mark is not None else None,
        "state": state_of(member).partition(":")[0],
        "askedFor": member.asked or None,
        "inFlight": _dump(entry) if entry is not None else None,
        "request": _dump(request) if request is not None else None,
        "maintenanceRedeployStatus": said_by(member),
    }


def _dump(model: Any) -> dict[str, Any]:
    found: dict[str, Any] = model.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


def window_data(window: MaintenanceWindow, now: datetime) -> dict[str, Any]:
    """One window, its phase by the clock."""
    meta, found = window.metadata, current(window, now)
    phase = active_window(occurrence_of(found), now) if found is not None else ActiveWindow.NONE
    edge = next_transition(occurrence_of(found), now) if found is not None else None
    return {
        "namespace": meta.namespace,
        "name": meta.name,
        "phase": str(phase),
        "nextTransitionTime": format_time(edge) if edge is not None else None,
        "urgent": is_urgent(window),
        "suspend": window.spec.suspend,
        "announced": _dump(found) if found is not None else None,
        "status": _dump(window.status),
    }


def set_data(included: Included, now: datetime) -> dict[str, Any]:
    """One set."""
    meta = included.scale_set.metadata
    rows = [
        window_data(window, now)
        | {"iteration": _dump(row) if (row := row_of(included, window, now)) else None}
        for window in included.windows.values()
    ]
    members = [m for m in included.members if m.mark is not None or m.asked]
    return {
        "namespace": meta.namespace,
        "name": meta.name,
        "windows": rows,
        "instances": [member_data(m) for m in members],
    }
