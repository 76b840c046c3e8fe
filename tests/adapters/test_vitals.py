"""Alive or not, ready or not: which facts make which answer."""

import asyncio
from dataclasses import dataclass
from typing import Final

import pytest

from scaleset_operator.adapters.vitals import (
    CUT_OFF_S,
    LOOP_STUCK_S,
    PROBER_LOST_S,
    TURNS_STUCK_S,
    Check,
    Vitals,
)

NOW: Final = 10_000.0


@dataclass
class Queue:
    """A queue, seen from outside."""

    beat: float = NOW
    moved: float | None = NOW
    waits_since: float | None = None

    def oldest(self) -> float | None:
        return self.waits_since


@dataclass
class Api:
    """The connection."""

    heard: float | None = NOW


@dataclass
class Pods:
    """The cache."""

    gone: float | None = 0.0

    def cut_for(self) -> float | None:
        return self.gone


@dataclass
class Prober:
    """Its heart."""

    silent: float | None = 0.5

    def silent_for(self) -> float | None:
        return self.silent

    def beating(self) -> bool:
        return self.silent is not None and self.silent < 2


class Operator:
    """All parts, and nothing amiss."""

    def __init__(self) -> None:
        self.now = NOW
        self.queue, self.api, self.pods, self.prober = Queue(), Api(), Pods(), Prober()
        self.vitals = Vitals(
            queues=[self.queue],
            api=self.api,
            pods=self.pods,
            prober=self.prober,
            resources_heard=True,
            monotonic=lambda: self.now,
        )

    def dead_by(self) -> set[str]:
        return names(self.vitals.alive())

    def unready_by(self) -> set[str]:
        return names(self.vitals.ready())

    def passes(self, seconds: float) -> None:
        """Time passes and nothing stops but what the test has stopped."""
        self.now += seconds
        self.vitals.beat = self.queue.beat = self.now


def names(checks: list[Check]) -> set[str]:
    return {check.name for check in checks if not check.fine}


def test_an_operator_with_nothing_amiss_is_alive_and_ready() -> None:
    operator = Operator()
    assert operator.dead_by() == operator.unready_by() == set()


def test_before_anything_is_started_it_is_alive_and_not_ready() -> None:
    """Who waits for definitions that are yet to be applied must not be killed for it."""
    vitals = Vitals(monotonic=lambda: NOW)
    assert names(vitals.alive()) == set()
    assert names(vitals.ready()) == {"pods", "custom-resources", "probing"}


@pytest.mark.parametrize("late", [LOOP_STUCK_S - 1, LOOP_STUCK_S + 1])
@pytest.mark.parametrize("which", ["loop", "queue"])
def test_a_loop_that_does_not_come_back_is_dead(which: str, late: float) -> None:
    operator = Operator()
    operator.passes(late)
    if which == "loop":
        operator.vitals.beat = NOW
    else:
        operator.queue.beat = NOW
    assert operator.dead_by() == ({"loop"} if late > LOOP_STUCK_S else set())


def test_turns_that_stand_still_while_keys_wait_are_dead() -> None:
    operator = Operator()
    operator.queue.waits_since = NOW
    operator.passes(TURNS_STUCK_S - 1)
    assert operator.dead_by() == set()
    operator.passes(2)
    assert operator.dead_by() == {"turns"}


def test_a_long_queue_that_moves_is_alive() -> None:
    operator = Operator()
    operator.queue.waits_since = NOW
    operator.passes(10 * TURNS_STUCK_S)
    operator.queue.moved = operator.now - 1
    assert operator.dead_by() == set()


def test_an_api_server_that_is_away_is_no_reason_to_start_anew_and_shows_in_readiness() -> None:
    """Keys wait and no turn ends, but each request does, by its time-out."""
    operator = Operator()
    operator.queue.waits_since = NOW
    operator.passes(5 * TURNS_STUCK_S)
    operator.api.heard = operator.now - 31
    operator.pods.gone = 5 * TURNS_STUCK_S
    assert operator.dead_by() == set()
    assert operator.unready_by() == {"pods"}


def test_a_queue_at_rest_is_alive_however_long_it_rests() -> None:
    operator = Operator()
    operator.passes(10 * TURNS_STUCK_S)
    assert operator.dead_by() == set()


@pytest.mark.parametrize(
    ("silent", "dead", "unready"),
    [
        (1.0, set(), set()),
        (5.0, set(), {"probing"}),
        (PROBER_LOST_S + 1, {"prober"}, {"prober", "probing"}),
    ],
)
def test_a_silent_prober_unreadies_at_once_and_kills_when_it_does_not_come_back(
    silent: float, dead: set[str], unready: set[str]
) -> None:
    operator = Operator()
    operator.prober.silent = silent
    assert operator.dead_by() == dead
    assert operator.unready_by() == unready


@pytest.mark.parametrize("gone", [None, 0.0, CUT_OFF_S - 1, CUT_OFF_S + 1])
def test_pods_are_listed_and_watched_or_it_is_not_ready(gone: float | None) -> None:
    operator = Operator()
    operator.pods.gone = gone
    fine = gone is not None and gone < CUT_OFF_S
    assert operator.unready_by() == (set() if fine else {"pods"})
    assert operator.dead_by() == set()


def test_resources_that_were_not_heard_of_unready() -> None:
    operator = Operator()
    operator.vitals.resources_heard = False
    assert operator.unready_by() == {"custom-resources"}


async def test_a_part_that_has_ended_is_named() -> None:
    operator = Operator()
    ended = asyncio.create_task(asyncio.sleep(0))
    operator.vitals.tasks = {"turns": ended}
    assert operator.dead_by() == set()
    await ended
    assert operator.dead_by() == {"parts"}
    assert [c.detail for c in operator.vitals.alive() if not c.fine] == ["ended: turns"]


def test_a_standby_is_ready_and_says_that_it_is_one() -> None:
    operator = Operator()
    assert all(check.name != "leadership" for check in operator.vitals.ready())
    operator.vitals.leadership = lambda: "stands by; so-1 leads"
    found = operator.vitals.ready()[-1]
    assert found == Check("leadership", fine=True, detail="stands by; so-1 leads", told=True)
