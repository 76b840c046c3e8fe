"""What an instance is answered: its own set's events, in Azure's shape, and nobody else's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import orjson
import pytest

from scaleset_operator.adapters.scheduled_events.document import VERSIONS, document
from scaleset_operator.core.scheduled_events import (
    EventSource,
    EventStatus,
    EventType,
    ScheduledEvent,
)
from tests.adapters.cluster.objects import UID, WEB, pod
from tests.adapters.scheduled_events.counter import (
    NOBODY,
    OTHER,
    OTHER_7,
    OTHER_UID,
    WEB_1,
    WEB_2,
    Counter,
    asked,
    error,
    others,
    told,
)
from tests.support.event_asker import HEADERS
from tests.support.fake_clock import T0

GONE = "2026-11-21T09:00:00Z"


async def test_before_there_was_an_event_the_document_is_empty_and_its_number_0(
    counter: Counter,
) -> None:
    """M-19."""
    answer = await counter.get(WEB_1)
    assert orjson.loads(answer.body) == {"DocumentIncarnation": 0, "Events": []}
    assert (answer.status, answer.outcome) == (200, "answered")


async def test_a_notice_is_told_to_every_instance_of_the_set_in_azures_shape(
    counter: Counter,
) -> None:
    """M-19, V-30: also to those that stay, for the one that goes may be past asking."""
    counter.notice(1, number=41)
    answer = await counter.get(WEB_2)
    found = orjson.loads(answer.body)
    (row,) = found["Events"]
    assert found["DocumentIncarnation"] == 41
    assert row == {
        "EventId": row["EventId"],
        "EventType": "Terminate",
        "ResourceType": "VirtualMachine",
        "Resources": ["web-1"],
        "EventStatus": "Scheduled",
        "NotBefore": "Sat, 21 Nov 2026 08:05:00 GMT",
        "Description": "Repair: HTTP 503",
        "EventSource": "Platform",
        "DurationInSeconds": -1,
    }
    assert (await counter.get(WEB_1)).body == answer.body


def test_an_event_that_has_begun_has_no_time_and_one_that_passes_has_a_duration() -> None:
    """As maintenance will be told: nothing but another event is needed for it."""
    pause = ScheduledEvent(
        event_id="e-1",
        event_type=EventType.FREEZE,
        instances=(("web-1", "uid-1"), ("web-2", "uid-2")),
        not_before=T0,
        description="Host update",
        source=EventSource.PLATFORM,
        approval=("scaleset.dev/perform-maintenance", "patch"),
        status=EventStatus.STARTED,
        duration=timedelta(seconds=30),
    )
    (row,) = orjson.loads(document(3, [pause]))["Events"]
    assert (row["NotBefore"], row["DurationInSeconds"]) == ("", 30)
    assert row["Resources"] == ["web-1", "web-2"]


async def test_another_set_sees_nothing_of_it(counter: Counter) -> None:
    counter.notice(1)
    assert await counter.events(OTHER_7) == []
    counter.hear(OTHER, OTHER_UID, told(7), number=1)
    (row,) = await counter.events(WEB_1)
    assert row["Resources"] == ["web-1"]


async def test_the_document_follows_the_status(counter: Counter) -> None:
    counter.notice(1)
    assert len(await counter.events(WEB_1)) == 1
    counter.notice(1, 2)
    assert len(await counter.events(WEB_1)) == 2
    counter.hear(WEB, UID, number=9)
    assert await counter.events(WEB_1) == []


@pytest.mark.parametrize("peer", ["::ffff:127.0.0.2", "::FFFF:7f00:2", "127.0.0.2"])
async def test_an_address_in_ipv6_dress_is_the_same_one(counter: Counter, peer: str) -> None:
    counter.notice(1)
    assert len(await counter.events(peer)) == 1


@pytest.mark.parametrize("peer", [NOBODY, "", "web-1", "10.0.0.1%", "::1"])
async def test_who_is_no_instance_is_told_so(counter: Counter, peer: str) -> None:
    assert error(await counter.get(peer)) == (403, "UnknownAsker")


async def test_what_is_said_about_the_asker_by_a_header_is_not_believed(counter: Counter) -> None:
    """A proxy cannot ask for somebody, nor can anybody claim to be one."""
    counter.notice(1)
    for name in ("X-Forwarded-For", "Forwarded"):
        for value in (WEB_1, ""):
            answer = await counter.get(NOBODY, headers={**HEADERS, name: value})
            assert error(answer) == (400, "Forwarded")
    claim = {**HEADERS, "X-Real-IP": WEB_1, "Host": WEB_1, "X-Original-Forwarded-For": WEB_1}
    assert error(await counter.get(NOBODY, headers=claim)) == (403, "UnknownAsker")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"spec": {"hostNetwork": True}}, "HostNetwork"),
        ({"deletionTimestamp": GONE}, "NotLive"),
        ({"status": {"phase": "Failed"}}, "NotLive"),
        ({"ownerReferences": []}, "NoScaleSet"),
    ],
)
async def test_a_pod_that_cannot_speak_for_a_set_is_told_why(
    counter: Counter, changes: dict[str, Any], code: str
) -> None:
    status = {"podIP": "127.0.0.5"} | changes.pop("status", {})
    counter.put(pod(5, 20, status=status, **changes))
    assert error(await counter.get("127.0.0.5")) == (403, code)


async def test_a_pod_on_the_network_of_its_node_takes_the_word_from_nobody_else(
    counter: Counter,
) -> None:
    """Nor does it get one: what has the node's address may be anything there."""
    counter.put(others(8, status={"podIP": WEB_1}, spec={"hostNetwork": True}))
    assert error(await counter.get(WEB_1)) == (403, "HostNetwork")


