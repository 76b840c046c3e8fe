"""kind's configuration file. Pure: nothing is asked or written here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.kind.machine import Restrictions

NAME = "scaleset"
WORKERS = 2

AUDIT_LOG = "/var/log/kubernetes/audit.log"
"""On the control-plane node: the API server's audit log, one JSON object a line."""
_AUDIT_POLICY = "/etc/kubernetes/audit/policy.yaml"
_AUDIT_MEGABYTES = 200

# In the sections of version 2 of containerd's configuration, which kind's nodes have.
_KEEP_OOM_SCORE = """\
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
"""


def nodes() -> list[str]:
    """Give the names that kind gives the nodes."""
    workers = [f"{NAME}-worker{number if number > 1 else ''}" for number in range(1, WORKERS + 1)]
    return [f"{NAME}-control-plane", *workers]


def render(restrictions: Restrictions | None, audit_policy: Path) -> str:
    """Give the configuration; it is JSON, which YAML readers read.

    Args:
        restrictions: None on an ordinary machine, where kind's own choices stand.
        audit_policy: of the API server; a file of this machine, mounted read-only.
    """
    mount = {"hostPath": str(audit_policy), "containerPath": _AUDIT_POLICY, "readOnly": True}
    config: dict[str, Any] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": NAME,
        "nodes": [
            {"role": "control-plane", "extraMounts": [mount]},
            *({"role": "worker"} for _ in range(WORKERS)),
        ],
        "kubeadmConfigPatchesJSON6902": [_audit()],
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


def _audit() -> dict[str, str]:
    """What has kubeadm start the API server with its audit log, beside kind's own arguments."""
    arguments = {
        "audit-policy-file": _AUDIT_POLICY,
        "audit-log-path": AUDIT_LOG,
        "audit-log-maxsize": str(_AUDIT_MEGABYTES),
    }
    folder = AUDIT_LOG.rpartition("/")[0]
    volumes = [
        _mounted("audit-policy", _AUDIT_POLICY, "File", read_only=True),
        _mounted("audit-log", folder, "DirectoryOrCreate", read_only=False),
    ]
    patch: list[dict[str, Any]] = [
        {"op": "add", "path": "/apiServer/extraArgs/-", "value": {"name": name, "value": value}}
        for name, value in arguments.items()
    ]
    patch.append({"op": "add", "path": "/apiServer/extraVolumes", "value": volumes})
    return {
        "group": "kubeadm.k8s.io",
        "version": "v1beta4",
        "kind": "ClusterConfiguration",
        "patch": json.dumps(patch),
    }


def _mounted(name: str, path: str, path_type: str, *, read_only: bool) -> dict[str, Any]:
    where = {"name": name, "hostPath": path, "mountPath": path}
    return {**where, "readOnly": read_only, "pathType": path_type}
