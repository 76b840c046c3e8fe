"""The Lease on the wire: the form of client-go, on the version that was seen."""

from dataclasses import replace
from typing import Any

import pytest

from scaleset_operator.adapters.cluster.connection import Connection
from scaleset_operator.adapters.cluster.lease import LeasePlace, LeaseStore
from scaleset_operator.core.election import LeaseRecord, Seen
from scaleset_operator.reconciler.ports import Conflict, Gone
from tests.adapters.cluster.fake_api import Answer, FakeApi

PLACE = LeasePlace("ops", "scaleset-operator")
PATH = "/apis/coordination.k8s.io/v1/namespaces/ops/leases"
RECORD = LeaseRecord(
    holder="here_1",
    lasts_s=15,
    acquired="2026-11-27T08:00:00.000000Z",
    renewed="2026-11-27T08:00:02.000001Z",
    transitions=2,
)


def stored(**spec: Any) -> dict[str, Any]:
    """As the API server keeps it, with what others have written into it."""
    return {
        "metadata": {
            "name": "scaleset-operator",
            "namespace": "ops",
            "resourceVersion": "7",
            "uid": "u",
            "annotations": {"team": "web"},
        },
        "spec": {
            "holderIdentity": "here_1",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-11-27T08:00:00.000000Z",
            "renewTime": "2026-11-27T08:00:02.000001Z",
            "leaseTransitions": 2,
            "strategy": "OldestEmulationVersion",
        }
        | spec,
    }


async def test_a_lease_is_read_as_it_stands(api: FakeApi, connection: Connection) -> None:
    api.answer("GET", Answer(body=stored()), Answer(status=404))
    store = LeaseStore(connection, PLACE)
    assert await store.read() == Seen(record=RECORD, version="7")
    assert await store.read() is None
    assert api.requests[0].path == f"{PATH}/scaleset-operator"


async def test_a_lease_of_nobody_and_one_without_a_spec_can_be_read(
    api: FakeApi, connection: Connection
) -> None:
    """A person may have made it by hand."""
    bare = {"metadata": {"name": "scaleset-operator", "resourceVersion": "3"}}
    api.answer("GET", Answer(body=bare))
    nobody = LeaseRecord(holder="", lasts_s=0, acquired="", renewed="", transitions=0)
    assert await LeaseStore(connection, PLACE).read() == Seen(record=nobody, version="3")


async def test_a_lease_is_made_in_the_form_of_client_go(
    api: FakeApi, connection: Connection
) -> None:
    api.answer("POST", Answer(body=stored()))
    made = await LeaseStore(connection, PLACE).write(Seen(record=RECORD, version=""))
    assert made.version == "7"
    (request,) = api.requests
    assert request.path == PATH
    assert request.body["metadata"] == {
        "namespace": "ops",
        "name": "scaleset-operator",
        "annotations": {},
    }
    assert request.body["spec"] == {
        "holderIdentity": "here_1",
        "leaseDurationSeconds": 15,
        "acquireTime": "2026-11-27T08:00:00.000000Z",
        "renewTime": "2026-11-27T08:00:02.000001Z",
        "leaseTransitions": 2,
    }


async def test_a_change_names_its_version_and_keeps_what_others_wrote(
    api: FakeApi, connection: Connection
) -> None:
    api.answer("GET", Answer(body=stored()))
    api.answer("PUT", Answer(body=stored()), Answer(body=stored()))
    store = LeaseStore(connection, PLACE)
    seen = await store.read()
    assert seen is not None
    await store.write(replace(seen, vantage="10.0.0.7:8081"))
    await store.write(seen)
    _, offered, cleared = (request.body for request in api.requests)
    assert api.requests[1].path == f"{PATH}/scaleset-operator"
    assert offered["metadata"]["resourceVersion"] == "7"
    assert offered["spec"]["strategy"] == "OldestEmulationVersion"
    assert offered["metadata"]["annotations"] == {
        "team": "web",
        "scaleset.dev/vantage": "10.0.0.7:8081",
    }
    assert cleared["metadata"]["annotations"] == {"team": "web"}


@pytest.mark.parametrize(("status", "kind"), [(409, Conflict), (404, Gone)])
async def test_who_comes_late_is_told(
    api: FakeApi, connection: Connection, status: int, kind: type[Exception]
) -> None:
    api.answer("PUT", Answer(status=status))
    with pytest.raises(kind):
        await LeaseStore(connection, PLACE).write(Seen(record=RECORD, version="7"))
