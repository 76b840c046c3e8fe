"""The kind cluster's API by plain HTTPS: where it listens, and an administrator's token.

Must not know: who asks there, or for what.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from localcluster.kind import loading

if TYPE_CHECKING:
    from localcluster.kind.cluster import KindCluster


@dataclass(frozen=True, slots=True)
class Access:
    """How the API server is reached, with every right."""

    server: str
    token: str
    ca_file: Path


def access(cluster: KindCluster, account: str, folder: Path) -> Access:
    """Make an account with every right, and give its token.

    Args:
        cluster: is up.
        account: its name; no other user of the cluster may have the same.
        folder: keeps the certificates that vouch for the server.
    """
    known = loading.up(cluster)
    wanted = {"apiVersion": "v1", "kind": "List", "items": _account(account)}
    cluster.kubectl(known, "apply", "-f", "-", sent=json.dumps(wanted))
    token = cluster.kubectl(
        known, "create", "token", account, "-n", "kube-system", "--duration=24h"
    )
    config = yaml.safe_load(Path(known.kubeconfig).read_text(encoding="utf-8"))
    there = config["clusters"][0]["cluster"]
    ca_file = folder / "ca.crt"
    ca_file.write_bytes(base64.b64decode(there["certificate-authority-data"]))
    return Access(there["server"], token.strip(), ca_file)


def withdraw(cluster: KindCluster, account: str) -> None:
    """Take the account away again."""
    known = cluster.state()
    if known is not None:
        cluster.kubectl(known, "delete", "clusterrolebinding", account)
        cluster.kubectl(known, "-n", "kube-system", "delete", "serviceaccount", account)


def _account(name: str) -> list[dict[str, Any]]:
    subject = {"kind": "ServiceAccount", "name": name, "namespace": "kube-system"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": name, "namespace": "kube-system"},
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": role,
            "subjects": [subject],
        },
    ]
