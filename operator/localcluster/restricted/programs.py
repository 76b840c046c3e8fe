"""What a node is made of where no node image can be had: which binaries, from which modules."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from localcluster.binaries import BINARIES, KUBERNETES, Binary, cache_root, digest, of_kubernetes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONTAINERD = "2.3.7"

_CONTAINERD_MODULE = "github.com/containerd/containerd/v2"


def _containerd(name: str, seconds: int) -> Binary:
    return Binary(
        name,
        "containerd",
        f"{_CONTAINERD_MODULE}/cmd/{name}",
        f"-s -w -X {_CONTAINERD_MODULE}/version.Version={CONTAINERD}",
        seconds,
        # Snapshotters that nodes do not use.
        tags=("no_btrfs", "no_zfs", "no_devmapper"),
    )


CONTROL_PLANE = tuple(binary for binary in BINARIES if binary.name != "kwok")
"""Built for the control plane as processes, too, and kept with those."""

NODE = (
    of_kubernetes("kubelet", 60, 36),
    of_kubernetes("kubeadm", 30, 36),
    of_kubernetes("kube-proxy", 15, 36),
    _containerd("containerd", 120),
    _containerd("containerd-shim-runc-v2", 10),
    _containerd("ctr", 15),
    Binary("pause", "pause", "localcluster/pause", "-s -w", 2),
)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Give the folder the node's binaries are kept in; its name changes with every version."""
    key = f"kubernetes-{KUBERNETES}-containerd-{CONTAINERD}-{digest(NODE)}-{os.uname().machine}"
    return cache_root(environment) / "kind" / "bin" / key
