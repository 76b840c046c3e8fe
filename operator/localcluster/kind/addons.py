"""What a cluster is given on demand: metrics-server, for autoscalers, and CoreDNS, for names.

Both are built from their Go modules, for their images cannot be pulled everywhere. It must not know
who asks for metrics or names.
"""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from localcluster import images
from localcluster.kind import loading, programs

if TYPE_CHECKING:
    from localcluster.binaries import Binary
    from localcluster.kind.cluster import KindCluster

METRICS_IMAGE = f"localcluster/metrics-server:v{programs.METRICS_VERSION}"
DNS_IMAGE = f"localcluster/coredns:v{programs.DNS_VERSION}"

_DATA = resources.files("localcluster") / "data"
_READY = "--timeout=120s"
_SYSTEM = ("-n", "kube-system")


def install_metrics(cluster: KindCluster) -> None:
    """Let the cluster tell what pods and nodes use; returns once it does.

    Raises:
        CommandError: no cluster is up, or it does not tell within two minutes.
        MissingToolsError, BuildError: the program cannot be built.
    """
    _install(cluster, programs.METRICS, METRICS_IMAGE)
    served = "apiservice/v1beta1.metrics.k8s.io"
    cluster.kubectl(loading.up(cluster), "wait", served, "--for=condition=Available", _READY)


def install_dns(cluster: KindCluster) -> None:
    """Let pods resolve the names of Services; does nothing where the cluster came with that.

    Raises:
        CommandError: no cluster is up, or it does not answer within two minutes.
        MissingToolsError, BuildError: the program cannot be built.
    """
    if loading.up(cluster).docker_host is not None:
        _install(cluster, programs.DNS, DNS_IMAGE)


def manifest(name: str) -> str:
    """Give the text of what is applied for one of them, by its program's name."""
    return (_DATA / f"{name}.yaml").read_text()


def _install(cluster: KindCluster, binary: Binary, image: str) -> None:
    known = loading.up(cluster)
    docker = cluster.docker(known)
    program = programs.addon(binary, docker.environment, docker.out)
    images.import_program(image, program, docker)
    loading.load(cluster, image)
    cluster.kubectl(known, "apply", "--server-side", "-f", "-", sent=manifest(binary.name))
    cluster.kubectl(known, *_SYSTEM, "rollout", "status", f"deployment/{binary.name}", _READY)
