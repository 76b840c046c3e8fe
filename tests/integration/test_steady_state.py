"""A thousand instances that are well: the operator asks for nothing and writes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.integration.audit import AuditLog, Request
from tests.integration.waiting import eventually, throughout
from tests.integration.world import HEALTHY, word

if TYPE_CHECKING:
    from localcluster.cluster import LocalCluster
    from tests.integration.operator_fixture import OperatorProcess
    from tests.integration.world import World

SIZE: Final = 1_000
NODES: Final = 12
"""110 pods fit on each."""
QUIET_S: Final = 72
"""Longer than a watch may be silent before it counts as broken."""
SETTLED_S: Final = 6
"""In which the last reports on what has just happened are written."""
READING: Final = {"get", "list", "watch"}


def test_a_thousand_healthy_instances_cost_no_request(
    world: World, kinds: LocalCluster, operator: OperatorProcess
) -> None:
    """P-26, P-27: by the API server's own log, for more than a minute: no write at all, and nothing
    read but by the watches; every instance is probed several times meanwhile."""
    kinds.add_nodes(max(0, NODES - len(kinds.nodes)))
    world.scale_set("web", SIZE, repairs={"gracePeriod": "PT5S"})
    world.await_ready("web", seconds=150)
    audit = AuditLog(kinds.audit_log)

    def requests() -> list[Request]:
        """Those of the whole cluster and of this set: others may still be on their way out."""
        return [r for r in audit.requests() if r.namespace in {"", world.namespace}]

    def quiet() -> bool:
        audit.mark()
        throughout(SETTLED_S, lambda: None)
        return not requests()

    eventually(quiet, "it has settled", seconds=60, told=requests)
    kinds.responder.reset_hits()
    throughout(QUIET_S, lambda: None)
    asked = requests()
    assert [request for request in asked if request.writes] == []
    assert [request for request in asked if request.verb in READING - {"watch"}] == []
    pods = world.pods("web")
    assert {word(pod, HEALTHY).status for pod in pods} == {"True"}
    hits = kinds.responder.hits()
    fewest = min(hits[pod["status"]["podIP"]].requests for pod in pods)
    assert fewest >= QUIET_S // 5 - 2, "some instance was not probed as often as it should be"
    assert operator.faults() == []
