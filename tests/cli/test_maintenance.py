"""`maintenance preview` and `list`: the calendar as people and programs see it."""

from __future__ import annotations

import io
import json
import re
import time
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic import ValidationError

from scaleset_operator.api.maintenancestatus import MaintenanceWindowStatus
from scaleset_operator.api.maintenancewindow import MaintenanceWindowSpec
from scaleset_operator.cli.kinds import MAINTENANCE_WINDOWS
from scaleset_operator.core.announcement import announce
from scaleset_operator.core.calendar import announcement_of, occurrences
from scaleset_operator.core.schedule import ScheduleError
from tests.api.manifests import ABSENT, ONCE, WINDOW, manifest
from tests.api.refused_others import recurring
from tests.support.fake_plugin import FakeEntrance

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scaleset_operator.api.windowledger import AnnouncedOccurrence

NOT_YET = {
    "type": "Ready",
    "status": "False",
    "reason": "NotYetSupported",
    "lastTransitionTime": "2026-11-21T08:00:00Z",
}
NOW = FakeEntrance().now()


def window(
    changes: dict[str, Any] | None = None,
    *,
    name: str = "monthly",
    namespace: str = "default",
    announced: bool = True,
) -> dict[str, Any]:
    """A recurring one; dotted paths say what differs.

    What was due is announced: an operator has seen to it in time, unless it was made just now.
    """
    body = manifest(WINDOW, name=name, changes=recurring() | (changes or {}))
    body["metadata"]["namespace"] = namespace
    if announced:
        rows = [
            one.model_dump(mode="json", by_alias=True, exclude_none=True)
            for one in announced_in_time(body)
        ]
        body.setdefault("status", {})["announced"] = rows
    return body


def announced_in_time(body: dict[str, Any]) -> tuple[AnnouncedOccurrence, ...]:
    status = MaintenanceWindowStatus()
    try:
        spec = MaintenanceWindowSpec.model_validate(body["spec"])
        for one in takewhile(lambda o: announcement_of(o, spec) <= NOW, occurrences(spec, NOW)):
            found = announce(spec, status, announcement_of(one, spec)).occurrences
            status = status.model_copy(update={"announced": found})
    except (ScheduleError, ValidationError):
        return ()
    return status.announced


def cluster(*windows: dict[str, Any]) -> FakeEntrance:
    """A cluster with these windows."""
    entrance = FakeEntrance()
    for body in windows:
        entrance.add(MAINTENANCE_WINDOWS, body)
    return entrance


def previewed(body: dict[str, Any], *words: str, **env: str) -> str:
    return cluster(body).run("maintenance", "preview", "monthly", *words, env=env).stdout


def rows(shown: str) -> list[str]:
    """The lines of the table below its head."""
    return shown.partition("ANNOUNCED")[2].splitlines()[1:]


@pytest.fixture
def zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield "Asia/Tokyo"
    monkeypatch.undo()
    time.tzset()


# --- preview -----------------------------------------------------------------------------------


def test_each_occurrence_is_a_row_by_the_windows_clocks_with_utc_beside_them() -> None:
    """M-23, V-08."""
    shown = previewed(window(), "--count", "4")
    assert re.search(r"^Times +Europe/Amsterdam, with UTC behind them *$", shown, re.MULTILINE)
    assert re.search(r"^Schedule +0 2 \* \* TUE#2 *$", shown, re.MULTILINE)
    first, *_, last = rows(shown)
    assert re.split(r" {2,}", first.strip()) == [
        "Sat 2026-10-31 02:00 (01:00Z)",
        "Tue 2026-12-01 02:00 (01:00Z)",
        "Tue 2026-12-08 02:00 (01:00Z)",
        "Tue 2026-12-08 02:00 (01:00Z)",
        "Tue 2026-12-08 06:00 (05:00Z)",
    ]
    assert len(rows(shown)) == 4
    assert "Tue 2027-03-09 02:00 (01:00Z)" in last


