"""The pytest fixture: one cluster for a whole test session.

A conftest takes it by name: `from localcluster.fixture import control_plane`. It needs pytest,
which nothing else in this package does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcluster.cluster import LocalCluster

if TYPE_CHECKING:
    from collections.abc import Iterator

_NODES = 3


@pytest.fixture(scope="session")
def control_plane() -> Iterator[LocalCluster]:
    """Give the session's cluster; it stops with the session, or when that is killed."""
    with LocalCluster(nodes=_NODES, name="pytest") as cluster:
        yield cluster
