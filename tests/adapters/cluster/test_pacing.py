"""Slots for writes: how many, who first, and what an overload does to them."""

from __future__ import annotations

import asyncio

import pytest

from scaleset_operator.adapters.cluster.pacing import (
    BURST,
    MOST,
    START,
    WINDOW,
    AdaptiveLimit,
    Pace,
    Urgency,
)
from scaleset_operator.reconciler.ports import Unavailable


class Time:
    """A monotonic clock that moves by hand, or by sleeping on it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def limit(time: Time) -> AdaptiveLimit:
    return AdaptiveLimit(monotonic=time)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def fill(limit: AdaptiveLimit, rounds: int) -> None:
    """Uses the whole limit, and as many wait for it, so many times over."""
    for _ in range(rounds):
        go = asyncio.Event()

        async def call(go: asyncio.Event = go) -> None:
            async with limit.slot(Urgency.ACT):
                await go.wait()

        calls = [asyncio.create_task(call()) for _ in range(2 * limit.limit)]
        await settle()
        go.set()
        await asyncio.gather(*calls)


async def test_no_more_than_the_limit_are_on_their_way(limit: AdaptiveLimit) -> None:
    inside = 0
    go = asyncio.Event()

    async def call() -> None:
        nonlocal inside
        async with limit.slot(Urgency.ACT):
            inside += 1
            await go.wait()

    calls = [asyncio.create_task(call()) for _ in range(START * 3)]
    await settle()
    assert inside == START
    go.set()
    await asyncio.gather(*calls)
    assert inside == START * 3


async def test_rounds_that_go_well_add_slots_up_to_the_most(limit: AdaptiveLimit) -> None:
    await fill(limit, 1)
    assert limit.limit in {START, START + 1}
    await fill(limit, 100)
    assert limit.limit == MOST


async def test_a_limit_that_is_not_used_up_does_not_grow(limit: AdaptiveLimit) -> None:
    for _ in range(200):
        async with limit.slot(Urgency.ACT):
            pass
    assert limit.limit == START


async def test_one_overload_halves_once(limit: AdaptiveLimit, time: Time) -> None:
    for _ in range(10):
        limit.overloaded(0)
    assert limit.limit == START // 2
    for _ in range(10):
        time.now += 2
        limit.overloaded(0)
    assert limit.limit == 1


async def test_a_slow_server_halves(limit: AdaptiveLimit, time: Time) -> None:
    for _ in range(WINDOW):
        async with limit.slot(Urgency.ACT):
            time.now += 1.5
    assert limit.limit == START // 2


async def test_one_slow_call_in_a_hundred_is_no_reason(limit: AdaptiveLimit, time: Time) -> None:
    for number in range(WINDOW):
        async with limit.slot(Urgency.ACT):
            time.now += 5.0 if number == 0 else 0.001
    assert limit.limit == START


async def test_retry_after_holds_everything_and_says_how_long(
    limit: AdaptiveLimit, time: Time
) -> None:
    limit.overloaded(60)
    time.now += 20
    with pytest.raises(Unavailable) as held:
        async with limit.slot(Urgency.ACT):
            pytest.fail("nothing may be sent")
    assert held.value.retry_after == pytest.approx(40)
    time.now += 41
    async with limit.slot(Urgency.ACT):
        pass


async def test_whoever_waits_for_a_slot_learns_of_the_hold(limit: AdaptiveLimit) -> None:
    go = asyncio.Event()

    async def call() -> None:
        async with limit.slot(Urgency.ACT):
            await go.wait()

    calls = [asyncio.create_task(call()) for _ in range(START + 1)]
    await settle()
    limit.overloaded(60)
    go.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome] == [Unavailable]


async def test_acts_go_before_publications(limit: AdaptiveLimit) -> None:
    order: list[Urgency] = []
    go = asyncio.Event()

    async def call(urgency: Urgency) -> None:
        async with limit.slot(urgency):
            await go.wait()
            order.append(urgency)

    holders = [asyncio.create_task(call(Urgency.ACT)) for _ in range(START)]
    await settle()
    waiting = [asyncio.create_task(call(u)) for u in sorted(Urgency, reverse=True)]
    await settle()
    go.set()
    await asyncio.gather(*holders, *waiting)
    assert order[START:] == sorted(Urgency)


async def test_a_caller_that_gives_up_takes_no_slot_with_it(limit: AdaptiveLimit) -> None:
    go = asyncio.Event()

    async def call() -> None:
        async with limit.slot(Urgency.ACT):
            await go.wait()

    calls = [asyncio.create_task(call()) for _ in range(START * 2)]
    await settle()
    for waiting in calls[START:]:
        waiting.cancel()
    go.set()
    await asyncio.gather(*calls, return_exceptions=True)
    async with asyncio.timeout(1):
        await asyncio.gather(*(call() for _ in range(START)))


async def test_a_caller_cancelled_as_it_is_let_in_takes_no_slot_with_it(
    limit: AdaptiveLimit,
) -> None:
    async def call() -> None:
        async with limit.slot(Urgency.ACT):
            pass

    slots = [limit.slot(Urgency.ACT) for _ in range(START)]
    for slot in slots:
        await slot.__aenter__()
    late = asyncio.create_task(call())
    await settle()
    await slots.pop().__aexit__(None, None, None)
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    assert late.cancelled()
    async with asyncio.timeout(1):
        await call()
    for slot in slots:
        await slot.__aexit__(None, None, None)


async def test_few_publications_go_at_once_and_many_at_fifty_a_second(time: Time) -> None:
    pace = Pace(monotonic=time, sleep=time.sleep)
    go = asyncio.Event()

    async def publish() -> None:
        async with pace.turn():
            await go.wait()

    crowd = [asyncio.create_task(publish()) for _ in range(BURST)]
    await settle()
    assert time.slept == []
    crowd += [asyncio.create_task(publish()) for _ in range(50)]
    await settle()
    assert time.slept == pytest.approx([0.02 * (number + 1) for number in range(50)])
    go.set()
    await asyncio.gather(*crowd)
    async with pace.turn():
        assert len(time.slept) == 50
