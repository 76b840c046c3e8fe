"""kind's configuration file. Pure: nothing is asked or written here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcluster.kind.machine import Restrictions

NAME = "scaleset"
WORKERS = 2

# In the sections of version 2 of containerd's configuration, which kind's nodes have.
_KEEP_OOM_SCORE = """\
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
"""


def nodes() -> list[str]:
    """Give the names that kind gives the nodes."""
    workers = [f"{NAME}-worker{number if number > 1 else ''}" for number in range(1, WORKERS + 1)]
    return [f"{NAME}-control-plane", *workers]


def render(restrictions: Restrictions | None) -> str:
    """Give the configuration; it is JSON, which YAML readers read.

    Args:
        restrictions: None on an ordinary machine, where kind's own choices stand.
    """
    roles = ["control-plane", *("worker" for _ in range(WORKERS))]
    config: dict[str, Any] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": NAME,
        "nodes": [{"role": role} for role in roles],
    }
    if restrictions is None:
        return json.dumps(config, indent=2)
    config["networking"] = {"disableDefaultCNI": True}
    if restrictions.no_sys_resource:
        # Else no sandbox starts: lowering a score is refused.
        config["containerdConfigPatches"] = [_KEEP_OOM_SCORE]
    config["kubeadmConfigPatches"] = [
        json.dumps(patch) for patch in _kubeadm(cgroup_v1=restrictions.cgroup_v1)
    ]
    return json.dumps(config, indent=2)


def _kubeadm(*, cgroup_v1: bool) -> list[dict[str, Any]]:
    patches: list[dict[str, Any]] = [
        # There is no image of CoreDNS. A patch replaces kind's own list, so preflight stands here.
        {"kind": "InitConfiguration", "skipPhases": ["addon/coredns", "preflight"]},
        {"kind": "JoinConfiguration", "skipPhases": ["preflight"]},
    ]
    if cgroup_v1:
        patches.append({"kind": "KubeletConfiguration", "failCgroupV1": False})
    return patches
