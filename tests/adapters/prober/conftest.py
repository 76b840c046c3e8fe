"""An engine to drive by hand, servers to probe, and waiting for a condition."""

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from scaleset_operator.adapters.prober.attempt import Attempt, Target
from scaleset_operator.adapters.prober.engine import Engine, boottime_ns
from scaleset_operator.adapters.prober.wire import Code, ProbeProtocol, SetTarget
from tests.adapters.prober.servers import Behaviour, Server


class Seen(NamedTuple):
    """One outcome as the engine reported it."""

    target: Target
    code: Code
    status: int
    begun: int
    ended: int


class Lab:
    """An engine driven by the test, its clock moved by the test as well.

    Attributes:
        ahead_ns: how far the engine's clock is ahead of the machine's.
    """

    def __init__(self, *, at_most: int = 1000) -> None:
        self.ahead_ns = 0
        self.seen: list[Seen] = []
        self.engine = Engine(self._report, at_most=at_most, clock=self._now)
        self.most_in_the_air = 0
        self._numbers = 0

    def _now(self) -> int:
        return boottime_ns() + self.ahead_ns

    def _report(self, attempt: Attempt, code: Code, ended: int) -> None:
        self.seen.append(Seen(attempt.target, code, attempt.status, attempt.begun_ns, ended))

    def probe(
        self,
        port: int,
        *,
        ip: str = "127.0.0.1",
        protocol: ProbeProtocol = ProbeProtocol.HTTP,
        path: str = "/healthz",
        interval: float = 0.1,
        timeout: float = 11,
    ) -> Target:
        """Adds a target that is due at once."""
        self._numbers += 1
        target = Target(
            SetTarget(
                target=self._numbers,
                epoch=1,
                protocol=protocol,
                ip=ip,
                port=port,
                path=path,
                interval_ns=round(interval * 1e9),
                timeout_ns=round(timeout * 1e9),
                seed=0,
            )
        )
        self.engine.add(target)
        return target

    def turn(self) -> None:
        """One turn, of 20 ms at most."""
        self.engine.turn(self._now() + 20_000_000)
        self.most_in_the_air = max(self.most_in_the_air, self.engine.in_the_air)

    def until(self, condition: Callable[[], bool], within: float = 4) -> None:
        """Turns until a condition holds."""
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"not within {within} s; seen: {self.seen}"
            self.turn()

    def skip(self, seconds: float) -> None:
        """Lets time pass for the engine, in steps that are no stall."""
        for _ in range(round(seconds / 0.4) + 1):
            self.ahead_ns += 400_000_000
            self.turn()

    def outcomes(self, target: Target) -> list[Code]:
        """How the target's attempts ended so far."""
        return [seen.code for seen in self.seen if seen.target is target]

    def first(self, target: Target) -> Seen:
        """The target's first outcome, waited for."""
        self.until(lambda: bool(self.outcomes(target)))
        return next(seen for seen in self.seen if seen.target is target)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """An engine with plenty of room."""
    lab = Lab()
    yield lab
    lab.engine.close()


class Serve(Protocol):
    """Starts a server that ends with the test."""

    def __call__(self, behaviour: Behaviour, ip: str = "127.0.0.1") -> Server:
        """Gives the server."""
        ...


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers."""
    servers: list[Server] = []

    def start(behaviour: Behaviour, ip: str = "127.0.0.1") -> Server:
        servers.append(Server(behaviour, ip))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def open_descriptors() -> set[int]:
    """The descriptors of this process."""
    return {int(path.name) for path in Path("/proc/self/fd").iterdir()}


async def until(condition: Callable[[], bool], within: float = 4) -> None:
    """Lets the loop run until a condition holds."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"not within {within} s"
        await asyncio.sleep(0.005)
