"""Planned maintenance on real nodes: owners go first, the window does the rest, pairs take turns.

One story, for its minutes are the windows': a set is walked from one node to another, an instance
that has nowhere to go stays as it is, and two paired sets share the time.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest

from localcluster.kind import config
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
from tests.integration.sets import PREFIX, names_of, uids_of
from tests.integration.waiting import eventually
from tests.kind.pods import volume
from tests.kind.test_service import expose
from tests.support.auditor_watch import AuditorWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.sets import Json
    from tests.kind.deployment import Deployment
    from tests.kind.world import KindWorld

_, OLD, NEW = config.nodes()
SIZE: Final = 8
DOMAINS: Final = 4
AT_ONCE: Final = SIZE // DOMAINS
ASK_S: Final = 75.0
WORK_S: Final = 240.0
MOVED_S: Final = 60.0
PLACE_S: Final = 180.0

pytestmark = pytest.mark.timeout(600)


@dataclass
class Seen:
    """What was seen while the windows were open.

    Attributes:
        fewest: ready endpoints of the Service, at the worst moment.
        domains: of `web`, each set of update domains that were under scheduled work at once.
        together: moments at which both sides of the pair were under maintenance.
        worked: sets that were seen under maintenance.
    """

    fewest: int = SIZE
    domains: set[frozenset[int]] = field(default_factory=set)
    together: list[Json] = field(default_factory=list)
    worked: set[str] = field(default_factory=set)

    def look(self, world: KindWorld) -> None:
        """Look once."""
        self.fewest = min(self.fewest, served(world, "web"))
        flights = {name: in_flight(world, name) for name in ("web", "left", "right")}
        self.worked |= {name for name, flight in flights.items() if flight}
        scheduled = [e for e in flights["web"] if e["origin"] == "Scheduled"]
        if scheduled:
            self.domains.add(frozenset(e.get("updateDomain", 0) for e in scheduled))
        if flights["left"] and flights["right"]:
            self.together.append(flights)


def served(world: KindWorld, name: str) -> int:
    """How many addresses a Service sends new connections to."""
    path = f"/apis/discovery.k8s.io/v1/namespaces/{world.namespace}/endpointslices"
    slices = world.api.items(path, labelSelector=f"kubernetes.io/service-name={name}")
    return sum(
        bool(endpoint["conditions"].get("ready"))
        for row in slices
        for endpoint in row.get("endpoints") or ()
    )


@contextmanager
def all_on_the_old_node(deployment: Deployment) -> Iterator[None]:
    """Inside, nothing new goes to the other one."""
    deployment.kubectl("cordon", NEW)
    try:
        yield
    finally:
        deployment.kubectl("uncordon", NEW)


@contextmanager
def updated(deployment: Deployment) -> Iterator[None]:
    """Inside, the new node is marked as updated."""
    ((key, value),) = UPDATED.items()
    deployment.kubectl("label", "node", NEW, f"{key}={value}", "--overwrite")
    try:
        yield
    finally:
        deployment.kubectl("label", "node", NEW, f"{key}-")


def test_owners_go_first_the_window_does_the_rest_and_pairs_take_turns(
    world: KindWorld, deployment: Deployment
) -> None:
    """M-05, M-06, M-07, M-08, M-09, M-12, M-14, M-15, M-16, M-17, M-26, V-17, V-19, V-21, V-22."""
    expose(world, "web")
    pace = {"rollingUpgradePolicy": {"maxBatchInstancePercent": 100 // DOMAINS}}
    with all_on_the_old_node(deployment):
        world.scale_set("web", SIZE, updateDomainCount=DOMAINS, upgradePolicy=pace)
        for name in ("left", "right", "stuck"):
            world.scale_set(name, 2, updateDomainCount=2)
        world.await_ready("web", "left", "right", "stuck", seconds=120)
        for name in ("web", "left", "right", "stuck"):
            tier(world, name, name)
    before = world.pods("web")
    eventually(lambda: served(world, "web") == SIZE, "all are served")
    assert {pod["spec"]["nodeName"] for pod in before} == {OLD}
    with updated(deployment), AuditorWatch(world.api, namespace=world.namespace) as watch:
        times = {"ask": ASK_S, "work": WORK_S}
        announce(world, "patch", "web", **times)
        announce(world, "one", "left", **times, pairedWith={"name": "other"})
        announce(world, "other", "right", **times, pairedWith={"name": "one"})
        nowhere = {"matchLabels": {"maintenance/updated": "nowhere"}}
        announce(world, "nowhere", "stuck", **times, updatedNodeSelector=nowhere)
        stuck = world.pods("stuck")[0]
        await_open(world, stuck["metadata"]["name"])
        ask(world, stuck["metadata"]["name"], "nowhere")
        first = pulled_forward(world, before[3])
        assert_refused_a_second_time(world, first)
        walk(world, deployment)
        assert_stayed(world, stuck)
    after = world.pods("web")
    assert names_of(after) == names_of(before), "everybody keeps the name"
    assert not uids_of(after) & uids_of(before)
    assert {pod["spec"]["nodeName"] for pod in after} == {NEW}
    assert first["metadata"]["uid"] in uids_of(after), "it was not taken a second time"
    watch.auditor.expect_repaired([])
    assert watch.auditor.violations() == []
    # The other one of those without anywhere to go is still being looked for a place for.
    assert [name for name in places(world) if not name.startswith("stuck")] == []


def await_open(world: KindWorld, pod: str) -> None:
    """Wait until owners may go first, and it says so on the instances."""
    eventually(
        lambda: seven_names(world, pod).get("isCustomerInitiatedMaintenanceAllowed"),
        "the self-service window is open",
        seconds=MOVED_S,
        told=lambda: world.told("stuck"),
    )


def pulled_forward(world: KindWorld, pod: Json) -> Json:
    """Move one instance at its owner's wish: same name, id and labels; volume and address new."""
    name = pod["metadata"]["name"]
    world.label(pod, team="shop")
    world.room.on_node(pod, "touch", f"{volume(pod)}/mark")
    await_open(world, name)
    ask(world, name, "patch")
    eventually(
        lambda: seven_names(world, name).get("lastOperationResultCode") == "MaintenanceCompleted",
        f"{name} was moved",
        seconds=MOVED_S,
        told=lambda: world.told("web"),
    )
    after = world.get(name, "Pod")
    assert after["metadata"]["uid"] != pod["metadata"]["uid"]
    assert after["spec"]["nodeName"] == NEW
    assert after["status"]["podIP"] != pod["status"]["podIP"]
    kept = ("app", "team", f"{PREFIX}instance-id", f"{PREFIX}update-domain")
    there = {**pod["metadata"]["labels"], "team": "shop"}
    assert {key: after["metadata"]["labels"].get(key) for key in kept} == {
        key: there[key] for key in kept
    }
    assert "mark" not in world.room.on_node(after, "ls", volume(after)).split()
    return after


