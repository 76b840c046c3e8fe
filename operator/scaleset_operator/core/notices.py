"""What audiences are told of a maintenance: a CloudEvent for each notice, and who has had it.

Must not know: where an audience is reached, or when it is tried again.
"""

from collections.abc import Iterable
from typing import Any, Final

from scaleset_operator.api.base import API_VERSION, format_time
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import NoticeKind, PendingNotice

SPEC_VERSION: Final = "1.0"
TYPE: Final = "dev.scaleset.maintenance"
PLURAL: Final = "maintenancewindows"


def event_of(window: MaintenanceWindow, notice: PendingNotice) -> dict[str, Any]:
    """A notice as a CloudEvent; the same one has the same id, however often it is sent (V-24).

    Times are there as long as the iteration is announced, counts while it is the present one.
    """
    meta, status = window.metadata, window.status
    times = next((o for o in status.announced if o.iteration == notice.iteration), None)
    data: dict[str, Any] = {
        "kind": str(notice.kind),
        "window": meta.name,
        "namespace": meta.namespace,
        "iteration": notice.iteration,
        "impact": str(window.spec.impact),
        "urgent": window.spec.urgent,
        "message": notice.message,
    }
    if times is not None:
        data["times"] = times.model_dump(mode="json", by_alias=True, exclude_none=True)
    if status.iteration == notice.iteration:
        data["instances"] = status.instances.model_dump(mode="json", by_alias=True)
    return {
        "specversion": SPEC_VERSION,
        "id": f"{meta.uid}/{notice.iteration}/{notice.kind}",
        "type": f"{TYPE}.{notice.kind}",
        "source": f"/apis/{API_VERSION}/namespaces/{meta.namespace}/{PLURAL}/{meta.name}",
        "subject": meta.name,
        "time": format_time(notice.time),
        "datacontenttype": "application/json",
        "data": data,
    }


def delivered(
    notices: Iterable[PendingNotice], had: Iterable[tuple[NoticeKind, int, str]]
) -> tuple[PendingNotice, ...]:
    """Those that somebody has not had yet.

    Args:
        notices: as recorded.
        had: kind, iteration and audience of each that was delivered, or given up.
    """
    gone = set(had)
    left = (
        notice.model_copy(
            update={
                "audiences": tuple(
                    name
                    for name in notice.audiences
                    if (notice.kind, notice.iteration, name) not in gone
                )
            }
        )
        for notice in notices
    )
    return tuple(notice for notice in left if notice.audiences)
