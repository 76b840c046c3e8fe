"""Two replicas, one of which leads: it is asked to go, killed, and stopped, while instances fail.

The auditor watches the API server throughout, and the API server's own log says who wrote.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from scaleset_operator.adapters.cluster.tenure import LOST_STATUS
from tests.chaos.replicas import Replicas
from tests.integration.waiting import eventually, throughout
from tests.integration.world import names_of, uids_of
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.cluster import LocalCluster
    from tests.integration.world import Json, World

SIZE: Final = 40
FAILING: Final = 8
ALLOWED: Final = 2
ASKED_TO_GO_S: Final = 3.0
"""About one is the rule; the machine may have much else to do."""
KILLED_S: Final = 20.0
QUIET_S: Final = 3.0
MORE_THAN_A_TIMEOUT_S: Final = 12.0

pytestmark = pytest.mark.timeout(150)


class Failing:
    """A set of forty, eight of which answer 500 from one moment on."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.scale_set("web", SIZE, repairs={"gracePeriod": "PT0S"})
        world.await_ready("web")
        self.before = world.pods("web")
        self.sick = self.before[:: SIZE // FAILING]

    def begin(self) -> None:
        """Let them fail, and wait until the first of them are gone."""
        self.world.endpoints.tell(self.sick, "status:500")
        self.await_left(FAILING - 1)

    def left(self) -> int:
        return len(uids_of(self.world.pods("web")) & uids_of(self.sick))

    def await_left(self, number: int, seconds: float = 60) -> None:
        """Wait until so many of them are left, or fewer."""
        eventually(lambda: self.left() <= number, f"{number} are left", seconds=seconds)

    def finish(self, watch: AuditorWatch) -> None:
        """Exactly the eight, none twice, never more than two at once, and forty in the end."""
        eventually(self._is_over, "it is over", told=lambda: self.world.told("web"))
        watch.catch_up()
        watch.auditor.expect_repaired(names_of(self.sick))
        watch.auditor.expect_settled()
        assert watch.auditor.violations() == [], watch.auditor.summary()
        assert 1 <= watch.auditor.max_in_flight <= ALLOWED
        after: list[Json] = self.world.pods("web")
        assert len(after) == SIZE
        assert uids_of(self.before) - uids_of(self.sick) <= uids_of(after)

    def _is_over(self) -> bool:
        status = self.world.status("web")
        whole = len(self.world.everything_of("web")) == SIZE == status["readyReplicas"]
        return not self.left() and whole and not status["repairs"]["inFlight"]


def told(what: str, seconds: float) -> None:
    print(f"{what}: {seconds:.2f} s")  # noqa: T201 - a measurement, shown with -s


def test_a_leader_that_is_asked_to_go_hands_over_in_about_a_second(
    world: World, kinds: LocalCluster, tmp_path: Path
) -> None:
    """R-17, G11: only the leader writes; the standby takes over in the middle of a repair."""
    with (
        AuditorWatch(world.api, namespace=world.namespace) as watch,
        Replicas(kinds, world, tmp_path) as replicas,
    ):
        leader, standby = replicas.in_order()
        failing = Failing(world)
        failing.begin()
        assert standby.wrote() == []
        assert leader.wrote() != []
        holder, asked = replicas.holder(), time.monotonic()
        leader.process.ask_to_end()
        took = replicas.taken_over_within(ASKED_TO_GO_S, holder)
        told("SIGTERM to the Lease in other hands", took)
        eventually(standby.wrote, "it writes", seconds=ASKED_TO_GO_S)
        told("SIGTERM to its first write seen", time.monotonic() - asked)
        assert leader.process.await_end() == 0, leader.process.last_words()
        leader.audit.mark()
        failing.finish(watch)
        assert leader.wrote() == []
        for replica in replicas.both:
            assert not (faults := replica.process.faults()), faults[0]


def test_a_leader_that_is_killed_is_followed_within_twenty_seconds(
    world: World, kinds: LocalCluster, tmp_path: Path
) -> None:
    """R-16, R-17, G11, X-08: and what the standby has watched meanwhile counts at once."""
    with (
        AuditorWatch(world.api, namespace=world.namespace) as watch,
        Replicas(kinds, world, tmp_path) as replicas,
    ):
        leader, standby = replicas.in_order()
        failing = Failing(world)
        failing.begin()
        holder = replicas.holder()
        leader.process.kill()
        took = replicas.taken_over_within(KILLED_S, holder)
        told("SIGKILL to the Lease in other hands", took)
        left, since = failing.left(), time.monotonic()
        assert left > 0, "there is nothing left to prove it by"
        failing.await_left(left - 1, seconds=8)
        told("from then to the next repair", time.monotonic() - since)
        leader.process.start()
        leader.process.await_ready()
        eventually(lambda: leader.stands_by, "it stands by from now on")
        leader.audit.mark()
        failing.finish(watch)
        assert leader.wrote() == []
        assert not (faults := standby.process.faults()), faults[0]


def test_a_leader_that_was_stopped_and_goes_on_ends_before_it_writes_anything(
    world: World, kinds: LocalCluster, tmp_path: Path
) -> None:
    """R-17, rule 5: SIGSTOP in the middle of a repair, SIGCONT when another one leads."""
    with (
        AuditorWatch(world.api, namespace=world.namespace) as watch,
        Replicas(kinds, world, tmp_path) as replicas,
    ):
        leader, standby = replicas.in_order()
        failing = Failing(world)
        failing.begin()
        holder = replicas.holder()
        leader.process.freeze()
        took = replicas.taken_over_within(KILLED_S, holder)
        told("SIGSTOP to the Lease in other hands", took)
        eventually(standby.wrote, "the other one works", seconds=10)
        leader.audit.mark()
        thawed = time.monotonic()
        leader.process.thaw()
        assert leader.process.await_end(5) == LOST_STATUS, leader.process.last_words()
        told("SIGCONT to its end", time.monotonic() - thawed)
        throughout(QUIET_S, lambda: None)
        assert leader.audit.writes() == [], "the Lease included"
        assert "this process ends at once" in leader.process.last_words()
        failing.finish(watch)
        assert not (faults := standby.process.faults()), faults[0]


def test_what_the_standby_hears_is_not_repaired_and_what_nobody_hears_is(
    world: World, kinds: LocalCluster, tmp_path: Path
) -> None:
    """Rule 15, X-05: the leader's own path to three of twenty is cut; a fourth hangs in truth."""
    secret = tmp_path / "secret"
    secret.write_text("what both replicas know")
    with Replicas(kinds, world, tmp_path, "--vantage-secret-file", str(secret)) as replicas:
        leader, standby = replicas.in_order()
        world.scale_set("web", 20, repairs={"gracePeriod": "PT0S"})
        world.await_ready("web")
        eventually(lambda: "another replica votes" in leader.word, "it asks", told=leader.told)
        unheard, (hanging, *_) = world.pods("web")[:3], world.pods("web")[3:]
        leader.cut_off(unheard)
        eventually(lambda: leader.lost_probes() >= 3 * len(unheard), "its path is cut")
        world.endpoints.tell([hanging], "hang")
        gone = hanging["metadata"]["uid"]
        eventually(lambda: gone not in uids_of(world.pods("web")), "it is repaired")
        throughout(MORE_THAN_A_TIMEOUT_S, lambda: assert_there(world, unheard))
        standby.process.kill()
        eventually(
            lambda: not uids_of(unheard) <= uids_of(world.pods("web")),
            "without votes, what the leader does not hear is repaired",
        )
        assert not (faults := leader.process.faults()), faults[0]


def assert_there(world: World, pods: list[Json]) -> None:
    assert uids_of(pods) <= uids_of(world.pods("web"))
