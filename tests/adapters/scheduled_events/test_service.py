"""The parts together: asked on the server's thread, written on the operator's loop."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import orjson
import pytest

from scaleset_operator.adapters.metrics.registry import Metrics
from scaleset_operator.adapters.scheduled_events.answers import Declined, Outcome
from scaleset_operator.adapters.scheduled_events.asker import Asker
from scaleset_operator.adapters.scheduled_events.service import event_server, on_loop
from tests.adapters.cluster.objects import UID, WEB
from tests.adapters.scheduled_events.counter import WEB_1, WEB_2, Counter
from tests.support.event_asker import approve, ask
from tests.support.scraping import Scrape

if TYPE_CHECKING:
    from tests.adapters.scheduled_events.counter import Live

ASKER = Asker(pod=WEB, uid="uid-1", ip=WEB_1, scale_set=WEB, set_uid=UID)
IDS = frozenset({"one"})


async def test_an_approval_is_written_on_the_operators_own_loop(counter: Counter) -> None:
    """R-54: where its connection, its caches and its fence live."""
    threads: list[threading.Thread] = []
    live: Live = counter.live
    mark = live.mark

    async def noted(*parts: object) -> object:
        threads.append(threading.current_thread())
        return await mark(*parts)  # type: ignore[arg-type] # passed on

    live.mark = noted  # type: ignore[method-assign,assignment] # watched
    metrics = Metrics("0")
    server = event_server(
        0,
        counter.view,
        counter.resources.scale_set,
        counter.approvals,
        metrics.asked_for_events,
    )
    server.start()
    try:
        counter.notice(1)
        heard = await asyncio.to_thread(ask, server.port, WEB_2)
        (row,) = orjson.loads(heard.body)["Events"]
        done = await asyncio.to_thread(approve, server.port, WEB_2, row["EventId"])
    finally:
        await asyncio.to_thread(server.close)
    assert done.status == 200
    assert threads == [threading.current_thread()]
    figures = Scrape(metrics.page("")[0].decode())
    name = "scaleset_scheduled_event_requests_total"
    assert figures.value(name, outcome="answered") == 1
    assert figures.value(name, outcome="approved") == 1
    assert figures.value(name, outcome="unread") == 0, "each is there from the start"


async def elsewhere(work: object) -> object:
    """The outcome of a coroutine on another thread's loop."""
    return await asyncio.to_thread(lambda: asyncio.run(work))  # type: ignore[arg-type] # passed on


async def test_a_loop_that_does_not_get_round_to_it_is_not_waited_for() -> None:
    begun = asyncio.Event()
    ended: list[BaseException | None] = []

    async def never(_asker: Asker, _ids: frozenset[str]) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError as fault:
            ended.append(fault)
            raise

    crossed = on_loop(never, asyncio.get_running_loop(), within_s=0.1)
    with pytest.raises(Declined) as declined:
        await elsewhere(crossed(ASKER, IDS))
    assert declined.value.answer.outcome is Outcome.UNAVAILABLE
    assert begun.is_set()
    await asyncio.sleep(0.01)
    assert len(ended) == 1, "nor is it left to come later"


async def test_what_is_declined_there_is_declined_here(counter: Counter) -> None:
    counter.leadership.leading = False
    crossed = on_loop(counter.approvals.approve, asyncio.get_running_loop())
    with pytest.raises(Declined) as declined:
        await elsewhere(crossed(ASKER, IDS))
    assert declined.value.answer.outcome is Outcome.STANDING_BY
