"""The rights that the manifests grant against those that the replicas on real nodes have used.

It runs last (see conftest): what every test before it had the operator do counts as well. Alone, it
takes an operator through a life of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import pytest

from demo.deployment import NAME, NAMESPACE
from manifests.generator.files import INSTALL
from manifests.generator.sources import read, resources_of
from tests.api.manifests import WINDOW, manifest
from tests.integration.audit import requests_in
from tests.integration.test_rights_used import (
    OF_MAINTENANCE,
    UNUSED,
    WALL,
    await_history,
    have_a_rule_reported,
    used,
)
from tests.integration.waiting import eventually
from tests.kind.deployment import ACCOUNT, NODE_COMPONENTS
from tests.manifests.grants import granted
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from localcluster.kind.cluster import KindCluster
    from tests.integration.sets import Json
    from tests.kind.deployment import Deployment
    from tests.kind.world import KindWorld

LEAD_S: Final = 60.0

pytestmark = pytest.mark.timeout(420)


def test_the_replicas_use_what_they_are_granted_and_are_granted_what_they_use(
    world: KindWorld,
    deployment: Deployment,
    cluster: KindCluster,
    session_began: datetime,
    request: pytest.FixtureRequest,
) -> None:
    """Least rights, both ways, by the API server's own audit log."""
    live_through_all(world, deployment)
    known = cluster.state()
    assert known is not None
    found = requests_in(cluster.audit_log(known), user=ACCOUNT, since=session_began)
    assert found
    worked = any("test_node_maintenance" in item.nodeid for item in request.session.items)
    grants = granted([*read(INSTALL), *(node_rights() if worked else ())], NAME)
    everywhere = {grant.right for grant in grants if not grant.namespace}
    at_home = {grant.right for grant in grants} - everywhere
    for right, namespace, _ in used(found):
        assert right in everywhere or (right in at_home and namespace == NAMESPACE), right
    unused = (everywhere | at_home) - {grant.right for grant in used(found)}
    moved = any("test_maintenance" in item.nodeid for item in request.session.items)
    rare = UNUSED.keys() - (OF_MAINTENANCE.keys() if moved else set())
    assert unused <= rare, "nothing for nothing"


def node_rights() -> list[Json]:
    """What test_node_maintenance has added to the installation for as long as it ran."""
    folders = [f"components/{name}" for name in NODE_COMPONENTS]
    return [one for folder in folders for path in resources_of(folder) for one in read(path)]


def live_through_all(world: KindWorld, deployment: Deployment) -> None:
    """Lead, create, probe, restart, repair, scale in, read a window, and look for a wall."""
    world.scale_set("web", 3, repairs={"gracePeriod": "PT0S"})
    world.await_ready("web")
    first, second, *_ = world.pods("web")
    path = f"/api/v1/namespaces/{world.namespace}/pods/{first['metadata']['name']}"
    world.api.merge(path, {"metadata": {"annotations": {"scaleset.dev/operation": "restart"}}})
    await_history(world, 1)
    world.tell(second, status=500)
    await_history(world, 2)
    world.change("web", replicas=2)
    eventually(lambda: len(world.pods("web")) == 2, "scaled in to two")
    world.await_ready("web")
    world.api.create(path_of(WINDOW, world.namespace), manifest(WINDOW))
    have_a_rule_reported(world)
    policies = f"/apis/networking.k8s.io/v1/namespaces/{world.namespace}/networkpolicies"
    world.api.create(policies, {"metadata": {"name": "wall"}, "spec": WALL})
    for pod in world.pods("web"):
        world.tell(pod, hang=True)
    world.await_word("web", "RepairsAllowed", "False", "ProbeBlocked")
    lose_the_leader(deployment)


def lose_the_leader(deployment: Deployment) -> None:
    """End its process: another renews the lease, and it comes back."""
    holder = deployment.holder()
    deployment.signal(deployment.leading(), "KILL")
    eventually(lambda: deployment.holder() not in {"", holder}, "another leads", seconds=LEAD_S)
    deployment.await_ready()


def test_the_log_is_of_this_session(session_began: datetime) -> None:
    """What an earlier version of the operator did in the same cluster does not count."""
    line = (
        '{"requestReceivedTimestamp":"%s","user":{"username":"u",'
        '"extra":{"authentication.kubernetes.io/pod-name":["operator-1"]}},"verb":"get",'
        '"objectRef":{"resource":"pods"}}'
    )
    long_ago = line % "2020-01-01T00:00:00.000000Z"
    now = line % datetime.now(UTC).isoformat().replace("+00:00", "Z")
    text = f"{long_ago}\n{now}\n"
    (found,) = requests_in(text, user="u", since=session_began)
    assert found.pod == "operator-1", "whoever has a token of its pod's is told by it"
    assert found.at > session_began
    assert len(requests_in(text, user="u")) == 2
