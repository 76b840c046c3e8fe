"""Which custom resources there are: asked now and then, for a watch may miss a deletion.

kopf reports none of what vanished while it was not watching. Only names are asked for.
"""

from typing import Final

from scaleset_operator.adapters.cluster.connection import Call, Connection
from scaleset_operator.api.base import GROUP, VERSION
from scaleset_operator.reconciler.ports import Key

PAGE: Final = 500
_NAMES_ONLY: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


async def present(
    connection: Connection, kind: str, namespaces: tuple[str, ...] = ()
) -> frozenset[Key]:
    """Keys of all objects of a kind (plural), in these namespaces or in all.

    Raises:
        Unavailable, Refused, Gone: nothing is known then.
    """
    found: set[Key] = set()
    for scope in namespaces or ("",):
        where = f"namespaces/{scope}/" if scope else ""
        path = f"/apis/{GROUP}/{VERSION}/{where}{kind}"
        more = ""
        while True:
            query: dict[str, str | int] = {"limit": PAGE}
            if more:
                query["continue"] = more
            page = await connection.read(
                Call(method="GET", path=path, query=query, accept=_NAMES_ONLY)
            )
            for item in page.get("items") or ():
                meta = item["metadata"]
                found.add(Key(meta.get("namespace", ""), meta["name"]))
            more = (page.get("metadata") or {}).get("continue") or ""
            if not more:
                break
    return frozenset(found)
