"""Audiences are told what is recorded for them: at least once, in order, and never in the way."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.api.base import Reason
from scaleset_operator.reconciler.notifying import EventsAlone, Notifying
from scaleset_operator.reconciler.ports import Key, Refused, Unavailable
from scaleset_operator.rehearsal.requests import Fault, Verb
from tests.cli.maintained import window
from tests.reconciler.stage import Stage
from tests.simulation.world import NAMESPACE
from tests.support.fake_leadership import FakeLeadership

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scaleset_operator.core.plan import Note

PATCH = Key(NAMESPACE, "host-patch-nov")
KIND = "MaintenanceWindow"
DOWN = Unavailable("503")


def notice(kind: str, *audiences: str) -> dict[str, Any]:
    time = {"time": "2026-11-21T08:00:00Z"}
    return {"kind": kind, "iteration": 1, "audiences": list(audiences or ("default",))} | time


class Post:
    """The way to the audiences: what was sent, and what goes wrong for whom."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []
        self.faults: dict[str, Exception] = {}
        self.held: dict[str, asyncio.Event] = {}

    async def send(self, audience: str, event: Mapping[str, Any]) -> None:
        if audience in self.held:
            await self.held[audience].wait()
        self.sent.append((audience, event["data"]["kind"]))
        if audience in self.faults:
            raise self.faults[audience]


class Office:
    """A window with notices that wait, and who sends them."""

    def __init__(self, *notices: dict[str, Any]) -> None:
        self.stage = Stage()
        self.clock = self.stage.clock
        self.post = Post()
        self.told: list[tuple[Key, str, Note]] = []
        self.leadership = FakeLeadership(leading=True)
        self.resources = self.stage.operator.resources
        self.stage.server.apply(KIND, *PATCH, window()["spec"])
        self.write(*notices)
        self.begin()

    def begin(self) -> None:
        """An operator begins, and has heard of the window."""
        self.hear()
        self.notifying = Notifying(
            self.resources,
            self.stage.cluster,
            self.clock,
            self.leadership,
            self.post,
            lambda key, uid, note: self.told.append((key, uid, note)),
        )

    def write(self, *notices: dict[str, Any]) -> None:
        """Somebody else writes the status."""
        server = self.stage.server
        version = server.resource(KIND, *PATCH)["metadata"]["resourceVersion"]
        server.apply_status(*PATCH, version, {"notices": list(notices)}, kind=KIND)

    def hear(self) -> None:
        self.resources.put_window(self.stage.server.resource(KIND, *PATCH))

    def left(self) -> list[tuple[str, list[str]]]:
        """What waits in the status still."""
        status = self.stage.server.resource(KIND, *PATCH)["status"]
        return [(one["kind"], one["audiences"]) for one in status.get("notices", [])]

    def writes(self) -> int:
        return len([r for r in self.stage.made(Verb.STATUS) if r.name == PATCH.name])

    async def look(self, after: float = 0.0) -> None:
        self.clock.advance(after)
        await self.notifying.look()


async def test_what_waits_is_sent_and_taken_out_of_the_status() -> None:
    """V-23, V-24: once, and nothing is written where nothing waits."""
    office = Office(notice("Announced", "default", "shop"))
    for _ in range(3):
        await office.look(after=1)
    assert sorted(office.post.sent) == [("default", "Announced"), ("shop", "Announced")]
    assert office.left() == []
    assert office.writes() == 1


async def test_one_that_cannot_be_reached_is_tried_again_ever_more_rarely() -> None:
    """V-24: at least once, for as long as it takes."""
    office = Office(notice("Announced"))
    office.post.faults["default"] = DOWN
    began, tries = office.clock.now(), []
    for _ in range(4_000):
        before = len(office.post.sent)
        await office.look(after=1)
        if len(office.post.sent) > before:
            tries.append((office.clock.now() - began).total_seconds())
    waits = [late - early for early, late in pairwise(tries)]
    assert waits[:8] == [5, 10, 20, 40, 80, 160, 320, 600]
    assert set(waits[8:]) == {600}
    assert office.left() == [("Announced", ["default"])]
    office.post.faults.clear()
    await office.look(after=600)
    assert office.left() == []


async def test_it_is_not_tried_before_the_receiver_wants_it() -> None:
    office = Office(notice("Announced"))
    office.post.faults["default"] = Unavailable("429", retry_after=90)
    await office.look()
    await office.look(after=89)
    assert len(office.post.sent) == 1
    await office.look(after=1)
    assert len(office.post.sent) == 2


