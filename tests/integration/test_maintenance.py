"""Planned maintenance on a real API server, by the operator as a process, with pretended nodes."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.maintained import (
    UPDATED,
    announce,
    answered,
    ask,
    in_flight,
    iteration,
    nodes_of,
    places,
    requests,
    seven_names,
    tier,
)
from tests.integration.sets import PREFIX, names_of, uids_of, word
from tests.integration.waiting import eventually, throughout
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.operator_fixture import OperatorProcess
    from tests.integration.world import World

SIZE: Final = 8
DOMAINS: Final = 4
AT_ONCE: Final = SIZE // DOMAINS
PACE: Final = {"rollingUpgradePolicy": {"maxBatchInstancePercent": 100 // DOMAINS}}
LONG_S: Final = 600.0
WALK_S: Final = 120.0
HEALTHY: Final = f"{PREFIX}Healthy"

pytestmark = pytest.mark.timeout(300)


@contextmanager
def one_updated_node(world: World) -> Iterator[str]:
    """A node that nothing was on when its updating began; unmarked at the end."""
    new = world.cluster.nodes[-1]
    ((key, value),) = UPDATED.items()
    world.cluster.kubectl("uncordon", new)
    world.cluster.kubectl("label", "node", new, f"{key}={value}", "--overwrite")
    try:
        yield new
    finally:
        world.cluster.kubectl("label", "node", new, f"{key}-")


def old_sets(world: World, *names: str, size: int = SIZE, domains: int = DOMAINS) -> None:
    """Sets whose instances are on the other nodes."""
    new = world.cluster.nodes[-1]
    world.cluster.kubectl("cordon", new)
    for name in names:
        world.scale_set(name, size, updateDomainCount=domains, upgradePolicy=PACE)
    world.await_ready(*names)
    for name in names:
        tier(world, name, name)
        assert new not in nodes_of(world, name)


def test_the_window_walks_the_domains_one_by_one_though_the_operator_is_killed(
    world: World, operator: OperatorProcess
) -> None:
    """M-12, M-14, M-15, M-24, V-05, V-21: everybody moves once, keeps its name, none twice."""
    old_sets(world, "web")
    before = world.pods("web")
    with one_updated_node(world) as new, AuditorWatch(world.api, namespace=world.namespace) as seen:
        announce(world, "patch", "web", ask=1, work=LONG_S)
        domains, fewest, killed = set(), SIZE, False
        deadline = time.monotonic() + WALK_S
        while nodes_of(world, "web") != {new} or in_flight(world, "web"):
            assert time.monotonic() < deadline, world.told("web")
            entries = in_flight(world, "web")
            domains.add(frozenset(entry.get("updateDomain", 0) for entry in entries))
            fewest = min(fewest, world.status("web")["readyReplicas"])
            if not killed and iteration(world, "web").get("completed", 0) >= 2:
                operator.kill()
                operator.start()
                killed = True
            time.sleep(0.1)
        eventually(lambda: iteration(world, "web").get("completed") == SIZE, "all are done")
    assert killed
    assert {len(at_once) for at_once in domains} <= {0, 1}, "one domain at a time"
    assert len(frozenset().union(*domains)) == DOMAINS
    assert fewest >= SIZE - AT_ONCE
    after = world.pods("web")
    assert names_of(after) == names_of(before)
    assert not uids_of(after) & uids_of(before)
    assert places(world) == []
    assert seen.auditor.violations() == []


def test_an_owner_goes_first_and_only_once(world: World, operator: OperatorProcess) -> None:
    """M-06, M-07, M-08, V-10, V-16, V-17, V-21, V-22: the answer stands on the pod."""
    assert operator.pid
    old_sets(world, "web")
    first, other = names_of(world.pods("web"))[:2]
    with one_updated_node(world) as new:
        announce(world, "patch", "web", ask=LONG_S, work=LONG_S)
        flag = "isCustomerInitiatedMaintenanceAllowed"
        eventually(lambda: seven_names(world, first).get(flag), "it may be asked for")
        before = world.get(first, "Pod")
        world.label(before, team="shop")
        ask(world, first, "patch")
        eventually(
            lambda: seven_names(world, first).get("lastOperationResultCode"),
            "it was moved",
            told=lambda: world.told("web"),
        )
        said = seven_names(world, first)
        assert said["lastOperationResultCode"] == "MaintenanceCompleted"
        assert said.keys() == {"lastOperationResultCode", "lastOperationMessage"}
        after = world.get(first, "Pod")
        assert after["spec"]["nodeName"] == new
        assert after["metadata"]["uid"] != before["metadata"]["uid"]
        assert after["metadata"]["labels"]["team"] == "shop"
        ask(world, first, "patch")
        row = eventually(lambda: requests(world, "web", first), "it is refused")[0]
        assert row["reason"] == "AlreadyAttempted"
        eventually(lambda: answered(world, first), "it was answered")
        assert world.get(first, "Pod")["metadata"]["uid"] == after["metadata"]["uid"]
        assert seven_names(world, other)[flag] is True
        assert nodes_of(world, "web") - {new}, "nobody else was moved"
        # Its address may be the old one again, which the pretended nodes had free.
        world.endpoints.tell([after], "status:500")
        eventually(
            lambda: word(world.get(first, "Pod"), HEALTHY).status == "False",
            "it is probed where it is now",
            told=lambda: world.told("web"),
        )


def test_an_instance_without_anywhere_to_go_stays_as_it_is(
    world: World, operator: OperatorProcess
) -> None:
    """M-09, M-26, V-19, V-20: the same pod, still serving, and out of this iteration."""
    assert operator.pid
    old_sets(world, "web", size=2, domains=2)
    first = world.pods("web")[0]
    name = first["metadata"]["name"]
    announce(world, "patch", "web", ask=LONG_S, work=LONG_S)
    flag = "isCustomerInitiatedMaintenanceAllowed"
    eventually(lambda: seven_names(world, name).get(flag), "it may be asked for")
    ask(world, name, "patch")
    eventually(
        lambda: seven_names(world, name).get("lastOperationResultCode") == "MaintenanceAborted",
        "it has nowhere to go",
        seconds=180,
        told=lambda: world.told("web"),
    )
    assert uids_of([world.get(name, "Pod")]) == uids_of([first])
    assert "maintenanceWindowStartTime" not in seven_names(world, name)
    world.await_ready("web")
    assert places(world) == []


def test_of_two_paired_windows_one_works_at_a_time(world: World, operator: OperatorProcess) -> None:
    """M-17, V-07, V-27: each comes to its turn, and one iteration may span several regions."""
    assert operator.pid
    names = ("left", "far", "right")
    old_sets(world, *names, size=4, domains=2)
    tier(world, "far", "left")
    with one_updated_node(world) as new:
        announce(world, "one", "left", ask=1, work=LONG_S, pairedWith={"name": "other"})
        announce(world, "other", "right", ask=1, work=LONG_S, pairedWith={"name": "one"})
        seen: list[dict[str, set[str]]] = []
        deadline = time.monotonic() + WALK_S
        while any(nodes_of(world, name) != {new} for name in names):
            assert time.monotonic() < deadline, world.told(*names)
            seen.append({name: {e["mark"] for e in in_flight(world, name)} for name in names})
            time.sleep(0.1)
    assert [at for at in seen if at["right"] and (at["left"] or at["far"])] == []
    spanning = [at["left"] | at["far"] for at in seen if at["left"] and at["far"]]
    assert spanning, "both regions of the iteration were at work at once"
    assert {len(marks) for marks in spanning} == {1}, "it is one iteration"


def test_a_suspended_window_starts_nothing_until_it_is_resumed(
    world: World, operator: OperatorProcess
) -> None:
    """X-04: and says so meanwhile."""
    assert operator.pid
    old_sets(world, "web", size=4, domains=2)
    before = uids_of(world.pods("web"))
    with one_updated_node(world) as new:
        announce(world, "patch", "web", ask=1, work=LONG_S, suspend=True)
        eventually(
            lambda: iteration(world, "web").get("waitsFor") == "WindowSuspended",
            "it waits",
            told=lambda: world.told("web"),
        )

        def nobody_moves() -> None:
            assert uids_of(world.pods("web")) == before

        throughout(3, nobody_moves)
        world.change("patch", "MaintenanceWindow", suspend=False)
        eventually(lambda: nodes_of(world, "web") == {new}, "all are moved", seconds=WALK_S)
