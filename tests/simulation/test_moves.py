"""Moves to updated nodes in trouble: what is in the way, who interferes, and what fails.

Beside `test_maintenance`, which kills the operator at every write: nobody is lost or doubled, the
floor is kept, each is attempted once, and no place is left behind.
"""

from __future__ import annotations

import copy
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.api.base import LABEL_MODEL
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.reconciler.account import EvictionEnd, NoAccount
from scaleset_operator.rehearsal.requests import Fault, Verb
from tests.simulation.test_maintenance import (
    FLOOR,
    SIZE,
    UPDATED,
    Watched,
    announced,
    owners_ask,
    settled,
)
from tests.simulation.world import KEY, NAMESPACE, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from scaleset_operator.api.maintenanceledger import MaintenanceEntry
    from scaleset_operator.reconciler.ports import Key

MOVE: Final = (Verb.HOLD, Verb.EVICT, Verb.FREE, Verb.MARK)


def entries(world: World) -> list[dict[str, str]]:
    found: list[dict[str, str]] = (world.status().get("maintenance") or {}).get("inFlight") or []
    return found


def moving(world: World, phase: str) -> dict[str, str] | None:
    return next((e for e in entries(world) if e["phase"] == phase), None)


async def until(world: World, told: Callable[[], object], within: int = 300) -> None:
    for _ in range(within):
        if told():
            return
        await world.step(1.0)
    message = f"not within {within} s: {entries(world)}"
    raise AssertionError(message)


async def play(world: World, watched: Watched, seconds: int = 900, floor: int = FLOOR) -> None:
    """On to the end, with the floor asked at each second."""
    for _ in range(seconds):
        await world.step(1.0)
        watched.look()
        assert world.serving() >= floor
        if settled(world, watched):
            return
    said = world.status().get("maintenance")
    raise AssertionError((said, watched.places(), [p.name for p in world.live()]))


# --- What is refused ---------------------------------------------------------------------------


async def test_a_place_that_is_refused_costs_one_write_for_each_step_of_the_back_off() -> None:
    """M-26: a quota that has no room is not asked each second."""
    world = await announced(1)
    world.operators[0].faults.choose = lambda r: Fault.FORBIDDEN if r.verb is Verb.HOLD else None
    asked: list[float] = []
    begun = world.clock.now()
    await until(world, lambda: moving(world, "Recorded"))
    wire = world.operators[0].cluster.wire
    uids = {pod.uid for pod in world.live()}
    for _ in range(100):
        seen = len(wire.requests)
        await world.step(1.0)
        at = (world.clock.now() - begun).total_seconds()
        asked += [at for r in wire.requests[seen:] if r.verb is Verb.HOLD]
    taken = {e["instance"] for e in entries(world)}
    assert taken, "it is still sought"
    holds = Counter(r.name for r in wire.requests if r.verb is Verb.HOLD)
    assert max(holds.values()) <= 5, f"5 s, doubled: {asked}"
    assert uids == {pod.uid for pod in world.live()}
    await world.close()


async def test_a_place_that_is_refused_for_two_minutes_aborts_and_one_that_comes_does_not() -> None:
    """M-09, M-26, V-19: the same pods serve, and no place is left behind."""
    world = await announced(2)
    world.operators[0].faults.choose = lambda r: Fault.FORBIDDEN if r.verb is Verb.HOLD else None
    watched = Watched(world)
    await until(world, lambda: moving(world, "Recorded"))
    world.operators[0].faults.script(Verb.HOLD, Fault.FORBIDDEN)
    uids = {pod.uid for pod in world.live()}
    key = "scaleset.dev/maintenance-redeploy-status"

    def aborted() -> bool:
        said = [pod.annotations.get(key, "") for pod in world.live()]
        return any("MaintenanceAborted" in one for one in said)

    await until(world, aborted, 150)
    assert uids == {pod.uid for pod in world.live()}
    assert world.serving() == SIZE
    assert watched.places() == []
    await world.close()


