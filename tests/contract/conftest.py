"""The two worlds of the contract: the fake one, and a real API server marked `cluster`."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from typing import TYPE_CHECKING

import pytest

from localcluster.cluster import LocalCluster
from scaleset_operator.__main__ import SteadyClock
from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.gateway import KubernetesCluster
from scaleset_operator.adapters.cluster.policies import PolicyReader
from scaleset_operator.adapters.cluster.relocations import KubernetesRelocations
from scaleset_operator.adapters.cluster.revisions import RevisionStore
from tests.contract.fake_world import FakeWorld
from tests.contract.real_world import Client, RealWorld
from tests.contract.worlds import World
from tests.support.kube_api import Api

if TYPE_CHECKING:
    from selectors import BaseSelector

FAKE = "fake"
REAL = "api server"
PAUSE = "pause:1"
LOOKS = 500
LOOK_S = 0.01
"""Within so long a TLS transport that is closed lets go of its socket: the server has its say."""
ITS_OWN = 1
"""Sockets of a loop that nothing else is left of: the one that wakes it."""


@pytest.fixture(params=[FAKE, pytest.param(REAL, marks=pytest.mark.cluster)])
def where(request: pytest.FixtureRequest) -> LocalCluster | None:
    """The cluster of the real world; None in the fake one, which starts nothing."""
    if request.param == FAKE:
        return None
    cluster: LocalCluster = request.getfixturevalue("kinds")
    return cluster


@pytest.fixture
async def world(where: LocalCluster | None) -> AsyncIterator[World]:
    """One empty namespace with one client of it."""
    if where is None:
        yield FakeWorld()
        return
    with namespace_of(where) as (api, namespace):
        async with client_of(where, namespace) as (client, clock):
            real = RealWorld(api, namespace, client, clock)
            yield real
            real.unmark_nodes()


@contextmanager
def namespace_of(where: LocalCluster) -> Iterator[tuple[Api, str]]:
    """A namespace of the test's own, removed after it."""
    name = f"contract-{uuid.uuid4().hex[:8]}"
    with closing(Api(where.server, where.token, where.ca_file)) as api:
        api.create("/api/v1/namespaces", {"metadata": {"name": name}})
        yield api, name
        api.delete(f"/api/v1/namespaces/{name}")


@asynccontextmanager
async def client_of(
    where: LocalCluster, namespace: str
) -> AsyncIterator[tuple[Client, SteadyClock]]:
    """The adapter, started."""
    clock = SteadyClock()
    connection = await Connection.open(str(where.kubeconfig))
    cluster = KubernetesCluster(connection, clock, lambda _: None, (namespace,))
    try:
        await cluster.start()
        moves = KubernetesRelocations(connection, cluster.view, clock, PAUSE, namespace)
        parts = (RevisionStore(connection), PolicyReader(connection), moves)
        yield Client(cluster, *parts), clock
        await cluster.close()
    finally:
        await connection.close()
        await all_sockets_closed()


async def all_sockets_closed() -> None:
    """Wait until the loop looks after no socket any more: what is left open is a warning."""
    # A loop tells in no other way what it still looks after.
    selector: BaseSelector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]  # noqa: SLF001
    for _ in range(LOOKS):
        if len(selector.get_map()) <= ITS_OWN:
            return
        await asyncio.sleep(LOOK_S)
    pytest.fail("a socket was left open")