async def test_one_that_refuses_is_given_up_and_that_is_told_once() -> None:
    office = Office(notice("Announced", "default", "shop"))
    office.post.faults["default"] = Refused(Reason.NOTIFICATION_FAILED, "it answers 404")
    for _ in range(3):
        await office.look(after=600)
    ((key, uid, note),) = office.told
    assert (key, note.reason, note.warning) == (PATCH, Reason.NOTIFICATION_FAILED, True)
    assert uid == office.stage.server.resource(KIND, *PATCH)["metadata"]["uid"]
    assert note.message == "audience default, Announced of 1: it answers 404"
    assert sorted(office.post.sent) == [("default", "Announced"), ("shop", "Announced")]
    assert office.left() == []


async def test_an_audience_has_its_notices_in_their_order() -> None:
    """That it is over is not told before it was announced."""
    office = Office(notice("Announced"), notice("Ended"))
    office.post.faults["default"] = DOWN
    await office.look()
    await office.look(after=1)
    assert office.post.sent == [("default", "Announced")]
    office.post.faults.clear()
    await office.look(after=5)
    assert office.post.sent[1:] == [("default", "Announced"), ("default", "Ended")]


async def test_one_audience_does_not_hold_up_another() -> None:
    office = Office(notice("Announced", "slow", "default"), notice("Started", "slow", "default"))
    office.post.held["slow"] = asyncio.Event()
    looking = asyncio.create_task(office.notifying.look())
    for _ in range(20):
        await asyncio.sleep(0)
    assert office.post.sent == [("default", "Announced"), ("default", "Started")]
    office.post.held["slow"].set()
    await looking
    assert office.left() == []


async def test_an_unforeseen_fault_is_tried_again_and_ends_nothing() -> None:
    office = Office(notice("Announced", "default", "shop"))
    office.post.faults["default"] = KeyError("a fault of the library")
    await office.look()
    assert office.left() == [("Announced", ["default"])]
    office.post.faults.clear()
    await office.look(after=5)
    assert office.left() == []


@pytest.mark.parametrize("fault", list(Fault))
async def test_a_status_that_cannot_be_written_sends_nothing_twice(fault: Fault) -> None:
    """V-24: it is remembered what was sent, until that stands."""
    office = Office(notice("Announced"))
    office.stage.operator.faults.script(Verb.STATUS, fault)
    await office.look()
    office.hear()
    await office.look(after=1)
    office.hear()
    await office.look(after=1)
    assert office.post.sent == [("default", "Announced")]
    assert office.left() == []


async def test_what_comes_meanwhile_is_not_overwritten() -> None:
    """By the window's own turn, whose status is newer than what was read."""
    office = Office(notice("Announced"))
    office.write(notice("Announced"), notice("SelfServiceOpened"))
    await office.look()
    assert office.left() == [("Announced", ["default"]), ("SelfServiceOpened", ["default"])]
    office.hear()
    await office.look(after=1)
    assert office.post.sent == [("default", "Announced"), ("default", "SelfServiceOpened")]
    assert office.left() == []


async def test_an_operator_that_begins_tells_what_was_not_recorded_once_more() -> None:
    """V-24: at least once, and under the same id."""
    office = Office(notice("Announced"))
    office.stage.operator.faults.script(Verb.STATUS, Fault.SERVER_ERROR)
    await office.look()
    office.begin()
    await office.look(after=1)
    assert office.post.sent == [("default", "Announced")] * 2
    assert office.left() == []


async def test_a_standby_tells_nobody() -> None:
    office = Office(notice("Announced"))
    office.leadership.leading = False
    await office.look()
    assert office.post.sent == []
    office.leadership.leading = True
    await office.look()
    assert len(office.post.sent) == 1


async def test_a_window_that_is_gone_is_let_go() -> None:
    office = Office(notice("Announced"))
    office.post.faults["default"] = DOWN
    await office.look()
    office.resources.drop_window(PATCH)
    await office.look(after=5)
    assert len(office.post.sent) == 1
    office.stage.server.delete_resource(KIND, *PATCH)


async def test_without_another_way_the_events_of_the_cluster_are_enough() -> None:
    """V-25: nothing waits for an address that nobody has given."""
    office = Office(notice("Announced"))
    office.post = EventsAlone()  # type: ignore[assignment] # the default
    office.begin()
    await office.look()
    assert office.left() == []


async def test_it_looks_again_and_again() -> None:
    office = Office(notice("Announced"))
    office.post.faults["default"] = DOWN
    rounds = 0

    async def sleep(seconds: float) -> None:
        nonlocal rounds
        rounds += 1
        if rounds > 6:
            raise asyncio.CancelledError
        office.clock.advance(seconds)

    with pytest.raises(asyncio.CancelledError):
        await office.notifying.run(sleep)
    assert len(office.post.sent) == 2