async def test_moves_are_counted_once_and_evictions_by_what_was_said() -> None:
    """X-11: also what a budget refuses."""

    class Book(NoAccount):
        def __init__(self) -> None:
            self.ends: Counter[EvictionEnd] = Counter()
            self.moves: Counter[str] = Counter()

        def evicted(self, key: Key, end: EvictionEnd) -> None:
            assert key == KEY
            self.ends[end] += 1

        def move_ended(self, key: Key, move: MaintenanceEntry) -> None:
            assert key == KEY
            self.moves[str(move.result)] += 1

    world = await announced(3)
    book = Book()
    world.operators[0].reconciler.account = book
    view = world.operators[0].cluster.view
    view.disruption = lambda *_: Disruption(fault="not to be read")  # type: ignore[method-assign] # no right to
    world.disruption.make("all", NAMESPACE, minAvailable=SIZE + 1)
    await until(world, lambda: book.ends[EvictionEnd.DISRUPTION_BUDGET])
    world.disruption.make("all", NAMESPACE, minAvailable=FLOOR)
    await play(world, Watched(world))
    assert book.moves == {"MaintenanceCompleted": SIZE}
    assert book.ends[EvictionEnd.ACCEPTED] == SIZE
    await world.close()


# --- Faults of the API server ------------------------------------------------------------------


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("verb", MOVE)
async def test_a_write_that_fails_twice_is_made_up_for(verb: Verb, fault: Fault) -> None:
    """V-18, X-07: also where the API server carried it out nevertheless."""
    world = await announced(4)
    watched = Watched(world)
    watched.look()
    world.operators[0].faults.script(verb, fault, fault)
    await play(world, watched)
    assert {len(uids) for uids in watched.pods.values()} == {2}, "each is moved once"
    assert watched.pods.keys() == {f"web-{n}" for n in range(1, SIZE + 1)}
    await world.close()


@pytest.mark.parametrize("seed", range(4))
async def test_two_operators_with_lost_answers_move_everybody_once(seed: int) -> None:
    """V-18, X-02: they see each other late, and each request fails now and then."""
    world = await announced(10 + seed)
    world.operators[0].fault_rate = 0.1
    second = world.start(lag=0.7, resource_lag=0.7)
    second.fault_rate = 0.1
    watched = Watched(world)
    watched.look()
    await play(world, watched, 1_800)
    assert {len(uids) for uids in watched.pods.values()} == {2}
    await world.close()


# --- Somebody interferes -----------------------------------------------------------------------


@pytest.mark.parametrize("phase", ["Recorded", "Placed", "Moving", "Returning"])
async def test_an_instance_that_a_person_deletes_in_mid_move_comes_again_once(phase: str) -> None:
    """M-22, V-05: whoever is deleted is made up for, by one."""
    world = await announced(5)
    watched = Watched(world)
    watched.look()
    await until(world, lambda: moving(world, phase))
    entry = moving(world, phase)
    assert entry is not None
    uid = entry.get("successorUID") if phase == "Returning" else entry["uid"]
    victim = next((p for p in world.live() if p.uid == uid), None)
    if victim is not None:
        world.server.delete_pod(NAMESPACE, victim.name, uid=victim.uid)
    for _ in range(600):
        await world.step(1.0)
        watched.look()
        assert len(world.live()) <= SIZE + 1
        assert world.serving() >= FLOOR - 1, "one more than we take is gone by another hand"
    assert len(world.live()) == SIZE
    assert world.serving() == SIZE
    assert not entries(world)
    assert watched.places() == []
    await world.close()


@pytest.mark.parametrize("phase", ["Recorded", "Placed", "Moving", "Returning"])
async def test_a_set_that_is_scaled_in_in_mid_move_ends_with_as_many_as_it_wants(
    phase: str,
) -> None:
    """M-22: nothing waits for a ghost, and no place is held for one."""
    world = await announced(6)
    watched = Watched(world)
    await until(world, lambda: moving(world, phase))
    spec = world.server.resource("ScaleSet", *KEY)["spec"]
    world.server.apply("ScaleSet", *KEY, spec | {"replicas": 1})
    for _ in range(600):
        await world.step(1.0)
    assert [pod.ready for pod in world.live()] == [True]
    assert not entries(world)
    assert watched.places() == []
    await world.close()


