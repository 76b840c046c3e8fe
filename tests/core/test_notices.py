"""What audiences are told of a maintenance, and who has had it."""

from __future__ import annotations

from typing import Any

import orjson

from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import NoticeKind, PendingNotice
from scaleset_operator.core.notices import delivered, event_of
from tests.cli.maintained import WINDOW_UID, window
from tests.support.fake_clock import T0

SOURCE = "/apis/scaleset.dev/v1alpha1/namespaces/default/maintenancewindows/host-patch-nov"


def notice(
    kind: str = "Announced", *audiences: str, iteration: int = 1, **fields: Any
) -> PendingNotice:
    return PendingNotice(
        kind=NoticeKind(kind),
        iteration=iteration,
        time=T0,
        audiences=audiences or ("default",),
        **fields,
    )


def of(changes: dict[str, Any] | None = None) -> MaintenanceWindow:
    return MaintenanceWindow.model_validate(window(changes))


def test_a_notice_is_a_cloud_event() -> None:
    """V-23, V-24: once for all instances, with the times and the counts."""
    counts = {"status.iteration": 1, "status.instances": {"targeted": 40, "pending": 28}}
    event = event_of(of(counts), notice(message="from 2026-11-20T00:00:00Z"))
    assert event == {
        "specversion": "1.0",
        "id": f"{WINDOW_UID}/1/Announced",
        "type": "dev.scaleset.maintenance.Announced",
        "source": SOURCE,
        "subject": "host-patch-nov",
        "time": "2026-11-21T08:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "kind": "Announced",
            "window": "host-patch-nov",
            "namespace": "default",
            "iteration": 1,
            "impact": "Redeploy",
            "urgent": False,
            "message": "from 2026-11-20T00:00:00Z",
            "times": {
                "iteration": 1,
                "announcedTime": "2026-10-21T00:00:00Z",
                "preStartTime": "2026-11-20T00:00:00Z",
                "preEndTime": "2026-11-27T00:00:00Z",
                "startTime": "2026-11-27T02:00:00Z",
                "endTime": "2026-11-27T08:00:00Z",
                "sharePercent": 100,
            },
            "instances": {
                "targeted": 40,
                "pending": 28,
                "inProgress": 0,
                "completed": 0,
                "aborted": 0,
            },
        },
    }
    assert orjson.loads(orjson.dumps(event)) == event


def test_the_same_notice_has_the_same_id_and_another_has_another() -> None:
    """V-24: a receiver can tell that it has had it."""
    told = [
        event_of(of({"spec.urgent": urgent}), notice(kind, iteration=number))["id"]
        for urgent in (False, True)
        for kind in NoticeKind
        for number in (1, 2)
    ]
    assert told[: len(told) // 2] == told[len(told) // 2 :]
    assert len(set(told)) == len(told) / 2


def test_of_one_that_is_over_there_are_no_times_and_of_another_no_counts() -> None:
    data = event_of(of({"status.iteration": 2}), notice("Ended", iteration=3))["data"]
    assert not {"times", "instances"} & data.keys()


def test_urgency_is_said() -> None:
    """V-01."""
    assert event_of(of({"spec.urgent": True}), notice())["data"]["urgent"] is True


def test_who_has_had_it_is_taken_out_and_nobody_else() -> None:
    """V-24."""
    before = (
        notice("Announced", "a", "b"),
        notice("Started", "a"),
        notice("Announced", "a", iteration=2),
    )
    left = delivered(before, [(NoticeKind.ANNOUNCED, 1, "a"), (NoticeKind.STARTED, 1, "b")])
    assert left == (notice("Announced", "b"), *before[1:])
    assert delivered(left, [(NoticeKind.ANNOUNCED, 1, "b")]) == before[1:]
    assert delivered(before, []) == before
