"""The port `Relocations` over the fake API server, on the same wire and view as its `FakeCluster`.

It must not know what is decided, or by whom.
"""

from collections.abc import Mapping
from typing import Any

from scaleset_operator.api import base
from scaleset_operator.api.base import format_time
from scaleset_operator.api.pauserequest import ANNOTATION_PAUSE, PauseRequest
from scaleset_operator.core.maintenance_acts import (
    AskPause,
    ClearPause,
    EvictInstance,
    HoldPlace,
    PublishMaintenance,
    ReleasePlace,
)
from scaleset_operator.core.windowview import Place
from scaleset_operator.reconciler.ports import Gone, Key, Owner
from scaleset_operator.reconciler.relocations import Reported, at_work
from scaleset_operator.rehearsal.cluster import FakeCluster
from scaleset_operator.rehearsal.errors import CONFLICT, EXISTS, NOT_FOUND, ServerError
from scaleset_operator.rehearsal.evictions import evict
from scaleset_operator.rehearsal.objects import FakePod, Wanted
from scaleset_operator.rehearsal.requests import Request, Verb
from scaleset_operator.rehearsal.resources import Raw


class FakeRelocations:
    """One client's; where its process is killed, this ends with it."""

    def __init__(self, client: FakeCluster, reports: Mapping[str, Reported] | None = None) -> None:
        """Prepares it.

        Args:
            client: the same operator's; its wire and its view are shared.
            reports: node -> what its agent reports now.
        """
        self._reports = reports if reports is not None else {}
        self._server = client.server
        self._view = client.view
        self._wire = client.wire

    def node_labels(self) -> Mapping[str, Mapping[str, str]]:
        """See the port."""
        self._view.sync()
        return self._view.node_labels()

    async def read_window(self, key: Key) -> Mapping[str, Any] | None:
        """See the port."""
        return await self._resource(Verb.READ_WINDOW, "MaintenanceWindow", key)

    async def windows_at_work(self, namespace: str) -> frozenset[str]:
        """See the port."""

        def send() -> frozenset[str]:
            sets = (
                there
                for key, there in self._server.objects().items()
                if key.kind == "ScaleSet" and key.namespace == namespace and isinstance(there, dict)
            )
            return at_work(sets)

        return await self._wire.call(Request(Verb.READ_SETS, namespace), send)

    async def read_place(self, owner: Owner, name: str) -> Place | None:
        """See the port."""

        def send() -> Place | None:
            try:
                return _place_of(owner, self._server.pod(owner.key.namespace, name))
            except ServerError:
                return None

        return await self._wire.call(Request(Verb.READ_PLACE, name), send)

    async def hold_place(self, owner: Owner, action: HoldPlace, not_after: int) -> None:
        """See the port."""

        def send() -> None:
            try:
                self._server.create_pod(_placeholder(owner, action))
            except ServerError as error:
                if error.code != EXISTS:
                    raise
                there = self._server.pod(owner.key.namespace, action.name)
                if _place_of(owner, there) is None:
                    raise ServerError(CONFLICT, f"the name {action.name} is taken") from None

        await self._wire.call(Request(Verb.HOLD, action.name), send, not_after)

    async def release_place(self, owner: Owner, action: ReleasePlace) -> None:
        """See the port."""

        def send() -> None:
            try:
                pod = self._server.pod(owner.key.namespace, action.name)
            except ServerError:
                return
            meant = action.uid is None or action.uid == pod.uid
            if meant and _place_of(owner, pod) is not None:
                self._server.remove_pod(pod)

        await self._wire.call(Request(Verb.FREE, action.name), send)

    async def evict(self, owner: Owner, action: EvictInstance, not_after: int) -> None:
        """See the port."""
        assert action.uid, f"without a UID: {action}"
        assert action.resource_version, f"without a resourceVersion: {action}"

        def send() -> None:
            try:
                pod = self._server.pod(owner.key.namespace, action.name)
            except ServerError:
                return
            left = evict(self._server, pod, action.uid, action.resource_version)
            self._view.expect(owner, left)

        await self._wire.call(Request(Verb.EVICT, action.name), send, not_after)

    async def publish_maintenance(self, owner: Owner, action: PublishMaintenance) -> None:
        """See the port."""

        def send() -> None:
            pod = self._server.pod(owner.key.namespace, action.name)
            if pod.uid != action.uid:
                raise ServerError(NOT_FOUND, f"{action.name} is another pod now")
            marks = _said(pod, action)
            version = action.resource_version
            changed = self._server.change_pod(pod, version=version, annotations=marks)
            self._view.expect(owner, changed)

        await self._wire.call(Request(Verb.MARK, action.name), send)

    async def read_report(self, node: str) -> Reported | None:
        """See the port."""
        request = Request(Verb.READ_REPORT, node)
        return await self._wire.call(request, lambda: self._reports.get(node))

    async def ask_pause(self, owner: Owner, action: AskPause, not_after: int) -> None:
        """See the port."""
        asked = PauseRequest(id=action.id, deadline=action.deadline, seconds=action.seconds)
        await self._write_request(Verb.PAUSE, owner, action, asked.text(), not_after)

    async def clear_pause(self, owner: Owner, action: ClearPause, not_after: int) -> None:
        """See the port."""
        await self._write_request(Verb.UNPAUSE, owner, action, None, not_after)

    async def _write_request(
        self,
        verb: Verb,
        owner: Owner,
        action: AskPause | ClearPause,
        text: str | None,
        not_after: int,
    ) -> None:
        assert action.uid, f"without a UID: {action}"
        assert action.resource_version, f"without a resourceVersion: {action}"

        def send() -> None:
            pod = self._server.pod(owner.key.namespace, action.name)
            if pod.uid != action.uid:
                raise ServerError(NOT_FOUND, f"{action.name} is another pod now")
            marks = {k: v for k, v in pod.annotations.items() if k != ANNOTATION_PAUSE}
            marks |= {} if text is None else {ANNOTATION_PAUSE: text}
            version = action.resource_version
            changed = self._server.change_pod(pod, version=version, annotations=marks)
            self._view.expect(owner, changed)

        await self._wire.call(Request(verb, action.name), send, not_after)

    async def _resource(self, verb: Verb, kind: str, key: Key) -> Raw | None:
        try:
            return await self._wire.call(
                Request(verb, key.name), lambda: self._server.resource(kind, *key)
            )
        except Gone:
            return None