def test_the_day_of_utc_is_told_where_it_is_another() -> None:
    changes = {"spec.recurring.schedule": "30 0 * * *", "spec.recurring.selfServiceLead": "PT1H"}
    assert "2026-11-22 00:30 (Sat 23:30Z)" in previewed(window(changes), "--count", "1")


def test_five_are_shown_and_by_count_as_many_as_wanted() -> None:
    assert len(rows(previewed(window()))) == 5
    assert len(rows(previewed(window(), "--count", "50"))) == 50
    for wrong in ("0", "51", "x"):
        cluster(window()).run("maintenance", "preview", "monthly", "--count", wrong, code=2)


def test_fixed_times_are_told_by_the_clocks_of_the_reader(zone_of_the_machine: str) -> None:
    body = window({"spec.recurring": ABSENT, "spec.once": ONCE})
    shown = previewed(body, TZ=zone_of_the_machine)
    assert re.search(r"^Times +JST, with UTC behind them *$", shown, re.MULTILINE)
    (row,) = rows(shown)
    assert "Fri 2026-11-27 11:00 (02:00Z)" in row
    assert "Fri 2026-11-20 09:00 (00:00Z)" in row


def test_what_is_left_out_is_a_row_with_its_reason() -> None:
    shown = previewed(window({"spec.recurring.blackoutDates": ["2027-01-12"]}), "--count", "2")
    first, left_out, second = rows(shown)
    assert "left out" not in first + second
    assert left_out.startswith("-")
    assert "Tue 2027-01-12 02:00" in left_out
    assert left_out.rstrip().endswith("left out: it touches the blackout date 2027-01-12")


def test_very_many_left_out_are_counted() -> None:
    frequent = recurring(
        schedule="*/10 * * * *",
        duration="PT5M",
        selfServiceLead="PT1H",
        timeZone="UTC",
        blackoutDates=["2026-11-22"],
    ) | {"spec.urgent": True, "spec.notifyBefore": "PT1H"}
    shown = previewed(window(frequent), "--count", "50")
    assert shown.count("left out: ") == 0
    frequent["spec.recurring.blackoutDates"] = ["2026-11-21"]
    shown = previewed(window(frequent), "--count", "1")
    assert shown.count("left out: ") == 50
    assert shown.rstrip().endswith("46 more are left out.")
    data = json.loads(previewed(window(frequent), "--count", "1", "-o", "json"))
    assert len(data["leftOut"]) == 96


NEXT_DAY = {"spec.recurring.schedule": "0 10 22 11 *"}
THIS_WEEK = {"spec.recurring.schedule": "0 2 28 11 *"}
PAUSE = {"spec.impact": "Pause", "spec.recurring.selfServiceLead": ABSENT}
URGENT = {"spec.urgent": True, "spec.notifyBefore": "P1D"}


@pytest.mark.parametrize(
    ("changes", "notes"),
    [
        ({}, ["9d of notice, not P30D: it does not take place", ""]),
        (THIS_WEEK, ["no notice: it does not take place", ""]),
        (URGENT, ["urgent"]),
        ({"spec.urgent": True}, ["9d of notice, not P30D"]),
        (URGENT | NEXT_DAY, ["urgent, no notice"]),
        (URGENT | NEXT_DAY | {"spec.recurring.selfServiceLead": "PT6H"}, ["urgent, 19h"]),
        (PAUSE, [""]),
    ],
)
def test_short_notice_and_urgency_are_said(changes: dict[str, Any], notes: list[str]) -> None:
    """V-01: what has too little notice left does not take place, and does not count."""
    shown = previewed(window(changes, announced=False), "--count", "1")
    found = [re.split(r"Z\)?", row)[-1].strip(" -") for row in rows(shown)]
    assert [f[: len(n)] if n else f for f, n in zip(found, notes, strict=True)] == notes
    assert ("URGENT" in shown) is ("urgent" in notes[0])


def test_what_was_announced_in_time_takes_place_and_stands_as_announced() -> None:
    """M-23, V-01: an edit moves nothing of it, and fills in around it."""
    body = window()
    body["spec"]["recurring"]["schedule"] = "0 5 * * TUE#2"
    items = json.loads(previewed(body, "--count", "2", "-o", "json"))["items"]
    assert [item["takesPlace"] for item in items] == [True, True]
    assert [item["scheduled"]["startTime"] for item in items] == [
        "2026-12-08T01:00:00Z",
        "2027-01-12T04:00:00Z",
    ]
    assert items[0]["announcedTime"] == "2026-10-31T01:00:00Z"


