"""One client's view of the fake cluster: caches that lag, and how fresh they are.

The sets are woken for what a cache takes in. It must not know requests, beyond being told of the
client's own writes and live reads.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from scaleset_operator.api.base import LABEL_NAME
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.core.observed import Instance
from scaleset_operator.reconciler.budgets import budget_of, selects
from scaleset_operator.reconciler.ports import Key, Owner, Pods, Wake
from scaleset_operator.rehearsal.api_server import FakeApiServer
from scaleset_operator.rehearsal.cache import LaggingCache, Seen
from scaleset_operator.rehearsal.objects import FakeNode, FakePod, ObjectKey, instance_of
from scaleset_operator.rehearsal.pod_writes import selected
from scaleset_operator.rehearsal.resources import Raw

EXPECTED_FOR: Final = timedelta(minutes=5)
"""After so long an own write that never showed is given up, as a ReplicaSet does."""
CUT_OFF: Final = timedelta(seconds=10)
"""A view that has been cut off for longer is not fresh."""
RESOURCES: Final = ("ScaleSet", "HealthProbe", "MaintenanceWindow", "OutboundRule")


class Expected(NamedTuple):
    """The last write of ours that the watch must have passed before the view is fresh."""

    key: Key
    version: int
    since: datetime


class FakeView:
    """What one client knows without asking.

    Attributes:
        cache: pods and nodes; its `lag` may be set at any time.
        resources: ScaleSets, HealthProbes and MaintenanceWindows, with a lag of their own.
        budgets: PodDisruptionBudgets.
        budgets_forbidden: whether the client may not read them (403).
        wake: called for each set that news concerns.
    """

    def __init__(
        self, server: FakeApiServer, lag: timedelta, resource_lag: timedelta, wake: Wake
    ) -> None:
        self.server = server
        self.cache = LaggingCache(server, ("Pod", "Node"), lag)
        self.resources = LaggingCache(server, RESOURCES, resource_lag)
        self.budgets = LaggingCache(server, ("PodDisruptionBudget",), lag)
        self.wake = wake
        self.budgets_forbidden = False
        self._asked: set[Key] = set()
        self._cut_since: datetime | None = None
        self._expected: dict[str, Expected] = {}
        self._mapped: dict[str, tuple[int, Instance]] = {}

    def sync(self) -> None:
        """Take in what has arrived by now, and wake the sets that it concerns."""
        self._tell(self.cache.sync())
        self._tell_resources(self.resources.sync())
        self._tell_budgets(self.budgets.sync())
        for uid, expected in list(self._expected.items()):
            if self._is_past(expected):
                del self._expected[uid]
                self.wake(expected.key)

    def next_arrival(self) -> datetime | None:
        """When the next news arrives; None when none is on its way."""
        times = (self.cache.next_arrival(), self.resources.next_arrival())
        return min((time for time in times if time is not None), default=None)

    def cut(self) -> None:
        """The watches break; nothing arrives until `relist`."""
        self.cache.disconnect()
        self.resources.disconnect()
        self.budgets.disconnect()
        self._cut_since = self.server.clock.now()

    def relist(self) -> None:
        """The watches come back with a list, as after a cut or a 410."""
        self._cut_since = None
        self._tell(self.cache.relist())
        self._tell_resources(self.resources.relist())
        self._tell_budgets(self.budgets.relist())

    def scale_sets(self) -> dict[Key, Raw]:
        """The ScaleSets, raw, as the cache has them."""
        return self._raw("ScaleSet")

    def health_probes(self) -> dict[Key, Raw]:
        """The HealthProbes, raw, as the cache has them."""
        return self._raw("HealthProbe")

    def windows(self) -> dict[Key, Raw]:
        """The MaintenanceWindows, raw, as the cache has them."""
        return self._raw("MaintenanceWindow")

    def rules(self) -> dict[Key, Raw]:
        """The OutboundRules, raw, as the cache has them."""
        return self._raw("OutboundRule")

    def node_labels(self) -> dict[str, Mapping[str, str]]:
        """Node name -> its labels."""
        nodes = self.cache.objects().values()
        return {node.name: node.labels for node in nodes if isinstance(node, FakeNode)}

    def node_ready(self) -> dict[str, bool]:
        """Node name -> whether it is Ready."""
        nodes = self.cache.objects().values()
        return {node.name: node.ready for node in nodes if isinstance(node, FakeNode)}

    def disruption(self, owner: Owner, names: Collection[str]) -> Disruption:
        """The budgets over these of the set's pods."""
        if names:
            self._asked.add(owner.key)
        if self.budgets_forbidden or self._cut_for() > CUT_OFF:
            return Disruption(fault="PodDisruptionBudgets cannot be read: forbidden or cut off")
        here = [b for b in self.budgets.objects().values() if isinstance(b, dict)]
        here = [b for b in here if b["metadata"]["namespace"] == owner.key.namespace]
        pods = [pod for pod in self._cached(owner.key.namespace) if pod.name in names]
        return Disruption(
            over={
                pod.name: tuple(
                    budget_of(b) for b in here if selects(b["spec"]["selector"], pod.labels)
                )
                for pod in pods
            }
        )

    def pods_on(self, node: str) -> tuple[Instance, ...]:
        """Live instances of any set on a node."""
        return tuple(
            self._instance(pod)
            for pod in self._cached()
            if pod.node == node and pod.live and LABEL_NAME in pod.labels
        )

    def pods(self, owner: Owner) -> Pods:
        """One set's pods, as the port has them."""
        owned, adoptable, released = [], [], []
        for pod in self._cached(owner.key.namespace):
            if pod.controller is None:
                ours = pod.labels.get(LABEL_NAME) == owner.key.name
                if ours and selected(pod, owner.match_labels):
                    adoptable.append(self._instance(pod))
            elif pod.controller.uid == owner.uid:
                owned.append(self._instance(pod))
                if not selected(pod, owner.match_labels):
                    released.append(self._instance(pod))
        return Pods(
            instances=tuple(owned),
            adoptable=tuple(adoptable),
            released=tuple(released),
            fresh=self.is_fresh(owner.uid),
        )

    def _instance(self, pod: FakePod) -> Instance:
        """The pod as an instance, mapped once for each version of it."""
        known = self._mapped.get(pod.uid)
        if known is None or known[0] != pod.resource_version:
            known = self._mapped[pod.uid] = (pod.resource_version, instance_of(pod))
        return known[1]

    def expect(self, owner: Owner, pod: FakePod) -> None:
        """A write of ours to this pod was answered: the view is not fresh until it shows.

        One that changed nothing shows already.
        """
        if self.cache.position >= pod.resource_version:
            return
        before = self._expected.get(owner.uid)
        version = max(pod.resource_version, before.version if before else 0)
        self._expected[owner.uid] = Expected(owner.key, version, self.server.clock.now())

    def feed(self, pod: FakePod) -> None:
        """A pod as a live answer showed it."""
        seen = self.cache.feed(pod, pod.key)
        self._tell([seen] if seen is not None else [])

    def feed_absence(self, key: ObjectKey) -> None:
        """A live read or list found no such object."""
        seen = self.cache.feed_absence(key)
        self._tell([seen] if seen is not None else [])

    def is_fresh(self, owner_uid: str) -> bool:
        """Whether the view is in touch and shows every write of ours to this set's pods."""
        expected = self._expected.get(owner_uid)
        return self._cut_for() <= CUT_OFF and (expected is None or self._is_past(expected))

    def _cut_for(self) -> timedelta:
        since = self._cut_since
        return timedelta() if since is None else self.server.clock.now() - since

    def _is_past(self, expected: Expected) -> bool:
        given_up = self.server.clock.now() - expected.since > EXPECTED_FOR
        return given_up or self.cache.position >= expected.version

    def _cached(self, namespace: str | None = None) -> Iterator[FakePod]:
        for stored in self.cache.objects().values():
            if (
                isinstance(stored, FakePod)
                and namespace in (None, stored.namespace)
                and stored.instance_id is not None
            ):
                yield stored

    def _raw(self, kind: str) -> dict[Key, Raw]:
        return {
            Key(key.namespace, key.name): stored
            for key, stored in self.resources.objects().items()
            if key.kind == kind and isinstance(stored, dict)
        }

    def _tell(self, news: list[Seen]) -> None:
        """Wake the sets, old and new, of every pod that has changed."""
        keys = {key: None for seen in news for key in _concerned(seen)}
        for key in keys:
            self.wake(key)

    def _tell_budgets(self, news: list[Seen]) -> None:
        """Wake, once, the sets that asked about a namespace in which a budget changed."""
        changed = {seen.key.namespace for seen in news}
        told = {key for key in self._asked if key.namespace in changed}
        self._asked -= told
        for key in told:
            self.wake(key)

    def _tell_resources(self, news: list[Seen]) -> None:
        for seen in news:
            if seen.key.kind == "ScaleSet":
                self.wake(Key(seen.key.namespace, seen.key.name))


def _concerned(seen: Seen) -> Iterator[Key]:
    """The sets that a change of a pod matters to."""
    for pod in (seen.old, seen.new):
        if not isinstance(pod, FakePod):
            continue
        name = pod.labels.get(LABEL_NAME)
        if pod.controller is not None and pod.controller.kind == "ScaleSet":
            yield Key(pod.namespace, pod.controller.name)
        elif pod.controller is None and name is not None:
            yield Key(pod.namespace, name)
