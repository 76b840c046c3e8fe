"""Repairs under PodDisruptionBudgets: Enforce through lag, restarts and two operators."""

from datetime import timedelta

from scaleset_operator.rehearsal.endpoints import OK, STATUS_500, Answer
from scaleset_operator.rehearsal.objects import FakePod
from tests.simulation.world import NAMESPACE, World, ready_world


def good_newcomers(pod: FakePod) -> Answer:
    """What a repair makes is sound."""
    return OK if (pod.instance_id or 0) > 40 else STATUS_500


async def guarded_world(seed: int, *, lag: float = 0.5, mode: str = "Enforce") -> World:
    """A set of forty whose disruptions are counted, with so much lag."""
    world = await ready_world(seed, 40, disruptionBudgets=mode)
    world.disruption.lag = timedelta(seconds=lag)
    return world


def break_some(world: World, count: int) -> list[FakePod]:
    sick = world.live()[:count]
    for pod in sick:
        world.endpoints.set(pod.uid, STATUS_500)
    return sick


async def test_a_budget_without_room_holds_every_repair_and_is_named() -> None:
    """X-11, X-02: forty are wanted; for two minutes, past a restart and under a second operator."""
    world = await guarded_world(51)
    world.disruption.make("web-pdb", NAMESPACE, minAvailable=40)
    sick = break_some(world, 3)
    await world.run(60)
    world.start(lag=1.5)
    await world.run(30)
    world.kill(world.operators[0])
    await world.run(30)
    assert not world.referee.repaired, f"{world.referee.repaired} against a budget without room"
    rows = {row["name"]: row["reason"] for row in world.status()["unhealthyInstances"]}
    assert rows == dict.fromkeys([pod.name for pod in sick], "DisruptionBudget")
    allowed = next(c for c in world.status()["conditions"] if c["type"] == "RepairsAllowed")
    assert "PodDisruptionBudget web-pdb: 0 disruptions allowed" in allowed["message"]
    world.disruption.make("web-pdb", NAMESPACE, minAvailable=30)
    await world.run(120)
    assert sorted(world.referee.repaired) == sorted(pod.name for pod in sick)
    await world.close()


async def test_a_budget_of_one_is_not_spent_twice_while_its_numbers_lag() -> None:
    """X-11: it says for half a minute that one is allowed, whatever was deleted since; so one is
    under repair at a time, though the cap has room for two."""
    world = await guarded_world(52)
    world.disruption.make("web-pdb", NAMESPACE, minAvailable=39)
    await world.run(2)
    world.disruption.lag = timedelta(seconds=30)
    sick = break_some(world, 4)
    while not world.referee.repaired:
        await world.run(1)
    await world.run(10)
    assert world.disruption.allowed("web-pdb", NAMESPACE) == 1
    assert world.referee.most_in_flight == 1
    world.disruption.make("web-pdb", NAMESPACE, minAvailable=30)
    await world.run(180)
    assert sorted(world.referee.repaired) == sorted(pod.name for pod in sick)
    await world.close()


async def test_an_unready_instance_is_repaired_whatever_the_budget_says() -> None:
    """X-11: its containers are not ready; a budget protects what still serves."""
    world = await guarded_world(53)
    world.disruption.make("web-pdb", NAMESPACE, minAvailable=40)
    down = world.live()[4]
    world.kubelet.restart_containers(down, down_for=None)
    await world.run(60)
    assert world.referee.repaired == [down.name]
    await world.close()


async def test_under_report_the_repair_is_done_and_says_so() -> None:
    """X-11: in the history, for all to read later."""
    world = await guarded_world(54, mode="Report")
    world.disruption.make("web-pdb", NAMESPACE, minAvailable=40)
    (sick,) = break_some(world, 1)
    await world.run(90)
    assert world.referee.repaired == [sick.name]
    (record,) = world.status()["repairs"]["history"]
    assert "against PodDisruptionBudget web-pdb: 0 disruptions allowed" in record["cause"]
    await world.close()


async def test_budgets_that_may_not_be_read_hold_under_enforce() -> None:
    """X-07, X-11: 403; they are repaired once the right is given."""
    world = await guarded_world(55)
    world.operators[0].cluster.view.budgets_forbidden = True
    (sick,) = break_some(world, 1)
    await world.run(60)
    assert not world.referee.repaired
    rows = [(row["name"], row["reason"]) for row in world.status()["unhealthyInstances"]]
    assert rows == [(sick.name, "DisruptionBudget")]
    world.operators[0].cluster.view.budgets_forbidden = False
    await world.run(30)
    assert world.referee.repaired == [sick.name]
    await world.close()