def test_programs_are_told_what_does_not_take_place() -> None:
    """V-01."""
    body = window(announced=False)
    late, held = json.loads(previewed(body, "--count", "1", "-o", "json"))["items"]
    assert (late["takesPlace"], late["noticeIsShort"], late["announcedTime"]) == (False, True, None)
    assert (held["takesPlace"], held["noticeIsShort"]) == (True, False)
    assert held["announcedTime"] == "2026-12-05T01:00:00Z"


def test_a_suspended_window_says_so() -> None:
    assert "nothing new starts" in previewed(window({"spec.suspend": True}))


def test_a_window_that_is_over_has_nothing_to_come() -> None:
    over = {
        "selfService": {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-02T00:00:00Z"},
        "scheduled": {"startTime": "2026-01-02T00:00:00Z", "endTime": "2026-01-03T00:00:00Z"},
    }
    body = window({"spec.recurring": ABSENT, "spec.once": over})
    assert "Nothing is to come: the window is over." in previewed(body)
    assert json.loads(previewed(body, "-o", "json"))["items"] == []


def test_programs_get_every_time_in_utc() -> None:
    body = window({"spec.recurring.blackoutDates": ["2026-12-08"]})
    data = yaml.safe_load(previewed(body, "--count", "1", "-o", "yaml"))
    assert data == {
        "namespace": "default",
        "name": "monthly",
        "impact": "Redeploy",
        "timeZone": "Europe/Amsterdam",
        "urgent": False,
        "suspend": False,
        "items": [
            {
                "announcedTime": "2026-12-05T01:00:00Z",
                "noticeIsShort": False,
                "takesPlace": True,
                "selfService": {
                    "startTime": "2027-01-05T01:00:00Z",
                    "endTime": "2027-01-12T01:00:00Z",
                },
                "scheduled": {
                    "startTime": "2027-01-12T01:00:00Z",
                    "endTime": "2027-01-12T05:00:00Z",
                },
            }
        ],
        "leftOut": [
            {
                "scheduled": {
                    "startTime": "2026-12-08T01:00:00Z",
                    "endTime": "2026-12-08T05:00:00Z",
                },
                "blackoutDate": "2026-12-08",
            }
        ],
    }


def test_where_owners_have_no_window_there_is_none() -> None:
    body = window({"spec.impact": "Pause", "spec.recurring.selfServiceLead": ABSENT})
    (item,) = json.loads(previewed(body, "--count", "1", "-o", "json"))["items"]
    assert item["selfService"] is None
    (row,) = rows(previewed(body, "--count", "1"))
    assert re.split(r" {2,}", row.strip())[1:3] == ["-", "-"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_loses_columns_and_not_the_scheduled_window(width: int) -> None:
    body = window({"spec.recurring.blackoutDates": ["2027-01-12"]})
    shown = previewed(body, COLUMNS=str(width))
    assert max(len(line.rstrip()) for line in shown.splitlines()) <= width
    assert "SCHEDULED" in shown
    assert "2026-12-08 02:00" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(("width", "kept"), [("60", False), ("80", True), ("200", True)])
def test_the_owners_window_stays_longer_than_the_notice(width: str, kept: bool) -> None:  # noqa: FBT001
    shown = previewed(window(), COLUMNS=width)
    head = next(line for line in shown.splitlines() if "SCHEDULED" in line)
    assert ("SELF-SERVICE" in head) is kept
    assert ("ANNOUNCED" in head) is (width == "200")


# --- preview of a file -------------------------------------------------------------------------


def written(folder: Path, *bodies: dict[str, Any]) -> str:
    file = folder / "windows.yaml"
    file.write_text(yaml.safe_dump_all(bodies))
    return str(file)


def of_file(file: str, *words: str, code: int = 0) -> Any:
    away = FakeEntrance(away="no cluster is needed")
    return away.run("maintenance", "preview", *words, "-f", file, code=code)


def test_a_file_needs_no_cluster(tmp_path: Path) -> None:
    body = manifest(WINDOW, name="monthly", changes=recurring())
    shown = of_file(written(tmp_path, body), "-n", "shop").stdout
    assert re.search(r"^Window +shop/monthly *$", shown, re.MULTILINE)
    assert "10d of notice, not P30D" not in rows(shown)[0], "the notice is counted from now on"
    assert "9d of notice, not P30D" in rows(shown)[0]


def test_standard_input_is_a_file_too(monkeypatch: pytest.MonkeyPatch) -> None:
    entrance = FakeEntrance(away="no cluster is needed")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    said = entrance.run("maintenance", "preview", "-f", "-", code=1).stderr
    assert said == "error: - has no MaintenanceWindow\n"


def test_of_several_one_is_named(tmp_path: Path) -> None:
    some = [manifest(WINDOW, name=name, changes=recurring()) for name in ("a", "b")]
    file = written(tmp_path, *some)
    assert "a, b: name the one that is meant" in of_file(file, code=1).stderr
    assert "it has a, b" in of_file(file, "c", code=1).stderr
    assert "/b" in of_file(file, "b").stdout


def test_dates_that_yaml_reads_as_such_are_understood(tmp_path: Path) -> None:
    file = tmp_path / "window.yaml"
    body = manifest(WINDOW, name="monthly", changes=recurring())
    text = yaml.safe_dump(body).replace(
        "duration: PT4H", "duration: PT4H\n    blackoutDates: [2026-12-08]"
    )
    file.write_text(text)
    assert "left out: it touches the blackout date 2026-12-08" in of_file(str(file)).stdout


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (recurring(schedule="0 25 * * *"), "spec.recurring.schedule is '0 25 * * *': bad hour"),
        (recurring(timeZone="Mars/X"), "spec.recurring.timeZone is 'Mars/X': no such time zone"),
        (recurring(duration="P8D"), "spec.recurring.duration is 'P8D': allowed are PT5M to P7D"),
        (recurring(schedule="10 12 * *"), "recurring.schedule: String should match pattern"),
        ({"spec.once.scheduled.endTime": "tonight"}, "once.scheduled.endTime"),
        (recurring(hours=3), "spec.recurring.hours: no such field"),
        (recurring(blackoutDates=["Xmas"]), "recurring.blackoutDates.0"),
        (recurring(blackoutDates=[20261224]), "recurring.blackoutDates.0"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    """V-13: field, value and what is allowed."""
    refused = of_file(written(tmp_path, manifest(WINDOW, changes=changes)), code=1).stderr
    assert refused.startswith("error: ")
    assert refused.count("\n") == 1
    assert said in refused


# --- errors of the cluster ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("preview",), "give -f FILE, or the name of a WINDOW"),
        (("preview", "none"), "no MaintenanceWindow none in namespace default"),
        (("preview", "monthly", "-A"), "give -n NAMESPACE"),
        (("preview", "wrong"), "MaintenanceWindow wrong: spec.recurring.schedule is '0 25 * * *'"),
        (("preview", "odd"), "MaintenanceWindow odd cannot be read: spec.impact"),
    ],
)
def test_an_error_is_one_line(words: tuple[str, ...], said: str) -> None:
    entrance = cluster(
        window(),
        window({"spec.recurring.schedule": "0 25 * * *"}, name="wrong"),
        window({"spec.impact": "Reboot"}, name="odd"),
    )
    refused = entrance.run("maintenance", *words, code=1).stderr
    assert said in refused
    assert refused.count("\n") == 1


@pytest.mark.parametrize("words", [("list",), ("preview", "monthly")])
def test_the_right_to_read_windows_of_the_namespace_is_enough(words: tuple[str, ...]) -> None:
    entrance = cluster(window())
    entrance.forbidden = {"pods", "scalesets", "nodes", "healthprobes", "events"}
    entrance.run("maintenance", *words)
    entrance.forbidden = {"maintenancewindows"}
    refused = entrance.run("maintenance", *words, code=1).stderr
    assert "maintenancewindows.scaleset.dev in namespace default" in refused


# --- list --------------------------------------------------------------------------------------


def test_the_list_says_what_is_open_and_what_comes_next() -> None:
    entrance = cluster(
        window({"spec.recurring": ABSENT, "spec.once": ONCE}, name="b"),
        window({"spec.suspend": True, "status": {"conditions": [NOT_YET]}}, name="a"),
        window({"spec.urgent": True, "spec.notifyBefore": "P1D"}, name="c"),
        window(name="elsewhere", namespace="shop"),
    )
    shown = entrance.run("maintenance", "list").stdout
    cells = [re.split(r" {2,}", line.strip()) for line in shown.splitlines()]
    assert cells[0] == ["NAME", "IMPACT", "OPEN", "CHANGES", "SCHEDULED", "READY", "NOTE"]
    assert [row[0] for row in cells[1:]] == ["a", "b", "c"]
    assert cells[1][5:] == ["NotYetSupported", "suspended"]
    assert cells[2][2:5] == ["SelfService", "Fri 27 Nov 00:00Z (in 5d)", "Fri 2026-11-27 02:00Z"]
    assert cells[3][2] == "-"
    assert cells[3][5:] == ["NotYetSeen", "urgent"]


def test_all_namespaces_are_listed_with_their_names() -> None:
    shown = cluster(window(), window(namespace="shop")).run("maintenance", "list", "-A").stdout
    assert shown.splitlines()[0].startswith("NAMESPACE")
    assert len(shown.splitlines()) == 3


def test_a_window_that_cannot_be_used_hides_no_other() -> None:
    entrance = cluster(
        window(),
        window({"spec.recurring.schedule": "0 25 * * *"}, name="wrong"),
        window({"spec.impact": "Reboot"}, name="odd"),
        window({"spec.recurring": ABSENT, "spec.once": PAST}, name="past"),
    )
    shown = entrance.run("maintenance", "list").stdout.splitlines()
    assert [line.split()[0] for line in shown[1:]] == ["monthly", "odd", "past", "wrong"]
    assert "cannot be read: spec.impact" in shown[2]
    assert shown[3].rstrip().endswith("nothing is to come")
    assert "spec.recurring.schedule is '0 25 * * *': bad hour" in shown[4]


PAST = {
    "selfService": {"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-01-02T00:00:00Z"},
    "scheduled": {"startTime": "2026-01-02T00:00:00Z", "endTime": "2026-01-03T00:00:00Z"},
}


def test_nothing_to_list_is_said() -> None:
    assert cluster().run("maintenance", "list").stdout == "No MaintenanceWindows found.\n"


def test_the_list_as_data() -> None:
    entrance = cluster(
        window({"spec.recurring": ABSENT, "spec.once": ONCE}, name="b"),
        window({"spec.recurring": ABSENT, "spec.once": PAST}, name="c"),
        window({"spec.impact": "Reboot"}, name="odd"),
    )
    b, c, odd = json.loads(entrance.run("maintenance", "list", "-o", "json").stdout)["items"]
    assert b == {
        "namespace": "default",
        "name": "b",
        "activeWindow": "SelfService",
        "nextTransitionTime": "2026-11-27T00:00:00Z",
        "selfService": ONCE["selfService"],
        "scheduled": ONCE["scheduled"],
        "ready": "NotYetSeen",
        "fault": None,
        "urgent": False,
        "suspend": False,
    }
    assert (c["activeWindow"], c["nextTransitionTime"], c["scheduled"]) == ("None", None, None)
    assert "cannot be read" in odd["fault"]


def test_names_of_windows_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    from scaleset_operator.cli.app import COMPLETION, completions  # noqa: PLC0415 - here only

    for name in ("COMP_WORDS", "COMP_CWORD", COMPLETION):
        monkeypatch.setenv(name, "")
    words = ("maintenance", "preview", "mo")
    assert completions(words, cluster(window(), window(name="weekly"))).splitlines() == [
        "monthly",
        ":4",
    ]
