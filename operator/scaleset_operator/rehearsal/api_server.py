"""A deterministic API server in memory: what the operator's safety rests on, and nothing more.

One increasing resourceVersion for all kinds, a UID for each object, preconditions, graceful
deletion, and a bounded history that clients follow at their own pace; the operator's view goes
through `cluster`. It must not know why anything is written.
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count
from typing import Any, Final

from scaleset_operator.api import base
from scaleset_operator.api.base import format_time
from scaleset_operator.rehearsal.clock import VirtualClock
from scaleset_operator.rehearsal.errors import (
    CONFLICT,
    EXISTS,
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    ServerError,
    check_preconditions,
)
from scaleset_operator.rehearsal.manifests import pod_manifest
from scaleset_operator.rehearsal.objects import FakeNode, FakePod, ObjectKey, whole_second
from scaleset_operator.rehearsal.resources import (
    Raw,
    checked_status,
    merged,
    new_resource,
    with_annotations,
    with_spec,
)

HISTORY: Final = 5_000
"""Changes a server remembers; a watcher further behind lists anew."""

NOBODY: Final = ObjectKey("", "", "")

Stored = FakePod | FakeNode | Raw


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One event of the watch; `stored` is the object after it, or the last there was."""

    version: int
    at: datetime
    verb: str
    key: ObjectKey
    stored: Stored

    def manifest(self) -> Raw:
        """The object as the wire would show it; what the auditor is fed with."""
        if isinstance(self.stored, FakePod):
            return pod_manifest(self.stored)
        if isinstance(self.stored, FakeNode):
            labels = dict(self.stored.labels)
            return {"kind": "Node", "metadata": {"name": self.stored.name, "labels": labels}}
        return self.stored


Listener = Callable[[Change], None]


