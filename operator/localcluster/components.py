"""The command lines of the control plane's processes. Pure: nothing is started here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ETCD = "etcd"
APISERVER = "kube-apiserver"
CONTROLLER_MANAGER = "kube-controller-manager"
SCHEDULER = "kube-scheduler"
KWOK = "kwok"

COMPONENTS = (ETCD, APISERVER, CONTROLLER_MANAGER, SCHEDULER, KWOK)
"""In the order they start; they stop in the opposite one, so the API server before etcd, without
which it would wait long on SIGTERM."""

CONTROLLERS = (
    "cronjob-controller",
    "daemonset-controller",
    "deployment-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "horizontal-pod-autoscaler-controller",
    "job-controller",
    "namespace-controller",
    "node-lifecycle-controller",
    "pod-garbage-collector-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "serviceaccount-controller",
    "statefulset-controller",
    "taint-eviction-controller",
    "ttl-after-finished-controller",
)
"""Those workloads lean on. Without the EndpointSlice controller: the API server refuses loopback
addresses in slices, so it could only fail, again and again."""

# The built-in limits, 20 and 30, would make the peers of a benchmark slower than they are.
_FAST_CLIENT = ("--kube-api-qps=1000", "--kube-api-burst=2000")
# An autoscaler looks every 15 s otherwise.
_KEEN_AUTOSCALER = ("--horizontal-pod-autoscaler-sync-period=1s",)
_ALONE = ("--leader-elect=false", "--secure-port=0")
_AUDIT_MEGABYTES = 4096


@dataclass(frozen=True, slots=True)
class Ports:
    """The loopback ports of one control plane."""

    etcd: int
    etcd_peer: int
    apiserver: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the command lines are made from."""

    folder: Path
    binaries: Mapping[str, Path]
    ports: Ports = Ports(0, 0, 0)
    audit: bool = True
    etcd_fsync: bool = False
    controllers: Sequence[str] = CONTROLLERS
    extra: Mapping[str, Sequence[str]] | None = None
    """More arguments by component; the last of two that contradict each other counts."""


def command(component: str, layout: Layout) -> list[str]:
    """Give the command line of one of `COMPONENTS`."""
    arguments = {
        ETCD: _etcd,
        APISERVER: _apiserver,
        CONTROLLER_MANAGER: _controller_manager,
        SCHEDULER: _scheduler,
        KWOK: _kwok,
    }[component](layout)
    more = (layout.extra or {}).get(component, ())
    return [str(layout.binaries[component]), *arguments, *more]


def _etcd(layout: Layout) -> list[str]:
    client = f"http://127.0.0.1:{layout.ports.etcd}"
    peer = f"http://127.0.0.1:{layout.ports.etcd_peer}"
    arguments = [
        f"--data-dir={layout.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--logger=zap",
        "--log-level=warn",
        "--quota-backend-bytes=4294967296",
        # As kubeadm sets it: without it a watch of what does not change never gets a bookmark.
        "--watch-progress-notify-interval=5s",
    ]
    return arguments if layout.etcd_fsync else [*arguments, "--unsafe-no-fsync"]


def _apiserver(layout: Layout) -> list[str]:
    folder = layout.folder
    key = folder / "service-account.key"
    arguments = [
        f"--etcd-servers=http://127.0.0.1:{layout.ports.etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={layout.ports.apiserver}",
        f"--cert-dir={folder / 'certificates'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC,Node",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        # Pods need not wait for their namespace's service account, nor mount its token.
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
    ]
    if not layout.audit:
        return arguments
    return [
        *arguments,
        f"--audit-log-path={folder / 'audit.log'}",
        f"--audit-policy-file={folder / 'audit-policy.yaml'}",
        f"--audit-log-maxsize={_AUDIT_MEGABYTES}",
    ]


def _controller_manager(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={layout.folder / 'system-kube-controller-manager.kubeconfig'}",
        f"--controllers={','.join(layout.controllers)}",
        *_KEEN_AUTOSCALER,
        *_ALONE,
        *_FAST_CLIENT,
    ]


def _scheduler(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={layout.folder / 'system-kube-scheduler.kubeconfig'}",
        *_ALONE,
        *_FAST_CLIENT,
    ]


def _kwok(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={layout.folder / 'system-kwok.kubeconfig'}",
        f"--config={layout.folder / 'kwok.yaml'}",
    ]
