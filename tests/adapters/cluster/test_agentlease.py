"""What the agent keeps of the API server, and the Lease that it writes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from scaleset_operator.adapters.cluster.agentlease import AgentLease
from scaleset_operator.adapters.cluster.kept import Kept
from scaleset_operator.api.agentreport import ANNOTATION_REPORT
from tests.adapters.cluster.fake_api import Answer, FakeApi

if TYPE_CHECKING:
    import pytest

    from scaleset_operator.adapters.cluster.connection import Connection

T0 = datetime(2026, 11, 28, 8, tzinfo=UTC)
PATH = "/apis/coordination.k8s.io/v1/namespaces/ops/leases"


async def test_a_lease_is_renewed_by_a_merge_and_made_where_there_is_none(
    api: FakeApi, connection: Connection
) -> None:
    api.answer("PATCH", Answer(status=404), Answer(body={}))
    api.answer("POST", Answer(body={}))
    lease = AgentLease(connection, "ops", "worker")
    await lease.write('{"node":"worker"}', T0)
    await lease.write('{"node":"worker"}', T0)
    sent = [(one.method, one.path) for one in api.requests]
    there = f"{PATH}/scaleset-agent-worker"
    assert sent == [("PATCH", there), ("POST", PATH), ("PATCH", there)]
    made = api.requests[1].body
    assert made["metadata"] == {
        "name": "scaleset-agent-worker",
        "namespace": "ops",
        "annotations": {ANNOTATION_REPORT: '{"node":"worker"}'},
    }
    assert made["spec"] == {
        "holderIdentity": "worker",
        "leaseDurationSeconds": 90,
        "renewTime": "2026-11-28T08:00:00.000000Z",
    }
    assert api.requests[2].body["spec"] == made["spec"]


class Numbers:
    """A collection of which the number of each object is kept."""

    def __init__(self) -> None:
        self.changes = 0
        self.kept = Kept[int](self.read, self.changed)

    def read(self, obj: Any) -> int | None:
        if obj["number"] == "bad":
            message = "no number"
            raise ValueError(message)
        number: int | None = obj["number"]
        return number

    def changed(self) -> None:
        self.changes += 1


def numbered(name: str, number: Any) -> dict[str, Any]:
    return {"metadata": {"namespace": "shop", "name": name}, "number": number}


def test_what_is_kept_follows_what_is_told_and_only_changes_count() -> None:
    numbers = Numbers()
    kept = numbers.kept
    assert not kept.whole
    kept.put(numbered("b", 2))
    kept.put(numbered("a", 1))
    kept.put(numbered("a", 1))
    assert (kept.values(), numbers.changes) == ((1, 2), 2)
    kept.put(numbered("a", None))
    kept.put(numbered("c", None))
    kept.drop(numbered("never", 1))
    assert (kept.values(), numbers.changes) == ((2,), 3)
    kept.put(numbered("d", 4))
    kept.listed(frozenset({("shop", "d")}), 7)
    assert kept.whole
    assert kept.values() == (4,)
    kept.drop(numbered("d", 4))
    assert kept.values() == ()


def test_what_is_not_understood_is_told_and_leaves_what_was_kept(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One broken resource stops nothing."""
    kept = Numbers().kept
    kept.put(numbered("a", 1))
    kept.put(numbered("a", "bad"))
    assert kept.values() == (1,)
    assert "shop/a is not understood: no number" in caplog.text
