"""A NetworkPolicy in the prober's way, on the real API server: named, and nothing is repaired.

The control plane enforces no policies; the instances hang instead, as they would behind one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.waiting import eventually, throughout
from tests.integration.world import HEALTHY, IN_ROTATION, VERDICT_S, new_world, uids_of, word

if TYPE_CHECKING:
    from tests.integration.operator_fixture import OperatorProcess
    from tests.integration.world import World

SIZE: Final = 4
BLOCKED: Final = ("Unknown", "ProbeBlocked")
DENY: Final[dict[str, Any]] = {"podSelector": {"matchLabels": {"app": "shut"}}}
pytestmark = pytest.mark.timeout(150)


def policies(world: World, name: str = "") -> str:
    """The path of the namespace's policies, or of one."""
    root = f"/apis/networking.k8s.io/v1/namespaces/{world.namespace}/networkpolicies"
    return f"{root}/{name}" if name else root


def test_a_policy_that_shuts_the_prober_out_is_named_until_it_goes(
    operator: OperatorProcess,
) -> None:
    """S-31, X-05, rule 18: ProbeBlocked on the set and on each pod; no repair, no rotation lost."""
    with new_world(operator.cluster, "shut") as world:
        world.scale_set("shut", SIZE, repairs={"gracePeriod": "PT0S"})
        world.await_ready("shut")
        before = world.pods("shut")
        world.api.create(policies(world), {"metadata": {"name": "deny-all"}, "spec": DENY})
        world.endpoints.tell(before, "hang")
        told = world.await_word("shut", "RepairsAllowed", "False", "ProbeBlocked")
        assert f"NetworkPolicy deny-all does not admit the prober on port {world.port}" in (
            told.message
        )
        world.await_reason("shut", before[0], "ProbeBlocked", seconds=VERDICT_S)
        assert world.word("shut", "InstancesHealthy")[:2] == BLOCKED
        eventually(
            lambda: {word(pod, HEALTHY)[:2] for pod in world.pods("shut")} == {BLOCKED},
            "every pod says so",
        )
        assert {word(pod, IN_ROTATION).status for pod in world.pods("shut")} == {"True"}

        def untouched() -> None:
            assert uids_of(before) <= uids_of(world.pods("shut"))

        throughout(15, untouched)
        world.api.delete(policies(world, "deny-all"))
        world.await_word("shut", "RepairsAllowed", "False", "ProbeInconclusive")
        world.endpoints.heal(before)
        world.await_ready("shut")
        assert uids_of(world.pods("shut")) == uids_of(before)
        assert world.status("shut")["repairs"]["history"] == []
