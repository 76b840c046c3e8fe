"""Under fire: the operator is killed again and again while it repairs, and once there are two.

The auditor watches the API server throughout. What is random comes from a seed that is told, so a
run can be had again: CHAOS_SEED=<number>.
"""

from __future__ import annotations

import os
import random
import threading
import time
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.operator_fixture import OperatorProcess
from tests.integration.waiting import eventually
from tests.integration.world import names_of, uids_of
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.cluster import LocalCluster
    from tests.integration.world import Json, World

SIZE: Final = 47
FAILING: Final = 9
ALLOWED: Final = 2
"""Five percent of 47, rounded down."""
WATCHING_S: Final = 11.0
"""An operator that has just begun watches for a full timeout before it repairs (X-08)."""
STORY_S: Final = 230.0

pytestmark = pytest.mark.timeout(STORY_S + 70)


@pytest.fixture
def dice() -> random.Random:
    seed = int(os.environ.get("CHAOS_SEED", random.SystemRandom().randrange(10_000)))
    print(f"CHAOS_SEED={seed}")  # noqa: T201 - pytest shows it where a test fails
    return random.Random(seed)  # noqa: S311 - chance, not secrets


class Fall:
    """A set of 47 of which nine fail at one moment, in ways that are told apart."""

    def __init__(self, world: World, dice: random.Random) -> None:
        self.world = world
        world.scale_set("web", SIZE, repairs={"gracePeriod": "PT0S"})
        world.await_ready("web")
        self.before = world.pods("web")
        self.sick = dice.sample(self.before, FAILING)

    def begin(self) -> None:
        for number, script in enumerate(("status:500", "hang", "refuse")):
            self.world.endpoints.tell(self.sick[number::3], script)

    def left(self) -> int:
        """How many of the nine are still there."""
        return len(uids_of(self.world.pods("web")) & uids_of(self.sick))

    def is_over(self) -> bool:
        """All nine are gone, 47 are there, nothing is in flight."""
        status = self.world.status("web")
        whole = len(self.world.everything_of("web")) == SIZE == status["readyReplicas"]
        return not self.left() and whole and not status["repairs"]["inFlight"]

    def assert_made_up(self, watch: AuditorWatch) -> None:
        """Exactly the nine, none twice, the others as they were, 47 in the end."""
        watch.auditor.expect_repaired(names_of(self.sick))
        watch.auditor.expect_settled()
        assert watch.auditor.violations() == [], watch.auditor.summary()
        assert 1 <= watch.auditor.max_in_flight <= ALLOWED
        after: list[Json] = self.world.pods("web")
        assert len(after) == SIZE
        assert uids_of(self.before) - uids_of(self.sick) <= uids_of(after)


def wait_until(moment: float, fall: Fall) -> None:
    """Wait for a moment of the monotonic clock, or until there is nothing left to repair."""
    eventually(lambda: time.monotonic() >= moment or fall.is_over(), "the moment", seconds=120)


def test_an_operator_killed_at_random_moments_repairs_nine_once_each(
    world: World, kinds: LocalCluster, tmp_path: Path, dice: random.Random
) -> None:
    """R-16, R-14, R-11, X-08: kill -9 soon after its repairs began, each life anew; never more
    than two in flight, none replaced twice, nothing lost."""
    lives = 0
    with (
        AuditorWatch(world.api, namespace=world.namespace) as watch,
        OperatorProcess(kinds, tmp_path) as operator,
    ):
        fall = Fall(world, dice)
        fall.begin()
        end = time.monotonic() + STORY_S
        while not fall.is_over():
            assert time.monotonic() < end, f"{fall.left()} are left after {lives} lives"
            # It can act from its twelfth second on; about there it is killed, wherever it is.
            wait_until(time.monotonic() + WATCHING_S + dice.uniform(1.5, 5.0), fall)
            operator.kill()
            lives += 1
            operator.start()
        operator.await_ready()
        eventually(fall.is_over, "it is over", seconds=60, told=lambda: world.told("web"))
        assert not (faults := operator.faults()), faults[0]
    assert lives >= 2
    fall.assert_made_up(watch)


def test_an_operator_killed_by_its_own_writes_repairs_nine_once_each(
    world: World, kinds: LocalCluster, tmp_path: Path, dice: random.Random
) -> None:
    """R-16, R-22: kill -9 the moment a record, a deletion or a creation is seen, in turn: between
    the steps of a repair and not beside them."""
    lives = 0
    with (
        AuditorWatch(world.api, namespace=world.namespace) as watch,
        OperatorProcess(kinds, tmp_path) as operator,
    ):
        fall = Fall(world, dice)
        fall.begin()
        end = time.monotonic() + STORY_S
        while lives < 4 and not fall.is_over():
            wait_for_a_step(fall, end)
            operator.kill()
            lives += 1
            operator.start()
        eventually(fall.is_over, "it is over", seconds=90, told=lambda: world.told("web"))
        assert not (faults := operator.faults()), faults[0]
    assert lives >= 2
    fall.assert_made_up(watch)


def wait_for_a_step(fall: Fall, end: float) -> None:
    """Look as fast as one can until the ledger holds a repair that it did not hold before."""
    known = {entry["uid"] for entry in fall.world.status("web")["repairs"]["inFlight"]}
    while time.monotonic() < end:
        status = fall.world.status("web")
        now = {entry["uid"] for entry in status["repairs"]["inFlight"]}
        if now - known or fall.is_over():
            return
        known &= now


def test_two_operators_at_once_keep_the_cap_between_them(
    world: World, kinds: LocalCluster, tmp_path: Path, dice: random.Random
) -> None:
    """R-17, R-16: neither knows of the other; one is killed in the middle and comes back."""
    folders = [tmp_path / name for name in ("first", "second")]
    for folder in folders:
        folder.mkdir()
    with (
        AuditorWatch(world.api, namespace=world.namespace) as watch,
        OperatorProcess(kinds, folders[0]) as first,
        OperatorProcess(kinds, folders[1], user="peer") as second,
    ):
        fall = Fall(world, dice)
        fall.begin()
        eventually(lambda: fall.left() <= FAILING - 2, "they have begun", seconds=60)
        victim = dice.choice([first, second])
        victim.kill()
        threading.Event().wait(dice.uniform(0.1, 1.0))
        victim.start()
        eventually(fall.is_over, "it is over", seconds=120, told=lambda: world.told("web"))
        victim.await_ready()
        for operator in (first, second):
            assert not (faults := operator.faults()), faults[0]
    fall.assert_made_up(watch)
