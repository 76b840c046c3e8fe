"""PodDisruptionBudgets through the port: which select an instance, and what they allow."""

from scaleset_operator.core.disruption import Budget, Disruption
from scaleset_operator.reconciler.ports import Owner
from tests.contract.worlds import World, creation, running


def over(world: World, owner: Owner, name: str) -> dict[str, Budget]:
    """The budgets over one instance, by name; empty while nothing is known."""
    seen: Disruption = world.cluster.disruption(owner, [name])
    return {budget.name: budget for budget in seen.over.get(name, ())}


async def test_a_budget_shows_the_instances_it_selects_and_what_it_allows(world: World) -> None:
    """As the disruption controller counts; ours is not Ready, for its gate is not set."""
    owner = await world.make_set()
    await running(world, owner, creation(1))
    await world.make_budget("all", {"app": "web"}, minAvailable=0)
    await world.make_budget("none", {"app": "other"}, minAvailable=0)
    await world.make_budget("one", {"app": "web"}, minAvailable=1)

    def counted() -> bool:
        found = over(world, owner, "web-1")
        return found.keys() == {"all", "one"} and all(b.current for b in found.values())

    await world.until(counted)
    found = over(world, owner, "web-1")
    assert {name: (b.allowed, b.desired, b.healthy) for name, b in found.items()} == {
        "all": (0, 0, 0),
        "one": (0, 1, 0),
    }


async def test_a_budget_that_is_edited_is_counted_anew(world: World) -> None:
    """Its status follows its generation, and a budget that is gone is not shown."""
    owner = await world.make_set()
    await running(world, owner, creation(1))
    await world.make_budget("web-pdb", {"app": "web"}, minAvailable=5)
    await world.until(lambda: [b.desired for b in over(world, owner, "web-1").values()] == [5])
    await world.make_budget("web-pdb", {"app": "web"}, minAvailable=2)

    def follows() -> bool:
        found = over(world, owner, "web-1").get("web-pdb")
        return found is not None and found.current and found.desired == 2

    await world.until(follows)
    await world.drop_budget("web-pdb")
    await world.until(lambda: not over(world, owner, "web-1"))


async def test_an_instance_that_is_not_there_is_under_no_budget(world: World) -> None:
    owner = await world.make_set()
    await world.make_budget("all", {"app": "web"}, minAvailable=0)
    await world.until(lambda: not world.cluster.disruption(owner, []).fault)
    assert over(world, owner, "web-9") == {}
