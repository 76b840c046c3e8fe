"""What a window's spec must keep to: the rules that the API server holds by CEL, once more.

A manifest that no API server has seen yet, and an object from before a rule, fail closed by them.
Must not know: the time, or what cannot be told from the spec alone.
"""

from datetime import datetime, timedelta
from typing import Final

from scaleset_operator.api.base import format_time
from scaleset_operator.api.durations import format_duration
from scaleset_operator.api.maintenancestatus import Impact
from scaleset_operator.api.maintenancewindow import (
    MAX_DURATION,
    MAX_NOTICE,
    MAX_SELF_SERVICE_LEAD,
    MIN_DURATION,
    MIN_NOTICE,
    MIN_SELF_SERVICE_LEAD,
    MaintenanceWindowSpec,
    OnceWindow,
    RecurringWindow,
)
from scaleset_operator.api.windowparts import MAX_NODE_TIMEOUT, MIN_NODE_TIMEOUT
from scaleset_operator.core.schedule import ScheduleError

ONCE: Final = "spec.once"
ABSENT: Final = "absent"
SET: Final = "set"


def check(spec: MaintenanceWindowSpec) -> None:
    """Hold a spec to its rules.

    Raises:
        ScheduleError: the first that is broken.
    """
    once, recurring = spec.once, spec.recurring
    if (once is None) == (recurring is None):
        word = ABSENT if once is None else SET
        allowed = f"so is spec.recurring; exactly one of the two must be {SET}"
        raise ScheduleError(ONCE, word, allowed)
    if once is not None:
        _check_owners("spec.once.selfService", once.self_service, spec.impact)
        _check_once(once)
    if recurring is not None:
        _check_owners("spec.recurring.selfServiceLead", recurring.self_service_lead, spec.impact)
        _check_recurring(recurring)
    _check_notice(spec)
    _check_nodes(spec)
    _check_lists(spec)


def _check_nodes(spec: MaintenanceWindowSpec) -> None:
    """Where instances move to, and what is done to nodes: with impact Redeploy alone (M-07)."""
    moves = spec.impact is Impact.REDEPLOY
    if moves and spec.updated_node_selector is None:
        field = "spec.updatedNodeSelector"
        raise ScheduleError(field, ABSENT, "it is required with impact Redeploy")
    work = spec.node_maintenance
    if work is None:
        return
    if not moves:
        field = "spec.nodeMaintenance"
        raise ScheduleError(field, SET, "it is allowed with impact Redeploy only")
    field = "spec.nodeMaintenance.timeout"
    _check_length(field, work.timeout, MIN_NODE_TIMEOUT, MAX_NODE_TIMEOUT)


def _check_lists(spec: MaintenanceWindowSpec) -> None:
    """Shares that do not fall (V-06), and audiences that are told once."""
    percents, audiences = spec.iterations.percents, spec.audiences
    if list(percents) != sorted(percents):
        field = "spec.iterations.percents"
        raise ScheduleError(field, str(list(percents)), "they must not fall")
    twice = next((name for name in audiences if audiences.count(name) > 1), None)
    if twice is not None:
        msg = "spec.audiences"
        raise ScheduleError(msg, twice, "each may stand there once")


def _check_notice(spec: MaintenanceWindowSpec) -> None:
    """At least 30 days where it is felt, or said to be urgent (V-01)."""
    field, notice = "spec.notifyBefore", spec.notify_before
    if spec.urgent or spec.impact is not Impact.REDEPLOY:
        _check_length(field, notice, timedelta(0), MAX_NOTICE)
    else:
        _check_length(field, notice, MIN_NOTICE, MAX_NOTICE, "; urgent: true allows less")


def _check_owners(field: str, given: object, impact: Impact) -> None:
    """Owners may go first where an instance starts anew, and there alone (M-01)."""
    if impact is Impact.REDEPLOY and given is None:
        raise ScheduleError(field, ABSENT, "it is required with impact Redeploy")
    if impact is not Impact.REDEPLOY and given is not None:
        raise ScheduleError(field, SET, "it is allowed with impact Redeploy only")


def _check_once(window: OnceWindow) -> None:
    """V-13: preStart < preEnd <= start < end."""
    scheduled, owners = window.scheduled, window.self_service
    place = "spec.once.scheduled"
    if scheduled.start_time >= scheduled.end_time:
        _refuse_time(f"{place}.startTime", scheduled.start_time, "earlier", scheduled.end_time)
    if owners is None:
        return
    place = "spec.once.selfService"
    if owners.start_time >= owners.end_time:
        _refuse_time(f"{place}.startTime", owners.start_time, "earlier", owners.end_time)
    if owners.end_time > scheduled.start_time:
        _refuse_time(f"{place}.endTime", owners.end_time, "no later", scheduled.start_time)


def _refuse_time(field: str, given: datetime, how: str, other: datetime) -> None:
    raise ScheduleError(field, format_time(given), f"it must be {how} than {format_time(other)}")


def _check_recurring(window: RecurringWindow) -> None:
    field, lead = "spec.recurring.duration", window.self_service_lead
    _check_length(field, window.duration, MIN_DURATION, MAX_DURATION)
    if lead is not None:
        field = "spec.recurring.selfServiceLead"
        _check_length(field, lead, MIN_SELF_SERVICE_LEAD, MAX_SELF_SERVICE_LEAD)


def _check_length(
    field: str, given: timedelta, least: timedelta, most: timedelta, unless: str = ""
) -> None:
    if not least <= given <= most:
        allowed = f"allowed are {format_duration(least)} to {format_duration(most)}{unless}"
        raise ScheduleError(field, format_duration(given), allowed)
