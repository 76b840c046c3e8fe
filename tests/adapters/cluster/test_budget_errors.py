"""What PodDisruptionBudgets say to an eviction, told from an API server that wants to be left."""

from __future__ import annotations

from typing import Any

import orjson

from scaleset_operator.adapters.cluster.errors import failure
from scaleset_operator.reconciler.ports import Unavailable
from scaleset_operator.reconciler.relocations import Disallowed


def fault(status: int, **answer: Any) -> Exception:
    return failure(status, None, orjson.dumps({"kind": "Status"} | answer))


def test_a_budget_without_room_is_told_in_its_own_words() -> None:
    cause = {"reason": "DisruptionBudget", "message": "The disruption budget web needs 3 pods"}
    no = fault(429, message="Cannot evict pod", details={"causes": [cause]})
    assert type(no) is Disallowed
    assert str(no) == "The disruption budget web needs 3 pods"


def test_several_budgets_are_no_illness_of_the_api_server() -> None:
    """The answer's code is 500, and will be as long as both budgets stand."""
    words = "This pod has more than one PodDisruptionBudget, which the eviction subresource"
    no = fault(500, reason="InternalError", message=words)
    assert type(no) is Disallowed
    assert str(no) == words


def test_a_server_that_is_ill_or_wants_to_be_left_says_nothing_of_budgets() -> None:
    assert type(fault(500, message="etcd has no leader")) is Unavailable
    assert type(fault(429, details={"retryAfterSeconds": 3})) is Unavailable
