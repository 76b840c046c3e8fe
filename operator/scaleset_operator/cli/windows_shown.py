"""How MaintenanceWindows are shown: local times with UTC beside them, and everything as data.

Must not know: how a calendar is made.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from scaleset_operator.api.base import format_time
from scaleset_operator.api.durations import format_duration
from scaleset_operator.api.maintenancestatus import ActiveWindow
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.cli.calendar_times import calendar_time
from scaleset_operator.cli.call import Call
from scaleset_operator.cli.printing import Column, print_facts, print_table, span, when
from scaleset_operator.cli.windows import Foreseen, Preview, Standing, is_urgent, zone_of
from scaleset_operator.core.calendar import LeftOut
from scaleset_operator.core.schedule import Span

NOTHING: Final = "-"
NO_TIME: Final = timedelta(0)
MOST_LEFT_OUT: Final = 50
"""In a table: one blackout date may leave out a window every five minutes."""


def show_preview(call: Call, preview: Preview) -> None:
    """One window: what it says, then each occurrence in a row."""
    if call.wants_data:
        call.print_data(_preview_data(preview))
        return
    zone = zone_of(preview.window)
    first = next((_begin(item) for item in preview.items), None)
    print_facts(call.console, _facts(preview.window, zone, first))
    if first is None:
        call.console.print("Nothing is to come: the window is over.")
        return
    columns = [
        Column("ANNOUNCED", spare=4),
        Column("SELF-SERVICE", spare=1),
        Column("UNTIL", spare=2),
        Column("SCHEDULED"),
        Column("UNTIL", spare=3),
        Column("NOTE", folds=True),
    ]
    left_out = [item for item in preview.items if isinstance(item, LeftOut)]
    hidden = frozenset(left_out[MOST_LEFT_OUT:])
    rows = [_row(item, preview, zone) for item in preview.items if item not in hidden]
    print_table(call.console, columns, rows)
    if hidden:
        call.console.print(f"{len(hidden)} more are left out.")


def _begin(item: Foreseen | LeftOut) -> datetime:
    return item.scheduled.start if isinstance(item, LeftOut) else item.occurrence.start


def _facts(
    window: MaintenanceWindow, zone: tzinfo | None, first: datetime | None
) -> list[tuple[str, str]]:
    meta, spec = window.metadata, window.spec
    notice = f"{format_duration(spec.notify_before)} before the first window"
    labels = ", ".join(f"{k}={v}" for k, v in sorted(spec.scale_set_selector.match_labels.items()))
    facts = [
        ("Window", f"{meta.namespace or 'default'}/{meta.name}"),
        ("Sets", labels),
        ("Impact", str(spec.impact)),
        ("Announced", f"{notice}{'; URGENT: less than is due' if is_urgent(window) else ''}"),
        ("Times", _zone_name(zone, first)),
    ]
    if spec.recurring is not None:
        facts.insert(3, ("Schedule", spec.recurring.schedule))
    if spec.suspend:
        facts.append(("Suspended", "nothing new starts"))
    return facts


def _zone_name(zone: tzinfo | None, first: datetime | None) -> str:
    """Whose clocks the times are told by."""
    if first is None:
        return str(zone or "UTC")
    if not first.astimezone(zone).utcoffset():
        return str(zone or first.astimezone().tzname())
    return f"{zone or first.astimezone().tzname()}, with UTC behind them"


def _row(item: Foreseen | LeftOut, preview: Preview, zone: tzinfo | None) -> list[Any]:
    if isinstance(item, LeftOut):
        nothing = [NOTHING, NOTHING, NOTHING]
        note = f"left out: it touches the blackout date {item.blackout}"
        return [*nothing, *_from_to(item.scheduled, zone), note]
    occurrence = item.occurrence
    return [
        calendar_time(item.announced, zone) if item.held else NOTHING,
        *_from_to(occurrence.self_service, zone),
        *_from_to(occurrence.scheduled, zone),
        _note(item, preview),
    ]


def _note(item: Foreseen, preview: Preview) -> str:
    notes = ["urgent"] if is_urgent(preview.window) else []
    if item.short:
        due = format_duration(preview.window.spec.notify_before)
        left = item.occurrence.start - item.announced
        said = f"{span(left)} of notice, not {due}" if left > NO_TIME else "no notice"
        lost = "" if item.held else ": it does not take place"
        notes.append(f"{said}{lost}")
    return ", ".join(notes)


def _from_to(given: Span | None, zone: tzinfo | None) -> tuple[str, str]:
    if given is None:
        return NOTHING, NOTHING
    return calendar_time(given.start, zone), calendar_time(given.end, zone)


def show_list(call: Call, found: Sequence[Standing]) -> None:
    """All windows, one to a line."""
    if call.wants_data:
        call.print_data({"items": [_standing_data(one) for one in found]})
        return
    if not found:
        call.console.print("No MaintenanceWindows found.")
        return
    columns = [
        *([Column("NAMESPACE")] if call.everywhere else []),
        Column("NAME"),
        Column("IMPACT", spare=3),
        Column("OPEN"),
        Column("CHANGES", spare=1),
        Column("SCHEDULED", spare=2),
        Column("READY", spare=4),
        Column("NOTE", folds=True),
    ]
    now = call.entrance.now()
    rows = [_standing_row(one, now, everywhere=call.everywhere) for one in found]
    print_table(call.console, columns, rows)


def _standing_row(one: Standing, now: datetime, *, everywhere: bool) -> list[Any]:
    coming = one.next
    return [
        *([one.namespace] if everywhere else []),
        one.name,
        str(one.window.spec.impact) if one.window is not None else NOTHING,
        NOTHING if one.open is ActiveWindow.NONE else str(one.open),
        when(one.changes, now) if one.changes is not None else NOTHING,
        calendar_time(coming.scheduled.start, zone_of(one.window))
        if coming is not None
        else NOTHING,
        one.ready,
        _standing_note(one),
    ]


def _standing_note(one: Standing) -> str:
    if one.fault or one.window is None:
        return one.fault
    notes = [
        word
        for word, holds in (
            ("urgent", is_urgent(one.window)),
            ("suspended", one.window.spec.suspend),
            ("nothing is to come", one.next is None),
        )
        if holds
    ]
    return ", ".join(notes)


def _preview_data(preview: Preview) -> dict[str, Any]:
    meta, spec = preview.window.metadata, preview.window.spec
    zone = spec.recurring.time_zone if spec.recurring is not None else "UTC"
    return {
        "namespace": meta.namespace or "default",
        "name": meta.name,
        "impact": str(spec.impact),
        "timeZone": zone,
        "urgent": is_urgent(preview.window),
        "suspend": spec.suspend,
        "items": [_foreseen_data(item) for item in preview.items if not isinstance(item, LeftOut)],
        "leftOut": [
            {"scheduled": _span_data(item.scheduled), "blackoutDate": item.blackout.isoformat()}
            for item in preview.items
            if isinstance(item, LeftOut)
        ],
    }


def _foreseen_data(item: Foreseen) -> dict[str, Any]:
    return {
        "announcedTime": format_time(item.announced) if item.held else None,
        "noticeIsShort": item.short,
        "takesPlace": item.held,
        "selfService": _span_data(item.occurrence.self_service),
        "scheduled": _span_data(item.occurrence.scheduled),
    }


def _span_data(given: Span | None) -> dict[str, str] | None:
    if given is None:
        return None
    return {"startTime": format_time(given.start), "endTime": format_time(given.end)}


def _standing_data(one: Standing) -> dict[str, Any]:
    coming = one.next
    return {
        "namespace": one.namespace,
        "name": one.name,
        "activeWindow": str(one.open),
        "nextTransitionTime": format_time(one.changes) if one.changes is not None else None,
        "selfService": _span_data(coming.self_service) if coming is not None else None,
        "scheduled": _span_data(coming.scheduled) if coming is not None else None,
        "ready": one.ready,
        "fault": one.fault or None,
        "urgent": one.window is not None and is_urgent(one.window),
        "suspend": one.window is not None and one.window.spec.suspend,
    }
