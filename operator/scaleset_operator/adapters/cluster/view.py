"""The cluster as the caches have it: pods and nodes, each kept in step by a list and a watch.

Must not know: what is written to the cluster, or why.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping

from scaleset_operator.adapters.cluster.budgets import BudgetView
from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.freshness import Freshness
from scaleset_operator.adapters.cluster.nodecache import NodeCache, NodeNews
from scaleset_operator.adapters.cluster.podcache import PodCache
from scaleset_operator.adapters.cluster.pods import Json, PodRecord
from scaleset_operator.adapters.cluster.reflector import Reflector, Timing
from scaleset_operator.api.base import LABEL_NAME
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.core.observed import Instance
from scaleset_operator.reconciler.ports import Key, Owner, Pods, Wake


class ClusterView:
    """All that is known without asking."""

    def __init__(
        self,
        connection: Connection,
        wake: Wake,
        namespaces: tuple[str, ...] = (),
        *,
        timing: Timing | None = None,
    ) -> None:
        """Prepares it; nothing is sent before `start`.

        Args:
            connection: the one that lists and watches go over.
            wake: called with each set that has to be looked at again.
            namespaces: the ones in view; none for all.
            timing: clocks and chance.
        """
        timing = timing or Timing()
        self.cache = PodCache(wake)
        self._freshness = Freshness(wake, monotonic=timing.monotonic)
        self._nodes = NodeCache(self.cache, wake)
        self._budgets = BudgetView(connection, wake, namespaces, timing=timing)
        self._pods = {
            scope: Reflector(
                connection,
                pods_path(scope),
                _Pods(self.cache, self._freshness, scope),
                selector=LABEL_NAME,
                timing=timing,
            )
            for scope in namespaces or ("",)
        }
        self._reflectors = [
            *self._pods.values(),
            Reflector(connection, "/api/v1/nodes", self._nodes, timing=timing),
        ]
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begins to list and to watch."""
        self._tasks = [asyncio.create_task(reflector.run()) for reflector in self._reflectors]

    async def close(self) -> None:
        """Ends every watch, and returns once it has ended."""
        self._nodes.hush()
        await self._budgets.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def cut_for(self) -> float | None:
        """Seconds since all pod watches were last known to stand; None before all were listed.

        Nodes do not count: whoever may see single namespaces only may see no node. May be asked
        from any thread.
        """
        if not all(reflector.listed for reflector in self._pods.values()):
            return None
        return max(reflector.cut_for() for reflector in self._pods.values())

    def pods(self, owner: Owner) -> Pods:
        """One set's pods; never fresh in a namespace that is not in view."""
        reflector = self._pods.get(owner.key.namespace) or self._pods.get("")
        in_touch = reflector is not None and reflector.in_touch
        return self.cache.view(owner, fresh=self._freshness.of(owner, in_touch=in_touch))

    def at(self, address: str) -> tuple[PodRecord, ...]:
        """The pods that have an address; may be asked from any thread."""
        return self.cache.at(address)

    def wrote(self, owner: Owner, pod: Json) -> None:
        """Takes in the answer to a write of ours; the set is fresh again once the watch has it."""
        self.cache.feed(pod)
        version = int(pod["metadata"]["resourceVersion"])
        if version > self.cache.passed(owner.key.namespace):
            self._freshness.expect(owner, version)

    def disruption(self, owner: Owner, names: Collection[str]) -> Disruption:
        """The PodDisruptionBudgets over these of the set's pods."""
        known = (self.cache.known(Key(owner.key.namespace, name)) for name in names)
        return self._budgets.over(owner, (record for record in known if record is not None))

    def node_ready(self) -> Mapping[str, bool]:
        """Node name -> whether it is Ready; empty where nodes may not be read."""
        return dict(self._nodes.ready)

    def node_labels(self) -> Mapping[str, Mapping[str, str]]:
        """Node name -> its labels; empty where nodes may not be read."""
        return self._nodes.labels

    def on_nodes(self, news: NodeNews, tell: Callable[[], None]) -> None:
        """Have it told of such news: once for all nodes that change together."""
        self._nodes.listeners[news] = tell

    def pods_on(self, node: str) -> tuple[Instance, ...]:
        """Live pods of any set on a node."""
        return self.cache.live_on(node)


def pods_path(namespace: str) -> str:
    """The collection of pods of one namespace, or with none of all."""
    return f"/api/v1/namespaces/{namespace}/pods" if namespace else "/api/v1/pods"


class _Pods:
    """The sink of one scope's pods."""

    def __init__(self, cache: PodCache, freshness: Freshness, scope: str) -> None:
        self._cache = cache
        self._freshness = freshness
        self._scope = scope
        self._mark = 0
        self.put = cache.put
        self.drop = cache.drop

    def listing(self) -> None:
        self._mark = self._cache.listing()

    def listed(self, names: frozenset[tuple[str, str]], version: int) -> None:
        self._cache.listed(names, version, scope=self._scope, mark=self._mark)

    def reached(self, version: int) -> None:
        self._cache.reached(version, scope=self._scope)
        self._freshness.reached(version, scope=self._scope)

    def in_touch(self) -> None:
        self._freshness.in_touch(scope=self._scope)