class FakeApiServer:
    """The server: every method is one request, carried out at once or refused by ServerError.

    Attributes:
        version: the latest resourceVersion given out.
        history: the latest changes, oldest first.
        quota: namespace -> how many pods it may hold; no entry is no limit.
        writes: how many changes each kind has seen.
    """

    def __init__(self, clock: VirtualClock, *, history: int = HISTORY) -> None:
        self.clock = clock
        self.version = 1_000
        self.history: deque[Change] = deque(maxlen=history)
        self.quota: dict[str, int] = {}
        self.writes: dict[str, int] = {}
        self._objects: dict[ObjectKey, Stored] = {}
        self._keys: dict[str, ObjectKey] = {}
        self._others: dict[ObjectKey, Raw] = {}
        self._uids = count(1)
        self._had: set[str] = set()
        self._listeners: list[Listener] = []
        self._telling = False

    def subscribe(self, listener: Listener) -> None:
        """Call `listener` with every change from now on, in order; it must not write itself."""
        self._listeners.append(listener)

    def oldest(self) -> int:
        """The first version from which a watch can go on without a gap."""
        return self.history[0].version if self.history else self.version + 1

    def objects(self) -> Mapping[ObjectKey, Stored]:
        """Everything there is; for listing clients."""
        return self._objects

    # Pods and nodes.

    def pods(self, namespace: str | None = None) -> tuple[FakePod, ...]:
        """All pods, or those of a namespace, in the order of their creation."""
        return tuple(
            pod
            for pod in self._objects.values()
            if isinstance(pod, FakePod) and namespace in (None, pod.namespace)
        )

    def pod(self, namespace: str, name: str) -> FakePod:
        """One pod; ServerError 404."""
        pod = self._objects.get(ObjectKey("Pod", namespace, name))
        if not isinstance(pod, FakePod):
            raise ServerError(NOT_FOUND, f'pods "{name}" not found')
        return pod

    def find(self, uid: str) -> FakePod | None:
        """The pod of this UID, or None."""
        stored = self._objects.get(self._keys.get(uid, NOBODY))
        return stored if isinstance(stored, FakePod) else None

    def create_pod(self, pod: FakePod) -> FakePod:
        """Create a pod as given; ServerError EXISTS, 422, or 403."""
        self.admit(pod)
        if pod.key in self._objects:
            raise ServerError(EXISTS, f'pods "{pod.name}" already exists')
        created = replace(pod, uid=self._uid(), created=whole_second(self.clock.now()))
        return self._store("ADDED", created)

    def admit(self, pod: FakePod) -> None:
        """What a dry run of a create says: nothing, or ServerError 422 or 403."""
        containers = pod.spec.get("containers", ())
        if not containers or not all("name" in row and "image" in row for row in containers):
            raise ServerError(INVALID, f"{pod.name}: spec.containers: Required value")
        limit = self.quota.get(pod.namespace)
        if limit is not None and len(self.pods(pod.namespace)) >= limit:
            raise ServerError(FORBIDDEN, f"{pod.name}: exceeded quota: limited to {limit} pods")

    def change_pod(
        self, pod: FakePod, *, uid: str | None = None, version: str | None = None, **fields: Any
    ) -> FakePod:
        """Write fields of the pod that now has this name; ServerError 404, 409 on preconditions."""
        current = self.pod(pod.namespace, pod.name)
        check_preconditions((current.uid, current.resource_version), uid, version)
        changed = replace(current, **fields)
        if not all(row["image"] for row in changed.spec.get("containers", ())):
            raise ServerError(INVALID, f"{pod.name}: spec.containers[].image: Required value")
        return current if changed == current else self._store("MODIFIED", changed)

    def restore_pod(self, pod: FakePod) -> FakePod:
        """Put a pod there as it stood, its UID and times included."""
        return self._store("ADDED", pod)

    def delete_pod(
        self, namespace: str, name: str, *, uid: str | None = None, version: str | None = None
    ) -> FakePod:
        """Accept a deletion: gone at once if over or on no node, else once its kubelet is done."""
        current = self.pod(namespace, name)
        check_preconditions((current.uid, current.resource_version), uid, version)
        if current.over or current.node is None:
            self.remove_pod(current)
            return current
        if current.terminating:
            return current
        return self._store("MODIFIED", replace(current, deleted_at=self.clock.now()))

    def remove_pod(self, pod: FakePod) -> None:
        """Take the object away: kubelet's last word, or a forced deletion."""
        current = self.pod(pod.namespace, pod.name)
        check_preconditions((current.uid, current.resource_version), pod.uid)
        del self._objects[pod.key], self._keys[pod.uid]
        self._commit("DELETED", pod.key, replace(current, resource_version=self._next()))

    def set_node(self, name: str, **fields: Any) -> FakeNode:
        """Make a node, or change what is said of it."""
        known = self._objects.get(ObjectKey("Node", "", name))
        verb = "ADDED" if known is None else "MODIFIED"
        before = known if isinstance(known, FakeNode) else FakeNode(name=name)
        node = replace(before, **fields, resource_version=self._next())
        self._objects[node.key] = node
        self._commit(verb, node.key, node)
        return node

    def nodes(self) -> tuple[FakeNode, ...]:
        """All nodes."""
        return tuple(node for node in self._objects.values() if isinstance(node, FakeNode))

    # ScaleSets and HealthProbes.

    def resource(self, kind: str, namespace: str, name: str) -> Raw:
        """One custom resource, raw; ServerError 404. The caller does not change it."""
        stored = self._objects.get(ObjectKey(kind, namespace, name))
        if not isinstance(stored, dict):
            raise ServerError(NOT_FOUND, f'{kind} "{name}" not found')
        return stored

    def apply(self, kind: str, namespace: str, name: str, spec: Mapping[str, Any]) -> Raw:
        """Create a custom resource, or give it this spec."""
        key = ObjectKey(kind, namespace, name)
        stored = self._objects.get(key)
        if not isinstance(stored, dict):
            made = format_time(whole_second(self.clock.now()))
            return self._store_raw("ADDED", key, new_resource(key, self._uid(), spec, made))
        return self._store_raw("MODIFIED", key, with_spec(stored, spec))

    def restore(self, kind: str, body: Mapping[str, Any]) -> Raw:
        """Put a custom resource there as it stood; where there is one, its status stays."""
        key = ObjectKey(kind, body["metadata"]["namespace"], body["metadata"]["name"])
        known = self._objects.get(key)
        if isinstance(known, dict):
            return self._store_raw("MODIFIED", key, {**known, **body, "status": known["status"]})
        return self._store_raw("ADDED", key, {"status": {}, **body, "kind": kind})

    def annotate(self, kind: str, namespace: str, name: str, **texts: str | None) -> Raw:
        """Set annotations under our prefix, `_` standing for `-`; None takes one away."""
        resource = self.resource(kind, namespace, name)
        full = {f"{base.GROUP}/{key.replace('_', '-')}": text for key, text in texts.items()}
        key = ObjectKey(kind, namespace, name)
        return self._store_raw("MODIFIED", key, with_annotations(resource, full))

    def apply_status(
        self,
        namespace: str,
        name: str,
        version: str,
        status: Mapping[str, Any],
        *,
        kind: str = "ScaleSet",
    ) -> Raw:
        """The operator's apply of the whole status; ServerError 404, 409 when `version` is old."""
        resource = self.resource(kind, namespace, name)
        if version != resource["metadata"]["resourceVersion"]:
            raise ServerError(CONFLICT, f"the object has been modified since {version}")
        key = ObjectKey(kind, namespace, name)
        checked = checked_status(status) if kind == "ScaleSet" else dict(status)
        now = merged(self._others.get(key, {}), checked)
        return self._store_raw("MODIFIED", key, {**resource, "status": now})

    def edit_status(self, namespace: str, name: str, fields: Mapping[str, Any]) -> Raw:
        """Another writer's change of the status; its fields stay unless the operator owns them."""
        key = ObjectKey("ScaleSet", namespace, name)
        resource = self.resource("ScaleSet", namespace, name)
        self._others[key] = merged(self._others.get(key, {}), fields)
        return self._store_raw(
            "MODIFIED", key, {**resource, "status": merged(resource["status"], fields)}
        )

    def delete_resource(self, kind: str, namespace: str, name: str) -> None:
        """Take a custom resource away; its pods are the garbage collector's (`fake_kubelet`)."""
        key = ObjectKey(kind, namespace, name)
        resource = self.resource(kind, namespace, name)
        del self._objects[key]
        self._others.pop(key, None)
        version = {"resourceVersion": str(self._next())}
        self._commit("DELETED", key, {**resource, "metadata": {**resource["metadata"], **version}})

    # Inside.

    def _uid(self) -> str:
        """One that nothing has or had, what was restored included."""
        every = (f"00000000-0000-4000-8000-{number:012d}" for number in self._uids)
        return next(uid for uid in every if uid not in self._had)

    def _next(self) -> int:
        self.version += 1
        return self.version

    def _store(self, verb: str, pod: FakePod) -> FakePod:
        stored = replace(pod, resource_version=self._next())
        self._objects[stored.key] = stored
        self._keys[stored.uid] = stored.key
        self._had.add(stored.uid)
        self._commit(verb, stored.key, stored)
        return stored

    def _store_raw(self, verb: str, key: ObjectKey, resource: Raw) -> Raw:
        if self._objects.get(key) == resource:
            return resource
        version = {"resourceVersion": str(self._next())}
        stored = {**resource, "metadata": {**resource["metadata"], **version}}
        self._objects[key] = stored
        self._commit(verb, key, stored)
        return stored

    def _commit(self, verb: str, key: ObjectKey, stored: Stored) -> None:
        assert not self._telling, "a listener writes: it must set a timer for that"
        change = Change(
            version=self.version, at=self.clock.now(), verb=verb, key=key, stored=stored
        )
        self.history.append(change)
        self.writes[key.kind] = self.writes.get(key.kind, 0) + 1
        self._telling = True
        for listener in self._listeners:
            listener(change)
        self._telling = False
