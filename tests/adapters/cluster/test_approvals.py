"""An annotation on exactly the pod that was read, on a scripted API server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.adapters.cluster.approvals import TRIES, ApprovalWriter, Claimant, Marked
from scaleset_operator.adapters.cluster.view import ClusterView
from scaleset_operator.reconciler.ports import Key, Refused, Unavailable
from tests.adapters.cluster.fake_api import Answer, FakeApi, listing
from tests.adapters.cluster.objects import OWNER, pod

if TYPE_CHECKING:
    from scaleset_operator.adapters.cluster.connection import Connection

PODS: Final = "/api/v1/pods"
WEB_1: Final = "/api/v1/namespaces/default/pods/web-1"
MARK: Final = ("scaleset.dev/approve-termination", "true")
MEANT: Final = ("web-1", "uid-1")
CHANGED: Final = Answer(status=409, body={"reason": "Conflict", "message": "changed"})
GONE: Final = Answer(status=404, body={"message": "gone"})


@pytest.fixture
def view(connection: Connection) -> ClusterView:
    return ClusterView(connection, lambda _: None)


@pytest.fixture
def writer(connection: Connection, view: ClusterView) -> ApprovalWriter:
    return ApprovalWriter(connection, view)


def patches(api: FakeApi) -> list[dict[str, Any]]:
    return [request.body for request in api.requests if request.method == "PATCH"]


async def test_the_annotation_alone_goes_out_on_what_was_read(
    api: FakeApi, writer: ApprovalWriter, view: ClusterView
) -> None:
    """R-54, rule 5: UID and resourceVersion fence it, and the cache has it at once."""
    api.answer("GET", Answer(body=pod(version=33)))
    api.answer("PATCH", Answer(body=pod(version=34, annotations={MARK[0]: MARK[1]})))
    assert await writer.mark(OWNER, MEANT, MARK) is Marked.WRITTEN
    read, patch = api.requests
    assert (read.method, read.path) == ("GET", WEB_1)
    assert (patch.method, patch.path) == ("PATCH", WEB_1)
    assert patch.headers["Content-Type"] == "application/strategic-merge-patch+json"
    meant = {"uid": "uid-1", "resourceVersion": "33"}
    assert patch.body == {"metadata": {**meant, "annotations": {MARK[0]: MARK[1]}}}
    known = view.cache.known(Key("default", "web-1"))
    assert known is not None
    assert known.instance.termination_approved


async def test_what_stands_already_is_not_written(api: FakeApi, writer: ApprovalWriter) -> None:
    api.answer("GET", Answer(body=pod(annotations={MARK[0]: MARK[1]})))
    assert await writer.mark(OWNER, MEANT, MARK) is Marked.STOOD
    assert patches(api) == []


@pytest.mark.parametrize(
    "found",
    [
        pod(uid="uid-of-the-next"),
        pod(deletionTimestamp="2026-11-21T09:00:00Z"),
        pod(status={"phase": "Succeeded"}),
        pod(ownerReferences=[]),
        pod(ownerReferences=[{"kind": "ReplicaSet", "controller": True, "uid": "x"}]),
    ],
    ids=["another of the name", "going", "over", "nobody's", "somebody else's"],
)
async def test_a_pod_that_is_not_the_one_meant_is_left_alone(
    api: FakeApi, writer: ApprovalWriter, found: dict[str, Any]
) -> None:
    api.answer("GET", Answer(body=found))
    assert await writer.mark(OWNER, MEANT, MARK) is Marked.OVER
    assert patches(api) == []


async def test_a_pod_that_is_gone_needs_none(api: FakeApi, writer: ApprovalWriter) -> None:
    api.answer("GET", GONE, Answer(body=pod()))
    assert await writer.mark(OWNER, MEANT, MARK) is Marked.OVER
    api.answer("PATCH", GONE)
    assert await writer.mark(OWNER, MEANT, MARK) is Marked.OVER


async def test_one_that_changed_in_between_is_read_again(
    api: FakeApi, writer: ApprovalWriter
) -> None:
    api.answer("GET", Answer(body=pod(version=33)), Answer(body=pod(version=35)))
    api.answer("PATCH", CHANGED, Answer(body=pod(version=36)))
    assert await writer.mark(OWNER, MEANT, MARK) is Marked.WRITTEN
    assert [p["metadata"]["resourceVersion"] for p in patches(api)] == ["33", "35"]


async def test_one_that_changes_all_the_time_is_given_up(
    api: FakeApi, writer: ApprovalWriter
) -> None:
    api.answer("GET", *[Answer(body=pod())] * TRIES)
    api.answer("PATCH", *[CHANGED] * TRIES)
    with pytest.raises(Unavailable, match="all the time"):
        await writer.mark(OWNER, MEANT, MARK)


async def test_a_refusal_is_passed_on(api: FakeApi, writer: ApprovalWriter) -> None:
    api.answer("GET", Answer(body=pod()))
    api.answer("PATCH", Answer(status=403, body={"message": "no"}))
    with pytest.raises(Refused):
        await writer.mark(OWNER, MEANT, MARK)


async def test_nothing_goes_out_while_another_replica_leads(
    api: FakeApi, connection: Connection, writer: ApprovalWriter
) -> None:
    """R-17: by the fence of the connection, whatever was asked before."""

    def fence() -> None:
        message = "stands by"
        raise Unavailable(message)

    connection.fence = fence
    api.answer("GET", Answer(body=pod()))
    with pytest.raises(Unavailable):
        await writer.mark(OWNER, MEANT, MARK)
    assert patches(api) == []


async def test_everybody_who_has_an_address_is_found_and_nobody_who_had(
    api: FakeApi, writer: ApprovalWriter
) -> None:
    """Pods of no set as well; those that are over have given it back."""
    stranger = pod(9, uid="uid-9", labels={}, ownerReferences=[])
    going = pod(2, deletionTimestamp="2026-11-21T09:00:00Z")
    over = pod(3, status={"phase": "Failed"})
    api.answer("GET", Answer(body=listing(5, pod(), going, over, stranger)))
    found = await writer.claimants("127.16.0.1")
    assert found == [
        Claimant(Key("default", "web-1"), "uid-1"),
        Claimant(Key("default", "web-9"), "uid-9"),
    ]
    (asked,) = api.requests
    assert (asked.path, asked.query) == (PODS, {"fieldSelector": "status.podIP=127.16.0.1"})


async def test_who_sees_some_namespaces_asks_in_those(
    api: FakeApi, connection: Connection, view: ClusterView
) -> None:
    writer = ApprovalWriter(connection, view, ("shop", "bank"))
    api.answer("GET", Answer(body=listing(5)), Answer(body={"items": None}))
    assert await writer.claimants("127.16.0.1") == []
    assert [request.path for request in api.requests] == [
        "/api/v1/namespaces/shop/pods",
        "/api/v1/namespaces/bank/pods",
    ]
