"""A policy that shuts the prober out, in virtual time: told by its name, and never repaired for."""

from typing import Any

from scaleset_operator.rehearsal.endpoints import HANG
from scaleset_operator.rehearsal.probes import Blindness
from tests.simulation.world import NAMESPACE, World, ready_world
from tests.support.fake_policies import FakePolicies

DENY: dict[str, Any] = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": ["Ingress"]}


async def behind_policies(seed: int) -> tuple[World, FakePolicies]:
    """Ten instances that are up, and an operator that can read policies."""
    world = await ready_world(seed, 10)
    policies = FakePolicies()
    world.operators[0].reconciler.policies = policies
    return world, policies


def told(world: World) -> dict[str, tuple[str, str]]:
    """Condition -> (status, reason)."""
    rows = world.status()["conditions"]
    return {row["type"]: (row["status"], row["reason"]) for row in rows}


async def test_a_policy_that_shuts_the_prober_out_is_named_and_nothing_is_repaired() -> None:
    """S-31, X-05, rule 18: for hours; the gates stay, and so do the instances."""
    world, policies = await behind_policies(41)
    before = {p.uid for p in world.live()}
    policies.put(NAMESPACE, "deny-all", DENY)
    world.operators[0].probes.blind(Blindness.PODS)
    await world.run(60)
    assert told(world)["RepairsAllowed"] == ("False", "ProbeBlocked")
    assert told(world)["InstancesHealthy"] == ("Unknown", "ProbeBlocked")
    assert {row["reason"] for row in world.status()["unhealthyInstances"]} == {"ProbeBlocked"}
    pod = world.live()[0].conditions["scaleset.dev/Healthy"]
    assert pod.reason == "ProbeBlocked"
    assert pod.message == "NetworkPolicy deny-all does not admit the prober on port 8080"
    await world.run(2 * 3600, step=5.0)
    assert world.referee.repaired == []
    assert before <= {p.uid for p in world.live()}
    assert all(p.in_rotation for p in world.live() if p.uid in before)
    await world.close()


async def test_the_policies_are_read_while_the_set_is_silent_and_at_most_twice_a_minute() -> None:
    """G9: a set that answers costs no request."""
    world, policies = await behind_policies(42)
    await world.run(120)
    assert policies.read == 0
    world.operators[0].probes.blind(Blindness.PODS)
    await world.run(300)
    assert 5 <= policies.read <= 11
    world.operators[0].probes.blind(Blindness.NONE)
    await world.run(30)
    read = policies.read
    await world.run(120)
    assert policies.read == read
    await world.close()


async def test_a_policy_that_comes_or_goes_meanwhile_is_told_within_half_a_minute() -> None:
    """X-11, S-31."""
    world, policies = await behind_policies(43)
    world.operators[0].probes.blind(Blindness.PODS)
    await world.run(60)
    assert told(world)["RepairsAllowed"] == ("False", "ProbeInconclusive")
    policies.put(NAMESPACE, "deny-all", DENY)
    await world.run(35)
    assert told(world)["RepairsAllowed"] == ("False", "ProbeBlocked")
    policies.put(NAMESPACE, "deny-all", None)
    await world.run(35)
    assert told(world)["RepairsAllowed"] == ("False", "ProbeInconclusive")
    await world.close()


async def test_policies_that_may_not_be_read_are_not_known_and_stop_nothing() -> None:
    """S-31: 403 is no answer and no fault."""
    world, policies = await behind_policies(44)
    policies.put(NAMESPACE, "deny-all", DENY)
    policies.forbidden = True
    world.operators[0].probes.blind(Blindness.PODS)
    await world.run(90)
    assert told(world)["RepairsAllowed"] == ("False", "ProbeInconclusive")
    assert told(world)["Accepted"][0] == "True"
    await world.close()


async def test_a_prober_that_is_blind_blames_no_policy() -> None:
    """Rule 18: blind is another thing, and nothing is asked."""
    world, policies = await behind_policies(45)
    policies.put(NAMESPACE, "deny-all", DENY)
    world.operators[0].probes.blind(Blindness.ALL)
    await world.run(120)
    assert told(world)["RepairsAllowed"] == ("False", "ProbeInconclusive")
    assert policies.read == 0
    await world.close()


async def test_a_policy_that_nobody_enforces_does_not_spare_a_dead_set() -> None:
    """R-60, rule 18: the witness answers, so the door is open, whatever is written on it."""
    world, policies = await behind_policies(46)
    policies.put(NAMESPACE, "deny-all", DENY)
    names = sorted(pod.name for pod in world.live())
    for pod in world.live():
        world.endpoints.set(pod.uid, HANG)
    await world.run(600)
    assert sorted(world.referee.repaired) == names
    assert told(world)["RepairsAllowed"][0] == "True"
    await world.close()
