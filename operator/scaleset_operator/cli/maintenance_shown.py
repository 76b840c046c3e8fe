"""How far maintenance is, shown: a window in a few facts, each included instance in a row.

Must not know: how any of it is read, or what may be started.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from scaleset_operator.api.base import Condition
from scaleset_operator.api.maintenanceledger import SetIteration
from scaleset_operator.api.maintenancestatus import (
    ActiveWindow,
    LastOperation,
)
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import AnnouncedOccurrence, InstanceCounts
from scaleset_operator.cli.calendar_times import calendar_time
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.failures import NotThere
from scaleset_operator.cli.included import Included, Member, current
from scaleset_operator.cli.maintenance_data import (
    member_data,
    row_of,
    said_by,
    set_data,
    state_of,
    window_data,
)
from scaleset_operator.cli.printing import Column, print_facts, print_table, when
from scaleset_operator.cli.windows import is_urgent, zone_of
from scaleset_operator.core.calendar import active_window, next_transition, occurrence_of
from scaleset_operator.core.windowwords import NODE_WORK

NOTHING: Final = "-"
Fact = tuple[str, str]


def show_windows(call: Call, found: Sequence[MaintenanceWindow]) -> None:
    """Windows, each in a few facts."""
    now = call.entrance.now()
    if call.wants_data:
        call.print_data({"items": [window_data(window, now) for window in found]})
        return
    if not found:
        call.console.print("No MaintenanceWindows found.")
    for place, window in enumerate(found):
        if place:
            call.console.print()
        print_facts(call.console, [*_facts(window, now), *_of_all(window, now)])


def show_set(call: Call, included: Included) -> None:
    """A set: of each window that concerns it how far it is there, then each included instance."""
    now = call.entrance.now()
    if call.wants_data:
        call.print_data(set_data(included, now))
        return
    meta = included.scale_set.metadata
    if not included.windows and not included.maintenance.in_flight:
        call.console.print(f"No maintenance concerns ScaleSet {meta.namespace}/{meta.name}.")
    for window in included.windows.values():
        row = row_of(included, window, now)
        print_facts(call.console, [*_facts(window, now), *_of_iteration(row, now)])
        call.console.print()
    members = [m for m in included.members if m.mark is not None or m.asked]
    if members:
        columns = [
            Column("INSTANCE"),
            Column("DOMAIN", spare=2),
            Column("WINDOW", spare=4),
            Column("ITERATION", spare=5),
            Column("MAY START", spare=3),
            Column("STATE"),
            Column("RESULT", spare=1),
            Column("MESSAGE", folds=True),
        ]
        print_table(call.console, columns, [_member_row(m) for m in members])


def show_instance(call: Call, included: Included, name: str) -> None:
    """One instance: the seven names as they are on the pod, and how far it is.

    Raises:
        NotThere: the set has no such instance.
    """
    member = included.member(name)
    if member is None:
        meta = included.scale_set.metadata
        line = f"ScaleSet {meta.namespace}/{meta.name} has no instance {name} in what was asked for"
        raise NotThere(line)
    if call.wants_data:
        call.print_data(member_data(member))
        return
    mark = member.mark
    window = included.windows.get(mark.window) if mark is not None else None
    facts = [
        ("Instance", name),
        ("Update domain", str(member.update_domain)),
        ("Window", f"{mark.window}, iteration {mark.iteration}" if mark is not None else NOTHING),
        ("State", state_of(member)),
    ]
    zone = zone_of(window)
    for key, value in said_by(member).items():
        at = key.endswith("Time")
        facts.append(
            (key, calendar_time(datetime.fromisoformat(value), zone) if at else str(value))
        )
    print_facts(call.console, facts)


def _facts(window: MaintenanceWindow, now: datetime) -> Iterator[Fact]:
    """What is true of a window for every set."""
    meta, zone, spec = window.metadata, zone_of(window), window.spec
    yield "Window", f"{meta.namespace}/{meta.name}"
    yield (
        "Impact",
        f"{spec.impact}{', URGENT: less notice than is due' if is_urgent(window) else ''}",
    )
    if spec.suspend:
        yield "Suspended", "nothing new starts"
    found = current(window, now)
    yield "Phase", _phase(window, found, now)
    if found is not None:
        yield (
            "Iteration",
            f"{found.iteration}, announced {calendar_time(found.announced_time, zone)}",
        )
        if found.pre_start_time is not None and found.pre_end_time is not None:
            opens, closes = found.pre_start_time, found.pre_end_time
            yield "Self-service", f"{calendar_time(opens, zone)} to {calendar_time(closes, zone)}"
        opens, closes = found.start_time, found.end_time
        yield "Scheduled", f"{calendar_time(opens, zone)} to {calendar_time(closes, zone)}"
    for missed in window.status.missed[:1]:
        at = calendar_time(missed.start_time, zone)
        yield "Missed", f"{at}: {missed.reason}: {missed.message}"
    turn = window.status.pair_turn
    if turn is not None:
        yield "Pair", f"{turn.holder} has its turn ({turn.state})"


def _phase(window: MaintenanceWindow, found: AnnouncedOccurrence | None, now: datetime) -> str:
    """Which window is open by the clock, and when that changes (V-11)."""
    if found is None:
        said = _condition(window, "Announced") or _condition(window, "Ready")
        word = f": {said.reason}: {said.message}" if said is not None else ""
        return f"nothing is announced{word}"
    occurrence = occurrence_of(found)
    phase = active_window(occurrence, now)
    word = "announced, none is open" if phase is ActiveWindow.NONE else f"{phase} is open"
    edge = next_transition(occurrence, now)
    return f"{word}; changes {when(edge, now)}" if edge is not None else word


def _condition(window: MaintenanceWindow, kind: str) -> Condition | None:
    return next((c for c in window.status.conditions if c.type == kind), None)


def _of_all(window: MaintenanceWindow, now: datetime) -> Iterator[Fact]:
    """How far it is in all sets together."""
    status = window.status
    yield "Instances", _counts(status.instances)
    if status.current_update_domain is not None:
        yield "Update domain", str(status.current_update_domain)
    if status.last_operation is not None:
        yield "Last operation", _operation(status.last_operation, now)
    nodes = _condition(window, NODE_WORK)
    if nodes is not None:
        yield "Nodes", f"{nodes.reason}: {nodes.message}"
    progress = _condition(window, "Progressing")
    if progress is not None:
        yield "Progress", f"{progress.reason}: {progress.message}"


def _of_iteration(row: SetIteration | None, now: datetime) -> Iterator[Fact]:
    """How far it is in one set."""
    if row is None:
        yield "Instances", "none is included yet"
        return
    counts = InstanceCounts(
        targeted=row.targeted,
        pending=row.pending,
        in_progress=row.in_progress,
        completed=row.completed,
        aborted=row.aborted,
    )
    asked = f"; {row.asked} asked for by their owners" if row.asked else ""
    yield "Instances", f"{_counts(counts)}{asked}"
    if row.current_update_domain is not None:
        since = f", since {when(row.domain_since, now)}" if row.domain_since is not None else ""
        yield "Update domain", f"{row.current_update_domain}{since}"
    if row.stopped is not None:
        at = when(row.stopped.time, now)
        yield "Stopped", f"{row.stopped.reason}: {row.stopped.message}, {at}"
    elif row.waits_for is not None:
        yield "Waits", f"{row.waits_for}: {row.message}"
    if row.last_operation is not None:
        yield "Last operation", _operation(row.last_operation, now)


def _counts(counts: InstanceCounts) -> str:
    return (
        f"{counts.targeted} included: {counts.pending} pending, {counts.in_progress} in progress, "
        f"{counts.completed} completed, {counts.aborted} aborted"
    )


def _operation(last: LastOperation, now: datetime) -> str:
    words = f": {last.last_operation_message}" if last.last_operation_message else ""
    return f"{last.instance} {last.last_operation_result_code}{words}, {when(last.time, now)}"


def _member_row(member: Member) -> list[Any]:
    mark, said = member.mark, member.said
    allowed = said.is_customer_initiated_maintenance_allowed
    return [
        member.name,
        member.update_domain,
        mark.window if mark is not None else NOTHING,
        mark.iteration if mark is not None else NOTHING,
        NOTHING if allowed is None else ("yes" if allowed else "no"),
        state_of(member).partition(":")[0],
        str(said.last_operation_result_code or NOTHING),
        said.last_operation_message or state_of(member).partition(": ")[2],
    ]
