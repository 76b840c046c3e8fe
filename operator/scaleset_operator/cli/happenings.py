"""What happens to sets: closed repairs, those in flight, what waits, and Events, newest first.

Chooses nothing; every row is a record of the operator's. Events may be missing: they last an hour,
and not everybody may read them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from scaleset_operator.api.base import REASON_TEXT, Reason, format_time
from scaleset_operator.api.ledger import RepairResult
from scaleset_operator.api.scalesetstatus import RepairDecision
from scaleset_operator.cli.access import Access
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.failures import Forbidden
from scaleset_operator.cli.kinds import EVENTS
from scaleset_operator.cli.ports import Json
from scaleset_operator.cli.printing import Column, coloured, moment, print_table, span
from scaleset_operator.cli.standing import Standing, of_all, of_one

IN_PROGRESS: Final = "InProgress"
NONE: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One row.

    Attributes:
        at: when it began, or was last seen.
        stands: whether it goes on now; such a one is never too old.
    """

    scale_set: str
    at: datetime
    instance: str
    action: str
    result: str
    cause: str
    took: timedelta | None = None
    replacement: str | None = None
    stands: bool = False


async def gather(
    access: Access, namespace: str | None, name: str | None, now: datetime
) -> list[Happening]:
    """Everything about one set, or about all of a namespace (None: of all), newest first."""
    if name is None:
        sets = await of_all(access, namespace)
    else:
        sets = [await of_one(access, namespace or access.namespace, name)]
    known = {(s.resource.metadata.namespace, s.resource.metadata.name) for s in sets}
    rows = [row for one in sets for row in _of_set(one, now)]
    for event in await _events(access, namespace, name):
        about = event.get("involvedObject") or {}
        if (about.get("namespace"), about.get("name")) in known:
            rows.append(_of_event(event, now))
    return sorted(rows, key=lambda row: row.at, reverse=True)


async def _events(access: Access, namespace: str | None, name: str | None) -> list[Json]:
    fields = "involvedObject.kind=ScaleSet"
    try:
        of_one_set = f",involvedObject.name={name}" if name else ""
        return await access.items(EVENTS, namespace, fields=fields + of_one_set)
    except Forbidden:
        return []


def _of_set(one: Standing, now: datetime) -> Iterator[Happening]:
    repairs, name = one.resource.status.repairs, one.resource.metadata.name
    for entry in repairs.in_flight:
        yield Happening(
            scale_set=name,
            at=entry.start_time,
            instance=entry.instance,
            action=entry.action,
            result=IN_PROGRESS,
            took=now - entry.start_time,
            cause=entry.cause,
            replacement=entry.replacement,
            stands=True,
        )
    for record in repairs.history:
        fine = record.result is RepairResult.SUCCEEDED or record.reason is None
        yield Happening(
            scale_set=name,
            at=record.start_time,
            instance=record.instance,
            action=record.action,
            result=record.result,
            took=record.end_time - record.start_time,
            cause=record.cause if fine else f"{record.cause}; {record.reason}",
            replacement=record.replacement,
        )
    yield from _waiting(one, now)


def _waiting(one: Standing, now: datetime) -> Iterator[Happening]:
    """Decisions not to repair, as they stand."""
    for row in one.resource.status.unhealthy_instances:
        if row.repair_decision is RepairDecision.REPAIRING:
            continue
        code = next((r for r in Reason if r == row.reason), None)
        text = f"{row.reason}: {REASON_TEXT[code]}" if code else row.reason
        until = f" Until {format_time(row.eligible_time)}." if row.eligible_time else ""
        yield Happening(
            scale_set=one.resource.metadata.name,
            at=row.since_time or now,
            instance=row.name,
            action=NONE,
            result=row.repair_decision,
            took=now - row.since_time if row.since_time else None,
            cause=f"{text}{until}",
            stands=True,
        )


def _of_event(event: Json, now: datetime) -> Happening:
    series = event.get("series") or {}
    times = (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime"))
    last = next((datetime.fromisoformat(text) for text in times if text), now)
    count = int(series.get("count") or event.get("count") or 1)
    again = f" (x{count})" if count > 1 else ""
    return Happening(
        scale_set=event["involvedObject"]["name"],
        at=last,
        instance=NONE,
        action=NONE,
        result="Warning" if event.get("type") == "Warning" else "Event",
        cause=f"{event.get('reason', '')}: {event.get('message', '')}{again}",
    )


def as_data(row: Happening) -> dict[str, Any]:
    """One row for scripts."""
    return {
        "time": format_time(row.at),
        "scaleSet": row.scale_set,
        "instance": None if row.instance == NONE else row.instance,
        "action": None if row.action == NONE else row.action,
        "result": str(row.result),
        "tookSeconds": None if row.took is None else int(row.took.total_seconds()),
        "cause": row.cause,
        "replacement": row.replacement,
    }


def show(call: Call, found: list[Happening], back: timedelta | None) -> None:
    """Print them.

    Args:
        call: of the command.
        found: newest first.
        back: how far; what still stands is shown whatever its age.
    """
    now = call.entrance.now()
    rows = [row for row in found if back is None or row.stands or row.at >= now - back]
    if call.wants_data:
        call.print_data({"items": [as_data(row) for row in rows]})
        return
    if not rows:
        call.console.print("Nothing has happened, as far as is known.")
        return
    columns = [
        Column("TIME"),
        Column("SET", spare=4),
        Column("INSTANCE"),
        Column("ACTION", spare=3),
        Column("RESULT"),
        Column("TOOK", spare=2),
        Column("REPLACEMENT", spare=1),
        Column("CAUSE", folds=True),
    ]
    print_table(call.console, columns, [_cells(row, now) for row in rows])


def _cells(row: Happening, now: datetime) -> list[Any]:
    return [
        moment(row.at, now),
        row.scale_set,
        row.instance,
        row.action,
        coloured(row.result),
        NONE if row.took is None else span(row.took),
        row.replacement or NONE,
        row.cause,
    ]
