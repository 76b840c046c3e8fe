"""Silence and doubt on the real thing: nothing is deleted for it until it is known who is mute.

Two sets of forty fall silent at one moment. The first comes back, after one of it has answered
wrongly; the second is really dead, which new instances show by answering. Others are well.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.waiting import eventually, throughout
from tests.integration.world import (
    IN_ROTATION,
    VERDICT_S,
    names_of,
    new_world,
    template,
    uids_of,
    word,
)
from tests.support.auditor_watch import AuditorWatch
from tests.support.kube_api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.operator_fixture import OperatorProcess
    from tests.integration.world import Json, World

SIZE: Final = 40
HOLD_S: Final = 60
"""So long nothing at all follows from the silence of a set (protocol rule 18)."""
STORY_S: Final = 400
"""The whole of it may take so long on a machine with much else to do."""
pytestmark = pytest.mark.timeout(STORY_S)
WELL: Final = ("well-a", "well-b", "well-c")


@dataclass(kw_only=True)
class Outage:
    """What happened, in order; the tests look at one thing each.

    Attributes:
        mute, dead: the worlds' sets as they were before.
        early: names of those deleted, of any set, while all were silent.
        rotating: of the silent, how many were in rotation meanwhile.
        first_gone_s: seconds of silence before the first of `dead` was gone.
        wrong: the one of `mute` that answers 500 in the middle of it.
        spared: five of `dead` that recover in the middle of its repair.
    """

    mute: list[Json] = field(default_factory=list)
    dead: list[Json] = field(default_factory=list)
    words: dict[str, tuple[str, str]] = field(default_factory=dict)
    early: set[str] = field(default_factory=set)
    rotating: int = 0
    first_gone_s: float = 0.0
    wrong: list[Json] = field(default_factory=list)
    spared: list[Json] = field(default_factory=list)
    mute_after: list[Json] = field(default_factory=list)
    dead_after: list[Json] = field(default_factory=list)
    dead_repaired: list[str] = field(default_factory=list)
    mute_repaired: list[str] = field(default_factory=list)
    most_in_flight: int = 0
    violations: list[str] = field(default_factory=list)
    dead_events: dict[str, str] = field(default_factory=dict)


@pytest.fixture(scope="module")
def outage(operator: OperatorProcess) -> Iterator[Outage]:
    """The whole story, once."""
    kinds = operator.cluster
    with new_world(kinds, "mute") as mute, new_world(kinds, "dead") as dead:
        seen = Outage()
        mute.scale_set("mute", SIZE, repairs={"gracePeriod": "PT0S"})
        # So that those that recover are probed again before it is their turn.
        slow = template("dead", marks={"localcluster/start-delay": "1"})
        dead.scale_set("dead", SIZE, template=slow, repairs={"gracePeriod": "PT0S"})
        for name in WELL:
            dead.scale_set(name, 2)
        mute.await_ready("mute")
        dead.await_ready("dead", *WELL)
        seen.mute, seen.dead = mute.pods("mute"), dead.pods("dead")
        with Api(kinds.server, kinds.token, kinds.ca_file) as api, AuditorWatch(api) as watch:
            began = hold(mute, dead, seen)
            repair_the_dead(dead, seen, began)
            seen.mute_after, seen.dead_after = mute.pods("mute"), dead.pods("dead")
            seen.dead_events = dead.events("dead")
        seen.violations = watch.auditor.violations()
        repaired = watch.auditor.repaired()
        seen.mute_repaired = [name for name in repaired if name.startswith("mute-")]
        seen.dead_repaired = [name for name in repaired if name.startswith("dead-")]
        seen.most_in_flight = watch.auditor.max_in_flight
        yield seen


def hold(mute: World, dead: World, seen: Outage) -> float:
    """All of both sets fall silent; one of `mute` answers 500 after a while, then all of it are
    well again. Gives when the silence was first told."""
    both = {pod["metadata"]["uid"]: pod["metadata"]["name"] for pod in (*seen.mute, *seen.dead)}
    mute.endpoints.tell(seen.mute, "hang")
    dead.endpoints.tell(seen.dead, "hang")
    for world, name in ((mute, "mute"), (dead, "dead")):
        told = world.await_word(name, "InstancesHealthy", "Unknown", "ProbeInconclusive")
        seen.words[name] = told[:2]
        assert world.word(name, "RepairsAllowed")[:2] == ("False", "ProbeInconclusive")

    began = time.monotonic()

    def look() -> None:
        there = uids_of(mute.pods("mute")) | uids_of(dead.pods("dead"))
        seen.early |= {name for uid, name in both.items() if uid not in there}

    throughout(HOLD_S / 3, look)
    rotating = [*mute.pods("mute"), *dead.pods("dead")]
    seen.rotating = sum(word(pod, IN_ROTATION).status == "True" for pod in rotating)
    seen.wrong = [seen.mute[17]]
    mute.endpoints.tell(seen.wrong, "status:500")
    eventually(
        lambda: not uids_of(mute.pods("mute")) & uids_of(seen.wrong),
        "the one that answers wrongly is repaired",
        seconds=VERDICT_S + 20,
        told=lambda: mute.told("mute"),
    )
    mute.endpoints.heal(seen.mute)
    mute.await_ready("mute")
    return began


def repair_the_dead(dead: World, seen: Outage, began: float) -> None:
    """The witness answers, and the silent ones go at the cap's pace; five recover meanwhile."""

    def some_are_repaired() -> bool:
        left = len(uids_of(dead.pods("dead")) & uids_of(seen.dead))
        if left < SIZE and not seen.first_gone_s:
            seen.first_gone_s = time.monotonic() - began
        return left <= SIZE - 6

    eventually(
        some_are_repaired,
        "the repair of the dead set has begun",
        seconds=HOLD_S + 120,
        told=lambda: dead.told("dead"),
    )
    left = [pod for pod in dead.pods("dead") if pod["metadata"]["uid"] in uids_of(seen.dead)]
    seen.spared = left[-5:]
    dead.endpoints.heal(seen.spared)
    keep = uids_of(seen.spared)
    eventually(
        lambda: uids_of(dead.pods("dead")) & uids_of(seen.dead) <= keep,
        "all but the spared are replaced",
        seconds=120,
        told=lambda: dead.told("dead"),
    )
    dead.await_ready("dead")


