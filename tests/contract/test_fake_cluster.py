"""What only the fake has: lag, lost watches, faults on the wire and kill -9 at any point."""

from datetime import timedelta
from typing import Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.core.plan import Note
from scaleset_operator.reconciler.ports import (
    Conflict,
    Created,
    Key,
    Refused,
    TooOld,
    Unavailable,
)
from scaleset_operator.rehearsal.api_server import Change, FakeApiServer
from scaleset_operator.rehearsal.cluster import FakeCluster
from scaleset_operator.rehearsal.requests import (
    WRITES,
    Crash,
    Fault,
    Faults,
    Hooks,
    Request,
    Verb,
)
from tests.contract.fake_world import FakeWorld
from tests.contract.worlds import FAR_FUTURE, creation, in_view, running
from tests.support.fake_clock import FakeClock


class CrashAt(Hooks):
    """kill -9 before or after the n-th write, both counted from 1 in one row.

    Points 1 and 2 are before and after the first write, 3 and 4 around the second, and so on.

    Attributes:
        passed: how many points have been reached.
    """

    def __init__(self, point: int) -> None:
        self.point = point
        self.passed = 0

    async def before(self, request: Request) -> None:
        """Counts, and crashes at its point."""
        self._pass(request)

    async def after(self, request: Request) -> None:
        """Counts, and crashes at its point."""
        self._pass(request)

    def _pass(self, request: Request) -> None:
        if request.verb not in WRITES:
            return
        self.passed += 1
        if self.passed == self.point:
            raise Crash(request)


@pytest.fixture(name="fake")
def make_fake() -> FakeWorld:
    """The fake world, as such."""
    return FakeWorld()


async def test_the_cache_lags_by_what_it_is_told(fake: FakeWorld) -> None:
    """Fault matrix: pod watch + 30 s."""
    owner = await fake.make_set()
    fake.cluster.view.cache.lag = timedelta(seconds=30)
    await fake.cluster.create_instance(owner, creation(), FAR_FUTURE)
    fake.clock.advance(29)
    assert in_view(fake, owner, "web-1") is None
    assert not fake.cluster.pods(owner).fresh
    assert fake.cluster.view.next_arrival() == fake.clock.now() + timedelta(seconds=1)
    fake.clock.advance(1)
    assert in_view(fake, owner, "web-1") is not None
    assert fake.cluster.pods(owner).fresh


async def test_an_own_write_that_never_shows_is_given_up_after_five_minutes(
    fake: FakeWorld,
) -> None:
    """As a ReplicaSet's expectations."""
    owner = await fake.make_set()
    fake.cluster.view.cache.lag = timedelta(hours=1)
    await fake.cluster.create_instance(owner, creation(), FAR_FUTURE)
    fake.clock.advance(299)
    assert not fake.cluster.pods(owner).fresh
    fake.clock.advance(2)
    assert fake.cluster.pods(owner).fresh


async def test_a_watch_that_was_cut_is_not_fresh_and_lists_anew(fake: FakeWorld) -> None:
    """Fault matrix: deletes in the gap."""
    owner = await fake.make_set()
    await running(fake, owner, creation())
    fake.cluster.view.cut()
    await fake.remove("web-1")
    fake.clock.advance(11)
    assert in_view(fake, owner, "web-1") is not None
    assert not fake.cluster.pods(owner).fresh
    fake.cluster.view.relist()
    assert in_view(fake, owner, "web-1") is None
    assert fake.cluster.pods(owner).fresh


async def test_a_lost_history_means_a_list_in_which_missed_deletes_show(fake: FakeWorld) -> None:
    """Fault matrix: 410 on every watch."""
    owner = await fake.make_set()
    await running(fake, owner, creation())
    await fake.remove("web-1")
    fake.server.history.clear()
    await fake.cluster.create_instance(owner, creation(2), FAR_FUTURE)
    fake.server.history.clear()
    assert [pod.name for pod in fake.cluster.pods(owner).instances] == ["web-2"]


async def test_old_news_never_overwrites_a_live_read(fake: FakeWorld) -> None:
    """A live read feeds the cache, never older over newer."""
    owner = await fake.make_set()
    fake.cluster.view.cache.lag = timedelta(seconds=30)
    await fake.cluster.create_instance(owner, creation(), FAR_FUTURE)
    fake.clock.advance(5)
    read = await fake.cluster.read_instance(owner, "web-1")
    assert read is not None
    fake.clock.advance(25.5)
    assert in_view(fake, owner, "web-1") == read
    await fake.remove("web-1")
    assert await fake.cluster.read_instance(owner, "web-1") is None
    fake.clock.advance(10)
    assert in_view(fake, owner, "web-1") is None


async def test_a_cache_wakes_the_sets_that_news_concerns() -> None:
    """Ports: wake."""
    fake, woken = FakeWorld(), list[Key]()
    cluster = FakeCluster(fake.server, wake=woken.append)
    owner = await fake.make_set()
    cluster.view.sync()
    assert woken == [owner.key]
    woken.clear()
    await cluster.create_instance(owner, creation(), FAR_FUTURE)
    cluster.view.sync()
    cluster.view.sync()
    assert set(woken) == {owner.key}
    assert cluster.view.scale_sets().keys() == {owner.key}


