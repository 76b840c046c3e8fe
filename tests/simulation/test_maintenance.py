"""kill -9 before and after every write of a maintenance: all are moved once, nothing is left."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

import pytest

from scaleset_operator.api.base import ANNOTATION_PERFORM_MAINTENANCE, format_time
from scaleset_operator.rehearsal.objects import FakePod
from tests.simulation.world import NAMESPACE, World, ready_in_domains

SIZE: Final = 4
DOMAINS: Final = 2
MOST_POINTS: Final = 250
AT_ONCE: Final = {"maxBatchInstancePercent": 50}
"""Two of four."""
FLOOR: Final = SIZE - 2
UPDATED: Final = {"maintenance/updated": "yes"}
DONE: Final = "MaintenanceCompleted"


async def announced(seed: int) -> World:
    """A set on old nodes, an updated one beside them, and a window that opens in a moment."""
    world = await ready_in_domains(seed, SIZE, domains=DOMAINS, rolling=AT_ONCE)
    world.server.set_node("node-9", ready=True, labels=UPDATED)
    announce(world)
    return world


def announce(world: World) -> None:
    """Five seconds for the owners, and then half an hour of work."""
    opens = world.clock.now() + timedelta(seconds=5)
    works, ends = opens + timedelta(seconds=5), opens + timedelta(minutes=30)
    ranges = {"selfService": (opens, works), "scheduled": (works, ends)}
    once = {
        name: {"startTime": format_time(start), "endTime": format_time(end)}
        for name, (start, end) in ranges.items()
    }
    spec = {
        "scaleSetSelector": {"matchLabels": {"tier": "web"}},
        "impact": "Redeploy",
        "updatedNodeSelector": {"matchLabels": UPDATED},
        "updateDomains": {"pauseBetween": "PT0S"},
        "once": once,
    }
    made = world.server.apply("MaintenanceWindow", NAMESPACE, "patch", spec)
    row = {
        "iteration": 1,
        "announcedTime": format_time(opens - timedelta(days=30)),
        "preStartTime": format_time(opens),
        "preEndTime": format_time(works),
        "startTime": format_time(works),
        "endTime": format_time(ends),
    }
    version = made["metadata"]["resourceVersion"]
    status = {"announced": [row], "lastIteration": 1}
    world.server.apply_status(NAMESPACE, "patch", version, status, kind="MaintenanceWindow")


class Watched:
    """What became of each name: the pods that had it, and whether two had it at once."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pods: dict[str, list[str]] = {}

    def look(self) -> None:
        for pod in self.world.live():
            uids = self.pods.setdefault(pod.name, [])
            if pod.uid not in uids:
                uids.append(pod.uid)

    def places(self) -> list[FakePod]:
        return [pod for pod in self.world.server.pods(NAMESPACE) if pod.controller is None]


def nothing(_: World, __: int) -> None:
    """Happens beside it."""


def owners_ask(world: World, second: int) -> None:
    """Two owners, while it is theirs to say."""
    if second == 6:
        for pod in world.live()[:2]:
            marks = {**pod.annotations, ANNOTATION_PERFORM_MAINTENANCE: "patch"}
            world.server.change_pod(pod, annotations=marks)


def a_budget_is_in_the_way(world: World, second: int) -> None:
    """For half a minute."""
    if second == 1:
        world.disruption.make("all", NAMESPACE, minAvailable=SIZE + 1)
    if second == 30:
        world.disruption.make("all", NAMESPACE, minAvailable=FLOOR)


STORIES: Final[dict[Callable[[World, int], None], int]] = {
    nothing: 1,
    owners_ask: 3,
    a_budget_is_in_the_way: 5,
}
"""What happens beside it, and at each how manieth point the operator is killed."""


async def crashed_at(point: int, beside: Callable[[World, int], None]) -> bool:
    """Play a maintenance with one crash; False when it has fewer points than that."""
    world = await announced(point)
    before = {pod.name: pod.uid for pod in world.live()}
    world.operators[0].trouble.crash_at = point
    watched, crashed = Watched(world), False
    for second in range(900):
        beside(world, second)
        await world.step(1.0)
        watched.look()
        assert world.serving() >= FLOOR, (point, second)
        if not world.operators:
            crashed = True
            world.start()
        if settled(world, watched):
            break
    assert settled(world, watched), (point, world.status().get("maintenance"), watched.places())
    assert before.keys() == {pod.name for pod in world.live()}, point
    assert {len(uids) for uids in watched.pods.values()} == {2}, (point, watched.pods)
    await world.close()
    return crashed


def settled(world: World, watched: Watched) -> bool:
    """Whether everybody is on the updated node and in rotation, and nothing is left to be done."""
    live, ledger = world.live(), world.status().get("maintenance") or {}
    return (
        len(live) == SIZE
        and all(pod.node == "node-9" and pod.ready for pod in live)
        and all(DONE in pod.annotations["scaleset.dev/maintenance-redeploy-status"] for pod in live)
        and not ledger.get("inFlight")
        and not watched.places()
    )


@pytest.mark.timeout(900)
@pytest.mark.parametrize("beside", STORIES, ids=lambda beside: beside.__name__)
async def test_a_crash_at_any_write_moves_everybody_once_and_leaves_no_place(
    beside: Callable[[World, int], None],
) -> None:
    """M-14, M-26, V-05, V-21, X-02: protocol rules 3 to 7."""
    points = 0
    while points < MOST_POINTS and await crashed_at(points, beside):
        points += STORIES[beside]
    assert 10 < points < MOST_POINTS, f"{points} crash points"
