"""The key queue: who gets a turn when, in virtual time."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import pytest

from scaleset_operator.reconciler.ports import Unavailable
from scaleset_operator.reconciler.queue import LONGEST_REST, LONGEST_RETRY, KeyQueue
from tests.reconciler.virtual_time import LoopClock, VirtualLoop, tell


class Turns:
    """Takes the turns, and keeps when each key had one.

    Attributes:
        begun: (key, seconds since the start) of every turn.
        under_way: keys with a turn now; `most` is how many there were at once.
        takes: seconds that one turn waits, by key.
        computes: seconds that it computes before.
        outcome: what comes of a key's turn: when to look again, or what it raises.
    """

    def __init__(self) -> None:
        self.clock = LoopClock()
        self.queue = KeyQueue[str](turn=self.take, clock=self.clock)
        self.begun: list[tuple[str, float]] = []
        self.under_way: list[str] = []
        self.most = 0
        self.takes: dict[str, float] = {}
        self.computes: dict[str, float] = {}
        self.outcome: dict[str, Callable[[], datetime | None]] = {}

    async def take(self, key: str) -> datetime | None:
        self.begun.append((key, asyncio.get_running_loop().time()))
        assert key not in self.under_way, f"two turns at once for {key}"
        self.under_way.append(key)
        self.most = max(self.most, len(self.under_way))
        try:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            loop.compute(self.computes.get(key, 0.0))
            await asyncio.sleep(self.takes.get(key, 0.0))
            return self.outcome.get(key, lambda: None)()
        finally:
            self.under_way.remove(key)

    def times(self, key: str) -> list[float]:
        return [at for who, at in self.begun if who == key]

    def waits(self, key: str) -> list[float]:
        times = self.times(key)
        return [later - sooner for sooner, later in itertools.pairwise(times)]

    @asynccontextmanager
    async def served(self) -> AsyncIterator["asyncio.Task[None]"]:
        task = asyncio.create_task(self.queue.run())
        try:
            yield task
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def failing(error: Exception, times: int = 1_000) -> Callable[[], datetime | None]:
    left = iter(range(times))

    def fail() -> datetime | None:
        if next(left, None) is not None:
            raise error
        return None

    return fail


def test_a_key_that_is_woken_often_has_one_turn() -> None:
    async def story() -> None:
        turns = Turns()
        for key in ("a", "b", "a", "a"):
            turns.queue.wake(key)
        async with turns.served():
            await asyncio.sleep(10)
        assert turns.begun == [("a", 0.0), ("b", 0.0)]

    tell(story())


def test_a_key_that_is_woken_during_its_turn_has_one_more_when_it_has_ended() -> None:
    async def story() -> None:
        turns = Turns()
        turns.takes["a"] = 5.0
        async with turns.served():
            turns.queue.wake("a")
            for _ in range(3):
                await asyncio.sleep(1)
                turns.queue.wake("a")
            await asyncio.sleep(60)
        assert turns.times("a") == [0.0, 5.0]

    tell(story())


@pytest.mark.parametrize(("computed", "rest"), [(0.1, 0.1), (3.0, LONGEST_REST)])
def test_after_a_turn_its_key_rests_as_long_as_it_computed(computed: float, rest: float) -> None:
    async def story() -> None:
        turns = Turns()
        turns.takes["a"] = 1.0
        turns.computes["a"] = computed
        async with turns.served():
            turns.queue.wake("a")
            await asyncio.sleep(0.05)
            turns.queue.wake("a")
            await asyncio.sleep(60)
        assert turns.times("a") == pytest.approx([0.0, computed + 1.0 + rest])

    tell(story())


def test_keys_have_their_turns_beside_each_other_up_to_the_number_of_workers() -> None:
    async def story() -> None:
        turns = Turns()
        keys = [f"k{number}" for number in range(12)]
        turns.takes.update(dict.fromkeys(keys, 2.0))
        async with turns.served():
            for key in keys:
                turns.queue.wake(key)
            await asyncio.sleep(60)
        assert turns.most == turns.queue.workers == 5
        assert [at for _, at in turns.begun] == [0.0] * 5 + [2.0] * 5 + [4.0] * 2

    tell(story())


def test_a_turn_says_when_the_next_one_is_due() -> None:
    async def story() -> None:
        turns = Turns()
        due = turns.clock.now() + timedelta(seconds=30)
        answers = iter([due])
        turns.outcome["a"] = lambda: next(answers, None)
        async with turns.served():
            turns.queue.wake("a")
            await asyncio.sleep(100)
        assert turns.times("a") == pytest.approx([0.0, 30.0])

    tell(story())


def test_a_due_time_that_has_passed_means_at_once() -> None:
    async def story() -> None:
        turns = Turns()
        answers = iter([turns.clock.now() - timedelta(hours=1)])
        turns.outcome["a"] = lambda: next(answers, None)
        async with turns.served():
            turns.queue.wake("a")
            await asyncio.sleep(100)
        assert turns.times("a") == [0.0, 0.0]

    tell(story())


def test_of_two_appointments_the_earlier_one_stands() -> None:
    async def story() -> None:
        turns = Turns()
        async with turns.served():
            turns.queue.wake_in("later first", 50)
            turns.queue.wake_in("later first", 20)
            turns.queue.wake_in("earlier first", 20)
            turns.queue.wake_in("earlier first", 50)
            await asyncio.sleep(200)
        assert turns.times("later first") == [20.0]
        assert turns.times("earlier first") == [20.0]

    tell(story())


def test_an_event_does_not_wait_for_the_appointment() -> None:
    async def story() -> None:
        turns = Turns()
        async with turns.served():
            turns.queue.wake_in("a", 50)
            await asyncio.sleep(10)
            turns.queue.wake("a")
            await asyncio.sleep(200)
        assert turns.times("a") == [10.0, 50.0]

    tell(story())


def test_waits_double_while_the_api_server_is_away_and_end_with_the_first_success() -> None:
    """X-07: it is asked again, ever more rarely, and nothing is done in between."""

    async def story() -> None:
        turns = Turns()
        turns.outcome["a"] = failing(Unavailable("away"), times=18)
        async with turns.served():
            turns.queue.wake("a")
            await asyncio.sleep(600)
            waits = turns.waits("a")
            assert waits[:5] == pytest.approx([0.005, 0.01, 0.02, 0.04, 0.08])
            assert waits == pytest.approx([min(0.005 * 2**n, LONGEST_RETRY) for n in range(18)])
            turns.outcome["a"] = failing(Unavailable("away again"), times=1)
            turns.queue.wake("a")
            await asyncio.sleep(600)
        assert turns.waits("a")[-1] == pytest.approx(0.005)

    tell(story())


def test_the_server_is_left_alone_for_as_long_as_it_says() -> None:
    async def story() -> None:
        turns = Turns()
        turns.outcome["a"] = failing(Unavailable("too many requests", 7.0), times=3)
        async with turns.served():
            turns.queue.wake("a")
            await asyncio.sleep(600)
        assert turns.times("a") == pytest.approx([0.0, 7.0, 14.0, 21.0])

    tell(story())


def test_a_key_that_fails_stops_no_other_and_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        turns = Turns()
        turns.outcome["broken"] = failing(ValueError("not to be understood"))
        turns.outcome["good"] = lambda: turns.clock.now() + timedelta(seconds=10)
        async with turns.served() as task:
            turns.queue.wake("broken")
            turns.queue.wake("good")
            await asyncio.sleep(100)
            assert not task.done()
        assert len(turns.times("good")) == 10
        waits = turns.waits("broken")
        assert waits[0] == pytest.approx(1.0)
        assert waits[-1] > 10
        assert waits == sorted(waits)

    tell(story())
    assert "broken: the turn failed" in caplog.text
    assert "not to be understood" in caplog.text


def test_cancelling_ends_the_turns_under_way() -> None:
    async def story() -> None:
        turns = Turns()
        turns.takes["a"] = 1_000.0
        async with turns.served() as task:
            turns.queue.wake("a")
            await asyncio.sleep(1)
            assert turns.under_way == ["a"]
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert turns.under_way == []

    tell(story())


@pytest.mark.parametrize("busy", [0, 5], ids=["idle", "every worker waits"])
def test_the_heart_beats_each_second_whatever_the_turns_wait_for(busy: int) -> None:
    """An API server that does not answer is no reason to be started anew."""

    async def story() -> None:
        turns = Turns()
        turns.takes.update({f"k{number}": 120.0 for number in range(busy)})
        async with turns.served():
            for key in (*turns.takes, "one more"):
                turns.queue.wake(key)
            turns.queue.wake_in("and one due", 3.0)
            for _ in range(100):
                await asyncio.sleep(1)
                assert asyncio.get_running_loop().time() - turns.queue.beat <= 1.0
            await asyncio.sleep(60)
        assert len(turns.times("one more")) == len(turns.times("and one due")) == 1

    tell(story())


@pytest.mark.parametrize("busy", [0, 5], ids=["idle", "every worker waits"])
def test_a_queue_at_rest_does_not_spin(busy: int) -> None:
    async def story() -> int:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        turns = Turns()
        turns.takes.update({f"k{number}": 1_000.0 for number in range(busy)})
        async with turns.served():
            for key in turns.takes:
                turns.queue.wake(key)
            turns.queue.wake_in("due but without a worker", 1.0 if busy else 500.0)
            await asyncio.sleep(5)
            before = loop.rounds
            await asyncio.sleep(100)
            return loop.rounds - before

    assert tell(story()) <= 10 * 100


@pytest.mark.parametrize("later", range(4))
def test_the_end_is_not_missed_when_it_comes_with_a_wake_up(later: int) -> None:
    """So many rounds of the loop after it; a queue that went on would keep the process alive."""

    async def story() -> None:
        turns = Turns()
        task = asyncio.create_task(turns.queue.run())
        await asyncio.sleep(4.5)
        turns.queue.wake("web")
        for _ in range(later):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(4.5)
        ended = task.cancelled()
        task.cancel()
        assert ended

    tell(story())
