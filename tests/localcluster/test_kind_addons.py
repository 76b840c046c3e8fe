"""What is installed into a cluster on demand: which commands, and what the manifests say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from localcluster import images
from localcluster.commands import CommandError
from localcluster.kind import addons, programs, state
from localcluster.kind.cluster import KindCluster
from localcluster.restricted import engine
from tests.localcluster.pretended import Pretended

KUBECTL = (
    "docker exec --interactive scaleset-control-plane"
    " kubectl --kubeconfig=/etc/kubernetes/admin.conf"
)
APPLY = f"{KUBECTL} apply --server-side -f -"


def cluster(folder: Path, run: Pretended, docker_host: str | None) -> KindCluster:
    """A cluster that is up."""
    run.environment["XDG_CACHE_HOME"] = str(folder)
    with state.alone(state.folder(run.environment)):
        known = state.State(str(folder / "kubeconfig"), docker_host=docker_host, ready=True)
        state.write(state.folder(run.environment), known)
    return KindCluster(run)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Pretended:
    """Commands on a machine on which all programs are built."""
    pretended = Pretended()
    monkeypatch.setattr(programs, "find_or_build", lambda *_: Path("kind"))
    monkeypatch.setattr(programs, "addon", lambda binary, *_: Path("bin") / binary.name)
    monkeypatch.setattr(
        images, "import_program", lambda name, _program, run: run("docker", "import", name)
    )
    return pretended


@pytest.mark.parametrize("docker_host", [None, engine.HOST])
def test_metrics_come_from_a_program_of_our_own_and_are_waited_for(
    run: Pretended, tmp_path: Path, docker_host: str | None
) -> None:
    addons.install_metrics(cluster(tmp_path, run, docker_host))
    told = [line.removeprefix(f"{KUBECTL} ") for line in run.ran if "readyz" not in line]
    assert told == [
        f"docker import {addons.METRICS_IMAGE}",
        f"kind load docker-image {addons.METRICS_IMAGE} --name scaleset",
        "apply --server-side -f -",
        "-n kube-system rollout status deployment/metrics-server --timeout=120s",
        "wait apiservice/v1beta1.metrics.k8s.io --for=condition=Available --timeout=120s",
    ]
    assert run.sent[run.ran.index(APPLY)].decode() == addons.manifest("metrics-server")


def test_names_are_given_only_where_kind_brings_no_names(run: Pretended, tmp_path: Path) -> None:
    addons.install_dns(cluster(tmp_path, run, None))
    assert APPLY not in run.ran
    addons.install_dns(cluster(tmp_path, run, engine.HOST))
    assert run.sent[run.ran.index(APPLY)].decode() == addons.manifest("coredns")


def test_without_a_cluster_nothing_is_installed(run: Pretended, tmp_path: Path) -> None:
    run.environment["XDG_CACHE_HOME"] = str(tmp_path)
    for install in (addons.install_metrics, addons.install_dns):
        with pytest.raises(CommandError, match="make kind"):
            install(KindCluster(run))
    assert run.ran == []


@pytest.mark.parametrize(
    ("name", "image"),
    [("metrics-server", addons.METRICS_IMAGE), ("coredns", addons.DNS_IMAGE)],
)
def test_the_manifests_run_the_images_that_are_made_here(name: str, image: str) -> None:
    found: list[dict[str, Any]] = list(yaml.safe_load_all(addons.manifest(name)))
    (deployment,) = (item for item in found if item["kind"] == "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["metadata"]["name"] == name
    assert (container["image"], container["imagePullPolicy"]) == (image, "Never")
