"""What an instance is told of its own maintenance, and how it starts that from inside."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from tests.adapters.cluster.objects import UID, WEB, pod
from tests.adapters.scheduled_events.counter import WEB_1, WEB_2, Counter, error
from tests.core.test_maintenance_events import CLOSES, OPENS, WINDOW, entry, mark, row

PERFORM = "scaleset.dev/perform-maintenance"
ROWS = {"iterations": [row()], "inFlight": []}
DONE = json.dumps({"lastOperationResultCode": "MaintenanceCompleted"})


def include(counter: Counter, said: str = "{}", *, version: int = 20) -> None:
    """web-1 is included; web-2 is not."""
    held = {
        "scaleset.dev/maintenance-iteration": mark(),
        "scaleset.dev/maintenance-redeploy-status": said,
    }
    counter.put(pod(1, version, status={"podIP": WEB_1}, annotations=held))


async def the_event(counter: Counter) -> dict[str, Any]:
    counter.hear(WEB, UID, number=40, maintenance=ROWS)
    include(counter)
    (event,) = await counter.events(WEB_1)
    return event


async def number(counter: Counter, peer: str) -> int:
    found: int = orjson.loads((await counter.get(peer)).body)["DocumentIncarnation"]
    return found


async def test_it_is_told_to_the_instance_that_it_is_ahead_of(counter: Counter) -> None:
    """M-19, V-30."""
    event = await the_event(counter)
    assert event == {
        "EventId": event["EventId"],
        "EventType": "Redeploy",
        "ResourceType": "VirtualMachine",
        "Resources": ["web-1"],
        "EventStatus": "Scheduled",
        "NotBefore": "Fri, 27 Nov 2026 02:00:00 GMT",
        "Description": "Maintenance: host-patch-nov, iteration 1",
        "EventSource": "Platform",
        "DurationInSeconds": -1,
    }
    assert await counter.events(WEB_2) == []


async def test_one_that_has_begun_is_told_to_everybody_and_then_to_nobody(
    counter: Counter,
) -> None:
    """V-30."""
    id_ = (await the_event(counter))["EventId"]
    begun = entry(1, "Moving", uid="uid-1")
    counter.hear(WEB, UID, number=43, maintenance=ROWS | {"inFlight": [begun]})
    for peer in (WEB_1, WEB_2):
        (event,) = await counter.events(peer)
        assert (event["EventId"], event["EventStatus"], event["NotBefore"]) == (id_, "Started", "")
    ending = entry(1, "Ending", uid="uid-1", result="MaintenanceCompleted")
    counter.hear(WEB, UID, number=46, maintenance=ROWS | {"inFlight": [ending]})
    assert await counter.events(WEB_1) == []


async def test_the_number_is_another_whenever_the_document_is(counter: Counter) -> None:
    """V-30: also where only the pod has changed."""
    counter.hear(WEB, UID, number=40, maintenance=ROWS)
    before = await number(counter, WEB_1)
    include(counter)
    ahead = await number(counter, WEB_1)
    include(counter, DONE, version=21)
    assert await counter.events(WEB_1) == []
    after = await number(counter, WEB_1)
    assert (before, ahead, after) == (40, 41, 42)
    assert await number(counter, WEB_2) == 40


async def test_an_instance_starts_its_own_maintenance_as_its_owner_would(
    counter: Counter,
) -> None:
    """M-19, V-30: acknowledged, it comes sooner."""
    event = await the_event(counter)
    answer = await counter.post(WEB_1, event["EventId"])
    assert (answer.status, answer.outcome) == (200, "approved")
    assert counter.live.marks == [("web-1", PERFORM, WINDOW)]
    ((_, note),) = counter.told
    assert note.message == "web-1 approved: Redeploy of web-1, due at 2026-11-27T02:00:00Z"


async def test_nobody_starts_that_of_another(counter: Counter) -> None:
    event = await the_event(counter)
    assert error(await counter.post(WEB_2, event["EventId"])) == (404, "UnknownEvent")
    assert counter.live.marks == []


@pytest.mark.parametrize(
    "at",
    [OPENS - timedelta(seconds=1), CLOSES, datetime(2026, 11, 27, 3, tzinfo=UTC)],
)
async def test_outside_of_self_service_it_is_declined_with_the_reason(
    counter: Counter, at: datetime
) -> None:
    """M-10, V-12: and nothing is asked of the API server for it."""
    event = await the_event(counter)
    counter.now = at
    answer = await counter.post(WEB_1, event["EventId"])
    assert error(answer) == (409, "NotInSelfService")
    assert answer.outcome == "not_open"
    assert b"open from 2026-11-20T00:00:00Z until 2026-11-27T00:00:00Z" in answer.body
    assert (counter.live.marks, counter.live.asked) == ([], 0)
    counter.now = CLOSES - timedelta(seconds=1)
    assert (await counter.post(WEB_1, event["EventId"])).status == 200


async def test_where_there_is_no_self_service_that_is_said(counter: Counter) -> None:
    counter.hear(WEB, UID, number=40, maintenance={"iterations": [row(impact="Pause") | NO_OWNERS]})
    include(counter)
    (event,) = await counter.events(WEB_1)
    assert event["EventType"] == "Freeze"
    answer = await counter.post(WEB_1, event["EventId"])
    assert error(answer) == (409, "NotInSelfService")
    assert b"which is none" in answer.body


NO_OWNERS = {"preStartTime": None, "preEndTime": None}


@pytest.mark.parametrize("phase", ["Recorded", "Placed", "Moving"])
async def test_what_has_begun_needs_no_approval(counter: Counter, phase: str) -> None:
    id_ = (await the_event(counter))["EventId"]
    begun = entry(1, phase, uid="uid-1")
    counter.hear(WEB, UID, number=43, maintenance=ROWS | {"inFlight": [begun]})
    assert (await counter.post(WEB_2, id_)).status == 200
    assert (counter.live.marks, counter.live.asked, counter.told) == ([], 0, [])


async def test_a_notice_and_a_maintenance_stand_side_by_side(counter: Counter) -> None:
    from tests.adapters.scheduled_events.counter import told  # noqa: PLC0415 - here only

    counter.hear(WEB, UID, told(2), number=40, maintenance=ROWS)
    include(counter)
    assert [e["EventType"] for e in await counter.events(WEB_1)] == ["Terminate", "Redeploy"]
    assert [e["EventType"] for e in await counter.events(WEB_2)] == ["Terminate"]
