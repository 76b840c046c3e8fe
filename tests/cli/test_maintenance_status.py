"""`maintenance status`: how far maintenance is, in every phase, for people and programs."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.cli.maintained import (
    ABORTED,
    AHEAD,
    COMPLETED,
    MARK,
    NAME,
    TIMES,
    cluster,
    entry,
    member,
    request,
    row,
    scale_set,
    window,
)

if TYPE_CHECKING:
    from tests.support.fake_plugin import FakeEntrance

COUNTS = {"targeted": 5, "pending": 2, "inProgress": 1, "completed": 1, "aborted": 1}
LAST = {
    "instance": "web-3",
    "lastOperationResultCode": "MaintenanceAborted",
    "lastOperationMessage": "no updated node has room",
    "time": "2026-11-21T07:50:00Z",
}
ROW = row(
    **COUNTS,
    asked=1,
    currentUpdateDomain=2,
    domainSince="2026-11-21T07:59:00Z",
    waitsFor="FloorReached",
    message="2 of 40 are away",
    lastOperation=LAST,
)
GONE = datetime(2026, 11, 28, tzinfo=UTC)


def shown(entrance: FakeEntrance, *words: str, code: int = 0, **env: str) -> Any:
    return entrance.run("maintenance", "status", *words, env=env, code=code)


def facts(text: str) -> dict[str, str]:
    """What stands behind each name."""
    return dict(re.findall(r"^(\S[\w-]*(?: \w+)?) {2,}(\S.*?) *$", text, re.MULTILINE))


def a_set() -> FakeEntrance:
    """One of each kind of instance."""
    waits = request(5, "Waiting", "FloorReached", "2 of 40 are away")
    return cluster(
        member(1),
        member(2, said=COMPLETED),
        member(3, said=ABORTED),
        member(5, asked=NAME),
        member(6, mark=None, said=None),
        of=scale_set(entry(4, "Returning", domain=2), rows=(ROW,), requests=[waits]),
    )


# --- Windows -----------------------------------------------------------------------------------


def test_a_window_tells_its_phase_its_times_and_how_far_it_is() -> None:
    """V-08, V-09."""
    changes = {
        "status.instances": COUNTS,
        "status.currentUpdateDomain": 2,
        "status.lastOperation": LAST,
        "spec.suspend": True,
        "spec.urgent": True,
        "spec.notifyBefore": "P1D",
        "status.pairTurn": {
            "holder": "shop/other",
            "state": "Held",
            "time": "2026-11-21T07:00:00Z",
        },
        "status.missed": [{"startTime": "2026-10-01T02:00:00Z", "reason": "WindowMissed"}],
        "status.conditions": [
            {"type": "NodeWork", "status": "True", "reason": "NodeCordoned"}
            | {"message": "worker-2: 3 instances are still on it"}
            | {"lastTransitionTime": "2026-11-21T07:00:00Z"}
        ],
    }
    found = facts(shown(cluster(windows=(window(changes),))).stdout)
    assert found == {
        "Window": f"default/{NAME}",
        "Impact": "Redeploy, URGENT: less notice than is due",
        "Suspended": "nothing new starts",
        "Phase": "SelfService is open; changes Fri 27 Nov 00:00Z (in 5d)",
        "Iteration": "1, announced Wed 2026-10-21 00:00Z",
        "Self-service": "Fri 2026-11-20 00:00Z to Fri 2026-11-27 00:00Z",
        "Scheduled": "Fri 2026-11-27 02:00Z to Fri 2026-11-27 08:00Z",
        "Missed": "Thu 2026-10-01 02:00Z: WindowMissed:",
        "Pair": "shop/other has its turn (Held)",
        "Instances": "5 included: 2 pending, 1 in progress, 1 completed, 1 aborted",
        "Update domain": "2",
        "Last operation": "web-3 MaintenanceAborted: no updated node has room, 07:50:00Z (10m ago)",
        "Nodes": "NodeCordoned: worker-2: 3 instances are still on it",
    }


@pytest.mark.parametrize(
    ("at", "phase"),
    [
        (datetime(2026, 11, 19, tzinfo=UTC), "announced, none is open"),
        (datetime(2026, 11, 27, tzinfo=UTC), "announced, none is open"),
        (datetime(2026, 11, 27, 2, tzinfo=UTC), "Scheduled is open"),
        (GONE, "nothing is announced"),
    ],
)
def test_it_can_be_read_in_every_phase(at: datetime, phase: str) -> None:
    """M-10, V-11, V-32: by the clock, whatever the operator last wrote."""
    entrance = a_set()
    entrance.at = at
    assert facts(shown(entrance).stdout)["Phase"].startswith(phase)
    assert facts(shown(entrance, "web").stdout)["Phase"].startswith(phase)
    assert "web-1" in shown(entrance, "web").stdout
    data = json.loads(shown(entrance, "-o", "json").stdout)["items"][0]
    word = phase.partition(" ")[0]
    assert data["phase"] == (word if word == "Scheduled" else "None")


def test_without_a_plan_there_are_no_times() -> None:
    """V-15."""
    said = {"type": "Announced", "status": "False", "reason": "NotAnnounced"}
    said |= {"message": "that comes on 2026-10-21", "lastTransitionTime": "2026-10-01T00:00:00Z"}
    changes = {"status.announced": [], "status.conditions": [said]}
    found = facts(shown(cluster(windows=(window(changes),))).stdout)
    assert found["Phase"] == "nothing is announced: NotAnnounced: that comes on 2026-10-21"
    assert not {"Iteration", "Self-service", "Scheduled"} & found.keys()


def test_one_window_is_shown_alone() -> None:
    entrance = cluster(windows=(window(), window(name="other")))
    assert shown(entrance).stdout.count("Window ") == 2
    assert facts(shown(entrance, "--window", "other").stdout)["Window"] == "default/other"
    refused = shown(entrance, "--window", "none", code=1).stderr
    assert (
        "no MaintenanceWindow none in namespace default; there are: host-patch-nov, other"
        in refused
    )


def test_nothing_to_show_is_said() -> None:
    assert shown(cluster(windows=())).stdout == "No MaintenanceWindows found.\n"
    said = shown(cluster(member(1, mark=None, said=None), windows=()), "web").stdout
    assert said == "No maintenance concerns ScaleSet default/web.\n"


# --- A set -------------------------------------------------------------------------------------


def test_a_set_says_how_far_it_is_and_why_it_waits() -> None:
    found = facts(shown(a_set(), "web").stdout)
    assert found["Instances"] == (
        "5 included: 2 pending, 1 in progress, 1 completed, 1 aborted; 1 asked for by their owners"
    )
    assert found["Update domain"] == "2, since 07:59:00Z (60s ago)"
    assert found["Waits"] == "FloorReached: 2 of 40 are away"
    assert found["Last operation"].startswith("web-3 MaintenanceAborted")


def test_a_stop_comes_before_what_is_waited_for() -> None:
    """M-16."""
    stop = {"reason": "MaintenanceStopped", "message": "web-7 is not back"}
    stopped = ROW | {"stopped": stop | {"time": "2026-11-21T07:58:00Z"}}
    found = facts(shown(cluster(of=scale_set(rows=(stopped,))), "web").stdout)
    assert found["Stopped"] == "MaintenanceStopped: web-7 is not back, 07:58:00Z (2m ago)"
    assert "Waits" not in found


def test_each_included_instance_is_a_row() -> None:
    """V-02: also the one whose pod is not there at this moment."""
    text = shown(a_set(), "web").stdout
    table = [
        re.split(r" {2,}", line.strip()) for line in text.partition("INSTANCE")[2].splitlines()
    ]
    assert [line[0] for line in table[1:]] == ["web-1", "web-2", "web-3", "web-5", "web-4"]
    assert table[1][1:] == ["0", NAME, "1", "yes", "Pending", "-"]
    assert table[2][4:] == ["-", "Completed", "MaintenanceCompleted", "moved to worker-3"]
    assert table[3][5:] == ["Aborted", "MaintenanceAborted", "no updated node has room"]
    assert table[4][5:] == ["Asked", "-", "FloorReached: 2 of 40 are away"]
    assert table[5][1] == "2"
    assert table[5][5:] == ["Returning", "-", "it is on the updated node, and not healthy yet"]


def test_of_a_set_one_window_is_shown() -> None:
    other = f"other{MARK.removeprefix(NAME)}"
    entrance = cluster(member(1), member(2, mark=other), windows=(window(), window(name="other")))
    text = shown(entrance, "web", "--window", "other").stdout
    assert "web-2" in text
    assert "web-1" not in text
    refused = shown(entrance, "web", "--window", "none", code=1).stderr
    assert (
        "no MaintenanceWindow none concerns ScaleSet default/web (host-patch-nov, other)" in refused
    )


def test_a_window_that_selects_other_sets_is_not_shown() -> None:
    entrance = cluster(member(1))
    foreign = window(name="foreign")
    foreign["spec"]["scaleSetSelector"]["matchLabels"] = {"tier": "db"}
    from scaleset_operator.cli.kinds import MAINTENANCE_WINDOWS  # noqa: PLC0415 - here only

    entrance.add(MAINTENANCE_WINDOWS, foreign)
    assert "foreign" not in shown(entrance, "web").stdout
    assert "foreign" in shown(entrance).stdout


def test_one_that_cannot_be_read_hides_no_other_of_the_set() -> None:
    entrance = cluster(member(1), windows=(window(), window({"spec.impact": "Reboot"}, name="odd")))
    assert facts(shown(entrance, "web").stdout)["Window"] == f"default/{NAME}"


# --- An instance -------------------------------------------------------------------------------


def test_an_instance_shows_the_seven_names_as_they_are_on_the_pod() -> None:
    """V-02, V-09."""
    said = AHEAD | {"lastOperationResultCode": "RetryLater", "lastOperationMessage": "a budget"}
    text = shown(cluster(member(1, said=said)), "web", "web-1").stdout
    found = dict(line.split(maxsplit=1) for line in text.splitlines() if line[:1].islower())
    assert {name: value.strip() for name, value in found.items()} == {
        "isCustomerInitiatedMaintenanceAllowed": "True",
        "preMaintenanceWindowStartTime": "Fri 2026-11-20 00:00Z",
        "preMaintenanceWindowEndTime": "Fri 2026-11-27 00:00Z",
        "maintenanceWindowStartTime": "Fri 2026-11-27 02:00Z",
        "maintenanceWindowEndTime": "Fri 2026-11-27 08:00Z",
        "lastOperationResultCode": "RetryLater",
        "lastOperationMessage": "a budget",
    }


def test_after_the_result_there_are_no_times_any_more() -> None:
    """V-15, V-16."""
    text = shown(cluster(member(1, said=COMPLETED)), "web", "web-1").stdout
    assert "MaintenanceCompleted" in text
    assert not any(name in text for name in TIMES)


def test_an_instance_as_data() -> None:
    found = json.loads(shown(a_set(), "web", "web-5", "-o", "json").stdout)
    assert found["state"] == "Asked"
    assert found["askedFor"] == NAME
    assert found["maintenanceRedeployStatus"] == AHEAD
    assert found["request"]["reason"] == "FloorReached"
    moving = yaml.safe_load(shown(a_set(), "web", "web-4", "-o", "yaml").stdout)
    assert moving["state"] == "Returning"
    assert moving["inFlight"]["startTime"] == "2026-11-21T07:59:00Z"
    assert (moving["window"], moving["iteration"]) == (NAME, 1)


def test_what_somebody_wrote_there_breaks_nothing() -> None:
    pod = member(1, mark="nonsense", said=None)
    pod["metadata"]["annotations"]["scaleset.dev/maintenance-redeploy-status"] = "{"
    assert "Not included" in shown(cluster(pod), "web", "web-1").stdout


def test_an_instance_that_is_not_there_is_an_error() -> None:
    assert "has no instance web-9" in shown(a_set(), "web", "web-9", code=1).stderr


# --- Programs, terminals, rights ---------------------------------------------------------------


def test_a_set_as_data() -> None:
    found = json.loads(shown(a_set(), "web", "-o", "json").stdout)
    (one,) = found["windows"]
    assert one["phase"] == "SelfService"
    assert one["nextTransitionTime"] == "2026-11-27T00:00:00Z"
    assert one["iteration"]["waitsFor"] == "FloorReached"
    assert one["announced"]["startTime"] == "2026-11-27T02:00:00Z"
    assert [i["name"] for i in found["instances"]] == ["web-1", "web-2", "web-3", "web-5", "web-4"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_narrow_terminal_loses_columns_and_not_the_state(width: int) -> None:
    text = shown(a_set(), "web", COLUMNS=str(width)).stdout
    assert max(len(line.rstrip()) for line in text.splitlines()) <= width
    assert "STATE" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("words", [(), ("--window", NAME)])
def test_windows_need_no_right_but_theirs(words: tuple[str, ...]) -> None:
    entrance = a_set()
    entrance.forbidden = {"pods", "scalesets", "nodes"}
    shown(entrance, *words)
    entrance.forbidden = {"maintenancewindows"}
    refused = shown(entrance, *words, code=1).stderr
    assert "you may not list maintenancewindows.scaleset.dev in namespace default" in refused


def test_all_namespaces_are_shown() -> None:
    entrance = cluster(windows=(window(), window({"metadata.namespace": "shop"})))
    text = shown(entrance, "-A").stdout
    assert "default/host" in text
    assert "shop/host" in text
    assert "give -n NAMESPACE" in shown(entrance, "web", "-A", code=1).stderr


def test_time_alone_moves_the_phase() -> None:
    """V-11."""
    entrance = a_set()
    entrance.at = datetime(2026, 11, 27, tzinfo=UTC) - timedelta(seconds=1)
    assert facts(shown(entrance, "web").stdout)["Phase"].startswith("SelfService is open")
    entrance.at += timedelta(seconds=1)
    assert facts(shown(entrance, "web").stdout)["Phase"].startswith("announced, none is open")
