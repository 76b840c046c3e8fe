"""Nodes as the cache has them, and who hears of which change (M-26, M-07)."""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.adapters.cluster import nodecache
from scaleset_operator.adapters.cluster.nodecache import NodeNews
from scaleset_operator.adapters.cluster.view import ClusterView
from scaleset_operator.api.base import ANNOTATION_NODE_MAINTENANCE
from tests.adapters.cluster.fake_api import NODES, FakeApi, event, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scaleset_operator.adapters.cluster.connection import Connection

OLD = {"zone": "a"}
NEW = {"zone": "a", "maintenance/updated": "yes"}


def node(
    name: str,
    version: int,
    labels: dict[str, str] | None = None,
    *,
    cordoned: bool = False,
    claim: str | None = None,
    ready: bool = False,
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "resourceVersion": str(version)}
    metadata["labels"] = labels or OLD
    if claim is not None:
        metadata["annotations"] = {ANNOTATION_NODE_MAINTENANCE: claim}
    conditions = [{"type": "Ready", "status": "True"}] if ready else []
    spec = {"unschedulable": True} if cordoned else {}
    return {"metadata": metadata, "spec": spec, "status": {"conditions": conditions}}


class Seen:
    """A view of three nodes, and how often it told of which news."""

    def __init__(self, api: FakeApi, view: ClusterView) -> None:
        self.api = api
        self.view = view
        self.heard: Counter[NodeNews] = Counter()
        for news in NodeNews:
            view.on_nodes(news, partial(self.heard.update, [news]))

    @property
    def told(self) -> int:
        """Of labels."""
        return self.heard[NodeNews.LABELS]

    async def after(self, *nodes: dict[str, Any]) -> set[NodeNews]:
        """What is told of when nodes are so now; each once."""
        self.heard.clear()
        await self.push("MODIFIED", *nodes)
        await self.quiet()
        assert set(self.heard.values()) <= {1}
        return set(self.heard)

    async def push(self, kind: str, *nodes: dict[str, Any]) -> None:
        for one in nodes:
            await self.api.push_node(event(kind, one))

    async def quiet(self) -> None:
        """So long that whatever is to be told has been."""
        await asyncio.sleep(3 * nodecache.SETTLE_S)


@pytest.fixture
async def seen(
    api: FakeApi, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Seen]:
    monkeypatch.setattr(nodecache, "SETTLE_S", 0.05)
    api.nodes += [node(f"node-{number}", number) for number in (1, 2, 3)]
    view = ClusterView(connection, lambda _: None)
    seen = Seen(api, view)
    await view.start()
    await until(lambda: api.watched(NODES))
    await until(lambda: seen.told == 1)
    yield seen
    await view.close()


async def test_nodes_that_are_labelled_together_are_told_of_once(seen: Seen) -> None:
    """M-26: whoever labels a thousand nodes has each set looked at once, not a thousand times."""
    await seen.push("MODIFIED", *(node(f"node-{n}", 10 + n, NEW) for n in (1, 2, 3)))
    await until(lambda: seen.told == 2)
    await seen.quiet()
    assert seen.told == 2
    assert seen.view.node_labels() == dict.fromkeys(("node-1", "node-2", "node-3"), NEW)


async def test_what_else_changes_of_a_node_is_no_news_of_its_labels(seen: Seen) -> None:
    """M-26: kubelet writes each node every few minutes."""
    await seen.push("MODIFIED", node("node-1", 11), node("node-1", 12))
    await seen.quiet()
    assert seen.told == 1


async def test_a_node_that_goes_is_told_of_and_forgotten(seen: Seen) -> None:
    """M-26."""
    await seen.push("DELETED", node("node-1", 11))
    await until(lambda: seen.told == 2)
    assert set(seen.view.node_labels()) == {"node-2", "node-3"}


async def test_cordon_claim_and_readiness_are_news_to_whoever_works_on_nodes(seen: Seen) -> None:
    """M-07, M-09: no turn of a node waits for a timer where something has happened to it."""
    ours = partial(node, "node-1", cordoned=True, claim="shop/patch/1")
    work, claim = {NodeNews.WORK}, {NodeNews.CLAIM}
    assert await seen.after(node("node-1", 11, cordoned=True)) == work, "by somebody"
    assert await seen.after(ours(12)) == work | claim
    assert await seen.after(ours(13)) == set(), "kubelet writes each node every few minutes"
    assert await seen.after(ours(14, ready=True)) == work
    assert await seen.after(ours(15, ready=True, claim="shop/other/1")) == work | claim
    assert await seen.after(node("node-1", 16, ready=True)) == work | claim
    assert await seen.after(node("node-1", 17, NEW, ready=True)) == work | {NodeNews.LABELS}


async def test_a_claim_that_stood_before_the_start_is_news(
    api: FakeApi, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M-09: it may be what another operator left behind."""
    monkeypatch.setattr(nodecache, "SETTLE_S", 0.05)
    api.nodes.append(node("node-1", 1, cordoned=True, claim="shop/gone/1"))
    view = ClusterView(connection, lambda _: None)
    seen = Seen(api, view)
    await view.start()
    await until(lambda: seen.heard[NodeNews.CLAIM] == 1)
    await view.close()


async def test_a_view_that_was_closed_tells_nobody(seen: Seen) -> None:
    """X-07."""
    await seen.push("MODIFIED", node("node-1", 11, NEW))
    await until(lambda: seen.view.node_labels()["node-1"] == NEW)
    await seen.view.close()
    await seen.quiet()
    assert seen.told == 1
