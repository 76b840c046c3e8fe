"""Reads and writes as the commands make them: by kind and name, with errors that help a person.

A refusal names verb, resource and namespace, as `kubectl auth can-i` asks for them.
Must not know: which command asks.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from scaleset_operator.api.base import LABEL_NAME, Reason
from scaleset_operator.cli.failures import Failure, Forbidden, NotThere, Overtaken
from scaleset_operator.cli.kinds import PODS, SCALE_SETS, Kind
from scaleset_operator.cli.ports import Client, Json
from scaleset_operator.core.policies import Policy
from scaleset_operator.reconciler.ports import (
    Conflict,
    Gone,
    Owner,
    Pods,
    Refused,
    Unavailable,
)


class Access:
    """One cluster, for one command."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def namespace(self) -> str:
        """The namespace that the context names."""
        return self._client.namespace

    async def get(self, kind: Kind, namespace: str | None, name: str) -> Json:
        """One object.

        Raises:
            NotThere: there is none of that name.
            Forbidden: it may not be read.
            Failure: the cluster cannot be asked.
        """
        with self._told("get", kind, namespace, name):
            try:
                return await self._client.get(kind.path(namespace, name))
            except Gone:
                if kind is PODS and namespace and await self._is_set(namespace, name):
                    line = (
                        f"no Pod {name} in namespace {namespace}: {name} is a ScaleSet; an"
                        f" instance of it is meant, such as {name}-1"
                    )
                    raise NotThere(line) from None
                raise

    async def _is_set(self, namespace: str, name: str) -> bool:
        try:
            await self._client.get(SCALE_SETS.path(namespace, name))
        except (Gone, Refused, Unavailable):
            return False
        return True

    async def items(
        self, kind: Kind, namespace: str | None, *, labels: str = "", fields: str = ""
    ) -> list[Json]:
        """All objects of a kind in a namespace (None: in all) that the selectors match."""
        query = {"labelSelector": labels, "fieldSelector": fields}
        with self._told("list", kind, namespace):
            path = kind.path(namespace)
            return await self._client.items(path, {k: v for k, v in query.items() if v})

    async def create(self, kind: Kind, namespace: str | None, body: Mapping[str, Any]) -> Json:
        """Create an object, and give it as the API server answered."""
        with self._told("create", kind, namespace):
            return await self._client.create(kind.path(namespace), body)

    async def merge(
        self, kind: Kind, namespace: str | None, name: str, body: Mapping[str, Any]
    ) -> Json:
        """Merge into an object, and give it as it is then."""
        with self._told("patch", kind, namespace, name):
            return await self._client.merge(kind.path(namespace, name), body)

    async def edit(
        self, kind: Kind, where: tuple[str, str], operations: Sequence[Mapping[str, Any]]
    ) -> Json:
        """Carry out the operations of a JSON patch on (namespace, name); gives what it is then."""
        with self._told("patch", kind, *where):
            return await self._client.edit(kind.path(*where), operations)

    async def served(self, group: str, version: str) -> set[str]:
        """Plurals that the API server serves in a group; none where it does not know the group."""
        with self._told("get", Kind(group, version, "resources", "API"), None, version):
            try:
                found = await self._client.get(f"/apis/{group}/{version}")
            except Gone:
                return set()
        return {str(resource["name"]) for resource in found.get("resources") or ()}

    async def date(self) -> datetime | None:
        """What time it is by the API server, in whole seconds; None where it does not say."""
        with self._told("get", Kind("", "v1", "version", "API"), None, "version"):
            return await self._client.date()

    async def watch(self, kind: Kind, namespace: str, name: str) -> AsyncIterator[Json]:
        """One object each time it changes, first as it is; ends when the server ends the watch."""
        query = {"fieldSelector": f"metadata.name={name}"}
        with self._told("watch", kind, namespace, name):
            async for found in self._client.watch(kind.path(namespace), query):
                yield found

    def sort_pods(self, owner: Owner, pods: Sequence[Json]) -> Pods:
        """Which of these pods are the set's."""
        return self._client.sort_pods(owner, pods)

    def read_policy(self, policy: Json) -> Policy | None:
        """A NetworkPolicy as the operator reads it; None for one about what goes out."""
        return self._client.read_policy(policy)

    async def scale_set(self, namespace: str, name: str) -> Json:
        """One ScaleSet, as the API server holds it; raises as `get`, naming those there are."""
        try:
            return await self.get(SCALE_SETS, namespace, name)
        except NotThere as fault:
            raise NotThere(await self._with_names(str(fault), namespace)) from None

    async def instance(self, namespace: str, name: str) -> Json:
        """The pod of one instance, as the API server holds it.

        Raises:
            NotThere: there is no such pod.
            Failure: the pod is no instance of a ScaleSet.
        """
        pod = await self.get(PODS, namespace, name)
        if LABEL_NAME not in (pod["metadata"].get("labels") or {}):
            line = f"pod {name} in namespace {namespace} is no instance: it lacks {LABEL_NAME}"
            raise Failure(line)
        return pod

    async def _with_names(self, line: str, namespace: str) -> str:
        try:
            found = await self.items(SCALE_SETS, namespace)
        except Failure:
            return line
        names = ", ".join(sorted(item["metadata"]["name"] for item in found)[:10])
        return f"{line}; there are: {names}" if names else f"{line}; there are none"

    @contextmanager
    def _told(
        self, verb: str, kind: Kind, namespace: str | None, name: str | None = None
    ) -> Iterator[None]:
        where = f" in namespace {namespace}" if namespace else ""
        try:
            yield
        except Gone as fault:
            raise NotThere(_missing(kind, namespace, name)) from fault
        except Conflict as fault:
            line = f"{kind.word} {name} was changed by somebody else meanwhile: run it again"
            raise Overtaken(line) from fault
        except Refused as fault:
            if fault.reason is Reason.CREATE_FORBIDDEN:
                right = f"{verb} {kind.resource}{where or ' in all namespaces'}"
                line = f"you may not {right}: {fault.message}"
                raise Forbidden(line) from fault
            line = f"the API server refuses to {verb} {kind.resource}{where}: {fault.message}"
            raise Failure(line) from fault
        except Unavailable as fault:
            line = f"the cluster at {self._client.server} cannot be asked: {fault}"
            raise Failure(line) from fault


def _missing(kind: Kind, namespace: str | None, name: str | None) -> str:
    if name is None:
        return f"this cluster does not know {kind.resource}: apply the definitions in crds/ first"
    return (
        f"no {kind.word} {name} in namespace {namespace}" if namespace else f"no {kind.word} {name}"
    )
