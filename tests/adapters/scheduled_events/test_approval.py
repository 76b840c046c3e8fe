"""An approval: by whom, for what, and how it is written; and everything that it must not do."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import orjson
import pytest

from scaleset_operator.adapters.scheduled_events.approval import AT_ONCE, REMEMBERED_S
from scaleset_operator.adapters.scheduled_events.document import MOST_APPROVALS
from scaleset_operator.api.base import Reason
from scaleset_operator.reconciler.ports import Key, Refused, Unavailable
from tests.adapters.cluster.objects import WEB, pod
from tests.adapters.scheduled_events.counter import (
    APPROVED,
    NOBODY,
    OTHER_7,
    WEB_1,
    WEB_2,
    Counter,
    error,
    others,
)


async def the_id(counter: Counter, *numbers: int) -> str:
    """That of the only event, once these have their notice."""
    counter.notice(*(numbers or (1,)))
    (row,) = await counter.events(WEB_2)
    found: str = row["EventId"]
    return found


async def test_an_instance_approves_its_own_end_as_a_person_would(
    counter: Counter, caplog: pytest.LogCaptureFixture
) -> None:
    """R-54, V-30: one annotation on the pod, one Event, one line in the log."""
    id_ = await the_id(counter)
    with caplog.at_level(logging.INFO):
        answer = await counter.post(WEB_1, id_)
    assert (answer.status, answer.outcome, answer.body) == (200, "approved", b"{}\n")
    assert counter.live.marks == [("web-1", APPROVED, "true")]
    ((key, note),) = counter.told
    due = "due at 2026-11-21T08:05:00Z"
    assert (key, note.reason) == (WEB, Reason.EVENT_APPROVED)
    assert note.message == f"web-1 approved: Terminate of web-1, {due}"
    (line,) = [r.getMessage() for r in caplog.records if "approved" in r.getMessage()]
    assert line == f"default/web: web-1 at {WEB_1} approved event {id_}: {note.message[16:]}"


async def test_another_instance_of_the_set_approves_for_one_that_cannot_ask(
    counter: Counter,
) -> None:
    """As in Azure: who is to go may hang; who took over its work knows when it is done."""
    answer = await counter.post(WEB_2, (await the_id(counter)).upper())
    assert answer.status == 200
    assert counter.live.marks == [("web-1", APPROVED, "true")]
    assert counter.told[0][1].message.startswith("web-2 approved: Terminate of web-1")


@pytest.mark.parametrize("peer", [OTHER_7, NOBODY])
async def test_nobody_else_approves_and_learns_whether_there_is_such_an_event(
    counter: Counter, peer: str
) -> None:
    id_ = await the_id(counter)
    foreign, made_up = await counter.post(peer, id_), await counter.post(peer, "0" * 36)
    assert (foreign.status, foreign.outcome) == (made_up.status, made_up.outcome)
    assert error(foreign) in {(404, "UnknownEvent"), (403, "UnknownAsker")}
    assert counter.live.marks == []
    assert counter.live.asked == 0, "nothing is asked of the API server for them"


async def test_of_several_all_are_approved_or_none(counter: Counter) -> None:
    counter.notice(1, 2)
    ids = [row["EventId"] for row in await counter.events(WEB_1)]
    assert error(await counter.post(WEB_1, *ids, "made-up")) == (404, "UnknownEvent")
    assert counter.live.marks == []
    assert (await counter.post(WEB_1, *ids)).status == 200
    assert {name for name, _, _ in counter.live.marks} == {"web-1", "web-2"}


async def test_an_address_that_has_just_changed_hands_approves_nothing(counter: Counter) -> None:
    """The cache does not know yet; the live cluster is asked."""
    id_ = await the_id(counter)
    del counter.live.pods["web-1"]
    counter.live.pods["other-9"] = others(9, status={"podIP": WEB_1})
    assert error(await counter.post(WEB_1, id_)) == (403, "AddressMoved")
    counter.live.pods["web-1"] = pod(1, status={"podIP": WEB_1})
    assert error(await counter.post(WEB_1, id_)) == (403, "AddressMoved"), "two claim it"
    del counter.live.pods["other-9"]
    counter.live.pods["web-1"] = pod(1, status={"podIP": WEB_1}, uid="uid-of-the-next")
    assert error(await counter.post(WEB_1, id_)) == (403, "AddressMoved"), "of the same name"
    assert counter.live.marks == []
    assert counter.told == []


async def test_another_pod_of_the_name_is_not_approved_and_one_that_went_needs_no_approval(
    counter: Counter,
) -> None:
    id_ = await the_id(counter)
    counter.live.pods["web-1"]["metadata"]["uid"] = "uid-of-the-next"
    assert (await counter.post(WEB_2, id_)).status == 200
    assert counter.live.marks == []
    assert counter.told == []


async def test_what_was_approved_before_is_neither_written_nor_told_again(
    counter: Counter,
) -> None:
    """And for a few seconds not even asked about, so that nobody makes us ask all the time."""
    id_ = await the_id(counter)
    counter.live.pods["web-1"]["metadata"]["annotations"][APPROVED] = "true"
    assert (await counter.post(WEB_1, id_)).status == 200
    assert (counter.live.marks, counter.told, counter.live.asked) == ([], [], 1)
    assert (await counter.post(WEB_1, id_)).status == 200
    assert counter.live.asked == 1
    counter.seconds += REMEMBERED_S
    assert (await counter.post(WEB_1, id_)).status == 200
    assert counter.live.asked == 2


async def test_a_standby_writes_nothing_and_says_who_does(counter: Counter) -> None:
    """Reads are answered."""
    id_ = await the_id(counter)
    counter.leadership.leading = False
    answer = await counter.post(WEB_1, id_)
    assert error(answer) == (503, "StandingBy")
    assert answer.headers["Retry-After"] == "1"
    assert answer.outcome == "standing_by"
    assert (counter.live.marks, counter.live.asked) == ([], 0)
    assert len(await counter.events(WEB_1)) == 1


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Unavailable("429"), "ApiUnavailable"),
        (Refused(Reason.CREATE_FORBIDDEN, "no"), "ApiRefused"),
    ],
)
async def test_an_api_server_that_does_not_do_it_is_told_of(
    counter: Counter, fault: Exception, code: str
) -> None:
    id_ = await the_id(counter)
    counter.live.fault = fault
    assert error(await counter.post(WEB_1, id_)) == (503, code)
    counter.live.fault = None
    assert (await counter.post(WEB_1, id_)).status == 200, "it was not taken for approved"


async def test_more_at_once_than_the_loop_is_to_carry_come_later(counter: Counter) -> None:
    id_ = await the_id(counter)
    go = asyncio.Event()
    real = counter.live.claimants

    async def slow(address: str) -> Any:
        await go.wait()
        return await real(address)

    counter.live.claimants = slow  # type: ignore[method-assign] # held up
    posted = [asyncio.create_task(counter.post(WEB_1, id_)) for _ in range(AT_ONCE + 1)]
    await asyncio.sleep(0.01)
    early = [task.result() for task in posted if task.done()]
    assert [error(answer) for answer in early] == [(503, "Busy")]
    go.set()
    assert sorted(answer.status for answer in await asyncio.gather(*posted)) == [200] * 4 + [503]
    assert len(counter.live.marks) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "Body"),
        (b"{", "Body"),
        (b"\xff\xfe", "Body"),
        (b"[" * 5_000, "Body"),
        (b"[]", "StartRequests"),
        (b"null", "StartRequests"),
        (b"{}", "StartRequests"),
        (b'{"StartRequests": []}', "StartRequests"),
        (b'{"StartRequests": {"EventId": "x"}}', "StartRequests"),
        (b'{"StartRequests": ["x"]}', "EventId"),
        (b'{"StartRequests": [{"EventId": 7}]}', "EventId"),
        (b'{"StartRequests": [{"EventId": ""}]}', "EventId"),
        (b'{"StartRequests": [{"eventid": "x"}]}', "EventId"),
    ],
)
async def test_a_body_that_is_no_list_of_events_is_told_what_is_wrong(
    counter: Counter, body: bytes, code: str
) -> None:
    assert error(await counter.post(WEB_1, body=body)) == (400, code)


async def test_a_list_is_bounded(counter: Counter) -> None:
    rows = [{"EventId": str(number)} for number in range(MOST_APPROVALS + 1)]
    body = orjson.dumps({"StartRequests": rows})
    assert error(await counter.post(WEB_1, body=body)) == (400, "StartRequests")
    body = orjson.dumps({"StartRequests": rows[1:]})
    assert error(await counter.post(WEB_1, body=body)) == (404, "UnknownEvent")


async def test_the_memory_of_what_was_approved_is_bounded(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaleset_operator.adapters.scheduled_events.approval.MOST_REMEMBERED", 1)
    counter.notice(1, 2)
    for row in await counter.events(WEB_1):
        assert (await counter.post(WEB_1, row["EventId"])).status == 200
    assert len(counter.live.marks) == 2
    assert counter.resources.scale_set(Key("default", "web")) is not None
