"""A real API server takes what is installed into a kind cluster on demand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcluster.kind import addons

if TYPE_CHECKING:
    from pathlib import Path

    from localcluster.cluster import LocalCluster


@pytest.mark.parametrize("name", ["metrics-server", "coredns"])
def test_the_manifests_are_taken_as_they_are(
    control_plane: LocalCluster, tmp_path: Path, name: str
) -> None:
    manifest = tmp_path / "manifest.yaml"
    manifest.write_text(addons.manifest(name))
    said = control_plane.kubectl(
        *("apply", "--server-side", "--dry-run=server", "--validate=strict"),
        *("-f", str(manifest)),
    )
    assert f"deployment.apps/{name} serverside-applied" in said
    assert "Warning" not in said
