"""The client by paths, as the kubectl plugin uses it, over real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from scaleset_operator.adapters.cluster.client import PathClient, path_client
from scaleset_operator.reconciler.ports import Refused, Unavailable
from tests.adapters.cluster.fake_api import Answer, FakeApi, Watch, error, event, listing

if TYPE_CHECKING:
    from pathlib import Path

    from scaleset_operator.adapters.cluster.connection import Connection

THINGS = "/apis/scaleset.dev/v1alpha1/namespaces/shop/scalesets"


def kubeconfig(api: FakeApi, folder: Path) -> str:
    """Two contexts on the same server; the current one names no namespace."""
    content = {
        "current-context": "plain",
        "clusters": [{"name": "c", "cluster": {"server": api.url}}],
        "users": [{"name": "u", "user": {"token": "secret"}}],
        "contexts": [
            {"name": "plain", "context": {"cluster": "c", "user": "u"}},
            {"name": "shop", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
        ],
    }
    path = folder / "config"
    path.write_text(yaml.safe_dump(content))
    return str(path)


async def test_the_context_gives_the_namespace_and_the_user_is_impersonated(
    api: FakeApi, tmp_path: Path
) -> None:
    api.answer("GET", Answer(body={"kind": "Thing"}))
    path = kubeconfig(api, tmp_path)
    async with path_client(path) as client:
        assert client.namespace == "default"
    async with path_client(path, context="shop", user="ann") as client:
        assert (client.namespace, client.server) == ("shop", api.url)
        assert await client.get(f"{THINGS}/web") == {"kind": "Thing"}
    (request,) = api.requests
    assert request.headers["Impersonate-User"] == "ann"
    assert request.headers["Authorization"] == "Bearer secret"


async def test_a_context_that_is_not_there_is_named(api: FakeApi, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"kubeconfig cannot be used.*blue"):
        async with path_client(kubeconfig(api, tmp_path), context="blue"):
            pass


async def test_a_collection_is_read_page_by_page(api: FakeApi, connection: Connection) -> None:
    pages = listing(5, {"metadata": {"name": "a"}}, more="x"), listing(5, {"metadata": {}})
    api.answer("GET", *(Answer(body=page) for page in pages))
    found = await PathClient(connection, "shop").items(THINGS, {"labelSelector": "a=b"})
    assert len(found) == 2
    assert [r.query.get("continue") for r in api.requests] == [None, "x"]
    assert {r.query["labelSelector"] for r in api.requests} == {"a=b"}


async def test_writes_go_as_they_are_given(api: FakeApi, connection: Connection) -> None:
    api.answer("PATCH", Answer(body={"done": 1}))
    api.answer("POST", Answer(status=403, body={"message": "no right"}))
    client = PathClient(connection, "shop")
    assert await client.merge(f"{THINGS}/web", {"spec": {"replicas": 2}}) == {"done": 1}
    with pytest.raises(Refused, match="no right"):
        await client.create(THINGS, {"kind": "Thing"})
    patch, post = api.requests
    assert patch.headers["Content-Type"] == "application/merge-patch+json"
    assert (patch.body, post.body) == ({"spec": {"replicas": 2}}, {"kind": "Thing"})


async def test_a_watch_shows_changes_and_the_end_of_an_object(
    api: FakeApi, connection: Connection
) -> None:
    one = {"metadata": {"name": "web"}}
    told = [event("ADDED", one), event("DELETED", one), error(410)]
    api.watches.append(Watch(events=list(told), then="end"))
    changes = PathClient(connection, "shop").watch("/api/v1/pods", {})
    first, second = await anext(changes), await anext(changes)
    assert "deletionTimestamp" not in first["metadata"]
    assert "deletionTimestamp" in second["metadata"]
    with pytest.raises(Unavailable):
        await anext(changes)
