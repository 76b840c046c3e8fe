"""A probe's name: needed, and its own within its namespace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from localcluster.api import ApiError

if TYPE_CHECKING:
    from localcluster.api import ApiClient

SPEC: Final = {"protocol": "tcp", "port": 8080}


def create(api: ApiClient, namespace: str, metadata: dict[str, Any]) -> dict[str, Any]:
    """Create a probe; returns it as stored."""
    path = f"/apis/scaleset.dev/v1alpha1/namespaces/{namespace}/healthprobes"
    body = {
        "apiVersion": "scaleset.dev/v1alpha1",
        "kind": "HealthProbe",
        "metadata": metadata,
        "spec": SPEC,
    }
    stored: dict[str, Any] = api.create(path, body)
    return stored


def test_a_probe_needs_a_name_of_its_own(api: ApiClient, namespace: str) -> None:
    """P-01: none is refused, a second of the same name too; another namespace has its own."""
    with pytest.raises(ApiError, match="name"):
        create(api, namespace, {})
    create(api, namespace, {"name": "web"})
    with pytest.raises(ApiError, match="already exists"):
        create(api, namespace, {"name": "web"})
    assert create(api, "default", {"generateName": "web-"})["metadata"]["name"].startswith("web-")
