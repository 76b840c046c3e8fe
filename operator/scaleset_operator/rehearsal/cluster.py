"""The port `Cluster` over the fake API server: one client for each simulated operator.

Its view lags, loses its watch and lists anew (`fake_view`); on its wire requests fail, get lost
after they were carried out, or end in kill -9 (`fake_wire`). No call ever sleeps.
It asserts what no correct caller sends. It must not know what is decided, or by whom.
"""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Final

from scaleset_operator.api.base import LABEL_NAME, Reason
from scaleset_operator.core.disruption import Disruption
from scaleset_operator.core.observed import Instance
from scaleset_operator.core.plan import (
    AdoptInstance,
    AnswerRequest,
    CreateInstance,
    DeleteInstance,
    GiveNotice,
    Note,
    PublishHealth,
    ReleaseInstance,
    RenewInstance,
)
from scaleset_operator.reconciler.ports import (
    Conflict,
    Created,
    Key,
    Owner,
    Pods,
    Refused,
    Unavailable,
    Wake,
)
from scaleset_operator.rehearsal import pod_writes
from scaleset_operator.rehearsal.api_server import FakeApiServer
from scaleset_operator.rehearsal.errors import EXISTS, NOT_FOUND, ServerError
from scaleset_operator.rehearsal.objects import Controller, FakePod, ObjectKey, instance_of
from scaleset_operator.rehearsal.requests import Faults, Hooks, Request, Verb
from scaleset_operator.rehearsal.view import FakeView
from scaleset_operator.rehearsal.wire import Wire

MAX_FOREIGN: Final = 10


