"""How urgently a next status must stand: at once where an act may build on it, else with others.

Must not know what is decided.
"""

from scaleset_operator.api.ledger import RepairEntry, RepairPhase, RepairResult, RepairsStatus
from scaleset_operator.api.maintenanceledger import MaintenanceSummary
from scaleset_operator.api.scalesetstatus import RequestState, ScaleSetStatus
from scaleset_operator.core.plan import Record
from scaleset_operator.core.rollout_progress import in_short


def urgency(before: ScaleSetStatus, after: ScaleSetStatus, *, waiting: bool) -> Record:
    """How urgently the next status must stand: at once where an act may build on it.

    Args:
        before: the status as recorded.
        after: the next one.
        waiting: whether an instance waits for a slot; then a close must not wait for company.
    """
    if before == after:
        return Record.NONE
    added_names = {c.name for c in after.creating} - {c.name for c in before.creating}
    added_victims = {v.uid for v in after.scale_in} - {v.uid for v in before.scale_in}
    renewals = ({(r.uid, r.start_time) for r in status.renewals} for status in (after, before))
    added = added_names or added_victims or next(renewals) - next(renewals)
    if added or _rest_of_ledger(before) != _rest_of_ledger(after):
        return Record.NOW
    if _closes_well(before.repairs, after.repairs) and not waiting:
        return Record.SOON
    same = _repairs_in_short(before.repairs) == _repairs_in_short(after.repairs)
    return Record.SOON if same else Record.NOW


def _rest_of_ledger(status: ScaleSetStatus) -> tuple[object, ...]:
    """What of the status decides over acts, entries aside; bookkeeping is left out."""
    repairs = status.repairs
    return (
        tuple((d.group, d.since, d.witness, d.next_time) for d in repairs.doubts),
        in_short(status.rollout),
        repairs.suspended_since,
        repairs.armed,
        repairs.enabled_time,
        repairs.last_handled_resume_request,
        status.orchestration_services,
        tuple(row for row in status.requests if row.state is RequestState.REFUSED),
        tuple((c.status, c.reason) for c in status.conditions if c.type == "Accepted"),
        _maintenance_in_short(status.maintenance),
    )


def _maintenance_in_short(said: MaintenanceSummary | None) -> tuple[object, ...]:
    """What of it decides over acts; the counts are left out."""
    if said is None:
        return ()
    entries = tuple(
        (e.uid, e.phase, e.phase_time, e.successor_uid, e.result) for e in said.in_flight
    )
    rows = tuple((r.mark, r.current_update_domain, r.stopped) for r in said.iterations)
    # A mark is on a pod only once it stands here: by then instances may be told of it.
    marks = tuple(r.mark for r in said.iterations)
    return (entries, tuple(row for row in rows if row[1:] != (None, None)), marks)


def _repairs_in_short(repairs: RepairsStatus) -> tuple[object, ...]:
    entries = tuple(_essence(e) for e in repairs.in_flight)
    return (entries, repairs.history, repairs.consecutive_failed)


def _closes_well(before: RepairsStatus, after: RepairsStatus) -> bool:
    """Whether repairs have only succeeded: recorded late, they hold their slots a moment more."""
    entries = {_essence(e) for e in after.in_flight}
    ended = [record for record in after.history if record not in before.history]
    return entries < {_essence(e) for e in before.in_flight} and all(
        record.result is RepairResult.SUCCEEDED for record in ended
    )


def _essence(entry: RepairEntry) -> tuple[object, ...]:
    named = entry.phase in (RepairPhase.NOTIFIED, RepairPhase.RESTARTING)
    return (entry.uid, entry.replacement, entry.start_time, entry.successors, named)
