"""Telling audiences: in order, at least once, and nobody waits for anybody else."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from scaleset_operator.api.base import Reason, format_time
from scaleset_operator.reconciler.notifying import (
    AT_ONCE,
    GIVEN_UP_AFTER,
    LONGEST_WAIT,
    Lane,
    Notifying,
)
from scaleset_operator.reconciler.ports import Key, Refused, Unavailable
from scaleset_operator.reconciler.resources import Resources
from scaleset_operator.rehearsal.requests import Fault, Verb
from tests.api.manifests import WINDOW, manifest
from tests.reconciler.stage import Stage
from tests.reconciler.virtual_time import LoopClock, tell
from tests.simulation.world import NAMESPACE
from tests.support.fake_clock import T0
from tests.support.fake_leadership import FakeLeadership

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from scaleset_operator.core.plan import Note

PATCH: Final = Key(NAMESPACE, "patch")
OTHER: Final = Key(NAMESPACE, "other")
HANG: Final = "hang"
KINDS: Final = ("Announced", "SelfServiceOpened", "ScheduledOpened")


class Audiences:
    """The port `Notifier`: each audience answers by its script, then well.

    Attributes:
        script: audience -> what becomes of the next events: an exception, `HANG`, or None.
        came: (audience, id of the event, second) of every one that was sent.
    """

    def __init__(self) -> None:
        self.script: dict[str, deque[Exception | str | None]] = {}
        self.came: list[tuple[str, str, float]] = []
        self.at_once: dict[str, int] = {}
        self.most: dict[str, int] = {}

    def answers(self, audience: str, *answers: Exception | str | None) -> None:
        self.script[audience] = deque(answers)

    async def send(self, audience: str, event: Mapping[str, Any]) -> None:
        """See the port."""
        now = asyncio.get_running_loop().time()
        self.came.append((audience, event["id"], now))
        self.at_once[audience] = self.at_once.get(audience, 0) + 1
        self.most[audience] = max(self.most.get(audience, 0), self.at_once[audience])
        try:
            answers = self.script.get(audience)
            answer = answers.popleft() if answers else None
            if answer == HANG:
                await asyncio.sleep(10)
                answer = Unavailable("no answer")
            if isinstance(answer, Exception):
                raise answer
        finally:
            self.at_once[audience] -= 1

    def told(self, audience: str) -> list[str]:
        """The kinds in the order in which they were sent, each try."""
        return [name.rpartition("/")[2] for who, name, _ in self.came if who == audience]

    def seconds(self, audience: str) -> list[float]:
        return [at for who, _, at in self.came if who == audience]


class Office:
    """Windows with notices that wait, and whoever tells of them."""

    def __init__(self, leadership: FakeLeadership | None = None) -> None:
        self.stage = Stage()
        self.resources = Resources()
        self.audiences = Audiences()
        self.notes: list[tuple[Key, Note]] = []
        self.leadership = leadership
        self.begin()

    def begin(self) -> None:
        """A new process: nothing is remembered."""
        self.notifying = Notifying(
            self.resources,
            self.stage.cluster,
            LoopClock(),
            self.audiences,
            self.leadership,
            lambda key, _uid, note: self.notes.append((key, note)),
        )

    def pending(
        self, *kinds: str, key: Key = PATCH, audiences: tuple[str, ...] = ("default",)
    ) -> None:
        """A window with these notices."""
        spec = manifest(WINDOW)["spec"]
        made = self.stage.server.apply(WINDOW, *key, spec)
        rows = [
            {"kind": k, "iteration": 1, "time": format_time(T0), "audiences": list(audiences)}
            for k in kinds
        ]
        version = made["metadata"]["resourceVersion"]
        self.stage.server.apply_status(*key, version, {"notices": rows}, kind=WINDOW)
        self.hear(key)

    def hear(self, key: Key = PATCH) -> None:
        self.resources.put_window(self.stage.server.resource(WINDOW, *key))

    def left(self, key: Key = PATCH) -> list[tuple[str, list[str]]]:
        rows = self.stage.server.resource(WINDOW, *key)["status"]["notices"]
        return [(row["kind"], row["audiences"]) for row in rows]

    async def serve(self, seconds: float, *keys: Key) -> None:
        """Have the queue served for so long."""
        for key in keys:
            self.notifying.wake(key)
        serving = asyncio.create_task(self.notifying.queue.run())
        await asyncio.sleep(seconds)
        serving.cancel()
        await asyncio.wait([serving])
        assert serving.cancelled(), "the loop has ended by itself"


def test_notices_of_an_audience_go_out_in_order_and_a_failed_one_holds_back_later_ones() -> None:
    """V-23: nobody reads of the scheduled window before the announcement."""
    office = Office()

    async def story() -> None:
        office.pending(*KINDS, audiences=("default", "shop"))
        office.audiences.answers("default", Unavailable("500"), Unavailable("500"))
        await office.serve(60, PATCH)

    tell(story())
    assert office.audiences.told("shop") == list(KINDS)
    assert office.audiences.seconds("shop")[-1] < 1, "it waits for nobody else"
    assert office.audiences.told("default") == ["Announced", "Announced", *KINDS]
    first, second, third, *_ = office.audiences.seconds("default")
    assert (round(second - first), round(third - second)) == (5, 10), "with growing waits"
    assert office.left() == []


def test_one_that_hangs_delays_neither_other_audiences_nor_other_windows() -> None:
    """V-24: and the loop goes on."""
    office = Office()
    keys = [Key(NAMESPACE, f"patch-{number}") for number in range(3 * AT_ONCE)]

    async def story() -> None:
        for key in keys:
            office.pending(*KINDS, key=key, audiences=("default", "shop"))
        office.pending(*KINDS, key=OTHER, audiences=("shop",))
        office.audiences.answers("default", *[HANG] * 1_000)
        await office.serve(5, *keys, OTHER)
        assert office.notifying.queue.beat > 3

    tell(story())
    assert len(office.audiences.told("shop")) == (len(keys) + 1) * len(KINDS)
    assert max(office.audiences.seconds("shop")) < 1
    assert office.left(OTHER) == []
    assert office.audiences.most["default"] == AT_ONCE, "what hangs is bounded"
    assert office.left(keys[0]) == [(kind, ["default"]) for kind in KINDS]


def test_windows_that_wait_for_an_audience_have_their_turn_when_there_is_room() -> None:
    office = Office()
    keys = [Key(NAMESPACE, f"patch-{number}") for number in range(3 * AT_ONCE)]

    async def story() -> None:
        for key in keys:
            office.pending("Announced", key=key)
        office.audiences.answers("default", *[HANG] * AT_ONCE)
        await office.serve(30, *keys)

    tell(story())
    assert [office.left(key) for key in keys] == [[]] * len(keys)
    assert max(office.audiences.seconds("default")) < 20


def test_what_nobody_foresaw_ends_one_try_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    office = Office()

    async def story() -> None:
        office.pending("Announced", audiences=("default", "shop"))
        office.audiences.answers("default", LookupError("s3cr3t"))
        await office.serve(30, PATCH)

    with caplog.at_level(logging.ERROR):
        tell(story())
    assert office.audiences.told("default") == ["Announced"] * 2
    assert office.audiences.told("shop") == ["Announced"]
    assert office.left() == []
    assert "default could not be told of 1/Announced" in caplog.text


def test_a_receiver_that_says_when_is_not_asked_before() -> None:
    office = Office()

    async def story() -> None:
        office.pending("Announced")
        office.audiences.answers("default", Unavailable("429", retry_after=120))
        await office.serve(200, PATCH)

    tell(story())
    assert [round(at) for at in office.audiences.seconds("default")] == [0, 120]


def test_waits_are_bounded_and_after_a_day_it_is_given_up_and_told() -> None:
    office = Office()

    async def story() -> None:
        office.pending("Announced", "Started")
        office.audiences.answers("default", *[Unavailable("500")] * 1_000)
        await office.serve(GIVEN_UP_AFTER.total_seconds() + 700, PATCH)

    tell(story())
    at = office.audiences.seconds("default")
    assert max(b - a for a, b in pairwise(at)) <= LONGEST_WAIT.total_seconds() + 1
    assert at[-2] >= GIVEN_UP_AFTER.total_seconds()
    assert office.audiences.told("default")[-2:] == ["Announced", "Started"]
    assert [note.reason for _, note in office.notes] == [Reason.NOTIFICATION_FAILED] * 2
    assert office.notes[0][1].message == "default was not told of 1/Announced: 500"
    assert office.left() == []


def test_one_that_does_not_want_it_is_told_once_and_the_next_goes_out() -> None:
    office = Office()

    async def story() -> None:
        office.pending(*KINDS)
        office.audiences.answers("default", Refused(Reason.NOTIFICATION_FAILED, "answers 410"))
        await office.serve(5, PATCH)

    tell(story())
    assert office.audiences.told("default") == list(KINDS)
    assert [note.message for _, note in office.notes] == [
        "default was not told of 1/Announced: answers 410"
    ]


def test_across_a_restart_it_is_told_at_least_once_and_no_more_than_it_must() -> None:
    """V-24: what was told is recorded, and only then forgotten."""
    office = Office()

    async def story() -> None:
        office.pending(*KINDS)
        office.audiences.answers("default", None, HANG)
        await office.serve(5, PATCH)
        assert office.left() == [(kind, ["default"]) for kind in KINDS[1:]]
        office.begin()
        await office.serve(5, PATCH)

    tell(story())
    assert office.audiences.told("default") == [KINDS[0], KINDS[1], *KINDS[1:]]
    assert office.left() == []


def test_what_was_told_and_could_not_be_recorded_is_recorded_later_and_not_told_again() -> None:
    office = Office()

    async def story() -> None:
        office.pending("Announced", audiences=("default", "shop"))
        office.stage.cluster.wire.faults.script(Verb.STATUS, Fault.CONFLICT, Fault.SERVER_ERROR)
        await office.serve(30, PATCH)

    tell(story())
    assert office.audiences.told("default") == ["Announced"]
    assert office.audiences.told("shop") == ["Announced"]
    assert office.left() == []


def test_somebody_else_s_newer_status_is_never_written_over() -> None:
    office = Office()

    async def story() -> None:
        office.pending("Announced")
        stale = office.resources.window(PATCH)
        assert stale is not None
        body = office.stage.server.resource(WINDOW, *PATCH)
        more = {**body["status"], "lastIteration": 7}
        version = body["metadata"]["resourceVersion"]
        office.stage.server.apply_status(*PATCH, version, more, kind=WINDOW)
        await office.serve(3, PATCH)
        assert office.left() == [("Announced", ["default"])]
        office.hear()
        await office.serve(3, PATCH)

    tell(story())
    assert office.audiences.told("default") == ["Announced"]
    assert office.stage.server.resource(WINDOW, *PATCH)["status"]["lastIteration"] == 7
    assert office.left() == []


def test_only_a_leader_tells() -> None:
    leadership = FakeLeadership(leading=False)
    office = Office(leadership)

    async def story() -> None:
        office.pending(*KINDS)
        await office.serve(5, PATCH)
        assert office.audiences.came == []
        leadership.leading = True
        await office.serve(5, PATCH)

    tell(story())
    assert office.audiences.told("default") == list(KINDS)


def test_a_window_that_is_made_anew_is_told_of_anew() -> None:
    """What was told of the one before, of the same name and number, says nothing of it."""
    office = Office()

    async def story() -> None:
        office.pending("Announced")
        office.audiences.answers("default", None)
        office.stage.cluster.wire.faults.script(Verb.STATUS, Fault.CONFLICT)
        await office.serve(0.5, PATCH)
        office.stage.server.delete_resource(WINDOW, *PATCH)
        office.resources.drop_window(PATCH)
        office.pending("Announced")
        await office.serve(5, PATCH)

    tell(story())
    first, second = (name for _, name, _ in office.audiences.came)
    assert first != second
    assert office.left() == []


def test_of_windows_that_are_gone_nothing_is_remembered() -> None:
    office = Office()

    async def story() -> None:
        office.pending("Announced")
        office.audiences.answers("default", Unavailable("500"))
        await office.serve(1, PATCH)
        office.stage.server.delete_resource(WINDOW, *PATCH)
        office.resources.drop_window(PATCH)
        await office.serve(60, PATCH)
        assert await office.notifying.turn(Lane(PATCH, "default")) is None

    tell(story())
    assert office.audiences.told("default") == ["Announced"]
    assert not office.notifying._memories  # noqa: SLF001 - what is kept is what is asked


def test_many_audiences_share_few_writes() -> None:
    """It costs little: one write while they answer together."""
    office = Office()
    five = tuple(f"team-{number}" for number in range(5))

    async def story() -> None:
        office.pending("Announced", audiences=five)
        await office.serve(5, PATCH)

    tell(story())
    writes = [r for r in office.stage.made(Verb.STATUS) if r.name == PATCH.name]
    assert office.left() == []
    assert len(writes) <= 2
    assert {who for who, _, _ in office.audiences.came} == set(five)


def test_a_clock_put_back_holds_nothing_up() -> None:
    """X-10: a notice of the future is told as any other."""
    office = Office()

    async def story() -> None:
        office.pending("Announced")
        body = office.stage.server.resource(WINDOW, *PATCH)
        row = body["status"]["notices"][0] | {"time": format_time(T0 + timedelta(days=3))}
        version = body["metadata"]["resourceVersion"]
        status = {"notices": [row]}
        office.stage.server.apply_status(*PATCH, version, status, kind=WINDOW)
        office.hear()
        await office.serve(1, PATCH)

    tell(story())
    assert office.left() == []
