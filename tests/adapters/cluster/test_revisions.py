"""The history of models on a scripted API server: each call's request, and what is made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from scaleset_operator.adapters.cluster.revisions import RevisionStore
from scaleset_operator.core.revisions import Revision
from tests.adapters.cluster.fake_api import Answer, FakeApi
from tests.adapters.cluster.objects import OWNER, UID, controller

if TYPE_CHECKING:
    from scaleset_operator.adapters.cluster.connection import Connection

PATH: Final = "/apis/apps/v1/namespaces/default/controllerrevisions"
NEW: Final = Revision(name="web-m1", model="m1", number=1)
KEPT: Final = replace(NEW, uid="uid-r1")


def stored(owner_uid: str = UID, uid: str = "uid-r1") -> dict[str, Any]:
    labels = {"scaleset.dev/name": "web", "scaleset.dev/model": "m1"}
    owners = [{**controller(), "uid": owner_uid}]
    metadata = {"name": "web-m1", "uid": uid, "labels": labels, "ownerReferences": owners}
    return {"metadata": metadata, "revision": 1, "data": {}}


async def test_only_what_the_set_controls_is_listed(api: FakeApi, connection: Connection) -> None:
    listed = {"items": [stored(), stored("another-set", "uid-r2")]}
    api.answer("GET", Answer(body=listed))
    assert await RevisionStore(connection).list_revisions(OWNER) == (KEPT,)
    (request,) = api.of("GET")
    assert (request.path, request.query) == (PATH, {"labelSelector": "scaleset.dev/name=web"})


async def test_a_new_revision_is_the_template_under_its_number(
    api: FakeApi, connection: Connection
) -> None:
    api.answer("POST", Answer(body=stored(), status=201))
    assert await RevisionStore(connection).write_revision(OWNER, NEW) == KEPT
    (request,) = api.of("POST")
    assert request.path == PATH
    assert request.body["kind"] == "ControllerRevision"
    assert request.body["data"] == OWNER.template
    assert request.body["revision"] == 1
    assert request.body["metadata"]["ownerReferences"] == [
        {**controller(), "blockOwnerDeletion": True}
    ]


async def test_a_known_revision_gets_another_number_and_nothing_else(
    api: FakeApi, connection: Connection
) -> None:
    api.answer("PATCH", Answer(body=stored()))
    again = replace(KEPT, number=4)
    assert await RevisionStore(connection).write_revision(OWNER, again) == again
    (request,) = api.of("PATCH")
    assert request.path == f"{PATH}/web-m1"
    assert request.body == {"metadata": {"uid": "uid-r1"}, "revision": 4}


async def test_a_drop_names_the_object_that_was_listed(
    api: FakeApi, connection: Connection
) -> None:
    api.answer("DELETE", Answer(body={}), Answer(body={}, status=404))
    store = RevisionStore(connection)
    await store.drop_revision(OWNER, KEPT)
    await store.drop_revision(OWNER, KEPT)
    request, _ = api.of("DELETE")
    assert request.body["preconditions"] == {"uid": "uid-r1"}