def assert_refused_a_second_time(world: KindWorld, pod: Json) -> None:
    name = pod["metadata"]["name"]
    ask(world, name, "patch")
    row = eventually(lambda: requests(world, "web", name), f"{name} is refused", seconds=MOVED_S)[0]
    assert row["reason"] == "AlreadyAttempted"
    eventually(lambda: answered(world, name), "it was answered")
    assert world.get(name, "Pod")["metadata"]["uid"] == pod["metadata"]["uid"]


def walk(world: KindWorld, deployment: Deployment) -> None:
    """The scheduled window: domain by domain, with the leader killed in the middle."""
    seen, killed = Seen(), False
    deadline = time.monotonic() + ASK_S + WORK_S
    while not done(world):
        assert time.monotonic() < deadline, world.told("web", "left", "right")
        seen.look(world)
        if not killed and iteration(world, "web").get("completed", 0) >= 2:
            deployment.signal(deployment.leading(), "KILL")
            killed = True
        time.sleep(0.2)
    assert killed
    assert seen.fewest >= SIZE - AT_ONCE, "no more than one domain is away"
    assert {len(at_once) for at_once in seen.domains} == {1}, "one domain at a time"
    assert len(frozenset().union(*seen.domains)) == DOMAINS
    assert seen.worked == {"web", "left", "right"}
    assert seen.together == [], "one side of the pair at a time"


def done(world: KindWorld) -> bool:
    """Whether everybody is on the new node and nothing is under way."""
    for name in ("web", "left", "right"):
        if nodes_of(world, name) != {NEW} or in_flight(world, name):
            return False
    return True


def assert_stayed(world: KindWorld, pod: Json) -> None:
    """An instance without anywhere to go is left as it was, and is out of this iteration."""
    name = pod["metadata"]["name"]
    eventually(
        lambda: seven_names(world, name).get("lastOperationResultCode") == "MaintenanceAborted",
        f"{name} has nowhere to go",
        seconds=PLACE_S,
        told=lambda: world.told("stuck"),
    )
    after = world.get(name, "Pod")
    assert after["metadata"]["uid"] == pod["metadata"]["uid"]
    assert "maintenanceWindowStartTime" not in seven_names(world, name)
    world.await_ready("stuck")
