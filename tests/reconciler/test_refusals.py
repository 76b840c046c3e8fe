"""A refused create holds a set up for as long as something is to be created, and no longer."""

from tests.reconciler.stage import Stage
from tests.simulation.world import NAMESPACE


async def test_a_refusal_lapses_once_nothing_is_to_be_created() -> None:
    """A wish that was taken back must not hold up rollouts and repairs for ever."""
    stage = Stage(3)
    await stage.run(30)
    stage.server.quota[NAMESPACE] = 3
    stage.change_spec(replicas=4)
    await stage.run(3)
    assert stage.condition("Accepted")["reason"] == "CreateForbidden"
    stage.change_spec(replicas=3)
    due = await stage.turn()
    await stage.until_due(due, within=10)
    await stage.run(5)
    assert stage.condition("Accepted")["status"] == "True"


async def test_a_refusal_stands_while_the_instance_is_still_wanted() -> None:
    """X-11: its time passing is no reason to call the set accepted."""
    stage = Stage(3)
    await stage.run(30)
    stage.server.quota[NAMESPACE] = 3
    stage.change_spec(replicas=4)
    for _ in range(60):
        await stage.run(1)
        if stage.condition("Accepted")["reason"] == "CreateForbidden":
            break
    for _ in range(120):
        await stage.run(1)
        assert stage.condition("Accepted")["reason"] == "CreateForbidden"
