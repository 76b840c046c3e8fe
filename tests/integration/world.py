"""A namespace on the local control plane, with what its instances answer.

Imports nothing of the operator. It must not know what any test expects.
"""

from __future__ import annotations

import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.integration.endpoints import Endpoints
from tests.integration.sets import (
    HEALTHY,
    IN_ROTATION,
    INTERVAL_S,
    PREFIX,
    TIMEOUT_S,
    VERDICT_S,
    Json,
    Sets,
    Word,
    controller,
    domain,
    instance_id,
    moment,
    names_of,
    template,
    uids_of,
    word,
)
from tests.support.kube_api import Api

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.cluster import LocalCluster

__all__ = [
    "HEALTHY",
    "INTERVAL_S",
    "IN_ROTATION",
    "PREFIX",
    "TIMEOUT_S",
    "VERDICT_S",
    "Json",
    "Word",
    "World",
    "controller",
    "domain",
    "instance_id",
    "moment",
    "names_of",
    "new_world",
    "template",
    "uids_of",
    "word",
]


class World(Sets):
    """A namespace of the test's own.

    Attributes:
        endpoints: what its instances answer.
    """

    def __init__(self, cluster: LocalCluster, api: Api, endpoints: Endpoints, name: str) -> None:
        super().__init__(api, name, cluster.responder.port)
        self.cluster = cluster
        self.endpoints = endpoints

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl("-n", self.namespace, *arguments)


@contextmanager
def new_world(cluster: LocalCluster, what: str) -> Iterator[World]:
    """A namespace with the probe `web-http` in it, removed at the end."""
    name = f"{what}-{uuid.uuid4().hex[:6]}"
    with Api(cluster.server, cluster.token, cluster.ca_file) as api:
        api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        with Endpoints(api, cluster.responder, name) as endpoints:
            world = World(cluster, api, endpoints, name)
            world.probe()
            yield world
            world.clear()
            api.delete(f"/api/v1/namespaces/{name}")
