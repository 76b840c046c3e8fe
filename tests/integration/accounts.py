"""Manifests on a cluster for a while, and their accounts as pods use them: by a token.

Must not know: what an account may do.
"""

from __future__ import annotations

import copy
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import yaml

from manifests.generator.sources import read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from localcluster.cluster import LocalCluster
    from tests.integration.world import World


def account_serving(namespace: str) -> list[dict[str, Any]]:
    """The operator's account with its rights in one namespace, as the overlay for that has it."""
    sources = ("namespace", "serviceaccount", "roles")
    found = [one for source in sources for one in read(f"base/{source}.yaml")]
    (binding,) = copy.deepcopy(read("overlays/one-namespace/binding.yaml"))
    binding["metadata"]["namespace"] = namespace
    return [*found, binding]


@contextmanager
def applied(cluster: LocalCluster, objects: Sequence[dict[str, Any]]) -> Iterator[None]:
    """Inside, these objects are there; once it is left, they are gone."""
    text = yaml.safe_dump_all(objects)
    cluster.kubectl("apply", "--server-side", "-f", "-", input=text)
    try:
        yield
    finally:
        cluster.kubectl("delete", "--ignore-not-found", "--timeout=60s", "-f", "-", input=text)


def kubeconfig_of(world: World, namespace: str, account: str, folder: Path) -> Path:
    """A kubeconfig of that account, in the folder."""
    path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
    token = world.api.create(path, {"spec": {"expirationSeconds": 3600}})["status"]["token"]
    config = yaml.safe_load(world.cluster.user_kubeconfig("admin").read_text())
    for user in config["users"]:
        user["user"] = {"token": token}
    file = folder / f"{account}.kubeconfig"
    file.write_text(yaml.safe_dump(config))
    return file
