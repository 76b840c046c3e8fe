"""Which custom resources there are: asked now and then, for a watch may miss a deletion.

kopf reports none of what vanished while it was not watching. Only names are asked for.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from scaleset_operator.adapters.cluster.connection import Call, Connection
from scaleset_operator.api.base import GROUP, VERSION
from scaleset_operator.reconciler.ports import Gone, Key, Refused, Unavailable

COUNT_EVERY_S: Final = 600.0
COUNT_AGAIN_S: Final = 1.0
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


@dataclass(slots=True, kw_only=True)
class Census:
    """Drops what is there no more and was not heard to go.

    Attributes:
        kinds: those that are counted, plural.
        namespaces: the ones in view; none for all.
        known: what of a kind is known.
        unreadable: what was heard of and could not be read, of any kind.
        gone: told of each that is not there.
        whole: told when everything that there is has been heard of.
        again: set, it counts at once.
    """

    connection: Connection
    kinds: Iterable[str]
    namespaces: tuple[str, ...]
    known: Callable[[str], tuple[Key, ...]]
    unreadable: Callable[[], tuple[Key, ...]]
    gone: Callable[[str, Key], None]
    whole: Callable[[], None]
    again: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Count now, after each new watch, and now and then, until cancelled."""
        pause = COUNT_AGAIN_S
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self.again.wait()
            self.again.clear()
            if await self.count():
                pause = COUNT_EVERY_S
                self.whole()

    async def count(self) -> bool:
        """Count once; gives whether everything that there is has been heard of."""
        heard = True
        for kind in self.kinds:
            before = self.known(kind)  # Before the question: what comes meanwhile stays.
            try:
                there = await present(self.connection, kind, self.namespaces)
            except (Unavailable, Refused, Gone):
                heard = False
                continue
            heard &= there <= {*self.known(kind), *self.unreadable()}
            for key in set(before) - there:
                self.gone(kind, key)
        return heard
