"""The heart of the prober, and the process that follows one that died."""

import asyncio
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvloop

from scaleset_operator.adapters.prober import child as child_module
from scaleset_operator.adapters.prober import link as link_module
from scaleset_operator.core.observed import Outcome
from tests.adapters.prober.conftest import Serve, open_descriptors, until
from tests.adapters.prober.servers import OK, accepting, answering, with_status
from tests.adapters.prober.test_process import running
from tests.adapters.prober.watched import Watched


@pytest.fixture
async def watched() -> AsyncIterator[Watched]:
    watched = Watched()
    watched.link.start()
    await watched.link.settled()
    yield watched
    await watched.link.close()


@pytest.mark.timeout(60)
async def test_a_stopped_process_is_a_silent_heart_and_blames_nobody(
    watched: Watched, serve: Serve
) -> None:
    """X-05: two seconds without a heartbeat withhold repairs; what was in the air is void."""
    watched.set(serve(answering(OK)).port)
    await watched.outcome(Outcome.OK)
    pid, since = watched.pid(), watched.link.state().beating_since
    assert since is not None
    assert watched.link.heart_age() < 2

    os.kill(pid, signal.SIGSTOP)
    try:
        await until(lambda: watched.link.heart_age() > 2)
        assert watched.link.state().beating_since is None
        await until(lambda: watched.states[-1].beating_since is None)
    finally:
        os.kill(pid, signal.SIGCONT)

    await until(lambda: watched.link.heart_age() < 1)
    again = watched.link.state().beating_since
    assert again is not None
    assert again > since
    assert watched.pid() == pid
    assert watched.evidence().outcome is Outcome.OK
    assert watched.evidence().failures == 0


@pytest.mark.timeout(60)
async def test_a_heart_that_stays_silent_is_replaced(serve: Serve) -> None:
    """X-05: SIGSTOP for good."""
    watched = Watched(heart_dead=1.5)
    watched.link.start()
    try:
        await watched.link.settled()
        watched.set(serve(answering(OK)).port)
        await watched.outcome(Outcome.OK)
        stopped = watched.pid()
        os.kill(stopped, signal.SIGSTOP)
        await until(lambda: watched.link.state().starts == 2, within=6)
        await watched.outcome(Outcome.OK)
        assert watched.pid() != stopped
        assert not running(stopped)
    finally:
        await watched.link.close()


async def test_a_killed_process_is_replaced_and_told_everything(
    watched: Watched, serve: Serve
) -> None:
    """X-08, P-31: the new one begins with empty evidence, and with all targets and references."""
    watched.link.set_references([("127.0.0.1", serve(accepting).port)])
    watched.set(serve(answering(OK)).port)
    watched.set(serve(with_status("500 Oops")).port, "other")
    await watched.outcome(Outcome.OK)
    first_watch = watched.evidence().watched_since

    os.kill(watched.pid(), signal.SIGKILL)
    await until(lambda: watched.link.state().pid is None)
    assert watched.link.heart_age() == math.inf
    assert not watched.link.state().sees
    asked = asyncio.ensure_future(watched.link.settled())
    await until(lambda: watched.link.state().starts == 2)

    assert watched.evidence().outcome is None
    assert watched.evidence().watched_since > first_watch
    await asyncio.wait_for(asked, 4)
    await watched.outcome(Outcome.OK)
    await watched.outcome(Outcome.WRONG_STATUS, "other")
    await until(lambda: watched.link.state().sees)
    assert watched.evidence().sequence >= 1


async def test_a_process_that_cannot_be_started_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched()
    real, failures = child_module._spawn, iter([OSError("no process to be had")])  # noqa: SLF001

    def spawn(theirs: socket.socket) -> subprocess.Popen[bytes]:
        for failure in failures:
            raise failure
        return real(theirs)

    monkeypatch.setattr(child_module, "_spawn", spawn)
    watched.link.start()
    try:
        await watched.link.settled()
        assert "no process to be had" in caplog.text
        assert watched.link.state().starts == 1
    finally:
        await watched.link.close()


async def test_a_process_that_never_beats_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched()
    monkeypatch.setattr(link_module, "START_WITHIN_S", 0.0)
    watched.link.start()
    try:
        await until(lambda: watched.link.state().starts == 1)
        os.kill(watched.pid(), signal.SIGSTOP)
        await until(lambda: watched.link.state().starts == 2)
    finally:
        await watched.link.close()


async def test_a_process_that_speaks_nonsense_is_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of another version, say: it is not believed."""
    real, first = child_module._spawn, iter([True])  # noqa: SLF001
    unknown_frame = "s = socket.socket(fileno=int(sys.argv[1])); s.send(bytes(4) + b'c'); s.recv(9)"

    def spawn(theirs: socket.socket) -> subprocess.Popen[bytes]:
        for _ in first:
            descriptor = theirs.fileno()
            program = f"import socket, sys; {unknown_frame}"
            return subprocess.Popen(
                [sys.executable, "-c", program, str(descriptor)], pass_fds=[descriptor]
            )
        return real(theirs)

    monkeypatch.setattr(child_module, "_spawn", spawn)
    watched = Watched()
    watched.link.start()
    try:
        await watched.link.settled()
        assert watched.link.state().starts == 2
    finally:
        await watched.link.close()


async def test_an_interrupt_is_the_parents_to_deal_with(watched: Watched) -> None:
    pid = watched.pid()
    os.kill(pid, signal.SIGINT)
    await watched.link.settled()
    await watched.link.settled()
    assert watched.pid() == pid


async def test_closing_leaves_no_process_and_no_descriptor(serve: Serve) -> None:
    server = serve(answering(OK))
    before = len(open_descriptors())
    watched = Watched()
    watched.link.start()
    watched.link.start()
    watched.set(server.port)
    await watched.outcome(Outcome.OK)
    pid = watched.pid()

    await watched.link.close()
    await watched.link.close()

    assert not running(pid)
    assert watched.link.state().pid is None
    await until(lambda: len(open_descriptors()) <= before)


def test_it_runs_on_uvloop_as_well(serve: Serve) -> None:
    server = serve(answering(OK))

    async def scenario() -> None:
        watched = Watched()
        watched.link.start()
        await watched.link.settled()
        watched.set(server.port)
        await watched.outcome(Outcome.OK)
        os.kill(watched.pid(), signal.SIGKILL)
        await until(lambda: watched.link.state().starts == 2)
        await watched.outcome(Outcome.OK)
        await watched.link.close()

    run: Callable[[Awaitable[None]], None] = uvloop.run  # type: ignore[assignment]
    run(scenario())