@pytest.mark.parametrize(
    ("fault", "error", "made"),
    [
        (Fault.CONFLICT, Conflict, False),
        (Fault.FORBIDDEN, Refused, False),
        (Fault.INVALID, Refused, False),
        (Fault.TOO_MANY, Unavailable, False),
        (Fault.SERVER_ERROR, Unavailable, False),
        (Fault.DROPPED, Unavailable, True),
    ],
)
async def test_a_fault_is_carried_out_or_not(
    fake: FakeWorld, fault: Fault, error: type[Exception], *, made: bool
) -> None:
    """Fault matrix: commit-then-drop; 409, 429, 5xx, quota."""
    owner = await fake.make_set()
    fake.cluster.wire.faults.script(Verb.CREATE, fault)
    with pytest.raises(error):
        await fake.cluster.create_instance(owner, creation(), FAR_FUTURE)
    assert (await fake.pod("web-1") is not None) is made
    again = await fake.cluster.create_instance(owner, creation(), FAR_FUTURE)
    assert again is (Created.ALREADY_OURS if made else Created.CREATED)


async def test_a_429_tells_when_to_come_back(fake: FakeWorld) -> None:
    """Fault matrix: 429 + Retry-After 60 s."""
    owner = await fake.make_set()
    fake.cluster.wire.faults = Faults(lambda _: Fault.TOO_MANY, retry_after=60.0)
    with pytest.raises(Unavailable) as told:
        await fake.cluster.list_instances(owner)
    assert told.value.retry_after == 60.0


async def test_telling_survives_every_fault_but_a_crash(fake: FakeWorld) -> None:
    """Port: never raises."""
    owner = await fake.make_set()
    note = Note(reason=Reason.REPAIR_STARTED, message="web-1")
    fake.cluster.wire.faults.script(Verb.EVENT, Fault.FORBIDDEN, Fault.SERVER_ERROR)
    for _ in range(3):
        await fake.cluster.tell(owner, note)
    assert fake.cluster.told == [(owner.key, note)]


@pytest.mark.parametrize(("point", "made"), [(1, False), (2, True)])
async def test_a_client_can_be_killed_before_and_after_a_write(point: int, *, made: bool) -> None:
    """Fault matrix: kill -9 at each API write; G13."""
    fake = FakeWorld()
    cluster = FakeCluster(fake.server, hooks=CrashAt(point))
    owner = await fake.make_set()
    with pytest.raises(Crash):
        await cluster.create_instance(owner, creation(), FAR_FUTURE)
    assert (await fake.pod("web-1") is not None) is made
    with pytest.raises(Crash):
        cluster.pods(owner)
    assert [request.verb for request in cluster.wire.requests] == [Verb.CREATE]


async def test_an_act_stopped_on_its_way_is_too_old_when_it_goes_on() -> None:
    """Rule 5: a process that was stopped and continued does nothing old."""
    fake = FakeWorld()

    class Stopped(Hooks):
        async def before(self, request: Request) -> None:
            fake.clock.advance(6)

    cluster = FakeCluster(fake.server, hooks=Stopped())
    owner = await fake.make_set()
    deadline = fake.boottime_ns() + 5 * 10**9
    with pytest.raises(TooOld):
        await cluster.create_instance(owner, creation(), deadline)
    assert await fake.pod("web-1") is None


@pytest.mark.parametrize(
    "fields",
    [{"name": "web-2"}, {"instance_id": 0, "name": "web-0"}, {"model": ""}, {"replaces": "web-1"}],
)
async def test_a_create_that_no_correct_caller_sends_trips_the_fake(
    fake: FakeWorld, fields: dict[str, Any]
) -> None:
    """A fake asserts its inputs."""
    owner = await fake.make_set()
    with pytest.raises(AssertionError):
        await fake.cluster.create_instance(owner, creation(**fields), FAR_FUTURE)


async def test_a_status_that_leaves_out_a_list_trips_the_fake(fake: FakeWorld) -> None:
    """Rule 25: lists are always sent, also when empty."""
    owner = await fake.make_set()
    with pytest.raises(AssertionError, match="creating"):
        await fake.cluster.record_status(owner, {"repairs": {}})


def test_the_wall_clock_may_jump_and_the_steady_one_does_not_show_it() -> None:
    clock = FakeClock()
    before, boot = clock.now(), clock.boottime_ns()
    clock.jump_wall(timedelta(hours=-1))
    assert (clock.now(), clock.boottime_ns()) == (before, boot)
    assert clock.wall() == before - timedelta(hours=1)
    clock.advance(1.5)
    assert clock.boottime_ns() - boot == 1_500_000_000
    with pytest.raises(AssertionError, match="never goes back"):
        clock.advance(-1)


def test_timers_run_in_order_at_their_own_moment() -> None:
    """Determinism."""
    clock = FakeClock()
    seen: list[tuple[str, float]] = []

    def note(name: str) -> None:
        seen.append((name, (clock.now() - start).total_seconds()))

    start = clock.now()
    clock.after(timedelta(seconds=2), lambda: note("b"))
    clock.after(timedelta(seconds=1), lambda: clock.after(timedelta(), lambda: note("a")))
    clock.after(timedelta(seconds=2), lambda: note("c"))
    assert clock.next_timer() == start + timedelta(seconds=1)
    clock.advance(5)
    assert seen == [("a", 1.0), ("b", 2.0), ("c", 2.0)]


def test_a_listener_that_writes_is_caught() -> None:
    """Order of events: what follows a change is done by a timer."""
    server = FakeApiServer(FakeClock())

    def write(_: Change) -> None:
        server.set_node("b", ready=True)

    server.subscribe(write)
    with pytest.raises(AssertionError, match="timer"):
        server.set_node("a", ready=True)
