"""The cache of PodDisruptionBudgets: begun when asked, wakes who asked, says when it knows not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from scaleset_operator.adapters.cluster.budgets import BudgetView
from scaleset_operator.adapters.cluster.pods import pod_record
from scaleset_operator.core.disruption import Budget
from scaleset_operator.reconciler.budgets import budget_of, selects
from tests.adapters.cluster.fake_api import BUDGETS, event
from tests.adapters.cluster.objects import OWNER, pod

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scaleset_operator.adapters.cluster.connection import Connection
    from scaleset_operator.adapters.cluster.pods import PodRecord
    from scaleset_operator.reconciler.ports import Key
    from tests.adapters.cluster.fake_api import FakeApi

SELECTED = [
    (None, False),
    ({}, True),
    ({"matchLabels": {"app": "web"}}, True),
    ({"matchLabels": {"app": "api"}}, False),
    ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "x"]}]}, True),
    ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["x"]}]}, False),
    ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x"]}]}, True),
    ({"matchExpressions": [{"key": "no", "operator": "NotIn", "values": ["x"]}]}, True),
    ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
    ({"matchExpressions": [{"key": "no", "operator": "Exists"}]}, False),
    ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
    ({"matchExpressions": [{"key": "app", "operator": "OfTomorrow"}]}, True),
    (
        {
            "matchLabels": {"app": "web"},
            "matchExpressions": [{"key": "tier", "operator": "Exists"}],
        },
        False,
    ),
]


@pytest.mark.parametrize(("selector", "expected"), SELECTED)
def test_a_selector_takes_what_kubernetes_says_it_takes(
    selector: dict[str, Any] | None, *, expected: bool
) -> None:
    """None takes nothing, an empty one takes all."""
    assert selects(selector, {"app": "web"}) is expected


def body(name: str = "web-pdb", version: int = 5, **status: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "namespace": "default",
            "name": name,
            "generation": 2,
            "resourceVersion": str(version),
        },
        "spec": {"selector": {"matchLabels": {"app": "web"}}},
        "status": {"observedGeneration": 2, "disruptionsAllowed": 1} | status,
    }


def test_a_budget_is_read_with_its_numbers() -> None:
    raw = body(currentHealthy=9, desiredHealthy=8, disruptedPods={"web-3": "2026-11-21T08:00:00Z"})
    assert budget_of(raw) == Budget(
        name="web-pdb", allowed=1, healthy=9, desired=8, disrupted=frozenset({"web-3"})
    )


@pytest.mark.parametrize(
    ("policy", "lets_go"), [("AlwaysAllow", True), ("IfHealthyBudget", False), (None, False)]
)
def test_a_budget_says_whether_it_lets_unhealthy_pods_go(
    policy: str | None, *, lets_go: bool
) -> None:
    raw = body()
    raw["spec"]["unhealthyPodEvictionPolicy"] = policy
    assert budget_of(raw).lets_unhealthy_go is lets_go


@pytest.mark.parametrize("status", [{}, {"observedGeneration": 1, "disruptionsAllowed": 4}])
def test_a_budget_that_was_not_counted_for_its_present_spec_is_not_current(
    status: dict[str, Any],
) -> None:
    assert not budget_of(body() | {"status": status}).current


class Woken:
    def __init__(self) -> None:
        self.keys: list[Key] = []

    def __call__(self, key: Key) -> None:
        self.keys.append(key)


def record() -> PodRecord:
    found = pod_record(pod(1))
    assert found is not None
    return found


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
async def view(connection: Connection, woken: Woken) -> AsyncIterator[BudgetView]:
    view = BudgetView(connection, woken)
    yield view
    await view.close()


async def until_known(view: BudgetView) -> None:
    async with asyncio.timeout(4):
        while view.over(OWNER, []).fault:  # noqa: ASYNC110 - what is waited for comes over a socket
            await asyncio.sleep(0.002)


async def test_nothing_is_sent_before_the_first_question(api: FakeApi, view: BudgetView) -> None:
    """With Ignore everywhere no budget is ever listed."""
    await asyncio.sleep(0.05)
    assert not api.requests
    assert "watch does not stand" in view.over(OWNER, [record()]).fault
    await until_known(view)
    paths = {request.path for request in api.requests}
    assert paths == {BUDGETS}


async def test_a_set_that_asked_is_woken_once_by_a_change(
    api: FakeApi, view: BudgetView, woken: Woken
) -> None:
    """And one that did not is left alone."""
    api.budgets = [body(disruptionsAllowed=0)]
    view.over(OWNER, [])
    await until_known(view)
    assert woken.keys == []
    assert view.over(OWNER, [record()]).over["web-1"][0].allowed == 0
    await api.push_at(BUDGETS, event("MODIFIED", body(version=7)))
    await api.push_at(BUDGETS, event("MODIFIED", body(version=8, currentHealthy=3)))
    async with asyncio.timeout(4):
        while not woken.keys:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.002)
    await asyncio.sleep(0.02)
    assert woken.keys == [OWNER.key]
    found = view.over(OWNER, [record()]).over["web-1"][0]
    assert (found.allowed, found.healthy) == (1, 3)


async def test_a_budget_that_is_gone_selects_nothing(api: FakeApi, view: BudgetView) -> None:
    api.budgets = [body()]
    view.over(OWNER, [])
    await until_known(view)
    await api.push_at(BUDGETS, event("DELETED", body(version=9)))
    async with asyncio.timeout(4):
        while view.over(OWNER, [record()]).over["web-1"]:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.002)


async def test_a_budget_by_instance_id_selects_that_instance(
    api: FakeApi, view: BudgetView
) -> None:
    """The id is a label like others, though pods share the rest."""
    one = body()
    one["spec"]["selector"] = {"matchLabels": {"scaleset.dev/instance-id": "7"}}
    api.budgets = [one]
    view.over(OWNER, [])
    await until_known(view)
    seventh = pod_record(pod(7))
    assert seventh is not None
    found = view.over(OWNER, [record(), seventh]).over
    assert (len(found["web-1"]), len(found["web-7"])) == (0, 1)


async def test_what_may_not_be_read_is_not_known_and_the_answer_says_why(
    api: FakeApi, view: BudgetView
) -> None:
    """X-11: 403."""
    api.forbidden.add(BUDGETS)
    view.over(OWNER, [record()])
    async with asyncio.timeout(4):
        while "forbidden" not in view.over(OWNER, []).fault:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.002)


async def test_a_namespace_that_is_not_in_view_is_not_known(connection: Connection) -> None:
    view = BudgetView(connection, Woken(), ("other",))
    assert "not in view" in view.over(OWNER, [record()]).fault
    await view.close()
