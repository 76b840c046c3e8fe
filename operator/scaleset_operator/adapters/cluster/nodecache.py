"""What is kept of each node, and who hears of which change.

A reflector's sink. Must not know what anybody does with the news.
"""

import asyncio
from enum import Enum, auto
from sys import intern
from typing import TYPE_CHECKING, Final

from scaleset_operator.adapters.cluster.podcache import PodCache
from scaleset_operator.adapters.cluster.pods import Json
from scaleset_operator.api.base import ANNOTATION_NODE_MAINTENANCE
from scaleset_operator.reconciler.ports import Wake

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SETTLE_S: Final = 0.5
"""How long news of a node waits for others: whoever changes one changes many."""
_FREE: Final = (False, "")


class NodeNews(Enum):
    """What there is to hear of nodes.

    Attributes:
        LABELS: labels are others.
        WORK: of labels, readiness, cordon and claim something is another; work on nodes goes by it.
        CLAIM: a node bears another claim of whoever cordoned it for maintenance.
    """

    LABELS = auto()
    WORK = auto()
    CLAIM = auto()


class NodeCache:
    """Whether each node is Ready, and its labels; its sets hear of the former at once.

    Attributes:
        ready: node name -> whether it is Ready.
        labels: node name -> labels.
        listeners: who is told of which news.
    """

    def __init__(self, cache: PodCache, wake: Wake) -> None:
        self._cache = cache
        self._wake = wake
        self.ready: dict[str, bool] = {}
        self.labels: dict[str, Mapping[str, str]] = {}
        self.listeners: dict[NodeNews, Callable[[], None]] = {}
        self._cordons: dict[str, tuple[bool, str]] = {}
        self._news: set[NodeNews] = set()
        self._told_soon: asyncio.TimerHandle | None = None

    def put(self, node: Json) -> None:
        """A node as it is now."""
        meta = node["metadata"]
        name = meta["name"]
        labels = {intern(k): intern(v) for k, v in (meta.get("labels") or {}).items()}
        if self.labels.get(name) != labels:
            self.labels[name] = labels
            self._tell_soon(NodeNews.LABELS, NodeNews.WORK)
        cordon = _cordon(node)
        before = self._cordons.get(name, _FREE)
        if before != cordon:
            self._cordons[name] = cordon
            self._tell_soon(NodeNews.WORK)
            if before[1] != cordon[1]:
                self._tell_soon(NodeNews.CLAIM)
        conditions = (node.get("status") or {}).get("conditions") or ()
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        if self.ready.get(name) is not ready:
            self.ready[name] = ready
            self._tell_soon(NodeNews.WORK)
            self._wake_sets_on(name)

    def drop(self, node: Json) -> None:
        """A node is gone."""
        name = node["metadata"]["name"]
        if name in self.ready:
            self._forget(name)

    def listing(self) -> None:
        """A new list begins."""

    def listed(self, names: frozenset[tuple[str, str]], version: int) -> None:  # noqa: ARG002
        """All that there are were listed: others are gone."""
        for name in [name for name in self.ready if ("", name) not in names]:
            self._forget(name)

    def reached(self, version: int) -> None:
        """The watch is that far."""

    def in_touch(self) -> None:
        """The watch stands."""

    def hush(self) -> None:
        """Tell nobody any more."""
        if self._told_soon is not None:
            self._told_soon.cancel()

    def _forget(self, name: str) -> None:
        del self.ready[name], self.labels[name]
        self._cordons.pop(name, None)
        self._tell_soon(NodeNews.LABELS, NodeNews.WORK)
        self._wake_sets_on(name)

    def _tell_soon(self, *news: NodeNews) -> None:
        self._news |= {*news}
        if self._told_soon is None:
            loop = asyncio.get_running_loop()
            self._told_soon = loop.call_later(SETTLE_S, self._tell)

    def _tell(self) -> None:
        self._told_soon = None
        news, self._news = self._news, set()
        for one, tell in self.listeners.items():
            if one in news:
                tell()

    def _wake_sets_on(self, node: str) -> None:
        for key in self._cache.sets_on(node):
            self._wake(key)


def _cordon(node: Json) -> tuple[bool, str]:
    """Whether it takes no new pods, and who has claimed it."""
    claim = (node["metadata"].get("annotations") or {}).get(ANNOTATION_NODE_MAINTENANCE, "")
    return bool((node.get("spec") or {}).get("unschedulable")), claim
