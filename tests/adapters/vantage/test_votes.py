"""Two replicas and the wire between them: who is asked, what counts, and what never does."""

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from scaleset_operator.adapters.pages import Pages, PageServer
from scaleset_operator.adapters.vantage.exchange import MOST_ASKED, Asked, Secret, answer
from scaleset_operator.adapters.vantage.peer import PeerVantage
from scaleset_operator.adapters.vantage.witnessing import Witnessing
from scaleset_operator.core.election import NS
from scaleset_operator.core.health import LISTEN_AGAIN
from scaleset_operator.reconciler.ports import ProbeKey
from tests.support.fake_calendar import FakeCalendar
from tests.support.fake_clock import T0

KEY = ProbeKey(probe_uid="probe", generation=1, port=8080)
WEB = Asked("web-1", "10.0.0.7", KEY)
THERE = "192.0.2.7:8081"


class Pair:
    """A leader, a standby, and what the standby's prober has heard."""

    def __init__(self, folder: Path) -> None:
        self.clock = FakeCalendar()
        self.file = folder / "key"
        self.file.write_bytes(b"shared by both of them")
        self.address = THERE
        self.watched = {"web-1": WEB}
        self.heard: dict[Asked, int] = {}
        self.fault: Exception | None = None
        self.takes = 0.0
        self.urls: list[str] = []
        secret = Secret(self.file)
        self.standby = Witnessing(secret, self.heard.get, self.clock.boottime_ns)
        self.leader = PeerVantage(
            secret, self.clock, self.watched.get, lambda: self.address, self.send
        )

    async def send(self, url: str, body: bytes) -> bytes:
        self.urls.append(url)
        if self.fault is not None:
            raise self.fault
        said = self.standby.answer(body)
        assert said is not None
        self.clock.advance(self.takes)
        return said

    def hears(self, asked: Asked = WEB, ago: float = 0.0) -> None:
        self.heard[asked] = self.clock.boottime_ns() - round(ago * NS)

    async def vote(self) -> datetime | None:
        """As the turn of a set in which it is silent: asks, and asks again a second later."""
        self.leader.votes("web-1")
        await self.leader.ask()
        return self.leader.votes("web-1")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


async def test_what_the_standby_has_heard_is_a_vote_of_that_moment(pair: Pair) -> None:
    """As old as it is there."""
    pair.hears(ago=4)
    assert await pair.vote() == T0 - timedelta(seconds=4)
    assert pair.urls == [f"http://{THERE}/vantage"]
    assert pair.leader.answers()


async def test_a_vote_is_never_newer_than_what_it_tells_of(pair: Pair) -> None:
    """Whatever the network does to it."""
    pair.hears(ago=4)
    pair.takes = 1.5
    assert await pair.vote() == T0 - timedelta(seconds=4)


async def test_what_was_heard_of_another_pod_address_or_rule_is_no_vote(pair: Pair) -> None:
    """P-25, P-30."""
    for other in (
        replace(WEB, ip="10.0.0.8"),
        replace(WEB, pod_uid="web-2"),
        replace(WEB, key=replace(KEY, generation=2)),
    ):
        pair.hears(other)
    assert await pair.vote() is None


async def test_a_vote_ends_with_the_target_that_it_was_of(pair: Pair) -> None:
    """P-25: the probe was changed meanwhile, or the pod is not watched any more."""
    pair.hears()
    assert await pair.vote() is not None
    pair.watched["web-1"] = replace(WEB, key=replace(KEY, generation=2))
    assert pair.leader.votes("web-1") is None
    del pair.watched["web-1"]
    assert await pair.vote() is None


async def test_what_was_heard_long_ago_is_not_told(pair: Pair) -> None:
    pair.hears(ago=601)
    assert await pair.vote() is None


