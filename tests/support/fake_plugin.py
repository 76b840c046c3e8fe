"""The plugin's world without a cluster: objects by path, rights, and a clock that stands.

It must not know any command.
"""

import copy
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from typer.testing import CliRunner, Result

from scaleset_operator.adapters.cluster.client import sorted_pods
from scaleset_operator.adapters.cluster.policies import policy_of
from scaleset_operator.api.base import Reason
from scaleset_operator.cli import app
from scaleset_operator.cli.kinds import Kind
from scaleset_operator.cli.ports import Json, Target
from scaleset_operator.core.attempts import Attempted
from scaleset_operator.core.observed import Outcome
from scaleset_operator.core.policies import Policy
from scaleset_operator.reconciler.ports import (
    Conflict,
    Gone,
    Owner,
    Pods,
    ProbeTarget,
    Refused,
    Unavailable,
)
from tests.support.fake_clock import T0


@dataclass
class FakeEntrance:
    """An API server of few words; it is its own client.

    Attributes:
        forbidden: resources, such as `pods`, that may be neither read nor written.
        away: what connecting says; None while the cluster is there.
        targets: how it was connected to, one for each command.
        writes: what was written: (verb, path, body).
        changes: what a watch will show, in order; after them the test's clock goes on.
        ends: how an attempt on a target ends.
        allowed: what an access review with this spec is answered.
        said: the Date of an answer.
        meanwhile: called before each write, as somebody else who is quicker.
        asleep: called whenever a command has let time pass.
    """

    at: datetime = T0
    namespace: str = "default"
    server: str = "https://cluster.test:6443"
    forbidden: set[str] = field(default_factory=set)
    away: str | None = None
    targets: list[Target] = field(default_factory=list)
    writes: list[tuple[str, str, Any]] = field(default_factory=list)
    changes: list[Json] = field(default_factory=list)
    ends: Callable[[ProbeTarget], Attempted] = lambda _: Attempted(outcome=Outcome.OK)
    allowed: Callable[[Json], bool] = lambda _: True
    said: datetime | None = T0
    meanwhile: Callable[[], None] = lambda: None
    asleep: Callable[["FakeEntrance"], None] = lambda _: None
    _versions: int = 0
    _objects: dict[str, Json] = field(default_factory=dict)
    _answers: dict[str, Json] = field(default_factory=dict)
    _kinds: dict[str, Kind] = field(default_factory=dict)

    def add(self, kind: Kind, body: Mapping[str, Any]) -> None:
        """Put an object there; one without a namespace lives outside of them."""
        meta = body["metadata"]
        path = kind.path(meta.get("namespace"), meta["name"])
        self._kinds[path] = kind
        self._store(path, dict(body))

    def remove(self, kind: Kind, namespace: str, name: str) -> None:
        """Take an object away."""
        del self._objects[kind.path(namespace, name)]

    def now(self) -> datetime:
        """See the port."""
        return self.at

    @asynccontextmanager
    async def connect(self, target: Target) -> AsyncIterator["FakeEntrance"]:
        """See the port."""
        self.targets.append(target)
        if self.away is not None:
            raise Unavailable(self.away)
        yield self

    async def get(self, path: str) -> Json:
        """See the port."""
        self._check(path)
        if path in self._answers:
            return self._answers[path]
        if path not in self._objects:
            message = f"{path} not found"
            raise Gone(message)
        return self._objects[path]

    async def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        """See the port; selects by equality of labels and by their presence."""
        self._check(path)
        label = (query or {}).get("labelSelector", "")
        return [
            body
            for place, body in self._objects.items()
            if self._lists(path, place, body) and _selected(body, label)
        ]

    def _lists(self, path: str, place: str, body: Json) -> bool:
        kind, meta = self._kinds[place], body["metadata"]
        return path in (kind.path(None), kind.path(meta.get("namespace")))

    async def create(self, path: str, body: Mapping[str, Any]) -> Json:
        """See the port; a review is answered, and keeps nothing."""
        self._check(path)
        if "reviews" in path:
            return {**body, "status": {"allowed": self.allowed(body["spec"])}}
        self.writes.append(("create", path, body))
        return dict(body)

    async def merge(self, path: str, body: Mapping[str, Any]) -> Json:
        """See the port; a null takes a field away, and another resourceVersion is a conflict."""
        self.meanwhile()
        found = await self.get(path)
        self._fence(found, (body.get("metadata") or {}).get("resourceVersion"))
        self.writes.append(("merge", path, body))
        return self._store(path, _merged(found, body))

    async def edit(self, path: str, operations: Sequence[Mapping[str, Any]]) -> Json:
        """See the port; knows `replace` alone."""
        self.meanwhile()
        found = copy.deepcopy(await self.get(path))
        for operation in operations:
            assert operation["op"] == "replace", operation
            *way, last = operation["path"].strip("/").split("/")
            if operation["path"] == "/metadata/resourceVersion":
                self._fence(found, operation["value"])
            place = found
            for step in way:
                place = place[step]
            place[last] = operation["value"]
        self.writes.append(("edit", path, operations))
        return self._store(path, found)

    async def date(self) -> datetime | None:
        """See the port."""
        return self.said

    async def sleep(self, seconds: float) -> None:
        """See the port: the clock goes on, and then what the test lets happen meanwhile."""
        self.at += timedelta(seconds=seconds)
        self.asleep(self)

    def attempt(self, targets: Sequence[ProbeTarget]) -> list[Attempted]:
        """See the port."""
        return [self.ends(target) for target in targets]

    def _fence(self, found: Json, version: str | None) -> None:
        if version is not None and version != found["metadata"].get("resourceVersion"):
            message = "the object has been modified"
            raise Conflict(message)

    def _store(self, path: str, body: Json) -> Json:
        self._versions += 1
        metadata = {**body["metadata"], "resourceVersion": str(self._versions)}
        self._objects[path] = {**body, "metadata": metadata}
        return self._objects[path]

    def sort_pods(self, owner: Owner, pods: Sequence[Json]) -> Pods:
        """See the port."""
        return sorted_pods(owner, pods)

    def read_policy(self, policy: Json) -> Policy | None:
        """See the port."""
        return policy_of(policy)

    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Json]:
        """See the port."""
        self._check(path)
        for body in self.changes:
            yield body

    def _check(self, path: str) -> None:
        for resource in self.forbidden:
            if f"/{resource}" in path:
                message = f'{resource} is forbidden: User "ann" cannot do that'
                raise Refused(Reason.CREATE_FORBIDDEN, message)

    def serve(self, path: str, body: Json) -> None:
        """Answer a path that is no object's, such as that of an API group."""
        self._answers[path] = body

    def stored(self, kind: Kind, namespace: str, name: str) -> Json:
        """An object as it is now."""
        return self._objects[kind.path(namespace, name)]

    def run(self, *words: str, env: Mapping[str, str] | None = None, code: int = 0) -> Result:
        """Run the plugin on these words; its exit code must be this one."""
        surroundings = {"COLUMNS": None, "NO_COLOR": None, "TZ": "UTC", **(env or {})}
        result = CliRunner().invoke(app.build(), list(words), obj=self, env=surroundings)
        assert result.exit_code == code, (result.exit_code, result.output, result.exception)
        assert "Traceback" not in result.output
        return result


def _selected(body: Json, selector: str) -> bool:
    labels = body["metadata"].get("labels") or {}
    for term in filter(None, selector.split(",")):
        name, equals, value = term.partition("=")
        if name not in labels or (equals and labels[name] != value):
            return False
    return True


def _merged(old: Any, new: Any) -> Any:
    if not isinstance(old, dict) or not isinstance(new, Mapping):
        return new
    merged = {key: _merged(old.get(key), value) for key, value in new.items() if value is not None}
    return {key: value for key, value in old.items() if key not in new} | merged
