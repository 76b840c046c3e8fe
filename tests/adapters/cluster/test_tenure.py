"""The time a process may lead, and how it ends."""

import subprocess
import sys
import threading

import pytest

from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.pacing import Urgency
from scaleset_operator.adapters.cluster.tenure import LOST_STATUS, Tenure
from scaleset_operator.core.election import NS
from scaleset_operator.reconciler.ports import Unavailable
from tests.adapters.cluster.fake_api import Answer, FakeApi
from tests.adapters.cluster.test_connection import GET, post
from tests.support.fake_clock import FakeClock

PATIENCE_S = 10.0


class Ended:
    """Instead of the end of the process."""

    def __init__(self) -> None:
        self.why: list[str] = []
        self.told = threading.Event()

    def __call__(self, why: str) -> None:
        self.why.append(why)
        self.told.set()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def ended() -> Ended:
    return Ended()


@pytest.fixture
def tenure(clock: FakeClock, ended: Ended) -> Tenure:
    return Tenure(clock.boottime_ns, ended)


def extend(tenure: Tenure, clock: FakeClock, seconds: float) -> None:
    tenure.extend(clock.boottime_ns() + round(seconds * NS))


def test_a_standby_writes_nothing_and_lives(tenure: Tenure, ended: Ended) -> None:
    assert not tenure.leads()
    with pytest.raises(Unavailable, match="does not lead"):
        tenure.check()
    assert ended.why == []


def test_a_leader_writes_until_its_time_is_over_and_then_ends_at_its_first_write(
    tenure: Tenure, clock: FakeClock, ended: Ended
) -> None:
    """A process that was stopped and goes on, whichever of its threads is first."""
    extend(tenure, clock, 10)
    clock.advance(9.9)
    tenure.check()
    clock.advance(0.1)
    assert not tenure.leads()
    with pytest.raises(Unavailable):
        tenure.check()
    assert ended.why == ["the lease was not renewed in time"]


def test_nobody_has_to_ask_for_the_end_to_come(
    tenure: Tenure, clock: FakeClock, ended: Ended
) -> None:
    tenure.start()
    extend(tenure, clock, 10)
    clock.advance(5)
    extend(tenure, clock, 10)
    clock.advance(9)
    assert not ended.told.wait(0)
    clock.advance(1)
    assert ended.told.wait(PATIENCE_S)


def test_a_place_that_was_given_back_ends_nothing(
    tenure: Tenure, clock: FakeClock, ended: Ended
) -> None:
    extend(tenure, clock, 10)
    tenure.end()
    assert not tenure.leads()
    clock.advance(100)
    tenure.lost("another one holds the lease")
    with pytest.raises(Unavailable):
        tenure.check()
    assert ended.why == []


async def test_the_fence_keeps_writes_back_and_lets_reads_through(
    api: FakeApi, connection: Connection, tenure: Tenure, clock: FakeClock
) -> None:
    connection.fence = tenure.check
    api.answer("GET", Answer())
    await connection.read(GET)
    with pytest.raises(Unavailable, match="does not lead"):
        await connection.write(post(), Urgency.ACT)
    extend(tenure, clock, 10)
    api.answer("POST", Answer())
    await connection.write(post(), Urgency.ACT)
    assert [request.method for request in api.requests] == ["GET", "POST"]


async def test_what_loses_its_time_on_the_way_to_the_socket_is_not_sent(
    api: FakeApi, connection: Connection
) -> None:
    asked = 0

    def check() -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            message = "over"
            raise Unavailable(message)

    connection.fence = check
    with pytest.raises(Unavailable, match="over"):
        await connection.write(post(), Urgency.ACT)
    assert api.requests == []


SPINNING = """
import sys, time
from scaleset_operator.adapters.cluster.tenure import Tenure
tenure = Tenure(lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME))
tenure.start()
tenure.extend(time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 50_000_000)
try:
    while True:
        pass
finally:
    print("went on")
"""


def test_the_end_is_hard_also_for_a_loop_that_never_lets_go() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SPINNING],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == LOST_STATUS
    assert "went on" not in done.stdout
    assert "this process ends at once" in done.stderr
