"""The rights that the manifests grant against those that a running operator uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from manifests.generator.sources import NAME, NAMESPACE
from scaleset_operator.api.base import GROUP
from scaleset_operator.cli.diagnosis.rights import Right
from tests.api.manifests import RULE, WINDOW, manifest
from tests.integration.accounts import account_serving, applied, kubeconfig_of
from tests.integration.audit import AuditLog, Request
from tests.integration.operator_fixture import OperatorProcess
from tests.integration.waiting import eventually
from tests.integration.world import World, new_world
from tests.manifests.grants import Grant, granted
from tests.support.kube_api import path_of

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.cluster import LocalCluster
    from tests.integration.sets import Sets

WALL: Final = {"podSelector": {"matchLabels": {"app": "web"}}}
OF_MAINTENANCE: Final = {
    Right("create", "", "pods", "eviction"): "an instance is moved",
    Right("get", GROUP, "maintenancewindows"): "an instance is moved",
}
"""What test_maintenance of the same folder, or of tests/kind, comes to."""
UNUSED: Final = {
    Right("update", GROUP, "scalesets", "finalizers"): (
        "an API server that enforces owner references, see test_owner_references"
    ),
    Right("patch", "events.k8s.io", "events"): "the same Event again within minutes",
    Right("patch", "apps", "controllerrevisions"): "a rollout that goes back to a former model",
    Right("delete", "apps", "controllerrevisions"): "an eleventh model",
    **OF_MAINTENANCE,
}
"""What this run does not come to, and what would. All else that is granted must be used."""

pytestmark = pytest.mark.timeout(240)


def used(requests: list[Request]) -> set[Grant]:
    """What was asked for, as rights; discovery, which everybody may, is none."""
    return {
        Grant(Right(request.verb, request.group, *parts_of(request.resource)), request.namespace)
        for request in requests
        if request.resource
    }


def parts_of(resource: str) -> tuple[str, str]:
    name, _, part = resource.partition("/")
    return name, part


def test_an_operator_uses_what_it_is_granted_and_is_granted_what_it_uses(
    kinds: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leads, creates, probes, repairs, restarts, scales in and looks for a wall."""
    monkeypatch.setenv("POD_NAMESPACE", NAMESPACE)
    monkeypatch.setenv("POD_NAME", f"{NAME}-0")
    with new_world(kinds, "rights") as world:
        objects = account_serving(world.namespace)
        audit = AuditLog(kinds.audit_log, user=f"system:serviceaccount:{NAMESPACE}:{NAME}")
        with applied(kinds, objects):
            account = kubeconfig_of(world, NAMESPACE, NAME, tmp_path)
            where = ("--namespace", world.namespace, "--leader-elect")
            with OperatorProcess(kinds, tmp_path, *where, kubeconfig=account) as operator:
                live_through_all(world)
                assert operator.stop() == 0, "its watches end, and so stand in the log"
        found = audit.requests()
    assert [request for request in found if request.code == 403] == []
    plain = {Grant(right, namespace) for right, namespace, _ in granted(objects, NAME)}
    assert used(found) <= plain, "nothing beyond"
    assert {grant.right for grant in plain - used(found)} <= UNUSED.keys(), "nothing for nothing"
    assert UNUSED.keys() <= {grant.right for grant in plain}


def live_through_all(world: World) -> None:
    world.scale_set("web", 3, repairs={"gracePeriod": "PT0S"})
    world.await_ready("web")
    first, second, *_ = world.pods("web")
    operation = {"metadata": {"annotations": {"scaleset.dev/operation": "restart"}}}
    world.api.merge(
        f"/api/v1/namespaces/{world.namespace}/pods/{first['metadata']['name']}", operation
    )
    await_history(world, 1)
    world.endpoints.tell([second], "status:500")
    await_history(world, 2)
    world.change("web", replicas=2)
    eventually(lambda: len(world.pods("web")) == 2, "scaled in to two")
    world.await_ready("web")
    world.api.create(path_of(WINDOW, world.namespace), manifest(WINDOW))
    have_a_rule_reported(world)
    policies = f"/apis/networking.k8s.io/v1/namespaces/{world.namespace}/networkpolicies"
    world.api.create(policies, {"metadata": {"name": "wall"}, "spec": WALL})
    world.endpoints.tell(world.pods("web"), "hang")
    world.await_word("web", "RepairsAllowed", "False", "ProbeBlocked")


def have_a_rule_reported(world: Sets) -> None:
    """An OutboundRule, whatever it is about, is answered in its status."""
    world.api.create(path_of(RULE, world.namespace), manifest(RULE))
    world.await_status("sample", lambda s: bool(s.get("conditions")), "it is told", kind=RULE)


def await_history(world: Sets, length: int) -> None:
    world.await_status(
        "web", lambda s: len(s.get("repairs", {}).get("history", ())) >= length, "it is repaired"
    )