def _placeholder(owner: Owner, action: HoldPlace) -> FakePod:
    return FakePod(
        namespace=owner.key.namespace,
        name=action.name,
        labels={base.LABEL_PLACE_FOR: action.instance, base.LABEL_PLACE_OF: owner.key.name},
        spec=owner.template.get("spec", {}),
        holders=(owner.uid,),
        wanted=Wanted(must=action.node_labels),
    )


def _place_of(owner: Owner, pod: FakePod) -> Place | None:
    ours = owner.uid in pod.holders and base.LABEL_PLACE_FOR in pod.labels
    if not ours or pod.created is None:
        return None
    return Place(
        name=pod.name,
        uid=pod.uid,
        since=pod.created,
        node=pod.node,
        refused=pod.unschedulable,
        terminating=pod.terminating or pod.over,
    )


def _said(pod: FakePod, action: PublishMaintenance) -> dict[str, str]:
    marks: dict[str, str | None] = {
        **pod.annotations,
        base.ANNOTATION_MAINTENANCE_ITERATION: action.mark,
        base.ANNOTATION_MAINTENANCE_STATUS: action.status,
    }
    if action.answered:
        marks[base.ANNOTATION_PERFORM_MAINTENANCE] = None
    if action.state_change_time is not None:
        marks[base.ANNOTATION_STATE_CHANGE_TIME] = format_time(action.state_change_time)
    return {key: text for key, text in marks.items() if text is not None}
