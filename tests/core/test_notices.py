"""What audiences are told: one event for each phase, that names itself and nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from scaleset_operator.api.base import API_VERSION
from scaleset_operator.api.maintenancewindow import MaintenanceWindow
from scaleset_operator.api.windowledger import (
    AnnouncedOccurrence,
    InstanceCounts,
    NoticeKind,
    PendingNotice,
)
from scaleset_operator.core.announcement import Announcements
from scaleset_operator.core.notices import audiences_of, delivered, event_of, next_for
from scaleset_operator.core.windowwords import Present, due
from tests.api.manifests import WINDOW, manifest
from tests.support.fake_clock import T0

DAY: Final = timedelta(days=1)
FOUR: Final = [
    "preMaintenanceWindowStartTime",
    "preMaintenanceWindowEndTime",
    "maintenanceWindowStartTime",
    "maintenanceWindowEndTime",
]


def window(uid: str = "uid-1", **status: object) -> MaintenanceWindow:
    made = MaintenanceWindow.model_validate(manifest(WINDOW))
    meta = made.metadata.model_copy(update={"uid": uid, "namespace": "shop", "name": "patch"})
    said = made.status.model_copy(update=status)
    return made.model_copy(update={"metadata": meta, "status": said})


def occurrence(iteration: int, day: int) -> AnnouncedOccurrence:
    start = T0 + day * DAY
    return AnnouncedOccurrence(
        iteration=iteration,
        announced_time=T0,
        pre_start_time=start,
        pre_end_time=start + DAY,
        start_time=start + DAY,
        end_time=start + 2 * DAY,
    )


def notice(kind: NoticeKind = NoticeKind.ENDED, iteration: int = 1, *who: str) -> PendingNotice:
    return PendingNotice(kind=kind, iteration=iteration, time=T0, audiences=who)


def test_source_and_id_name_one_event_of_one_window_for_ever() -> None:
    """V-24: by the CloudEvents specification both together are unique for each event."""
    event = event_of(window(), notice())
    source = f"/apis/{API_VERSION}/namespaces/shop/maintenancewindows/patch"
    assert event["source"] == source
    assert event["specversion"] == "1.0"
    assert event["time"] == "2026-11-21T08:00:00Z"
    assert event["subject"] == "shop/patch"
    told = [
        event_of(of, notice(kind, number))
        for of in (window("uid-1"), window("uid-2"))
        for kind in NoticeKind
        for number in (1, 2)
    ]
    names = {(one["source"], one["id"]) for one in told}
    assert len(names) == len(told), "also where a window is made anew under its name"
    assert {one["type"] for one in told} == {
        f"dev.scaleset.maintenance.{kind.lower()}" for kind in NoticeKind
    }


def test_what_is_sent_again_is_the_same_however_the_window_has_moved_on() -> None:
    """V-24: a receiver may take either for the other."""
    counts = InstanceCounts(targeted=4, completed=3, aborted=1)
    told = notice().model_copy(update={"instances": counts})
    first = event_of(window(), told)
    later = InstanceCounts(targeted=40, pending=40)
    again = event_of(window(instances=later, iteration=2, announced=(occurrence(2, 7),)), told)
    assert again == first
    assert first["data"]["instances"]["completed"] == 3


def test_an_event_names_the_times_of_its_own_iteration() -> None:
    """V-23: an announcement of the next is none of the present one."""
    both = window(announced=(occurrence(1, 1), occurrence(2, 8)))
    data = event_of(both, notice(NoticeKind.ANNOUNCED, 2))["data"]
    assert [data[name] for name in FOUR] == [f"2026-11-{n}T08:00:00Z" for n in (29, 30)] + [
        f"2026-{n}T08:00:00Z" for n in ("11-30", "12-01")
    ]
    assert not event_of(both, notice(iteration=7))["data"].keys() & set(FOUR)


def test_a_result_counts_the_instances_of_its_own_iteration() -> None:
    """V-26: also where the next iteration is the present one already."""
    over, ahead = occurrence(1, -3), occurrence(2, 7)
    plan = Announcements(occurrences=(ahead,), new=(ahead,), over=(over,), last_iteration=2)
    present = Present(occurrence=ahead, rows=(), now=T0)
    counts = InstanceCounts(targeted=4, completed=4)
    new, had = due(window(iteration=1), plan, present, [(over, counts)], T0)
    told = {(n.kind, n.iteration): n.instances for n in new}
    assert told == {
        (NoticeKind.ENDED, 1): counts,
        (NoticeKind.ANNOUNCED, 2): None,
    }
    assert had == (NoticeKind.ANNOUNCED,)
    events = [event_of(window(iteration=2, announced=(ahead,)), n)["data"] for n in new]
    assert [e.get("instances", {}).get("completed") for e in events] == [None, 4]


def test_each_audience_has_the_oldest_first_and_what_it_had_is_left_out() -> None:
    """V-23, V-24."""
    first = notice(NoticeKind.ANNOUNCED, 1, "default", "shop")
    second = notice(NoticeKind.STARTED, 1, "shop")
    both = (first, second)
    assert audiences_of(both) == ("default", "shop")
    assert next_for("shop", both, ()) == first
    assert next_for("shop", both, {("1/Announced", "shop")}) == second
    assert next_for("default", both, {("1/Announced", "default")}) is None
    left = delivered(both, {("1/Announced", "shop")})
    assert [n.audiences for n in left] == [("default",), ("shop",)]
    assert delivered(both, {("1/Announced", "shop"), ("1/Started", "shop")}) == (
        notice(NoticeKind.ANNOUNCED, 1, "default"),
    )
