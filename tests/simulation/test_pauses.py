"""kill -9 before and after every write of pauses: each stands still once, and none is repaired.

Two operators at once, too. The real reconciler over the fake API server, with agents on its nodes.
"""

from collections import Counter
from datetime import timedelta
from typing import Final

import pytest

from scaleset_operator.api.base import (
    ANNOTATION_MAINTENANCE_STATUS,
    CONDITION_HEALTHY,
    format_time,
)
from scaleset_operator.api.pauserequest import ANNOTATION_PAUSE
from scaleset_operator.rehearsal.agents import FakeAgents
from scaleset_operator.rehearsal.relocations import FakeRelocations
from tests.simulation.world import NAMESPACE, Operator, World, ready_in_domains

SIZE: Final = 4
FLOOR: Final = SIZE - 2
DOMAINS: Final = 2
MOST_POINTS: Final = 400
STRIDE: Final = 7
AT_ONCE: Final = {"maxBatchInstancePercent": 50}
DONE: Final = "MaintenanceCompleted"


class Paused:
    """A world in which pods may be paused, and what was seen of them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.agents = FakeAgents(world.server, world.endpoints, NAMESPACE)
        self.before = {pod.name: pod.uid for pod in world.live()}
        for operator in world.operators:
            self.equip(operator)

    def equip(self, operator: Operator) -> None:
        """Let an operator read what the agents report."""
        operator.relocations = FakeRelocations(operator.cluster, self.agents.reports)
        operator.reconciler.relocations = operator.relocations

    async def second(self) -> None:
        """Let one pass, and hold everything to what is promised at every moment."""
        self.agents.work()
        await self.world.step(1.0)
        world, frozen = self.world, self.agents.frozen
        assert world.serving() >= FLOOR
        pods = {pod.uid: pod for pod in world.live()}
        assert not any(pods[uid].in_rotation for uid in frozen if uid in pods)
        assert len({domain_of(pods[uid].labels) for uid in frozen if uid in pods}) <= 1
        for pod in pods.values():
            said = pod.conditions.get(CONDITION_HEALTHY)
            assert said is None or said.status != "False", pod.name
        status = world.status()
        assert not (status.get("repairs") or {}).get("inFlight"), "nobody is repaired for it"

    def settled(self) -> bool:
        """Whether all are done, as they were, in rotation, and nothing is left behind."""
        live = self.world.live()
        ledger = self.world.status().get("maintenance") or {}
        return (
            {pod.name: pod.uid for pod in live} == self.before
            and all(pod.ready and ANNOTATION_PAUSE not in pod.annotations for pod in live)
            and all(DONE in pod.annotations.get(ANNOTATION_MAINTENANCE_STATUS, "") for pod in live)
            and not ledger.get("inFlight")
        )


def domain_of(labels: object) -> str:
    assert isinstance(labels, dict)
    return str(labels["scaleset.dev/update-domain"])


async def announced(seed: int) -> Paused:
    """A set in two domains, and a window with impact Pause that opens in a moment."""
    world = await ready_in_domains(seed, SIZE, domains=DOMAINS, rolling=AT_ONCE)
    opens = world.clock.now() + timedelta(seconds=5)
    ends = opens + timedelta(minutes=30)
    times = {"startTime": format_time(opens), "endTime": format_time(ends)}
    window = {
        "scaleSetSelector": {"matchLabels": {"tier": "web"}},
        "impact": "Pause",
        "notifyBefore": "PT1H",
        "updateDomains": {"pauseBetween": "PT0S"},
        "once": {"scheduled": times},
    }
    made = world.server.apply("MaintenanceWindow", NAMESPACE, "patch", window)
    row = {"iteration": 1, "announcedTime": format_time(opens - timedelta(hours=1)), **times}
    version = made["metadata"]["resourceVersion"]
    status = {"announced": [row], "lastIteration": 1}
    world.server.apply_status(NAMESPACE, "patch", version, status, kind="MaintenanceWindow")
    return Paused(world)


async def crashed_at(point: int) -> bool:
    """Play the pauses with one crash; False when there are fewer points than that."""
    paused = await announced(point)
    world = paused.world
    world.operators[0].trouble.crash_at = point
    crashed = False
    for _ in range(900):
        await paused.second()
        if not world.operators:
            crashed = True
            paused.equip(world.start())
        if paused.settled():
            break
    assert paused.settled(), (point, world.status().get("maintenance"))
    assert max(Counter(uid for uid, _ in paused.agents.stood).values()) == 1, point
    await world.close()
    return crashed


@pytest.mark.timeout(900)
async def test_a_crash_at_any_write_pauses_everybody_once_and_leaves_no_request() -> None:
    """M-02, M-03, M-04, X-02: protocol rules 3 to 7."""
    points = 0
    while points < MOST_POINTS and await crashed_at(points):
        points += STRIDE
    assert 10 < points < MOST_POINTS, f"{points} crash points"


@pytest.mark.timeout(600)
async def test_two_operators_with_stale_views_pause_everybody_once() -> None:
    """M-02, M-04: neither undoes what the other one asked for."""
    paused = await announced(3)
    world = paused.world
    paused.equip(world.start(lag=2.0))
    for _ in range(900):
        await paused.second()
        if paused.settled():
            break
    assert paused.settled(), world.status().get("maintenance")
    assert set(Counter(uid for uid, _ in paused.agents.stood).values()) == {1}
    await world.close()


@pytest.mark.timeout(600)
async def test_an_agent_that_stops_in_the_middle_costs_nobody_anything() -> None:
    """M-03: what it froze goes on by the node's own clock, and nobody is judged for it."""
    paused = await announced(5)
    for _ in range(600):
        await paused.second()
        if paused.agents.frozen:
            break
    paused.agents.silent = {pod.node or "" for pod in paused.world.live()}
    for _ in range(420):
        await paused.second()
    world = paused.world
    live = world.live()
    assert {pod.name: pod.uid for pod in live} == paused.before
    assert all(pod.ready and ANNOTATION_PAUSE not in pod.annotations for pod in live)
    told = [pod.annotations.get(ANNOTATION_MAINTENANCE_STATUS, "") for pod in live]
    assert any("PauseUnanswered" in one for one in told)
    await world.close()
