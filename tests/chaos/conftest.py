"""What the chaos tests share: a namespace of their own on the session's control plane.

They use what the integration tests are made of; they must not know any single one of those.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.world import World, new_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.cluster import LocalCluster


@pytest.fixture
def world(kinds: LocalCluster) -> Iterator[World]:
    """A namespace of the test's own; whoever serves it is the test's matter."""
    with new_world(kinds, "chaos") as made:
        yield made
