"""One API server by paths, for short calls: what the kubectl plugin asks and writes.

Must not know: which kinds there are, or what is asked for.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from scaleset_operator.adapters.cluster.connection import EDIT, MERGE, Call, Connection
from scaleset_operator.adapters.cluster.credentials import Credentials, UnusableKubeconfigError
from scaleset_operator.adapters.cluster.errors import Expired, failure_of
from scaleset_operator.adapters.cluster.podcache import PodCache
from scaleset_operator.adapters.cluster.policies import policy_of
from scaleset_operator.adapters.cluster.reflector import pages
from scaleset_operator.core.policies import Policy
from scaleset_operator.reconciler.ports import Owner, Pods, Unavailable

WATCH_S: Final = 300
_MANAGER: Final = {"fieldManager": "kubectl-scaleset"}
"""A person's fields are not the operator's, whatever our User-Agent says."""

Json = dict[str, Any]


class PathClient:
    """Reads, writes and watches by path."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self._connection = connection
        self.namespace = namespace

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._connection.server

    async def get(self, path: str) -> Json:
        """One object; raises as `Connection.request`."""
        return await self._connection.read(Call(method="GET", path=path))

    async def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        """All objects of a collection, page by page; raises as `Connection.request`."""
        found: list[Json] = []
        try:
            async for page in pages(self._connection, path, query or {}):
                found += page.get("items") or ()
        except Expired as fault:
            raise Unavailable(str(fault)) from fault
        return found

    async def create(self, path: str, body: Mapping[str, Any]) -> Json:
        """POST an object; raises as `Connection.request`."""
        return await self._connection.request(
            Call(method="POST", path=path, query=_MANAGER, body=body)
        )

    async def merge(self, path: str, body: Mapping[str, Any]) -> Json:
        """Merge into an object; raises as `Connection.request`."""
        return await self._connection.request(
            Call(method="PATCH", path=path, query=_MANAGER, body=body, content_type=MERGE)
        )

    async def edit(self, path: str, operations: Sequence[Mapping[str, Any]]) -> Json:
        """Carry out a JSON patch; raises as `Connection.request`."""
        return await self._connection.request(
            Call(method="PATCH", path=path, query=_MANAGER, body=operations, content_type=EDIT)
        )

    async def date(self) -> datetime | None:
        """The Date header of an answer; None where it cannot be read."""
        text = await self._connection.date()
        try:
            return parsedate_to_datetime(text)
        except ValueError:
            return None

    def sort_pods(self, owner: Owner, pods: Sequence[Json]) -> Pods:
        """See `sorted_pods`."""
        return sorted_pods(owner, pods)

    def read_policy(self, policy: Json) -> Policy | None:
        """See `policy_of`."""
        return policy_of(policy)

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Json]:
        """Objects each time they change, first as they are; ends when the server ends it."""
        asked: dict[str, str | int] = {**query, "watch": "true", "timeoutSeconds": WATCH_S}
        rest = b""
        async with self._connection.stream(path, asked) as chunks:
            async for chunk in chunks:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    yield _watched(line)


def sorted_pods(owner: Owner, pods: Sequence[Json]) -> Pods:
    """Which of these pods are the set's, as the operator's own cache tells them apart."""
    cache = PodCache(lambda _: None)
    for pod in pods:
        cache.put(pod)
    return cache.view(owner, fresh=True)


def _watched(line: bytes) -> Json:
    event = orjson.loads(line)
    found: Json = event["object"]
    if event["type"] == "ERROR":
        fault = failure_of(found, int(found.get("code") or 500))
        raise Unavailable(str(fault)) if isinstance(fault, Expired) else fault
    if event["type"] == "DELETED":
        found["metadata"].setdefault("deletionTimestamp", "now")
    return found


@asynccontextmanager
async def path_client(
    kubeconfig: str | None = None, context: str | None = None, user: str | None = None
) -> AsyncIterator[PathClient]:
    """A client for the length of one command; no request is made yet.

    Args:
        kubeconfig: path of the file; None looks where kubectl does.
        context: name of the context in it; None for the current one.
        user: whom to impersonate.

    Raises:
        Unavailable: no kubeconfig, no such context, or one that cannot be used.
    """
    try:
        credentials = await Credentials.load(kubeconfig, context)
    except UnusableKubeconfigError as fault:
        raise Unavailable(str(fault)) from fault
    connection = Connection(credentials, impersonate=user)
    try:
        yield PathClient(connection, credentials.namespace or "default")
    finally:
        await connection.close()
