"""The stopwatch: steps count, waits do not, and what is thrown in arrives."""

import asyncio

import pytest

from scaleset_operator.reconciler.stopwatch import Stopwatch


class Steps:
    """A clock that moves only when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_what_is_computed_counts_and_what_is_waited_for_does_not() -> None:
    clock = Steps()

    async def work() -> str:
        clock.now += 2
        await asyncio.sleep(0)
        clock.now += 3
        return "done"

    async def meanwhile() -> None:
        clock.now += 100

    watch = Stopwatch(work(), clock)
    ended, _ = await asyncio.gather(watch, meanwhile())
    assert ended == "done"
    assert watch.seconds == 5


async def test_a_fault_goes_through_and_its_steps_are_counted() -> None:
    clock = Steps()

    async def work() -> None:
        clock.now += 1
        message = "broken"
        raise ValueError(message)

    watch = Stopwatch(work(), clock)
    with pytest.raises(ValueError, match="broken"):
        await watch
    assert watch.seconds == 1


async def test_a_cancellation_reaches_the_inner_one_which_may_tidy_up() -> None:
    tidied: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            tidied.append("yes")

    async def watched() -> None:
        await Stopwatch(work(), Steps())

    task = asyncio.create_task(watched())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert tidied == ["yes"]
