"""What tests on the control plane share: the cluster, our kinds on it, a client, a namespace."""

from __future__ import annotations

import contextlib
import uuid
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pytest

from localcluster.api import ApiClient
from tests.integration.alongside import told
from tests.integration.operator_fixture import operator
from tests.integration.world import World, new_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.cluster import LocalCluster
    from tests.integration.alongside import NewWorld, Stories
    from tests.integration.operator_fixture import OperatorProcess

__all__ = ["operator"]

STORIES_AT_ONCE: Final = 8


@pytest.fixture
def api(kinds: LocalCluster) -> Iterator[ApiClient]:
    """A client with every right, on the cluster that knows our kinds.

    A new one for each test: some restart the API server, and no kept connection outlives that.
    """
    port = urlsplit(kinds.server).port
    assert port is not None
    with contextlib.closing(
        ApiClient(port, token=kinds.token, ca=kinds.ca_file.read_bytes(), timeout=30.0)
    ) as client:
        yield client


@pytest.fixture
def namespace(api: ApiClient) -> Iterator[str]:
    """A namespace of the test's own, removed after it."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    api.create("/api/v1/namespaces", {"metadata": {"name": name}})
    yield name
    api.delete(f"/api/v1/namespaces/{name}")


@pytest.fixture
def world(operator: OperatorProcess) -> Iterator[World]:
    """A namespace of the test's own, served by the module's operator."""
    with new_world(operator.cluster, "test") as made:
        yield made


@pytest.fixture(scope="module")
def stories(request: pytest.FixtureRequest) -> Iterator[Stories]:
    """Every story of the session, begun; served by the operator of the module that is first."""

    def begin() -> NewWorld:
        serving: OperatorProcess = request.getfixturevalue("operator")
        return partial(new_world, serving.cluster, "story")

    yield from told(request, begin, STORIES_AT_ONCE)