class FakeCluster:
    """A client of the server; after a Crash it is dead, and a restarted operator makes another.

    Attributes:
        view: what it knows without asking; `view.cut()`, `view.relist()`, `view.cache.lag`.
        wire: its requests; `wire.faults`, `wire.hooks`, `wire.requests`.
        told: the Events posted, oldest first.
    """

    def __init__(
        self,
        server: FakeApiServer,
        *,
        lag: timedelta = timedelta(),
        resource_lag: timedelta = timedelta(),
        wake: Wake = lambda _: None,
        faults: Faults | None = None,
        hooks: Hooks | None = None,
    ) -> None:
        self.server = server
        self.view = FakeView(server, lag, resource_lag, wake)
        self.wire = Wire(server.clock, faults or Faults(), hooks or Hooks())
        self.told: list[tuple[Key, Note]] = []

    def pods(self, owner: Owner) -> Pods:
        """See the port."""
        self.wire.check_alive()
        self.view.sync()
        return self.view.pods(owner)

    def node_ready(self) -> Mapping[str, bool]:
        """See the port."""
        self.view.sync()
        return self.view.node_ready()

    def disruption(self, owner: Owner, names: Collection[str]) -> Disruption:
        """See the port."""
        self.view.sync()
        return self.view.disruption(owner, names)

    def pods_on(self, node: str) -> tuple[Instance, ...]:
        """See the port."""
        self.view.sync()
        return self.view.pods_on(node)

    async def read_instance(self, owner: Owner, name: str) -> Instance | None:
        """See the port."""

        def send() -> Instance | None:
            pod = self._live(owner, name)
            if pod is None:
                self.view.feed_absence(ObjectKey("Pod", owner.key.namespace, name))
                return None
            self.view.feed(pod)
            return instance_of(pod) if pod_writes.is_instance(owner, pod) else None

        return await self.wire.call(Request(Verb.READ, name), send)

    async def list_instances(self, owner: Owner) -> None:
        """See the port."""

        def send() -> None:
            live = {pod.key: pod for pod in self.server.pods(owner.key.namespace)}
            for pod in live.values():
                if pod.labels.get(LABEL_NAME) == owner.key.name:
                    self.view.feed(pod)
            for instance in self.view.pods(owner).instances:
                key = ObjectKey("Pod", owner.key.namespace, instance.name)
                if key not in live:
                    self.view.feed_absence(key)

        await self.wire.call(Request(Verb.LIST, owner.key.name), send)

    async def foreign_pods(self, owner: Owner) -> tuple[str, ...]:
        """See the port."""

        def send() -> tuple[str, ...]:
            return tuple(
                pod.name
                for pod in self.server.pods(owner.key.namespace)
                if LABEL_NAME not in pod.labels and pod_writes.selected(pod, owner.match_labels)
            )[:MAX_FOREIGN]

        return await self.wire.call(Request(Verb.FOREIGN, owner.key.name), send)

    async def dry_run(self, owner: Owner) -> None:
        """See the port."""
        pod = pod_writes.body(owner, f"{owner.key.name}-dry-run", {}, {})
        await self.wire.call(Request(Verb.DRY_RUN, owner.key.name), lambda: self.server.admit(pod))

    async def record_status(self, owner: Owner, status: Mapping[str, Any]) -> str:
        """See the port."""
        assert owner.resource_version, "the fence of the status is missing (rule 25)"

        def send() -> str:
            current = self.server.resource("ScaleSet", *owner.key)
            if current["metadata"]["uid"] != owner.uid:
                raise ServerError(NOT_FOUND, f"{owner.key.name} is another set now")
            stored = self.server.apply_status(*owner.key, owner.resource_version, status)
            return str(stored["metadata"]["resourceVersion"])

        return await self.wire.call(Request(Verb.STATUS, owner.key.name), send)

    async def record_report(
        self, kind: str, key: Key, resource_version: str, status: Mapping[str, Any]
    ) -> str:
        """See the port."""

        def send() -> str:
            stored = self.server.apply_status(*key, resource_version, status, kind=kind)
            return str(stored["metadata"]["resourceVersion"])

        return await self.wire.call(Request(Verb.STATUS, key.name), send)

    async def create_instance(
        self, owner: Owner, action: CreateInstance, not_after: int
    ) -> Created:
        """See the port."""
        pod = pod_writes.instance_body(owner, action)

        def send() -> Created:
            try:
                self.view.expect(owner, self.server.create_pod(pod))
            except ServerError as error:
                if error.code != EXISTS:
                    raise
                pod_writes.check_ours(
                    owner, action, self.server.pod(owner.key.namespace, action.name)
                )
                return Created.ALREADY_OURS
            return Created.CREATED

        return await self.wire.call(Request(Verb.CREATE, action.name), send, not_after)

    async def delete_instance(self, owner: Owner, action: DeleteInstance, not_after: int) -> None:
        """See the port."""
        pod_writes.check_target(owner, action)

        def send() -> None:
            version = action.resource_version
            try:
                pod = self.server.delete_pod(
                    owner.key.namespace, action.name, uid=action.uid, version=version
                )
            except ServerError as error:
                if error.code != NOT_FOUND:
                    raise
                return
            self.view.expect(owner, pod)
            if pod.terminating:
                self.view.feed(pod)

        await self.wire.call(Request(Verb.DELETE, action.name), send, not_after)

    async def renew(self, owner: Owner, action: RenewInstance, not_after: int) -> None:
        """See the port."""
        pod_writes.check_target(owner, action)

        def send() -> None:
            pod = self.server.pod(owner.key.namespace, action.name)
            fields = pod_writes.renewed(pod, action)
            changed = self.server.change_pod(
                pod, uid=action.uid, version=action.resource_version, **fields
            )
            self.view.expect(owner, changed)

        await self.wire.call(Request(Verb.RENEW, action.name), send, not_after)

    async def give_notice(self, owner: Owner, action: GiveNotice, not_after: int) -> None:
        """See the port."""
        pod_writes.check_target(owner, action)

        def send() -> None:
            pod = self._meant(owner, action.name, action.uid)
            fields = pod_writes.noticed(pod, action, self.server.clock.now())
            changed = self.server.change_pod(pod, version=action.resource_version, **fields)
            self.view.expect(owner, changed)

        await self.wire.call(Request(Verb.NOTICE, action.name), send, not_after)

    async def publish(self, owner: Owner, action: PublishHealth) -> None:
        """See the port."""
        pod_writes.check_publish(action)

        def send() -> None:
            pod = self._meant(owner, action.name, action.uid)
            fields = pod_writes.published(pod, action, self.server.clock.now())
            version = action.resource_version
            self.view.expect(owner, self.server.change_pod(pod, version=version, **fields))

        await self.wire.call(Request(Verb.PUBLISH, action.name), send)

    async def answer(self, owner: Owner, action: AnswerRequest) -> None:
        """See the port."""
        pod_writes.check_target(owner, action)

        def send() -> None:
            pod = self.server.pod(owner.key.namespace, action.name)
            marks = pod_writes.without_requests(pod)
            changed = self.server.change_pod(
                pod, uid=action.uid, version=action.resource_version, annotations=marks
            )
            self.view.expect(owner, changed)

        await self.wire.call(Request(Verb.ANSWER, action.name), send)

    async def adopt(self, owner: Owner, action: AdoptInstance) -> None:
        """See the port."""
        await self._own(Verb.ADOPT, owner, action, pod_writes.controller_of(owner))

    async def release(self, owner: Owner, action: ReleaseInstance) -> None:
        """See the port."""
        await self._own(Verb.RELEASE, owner, action, None)

    async def tell(self, owner: Owner, note: Note) -> None:
        """See the port."""
        assert note.reason in set(Reason), f"{note.reason} is no documented reason"
        request = Request(Verb.EVENT, owner.key.name)
        try:
            await self.wire.call(request, lambda: self.told.append((owner.key, note)))
        except (Conflict, Refused, Unavailable):
            return

    async def _own(
        self,
        verb: Verb,
        owner: Owner,
        action: AdoptInstance | ReleaseInstance,
        controller: Controller | None,
    ) -> None:
        pod_writes.check_target(owner, action)

        def send() -> None:
            pod = self.server.pod(owner.key.namespace, action.name)
            changed = self.server.change_pod(
                pod, uid=action.uid, version=action.resource_version, controller=controller
            )
            self.view.expect(owner, changed)

        await self.wire.call(Request(verb, action.name), send)

    def _live(self, owner: Owner, name: str) -> FakePod | None:
        try:
            return self.server.pod(owner.key.namespace, name)
        except ServerError:
            return None

    def _meant(self, owner: Owner, name: str, uid: str) -> FakePod:
        """The pod that a patch means by its UID."""
        pod = self.server.pod(owner.key.namespace, name)
        if pod.uid != uid:
            raise ServerError(NOT_FOUND, f"{name} is another pod now")
        return pod
