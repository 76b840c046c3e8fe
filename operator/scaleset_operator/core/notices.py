"""What audiences outside of the cluster are told of maintenance: one CloudEvent for each phase.

One for an audience and a phase, not one for an instance (V-24). Must not know who is told, or how.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final

from scaleset_operator.api.base import API_VERSION, format_time
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import AnnouncedOccurrence, PendingNotice

SPEC_VERSION: Final = "1.0"
TYPE_PREFIX: Final = "dev.scaleset.maintenance."


def event_of(window: MaintenanceWindow, notice: PendingNotice) -> dict[str, Any]:
    """The CloudEvent of a notice.

    Source and id together name one event for ever: the id holds the window's UID, and stays the
    same however often the event is sent.
    """
    meta, counts = window.metadata, notice.instances
    found = (o for o in window.status.announced if o.iteration == notice.iteration)
    return {
        "specversion": SPEC_VERSION,
        "id": f"{meta.uid}/{notice.iteration}/{notice.kind}",
        "source": f"/apis/{API_VERSION}/namespaces/{meta.namespace}/maintenancewindows/{meta.name}",
        "type": f"{TYPE_PREFIX}{notice.kind.lower()}",
        "subject": f"{meta.namespace}/{meta.name}",
        "time": format_time(notice.time),
        "datacontenttype": "application/json",
        "data": {
            "namespace": meta.namespace,
            "window": meta.name,
            "iteration": notice.iteration,
            "kind": str(notice.kind),
            "impact": str(window.spec.impact),
            "urgent": window.spec.urgent,
            "message": notice.message,
            "scaleSets": dict(window.spec.scale_set_selector.match_labels),
            **({} if counts is None else {"instances": counts.model_dump(by_alias=True)}),
            **_times(next(found, None)),
        },
    }


def _times(one: AnnouncedOccurrence | None) -> dict[str, str]:
    """The four times, under the names of the source; none where it is over."""
    if one is None:
        return {}
    times = {
        "preMaintenanceWindowStartTime": one.pre_start_time,
        "preMaintenanceWindowEndTime": one.pre_end_time,
        "maintenanceWindowStartTime": one.start_time,
        "maintenanceWindowEndTime": one.end_time,
    }
    return {name: format_time(at) for name, at in times.items() if at is not None}


def audiences_of(notices: Iterable[PendingNotice]) -> tuple[str, ...]:
    """Whoever has not had all of them, each once."""
    return tuple(dict.fromkeys(a for one in notices for a in one.audiences))


def next_for(
    audience: str, notices: Iterable[PendingNotice], done: Collection[tuple[str, str]]
) -> PendingNotice | None:
    """What an audience is told next: the oldest that it has not had; None where it had all.

    Args:
        audience: whoever is asked for.
        notices: as recorded, oldest first.
        done: (what `name_of` gives, audience) of those that were told, or given up.
    """
    waits = (one for one in notices if audience in one.audiences)
    return next((one for one in waits if (name_of(one), audience) not in done), None)


def delivered(
    notices: tuple[PendingNotice, ...], done: Collection[tuple[str, str]]
) -> tuple[PendingNotice, ...]:
    """What is still to be told.

    Args:
        notices: as recorded.
        done: (what `name_of` gives, audience) of those that were told, or given up.
    """
    left = [
        one.model_copy(
            update={"audiences": tuple(a for a in one.audiences if (name_of(one), a) not in done)}
        )
        for one in notices
    ]
    return tuple(one for one in left if one.audiences)


def name_of(notice: PendingNotice) -> str:
    """What tells one notice of a window from another."""
    return f"{notice.iteration}/{notice.kind}"
