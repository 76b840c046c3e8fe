"""List and watch against a scripted API server: gaps, cuts, silence, weather, and no hot loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.adapters.cluster import connection as connection_module
from scaleset_operator.adapters.cluster import reflector as reflector_module
from scaleset_operator.adapters.cluster.reflector import (
    LONGEST_DELAY_S,
    OUT_OF_TOUCH_S,
    REFUSED_DELAY_S,
    Reflector,
    Timing,
)
from tests.adapters.cluster.fake_api import (
    PODS,
    Answer,
    FakeApi,
    Watch,
    bookmark,
    error,
    event,
    line,
    listing,
    until,
)
from tests.adapters.cluster.objects import pod

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scaleset_operator.adapters.cluster.connection import Connection


class Told:
    """A sink that keeps what it was told, in order."""

    def __init__(self) -> None:
        self.news: list[tuple[Any, ...]] = []
        self.objects: list[Any] = []
        self.version = 0
        self.standing = 0

    def put(self, obj: Any) -> None:
        self.objects.append(obj)
        self.news.append(("put", obj["metadata"]["name"], obj["metadata"]["resourceVersion"]))

    def drop(self, obj: Any) -> None:
        self.news.append(("drop", obj["metadata"]["name"]))

    def listing(self) -> None:
        self.news.append(("listing",))

    def listed(self, names: frozenset[tuple[str, str]], version: int) -> None:
        self.news.append(("listed", {name for _, name in names}, version))

    def reached(self, version: int) -> None:
        self.version = version

    def in_touch(self) -> None:
        self.standing += 1

    def now(self) -> list[tuple[Any, ...]]:
        news, self.news = self.news, []
        return news


class Bench:
    """A reflector, a clock that moves by hand, and a sleep that only takes note.

    The reflector's sleeps last until `wakes` lets them pass: so many failures, and no more.
    """

    def __init__(self, connection: Connection) -> None:
        self.told = Told()
        self.time = 1000.0
        self.slept: list[float] = []
        self.wakes = asyncio.Semaphore(0)
        timing = Timing(
            monotonic=lambda: self.time, sleep=self.sleep, chance=lambda: 1.0, relist_after=1800.0
        )
        self.reflector = Reflector(connection, PODS, self.told, selector="mark", timing=timing)
        self.task: asyncio.Task[None] | None = None

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.wakes.acquire()
        self.time += seconds

    def start(self) -> None:
        self.task = asyncio.create_task(self.reflector.run())

    async def close(self) -> None:
        assert self.task is not None
        assert not self.task.done(), "a reflector never ends by itself"
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def let_pass(self, failures: int) -> None:
        for _ in range(failures):
            self.wakes.release()


@pytest.fixture
async def bench(connection: Connection) -> AsyncIterator[Bench]:
    bench = Bench(connection)
    yield bench
    await bench.close()


def page_of(version: int, *pods: dict[str, Any], more: str = "") -> Answer:
    return Answer(body=listing(version, *pods, more=more))


# --- In good weather -----------------------------------------------------------------------------


async def test_a_list_in_pages_and_then_a_watch_from_its_version(
    api: FakeApi, bench: Bench
) -> None:
    api.lists.extend([page_of(10, pod(1, 5), more="next"), page_of(10, pod(2, 6))])
    api.watches.append(Watch(events=[event("ADDED", pod(3, 11)), event("DELETED", pod(1, 12))]))
    bench.start()
    await until(lambda: bench.told.version == 12)
    assert bench.told.now() == [
        ("listing",),
        ("put", "web-1", "5"),
        ("put", "web-2", "6"),
        ("listed", {"web-1", "web-2"}, 10),
        ("put", "web-3", "11"),
        ("drop", "web-1"),
    ]
    first, second = api.pod_lists
    assert first.query == {"labelSelector": "mark", "limit": "100"}
    assert second.query == {"labelSelector": "mark", "limit": "100", "continue": "next"}
    (watch,) = api.pod_watches
    assert watch.query == {
        "labelSelector": "mark",
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": "10",
        "timeoutSeconds": "300",
    }
    assert bench.reflector.in_touch
    assert bench.reflector.listed


async def test_it_is_out_of_touch_until_the_first_watch_stands(api: FakeApi, bench: Bench) -> None:
    held = asyncio.Event()
    api.lists.append(Answer(body=listing(10), wait_for=held))
    bench.start()
    await until(lambda: bool(api.pod_lists))
    assert not bench.reflector.in_touch
    assert not bench.reflector.listed
    held.set()
    await until(lambda: bench.told.standing == 1)
    assert bench.reflector.in_touch


async def test_a_watch_that_ends_is_followed_by_one_from_where_it_was(
    api: FakeApi, bench: Bench
) -> None:
    api.watches.append(Watch(events=[bookmark(40)], then="end"))
    bench.start()
    await until(lambda: len(api.pod_watches) == 2)
    assert api.pod_watches[1].query["resourceVersion"] == "40"
    assert len(api.pod_lists) == 1
    assert bench.slept == []


async def test_an_event_in_pieces_is_put_together(api: FakeApi, bench: Bench) -> None:
    whole = line(event("ADDED", pod(1, 11))) + line(event("MODIFIED", pod(1, 12)))
    api.watches.append(Watch(events=[whole[:100], whole[100:1500], whole[1500:]]))
    bench.start()
    await until(lambda: bench.told.version == 12)
    assert bench.told.now()[2:] == [("put", "web-1", "11"), ("put", "web-1", "12")]


async def test_managed_fields_are_left_out_and_nothing_else(api: FakeApi, bench: Bench) -> None:
    told = pod(1, 11, annotations={"odd": ',"managedFields":[ ]},"spec":{'})
    told["metadata"]["managedFields"] = [{"manager": "k]}", "fieldsV1": {'k:{"a":1}': {}}}]
    api.watches.append(Watch(events=[event("ADDED", told)]))
    bench.start()
    await until(lambda: bool(bench.told.objects))
    del told["metadata"]["managedFields"]
    assert bench.told.objects == [told]


async def test_a_pod_of_a_megabyte_is_read(api: FakeApi, bench: Bench) -> None:
    large = pod(1, 11, annotations={"large": "x" * 2**20})
    api.watches.append(Watch(events=[event("ADDED", large)]))
    bench.start()
    await until(lambda: bench.told.version == 11)


async def test_an_event_told_twice_is_passed_on_twice(api: FakeApi, bench: Bench) -> None:
    api.watches.append(Watch(events=[event("ADDED", pod(1, 11))] * 2))
    bench.start()
    await until(lambda: len(bench.told.news) == 4)
    assert bench.told.version == 11


async def test_the_net_lists_anew_after_its_time(api: FakeApi, bench: Bench) -> None:
    held = Watch(events=[bookmark(20)], then="hold")
    api.watches.append(held)
    bench.start()
    await until(lambda: bench.told.version == 20)
    bench.time += 1801
    api.lists.append(page_of(30))
    await api.end_watch()
    await until(lambda: bench.told.version == 30)


# --- Gaps ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("then", ["end", "cut"])
async def test_after_a_410_the_list_says_what_is_left(
    api: FakeApi, bench: Bench, then: str
) -> None:
    api.lists.extend([page_of(10, pod(1, 5), pod(2, 6)), page_of(90, pod(2, 6))])
    api.watches.append(Watch(events=[error(410)], then=then))
    bench.start()
    await until(lambda: bench.told.version == 90)
    assert ("listed", {"web-2"}, 90) in bench.told.now()
    assert bench.slept == [], "the first comes at once"


async def test_after_a_410_nothing_is_trusted_until_the_list_is_in(
    api: FakeApi, bench: Bench
) -> None:
    """X-07."""
    held = asyncio.Event()
    api.lists.extend([page_of(10), Answer(body=listing(90), wait_for=held)])
    api.watches.append(Watch(events=[bookmark(20)]))
    bench.start()
    await until(lambda: bench.told.version == 20)
    assert bench.reflector.in_touch
    await api.push(error(410))
    await until(lambda: len(api.pod_lists) == 2)
    assert not bench.reflector.in_touch
    held.set()
    await until(lambda: bench.reflector.in_touch)
    assert bench.told.version == 90


async def test_a_410_in_answer_to_the_watch_itself_lists_anew(api: FakeApi, bench: Bench) -> None:
    api.lists.extend([page_of(10), page_of(90)])
    api.watches.append(Watch(status=410, events=[error(410)], then="end"))
    bench.start()
    await until(lambda: bench.told.version == 90)


async def test_a_page_that_has_expired_begins_the_list_anew(api: FakeApi, bench: Bench) -> None:
    api.lists.extend(
        [page_of(10, pod(1, 5), more="next"), Answer(status=410), page_of(90, pod(2, 6))]
    )
    bench.start()
    await until(lambda: bench.told.version == 90)
    assert api.pod_lists[2].query.get("continue") is None


async def test_a_410_each_time_does_not_become_a_hot_loop(api: FakeApi, bench: Bench) -> None:
    api.watches.extend(Watch(events=[error(410)], then="end") for _ in range(20))
    bench.start()
    bench.let_pass(5)
    await until(lambda: len(bench.slept) == 6)
    assert len(api.pod_lists) == 7
    assert bench.slept == pytest.approx([0.4, 0.8, 1.6, 3.0, 3.0, 3.0])


# --- Bad weather ---------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [429, 500, 503, 504, 418])
async def test_an_error_event_of_another_code_goes_on_from_where_it_was(
    api: FakeApi, bench: Bench, code: int
) -> None:
    api.watches.append(Watch(events=[bookmark(40), error(code)], then="end"))
    bench.start()
    bench.let_pass(1)
    await until(lambda: len(api.pod_watches) == 2)
    assert api.pod_watches[1].query["resourceVersion"] == "40"
    assert len(api.pod_lists) == 1
    assert len(bench.slept) == 1


async def test_an_error_event_may_say_how_long_to_wait(api: FakeApi, bench: Bench) -> None:
    api.watches.append(Watch(events=[error(429, retryAfterSeconds=9)], then="end"))
    bench.start()
    await until(lambda: bench.slept == [9.0])


async def test_a_watch_cut_inside_an_event_loses_nothing(api: FakeApi, bench: Bench) -> None:
    whole = line(event("ADDED", pod(2, 12)))
    first = line(event("ADDED", pod(1, 11)))
    api.watches.append(Watch(events=[first + whole[:200]], then="cut"))
    api.watches.append(Watch(events=[whole]))
    bench.start()
    bench.let_pass(1)
    await until(lambda: bench.told.version == 12)
    assert bench.told.now()[2:] == [("put", "web-1", "11"), ("put", "web-2", "12")]
    assert api.pod_watches[1].query["resourceVersion"] == "11"


@pytest.mark.parametrize("torn", [b'{"type":"ADDED","object":{"metadata"', b'{"type":"ADD\n'])
async def test_a_torn_event_is_no_event(api: FakeApi, bench: Bench, torn: bytes) -> None:
    api.watches.append(Watch(events=[bookmark(40), torn], then="end"))
    bench.start()
    bench.let_pass(1)
    await until(lambda: len(api.pod_watches) == 2)
    assert api.pod_watches[1].query["resourceVersion"] == "40"


async def test_failures_in_a_row_wait_longer_and_never_long(api: FakeApi, bench: Bench) -> None:
    api.lists.extend(Answer(status=500) for _ in range(20))
    bench.start()
    bench.let_pass(7)
    await until(lambda: len(bench.slept) == 8)
    assert bench.slept == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.0, 3.0, 3.0, 3.0])
    assert len(api.pod_lists) == 8, "one request for each wait, and none between"
    assert max(bench.slept) == LONGEST_DELAY_S


async def test_a_watch_that_ends_as_it_begins_does_not_become_a_hot_loop(
    api: FakeApi, bench: Bench
) -> None:
    api.watches.extend(Watch(then="end") for _ in range(20))
    bench.start()
    bench.let_pass(3)
    await until(lambda: len(bench.slept) == 4)
    assert len(api.pod_watches) == 4
    assert bench.slept == pytest.approx([0.2, 0.4, 0.8, 1.6])


async def test_a_watch_that_moves_on_ends_the_row_of_failures(api: FakeApi, bench: Bench) -> None:
    api.watches.extend([Watch(then="end")] * 3)
    api.watches.append(Watch(events=[bookmark(40)], then="cut"))
    bench.start()
    bench.let_pass(3)
    await until(lambda: len(bench.slept) == 4)
    assert bench.slept == pytest.approx([0.2, 0.4, 0.8, 0.2])


async def test_retry_after_is_obeyed(api: FakeApi, bench: Bench) -> None:
    api.lists.append(Answer(status=429, headers={"Retry-After": "17"}))
    bench.start()
    await until(lambda: bench.slept == [17.0])


async def test_a_missing_permission_is_asked_for_rarely(api: FakeApi, bench: Bench) -> None:
    api.lists.extend([Answer(status=403), Answer(status=403), page_of(10)])
    bench.start()
    bench.let_pass(2)
    await until(lambda: bench.told.standing == 1)
    assert bench.slept == [REFUSED_DELAY_S] * 2


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"items":[]}', b'{"metadata":{"resourceVersion":"x"},"items":[]}']
)
async def test_an_answer_that_makes_no_sense_is_weather(
    api: FakeApi, bench: Bench, body: bytes
) -> None:
    api.lists.extend([Answer(body=body), page_of(10)])
    bench.start()
    bench.let_pass(1)
    await until(lambda: bench.told.standing == 1)
    assert len(bench.slept) == 1


async def test_silence_is_noticed_and_counts_from_its_beginning(
    api: FakeApi, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "SILENCE_S", 0.1)
    monkeypatch.setattr(reflector_module, "SILENCE_S", 70.0)
    api.watches.append(Watch(events=[bookmark(20)]))
    api.lists.extend([page_of(10), page_of(30)])
    bench.start()
    await until(lambda: bench.told.version == 20)
    bench.time += 70
    await until(lambda: len(bench.slept) == 1)
    assert not bench.reflector.in_touch
    assert bench.reflector.cut_for() >= 70
    bench.let_pass(1)
    await until(lambda: bench.reflector.in_touch)
    assert bench.told.version == 30


async def test_a_short_cut_is_healed_by_the_watch_and_a_long_one_by_a_list(
    api: FakeApi, bench: Bench
) -> None:
    """X-07."""
    api.lists.extend([page_of(10), page_of(50)])
    api.watches.extend([Watch(events=[bookmark(20)], then="cut") for _ in range(2)])
    bench.start()
    await until(lambda: len(bench.slept) == 1)
    assert bench.reflector.in_touch, "a moment's cut is no lost touch"
    bench.let_pass(1)
    await until(lambda: len(bench.slept) == 2)
    assert len(api.pod_lists) == 1
    bench.time += OUT_OF_TOUCH_S + 1
    assert not bench.reflector.in_touch
    bench.let_pass(1)
    await until(lambda: bench.told.version == 50)
    await until(lambda: bench.reflector.in_touch)
    assert bench.told.standing == 3


async def test_after_an_unforeseen_failure_it_lists_anew(
    api: FakeApi, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    api.watches.append(Watch(events=[{"type": "ADDED", "object": {}}]))
    api.lists.extend([page_of(10), page_of(50)])
    bench.start()
    bench.let_pass(1)
    await until(lambda: bench.told.version == 50)
    assert "unforeseen" in caplog.text
