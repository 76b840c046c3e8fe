"""How many may come in, how often, and for how long: whoever asks cannot take more than that.

What is beyond the bounds is turned away without being read, at a fixed price; beyond the pace of
all together, connections wait in the kernel. Must not know: HTTP beyond that one refusal, or pods.
"""

import asyncio
import contextlib
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from scaleset_operator.adapters.cluster.addressbook import spelled
from scaleset_operator.adapters.scheduled_events.answers import Code, refusal

BACKLOG: Final = 512
REFUSAL_S: Final = 0.25
"""For so long a connection that was turned away may read why."""
FAULT_S: Final = 0.2
"""Before the next try, when no connection could be taken in: no descriptor is free."""
_BODY: Final = refusal(Code.TOO_OFTEN, "you ask too often; ask again in a second or later")
REFUSAL: Final = (
    b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Type: application/json\r\n"
    b"Connection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What there is room for.

    Attributes:
        at_once: connections.
        of_one: connections of one address at once.
        each_second: connections taken in, of all together; burst as many at once after a rest.
        one_each_second: likewise of one address, and one_burst.
        head_s: within so long a request must have come, and be read.
        whole_s: after so long a connection is over, whatever it does.
    """

    at_once: int = 128
    of_one: int = 4
    each_second: float = 250.0
    burst: int = 250
    one_each_second: float = 2.0
    one_burst: int = 20
    head_s: float = 3.0
    whole_s: float = 15.0


class Bucket:
    """So much a second, and some at once after a rest."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = float(burst)
        self._at = now

    def take(self, now: float) -> bool:
        """Take one, if there is one."""
        self._fill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def book(self, now: float) -> float:
        """Take one, be it one that is yet to come; gives in how many seconds it is there."""
        self._fill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def is_full(self, now: float) -> bool:
        """Whether it is as good as new."""
        self._fill(now)
        return self._tokens >= self._burst

    def _fill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now


class Door:
    """Takes connections in, on one loop."""

    def __init__(
        self,
        listening: socket.socket,
        bounds: Bounds,
        turned_away: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepares it.

        Args:
            listening: where they come.
            bounds: what there is room for.
            turned_away: told of each connection that was.
            clock: seconds.
        """
        listening.setblocking(False)  # noqa: FBT003 - the shape of socket
        listening.listen(BACKLOG)
        self._listening = listening
        self._bounds = bounds
        self._turned_away = turned_away
        self._clock = clock
        self._room = asyncio.Semaphore(bounds.at_once)
        self._pace = Bucket(bounds.each_second, bounds.burst, clock())
        self._of_one: dict[str, Bucket] = {}
        self._inside: Counter[str] = Counter()
        self._refused: set[socket.socket] = set()

    async def serve(self, welcome: Callable[[socket.socket, str], Awaitable[None]]) -> None:
        """Take connections in until cancelled.

        Args:
            welcome: given one, and the address it is from; whoever takes it calls `left` once.
        """
        while True:
            await asyncio.sleep(self._pace.book(self._clock()))
            await self._room.acquire()
            try:
                connection, peer = await self._next()
            except OSError:
                self._room.release()
                await asyncio.sleep(FAULT_S)
                continue
            address = _address(peer[0])
            if self._admits(address):
                self._inside[address] += 1
                await welcome(connection, address)
            else:
                self._turned_away()
                self._refuse(connection)

    def left(self, address: str) -> None:
        """A connection from there is over."""
        self._inside[address] -= 1
        if self._inside[address] <= 0:
            del self._inside[address]
        self._room.release()

    def close(self) -> None:
        """Nobody comes in any more."""
        for connection in self._refused:
            connection.close()
        self._listening.close()

    async def _next(self) -> tuple[socket.socket, tuple[Any, ...]]:
        """The next connection; unlike the loop's own, it loses none when it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            with contextlib.suppress(BlockingIOError):
                connection, peer = self._listening.accept()
                connection.setblocking(False)  # noqa: FBT003 - the shape of socket
                return connection, peer
            somebody = asyncio.Event()
            loop.add_reader(self._listening, somebody.set)
            try:
                await somebody.wait()
            finally:
                loop.remove_reader(self._listening)

    def _admits(self, address: str) -> bool:
        now, bounds = self._clock(), self._bounds
        if len(self._of_one) > bounds.burst * 16:
            self._of_one = {a: b for a, b in self._of_one.items() if not b.is_full(now)}
        bucket = self._of_one.get(address)
        if bucket is None:
            bucket = Bucket(bounds.one_each_second, bounds.one_burst, now)
            self._of_one[address] = bucket
        return bucket.take(now) and self._inside[address] < bounds.of_one

    def _refuse(self, connection: socket.socket) -> None:
        """Say why, without reading anything; the place is free again when it is closed."""
        self._refused.add(connection)
        with contextlib.suppress(OSError):
            connection.send(REFUSAL)
            connection.shutdown(socket.SHUT_WR)
        asyncio.get_running_loop().call_later(REFUSAL_S, self._drop, connection)

    def _drop(self, connection: socket.socket) -> None:
        self._refused.discard(connection)
        connection.close()
        self._room.release()


def _address(host: str) -> str:
    try:
        return spelled(host)
    except ValueError:
        return host
