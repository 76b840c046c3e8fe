"""What is known of all pods without asking: slim records by owner, name, node and address.

Three sources feed it: the watch, live reads, and the answers to our own writes. Nothing older ever
overwrites newer: resourceVersions of pods compare as integers. A record that a live read has found
gone leaves a tombstone, so that news still on its way cannot bring it back.
Must not know: HTTP, or what is decided about a pod.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any, Final

from scaleset_operator.adapters.cluster.addressbook import AddressBook
from scaleset_operator.adapters.cluster.pods import Json, PodRecord, label_of, pod_record
from scaleset_operator.api.base import LABEL_NAME
from scaleset_operator.core.observed import Instance
from scaleset_operator.reconciler.ports import Key, Owner, Pods, Wake

log = logging.getLogger(__name__)

_SUBSTANCE: Final = attrgetter(
    *(name for name in Instance.__dataclass_fields__ if name != "resource_version")
)
"""All of an instance but its version: kubelet writes much that changes nothing for us."""

_Index = defaultdict[Any, dict[Key, PodRecord]]


class PodCache:
    """All pods of all sets in view.

    `wake` is called with the set, old and new owner both, when a record changes in more than its
    resourceVersion.
    """

    def __init__(self, wake: Wake) -> None:
        self._wake = wake
        self._records: dict[Key, PodRecord] = {}
        self._by_owner: _Index = defaultdict(dict)
        self._by_name: _Index = defaultdict(dict)
        self._by_node: _Index = defaultdict(dict)
        self._addresses = AddressBook()
        self._views: dict[Key, tuple[object, Pods]] = {}
        self._tombstones: dict[str, tuple[str, int]] = {}
        self._lists = 0
        self._reached: dict[str, int] = {}

    # --- Questions ---------------------------------------------------------------------------

    def view(self, owner: Owner, *, fresh: bool) -> Pods:
        """One set's pods. Adoptable ones match the selector, as everywhere in Kubernetes."""
        wanted = frozenset(owner.match_labels.items())
        known = self._views.get(owner.key)
        if known is None or known[0] != (owner.uid, wanted):
            known = ((owner.uid, wanted), self._view(owner, wanted))
            self._views[owner.key] = known
        pods = known[1]
        return pods if pods.fresh is fresh else replace(pods, fresh=fresh)

    def _view(self, owner: Owner, wanted: frozenset[tuple[str, str]]) -> Pods:
        own = self._by_owner.get(owner.uid, {}).values()
        named = self._by_name.get(owner.key, {}).values()
        return Pods(
            instances=tuple(record.instance for record in own),
            adoptable=tuple(r.instance for r in named if wanted <= r.labels),
            released=tuple(r.instance for r in own if not wanted <= r.labels),
        )

    def known(self, key: Key) -> PodRecord | None:
        """The record of one pod."""
        return self._records.get(key)

    def passed(self, namespace: str) -> int:
        """The resourceVersion that the watch over a namespace is past."""
        return self._reached.get(namespace, self._reached.get("", 0))

    def at(self, address: str) -> tuple[PodRecord, ...]:
        """The pods that have an address; may be asked from any thread."""
        return self._addresses.at(address)

    def live_on(self, node: str) -> tuple[Instance, ...]:
        """Live pods of any set on a node."""
        records = self._by_node.get(node, {}).values()
        return tuple(r.instance for r in records if r.instance.live)

    def sets_on(self, node: str) -> frozenset[Key]:
        """The sets that have pods on a node."""
        return frozenset(record.wakes for record in self._by_node.get(node, {}).values())

    # --- The watch ---------------------------------------------------------------------------

    def put(self, pod: Json) -> None:
        """A pod as the watch or its list shows it."""
        metadata = pod["metadata"]
        if metadata["uid"] not in self._tombstones:
            self._take(pod)

    def drop(self, pod: Json) -> None:
        """A pod that the watch has seen end, or leave the selection."""
        metadata = pod["metadata"]
        self._tombstones.pop(metadata["uid"], None)
        record = self._records.get(Key(metadata["namespace"], metadata["name"]))
        if record is not None and _version(record) <= int(metadata["resourceVersion"]):
            self._remove(record)

    def listing(self) -> int:
        """Marks the start of a list; its end names the mark."""
        self._lists += 1
        return self._lists

    def listed(
        self, names: frozenset[tuple[str, str]], version: int, *, scope: str, mark: int
    ) -> None:
        """A list of one scope has ended: what it does not name was gone at its version.

        Args:
            names: (namespace, name) of all pods on the list.
            version: resourceVersion of the list.
            scope: the namespace listed, empty for all.
            mark: what `listing` gave when the list was begun.
        """
        here = (r for key, r in self._records.items() if scope in ("", key.namespace))
        for record in [r for r in here if r.key not in names and _version(r) <= version]:
            self._remove(record)
        # A pod found gone before the list was begun is not on it: no news can bring it back.
        for uid, (namespace, tick) in list(self._tombstones.items()):
            if tick < mark and scope in ("", namespace):
                del self._tombstones[uid]

    def reached(self, version: int, *, scope: str) -> None:
        """The watch of one scope has told all up to this version."""
        self._reached[scope] = version

    # --- Live answers ------------------------------------------------------------------------

    def feed(self, pod: Json) -> None:
        """A pod as a live read or the answer to a write shows it."""
        metadata = pod["metadata"]
        key = Key(metadata["namespace"], metadata["name"])
        if metadata["uid"] in self._tombstones:
            return
        if key not in self._records and int(metadata["resourceVersion"]) <= self.passed(
            key.namespace
        ):
            return  # The watch has been past this version, and told of the pod's end.
        self._take(pod)

    def feed_absence(self, key: Key, uid: str) -> None:
        """A live answer said that this very pod is gone."""
        record = self._records.get(key)
        if record is not None and record.instance.uid == uid:
            self._bury(record)

    def feed_list(self, owner: Owner, names: Iterable[str], version: int) -> None:
        """A live list of all pods that bear the set's name has ended; as `listed`."""
        on_it = frozenset(names)
        indexes = (self._by_owner.get(owner.uid, {}), self._by_name.get(owner.key, {}))
        for record in [r for index in indexes for r in index.values()]:
            bears_name = label_of(record.labels, LABEL_NAME) == owner.key.name
            if bears_name and record.key.name not in on_it and _version(record) <= version:
                self._bury(record)

    # --- Inside ------------------------------------------------------------------------------

    def _take(self, pod: Json) -> None:
        metadata: Mapping[str, Any] = pod["metadata"]
        key = Key(metadata["namespace"], metadata["name"])
        old = self._records.get(key)
        if old is not None and _version(old) >= int(metadata["resourceVersion"]):
            return
        try:
            new = pod_record(pod)
        except (KeyError, TypeError, ValueError, AttributeError):
            log.exception("%s/%s cannot be read and is left out", *key)
            new = None
        if new is None:
            if old is not None:
                self._remove(old)
            return
        self._store(old, new)

    def _store(self, old: PodRecord | None, new: PodRecord) -> None:
        if old is not None and _place(old) != _place(new):
            self._unindex(old)
        self._records[new.key] = new
        self._addresses.put(old, new)
        self._index(new)
        if old is None:
            self._wake(new.wakes)
        elif not _same(old, new):
            for key in {old.wakes, new.wakes}:
                self._wake(key)

    def _bury(self, record: PodRecord) -> None:
        self._tombstones[record.instance.uid] = (record.key.namespace, self._lists)
        self._remove(record)

    def _remove(self, record: PodRecord) -> None:
        del self._records[record.key]
        self._addresses.put(record, None)
        self._unindex(record)
        self._wake(record.wakes)

    def _index(self, record: PodRecord) -> None:
        self._views.pop(record.wakes, None)
        for index, value in self._indexes(record):
            index[value][record.key] = record

    def _unindex(self, record: PodRecord) -> None:
        self._views.pop(record.wakes, None)
        for index, value in self._indexes(record):
            records = index[value]
            del records[record.key]
            if not records:
                del index[value]

    def _indexes(self, record: PodRecord) -> Iterable[tuple[_Index, Any]]:
        if record.owner is not None:
            yield self._by_owner, record.owner.uid
        else:
            yield self._by_name, record.wakes
        if record.instance.node is not None:
            yield self._by_node, record.instance.node


def _place(record: PodRecord) -> tuple[Any, ...]:
    named = record.wakes if record.owner is None else None
    return record.owner, named, record.instance.node


def _version(record: PodRecord) -> int:
    return int(record.instance.resource_version)


def _same(old: PodRecord, new: PodRecord) -> bool:
    return (
        old.owner == new.owner
        and old.labels == new.labels
        and bool(_SUBSTANCE(old.instance) == _SUBSTANCE(new.instance))
    )
