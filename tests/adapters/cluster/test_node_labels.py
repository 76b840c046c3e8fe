"""The labels of nodes as the cache has them, and who hears that they are others (M-26)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.adapters.cluster import view as view_module
from scaleset_operator.adapters.cluster.view import ClusterView
from tests.adapters.cluster.fake_api import NODES, FakeApi, event, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scaleset_operator.adapters.cluster.connection import Connection

OLD = {"zone": "a"}
NEW = {"zone": "a", "maintenance/updated": "yes"}


def node(name: str, version: int, labels: dict[str, str] | None = None) -> dict[str, Any]:
    metadata = {"name": name, "resourceVersion": str(version), "labels": labels or OLD}
    return {"metadata": metadata, "status": {"conditions": []}}


class Seen:
    """A view of three nodes, and how often it told of their labels."""

    def __init__(self, api: FakeApi, view: ClusterView) -> None:
        self.api = api
        self.view = view
        self.told = 0
        view.on_relabelled(self._tell)

    def _tell(self) -> None:
        self.told += 1

    async def push(self, kind: str, *nodes: dict[str, Any]) -> None:
        for one in nodes:
            await self.api.push_node(event(kind, one))

    async def quiet(self) -> None:
        """So long that whatever is to be told has been."""
        await asyncio.sleep(3 * view_module.RELABEL_SETTLE_S)


@pytest.fixture
async def seen(
    api: FakeApi, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Seen]:
    monkeypatch.setattr(view_module, "RELABEL_SETTLE_S", 0.05)
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


async def test_a_view_that_was_closed_tells_nobody(seen: Seen) -> None:
    """X-07."""
    await seen.push("MODIFIED", node("node-1", 11, NEW))
    await until(lambda: seen.view.node_labels()["node-1"] == NEW)
    await seen.view.close()
    await seen.quiet()
    assert seen.told == 1
