"""What there is room for, counted on a clock of the test's own."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaleset_operator.adapters.listening import listening_socket
from scaleset_operator.adapters.scheduled_events.door import Bounds, Bucket, Door
from tests.adapters.cluster.fake_api import until
from tests.support.event_asker import drained

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RATE, BURST = 4.0, 8


def test_a_bucket_gives_a_burst_and_then_its_rate() -> None:
    bucket = Bucket(RATE, BURST, 100.0)
    assert [bucket.take(100.0) for _ in range(BURST + 1)] == [True] * BURST + [False]
    assert bucket.take(100.25)
    assert not bucket.take(100.25)
    assert not bucket.is_full(101.0)
    assert bucket.is_full(103.0)


def test_what_is_booked_ahead_comes_at_the_rate() -> None:
    bucket = Bucket(RATE, 1, 100.0)
    assert [bucket.book(100.0) for _ in range(3)] == [0.0, 0.25, 0.5]


@given(
    st.lists(st.floats(0, 5, allow_nan=False).map(lambda seconds: round(seconds, 3)), max_size=80)
)
def test_no_bucket_gives_more_than_it_may_in_any_span(pauses: list[float]) -> None:
    """However the asking is spread."""
    bucket, now, given_at = Bucket(RATE, BURST, 0.0), 0.0, []
    for pause in pauses:
        now += pause
        if bucket.take(now):
            given_at.append(now)
    for index, begin in enumerate(given_at):
        for count, end in enumerate(given_at[index:], start=1):
            assert count <= BURST + (end - begin) * RATE + 1e-6


class Room:
    """A door with a room behind it, in which everybody stays until told."""

    def __init__(self, bounds: Bounds) -> None:
        self.listening = listening_socket("127.0.0.1", 0)
        self.port: int = self.listening.getsockname()[1]
        self.seconds = 0.0
        self.away = 0
        self.inside: list[tuple[socket.socket, str]] = []
        self.door = Door(self.listening, bounds, self._turned_away, lambda: self.seconds)

    def _turned_away(self) -> None:
        self.away += 1

    async def welcome(self, connection: socket.socket, address: str) -> None:
        self.inside.append((connection, address))

    def leave(self) -> None:
        connection, address = self.inside.pop()
        connection.close()
        self.door.left(address)

    async def come(self, *peers: str) -> list[socket.socket]:
        """Connections from these; returns when each was let in or turned away."""
        came = []
        for peer in peers:
            before = len(self.inside) + self.away
            connection = socket.socket()
            connection.bind((peer, 0))
            connection.connect(("127.0.0.1", self.port))
            came.append(connection)
            await until(lambda: len(self.inside) + self.away > before)  # noqa: B023 - at once
        return came


async def behind(bounds: Bounds) -> AsyncIterator[Room]:
    room = Room(bounds)
    serving = asyncio.create_task(room.door.serve(room.welcome))
    yield room
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    for connection, _ in room.inside:
        connection.close()
    room.door.close()


@pytest.fixture
async def narrow() -> AsyncIterator[Room]:
    async for room in behind(Bounds(of_one=2, one_burst=3, one_each_second=1.0)):
        yield room


def close(connections: list[socket.socket]) -> None:
    for connection in connections:
        connection.close()


async def test_who_is_turned_away_reads_why(narrow: Room) -> None:
    came = await narrow.come(*["127.0.0.2"] * 3)
    assert narrow.away == 1
    came[2].settimeout(2)
    assert (await asyncio.to_thread(drained, came[2])).startswith(b"HTTP/1.1 429 ")
    close(came)


async def test_a_share_comes_back_with_time_and_a_place_with_a_leave(narrow: Room) -> None:
    came = await narrow.come("127.0.0.2", "127.0.0.2")
    narrow.leave()
    came += await narrow.come("127.0.0.2")
    assert narrow.away == 0
    narrow.leave()
    came += await narrow.come("127.0.0.2")
    assert narrow.away == 1, "three at once were all there is"
    narrow.seconds += 1.0
    came += await narrow.come("127.0.0.2")
    assert narrow.away == 1
    close(came)


async def test_addresses_that_have_rested_are_forgotten(narrow: Room) -> None:
    """So that the book of them does not grow with everybody who ever came."""
    narrow.door._of_one = {  # noqa: SLF001 - its size is what is asked
        f"10.0.{n // 250}.{n % 250}": Bucket(1.0, 3, 0.0) for n in range(5_000)
    }
    close(await narrow.come("127.0.0.2"))
    assert len(narrow.door._of_one) == 1  # noqa: SLF001 - as above


class Failing:
    """A listening socket for which there is no descriptor left, once."""

    def __init__(self, listening: socket.socket) -> None:
        self.listening = listening
        self.failed = False

    def accept(self) -> tuple[socket.socket, object]:
        if not self.failed:
            self.failed = True
            raise OSError(errno.EMFILE, "Too many open files")
        return self.listening.accept()

    def fileno(self) -> int:
        return self.listening.fileno()

    def close(self) -> None:
        self.listening.close()


async def test_a_failing_accept_ends_nothing(narrow: Room) -> None:
    """It tries again, and no place is lost."""
    failing = Failing(narrow.listening)
    narrow.door._listening = failing  # type: ignore[assignment] # noqa: SLF001 - as the kernel would
    close(await narrow.come("127.0.0.2", "127.0.0.3", "127.0.0.4"))
    assert failing.failed
    assert len(narrow.inside) == 3
