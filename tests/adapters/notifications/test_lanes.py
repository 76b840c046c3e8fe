"""The lanes of notices over real webhooks: slow, failing, hanging, and not there."""

from __future__ import annotations

import asyncio
import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from scaleset_operator.api.base import format_time
from scaleset_operator.reconciler.notifying import Lane, Notifying
from scaleset_operator.reconciler.ports import Key
from scaleset_operator.reconciler.resources import Resources
from tests.adapters.notifications.receiver import Receiver, listening
from tests.api.manifests import WINDOW, manifest
from tests.reconciler.stage import Stage
from tests.simulation.world import NAMESPACE

if TYPE_CHECKING:
    from pathlib import Path

    from scaleset_operator.adapters.notifications.notifier import FileNotifier

PATCH: Final = Key(NAMESPACE, "patch")
KINDS: Final = ("Announced", "SelfServiceOpened")
AUDIENCES: Final = ("default", "shop")


class Lanes:
    """One window with two notices for two audiences, and whoever tells them."""

    def __init__(self, notifier: FileNotifier) -> None:
        self.stage = Stage()
        resources = Resources()
        made = self.stage.server.apply(WINDOW, *PATCH, manifest(WINDOW)["spec"])
        now = format_time(self.stage.clock.now())
        rows = [
            {"kind": kind, "iteration": 1, "time": now, "audiences": list(AUDIENCES)}
            for kind in KINDS
        ]
        version = made["metadata"]["resourceVersion"]
        self.stage.server.apply_status(*PATCH, version, {"notices": rows}, kind=WINDOW)
        resources.put_window(self.stage.server.resource(WINDOW, *PATCH))
        self.notifying = Notifying(resources, self.stage.cluster, self.stage.clock, notifier)

    async def wait(self, audience: str = "default") -> float:
        """One turn; in how many seconds the next is due."""
        due = await self.notifying.turn(Lane(PATCH, audience))
        assert due is not None
        return (due - self.stage.clock.now()) / timedelta(seconds=1)

    def left(self) -> list[list[str]]:
        rows = self.stage.server.resource(WINDOW, *PATCH)["status"]["notices"]
        return [row["audiences"] for row in rows]


@pytest.fixture
def lanes(notifier: FileNotifier) -> Lanes:
    return Lanes(notifier)


def reached_at(folder: Path, audience: str, port: int) -> None:
    (folder / f"{audience}.url").write_text(f"http://127.0.0.1:{port}/{audience}")


def kinds(receiver: Receiver) -> list[str]:
    return [event["data"]["kind"] for event in receiver.events()]


async def test_a_webhook_that_hangs_delays_no_other_and_ends_with_the_operator(
    tmp_path: Path, receiver: Receiver, lanes: Lanes
) -> None:
    """V-24: each audience has a lane of its own."""
    receiver.held = asyncio.Event()
    reached_at(tmp_path, "default", receiver.port)
    async with listening() as shop:
        reached_at(tmp_path, "shop", shop.port)
        serving = asyncio.create_task(lanes.notifying.queue.run())
        lanes.notifying.wake(PATCH)
        async with asyncio.timeout(5):
            while lanes.left() != [["default"], ["default"]]:  # noqa: ASYNC110 - the fake server tells nobody
                await asyncio.sleep(0.01)
        assert kinds(shop) == list(KINDS)
        assert kinds(receiver) == ["Announced"], "later ones wait behind it"
        serving.cancel()
        async with asyncio.timeout(2):
            await asyncio.wait([serving])
        assert serving.cancelled()


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_one_that_fails_is_tried_again_with_growing_waits_and_told_in_order(
    tmp_path: Path, receiver: Receiver, lanes: Lanes, status: int
) -> None:
    reached_at(tmp_path, "default", receiver.port)
    receiver.status = status
    for wait in (5, 10, 20):
        assert await lanes.wait() == wait
        lanes.stage.clock.advance(wait - 1)
        assert await lanes.wait() == 1, "not before"
        lanes.stage.clock.advance(1)
    assert kinds(receiver) == ["Announced"] * 3
    receiver.status = 200
    assert await lanes.wait() == 0
    assert await lanes.wait() == 0
    assert kinds(receiver)[3:] == list(KINDS)
    assert lanes.left() == [["shop"], ["shop"]]


async def test_one_that_says_when_is_asked_then(
    tmp_path: Path, receiver: Receiver, lanes: Lanes
) -> None:
    reached_at(tmp_path, "default", receiver.port)
    receiver.status, receiver.headers = 429, {"Retry-After": "90"}
    assert await lanes.wait() == 90


async def test_one_that_is_not_there_is_tried_again(tmp_path: Path, lanes: Lanes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    reached_at(tmp_path, "default", port)
    assert await lanes.wait() == 5
    assert lanes.left() == [list(AUDIENCES)] * 2


async def test_the_id_of_what_is_sent_again_stays(
    tmp_path: Path, receiver: Receiver, lanes: Lanes
) -> None:
    """V-24: source and id together tell a receiver what it has had."""
    reached_at(tmp_path, "default", receiver.port)
    receiver.status = 500
    lanes.stage.clock.advance(await lanes.wait())
    receiver.status = 200
    await lanes.wait()
    first, second = receiver.events()
    assert first == second
