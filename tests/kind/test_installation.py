"""The ways of installing the operator, what its account may do, and what is left when it goes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest

from demo.deployment import NAME
from localcluster.commands import CommandError
from tests.integration.charts import RELEASE, Helm
from tests.integration.sets import names_of, uids_of
from tests.integration.waiting import eventually
from tests.kind.deployment import ACCOUNT
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcluster.kind.cluster import KindCluster
    from tests.kind.deployment import Deployment
    from tests.kind.world import KindWorld

FORBIDDEN: Final = (
    ("get", "secrets"),
    ("list", "secrets"),
    ("watch", "secrets"),
    ("create", "pods", "--subresource=exec"),
    ("create", "clusterroles"),
    ("update", "clusterroles"),
    ("create", "clusterrolebindings"),
    ("escalate", "clusterroles"),
    ("impersonate", "users"),
    ("update", "nodes"),
    ("create", "serviceaccounts", "--subresource=token"),
)
KINDS: Final = (
    "namespaces,customresourcedefinitions,clusterroles,clusterrolebindings,deployments,roles,"
    "rolebindings,leases,pods,services,serviceaccounts,poddisruptionbudgets,networkpolicies"
)


@pytest.mark.parametrize("asked", FORBIDDEN, ids=" ".join)
def test_the_operator_s_account_may_not_do_what_it_never_needs(
    deployment: Deployment, asked: tuple[str, ...]
) -> None:
    """No Secrets, no exec, no roles; the question itself is understood."""
    can_i = ("auth", "can-i", "--as", ACCOUNT, "--all-namespaces")
    assert deployment.kubectl(*can_i, "delete", "pods").strip() == "yes"
    with pytest.raises(CommandError, match=r"\bno\b"):
        deployment.kubectl(*can_i, *asked)


def test_neither_replica_was_refused_anything(deployment: Deployment, world: KindWorld) -> None:
    """Least rights, and enough of them."""
    world.scale_set("web", 2)
    world.await_ready("web")
    for pod in deployment.pods():
        said = deployment.logs(pod["metadata"]["name"])
        assert "forbidden" not in said.lower()
        lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert lines
        # kopf calls an API server that is not ready yet an error of its own, and tries again.
        wrong = [one for one in lines if one["level"] == "error" and "kopf" not in one["logger"]]
        assert wrong == []


@pytest.fixture
def helm(cluster: KindCluster, tmp_path: Path) -> Helm:
    """Helm's own command, for the cluster's administrator."""
    return Helm(cluster.kubeconfig, tmp_path)


@pytest.fixture
def by_chart(deployment: Deployment, image: str, helm: Helm) -> Iterator[Deployment]:
    """The operator as Helm installs it, in place of what stands; put back at the end."""
    deployment.remove()
    deployment.install_by_chart(helm, image)
    yield deployment
    deployment.remove()
    deployment.install_by_kustomize(image)


@pytest.mark.timeout(1_200)  # Helm may have to be built first.
def test_helm_installs_an_operator_that_repairs_upgrades_and_removes_it(
    by_chart: Deployment, world: KindWorld, helm: Helm
) -> None:
    """As the overlay does. No instance is touched by an upgrade, which keeps what the replicas
    share, nor by the end of the release, which leaves definitions and sets."""
    world.scale_set("web", 3, repairs={"gracePeriod": "PT0S"})
    world.await_ready("web")
    ill = world.pods("web")[0]
    with AuditorWatch(world.api, namespace=world.namespace) as watch:
        world.tell(ill, status=500)
        eventually(
            lambda: ill["metadata"]["uid"] not in uids_of(world.pods("web")),
            "it is replaced",
            told=lambda: world.told("web"),
        )
        world.await_ready("web")
        pods, replicas, shared = world.pods("web"), by_chart.pods(), by_chart.vantage()
        by_chart.upgrade_by_chart(helm, podAnnotations={"example.org/note": "second"})
        assert not uids_of(replicas) & uids_of(by_chart.pods())
        assert by_chart.vantage()["data"] == shared["data"]
        world.await_ready("web")
        helm("uninstall", RELEASE, "--wait")
        assert by_chart.pods() == []
        assert uids_of(world.pods("web")) == uids_of(pods)
    assert len(replicas) == 2
    watch.auditor.expect_repaired(names_of([ill]))
    assert watch.auditor.violations() == []


@pytest.mark.timeout(400)
def test_nothing_is_left_of_an_operator_that_is_deleted(
    deployment: Deployment, image: str, world: KindWorld
) -> None:
    """Sets take their instances with them, and the manifests all that they brought."""
    world.scale_set("web", 2)
    world.await_ready("web")
    world.delete("ScaleSet", "web")
    eventually(lambda: not world.everything_of("web"), "its instances are gone")
    kept = ("get", "controllerrevisions,poddisruptionbudgets,jobs", "-o", "name")
    eventually(lambda: not world.room.kubectl(*kept).strip(), "and so is all that it had")
    deployment.remove()
    try:
        said = json.loads(deployment.kubectl("get", KINDS, "--all-namespaces", "-o", "json"))
        left = [
            f"{one['kind']} {one['metadata']['name']}"
            for one in said["items"]
            if NAME in one["metadata"]["name"] or "scaleset.dev" in one["metadata"]["name"]
        ]
        assert left == []
    finally:
        deployment.install_by_kustomize(image)
