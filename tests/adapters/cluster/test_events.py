"""Events: few, aggregated, bounded, and never a failure."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import pytest

from scaleset_operator.adapters.cluster.events import MOST_SERIES, EventRecorder
from scaleset_operator.core.plan import Note
from tests.adapters.cluster.fake_api import Answer, FakeApi, until
from tests.adapters.cluster.objects import OWNER
from tests.support.fake_clock import FakeClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scaleset_operator.adapters.cluster.connection import Connection

STARTED = Note(reason="RepairStarted", message="web-1 is replaced")
EVENTS = "/apis/events.k8s.io/v1/namespaces/default/events"


class Bench:
    """A recorder on a clock that moves by hand."""

    def __init__(self, api: FakeApi, connection: Connection) -> None:
        self.api = api
        self.clock = FakeClock()
        self.recorder = EventRecorder(connection, self.clock)

    def tell(self, note: Note = STARTED) -> None:
        self.recorder.tell(OWNER, note)

    async def sent(self, count: int) -> None:
        await until(lambda: len(self.api.requests) == count)
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert len(self.api.requests) == count, "and no more"


@pytest.fixture
async def bench(api: FakeApi, connection: Connection) -> AsyncIterator[Bench]:
    bench = Bench(api, connection)
    await bench.recorder.start()
    yield bench
    await bench.recorder.close()


async def test_an_event_says_what_happened_to_which_set(bench: Bench) -> None:
    bench.api.answer("POST", Answer(status=201))
    bench.tell(Note(reason="RepairFailed", message="web-1", warning=True))
    await bench.sent(1)
    (request,) = bench.api.requests
    name = request.body["metadata"].pop("name")
    assert name.startswith("web.")
    instance = request.body.pop("reportingInstance")
    assert instance.startswith("scaleset-operator-")
    assert len(instance) <= 128
    assert request.path == EVENTS
    assert request.body == {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"namespace": "default"},
        "eventTime": "2026-11-21T08:00:00.000000Z",
        "reportingController": "scaleset.dev/scaleset-operator",
        "action": "RepairFailed",
        "reason": "RepairFailed",
        "type": "Warning",
        "note": "web-1",
        "regarding": {
            "apiVersion": "scaleset.dev/v1alpha1",
            "kind": "ScaleSet",
            "namespace": "default",
            "name": "web",
            "uid": "uid-of-web",
        },
    }


async def test_the_same_again_is_a_count_written_each_ten_seconds_at_most(bench: Bench) -> None:
    bench.api.answer("POST", Answer(status=201))
    bench.api.answer("PATCH", Answer(), Answer())
    bench.tell()
    await bench.sent(1)
    bench.tell()
    bench.tell()
    await bench.sent(1)
    bench.clock.advance(10)
    bench.tell()
    await bench.sent(2)
    name = bench.api.requests[0].body["metadata"]["name"]
    patch = bench.api.requests[1]
    assert patch.path == f"{EVENTS}/{name}"
    assert patch.headers["Content-Type"] == "application/merge-patch+json"
    assert patch.body == {"series": {"count": 4, "lastObservedTime": "2026-11-21T08:00:10.000000Z"}}


async def test_what_waits_is_written_when_its_time_has_come(
    api: FakeApi, connection: Connection
) -> None:
    bench = Bench(api, connection)
    bench.recorder = EventRecorder(connection, bench.clock, write_gap=0.0)
    await bench.recorder.start()
    api.answer("POST", Answer(status=201))
    api.answer("PATCH", Answer())
    bench.tell()
    bench.tell()
    await bench.sent(2)
    assert api.requests[1].body["series"]["count"] == 2
    await bench.recorder.close()


async def test_other_reasons_and_other_sets_have_events_of_their_own(bench: Bench) -> None:
    bench.api.answer("POST", Answer(status=201), Answer(status=201))
    bench.tell()
    bench.tell(Note(reason="RepairFailed", message="web-1"))
    await bench.sent(2)
    assert [r.body["reason"] for r in bench.api.requests] == ["RepairStarted", "RepairFailed"]


async def test_after_a_quarter_of_an_hour_a_new_event_begins(bench: Bench) -> None:
    bench.api.answer("POST", Answer(status=201), Answer(status=201))
    bench.tell()
    await bench.sent(1)
    bench.clock.advance(15 * 60 + 1)
    bench.tell()
    await bench.sent(2)
    assert [r.method for r in bench.api.requests] == ["POST", "POST"]


async def test_an_event_that_has_aged_out_begins_anew_with_what_it_did_not_count(
    bench: Bench,
) -> None:
    bench.api.answer("POST", Answer(status=201), Answer(status=201))
    bench.api.answer("PATCH", Answer(status=404))
    bench.tell()
    await bench.sent(1)
    bench.clock.advance(10)
    bench.tell()
    await bench.sent(2)
    bench.clock.advance(10)
    bench.tell(Note(reason="Other", message=""))
    bench.api.answer("POST", Answer(status=201))
    await bench.sent(4)
    assert [r.method for r in bench.api.requests] == ["POST", "PATCH", "POST", "POST"]


@pytest.mark.parametrize("status", [403, 404, 422])
async def test_a_refused_event_is_let_go(bench: Bench, status: int) -> None:
    bench.api.answer("POST", Answer(status=status))
    bench.tell()
    await bench.sent(1)
    bench.clock.advance(60)
    bench.api.answer("POST", Answer(status=201))
    bench.tell(Note(reason="Other", message=""))
    await bench.sent(2)


async def test_an_event_that_could_not_be_written_now_is_written_later(bench: Bench) -> None:
    bench.api.answer("POST", Answer(status=500), Answer(status=201), Answer(status=201))
    bench.tell()
    await bench.sent(1)
    bench.clock.advance(10)
    bench.tell(Note(reason="Other", message=""))
    await bench.sent(3)
    assert [r.body["reason"] for r in bench.api.requests] == [
        "RepairStarted",
        "RepairStarted",
        "Other",
    ]


@pytest.mark.parametrize(
    ("note", "kept"), [("x" * 1024, "x" * 1024), ("x" * 1025, "x" * 1021 + "…")]
)
async def test_a_long_note_is_cut(bench: Bench, note: str, kept: str) -> None:
    bench.api.answer("POST", Answer(status=201))
    bench.tell(Note(reason="R", message=note))
    await bench.sent(1)
    assert bench.api.requests[0].body["note"] == kept


async def test_a_note_is_never_cut_through_a_character(bench: Bench) -> None:
    bench.api.answer("POST", Answer(status=201))
    bench.tell(Note(reason="R", message="€" * 1000))
    await bench.sent(1)
    note = bench.api.requests[0].body["note"]
    assert set(note) == {"€", "…"}
    assert len(note.encode()) <= 1024


async def test_what_is_remembered_is_bounded(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    recorder = EventRecorder(connection, FakeClock())
    for number in range(MOST_SERIES + 2):
        recorder.tell(OWNER, Note(reason=f"R{number}", message=""))
    assert [record.getMessage() for record in caplog.records] == [
        "An Event R0 was let go: too many wait",
        "An Event R1 was let go: too many wait",
    ]
    await recorder.close()
