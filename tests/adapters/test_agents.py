"""The agents' Leases as they are watched: what is kept of them, how old it is, and what wakes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import pytest

from scaleset_operator.adapters import agents as adapter
from scaleset_operator.adapters.agents import AgentLeases
from scaleset_operator.adapters.cluster.reflector import Timing
from scaleset_operator.api.agentreport import (
    ANNOTATION_REPORT,
    LEASE_LASTS_S,
    AgentReport,
    lease_name,
)
from tests.adapters.cluster.fake_api import Answer, FakeApi, bookmark, error, event, listing, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from scaleset_operator.adapters.cluster.connection import Connection

LEASES: Final = "/apis/coordination.k8s.io/v1/namespaces/ops/leases"
EAST, WEST = "192.0.2.10", "192.0.2.20"
QUIET_S: Final = 0.1
"""Longer than reports wait for each other here."""


def lease(node: str, version: int, *frontends: str, text: str | None = None) -> dict[str, Any]:
    """A Lease as an agent writes it, or with another text in place of the report."""
    report = AgentReport(version="1", node=node, frontends=frontends).text()
    meta = {
        "namespace": "ops",
        "name": lease_name(node),
        "resourceVersion": str(version),
        "annotations": {ANNOTATION_REPORT: report if text is None else text},
    }
    return {"metadata": meta}


def last(version: int) -> dict[str, Any]:
    """The Lease of an agent that says which version it is: what came before it was heard too."""
    report = AgentReport(version=str(version), node="last").text()
    return lease("last", version, text=report)


class Watching:
    """The adapter on a scripted API server, and how often it woke."""

    def __init__(self, api: FakeApi, connection: Connection) -> None:
        self.api = api
        self.time = 1000.0
        self.wakes = 0
        timing = Timing(monotonic=lambda: self.time, sleep=self.sleep, chance=lambda: 0.0)
        self.leases = AgentLeases(connection, "ops", self.woken, timing=timing)
        self.task: asyncio.Task[None] | None = None

    async def sleep(self, _: float) -> None:
        await asyncio.sleep(0.005)

    def woken(self) -> None:
        self.wakes += 1

    async def begin(self, *first: dict[str, Any], version: int = 10) -> None:
        self.api.answer("GET", Answer(body=listing(version, *first)))
        self.task = asyncio.create_task(self.leases.run())
        await until(lambda: self.api.watched(LEASES))

    async def hear(self, *events: dict[str, Any], version: int) -> None:
        """Tell of something, and of a change of nobody's after it; returns once both are heard."""
        await self.api.push_at(LEASES, *events, event("MODIFIED", last(version)))
        await until(lambda: self.has_heard(version))

    def has_heard(self, version: int) -> bool:
        known = self.leases.heard().get("last")
        return known is not None and known.report.version == str(version)

    def frontends(self) -> dict[str, tuple[str, ...]]:
        told = self.leases.heard()
        return {node: told[node].report.frontends for node in sorted(told) if node != "last"}

    async def close(self) -> None:
        assert self.task is not None
        assert not self.task.done(), "it never ends by itself"
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@pytest.fixture
async def watching(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watching]:
    monkeypatch.setattr(adapter, "SETTLE_S", 0.01)
    connection = api.connection()
    watching = Watching(api, connection)
    yield watching
    await watching.close()
    await connection.close()


async def test_reports_follow_the_list_and_the_watch(watching: Watching) -> None:
    """S-34: what a node holds is known as soon as its agent says so, and no longer."""
    await watching.begin(lease("a", 5, EAST), lease("b", 6))
    assert watching.frontends() == {"a": (EAST,), "b": ()}
    await watching.hear(event("MODIFIED", lease("b", 11, WEST)), version=12)
    assert watching.frontends() == {"a": (EAST,), "b": (WEST,)}
    await watching.hear(
        event("DELETED", lease("a", 13)), event("ADDED", lease("c", 14)), version=15
    )
    assert watching.frontends() == {"b": (WEST,), "c": ()}


