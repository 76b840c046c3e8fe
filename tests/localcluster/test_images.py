"""How images' names are spelled."""

from __future__ import annotations

import pytest

from localcluster import images


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("web", "docker.io/library/web:latest"),
        ("web:1", "docker.io/library/web:1"),
        ("team/web:1", "docker.io/team/web:1"),
        ("docker.io/library/web:1", "docker.io/library/web:1"),
        ("localhost/web", "localhost/web:latest"),
        ("localhost:5000/web", "localhost:5000/web:latest"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("web@sha256:12ab", "docker.io/library/web@sha256:12ab"),
    ],
)
def test_a_short_name_is_spelled_out_as_nodes_keep_it(name: str, full: str) -> None:
    assert images.full_name(name) == full


@pytest.mark.parametrize("name", ["localhost:5000/web", "localhost:5000/web:1"])
def test_a_repository_has_neither_tag_nor_digest(name: str) -> None:
    assert images.repository(name) == "localhost:5000/web"
    assert images.repository("web@sha256:12ab") == "docker.io/library/web"
