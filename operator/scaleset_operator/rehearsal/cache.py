"""A client's cache: it follows the fake server's history some time behind, and may lose it.

The same rules as a real list and watch: nothing older overwrites newer, a gap in the history ends
in a list whose differences are applied, deletes missed included.
It must not know what the objects mean.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from scaleset_operator.rehearsal.api_server import Change, FakeApiServer, Stored
from scaleset_operator.rehearsal.objects import ObjectKey


class Seen(NamedTuple):
    """One difference that the cache has taken in; None stands for not there."""

    key: ObjectKey
    old: Stored | None
    new: Stored | None


def version_of(stored: Stored) -> int:
    """The object's resourceVersion as the number it is in the fake."""
    if isinstance(stored, dict):
        return int(stored["metadata"]["resourceVersion"])
    return stored.resource_version


class LaggingCache:
    """One list and watch over some kinds.

    Attributes:
        lag: how long after its commit a change arrives; may be set at any time.
        connected: whether the watch stands; while it does not, nothing arrives.
        position: the version up to which the watch has delivered.
    """

    def __init__(self, server: FakeApiServer, kinds: Collection[str], lag: timedelta) -> None:
        self.server = server
        self.lag = lag
        self.connected = True
        self.position = 0
        self._kinds = frozenset(kinds)
        self._objects: dict[ObjectKey, Stored] = {}
        self._tombstones: dict[ObjectKey, int] = {}
        self.relist()

    def objects(self) -> Mapping[ObjectKey, Stored]:
        """What the cache holds now."""
        return self._objects

    def disconnect(self) -> None:
        """Cut the watch: the server is out of reach for it."""
        self.connected = False

    def relist(self) -> list[Seen]:
        """List live, as after a 410, and apply the differences; the watch goes on from there."""
        self.connected = True
        self.position = self.server.version
        live = {key: obj for key, obj in self.server.objects().items() if key.kind in self._kinds}
        gone = self._objects.keys() - live.keys()
        seen = [self._put(key, obj) for key, obj in live.items()]
        seen += [Seen(key, self._objects.pop(key), None) for key in sorted(gone)]
        self._tombstones.clear()
        return [one for one in seen if one is not None]

    def sync(self) -> list[Seen]:
        """Take in what has arrived by now; a lost piece of the history means a list."""
        if not self.connected:
            return []
        if self.position + 1 < self.server.oldest():
            return self.relist() if self.server.version > self.position else []
        arrived = self.server.clock.now() - self.lag
        seen: list[Seen | None] = []
        for change in self._pending():
            if change.at > arrived:
                break
            self.position = change.version
            if change.key.kind not in self._kinds:
                continue
            if change.verb == "DELETED":
                seen.append(self._remove(change.key, change.version))
            else:
                seen.append(self._put(change.key, change.stored))
        return [one for one in seen if one is not None]

    def next_arrival(self) -> datetime | None:
        """When the next change arrives; None when nothing is on its way."""
        if not self.connected:
            return None
        first = next(iter(self._pending()), None)
        return None if first is None else first.at + self.lag

    def feed(self, stored: Stored, key: ObjectKey) -> Seen | None:
        """Take in an object that was read live."""
        return self._put(key, stored)

    def feed_absence(self, key: ObjectKey) -> Seen | None:
        """Take in that a live read found nothing; older news of it are void."""
        seen = self._remove(key, self.server.version)
        self._tombstones[key] = self.server.version
        return seen

    def _pending(self) -> Iterator[Change]:
        # The history is short behind the position: walk back from its end to find the start.
        newer: list[Change] = []
        for change in reversed(self.server.history):
            if change.version <= self.position:
                break
            newer.append(change)
        return reversed(newer)

    def _put(self, key: ObjectKey, stored: Stored) -> Seen | None:
        old = self._objects.get(key)
        version = version_of(stored)
        if old is not None and version_of(old) >= version:
            return None
        if self._tombstones.get(key, -1) >= version:
            return None
        self._objects[key] = stored
        return Seen(key, old, stored)

    def _remove(self, key: ObjectKey, version: int) -> Seen | None:
        old = self._objects.get(key)
        if old is None or version_of(old) > version:
            return None
        del self._objects[key]
        return Seen(key, old, None)
