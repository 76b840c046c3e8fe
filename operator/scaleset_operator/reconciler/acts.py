"""What the loop does, act by act, as values: for whoever shows, records or compares it.

Must not know: who notes an act, or what becomes of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from scaleset_operator.api.maintenanceledger import MaintenanceEntry
from scaleset_operator.api.maintenancestatus import RedeployStatus
from scaleset_operator.api.scalesetstatus import ScaleSetStatus
from scaleset_operator.core.maintenance_acts import PublishMaintenance
from scaleset_operator.core.plan import PublishHealth
from scaleset_operator.reconciler.ports import Key


class ActKind(StrEnum):
    """Kinds of acts: the first eight are what a record of the status says, the others requests."""

    BEGIN = "Begin"
    END = "End"
    DOUBT = "Doubt"
    CERTAIN = "Certain"
    SERVICE = "Service"
    TAKE = "Take"
    MOVE = "Move"
    MOVED = "Moved"
    CREATE = "Create"
    DELETE = "Delete"
    RENEW = "Renew"
    NOTICE = "Notice"
    PUBLISH = "Publish"
    ANSWER = "Answer"
    ADOPT = "Adopt"
    RELEASE = "Release"
    HOLD = "Hold"
    FREE = "Free"
    EVICT = "Evict"
    MARK = "Mark"
    PAUSE = "Pause"
    UNPAUSE = "Unpause"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act.

    Attributes:
        number: in the order in which acts were begun.
        instance: whom it is about; for a doubt its group, empty for the set as a whole.
        what: of its kind: the repair action, the result, the purpose, the health, the state.
        reason: a reason code, where there is one.
        detail: in words.
        failed: name of the port's error; empty when it was carried out.
        turn: of its set's turns, where they are counted.
    """

    number: int
    at: datetime
    key: Key
    kind: ActKind
    instance: str
    what: str = ""
    reason: str = ""
    detail: str = ""
    failed: str = ""
    turn: int = 0


Said = tuple[ActKind, str, str, str, str]
"""Kind, instance, what, reason, detail."""


def published(action: PublishHealth) -> Said:
    """What a patch of a pod says."""
    gate = {None: "", True: "in rotation", False: "out of rotation"}[action.in_rotation]
    words = [action.health or "", gate, "started" if action.state_change_time else ""]
    what = ", ".join(str(word) for word in words if word)
    return (ActKind.PUBLISH, action.name, what, action.reason, action.message)


def marked(action: PublishMaintenance) -> Said:
    """What a patch of a pod says of its maintenance."""
    said = RedeployStatus()
    if action.status is not None:
        said = RedeployStatus.model_validate_json(action.status)
    allowed = "allowed" if said.is_customer_initiated_maintenance_allowed else ""
    what = ", ".join(word for word in (action.mark or "", allowed) if word)
    code = said.last_operation_result_code or ""
    return (ActKind.MARK, action.name, what, code, said.last_operation_message or "")


def recorded(before: ScaleSetStatus, after: ScaleSetStatus) -> Iterator[Said]:
    """What a record of the status says that the one before did not."""
    yield from _repairs(before, after)
    yield from _moves(before, after)
    then = {d.group: d for d in before.repairs.doubts}
    now = {d.group: d for d in after.repairs.doubts}
    for group, doubt in now.items():
        known = then.get(group)
        if known is None or known.witness != doubt.witness:
            witness = f"witness {doubt.witness}" if doubt.witness else ""
            yield (ActKind.DOUBT, group, witness, "", "")
    for group in (one for one in then if one not in now):
        yield (ActKind.CERTAIN, group, "", "", "")
    services = {s.service_name: (s.service_state, s.reason) for s in before.orchestration_services}
    for service in after.orchestration_services:
        if services.get(service.service_name) != (service.service_state, service.reason):
            why = (service.reason or "", service.message)
            yield (ActKind.SERVICE, "", service.service_state, *why)
    known_victims = {v.uid for v in before.scale_in}
    for victim in after.scale_in:
        if victim.uid not in known_victims:
            yield (ActKind.TAKE, victim.name, victim.purpose, "", "")


def _repairs(before: ScaleSetStatus, after: ScaleSetStatus) -> Iterator[Said]:
    then = {(e.instance, e.start_time): e for e in before.repairs.in_flight}
    now = {(e.instance, e.start_time): e for e in after.repairs.in_flight}
    ended = {(r.instance, r.start_time): r for r in after.repairs.history}
    for place in (one for one in then if one not in now):
        record = ended.get(place)
        result = (record.result, record.reason or "") if record else ("", "")
        by = then[place].replacement
        yield (ActKind.END, place[0], *result, f"by {by}" if by else "")
    for place, entry in now.items():
        if place not in then:
            said = (entry.cause_reason or "", entry.cause)
            yield (ActKind.BEGIN, entry.instance, entry.action, *said)


def ended_moves(before: ScaleSetStatus, after: ScaleSetStatus) -> Iterator[MaintenanceEntry]:
    """Moves that a record closes, as they stood before it."""
    now = _moving(after)
    return (entry for place, entry in _moving(before).items() if place not in now)


def _moves(before: ScaleSetStatus, after: ScaleSetStatus) -> Iterator[Said]:
    """Instances taken for maintenance, and how that ended; without a result nothing was done."""
    then, now = _moving(before), _moving(after)
    for entry in ended_moves(before, after):
        yield (ActKind.MOVED, entry.instance, entry.result or "", entry.window, entry.message)
    for place, entry in now.items():
        if place not in then:
            yield (ActKind.MOVE, entry.instance, entry.origin, entry.window, "")


def _moving(status: ScaleSetStatus) -> dict[tuple[str, str], MaintenanceEntry]:
    ledger = status.maintenance
    return {} if ledger is None else {(e.instance, e.uid): e for e in ledger.in_flight}