@pytest.mark.parametrize("phase", ["Recorded", "Placed", "Moving"])
async def test_updated_nodes_that_are_not_updated_any_more_leave_everybody_serving(
    phase: str,
) -> None:
    """M-26: whoever has not gone stays; who has gone comes back somewhere, or waits for a node."""
    world = await announced(7)
    watched = Watched(world)
    await until(world, lambda: moving(world, phase))
    world.server.set_node("node-9", ready=True, labels={})
    for _ in range(300):
        await world.step(1.0)
        watched.look()
        assert len(world.live()) <= SIZE
        assert world.serving() >= FLOOR
    world.server.set_node("node-9", ready=True, labels=UPDATED)
    for _ in range(600):
        await world.step(1.0)
        watched.look()
        assert world.serving() >= FLOOR
    assert world.serving() == SIZE
    assert not entries(world)
    assert watched.places() == []
    assert {name: len(uids) for name, uids in watched.pods.items() if len(uids) > 2} == {}
    await world.close()


@pytest.mark.parametrize("lag", [0.5, 10.0])
@pytest.mark.parametrize("always", [False, True])
async def test_two_that_their_owners_ask_for_never_take_a_budget_below_what_it_wants(
    lag: float, *, always: bool
) -> None:
    """X-02: neither by leaving rotation nor by an eviction on numbers that are old."""
    world = await announced(8)
    rules: dict[str, Any] = {"unhealthyPodEvictionPolicy": "AlwaysAllow"} if always else {}
    world.disruption.make("all", NAMESPACE, minAvailable=SIZE - 1, **rules)
    await world.run(2.0)
    world.disruption.lag = timedelta(seconds=lag)
    watched = Watched(world)
    watched.look()
    most = 0
    for second in range(900):
        owners_ask(world, second + 2)
        await world.step(1.0)
        watched.look()
        most = max(most, len(entries(world)))
        assert sum(pod.ready for pod in world.live()) >= SIZE - 1, second
        if settled(world, watched):
            break
    assert settled(world, watched)
    assert most == 2, "both were wanted at once"
    assert {len(uids) for uids in watched.pods.values()} == {2}
    await world.close()


async def test_a_budget_without_room_keeps_whoever_is_to_be_moved_in_rotation() -> None:
    """X-02, V-19: nothing is lost while it waits, and the reason is told."""
    world = await announced(9)
    world.disruption.make("all", NAMESPACE, minAvailable=SIZE)
    key = "scaleset.dev/maintenance-redeploy-status"
    said: set[str] = set()
    for _ in range(500):
        await world.step(1.0)
        assert world.serving() == SIZE
        assert all(pod.ready for pod in world.live())
        said |= {pod.annotations.get(key, "") for pod in world.live()}
    assert any("PodDisruptionBudget all: 0 disruptions allowed" in one for one in said)
    assert any("RetryLater" in one for one in said)
    await world.close()


# --- What it is made from again ------------------------------------------------------------------


async def test_in_a_set_that_is_updated_by_hand_a_move_rolls_nothing_out() -> None:
    """V-21: each keeps its model and what that gives it, also after a new start."""
    world = await announced(2)
    body = world.server.resource("ScaleSet", *KEY)
    spec = copy.deepcopy(body["spec"]) | {"upgradePolicy": {"mode": "Manual"}}
    model = world.live()[0].labels[LABEL_MODEL]
    template = spec["template"]
    template["metadata"]["labels"] = {"app": "web", "tier": "gold"}
    template["spec"]["containers"][0]["image"] = "web:2"
    world.server.apply("ScaleSet", NAMESPACE, KEY.name, spec)
    watched = Watched(world)
    watched.look()
    await until(world, lambda: moving(world, "Moving"))
    world.kill(world.operators[0])
    world.start()
    await play(world, watched)
    for pod in world.live():
        assert len(watched.pods[pod.name]) == 2
        assert pod.labels[LABEL_MODEL] == model
        assert "tier" not in pod.labels
        assert pod.spec["containers"][0]["image"] == "web:1"
