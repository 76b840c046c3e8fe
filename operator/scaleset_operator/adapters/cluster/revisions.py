"""The history of a set's models as ControllerRevisions, owned by the set and gone with it.

The object is that of StatefulSets and DaemonSets: `revision` is the number, `data` the template.
Must not know: which revisions are worth keeping.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from scaleset_operator.adapters.cluster.bodies import controller_reference
from scaleset_operator.adapters.cluster.connection import MERGE, Call, Connection
from scaleset_operator.adapters.cluster.pacing import Urgency
from scaleset_operator.api.base import FIELD_MANAGER, LABEL_MODEL, LABEL_NAME
from scaleset_operator.core.revisions import Revision
from scaleset_operator.reconciler.ports import Gone, Owner

GROUP: Final = "apps/v1"
KIND: Final = "ControllerRevision"
_BY_US: Final = {"fieldManager": FIELD_MANAGER}


class RevisionStore:
    """The port `Revisions`, on a real API server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def list_revisions(self, owner: Owner) -> tuple[Revision, ...]:
        """See the port."""
        query = {"labelSelector": f"{LABEL_NAME}={owner.key.name}"}
        found = await self._connection.read(Call(method="GET", path=_path(owner), query=query))
        ours = (item for item in found["items"] or () if _is_ours(item, owner))
        return tuple(_revision(item) for item in ours)

    async def write_revision(self, owner: Owner, revision: Revision) -> Revision:
        """See the port."""
        if revision.uid:
            body = {"metadata": {"uid": revision.uid}, "revision": revision.number}
            call = Call(
                method="PATCH",
                path=f"{_path(owner)}/{revision.name}",
                query=_BY_US,
                body=body,
                content_type=MERGE,
            )
        else:
            new = new_revision(owner, revision)
            call = Call(method="POST", path=_path(owner), query=_BY_US, body=new)
        stored = await self._connection.write(call, Urgency.RECORD)
        return replace(revision, uid=str(stored["metadata"]["uid"]))

    async def drop_revision(self, owner: Owner, revision: Revision) -> None:
        """See the port."""
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": revision.uid},
        }
        path = f"{_path(owner)}/{revision.name}"
        try:
            await self._connection.write(
                Call(method="DELETE", path=path, body=options), Urgency.RECORD
            )
        except Gone:
            return


def new_revision(owner: Owner, revision: Revision) -> dict[str, Any]:
    """The object that keeps the owner's present template."""
    return {
        "apiVersion": GROUP,
        "kind": KIND,
        "metadata": {
            "name": revision.name,
            "namespace": owner.key.namespace,
            "labels": {LABEL_NAME: owner.key.name, LABEL_MODEL: revision.model},
            "ownerReferences": [controller_reference(owner)],
        },
        "data": dict(owner.template),
        "revision": revision.number,
    }


def _path(owner: Owner) -> str:
    return f"/apis/{GROUP}/namespaces/{owner.key.namespace}/controllerrevisions"


def _is_ours(item: Mapping[str, Any], owner: Owner) -> bool:
    references = item["metadata"].get("ownerReferences") or ()
    return any(r.get("controller") and r["uid"] == owner.uid for r in references)


def _revision(item: Mapping[str, Any]) -> Revision:
    meta = item["metadata"]
    return Revision(
        name=meta["name"],
        model=meta["labels"].get(LABEL_MODEL, ""),
        number=int(item["revision"]),
        uid=meta["uid"],
        template=item.get("data"),
    )