@pytest.mark.parametrize("fault", [OSError("refused"), TimeoutError(), ValueError("500")], ids=repr)
async def test_a_replica_that_does_not_answer_gives_no_votes_and_says_so_once(
    pair: Pair, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    pair.hears()
    pair.fault = fault
    for _ in range(3):
        assert await pair.vote() is None
    assert not pair.leader.answers()
    assert len(caplog.records) == 1


async def test_a_vote_that_was_heard_stays_as_old_as_it_is_when_no_more_come(pair: Pair) -> None:
    """Stale is judged by its age, by whoever asks (rule 15)."""
    pair.hears()
    await pair.vote()
    pair.fault = OSError()
    pair.clock.advance(8)
    assert await pair.vote() == T0


async def test_who_is_silent_for_long_is_asked_about_as_long_as_turns_look(pair: Pair) -> None:
    """Rule 15: a repair that begins after an hour of grace is vetoed by a vote of that moment."""
    assert await pair.vote() is None
    for _ in range(60):
        pair.clock.advance(LISTEN_AGAIN.total_seconds())
        pair.leader.votes("web-1")
        await pair.leader.ask()
    pair.hears()
    pair.clock.advance(LISTEN_AGAIN.total_seconds() - 1)
    await pair.leader.ask()
    pair.clock.advance(1)
    assert pair.leader.votes("web-1") is not None


async def test_an_answer_without_our_seal_is_none(pair: Pair) -> None:
    """Who does not know the secret cannot hold a repair up."""

    async def forge(_url: str, _body: bytes) -> bytes:
        return answer(b"a secret of somebody else", "n", {"web-1": 0.0})

    forged = PeerVantage(Secret(pair.file), pair.clock, pair.watched.get, lambda: THERE, forge)
    forged.votes("web-1")
    await forged.ask()
    assert forged.votes("web-1") is None
    assert not forged.answers()


async def test_only_those_that_were_asked_about_are_taken_in(pair: Pair) -> None:
    """A standby cannot vote for whom nobody asked."""
    pair.hears()
    pair.watched["web-2"] = replace(WEB, pod_uid="web-2")
    pair.hears(pair.watched["web-2"])
    await pair.vote()
    assert pair.leader.votes("web-2") is None


async def test_nobody_is_asked_without_need_but_for_a_hello(pair: Pair) -> None:
    for _ in range(10):
        await pair.leader.ask()
        pair.clock.advance(1)
    assert len(pair.urls) == 2
    assert pair.leader.answers()


async def test_a_pod_that_no_turn_asks_about_is_soon_forgotten(pair: Pair) -> None:
    pair.hears()
    await pair.vote()
    pair.clock.advance(16)
    await pair.leader.ask()
    assert pair.leader.votes("web-1") is None


async def test_of_too_many_all_have_their_turn(pair: Pair) -> None:
    many = [replace(WEB, pod_uid=f"web-{n}") for n in range(2 * MOST_ASKED)]
    pair.watched |= {one.pod_uid: one for one in many}
    for one in many:
        pair.hears(one)
        pair.leader.votes(one.pod_uid)
    await pair.leader.ask()
    assert sum(pair.leader.votes(one.pod_uid) is not None for one in many) == MOST_ASKED
    pair.clock.advance(1)
    await pair.leader.ask()
    assert all(pair.leader.votes(one.pod_uid) is not None for one in many)


async def test_a_replica_that_is_deaf_for_ten_seconds_is_named(pair: Pair) -> None:
    """So that its place in the Lease becomes free."""
    await pair.leader.ask()
    pair.fault = OSError()
    for _ in range(9):
        pair.clock.advance(1)
        await pair.leader.ask()
    assert pair.leader.deaf() == ""
    pair.clock.advance(1)
    assert pair.leader.deaf() == THERE
    pair.address = "192.0.2.9:8081"
    pair.fault = None
    await pair.leader.ask()
    assert pair.leader.deaf() == ""
    assert pair.urls[-1] == "http://192.0.2.9:8081/vantage"


async def test_without_an_address_or_a_secret_nobody_is_asked_and_nobody_is_deaf(
    pair: Pair,
) -> None:
    pair.address = ""
    assert await pair.vote() is None
    pair.address = THERE
    pair.file.unlink()
    for _ in range(20):
        assert await pair.vote() is None
        pair.clock.advance(1)
    assert (pair.urls, pair.leader.deaf()) == ([], "")
    assert pair.standby.answer(b"anything") is None


@pytest.mark.parametrize(
    "address", ["leader.example:80", "10.0.0.7", "10.0.0.7:port", "user@10.0.0.7:80", "x"]
)
async def test_an_address_that_is_no_literal_is_not_asked(pair: Pair, address: str) -> None:
    """Whoever may write into the Lease sends the leader nowhere by a name."""
    pair.address = address
    assert await pair.vote() is None
    assert pair.urls == []


@pytest.fixture
def served(pair: Pair) -> Iterator[str]:
    """The standby's page, on a real socket."""
    pages = Pages(
        alive=list, ready=list, measured=lambda _: (b"", "text/plain"), asked=pair.standby.answer
    )
    server = PageServer("127.0.0.1", 0, pages)
    server.start()
    yield f"127.0.0.1:{server.port}"
    server.close()


async def test_the_votes_come_over_a_real_socket(pair: Pair, served: str) -> None:
    pair.hears(ago=1)
    leader = PeerVantage(Secret(pair.file), pair.clock, pair.watched.get, lambda: served)
    leader.votes("web-1")
    await leader.ask()
    assert leader.votes("web-1") == T0 - timedelta(seconds=1)


async def test_a_secret_that_differs_is_refused_over_a_real_socket(
    pair: Pair, served: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    other = tmp_path / "other"
    other.write_bytes(b"which they do not share")
    pair.hears()
    leader = PeerVantage(Secret(other), pair.clock, pair.watched.get, lambda: served)
    leader.votes("web-1")
    await leader.ask()
    assert leader.votes("web-1") is None
    assert "status 403" in caplog.text


async def test_it_asks_by_itself_until_it_is_ended(pair: Pair) -> None:
    """Once a second; a first second is enough to see it."""
    pair.hears()
    pair.leader.votes("web-1")
    task = asyncio.create_task(pair.leader.run())
    async with asyncio.timeout(5):
        while not pair.urls:  # noqa: ASYNC110 - by real time, as it asks
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