async def test_only_another_report_wakes_and_those_that_change_together_wake_once(
    watching: Watching,
) -> None:
    """A renewal each half a minute of each node is no news."""
    await watching.begin(lease("a", 5, EAST), lease("b", 6))
    await until(lambda: watching.wakes == 1)
    renewed = (event("MODIFIED", lease("a", version, EAST)) for version in range(11, 21))
    await watching.api.push_at(LEASES, *renewed)
    await asyncio.sleep(QUIET_S)
    assert watching.wakes == 1
    both = (event("MODIFIED", lease("a", 31, WEST)), event("MODIFIED", lease("b", 32, EAST)))
    await watching.api.push_at(LEASES, *both)
    await until(lambda: watching.wakes == 2)
    await watching.api.push_at(LEASES, event("DELETED", lease("a", 34)))
    await until(lambda: watching.wakes == 3)
    await asyncio.sleep(QUIET_S)
    assert watching.wakes == 3
    assert watching.frontends() == {"b": (EAST,)}


async def test_after_a_gap_a_list_says_who_is_gone_and_who_is_new(watching: Watching) -> None:
    """410: the history is gone; the list is whole."""
    await watching.begin(lease("a", 5, EAST), lease("b", 6))
    anew = Answer(body=listing(40, lease("b", 30, WEST), lease("c", 31)))
    watching.api.answer("GET", anew)
    await watching.api.push_at(LEASES, error(410))
    await until(lambda: watching.frontends() == {"b": (WEST,), "c": ()})
    await until(lambda: watching.wakes > 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "[]",
        '{"version":"1"}',
        '{"version":"1","node":"a","frontends":["localhost"]}',
        '{"version":"1","node":"a","instances":{"shop/web-1":{"used":-1}}}',
        '{"version":"1","node":"b","frontends":["192.0.2.99"]}',
        '{"version":"1","node":"c","frontends":["192.0.2.99"]}',
    ],
)
async def test_what_cannot_be_read_or_speaks_for_another_is_no_report(
    watching: Watching, text: str
) -> None:
    """S-34: its node's figures are a plan again, and the others go on."""
    await watching.begin(lease("a", 5, EAST), lease("b", 6, WEST))
    await watching.hear(event("MODIFIED", lease("a", 11, text=text)), version=12)
    assert watching.frontends() == {"b": (WEST,)}
    await watching.hear(event("MODIFIED", lease("a", 13, EAST)), version=14)
    assert watching.frontends() == {"a": (EAST,), "b": (WEST,)}


async def test_other_leases_of_the_namespace_are_none_of_ours(watching: Watching) -> None:
    other = lease("a", 5, EAST)
    other["metadata"]["name"] = "scaleset-operator"
    bare: dict[str, Any] = {"metadata": {"namespace": "ops", "name": "x", "resourceVersion": "6"}}
    await watching.begin(other, bare)
    assert watching.frontends() == {}
    await watching.hear(event("DELETED", other), version=12)
    assert watching.frontends() == {}


async def test_an_agent_is_silent_once_its_lease_stood_still_for_ninety_seconds(
    watching: Watching,
) -> None:
    """X-10: by our own clock, whatever the Lease says of the time."""
    await watching.begin(lease("a", 5, EAST))
    watching.time += LEASE_LASTS_S
    await watching.api.push_at(LEASES, bookmark(11))
    assert not watching.leases.heard()["a"].silent
    assert watching.leases.ages() == {"a": LEASE_LASTS_S}
    watching.time += 1
    assert watching.leases.heard()["a"].silent
    await watching.hear(event("MODIFIED", lease("a", 12, EAST)), version=13)
    assert not watching.leases.heard()["a"].silent
    assert watching.leases.ages()["a"] == 0.0


async def test_a_list_that_shows_the_same_lease_again_renews_nothing(watching: Watching) -> None:
    """A relist is no sign of life."""
    await watching.begin(lease("a", 5, EAST))
    watching.time += LEASE_LASTS_S + 1
    anew = listing(40, lease("a", 5, EAST), last(39))
    watching.api.answer("GET", Answer(body=anew))
    await watching.api.push_at(LEASES, error(410))
    await until(lambda: watching.has_heard(39))
    assert watching.leases.heard()["a"].silent


async def test_while_leases_cannot_be_seen_nobody_is_called_silent(
    api: FakeApi, watching: Watching
) -> None:
    """X-07: our own blindness is not theirs."""
    await watching.begin(lease("a", 5, EAST))
    api.forbidden.add(LEASES)
    asked = len(api.requests)
    await api.push_at(LEASES, error(410))
    await until(lambda: len(api.requests) > asked)
    watching.time += 10 * LEASE_LASTS_S
    assert not watching.leases.heard()["a"].silent
    assert watching.leases.ages() == {"a": 0.0}