def test_while_all_are_silent_nothing_is_deleted(outage: Outage) -> None:
    """X-05, P-17, R-60: the condition says ProbeInconclusive and no Service is emptied."""
    assert outage.words == dict.fromkeys(("mute", "dead"), ("Unknown", "ProbeInconclusive"))
    assert outage.early == set()
    assert outage.rotating == 2 * SIZE
    assert outage.first_gone_s >= HOLD_S


def test_one_that_answers_wrongly_among_the_silent_is_repaired(outage: Outage) -> None:
    """X-06, X-05: an answer proves that it was reached; the silent ones are left alone, and when
    they answer again all is as it was."""
    assert outage.mute_repaired == names_of(outage.wrong)
    assert uids_of(outage.mute) - uids_of(outage.wrong) <= uids_of(outage.mute_after)


def test_a_really_dead_set_is_repaired_through_its_witness_at_the_pace_of_the_cap(
    outage: Outage,
) -> None:
    """R-60, R-11, X-05: what recovered in the middle is left alone, and no name is used twice."""
    assert "WitnessCreated" in outage.dead_events
    assert uids_of(outage.spared) <= uids_of(outage.dead_after)
    spared = set(names_of(outage.spared))
    assert set(outage.dead_repaired) == set(names_of(outage.dead)) - spared
    assert len(outage.dead_repaired) == len(set(outage.dead_repaired)) == SIZE - 5
    assert len(outage.dead_after) == SIZE


def test_the_auditor_has_nothing_to_say_about_the_outage(outage: Outage) -> None:
    """R-11, R-16: at no moment more than two of forty."""
    assert outage.violations == []
    assert outage.most_in_flight == 2