async def test_an_address_that_was_given_to_another_pod_is_that_pods(counter: Counter) -> None:
    """Neither while the old one is going, nor once it is gone, are its events told there."""
    counter.notice(1)
    counter.put(pod(1, 20, status={"podIP": WEB_1}, deletionTimestamp=GONE))
    counter.put(others(9, 21, status={"podIP": WEB_1}))
    assert await counter.events(WEB_1) == []
    counter.view.cache.drop(pod(1, 22))
    assert await counter.events(WEB_1) == []
    (row,) = await counter.events(WEB_2)
    assert row["Resources"] == ["web-1"]


async def test_an_address_that_two_live_pods_have_is_nobodys(counter: Counter) -> None:
    counter.notice(1)
    counter.put(others(9, 21, status={"podIP": WEB_1}))
    assert error(await counter.get(WEB_1)) == (403, "AmbiguousAddress")


async def test_a_set_that_was_made_anew_under_its_name_is_another(counter: Counter) -> None:
    """The pod of the old one learns nothing of the new one."""
    counter.resources.drop_scale_set(WEB)
    assert error(await counter.get(WEB_1)) == (503, "SetNotKnown")
    counter.hear(WEB, "uid-of-the-next", told(1), number=5)
    assert error(await counter.get(WEB_1)) == (503, "SetNotKnown")


@pytest.mark.parametrize(("cut", "code"), [(None, "NotListed"), (11.0, "OutOfSight")])
async def test_who_does_not_see_the_pods_tells_nobody_anything(
    counter: Counter, cut: float | None, code: str
) -> None:
    """X-07: an address may have changed hands meanwhile."""
    counter.notice(1)
    counter.view.cut = cut
    answer = await counter.get(WEB_1)
    assert error(answer) == (503, code)
    assert answer.headers["Retry-After"] == "5"
    counter.view.cut = 9.0
    assert len(await counter.events(WEB_1)) == 1


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"path": "/"}, 404, "NotFound"),
        ({"path": "/metadata/scheduledevents/"}, 404, "NotFound"),
        ({"path": "/metadata/instance"}, 404, "NotFound"),
        ({"headers": {}}, 400, "MetadataHeader"),
        ({"headers": {"Metadata": "yes"}}, 400, "MetadataHeader"),
        ({"query": {}}, 400, "ApiVersion"),
        ({"query": {"api-version": "2017-03-01"}}, 400, "ApiVersion"),
        ({"query": {"api-version": ""}}, 400, "ApiVersion"),
    ],
)
async def test_a_request_that_is_not_one_is_told_what_is_wrong(
    counter: Counter, changes: dict[str, Any], status: int, code: str
) -> None:
    assert error(await counter.get(WEB_1, **changes)) == (status, code)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "get"])
async def test_there_are_two_methods(counter: Counter, method: str) -> None:
    answer = await counter.desk.answer(asked(WEB_1, method))
    assert error(answer) == (405, "MethodNotAllowed")
    assert answer.headers["Allow"] == "GET, POST"


@pytest.mark.parametrize("version", VERSIONS)
async def test_each_version_that_knows_notices_is_answered(counter: Counter, version: str) -> None:
    answer = await counter.get(WEB_1, query={"api-version": version})
    assert answer.status == 200
