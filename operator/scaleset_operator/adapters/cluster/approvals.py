"""What a person may do for an instance, done for one that asks: an annotation on the pod it means.

Only what was read live a moment ago is gone by. Must not know: which annotation, what follows from
it, or how anybody asked.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from scaleset_operator.adapters.cluster.calls import pod_patch
from scaleset_operator.adapters.cluster.connection import Call, Connection
from scaleset_operator.adapters.cluster.pacing import Urgency
from scaleset_operator.adapters.cluster.pods import PodRecord, pod_record
from scaleset_operator.adapters.cluster.view import ClusterView, pods_path
from scaleset_operator.reconciler.ports import Conflict, Gone, Key, Owner, Unavailable

TRIES: Final = 5
"""Reads before giving up on a pod that others write all the time."""
_OVER: Final = frozenset({"Failed", "Succeeded"})


class Claimant(NamedTuple):
    """A live pod that has an address, of a set or not."""

    pod: Key
    uid: str


class Marked(StrEnum):
    """What an approval came to."""

    WRITTEN = "Written"
    STOOD = "Stood"
    OVER = "Over"


class ApprovalWriter:
    """Reads and writes on the loop of its connection."""

    def __init__(
        self, connection: Connection, view: ClusterView, namespaces: tuple[str, ...] = ()
    ) -> None:
        """Prepares it.

        Args:
            connection: to the API server; nothing goes out on it while another replica leads.
            view: takes in what is written.
            namespaces: the ones in view; none for all.
        """
        self._connection = connection
        self._view = view
        self._scopes = namespaces or ("",)

    async def claimants(self, address: str) -> list[Claimant]:
        """The live pods in view whose first address this is; raises as `Connection.read`.

        One on its node's network claims the address as well, and so does one of no set.
        """
        found: list[Claimant] = []
        for scope in self._scopes:
            query = {"fieldSelector": f"status.podIP={address}"}
            call = Call(method="GET", path=pods_path(scope), query=query)
            found += _live((await self._connection.read(call)).get("items") or ())
        return found

    async def mark(self, owner: Owner, pod: tuple[str, str], mark: tuple[str, str]) -> Marked:
        """Write an annotation on exactly this pod, as long as it is a live one of the set.

        Args:
            owner: the set.
            pod: its name and UID.
            mark: the annotation and its value.

        Raises:
            As `Connection.write`, but for Conflict and Gone.
        """
        name, uid = pod
        path = f"{pods_path(owner.key.namespace)}/{name}"
        for _ in range(TRIES):
            try:
                found = await self._connection.read(Call(method="GET", path=path))
                record = pod_record(found)
                if record is None or not _is_meant(record, owner, uid):
                    return Marked.OVER
                if (found["metadata"].get("annotations") or {}).get(mark[0]) == mark[1]:
                    return Marked.STOOD
                await self._write(owner, record, mark)
            except Conflict:
                continue
            except Gone:
                return Marked.OVER
            return Marked.WRITTEN
        message = f"{name} is written by others all the time: tried {TRIES} times"
        raise Unavailable(message)

    async def _write(self, owner: Owner, record: PodRecord, mark: tuple[str, str]) -> None:
        seen = record.instance
        meant = {"uid": seen.uid, "resourceVersion": seen.resource_version}
        body = {"metadata": {**meant, "annotations": {mark[0]: mark[1]}}}
        call = pod_patch(owner, seen.name, body)
        self._view.wrote(owner, await self._connection.write(call, Urgency.PUBLISH))


def _is_meant(record: PodRecord, owner: Owner, uid: str) -> bool:
    ours = record.owner is not None and record.owner.uid == owner.uid
    return ours and record.instance.uid == uid and record.instance.live


def _live(pods: Iterable[Mapping[str, Any]]) -> Iterator[Claimant]:
    for pod in pods:
        metadata = pod["metadata"]
        over = (pod.get("status") or {}).get("phase") in _OVER
        if not over and metadata.get("deletionTimestamp") is None:
            yield Claimant(Key(metadata["namespace"], metadata["name"]), metadata["uid"])
