"""kopf in its thread: started again when it ends, stopped when told, heard on our own loop."""

import asyncio
import itertools
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import kopf
import pytest

from scaleset_operator.handlers import supervision
from scaleset_operator.handlers.supervision import CustomResourceWatch, next_wait
from scaleset_operator.handlers.watching import SCALE_SETS
from tests.support.waiting import wait_for

BODY = {"metadata": {"namespace": "default", "name": "web"}}


class FakeKopf:
    """Stands where `kopf.operator` does.

    Attributes:
        starts: the arguments and the monotonic time of each start.
        run: what one run of it does; by default it serves until its stop flag is set.
    """

    def __init__(self) -> None:
        self.starts: list[tuple[dict[str, Any], float]] = []
        self.run: Callable[[dict[str, Any]], None] = lambda _: None
        self.serves = True

    async def operator(self, **arguments: Any) -> None:
        self.starts.append((arguments, time.monotonic()))
        self.run(arguments)
        stop: threading.Event = arguments["stop_flag"]
        if self.serves:
            await asyncio.to_thread(stop.wait)

    def fail(self, _: dict[str, Any]) -> None:
        message = "the API server was away for too long"
        raise ConnectionError(message)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeKopf:
    fake = FakeKopf()
    monkeypatch.setattr(kopf, "operator", fake.operator)
    monkeypatch.setattr(supervision, "FIRST_WAIT", 0.02)
    return fake


@pytest.fixture
def heard() -> list[tuple[str, bool, Mapping[str, Any], str]]:
    return []


@pytest.fixture
async def watch(
    fake: FakeKopf, heard: list[tuple[str, bool, Mapping[str, Any], str]]
) -> AsyncIterator[CustomResourceWatch]:
    def hear(kind: str, gone: bool, body: Mapping[str, Any]) -> None:  # noqa: FBT001 - shape of Heard
        heard.append((kind, gone, body, threading.current_thread().name))

    made = CustomResourceWatch(asyncio.get_running_loop(), hear, ("shop",))
    yield made
    fake.serves = False
    await asyncio.to_thread(made.stop)


async def until(told: Callable[[], Any], what: str) -> None:
    """Wait without holding up the loop."""
    await asyncio.to_thread(wait_for, told, 4.0, what, every=0.005)


async def test_kopf_is_given_our_registry_and_our_namespaces_alone(
    fake: FakeKopf, watch: CustomResourceWatch
) -> None:
    watch.start()
    await until(lambda: fake.starts, "kopf was started")
    ((arguments, _),) = fake.starts
    assert arguments["namespaces"] == ("shop",)
    assert arguments["clusterwide"] is False
    assert arguments["standalone"] is True
    assert arguments["settings"].posting.enabled is False
    # Else it asks for the name of the user, which in a container nobody has.
    assert arguments["identity"]


async def test_without_namespaces_kopf_serves_the_whole_cluster(fake: FakeKopf) -> None:
    watch = CustomResourceWatch(asyncio.get_running_loop(), lambda *_: None, ())
    watch.start()
    await until(lambda: fake.starts, "kopf was started")
    await asyncio.to_thread(watch.stop)
    assert fake.starts[0][0]["clusterwide"] is True


async def test_what_kopf_hears_is_handed_to_our_own_loop(
    fake: FakeKopf,
    watch: CustomResourceWatch,
    heard: list[tuple[str, bool, Mapping[str, Any], str]],
) -> None:
    def hear(arguments: dict[str, Any]) -> None:
        handlers = arguments["registry"]._watching.get_all_handlers()  # noqa: SLF001 - kopf hides them
        listen = next(handler.fn for handler in handlers if handler.id == SCALE_SETS)
        listen(event={"type": "DELETED", "object": BODY})

    fake.run = hear
    watch.start()
    await until(lambda: heard, "something was heard")
    assert heard == [(SCALE_SETS, True, BODY, threading.current_thread().name)]


async def test_kopf_is_started_again_when_it_ends_with_an_error_and_ever_later(
    fake: FakeKopf, watch: CustomResourceWatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The operator outlives an API server that is away for longer than kopf waits."""
    fake.run = fake.fail
    watch.start()
    await until(lambda: len(fake.starts) >= 4, "kopf was started four times")
    times = [at for _, at in fake.starts[:4]]
    least = (0.02, 0.04, 0.08)
    waits = [later - sooner for sooner, later in itertools.pairwise(times)]
    assert [wait for wait, bound in zip(waits, least, strict=True) if wait < bound] == []
    assert "the API server was away for too long" in caplog.text


async def test_kopf_is_started_again_when_it_ends_of_itself(
    fake: FakeKopf, watch: CustomResourceWatch
) -> None:
    fake.serves = False
    watch.start()
    await until(lambda: len(fake.starts) >= 2, "kopf was started twice")


def test_the_waits_double_up_to_a_minute_and_begin_anew_after_a_long_good_run() -> None:
    """A failure each hour is no reason to look away for a minute."""
    waits = [0.0]
    for _ in range(8):
        waits.append(next_wait(waits[-1], lasted=2.0))
    assert waits[1:] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert next_wait(60.0, lasted=3_600.0) == 1


async def test_stopping_ends_the_run_and_the_thread(
    fake: FakeKopf, watch: CustomResourceWatch
) -> None:
    watch.start()
    await until(lambda: fake.starts, "kopf was started")
    await asyncio.to_thread(watch.stop)
    assert "kopf" not in {thread.name for thread in threading.enumerate()}
    assert len(fake.starts) == 1


async def test_stopping_does_not_wait_for_the_next_start(
    fake: FakeKopf, watch: CustomResourceWatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "FIRST_WAIT", 3_600.0)
    fake.run = fake.fail
    watch.start()
    await until(lambda: fake.starts, "kopf was started")
    await asyncio.to_thread(watch.stop, 4.0)
    assert "kopf" not in {thread.name for thread in threading.enumerate()}
