"""What the chaos tests share: a control plane of their own kind, with our CRDs on it.

They use what the integration tests are made of; they must not know any single one of those.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from localcluster.fixture import control_plane
from tests.integration.world import World, new_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcluster.cluster import LocalCluster

__all__ = ["control_plane"]

CRDS: Final = Path(__file__).parents[2] / "crds"


@pytest.fixture(scope="session")
def kinds(control_plane: LocalCluster) -> LocalCluster:
    """The cluster, with the generated CRDs applied and served."""
    for definition in sorted(CRDS.glob("*.yaml")):
        control_plane.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(definition))
        control_plane.kubectl("wait", "--for=condition=Established", "-f", str(definition))
    return control_plane


@pytest.fixture
def world(kinds: LocalCluster) -> Iterator[World]:
    """A namespace of the test's own; whoever serves it is the test's matter."""
    with new_world(kinds, "chaos") as made:
        yield made
